//! Who runs the work: this daemon. There are no workers of their own any more; callers of the contract may still ask.

use crate::{
    appserver::process,
    store::tables::{app_server, operations},
    tools::{Access, Contract, Cx, Tool, ToolError, views::when},
};
use common::{agent_safe, ids::Generation, safe::SafeText, time::Timestamp};
use serde::Deserialize;

pub struct WorkerStatus;

#[derive(Deserialize)]
pub struct Input {}

agent_safe! {
    pub struct Output {
        pub execution_mode: &'static str,
        pub worker_owner: &'static str,
        pub workers: Vec<Worker>,
        /// Control tools answer directly: there are no commands to look back at.
        pub recent_commands: Vec<SafeText>,
        pub next_recommended_action: &'static str,
        pub recommended_poll_after_seconds: u32,
        pub poll_recommended: bool,
    }

    pub struct Worker {
        pub worker_id: &'static str,
        pub role: &'static str,
        pub status: &'static str,
        pub effective_status: &'static str,
        pub pid: u32,
        pub started_at: Option<SafeText>,
        pub last_heartbeat_at: SafeText,
        pub staleness_seconds: u32,
        pub active_operation_count: usize,
        pub active_turn_count: usize,
        pub app_server_generation: Generation,
    }
}

impl Tool for WorkerStatus {
    const NAME: &'static str = "codex_get_worker_status";
    const ABOUT: &'static str = "Who runs the work: this daemon, and how much it has in hand. Reads only.";
    const ACCESS: Access = Access::Read;
    const CONTRACT: Contract = Contract {
        group: "stable",
        role: "poll_status",
        next_tools: &["codex_get_queue_status", "codex_get_concurrency_status", "codex_get_app_server_status"],
        bare: true,
    };
    const INPUT: &'static str = include_str!("worker_status.input.json");
    type Input = Input;
    type Output = Output;

    async fn call(cx: &Cx, _: Input) -> Result<Output, ToolError> {
        let (active, server) = cx.reader.read(|tx| Ok((operations::active(tx)?, app_server::get(tx)?))).await?;
        let pid = std::process::id();
        let started = process::started_s(pid).and_then(|at| i64::try_from(at).ok()).map(|at| Timestamp(at * 1_000));
        Ok(Output {
            execution_mode: "inline",
            worker_owner: "daemon",
            workers: vec![Worker {
                worker_id: "daemon",
                role: "worker",
                status: "running",
                effective_status: "running",
                pid,
                started_at: started.map(when),
                last_heartbeat_at: when(cx.engine.clock.now()),
                staleness_seconds: 0,
                active_operation_count: active.len(),
                active_turn_count: active.iter().filter(|row| row.state.turn().is_some()).count(),
                app_server_generation: server.generation,
            }],
            recent_commands: Vec::new(),
            next_recommended_action: "none",
            recommended_poll_after_seconds: 10,
            poll_recommended: false,
        })
    }
}
