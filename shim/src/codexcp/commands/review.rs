//! `codexcp review`: let codex look at changes in a folder and say what it finds.

use super::submit;
use crate::codexcp::{
    arguments::Review,
    daemon::Daemon,
    exit::{Exit, Failure},
    ids, live,
    output::Output,
    views::word,
};
use serde_json::{Value, json};

pub(super) async fn run(daemon: &Daemon, out: &Output, asked: Review) -> Result<Exit, Failure> {
    let folder = std::path::absolute(&asked.cwd)
        .map_err(|error| Failure::new(Exit::Usage, format!("--cwd {}: {error}; name a folder that exists", asked.cwd.display())))?;
    let mut arguments = json!({"project_id": folder, "client_request_id": format!("codexcp:{}", uuid::Uuid::now_v7())});
    target(&mut arguments, &asked)?;
    if let Some(model) = &asked.model {
        arguments["model"] = json!(model);
    }
    let review = daemon.tool("codex_start_review_workflow", arguments).await?;
    let operation = word(&review["reviewOperationId"]);
    out.say(&format!("Reviewing as {}.", ids::short(operation)));
    if !asked.detach {
        return live::watch(daemon, out, operation).await;
    }
    if out.json {
        out.object(review.clone())?
    } else {
        out.data(operation)?
    }
    Ok(Exit::Success)
}

/// What is named; else what is not committed.
fn target(arguments: &mut Value, asked: &Review) -> Result<(), Failure> {
    let (kind, name, value) = match (&asked.base, &asked.commit, &asked.text) {
        (Some(base), _, _) => ("base_branch", "base_branch", json!(base)),
        (_, Some(commit), _) => ("commit", "commit_sha", json!(commit)),
        (_, _, Some(text)) => ("custom", "instructions", json!(submit::text(text)?)),
        (None, None, None) => {
            arguments["target_type"] = json!("uncommitted_changes");
            return Ok(());
        }
    };
    (arguments["target_type"], arguments[name]) = (json!(kind), value);
    Ok(())
}
