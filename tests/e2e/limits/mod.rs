//! The hard edges: each limit reached on purpose, with the real programs. What the user is told, and that nothing is
//! lost. `docs/limits.md` is the table of them.

mod clients;
mod disk;
mod lines;
mod queue;
mod readers;

use super::home;
use serde_json::Value;

fn code(payload: &Value) -> &str {
    payload["error"]["code"].as_str().unwrap_or("none")
}

fn message(payload: &Value) -> &str {
    payload["error"]["message"].as_str().unwrap_or_default()
}
