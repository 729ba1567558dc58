//! Put a thread away. Asking twice does no harm.

use super::{Input, moved};
use crate::tools::{Access, Contract, Cx, Tool, ToolError, views::action::ActionView};

pub struct ArchiveThread;

impl Tool for ArchiveThread {
    const NAME: &'static str = "codex_archive_thread";
    const ABOUT: &'static str =
        "Put a thread away: it is no longer listed and takes no messages until codex_unarchive_thread. Only while nobody works on it.";
    const ACCESS: Access = Access::Submit;
    const CONTRACT: Contract = Contract { group: "stable", role: "lifecycle", next_tools: &["codex_get_operation_status"], bare: false };
    const INPUT: &'static str = include_str!("archive.input.json");
    type Input = Input;
    type Output = ActionView;

    async fn call(cx: &Cx, input: Input) -> Result<ActionView, ToolError> {
        moved(cx, "archive_thread", input).await
    }
}
