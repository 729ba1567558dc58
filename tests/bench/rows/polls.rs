//! Fifty shims that ask for the status of a finished operation, each again as soon as it is answered.

use crate::measure;
use bench::{Figure, Goal, Ground, Unit, client::Client, floor, home::Home, machine, process};
use serde_json::json;
use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

const SHIMS: usize = 50;
const MEASURED: Duration = Duration::from_secs(5);

pub(crate) fn run(ground: &Ground) -> anyhow::Result<Vec<Figure>> {
    let home = Home::started(ground)?;
    let mut first = Client::connected(&home)?;
    let id = measure::finished(&home, &mut first, &home.project)?;
    let mut clients = (0..SHIMS).map(|_| Client::connected(&home)).collect::<anyhow::Result<Vec<_>>>()?;
    let shims: Vec<u32> = clients.iter().map(Client::pid).collect();
    let (daemon, own) = (home.daemon_pid()?, std::process::id());
    let before = [cpu_s(&[daemon])?, cpu_s(&shims)?, cpu_s(&[own])?];
    let (stop, polls) = (AtomicBool::new(false), AtomicU64::new(0));
    let begun = Instant::now();
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let (stop, polls, id) = (&stop, &polls, &id);
        let all: Vec<_> = clients
            .iter_mut()
            .map(|client| {
                scope.spawn(move || -> anyhow::Result<()> {
                    let line = client.call_line("codex_get_operation_status", &json!({"operation_id": id}));
                    while !stop.load(Ordering::Relaxed) {
                        client.ask(&line)?;
                        polls.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                })
            })
            .collect();
        machine::pause(MEASURED);
        stop.store(true, Ordering::Relaxed);
        for one in all {
            one.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
        }
        Ok(())
    })?;
    #[expect(clippy::cast_precision_loss, reason = "far below the limit")]
    let per_second = polls.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
    let after = [cpu_s(&[daemon])?, cpu_s(&shims)?, cpu_s(&[own])?];
    let floor = floor::round_trip(&ground.folder, 2_000)?;
    #[expect(clippy::cast_precision_loss, reason = "far below the limit")]
    let each = |at: usize| (after[at] - before[at]) * 1e6 / polls.load(Ordering::Relaxed) as f64;
    let note = format!(
        "time on a core for each: daemon {:.0} µs, shim {:.0} µs, client {:.0} µs; a bare round trip takes {:.3} ms",
        each(0),
        each(1),
        each(2),
        floor.p50()
    );
    Ok(vec![Figure::new("50 shims together", per_second, Unit::PerSecond, Goal::AtLeast(15_000.0)).note(note)])
}

fn cpu_s(pids: &[u32]) -> anyhow::Result<f64> {
    pids.iter().map(|pid| process::cpu_s(*pid)).sum()
}
