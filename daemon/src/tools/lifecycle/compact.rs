//! Have codex shorten what a thread has said so far: a turn of its own, which takes a slot and its time.

use super::{Input, hand_in, read};
use crate::tools::{
    Access, Contract, Cx, Tool, ToolError,
    views::action::{self, ActionView},
};

pub struct CompactThread;

impl Tool for CompactThread {
    const NAME: &'static str = "codex_start_thread_compaction";
    const ABOUT: &'static str = "Have codex sum up a long thread so that there is room to go on in it. Answers at once with an actionId; \
        follow it with codex_get_thread_compaction_status, or codex_wait for its operationId.";
    const ACCESS: Access = Access::Submit;
    const CONTRACT: Contract =
        Contract { group: "stable", role: "lifecycle", next_tools: &["codex_get_thread_compaction_status", "codex_wait"], bare: false };
    const INPUT: &'static str = include_str!("compact.input.json");
    type Input = Input;
    type Output = ActionView;

    async fn call(cx: &Cx, input: Input) -> Result<ActionView, ToolError> {
        let id = hand_in(cx, "compact_thread", input).await?;
        Ok(action::view(&read(cx, id, 0).await?))
    }
}
