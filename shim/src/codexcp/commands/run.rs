//! `codexcp run`: a new task in a folder.
//! Which folders are allowed is the daemon's to say; nothing is checked twice.

use super::submit;
use crate::codexcp::{
    arguments::Run,
    daemon::Daemon,
    exit::{Exit, Failure},
    output::Output,
};
use serde_json::json;

pub(super) async fn run(daemon: &Daemon, out: &Output, asked: Run) -> Result<Exit, Failure> {
    let folder = std::path::absolute(&asked.cwd)
        .map_err(|error| Failure::new(Exit::Usage, format!("--cwd {}: {error}; name a folder that exists", asked.cwd.display())))?;
    let mut arguments = json!({"operation_type": "start_chat", "project_id": folder, "message": submit::text(&asked.text)?});
    if let Some(title) = asked.title {
        arguments["title"] = json!(title);
    }
    if asked.again {
        arguments["dedup_policy"] = json!("idempotency_only");
    }
    submit::submit(daemon, out, submit::with_task(arguments, &asked.task), asked.task.detach).await
}
