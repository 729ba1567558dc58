//! How an action on a thread stands. Reads only.

use super::read;
use crate::tools::{
    Access, Contract, Cx, Tool, ToolError,
    views::action::{self, ActionView},
};
use serde::Deserialize;

pub struct CompactionStatus;

const EVENTS_MAX: u32 = 50;

#[derive(Deserialize)]
pub struct Input {
    action_id: String,
    include_events: bool,
}

impl Tool for CompactionStatus {
    const NAME: &'static str = "codex_get_thread_compaction_status";
    const ABOUT: &'static str = "How the compaction, archiving or unarchiving of a thread stands, by its actionId. Reads only.";
    const ACCESS: Access = Access::Read;
    const CONTRACT: Contract = Contract { group: "stable", role: "poll_status", next_tools: &["codex_wait"], bare: false };
    const INPUT: &'static str = include_str!("compaction_status.input.json");
    type Input = Input;
    type Output = ActionView;

    async fn call(cx: &Cx, input: Input) -> Result<ActionView, ToolError> {
        let id = action::operation_of(input.action_id.trim())
            .ok_or_else(|| ToolError::invalid("argument action_id: not an action; name one that a thread tool answered with"))?;
        Ok(action::view(&read(cx, id, if input.include_events { EVENTS_MAX } else { 0 }).await?))
    }
}
