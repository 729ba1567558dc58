//! The queue: what waits, what runs, and why the rest does not. Computed from states, filtered before it is cut.

use crate::{
    projects::Policy,
    store::tables::{
        operations::{self, OperationRow},
        pauses, schedule as live,
    },
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
use domain::{
    advice,
    schedule::{self, Blocked},
};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

pub struct QueueStatus;

#[derive(Deserialize)]
pub struct Input {
    status: Option<String>,
    limit: usize,
}

agent_safe! {
    pub struct Output {
        pub execution_mode: &'static str,
        pub count: usize,
        /// There are more than are listed; queue_summary counts all, and a limit above 100 lists as many.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub has_more: Option<bool>,
        pub queue_summary: Summary,
        pub queued_operations: Vec<Entry>,
        pub running_operations: Vec<Entry>,
        pub auxiliary_operations: Vec<Entry>,
        pub blocked_by_locks: Vec<Entry>,
        pub paused: Paused,
        pub queue_reasons: BTreeMap<&'static str, usize>,
        pub operations: Vec<Entry>,
        pub next_recommended_action: &'static str,
        pub recommended_poll_after_seconds: u32,
        pub poll_recommended: bool,
    }

    /// Where nothing new starts until somebody resumes it (`codexcp queue resume`).
    pub struct Paused { pub everywhere: bool, pub projects: Vec<PathRef> }

    pub struct Summary { pub queued: usize, pub running_turn_operations: usize, pub auxiliary_operations: usize, pub active_turn_slots: usize, pub blocked_by_locks: usize }

    pub struct Entry {
        pub operation_id: OperationId,
        pub operation_type: &'static str,
        pub operation_status: &'static str,
        pub queue_status: &'static str,
        pub holds_slot: bool,
        pub queued_reason: Option<&'static str>,
        pub position: Option<usize>,
        pub blocked_by: Option<OperationId>,
        pub priority: &'static str,
        pub estimated_cost_class: &'static str,
        pub agent_id: Option<SafeText>,
        pub resource_keys: Vec<SafeText>,
        pub thread_id: Option<ThreadId>,
        pub turn_id: Option<TurnId>,
        pub project_id: ProjectId,
        pub cwd_key: PathRef,
        pub updated_at: SafeText,
    }
}

/// Entries of a list that nobody asked to be longer than usual: each operation is in two lists, and clients refuse answers of
/// some 25 000 tokens (FAULTS C31). Above the usual limit there are as many as were asked for.
const USUAL_LIMIT: usize = 100;
const USUAL_MAX: usize = 50;

/// Ended operations are looked for among this many newest.
const ENDED_MAX: u32 = 1_000;

impl Tool for QueueStatus {
    const NAME: &'static str = "codex_get_queue_status";
    const ABOUT: &'static str = "What is queued and what runs, in order, with the reason why something waits and for whom. Reads only.";
    const ACCESS: Access = Access::Read;
    const CONTRACT: Contract =
        Contract { group: "stable", role: "poll_status", next_tools: &["codex_wait", "codex_get_operation_status"], bare: true };
    const INPUT: &'static str = include_str!("queue_status.input.json");
    type Input = Input;
    type Output = Output;

    async fn call(cx: &Cx, input: Input) -> Result<Output, ToolError> {
        let ended_wanted = matches!(input.status.as_deref(), Some("completed" | "failed"));
        let read = cx.reader.read(move |tx| {
            let rows = if ended_wanted { operations::listed(tx, false, ENDED_MAX)? } else { operations::listed(tx, true, u32::MAX)? };
            Ok((rows, live::live(tx)?, pauses::all(tx)?))
        });
        let (rows, live, paused) = read.await?;
        let plan = schedule::plan(&live, cx.config.limits, &paused, cx.engine.clock.now());
        let places: HashMap<OperationId, (usize, Option<Blocked>)> =
            plan.into_iter().enumerate().map(|(n, (id, blocked))| (id, (n + 1, blocked))).collect();
        let mut all: Vec<Entry> = rows.iter().map(|row| entry(row, places.get(&row.id), &cx.policy)).collect();
        all.sort_by_key(|one| (one.position.is_some(), one.position));
        let paused =
            Paused { everywhere: paused.all, projects: paused.projects.iter().map(|key| cx.policy.shown(Path::new(key))).collect() };
        Ok(Output { paused, ..output(all, &input) })
    }
}

fn output(all: Vec<Entry>, input: &Input) -> Output {
    let queued: Vec<Entry> = all.iter().filter(|one| one.queue_status == "queued").cloned().collect();
    let at_work = |slot: bool| all.iter().filter(move |one| matches!(one.queue_status, "running" | "scheduled") && one.holds_slot == slot);
    let running: Vec<Entry> = at_work(true).cloned().collect();
    let auxiliary: Vec<Entry> = at_work(false).cloned().collect();
    let mut reasons = BTreeMap::new();
    for reason in queued.iter().filter_map(|one| one.queued_reason) {
        *reasons.entry(reason).or_default() += 1;
    }
    let wanted = |one: &Entry| match input.status.as_deref() {
        Some("blocked") => one.blocked_by.is_some(),
        Some(status) => one.queue_status == status,
        None => true,
    };
    let by_locks: Vec<Entry> = queued.iter().filter(|one| one.queued_reason == Some("resource_lock_conflict")).cloned().collect();
    let next = if queued.is_empty() {
        "none"
    } else if !by_locks.is_empty() {
        "wait_for_resource_lock"
    } else if reasons.keys().any(|reason| reason.ends_with("_slot_limit")) {
        "wait_for_worker_slot"
    } else {
        "poll_queue"
    };
    let limit = if input.limit > USUAL_LIMIT { input.limit } else { input.limit.min(USUAL_MAX) };
    let wanted_count = all.iter().filter(|one| wanted(one)).count();
    let operations: Vec<Entry> = all.into_iter().filter(|one| wanted(one)).take(limit).collect();
    let cut = |mut some: Vec<Entry>| {
        some.truncate(limit);
        some
    };
    Output {
        execution_mode: "inline",
        count: operations.len(),
        has_more: (wanted_count > operations.len()).then_some(true),
        queue_summary: Summary {
            queued: queued.len(),
            running_turn_operations: running.len(),
            auxiliary_operations: auxiliary.len(),
            active_turn_slots: running.len(),
            blocked_by_locks: by_locks.len(),
        },
        queued_operations: cut(queued),
        running_operations: cut(running),
        auxiliary_operations: cut(auxiliary),
        blocked_by_locks: cut(by_locks),
        paused: Paused { everywhere: false, projects: Vec::new() },
        queue_reasons: reasons,
        operations,
        next_recommended_action: next,
        recommended_poll_after_seconds: if next == "none" { 0 } else { 10 },
        poll_recommended: next != "none",
    }
}

fn entry(row: &OperationRow, place: Option<&(usize, Option<Blocked>)>, policy: &Policy) -> Entry {
    let blocked = place.and_then(|(_, blocked)| blocked.as_ref());
    let advice = advice::operation(&row.state, None, blocked);
    Entry {
        operation_id: row.id.clone(),
        operation_type: row.spec.operation_type.word(),
        operation_status: advice.status,
        queue_status: view::queue_status(&row.state, advice.status),
        holds_slot: row.state.holds_slot(),
        queued_reason: advice::queued_reason(&row.state, blocked),
        position: place.map(|(place, _)| *place),
        blocked_by: advice::blocked_by(blocked).cloned(),
        priority: view::priority_word(row.spec.priority),
        estimated_cost_class: row.spec.cost.word(),
        agent_id: view::agent(row),
        resource_keys: row.spec.resource_keys.iter().map(|key| Redactor.text(key)).collect(),
        thread_id: row.thread.clone(),
        turn_id: row.turn.clone(),
        project_id: row.spec.project_id.clone(),
        cwd_key: policy.shown(&row.spec.cwd),
        updated_at: when(row.updated),
    }
}
