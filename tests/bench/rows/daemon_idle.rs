//! Daemon: memory, and wake-ups of its own, while nobody asks anything of it.

use bench::{Figure, Goal, Ground, Unit, home::Home, machine, process};
use std::time::Duration;

/// What follows from the start is over by then.
const SETTLES: Duration = Duration::from_secs(3);
const WATCHED: Duration = Duration::from_secs(60);

pub(crate) fn run(ground: &Ground) -> anyhow::Result<Vec<Figure>> {
    let home = Home::started(ground)?;
    let pid = home.daemon_pid()?;
    machine::pause(SETTLES);
    let before = process::switches(pid)?;
    machine::pause(WATCHED);
    let after = process::switches(pid)?;
    let woken: Vec<(String, u64)> =
        after.iter().map(|(name, count)| (name.clone(), count - before.get(name).unwrap_or(&0))).filter(|(_, count)| *count > 0).collect();
    let names: Vec<String> = woken.iter().map(|(name, count)| format!("{name} {count}×")).collect();
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let sum = woken.iter().map(|(_, count)| count).sum::<u64>() as f64;
    let memory = process::memory(pid)?;
    Ok(vec![
        Figure::new("RSS", memory.rss, Unit::Kb, Goal::AtMost(20_000.0)).note(format!("{} threads", after.len())),
        Figure::new("wake-ups in 60 s", sum, Unit::Count, Goal::AtMost(0.0)).note(names.join(", ")),
    ])
}
