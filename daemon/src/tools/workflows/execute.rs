//! The older name of an approval (BEHAVIOUR 12.5); with a chat it runs what was planned there.

use super::approve;
use crate::tools::{
    Access, Contract, Cx, Tool, ToolError,
    chats::direct::{self, FirstWanted, Output},
    work::submit,
};
use serde::Deserialize;

pub struct ExecutePlan;

#[derive(Deserialize)]
pub struct Input {
    workflow_id: Option<String>,
    chat_id: Option<String>,
    client_request_id: Option<String>,
    message: Option<String>,
    output_schema: Option<serde_json::Value>,
    force: bool,
    approval_policy: Option<String>,
    sandbox: Option<String>,
    timeout_seconds: Option<i64>,
    first_message_timeout_seconds: u64,
    first_message_max_chars: usize,
    /// Added by the table: digest of the arguments as given.
    request_digest: String,
}

impl Tool for ExecutePlan {
    const NAME: &'static str = "codex_execute_plan";
    const ABOUT: &'static str = "Execute a plan and answer once its turn is under way: that of a workflow (as codex_approve_plan) or of a chat. \
        For new automation use codex_approve_plan.";
    const ACCESS: Access = Access::Submit;
    const CONTRACT: Contract = Contract {
        group: "compatibility",
        role: "compatibility",
        next_tools: &["codex_approve_plan", "codex_get_workflow_status", "codex_submit_task"],
        bare: false,
    };
    const INPUT: &'static str = include_str!("execute.input.json");
    type Input = Input;
    type Output = Output;

    async fn call(cx: &Cx, input: Input) -> Result<Output, ToolError> {
        let first = FirstWanted { seconds: input.first_message_timeout_seconds, chars_max: input.first_message_max_chars };
        let work = submit::Input {
            operation_type: "execute_plan".to_owned(),
            chat_id: input.chat_id,
            client_request_id: input.client_request_id,
            message: input.message,
            output_schema: input.output_schema,
            sandbox: input.sandbox,
            approval_policy: input.approval_policy,
            timeout_seconds: input.timeout_seconds,
            request_digest: input.request_digest,
            ..submit::Input::default()
        };
        match input.workflow_id.as_deref().map(str::trim).filter(|id| !id.is_empty()) {
            Some(workflow) if !input.force => {
                let (execution, _) = approve::hand_in(cx, workflow, None, &work).await?;
                direct::follow(cx, execution, first).await
            }
            // Whatever the workflow thinks of its plan: on its thread, and not as its step.
            Some(workflow) => {
                let (_, planning) = super::existing(cx, workflow).await?;
                let chat_id = planning.thread.map(|thread| thread.as_str().to_owned());
                direct::run(cx, submit::Input { chat_id, ..work }, first).await
            }
            None => direct::run(cx, work, first).await,
        }
    }
}
