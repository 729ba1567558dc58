//! When all faults stop: everything ends by itself, and each ending is what the disk of the app-server says.

use super::{Crash, World, sim::SimTurn};
use crate::{appserver::translate::End, engine::cause::Cause, store::tables::operations::OperationType};
use common::{error::ErrorCode, time::Millis};
use domain::operation::{Asks, InterruptedBy, Operation, Outcome};

impl World {
    /// No more faults: everything must end by itself.
    pub(super) fn heal(&mut self) {
        self.apply(Cause::Resume { project: None }, Crash::No);
        // Past every moment that a caller named.
        self.now = self.now + Millis(3 * 3_600_000);
        for turn in 0..400 {
            self.link_up();
            while !self.wire.is_empty() {
                self.deliver(Crash::No);
            }
            self.told();
            self.run_effect(turn, false, Crash::No);
            self.server_works(false);
            self.server_works(true);
            self.now = self.now + Millis(1_000);
            self.apply(Cause::Tick, Crash::No);
            if self.rows().iter().all(|row| row.state.is_ended()) {
                return;
            }
        }
        panic!("stuck: {:#?}", self.rows().iter().filter(|row| !row.state.is_ended()).map(|row| (&row.id, &row.state)).collect::<Vec<_>>());
    }

    /// Each ending is what the disk of the app-server says.
    pub(super) fn endings_are_true(&mut self) {
        self.workflows_are_settled();
        for row in self.rows() {
            let Operation::Ended { outcome, .. } = &row.state else { panic!("{} did not end", row.id) };
            let holds = |turn: &&SimTurn| turn.client == row.client_message || turn.heard.contains(&row.client_message);
            let turn = self.sim.threads.values().flat_map(|thread| thread.turns.iter().rev()).find(holds);
            let compaction = row.spec.operation_type == OperationType::CompactThread;
            let of = row.thread.as_ref().and_then(|id| self.sim.threads.get(id));
            match outcome {
                Outcome::Completed if matches!(row.asks(), Asks::Move(_)) => {}
                Outcome::Failed { code: ErrorCode::LimitReached, .. } => {
                    assert!(matches!(turn.and_then(|turn| turn.end.clone()), Some(End::Failed { .. })), "{}", row.id);
                }
                // The turn ended before the message was in it.
                Outcome::Failed { code: ErrorCode::SendFailed, .. } if row.spec.is_steer() => assert!(turn.is_none(), "{}", row.id),
                Outcome::Failed { code: ErrorCode::ThreadNotFound, .. } if of.is_some_and(|thread| thread.put_away) => {
                    assert!(turn.is_none(), "{} ran on an archived thread", row.id);
                }
                Outcome::Completed if row.is_bare_fork() => assert!(row.thread.is_some() && turn.is_none(), "{}", row.id),
                Outcome::Completed => assert_eq!(turn.and_then(|turn| turn.end.clone()), Some(End::Completed), "{}", row.id),
                // Its time was over before it had begun.
                Outcome::Interrupted { by: InterruptedBy::TurnLimit } if turn.is_none() => {}
                Outcome::Interrupted {
                    by:
                        InterruptedBy::TurnLimit
                        | InterruptedBy::Stalled
                        | InterruptedBy::Caller
                        | InterruptedBy::AppServerExit
                        | InterruptedBy::CommandsLeft
                        | InterruptedBy::Elsewhere,
                } => {
                    assert_eq!(turn.and_then(|turn| turn.end.clone()), Some(End::Interrupted), "{}", row.id);
                }
                // Stopped before it was asked for again.
                Outcome::Cancelled if compaction => assert_ne!(turn.and_then(|turn| turn.end.clone()), Some(End::Completed), "{}", row.id),
                Outcome::Cancelled | Outcome::NotRun { .. } => assert!(turn.is_none(), "{} was cancelled and ran", row.id),
                // A revision on a thread whose first turn was called off before it was on disk.
                Outcome::Failed { code: ErrorCode::ThreadNotFound, .. } if row.spec.workflow.is_some() => {
                    let gone = row.thread.as_ref().is_some_and(|id| self.sim.threads.get(id).is_none_or(|thread| !thread.on_disk));
                    assert!(gone && turn.is_none(), "{} was told that its thread is gone", row.id);
                }
                Outcome::Failed { .. } | Outcome::Unknown => panic!("{} ended as {outcome:?}; nothing in this world fails", row.id),
            }
        }
    }
}
