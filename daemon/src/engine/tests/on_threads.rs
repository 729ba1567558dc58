//! What is done in the model to threads and to turns under way: messages into them, archive, compaction.

use super::{Crash, World, new_operation};
use crate::{
    appserver::{
        failure::Kind,
        translate::{ChildEvent, End, Marker},
    },
    engine::cause::{Cause, Done},
    store::tables::operations::{OperationRow, OperationType, Review, ReviewTarget},
};
use common::{
    error::ErrorCode,
    ids::*,
    safe::{Prompt, SafeText},
    time::Millis,
};
use domain::effect::Effect;
use domain::operation::{Move, Operation, Refusal, Target};

pub(super) fn archived() -> Refusal {
    Refusal::Final { code: ErrorCode::ThreadNotFound, message: SafeText::fixed("archived") }
}

impl World {
    fn hand_in(&mut self, operation_type: OperationType, target: Target, crash: Crash) {
        self.submitted += 1;
        let mut new = new_operation(self.submitted, target, None);
        (new.spec.operation_type, new.guard_duplicates) = (operation_type, false);
        new.spec.writes = Vec::new();
        if operation_type != OperationType::SteerTurn {
            new.prompt = Prompt::new("");
        }
        if operation_type == OperationType::ReviewStart {
            new.spec.review = Some(Review { target: ReviewTarget::UncommittedChanges, inline: true, source: None });
        }
        self.apply(Cause::Submit(Box::new(new)), crash);
    }

    /// Left to chance, turns seldom run when somebody wants to say a word into one.
    fn get_a_turn_going(&mut self) {
        for nth in 0..8 {
            if self.rows().iter().any(|row| matches!(row.state, Operation::Running { .. })) {
                return;
            }
            self.link_up();
            self.run_effect(nth, false, Crash::No);
            self.server_works(false);
            self.deliver(Crash::No);
        }
    }

    /// A word into one of the turns that were ever seen to run: most have ended.
    pub(super) fn steer(&mut self, pick: usize, crash: Crash) {
        self.get_a_turn_going();
        let rows = self.rows();
        let turns: Vec<_> =
            rows.iter().filter(|row| !row.spec.is_steer()).filter_map(|row| Some((row.thread.clone()?, row.turn.clone()?))).collect();
        let running: Vec<_> = rows.iter().filter(|row| matches!(row.state, Operation::Running { .. })).collect();
        let live = running.first().and_then(|row| Some((row.thread.clone()?, row.turn.clone()?)));
        let Some((thread, turn)) = live.filter(|_| !pick.is_multiple_of(5)).or(turns.get(pick % turns.len().max(1)).cloned()) else {
            return;
        };
        self.hand_in(OperationType::SteerTurn, Target::Turn { thread, turn }, crash);
        // Turns are short here: mostly it is on its way at once, and half the time in the turn before anything else.
        let due = self.due_effects();
        if let Some(nth) = due.iter().position(|row| matches!(row.effect, Effect::Steer { .. })).filter(|_| !pick.is_multiple_of(4)) {
            self.run_effect(nth, pick.is_multiple_of(7), crash);
        }
        if pick.is_multiple_of(2) {
            self.takes_in_a_steer();
        }
    }

    pub(super) fn act_on_thread(&mut self, detail: u8, crash: Crash) {
        let on_disk: Vec<_> = self.sim.threads.iter().filter(|(_, thread)| thread.on_disk).map(|(id, _)| id.clone()).collect();
        let Some(thread) = on_disk.get(usize::from(detail / 4) % on_disk.len().max(1)).cloned() else { return };
        let operation_type = match detail % 4 {
            0 => OperationType::ArchiveThread,
            1 => OperationType::UnarchiveThread,
            2 => OperationType::CompactThread,
            3.. => OperationType::ReviewStart,
        };
        self.hand_in(operation_type, Target::Thread(thread), crash);
    }

    /// On record before it is sent. `dies`: the daemon does, in between.
    pub(super) fn may_steer(&mut self, operation: &OperationId, dies: bool) -> bool {
        self.apply(Cause::Sending { operation: operation.clone(), after: None }, if dies { Crash::AfterCommit } else { Crash::No });
        let row = self.rows().into_iter().find(|row| row.id == *operation).unwrap();
        !dies && matches!(row.state, Operation::Steering { sent: true, .. })
    }

    pub(super) fn take_steer(&mut self, thread: &ThreadId, turn: &TurnId, row: &OperationRow) -> Done {
        self.sim.subscribed.insert(thread.clone());
        let running = self.sim.threads.get(thread).is_some_and(|known| known.turns.iter().any(|one| one.id == *turn && one.end.is_none()));
        if !running {
            return Done::Refused(Refusal::ThreadGone);
        }
        self.sim.steers.push_back((thread.clone(), turn.clone(), row.client_message.clone()));
        Done::Sent
    }

    /// The turn takes in what waits for it; what comes too late for it is gone.
    pub(super) fn takes_in_a_steer(&mut self) -> bool {
        let Some((thread, turn, client)) = self.sim.steers.pop_front() else { return false };
        let generation = Generation(self.sim.generation);
        let running = self.sim.threads.get_mut(&thread).and_then(|known| known.turns.iter_mut().find(|one| one.id == turn));
        if let Some(running) = running.filter(|one| one.end.is_none()) {
            running.heard.push(client.clone());
            *self.sim.given.entry(client.clone()).or_default() += 1;
            self.tell(Cause::Child { generation, event: ChildEvent::UserMessage { thread, turn, client: Some(client) } });
        }
        true
    }

    pub(super) fn move_thread(&mut self, thread: &ThreadId, to: Move) -> Done {
        let Some(known) = self.sim.threads.get_mut(thread) else { return Done::Refused(Refusal::ThreadGone) };
        assert!(known.turns.iter().all(|turn| turn.end.is_some()), "a thread was moved while a turn ran");
        known.archived = to == Move::Archive;
        known.put_away |= known.archived;
        Done::ThreadMoved
    }

    /// One that the provider refuses, since the account's limit is used up.
    pub(super) fn runs_into_the_limit(&mut self, thread: ThreadId, turn: TurnId) -> End {
        let generation = Generation(self.sim.generation);
        let resets = Some(self.now + Millis(20_000));
        self.tell(Cause::Child { generation, event: ChildEvent::Limits { resets } });
        let end = End::Failed { message: SafeText::fixed("used up"), kind: Kind::Limit };
        self.tell(Cause::Child { generation, event: ChildEvent::TurnEnded { thread, turn, end: end.clone() } });
        end
    }

    /// What begins without a message of ours.
    pub(super) fn tell_marker(&mut self, thread: ThreadId, turn: TurnId, marker: Marker) {
        let generation = Generation(self.sim.generation);
        // By the link that asked: it answers for the turn that begins next.
        if let Some(operation) = self.sim.unnamed.remove(&thread) {
            self.tell(Cause::TurnAccepted { generation, operation, turn: turn.clone() });
        }
        self.tell(Cause::Child { generation, event: ChildEvent::Marker { thread, turn, marker } });
    }

    /// Who follows a turn follows one that has not ended.
    pub(super) fn check_steers(&self, rows: &[OperationRow]) {
        for row in rows.iter().filter(|row| matches!(row.state, Operation::Following { .. })) {
            let owner = rows.iter().find(|other| !other.spec.is_steer() && other.turn == row.turn);
            assert!(owner.is_some_and(|owner| !owner.state.is_ended()), "{} follows a turn that is over", row.id);
        }
    }
}
