//! What a fork is made of, checked. Its settings may not open what the policy of this installation keeps shut.

use super::submit::Input;
use crate::{
    store::tables::operations::{Fork, OperationType},
    tools::ToolError,
};
use common::{ids::ThreadId, safe::Redactor};

/// Settings of a thread that are no matter of policy, by the start of their names.
const SETTINGS: &[&str] = &["model", "personality", "tools.web_search", "web_search", "developer_instructions", "base_instructions"];

pub(super) fn fork(input: &Input, operation_type: OperationType) -> Result<Option<Fork>, ToolError> {
    if operation_type != OperationType::ForkThread {
        return Ok(None);
    }
    let config = input.fork_config.clone().filter(|config| !config.is_null());
    for name in config.as_ref().and_then(|config| config.as_object()).into_iter().flatten().map(|(name, _)| name) {
        if !SETTINGS.iter().any(|known| name.starts_with(known)) {
            let sentence =
                "argument fork_config: this setting is not taken here; name sandbox and approval_policy as arguments of their own";
            return Err(ToolError::invalid(sentence).with("setting", Redactor.text(name)));
        }
    }
    Ok(Some(Fork { source: source(input)?, config }))
}

pub(super) fn source(input: &Input) -> Result<ThreadId, ToolError> {
    let source = input.source_thread_id.as_deref().map(str::trim).filter(|id| !id.is_empty());
    let missing = || ToolError::invalid("argument source_thread_id: fork_thread needs the thread to copy");
    source.map(ThreadId::new).ok_or_else(missing)
}
