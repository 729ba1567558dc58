//! What is taken of each limit, by whom, and the paths that writers hold. Computed from states, of the daemon that runs
//! the work; nothing here is stored.

use crate::{
    projects::Policy,
    store::tables::operations::{self, OperationRow},
    tools::{
        Access, Contract, Cx, Tool, ToolError,
        views::{operation as view, when},
    },
};
use common::{
    agent_safe,
    ids::*,
    safe::{PathRef, Redactor, SafeText},
};
use domain::advice;
use serde::Deserialize;
use std::{collections::BTreeMap, path::Path};

pub struct ConcurrencyStatus;

#[derive(Deserialize)]
pub struct Input {
    include_locks: bool,
    limit: usize,
}

agent_safe! {
    pub struct Output {
        pub execution_mode: &'static str,
        pub limits: Limits,
        pub active_turn_count: usize,
        pub active_operations: Vec<Active>,
        pub counts: Counts,
        pub resource_locks: Vec<Lock>,
        pub resource_lock_count: usize,
        pub next_recommended_action: &'static str,
        pub recommended_poll_after_seconds: u32,
        pub poll_recommended: bool,
    }

    pub struct Limits {
        pub max_active_turns_global: usize,
        pub max_active_turns_per_project: usize,
        pub max_active_turns_per_agent: usize,
        pub max_active_turns_per_thread: usize,
        pub max_active_write_turns_per_project: usize,
        pub max_app_server_pending_requests: usize,
    }

    pub struct Active {
        pub operation_id: OperationId,
        pub operation_type: &'static str,
        pub status: &'static str,
        pub project_id: ProjectId,
        pub cwd_key: PathRef,
        pub thread_id: Option<ThreadId>,
        pub turn_id: Option<TurnId>,
        pub agent_id: Option<SafeText>,
        pub resource_keys: Vec<SafeText>,
    }

    pub struct Counts {
        pub global: usize,
        pub per_project: BTreeMap<ProjectId, usize>,
        pub per_agent: BTreeMap<SafeText, usize>,
        pub per_thread: BTreeMap<ThreadId, usize>,
    }

    /// Held as long as its operation is at work, so it has no end of its own.
    pub struct Lock {
        pub lock_key: PathRef,
        pub lock_mode: &'static str,
        pub operation_id: OperationId,
        pub thread_id: Option<ThreadId>,
        pub project_id: ProjectId,
        pub planned: bool,
        pub created_at: SafeText,
        pub expires_at: Option<SafeText>,
    }
}

impl Tool for ConcurrencyStatus {
    const NAME: &'static str = "codex_get_concurrency_status";
    const ABOUT: &'static str =
        "The limits on turns at once, what is taken of them and by whom, and the paths that writers hold. Reads only.";
    const ACCESS: Access = Access::Read;
    const CONTRACT: Contract = Contract {
        group: "stable",
        role: "poll_status",
        next_tools: &["codex_get_queue_status", "codex_get_operation_status"],
        bare: true,
    };
    const INPUT: &'static str = include_str!("concurrency_status.input.json");
    type Input = Input;
    type Output = Output;

    async fn call(cx: &Cx, input: Input) -> Result<Output, ToolError> {
        let active = cx.reader.read(|tx| operations::active(tx)).await?;
        let limits = cx.config.limits;
        let locks: Vec<Lock> = active.iter().flat_map(|row| locks(row, &cx.policy)).collect();
        let lock_count = locks.len();
        Ok(Output {
            execution_mode: "inline",
            limits: Limits {
                max_active_turns_global: limits.turns_active_max,
                max_active_turns_per_project: limits.turns_per_project_max,
                max_active_turns_per_agent: limits.turns_per_agent_max,
                max_active_turns_per_thread: 1,
                max_active_write_turns_per_project: 1,
                max_app_server_pending_requests: cx.config.requests_in_flight_max,
            },
            active_turn_count: active.len(),
            counts: counts(&active),
            active_operations: active.iter().take(input.limit).map(|row| of(row, &cx.policy)).collect(),
            resource_locks: if input.include_locks { locks.into_iter().take(input.limit).collect() } else { Vec::new() },
            resource_lock_count: lock_count,
            next_recommended_action: "none",
            recommended_poll_after_seconds: 0,
            poll_recommended: false,
        })
    }
}

fn of(row: &OperationRow, policy: &Policy) -> Active {
    Active {
        operation_id: row.id.clone(),
        operation_type: row.spec.operation_type.word(),
        status: advice::operation(&row.state, None, None).status,
        project_id: row.spec.project_id.clone(),
        cwd_key: policy.shown(&row.spec.cwd),
        thread_id: row.thread.clone(),
        turn_id: row.turn.clone(),
        agent_id: view::agent(row),
        resource_keys: row.spec.resource_keys.iter().map(|key| Redactor.text(key)).collect(),
    }
}

fn counts(active: &[OperationRow]) -> Counts {
    fn count<K: Ord>(keys: impl Iterator<Item = K>) -> BTreeMap<K, usize> {
        keys.fold(BTreeMap::new(), |mut counts, key| {
            *counts.entry(key).or_default() += 1;
            counts
        })
    }
    Counts {
        global: active.len(),
        per_project: count(active.iter().map(|row| row.spec.project_id.clone())),
        per_agent: count(active.iter().filter_map(view::agent)),
        per_thread: count(active.iter().filter_map(|row| row.thread.clone())),
    }
}

fn locks<'a>(row: &'a OperationRow, policy: &'a Policy) -> impl Iterator<Item = Lock> + 'a {
    row.spec.writes.iter().map(|path| Lock {
        lock_key: policy.shown(Path::new(path.as_str())),
        lock_mode: "write",
        operation_id: row.id.clone(),
        thread_id: row.thread.clone(),
        project_id: row.spec.project_id.clone(),
        planned: row.turn.is_none(),
        created_at: when(row.started.unwrap_or(row.updated)),
        expires_at: None,
    })
}
