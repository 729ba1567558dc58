//! Accepting work: idempotency, the limit of live operations, the guard against the same prompt twice.
//! All of it in the transaction that inserts the row, so that two racing calls cannot both win.

use super::{
    apply::{Apply, about},
    cause::{EngineError, NewOperation, Submitted},
};
use crate::store::{
    StoreError,
    tables::{
        firsts,
        operations::{self, OperationRow, OperationType},
        pauses, schedule,
    },
};
use common::{
    agent_safe,
    error::ErrorCode,
    ids::OperationId,
    safe::{Redactor, SafeMap, SafeText},
};
use domain::{
    advice,
    operation::{Asks, Event, Operation, Outcome},
    schedule::Turns,
};

agent_safe! {
    /// Body of `operation.accepted`.
    struct Accepted { operation_type: &'static str, prompt_chars: i64 }
}

impl Apply<'_> {
    pub(super) fn submit(&self, new: NewOperation) -> Result<Submitted, EngineError> {
        if let Some(earlier) = operations::by_request_key(self.tx, &new.request_key)? {
            return same_request(&earlier, &new);
        }
        if operations::is_full(self.tx, self.rules.operations_live_max)? {
            return Err(EngineError::Rejected {
                code: ErrorCode::Busy,
                message: Redactor.text(&format!(
                    "could not accept the task: {} operations are waiting or at work, as many as limits.operations_live_max allows; \
                     wait for some to end, or raise it",
                    self.rules.operations_live_max
                )),
                details: SafeMap::default().with("limit", self.rules.operations_live_max),
            });
        }
        if new.guard_duplicates {
            self.refuse_duplicate(&new)?;
        }
        self.refuse_steer(&new)?;
        self.refuse_in_use(&new)?;
        let waits_for = self.firsts(&new)?;
        let waits = !waits_for.is_empty() || new.spec.not_before.is_some_and(|at| at > self.now);
        let row = self.insert(new)?;
        for first in waits_for {
            firsts::insert(self.tx, &row.id, &first)?;
        }
        self.event(
            "operation.accepted",
            &about(&row),
            &Accepted { operation_type: row.spec.operation_type.word(), prompt_chars: row.prompt_chars },
        )?;
        let id = row.id.clone();
        // What starts no turn takes no slot and holds no lock, so it need not wait for any.
        let at_once = match row.asks() {
            Asks::Thread => !waits && !pauses::all(self.tx)?.holds(&row.project_key),
            Asks::Move(_) => true,
            Asks::Turn => row.spec.is_steer(),
        };
        if at_once {
            self.step(row, Event::Granted)?;
        }
        self.may_grant();
        Ok(Submitted { operation: id, idempotent: false })
    }

    fn insert(&self, new: NewOperation) -> Result<OperationRow, StoreError> {
        let thread = new.spec.target.thread().cloned();

        let row = OperationRow {
            id: new.id,
            accepted: operations::next_accepted(self.tx)?,
            request_key: new.request_key,
            request_digest: new.request_digest,
            state: Operation::accepted(new.spec.target.clone(), self.now),
            spec: new.spec,
            prompt_chars: i64::try_from(new.prompt.chars()).unwrap_or(i64::MAX),
            prompt: Some(new.prompt),
            prompt_digest: new.prompt_digest,
            prompt_form: new.prompt_form,
            project_key: new.project_key,
            client_message: new.client_message,
            thread,
            turn: None,
            generation: None,
            after: None,
            attempts: 0,
            created: self.now,
            updated: self.now,
            started: None,
            ended: None,
            cleared: None,
            report_hash: None,
        };
        let turns = match row.spec.is_steer() {
            true => Turns::default(),
            false => schedule::next_turns(self.tx, &row.spec, &row.project_key)?,
        };
        operations::insert(self.tx, &row, turns)?;
        Ok(row)
    }

    /// A thread is put away, taken out, shortened or reviewed on only while nobody works on it or is about to (BEHAVIOUR 13,
    /// 16).
    fn refuse_in_use(&self, new: &NewOperation) -> Result<(), EngineError> {
        let alone = match new.spec.operation_type {
            OperationType::ArchiveThread | OperationType::UnarchiveThread | OperationType::CompactThread | OperationType::ReviewStart => {
                true
            }
            OperationType::StartChat
            | OperationType::SendMessage
            | OperationType::ExecutePlan
            | OperationType::ForkThread
            | OperationType::SteerTurn => false,
        };
        // A review beside a thread looks at what that thread does.
        let source = new.spec.review.as_ref().and_then(|review| review.source.as_ref());
        match new.spec.target.thread().or(source) {
            Some(thread) if alone && operations::is_in_use(self.tx, thread)? => Err(EngineError::Rejected {
                code: ErrorCode::Busy,
                message: SafeText::fixed("the thread is in use: work on it is queued or running; wait for it to end, or interrupt it"),
                details: SafeMap::default().with("threadId", thread.clone()),
            }),
            _ => Ok(()),
        }
    }

    /// Those that have not completed yet. All exist, so nobody waits in a circle.
    fn firsts(&self, new: &NewOperation) -> Result<Vec<OperationId>, EngineError> {
        let mut waits_for = Vec::new();
        for id in &new.firsts {
            let refused = |why: &str| EngineError::Rejected {
                code: ErrorCode::InvalidArgument,
                message: Redactor.text(&format!("argument depends_on: {why}; name operations that exist and may still complete")),
                details: SafeMap::default().with("operationId", id.clone()),
            };
            match operations::by_id(self.tx, id)?.map(|row| row.state) {
                None => return Err(refused("there is no such operation")),
                Some(Operation::Ended { outcome: Outcome::Completed, .. }) => {}
                Some(Operation::Ended { .. }) => return Err(refused("it ended without success")),
                Some(_) => waits_for.push(id.clone()),
            }
        }
        Ok(waits_for)
    }

    /// BEHAVIOUR 8, by exact normal form. Disjoint resource keys make two tasks of one text.
    fn refuse_duplicate(&self, new: &NewOperation) -> Result<(), EngineError> {
        for other in operations::live_with_prompt(self.tx, &new.project_key, &new.prompt_form)? {
            let overlap = overlap(&new.spec.resource_keys, &other.spec.resource_keys);
            if overlap == Overlap::Disjoint {
                continue;
            }
            let details = SafeMap::default()
                .with("existingOperationId", other.id.clone())
                .with("existingChatId", other.thread.clone())
                .with("existingThreadId", other.thread.clone())
                .with("existingTurnId", other.turn.clone())
                .with("existingStatus", advice::operation(&other.state, None, None).status)
                .with("similarity", 1.0)
                .with(
                    "dedupDecision",
                    SafeMap::default().with("reason", overlap.word()).with("resourceKeysCompared", overlap == Overlap::Common),
                )
                .with("nextRecommendedAction", "poll_existing_turn");
            return Err(EngineError::Rejected {
                code: ErrorCode::DuplicatePromptActive,
                message: Redactor.text(&format!(
                    "could not accept the task: operation {} already has this prompt at work in this project; wait for it, or say dedup_policy \"idempotency_only\"",
                    other.id.short()
                )),
                details,
            });
        }
        Ok(())
    }
}

fn same_request(earlier: &OperationRow, new: &NewOperation) -> Result<Submitted, EngineError> {
    if earlier.request_digest == new.request_digest {
        return Ok(Submitted { operation: earlier.id.clone(), idempotent: true });
    }
    Err(EngineError::Rejected {
        code: ErrorCode::IdempotencyConflict,
        message: SafeText::fixed(
            "could not accept the task: this client_request_id was used before with other arguments; use a new one for new work",
        ),
        details: SafeMap::default().with("existingOperationId", earlier.id.clone()),
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Overlap {
    Disjoint,
    Common,
    /// At least one of the two named none.
    Missing,
}

impl Overlap {
    fn word(self) -> &'static str {
        match self {
            Overlap::Disjoint => "disjoint_resource_keys",
            Overlap::Common => "overlapping_resource_keys",
            Overlap::Missing => "missing_resource_keys",
        }
    }
}

fn overlap(a: &[String], b: &[String]) -> Overlap {
    if a.is_empty() || b.is_empty() {
        return Overlap::Missing;
    }
    let common = a.iter().any(|x| b.iter().any(|y| x.to_lowercase() == y.to_lowercase()));
    if common { Overlap::Common } else { Overlap::Disjoint }
}
