//! A command that a worker was given. Control tools answer directly here, so there is none; callers of the contract are
//! told so.

use crate::tools::{Access, Contract, Cx, Tool, ToolError};
use common::{agent_safe, safe::Redactor, safe::SafeText};
use serde::Deserialize;

pub struct WorkerCommandStatus;

#[derive(Deserialize)]
pub struct Input {
    command_id: String,
}

agent_safe! {
    /// Known to callers of the contract; never answered, as there are no commands.
    pub struct Output {
        pub command_id: SafeText,
        pub command_type: SafeText,
        pub status: &'static str,
        pub command_timed_out: bool,
        pub result_available: bool,
        pub next_recommended_action: &'static str,
        pub poll_recommended: bool,
    }
}

impl Tool for WorkerCommandStatus {
    const NAME: &'static str = "codex_get_worker_command_status";
    const ABOUT: &'static str = "For callers of older versions: control tools answer directly, so no command is kept. Reads only.";
    const ACCESS: Access = Access::Read;
    const CONTRACT: Contract = Contract {
        group: "stable",
        role: "poll_status",
        next_tools: &["codex_get_operation_status", "codex_get_queue_status"],
        bare: true,
    };
    const INPUT: &'static str = include_str!("worker_command_status.input.json");
    type Input = Input;
    type Output = Output;

    async fn call(_: &Cx, input: Input) -> Result<Output, ToolError> {
        Err(ToolError::invalid("no worker command has this id: control tools answer directly, so their answer is all there is")
            .with("commandId", Redactor.text(&input.command_id)))
    }
}
