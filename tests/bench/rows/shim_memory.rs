//! Shim: memory of one that has answered, beside others of its kind. Private is what would be free again if it ended:
//! pages of the program's file that a second shim uses too are not its own, so they are counted with others running.

use bench::{Figure, Goal, Ground, Unit, client::Client, floor, home::Home, process};
use serde_json::json;

const SHIMS: usize = 5;

pub(crate) fn run(ground: &Ground) -> anyhow::Result<Vec<Figure>> {
    let home = Home::started(ground)?;
    let mut shims = Vec::with_capacity(SHIMS);
    for _ in 0..SHIMS {
        let mut shim = Client::connected(&home)?;
        shim.call("codex_get_queue_status", &json!({}))?;
        shims.push(shim);
    }
    let mut all = shims.iter().map(|shim| process::memory(shim.pid())).collect::<anyhow::Result<Vec<_>>>()?;
    all.sort_by(|a, b| a.private.total_cmp(&b.private));
    let middle = all.get(SHIMS / 2).copied().unwrap_or_default();
    let floor = floor::memory()?;
    Ok(vec![
        Figure::new("RSS", middle.rss, Unit::Kb, Goal::AtMost(3_000.0)).floor(floor.rss),
        Figure::new("private", middle.private, Unit::Kb, Goal::AtMost(250.0))
            .floor(floor.private)
            .note(format!("{:.0} kB of it written to", middle.private_dirty)),
    ])
}
