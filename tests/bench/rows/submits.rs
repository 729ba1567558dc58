//! Ten clients, each with a shim of its own, that hand in one task after the other while all slots are taken.

use crate::submit::is_accepted;
use bench::{
    Figure, Goal, Ground, Unit,
    client::{self, Client},
    floor,
    home::Home,
};
use std::time::Instant;

const CLIENTS: usize = 10;
const EACH: usize = 500;

pub(crate) fn run(ground: &Ground) -> anyhow::Result<Vec<Figure>> {
    let home = Home::started(ground)?;
    let mut clients = (0..CLIENTS).map(|_| Client::connected(&home)).collect::<anyhow::Result<Vec<_>>>()?;
    if let Some(first) = clients.first_mut() {
        home.hold_all_slots(first)?;
    }
    let fsync = floor::fsync(&ground.folder, 500)?;
    let begun = Instant::now();
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let home = &home;
        let one = |(number, client): (usize, _)| scope.spawn(move || hand_in(home, client, number));
        let all: Vec<_> = clients.iter_mut().enumerate().map(one).collect();
        for one in all {
            one.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
        }
        Ok(())
    })?;
    #[expect(clippy::cast_precision_loss, reason = "far below the limit")]
    let per_second = (CLIENTS * EACH) as f64 / begun.elapsed().as_secs_f64();
    let figure = Figure::new("10 clients together", per_second, Unit::PerSecond, Goal::AtLeast(2_000.0));
    Ok(vec![figure.note(format!("{} in all; one fsync after the other: {:.0}/s", CLIENTS * EACH, 1_000.0 / fsync.p50()))])
}

fn hand_in(home: &Home, client: &mut Client, number: usize) -> anyhow::Result<()> {
    for task in 0..EACH {
        let message = client::prompt(number * EACH + task, 200);
        let line = client.call_line("codex_submit_task", &client::task(&home.project, &format!("client-{number}-{task}"), &message));
        let answer = client.ask(&line)?;
        anyhow::ensure!(is_accepted(answer), "not accepted: {}", String::from_utf8_lossy(answer));
    }
    Ok(())
}
