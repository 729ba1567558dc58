//! A new chat that goes on where the same work was finished before, for callers that allow it (BEHAVIOUR 8.5).

use super::submit::Input;
use crate::{
    store::tables::operations::{self, OperationType},
    tools::{Cx, ToolError},
};
use common::ids::*;

/// The thread of the newest completed work with exactly this prompt in this project, unless it is archived or in use.
pub(super) async fn earlier(
    cx: &Cx,
    input: &Input,
    operation_type: OperationType,
    project_key: &str,
    prompt_form: &str,
) -> Result<Option<(ThreadId, OperationId)>, ToolError> {
    let only_ids = input.dedup_policy.as_deref() == Some("idempotency_only");
    if operation_type != OperationType::StartChat || !input.allow_historical_continuation || only_ids {
        return Ok(None);
    }
    let (project_key, prompt_form) = (project_key.to_owned(), prompt_form.to_owned());
    let found = cx.reader.read(move |tx| operations::completed_with_prompt(tx, &project_key, &prompt_form)).await?;
    let Some((thread, earlier)) = found.and_then(|row| Some((row.thread?, row.id))) else { return Ok(None) };
    // Where nobody can be asked a new chat is right too: that is what was asked for.
    match cx.inventory.thread(&thread).await {
        Ok(Some(known)) if !known.archived => Ok(Some((thread, earlier))),
        Ok(_) | Err(_) => Ok(None),
    }
}
