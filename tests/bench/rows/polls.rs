//! Fifty shims that ask for the status of a finished operation, each again as soon as it is answered.

use crate::measure;
use bench::{Figure, Goal, Ground, Unit, client::Client, floor, home::Home, machine};
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
    let floor = floor::round_trip(&ground.folder, 2_000)?;
    let note = format!("one bare round trip: {:.3} ms; the clients and shims share the cores with the daemon", floor.p50());
    Ok(vec![Figure::new("50 shims together", per_second, Unit::PerSecond, Goal::AtLeast(15_000.0)).note(note)])
}
