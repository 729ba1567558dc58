//! Take an archived thread out again. Asking twice does no harm.

use super::{Input, moved};
use crate::tools::{Access, Contract, Cx, Tool, ToolError, views::action::ActionView};

pub struct UnarchiveThread;

impl Tool for UnarchiveThread {
    const NAME: &'static str = "codex_unarchive_thread";
    const ABOUT: &'static str = "Take an archived thread out again, so that it can go on.";
    const ACCESS: Access = Access::Submit;
    const CONTRACT: Contract = Contract { group: "stable", role: "lifecycle", next_tools: &["codex_get_operation_status"], bare: false };
    const INPUT: &'static str = include_str!("unarchive.input.json");
    type Input = Input;
    type Output = ActionView;

    async fn call(cx: &Cx, input: Input) -> Result<ActionView, ToolError> {
        moved(cx, "unarchive_thread", input).await
    }
}
