//! What a fork is made of, checked. Its settings may not open what the policy of this installation keeps shut.

use super::submit::Input;
use crate::{
    store::tables::operations::{Fork, OperationType},
    tools::ToolError,
};
use common::{ids::ThreadId, safe::Redactor};

/// A closed list (ARCHITECTURE 21.20): what only says how the model answers. A provider, a file or a program of its own
/// would run and send beside every bound.
const SETTINGS: &[&str] =
    &["model", "model_reasoning_effort", "model_reasoning_summary", "model_verbosity", "personality", "developer_instructions"];

pub(super) fn fork(input: &Input, operation_type: OperationType) -> Result<Option<Fork>, ToolError> {
    if operation_type != OperationType::ForkThread {
        return Ok(None);
    }
    let config = input.fork_config.clone().filter(|config| !config.is_null());
    for (name, value) in config.as_ref().and_then(|config| config.as_object()).into_iter().flatten() {
        if !SETTINGS.contains(&name.as_str()) || !value.is_string() {
            let sentence =
                "argument fork_config: this setting is not taken here; name sandbox and approval_policy as arguments of their own";
            return Err(ToolError::invalid(sentence).with("setting", Redactor.text(name)));
        }
    }
    Ok(Some(Fork { source: source(input)?, config, ephemeral: input.ephemeral }))
}

pub(super) fn source(input: &Input) -> Result<ThreadId, ToolError> {
    let source = input.source_thread_id.as_deref().map(str::trim).filter(|id| !id.is_empty());
    let missing = || ToolError::invalid("argument source_thread_id: fork_thread needs the thread to copy");
    source.map(ThreadId::new).ok_or_else(missing)
}
