//! `codex_submit_task` through a shim, until it is acknowledged and so on the disk: with an empty queue, and behind a
//! thousand prompts of 4 000 characters that are still waiting.

use bench::{
    Figure, Goal, Ground, Sample, Unit,
    client::{self, Client},
    floor,
    home::Home,
};

const TIMES: usize = 500;
const EARLIER: usize = 1_000;
const EARLIER_CHARS: usize = 4_000;

pub(crate) fn run(ground: &Ground) -> anyhow::Result<Vec<Figure>> {
    let home = Home::started(ground)?;
    let mut client = Client::connected(&home)?;
    home.hold_all_slots(&mut client)?;
    let before = floor::fsync(&ground.folder, TIMES)?;
    let few = submit(&home, &mut client, "few", 1_000_000)?;
    let sqlite = floor::sqlite_commit(&ground.folder, TIMES)?;
    for number in 0..EARLIER {
        home.submit(&mut client, &format!("earlier-{number}"), &client::prompt(number, EARLIER_CHARS))?;
    }
    let between = floor::fsync(&ground.folder, TIMES)?;
    let many = submit(&home, &mut client, "many", 2_000_000)?;
    let figures = |words: &str, sample: &Sample, fsync: &Sample| {
        [
            Figure::new(format!("{words}, p50"), sample.p50(), Unit::Ms, Goal::AtMost(fsync.p50() + 0.3)).floor(fsync.p50()),
            Figure::new(format!("{words}, p99"), sample.p99(), Unit::Ms, Goal::AtMost(3.0)).floor(fsync.p99()),
        ]
    };
    let mut out = Vec::from(figures("acknowledged", &few, &before));
    out.extend(figures("behind 1 000 prompts of 4 000 characters", &many, &between));
    out.push(Figure::new("bare SQLite commit, p50", sqlite.p50(), Unit::Ms, Goal::None).note(format!("p99 {:.2} ms", sqlite.p99())));
    Ok(out)
}

fn submit(home: &Home, client: &mut Client, name: &str, seed: usize) -> anyhow::Result<Sample> {
    let mut sample = Sample::with_capacity(TIMES);
    for number in 0..TIMES {
        let message = client::prompt(seed + number, 200);
        let line = client.call_line("codex_submit_task", &client::task(&home.project, &format!("{name}-{number}"), &message));
        let answer = sample.time(|| client.ask(&line).map(<[u8]>::to_vec))?;
        anyhow::ensure!(is_accepted(&answer), "not accepted: {}", String::from_utf8_lossy(&answer));
    }
    Ok(sample)
}

pub(crate) fn is_accepted(answer: &[u8]) -> bool {
    answer.windows(OK.len()).any(|part| part == OK)
}

const OK: &[u8] = b"\"isError\":false";
