//! `codex_get_operation_status` of a finished operation with a report of 2 kB, through a shim.

use crate::measure;
use bench::{Figure, Goal, Ground, Sample, Unit, client::Client, floor, home::Home};
use serde_json::json;

const TIMES: usize = 5_000;

pub(crate) fn run(ground: &Ground) -> anyhow::Result<Vec<Figure>> {
    let home = Home::started(ground)?;
    let mut client = Client::connected(&home)?;
    let id = measure::finished(&home, &mut client, &home.project)?;
    let status = home.status(&mut client, &id)?;
    let (body, report) = (status.to_string(), status["finalReport"]["text"].to_string());
    let line = client.call_line("codex_get_operation_status", &json!({"operation_id": id}));
    for _ in 0..200 {
        client.ask(&line)?;
    }
    let mut sample = Sample::with_capacity(TIMES);
    for _ in 0..TIMES {
        sample.time(|| client.ask(&line).map(<[u8]>::len))?;
    }
    let floor = floor::round_trip(&ground.folder, TIMES)?;
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let (body_kb, report_kb) = (body.len() as f64 / 1_000.0, report.len() as f64 / 1_000.0);
    Ok(vec![
        Figure::new("answered, p50", sample.p50(), Unit::Ms, Goal::AtMost(0.2)).floor(floor.p50()),
        Figure::new("answered, p99", sample.p99(), Unit::Ms, Goal::None).floor(floor.p99()),
        // With a short report it must stay small; a long one adds what it is long.
        Figure::new("body without its report", body_kb - report_kb, Unit::Kb, Goal::AtMost(4.0)),
        Figure::new("body with a report of 2 kB", body_kb, Unit::Kb, Goal::None),
    ])
}
