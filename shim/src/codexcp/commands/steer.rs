//! `codexcp steer`: a word into the turn of an operation that runs, and following it to its end.

use super::submit;
use crate::codexcp::{
    arguments::Task,
    daemon::{Daemon, Patience},
    exit::{Exit, Failure},
    ids,
    output::Output,
    views::word,
};
use serde_json::json;

pub(super) async fn run(daemon: &Daemon, out: &Output, id: &str, text: &str, detach: bool) -> Result<Exit, Failure> {
    let status = daemon.status(id, Patience::Short).await?;
    let (Some(thread), Some(turn)) = (status["threadId"].as_str(), status["turnId"].as_str()) else {
        let short = ids::short(word(&status["operationId"]));
        return Err(Failure::new(Exit::Refused, format!("{short} has no turn under way yet; wait for it with `codexcp status {short}`")));
    };
    let arguments = json!({"operation_type": "steer_turn", "thread_id": thread, "expected_turn_id": turn, "message": submit::text(text)?});
    submit::submit(daemon, out, submit::with_task(arguments, &Task::default()), detach).await
}
