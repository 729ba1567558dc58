//! More on a chat, for callers of older versions: a `send_message` operation, and a wait for its turn.

use super::direct::{self, FirstWanted, Output};
use crate::tools::{Access, Contract, Cx, Tool, ToolError, work::submit};
use serde::Deserialize;

pub struct SendMessage;

/// `mode` never had an effect; it is taken and left alone.
#[derive(Deserialize)]
pub struct Input {
    chat_id: String,
    message: String,
    approval_policy: Option<String>,
    collaboration_mode: Option<String>,
    sandbox: Option<String>,
    timeout_seconds: Option<i64>,
    first_message_timeout_seconds: u64,
    first_message_max_chars: usize,
    /// Added by the table: digest of the arguments as given.
    request_digest: String,
}

impl Tool for SendMessage {
    const NAME: &'static str = "codex_send_message";
    const ABOUT: &'static str = "Say more on a chat and answer once its turn is under way. For new automation use \
        codex_submit_task: it can be repeated safely and never waits.";
    const ACCESS: Access = Access::Submit;
    const CONTRACT: Contract = Contract {
        group: "compatibility",
        role: "compatibility",
        next_tools: &["codex_submit_task", "codex_get_operation_status"],
        bare: false,
    };
    const INPUT: &'static str = include_str!("send_message.input.json");
    type Input = Input;
    type Output = Output;

    async fn call(cx: &Cx, input: Input) -> Result<Output, ToolError> {
        let first = FirstWanted { seconds: input.first_message_timeout_seconds, chars_max: input.first_message_max_chars };
        let work = submit::Input {
            operation_type: "send_message".to_owned(),
            chat_id: Some(input.chat_id),
            message: Some(input.message),
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
