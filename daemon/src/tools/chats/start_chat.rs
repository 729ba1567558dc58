//! A new chat, for callers of older versions: a `start_chat` operation, and a wait for its turn.

use super::direct::{self, FirstWanted, Output};
use crate::tools::{Access, Contract, Cx, Tool, ToolError, work::submit};
use serde::Deserialize;

pub struct StartChat;

#[derive(Deserialize)]
pub struct Input {
    project_id: String,
    message: String,
    title: Option<String>,
    cwd: Option<String>,
    model: Option<String>,
    sandbox: Option<String>,
    approval_policy: Option<String>,
    collaboration_mode: Option<String>,
    timeout_seconds: Option<i64>,
    first_message_timeout_seconds: u64,
    first_message_max_chars: usize,
    /// Added by the table: digest of the arguments as given.
    request_digest: String,
}

impl Tool for StartChat {
    const NAME: &'static str = "codex_start_chat";
    const ABOUT: &'static str = "Start a chat in a project and answer once its turn is under way. For new automation use \
        codex_submit_task: it can be repeated safely and never waits.";
    const ACCESS: Access = Access::Submit;
    const CONTRACT: Contract = Contract {
        group: "compatibility",
        role: "compatibility",
        next_tools: &["codex_submit_task", "codex_get_operation_status"],
        bare: false,
    };
    const INPUT: &'static str = include_str!("start_chat.input.json");
    type Input = Input;
    type Output = Output;

    async fn call(cx: &Cx, input: Input) -> Result<Output, ToolError> {
        let first = FirstWanted { seconds: input.first_message_timeout_seconds, chars_max: input.first_message_max_chars };
        let work = submit::Input {
            operation_type: "start_chat".to_owned(),
            project_id: Some(input.project_id),
            message: Some(input.message),
            title: input.title,
            cwd: input.cwd,
            model: input.model,
            sandbox: input.sandbox,
            approval_policy: input.approval_policy,
            collaboration_mode: input.collaboration_mode,
            timeout_seconds: input.timeout_seconds,
            request_digest: input.request_digest,
            ..submit::Input::default()
        };
        direct::run(cx, work, first).await
    }
}
