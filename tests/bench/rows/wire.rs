//! From a submit, as the client writes it, to the first request that the app-server receives for it: `thread/start` for
//! a new thread; on a thread that is loaded `turn/start`, which comes after the `thread/resume` that sees it idle.

use bench::{
    Figure, Goal, Ground, Sample, Unit,
    client::{self, Client},
    floor,
    home::Home,
    machine::monotonic_ns,
};
use serde_json::{Value, json};
use std::time::Duration;

const TIMES: usize = 300;

pub(crate) fn run(ground: &Ground) -> anyhow::Result<Vec<Figure>> {
    let home = Home::started(ground)?;
    let mut client = Client::connected(&home)?;
    // Brings the app-server up, and leaves a thread that is loaded.
    let first = home.submit(&mut client, "first", "a first task")?;
    home.completed(&mut client, std::slice::from_ref(&first))?;
    let thread = home.status(&mut client, &first)?["threadId"].clone();
    let fresh = submits(&home, &mut client, "thread/start", |number| {
        client::task(&home.project, &format!("new-{number}"), &client::prompt(number, 200))
    })?;
    let loaded = submits(
        &home,
        &mut client,
        "turn/start",
        |number| json!({"operation_type": "send_message", "chat_id": thread, "message": client::prompt(number, 200), "client_request_id": format!("more-{number}")}),
    )?;
    let floor = floor::fsync(&ground.folder, TIMES)?;
    let figures = |words: &str, sample: &Sample| {
        [
            Figure::new(format!("{words}, p50"), sample.p50(), Unit::Ms, Goal::None).floor(floor.p50()),
            Figure::new(format!("{words}, p99"), sample.p99(), Unit::Ms, Goal::AtMost(5.0)).floor(floor.p99()),
        ]
    };
    let mut out = Vec::from(figures("submit to thread/start", &fresh));
    out.extend(figures("loaded thread: submit to turn/start", &loaded));
    Ok(out)
}

/// One at a time; each is over before the next is handed in.
fn submits(home: &Home, client: &mut Client, wanted: &str, task: impl Fn(usize) -> Value) -> anyhow::Result<Sample> {
    let mut begun = Vec::with_capacity(TIMES);
    for number in 0..TIMES {
        let line = client.call_line("codex_submit_task", &task(number));
        let at = monotonic_ns();
        let answer: Value = serde_json::from_slice(client.ask(&line)?)?;
        let id = answer["result"]["structuredContent"]["operationId"].as_str().map(str::to_owned);
        let id = id.ok_or_else(|| anyhow::anyhow!("not accepted: {answer}"))?;
        begun.push(at);
        home.completed(client, &[id])?;
    }
    let requests = home.requests()?;
    let mut sample = Sample::with_capacity(TIMES);
    for at in begun {
        let first = requests.iter().find(|(when, method)| *when > at && method == wanted);
        let (when, _) = first.ok_or_else(|| anyhow::anyhow!("no {wanted} came"))?;
        sample.add(Duration::from_nanos(u64::try_from(when - at)?));
    }
    Ok(sample)
}
