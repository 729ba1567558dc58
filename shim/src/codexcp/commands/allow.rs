//! `codexcp allow`: one more folder that tasks may work in. The daemon writes its configuration; this only names the
//! folder, as seen from here.

use crate::codexcp::{
    daemon::Daemon,
    exit::{Exit, Failure},
    output::Output,
    views::word,
};
use serde_json::{Value, json};
use std::path::Path;

pub(super) async fn run(daemon: &Daemon, out: &Output, dir: &Path) -> Result<Exit, Failure> {
    let path = std::path::absolute(dir)
        .map_err(|error| Failure::new(Exit::Usage, format!("{}: {error}; name a folder that exists", dir.display())))?;
    let answer = daemon.admin("allow", json!({"path": path})).await?;
    tell(out, answer, "Allowed, and written to")
}

/// The other way round.
pub(super) async fn take_back(daemon: &Daemon, out: &Output, dir: &Path) -> Result<Exit, Failure> {
    let path = std::path::absolute(dir)
        .map_err(|error| Failure::new(Exit::Usage, format!("{}: {error}; name a folder that is allowed", dir.display())))?;
    let answer = daemon.admin("disallow", json!({"path": path})).await?;
    tell(out, answer, "No longer allowed, and written to")
}

fn tell(out: &Output, answer: Value, done: &str) -> Result<Exit, Failure> {
    if out.json {
        out.object(answer)?;
        return Ok(Exit::Success);
    }
    let roots = answer["roots"].as_array().map_or(0, Vec::len);
    out.say(&match roots {
        0 => format!("{done} {}. Tasks may work nowhere now.", word(&answer["configFile"])),
        _ => format!("{done} {}. Tasks may now work in:", word(&answer["configFile"])),
    });
    for root in answer["roots"].as_array().into_iter().flatten() {
        out.data(word(root))?;
    }
    if let Some(note) = answer["note"].as_str() {
        out.say(&format!("note: {note}"));
    }
    Ok(Exit::Success)
}
