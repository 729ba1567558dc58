//! `codexcp cancel`: stops an operation, queued or at work. Safe to repeat; what has ended stays as it is.
//! Waits for codex to confirm it as long as the daemon does, never longer.

use crate::codexcp::{
    daemon::Daemon,
    exit::{Exit, Failure},
    ids,
    output::Output,
    views::word,
};
use serde_json::json;

/// One after the other; the first that cannot be stopped does not keep the others from it.
pub(super) async fn run(daemon: &Daemon, out: &Output, ids: &[String]) -> Result<Exit, Failure> {
    let mut worst = Exit::Success;
    for (n, id) in ids.iter().enumerate() {
        match stop(daemon, out, id).await {
            Ok(Exit::Success) => {}
            Ok(exit) => worst = exit,
            // The last one is told like any failure.
            Err(failure) if n + 1 == ids.len() => return Err(failure),
            Err(failure) => {
                out.say(&format!("{id}: {}", failure.message));
                worst = failure.exit;
            }
        }
    }
    Ok(worst)
}

async fn stop(daemon: &Daemon, out: &Output, id: &str) -> Result<Exit, Failure> {
    let answer = daemon.tool("codex_interrupt_turn", json!({"operation_id": id})).await?;
    let confirmed = answer["confirmed"] == json!(true);
    let (short, status) = (ids::short(word(&answer["operationId"])), word(&answer["status"]));
    if out.json {
        out.object(answer.clone())?;
    } else {
        out.data(&format!("{short} {status}"))?;
        if !confirmed {
            out.say(&format!("Codex was told to stop and has not confirmed it yet; `codexcp wait {short}` waits for it."));
        }
    }
    Ok(if confirmed { Exit::Success } else { Exit::TimedOut })
}
