//! Workflows: started, revised, approved, and moved on in the commit that ends one of their operations. So there is
//! nothing to recover: after any crash a workflow stands where its operations stand.

use super::{
    apply::{Apply, about},
    cause::{Changed, EngineError, NewOperation, WorkflowChange},
};
use crate::store::{
    StoreError,
    tables::{
        events::About,
        messages,
        operations::{self, OperationRow},
        plans::{self, PlanRow},
        workflows::{self, WorkflowRow},
    },
};
use common::{
    agent_safe,
    error::ErrorCode,
    ids::*,
    safe::{Redactor, SafeMap, SafeText},
};
use domain::{
    operation::Outcome,
    workflow::{
        End, Event, Refused, Workflow,
        plan::{self, Quality, Source},
    },
};

agent_safe! {
    /// Body of `workflow.phase`.
    struct PhaseChanged { workflow_id: WorkflowId, phase: &'static str, plan_version: Option<u32>, reason: Option<SafeText> }
}

impl Apply<'_> {
    pub(super) fn workflow(&self, change: WorkflowChange) -> Result<Changed, EngineError> {
        match change {
            WorkflowChange::Start { id, request_key, request_digest, planning, goal } => {
                let started = self.start(id, request_key, request_digest, planning)?;
                if !started.idempotent {
                    self.goal_wanted(&started.workflow, goal)?;
                }
                Ok(started)
            }
            WorkflowChange::Revise { id, planning } => self.revise(&id, planning),
            WorkflowChange::Adopt { id, turn, hash } => self.adopt(&id, &turn, &hash),
            WorkflowChange::Approve { id, version, execution } => self.approve(&id, version, execution),
        }
    }

    fn start(&self, id: WorkflowId, request_key: RequestKey, digest: String, planning: NewOperation) -> Result<Changed, EngineError> {
        if let Some(earlier) = workflows::by_request_key(self.tx, &request_key)? {
            return same_request(&earlier, &digest);
        }
        let operation = self.submit(planning)?.operation;
        let row = WorkflowRow {
            id,
            request_key,
            request_digest: digest,
            state: Workflow::Planning { operation: operation.clone() },
            plan_operation: operation,
            execution: None,
            created: self.now,
            updated: self.now,
            ended: None,
        };
        self.keep(&row)?;
        Ok(Changed { workflow: row.id, idempotent: false })
    }

    /// The same comments twice are one revision: the operation's request key says so.
    fn revise(&self, id: &WorkflowId, planning: NewOperation) -> Result<Changed, EngineError> {
        let mut row = self.existing(id)?;
        if operations::by_request_key(self.tx, &planning.request_key)?.is_some() {
            // Which it is, and whether it was the same, is for the submit to say.
            self.submit(planning)?;
            return Ok(Changed { workflow: row.id, idempotent: true });
        }
        let next = row.state.clone().step(Event::ReviseAsked { operation: planning.id.clone() }).map_err(|no| rejected(no, &row))?;
        row.plan_operation = self.submit(planning)?.operation;
        row.state = next;
        self.keep(&row)?;
        Ok(Changed { workflow: row.id, idempotent: false })
    }

    /// Racing approvals come here one after the other: the second finds the execution of the first.
    fn approve(&self, id: &WorkflowId, version: Option<u32>, execution: NewOperation) -> Result<Changed, EngineError> {
        let mut row = self.existing(id)?;
        if row.state.has_begun_execution() {
            return Ok(Changed { workflow: row.id, idempotent: true });
        }
        if operations::by_id(self.tx, &row.plan_operation)?.is_some_and(|planning| planning.cleared.is_some()) {
            return Err(EngineError::rejected(
                ErrorCode::InvalidArgument,
                "could not approve the plan: its text was forgotten, so nobody can read what would be done; plan the task again",
            ));
        }
        let next = row.state.clone().step(Event::Approved { operation: execution.id.clone() }).map_err(|no| rejected(no, &row))?;
        if row.state.version() != version {
            return Err(EngineError::rejected(
                ErrorCode::InvalidArgument,
                "could not approve the plan: another one has taken its place meanwhile; read it with codex_get_workflow_status first",
            ));
        }
        let submitted = self.submit(execution)?;
        if submitted.idempotent {
            return Err(EngineError::Rejected {
                code: ErrorCode::IdempotencyConflict,
                message: SafeText::fixed("could not approve the plan: this client_request_id was used for other work; use a new one"),
                details: SafeMap::default().with("existingOperationId", submitted.operation),
            });
        }
        row.execution = Some(submitted.operation);
        row.state = next;
        self.keep(&row)?;
        Ok(Changed { workflow: row.id, idempotent: false })
    }

    fn adopt(&self, id: &WorkflowId, turn: &TurnId, hash: &str) -> Result<Changed, EngineError> {
        let mut row = self.existing(id)?;
        let no = |message: &'static str| EngineError::rejected(ErrorCode::InvalidArgument, message);
        let planning = operations::by_id(self.tx, &row.plan_operation)?;
        let plan = plans::of_turn(self.tx, turn)?.filter(|plan| plan.hash == hash);
        let plan =
            plan.ok_or_else(|| no("could not adopt the plan: the turn has none with this hash; see candidatePlans of the workflow"))?;
        if planning.and_then(|row| row.thread).as_ref() != Some(&plan.thread) {
            return Err(no("could not adopt the plan: it belongs to another thread; name one of candidatePlans"));
        }
        if plan.quality != Quality::ValidPlan {
            return Err(no("could not adopt the plan: it is not a valid one; name one of candidatePlans that is"));
        }
        if let Some((of, version)) = &plan.version {
            if of != id {
                return Err(no("could not adopt the plan: it belongs to another workflow; name one of candidatePlans"));
            }
            if row.state.version() == Some(*version) {
                return Ok(Changed { workflow: row.id, idempotent: true });
            }
        }
        // Asked first, so that a refusal leaves nothing behind.
        row.state.clone().step(Event::Adopted { version: 0 }).map_err(|no| rejected(no, &row))?;
        let version = plans::number(self.tx, &plan, id)?;
        row.state = Workflow::Planned { version, quality: Quality::ValidPlan };
        self.keep(&row)?;
        Ok(Changed { workflow: row.id, idempotent: false })
    }

    fn existing(&self, id: &WorkflowId) -> Result<WorkflowRow, EngineError> {
        workflows::by_id(self.tx, id)?.ok_or_else(|| {
            EngineError::rejected(ErrorCode::InvalidArgument, "Codex workflow was not found; name one that codex_start_plan_workflow made")
        })
    }

    /// One of its operations has ended: what it left decides.
    pub(super) fn workflow_moves(&self, operation: &OperationRow, outcome: &Outcome) -> Result<(), StoreError> {
        let Some(id) = &operation.spec.workflow else { return Ok(()) };
        let Some(mut row) = workflows::by_id(self.tx, id)? else { return Ok(()) };
        let planned = matches!(row.state, Workflow::Planning { .. }) && *outcome == Outcome::Completed;
        let left = if planned { self.plan_of(operation)? } else { None };
        // Also what is none of use: whoever decides what to say to it has to read it.
        let plan = left.map(|plan| Ok::<_, StoreError>((plans::number(self.tx, &plan, id)?, plan.quality))).transpose()?;
        match row.state.clone().step(Event::OperationEnded { operation: operation.id.clone(), outcome: outcome.clone(), plan }) {
            Ok(next) => {
                row.state = next;
                self.keep(&row)
            }
            Err(refused) => {
                tracing::debug!(workflow = %id, %refused, "event refused");
                Ok(())
            }
        }
    }

    /// What a planning turn left: its plan, else its last message.
    fn plan_of(&self, operation: &OperationRow) -> Result<Option<PlanRow>, StoreError> {
        let (Some(thread), Some(turn)) = (operation.thread.clone(), operation.turn.clone()) else { return Ok(None) };
        if let Some(plan) = plans::of_turn(self.tx, &turn)? {
            return Ok(Some(plan));
        }
        let Some(message) = messages::newest(self.tx, &turn, 1)?.pop() else { return Ok(None) };
        let text = plan::tagged(&message.text).map_or(message.text.clone(), str::to_owned);
        let quality = plan::quality(&message.text, Source::LastMessage);
        self.keep_plan_of(thread, turn.clone(), message.item, text, quality)?;
        plans::of_turn(self.tx, &turn)
    }

    pub(super) fn keep_plan(&self, thread: ThreadId, turn: TurnId, item: ItemId, text: String, source: Source) -> Result<(), StoreError> {
        let quality = plan::quality(&text, source);
        self.keep_plan_of(thread, turn, item, text, quality)
    }

    fn keep_plan_of(&self, thread: ThreadId, turn: TurnId, item: ItemId, text: String, quality: Quality) -> Result<(), StoreError> {
        let hash = blake3::hash(plan::normal_form(&text).as_bytes()).to_hex().to_string();
        plans::insert(self.tx, &PlanRow { turn, item, thread, text, hash, quality, version: None, at: self.now })
    }

    fn keep(&self, row: &WorkflowRow) -> Result<(), StoreError> {
        let ended = matches!(row.state, Workflow::Ended { .. }).then_some(self.now);
        if let Workflow::Ended { end, .. } = &row.state {
            self.goal_ends(&row.id, *end == End::Completed)?;
        }
        workflows::put(self.tx, &WorkflowRow { updated: self.now, ended, ..row.clone() })?;
        let operation = row.execution.as_ref().unwrap_or(&row.plan_operation);
        let at = operations::by_id(self.tx, operation)?.map(|row| about(&row));
        let body = PhaseChanged {
            workflow_id: row.id.clone(),
            phase: row.state.phase(),
            plan_version: row.state.version(),
            reason: row.state.why().cloned(),
        };
        self.event("workflow.phase", &at.unwrap_or_else(About::default), &body)
    }
}

fn same_request(earlier: &WorkflowRow, digest: &str) -> Result<Changed, EngineError> {
    if earlier.request_digest == digest {
        return Ok(Changed { workflow: earlier.id.clone(), idempotent: true });
    }
    Err(EngineError::Rejected {
        code: ErrorCode::IdempotencyConflict,
        message: SafeText::fixed(
            "could not start the workflow: this client_request_id was used before with other arguments; use a new one for new work",
        ),
        details: SafeMap::default().with("existingWorkflowId", earlier.id.clone()),
    })
}

fn rejected(no: Refused, row: &WorkflowRow) -> EngineError {
    let quality = match &row.state {
        Workflow::Planned { quality, .. } => Some(quality.word()),
        Workflow::Planning { .. } | Workflow::NotPlanned { .. } | Workflow::Executing { .. } | Workflow::Ended { .. } => None,
    };
    let details = SafeMap::default().with("workflowId", row.id.clone()).with("phase", row.state.phase()).with("planQuality", quality);
    EngineError::Rejected { code: ErrorCode::InvalidArgument, message: Redactor.text(&no.to_string()), details }
}
