//! Messages that go into a turn of another operation: accepted only for a turn that runs, and ended with it in the same
//! commit. They hold no slot, own no turn and start none.

use super::{
    apply::Apply,
    cause::{EngineError, NewOperation},
};
use crate::store::{
    StoreError,
    tables::{
        operations::{self, After, OperationRow, OperationType},
        turns::{self, TurnStatus},
    },
};
use common::{
    error::ErrorCode,
    ids::*,
    safe::{SafeMap, SafeText},
};
use domain::operation::{Event, Operation, Outcome};

impl Apply<'_> {
    /// BEHAVIOUR 7.8: a turn of ours, on that thread, and under way.
    pub(super) fn refuse_steer(&self, new: &NewOperation) -> Result<(), EngineError> {
        let Some(target) = new.spec.target_turn() else { return Ok(()) };
        let no = |code, message: &'static str| {
            let details = SafeMap::default().with("turnId", target.clone());
            Err(EngineError::Rejected { code, message: SafeText::fixed(message), details })
        };
        let Some(turn) = turns::by_id(self.tx, target)? else {
            return no(ErrorCode::TurnNotFound, "could not steer the turn: it is not known here; name the turnId of a running operation");
        };
        if Some(&turn.thread) != new.spec.target.thread() {
            return no(
                ErrorCode::InvalidArgument,
                "could not steer the turn: it belongs to another thread; name both from the same answer",
            );
        }
        if turn.status != TurnStatus::Running {
            return no(ErrorCode::InvalidArgument, "could not steer the turn: it has ended; continue the thread with send_message");
        }
        match operations::by_id(self.tx, &turn.operation)?.map(|row| row.spec.operation_type) {
            Some(OperationType::ReviewStart | OperationType::CompactThread) => no(
                ErrorCode::InvalidArgument,
                "could not steer the turn: codex takes no messages into a review or a compaction; wait for its end",
            ),
            _ => Ok(()),
        }
    }

    pub(super) fn sending(&self, id: &OperationId, after: Option<TurnId>) -> Result<(), StoreError> {
        match operations::by_id(self.tx, id)? {
            Some(row) if !row.spec.is_steer() => operations::update(self.tx, &OperationRow { after: Some(After(after)), ..row }),
            Some(row) => self.step(row, Event::Sending),
            None => Ok(()),
        }
    }

    /// Whoever stops a message that may be in a turn means the turn.
    pub(super) fn whose_turn(&self, row: OperationRow) -> Result<OperationRow, StoreError> {
        let shared = !matches!(row.state, Operation::Steering { sent: false, .. } | Operation::Ended { .. });
        let owner = row.spec.target_turn().filter(|_| shared).map(|turn| operations::by_turn(self.tx, turn)).transpose()?.flatten();
        Ok(owner.unwrap_or(row))
    }

    pub(super) fn is_in_the_turn(&self, row: &mut OperationRow) {
        row.started = row.started.or(Some(self.now));
    }

    pub(super) fn steer_ended(&self, row: &mut OperationRow, outcome: &Outcome) {
        row.ended = Some(self.now);
        self.over.borrow_mut().push((row.id.clone(), *outcome == Outcome::Completed));
        self.text_after(row, outcome);
    }

    /// What ends tells those whose message is in its turn, and one that has just got in is told if that is over already.
    pub(super) fn turn_is_shared(&self, row: OperationRow) -> Result<(), StoreError> {
        match (&row.state, row.spec.target_turn()) {
            (Operation::Following { .. }, Some(turn)) => match operations::by_turn(self.tx, turn)?.map(|owner| owner.state) {
                Some(Operation::Ended { outcome, .. }) => self.step(row, Event::TargetEnded { outcome }),
                _ => Ok(()),
            },
            (Operation::Ended { outcome, .. }, None) => {
                let Some(turn) = &row.turn else { return Ok(()) };
                for steer in operations::steers_of(self.tx, turn)? {
                    self.step(steer, Event::TargetEnded { outcome: outcome.clone() })?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Those that wait to be found on a thread that has become idle.
    pub(super) fn steers_idle(&self, thread: &ThreadId) -> Result<(), StoreError> {
        for row in operations::steers(self.tx)?.into_iter().filter(|row| row.thread.as_ref() == Some(thread)) {
            self.step(row, Event::ThreadIdle)?;
        }
        Ok(())
    }
}
