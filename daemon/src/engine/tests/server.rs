//! What the app-server of the model answers and tells: each request as PROTOCOL 4 to 6 say it.

use super::{
    World, on_threads,
    sim::{SimThread, SimTurn, report},
};
use crate::{
    appserver::translate::{ChildEvent, End, Marker},
    engine::cause::{Cause, Done},
    store::tables::operations::{OperationRow, OperationType},
};
use common::ids::*;
use domain::{
    effect::Effect,
    operation::{Finding, Refusal},
};

impl World {
    pub(super) fn at_server(&mut self, effect: &Effect, row: &OperationRow) -> Done {
        let generation = Generation(self.sim.generation);
        if let Effect::StartTurn { thread, .. } | Effect::LookUp { thread, .. } = effect {
            self.sim.subscribed.insert(thread.clone());
        }
        match effect {
            Effect::StartThread => {
                self.sim.named += 1;
                let thread = ThreadId::new(format!("t{}", self.sim.named));
                self.sim.threads.insert(thread.clone(), SimThread { loaded: true, ..SimThread::default() });
                Done::ThreadCreated { thread }
            }
            Effect::StartTurn { thread, .. } => {
                let Some(known) = self.sim.threads.get_mut(thread) else { return Done::Refused(Refusal::ThreadGone) };
                if known.archived {
                    return Done::Refused(on_threads::archived());
                }
                if known.turns.iter().any(|turn| turn.end.is_none()) {
                    return Done::Refused(Refusal::ThreadBusy);
                }
                assert!(!self.sim.inbox.iter().any(|(other, ..)| other == thread), "a second turn/start would steer the first");
                (known.loaded, known.on_disk) = (true, true);
                self.sim.named += 1;
                let turn = TurnId::new(format!("u{}", self.sim.named));
                self.sim.inbox.push_back((thread.clone(), row.client_message.clone(), turn.clone()));
                // A compaction is answered without its turn.
                if row.spec.operation_type == OperationType::CompactThread {
                    self.sim.compactions.insert(row.client_message.clone());
                    self.sim.unnamed.insert(thread.clone(), row.id.clone());
                } else {
                    if row.spec.review.is_some() {
                        self.sim.reviews.insert(row.client_message.clone());
                    }
                    self.wire.push_back(Cause::TurnAccepted { generation, operation: row.id.clone(), turn });
                }
                Done::Sent
            }
            Effect::Steer { thread, turn } => self.take_steer(thread, turn, row),
            Effect::MoveThread { thread, to } => self.move_thread(thread, *to),
            Effect::LookUp { thread, turn } => self.look_up(thread, turn.as_ref(), row),
            Effect::Interrupt { thread, turn } => {
                let running = self
                    .sim
                    .threads
                    .get_mut(thread)
                    .and_then(|known| known.turns.iter_mut().find(|one| one.id == *turn && one.end.is_none()));
                match running {
                    Some(running) => {
                        running.end = Some(End::Interrupted);
                        let event = ChildEvent::TurnEnded { thread: thread.clone(), turn: turn.clone(), end: End::Interrupted };
                        self.wire.push_back(Cause::Child { generation, event });
                        Done::Sent
                    }
                    None => Done::InterruptRefused,
                }
            }
            Effect::Revert { thread, turn } => {
                let Some(known) = self.sim.threads.get_mut(thread) else { return Done::Refused(Refusal::ThreadGone) };
                known.loaded = true;
                known.turns.retain(|one| one.id != *turn);
                Done::Reverted
            }
            Effect::CleanTerminals { .. } => Done::Cleaned,
            Effect::Answer { .. } | Effect::SyncGoal { .. } => Done::Sent,
        }
    }

    /// Behind the fence a `turn/start` that was received before is seen: listed, or active and not yet listed. A process
    /// that is taken for a new one is not fenced.
    fn look_up(&mut self, thread: &ThreadId, turn: Option<&TurnId>, row: &OperationRow) -> Done {
        let found = |finding| Done::LookedUp { finding, missed: Vec::new() };
        if row.spec.marker().is_some() && row.after.is_none() {
            return found(Finding::Absent);
        }
        let process_gone = row.generation.is_some_and(|ran| ran.0 < self.sim.generation);
        if !process_gone && self.sim.inbox.iter().any(|(other, ..)| other == thread) {
            return found(Finding::ActiveUnlisted);
        }
        let Some(known) = self.sim.threads.get_mut(thread).filter(|known| known.on_disk) else { return found(Finding::NoRollout) };
        known.loaded = true;
        let holds = |one: &&SimTurn| !one.hidden && (one.client == row.client_message || one.heard.contains(&row.client_message));
        let seen = known.turns.iter().rev().find(|one| turn.map_or(holds(one), |id| one.id == *id));
        // A compaction is listed once it is complete, and one that was cut off never is: it is asked for again.
        if let (Some(seen), None, true) = (seen, turn, self.sim.compactions.contains(&row.client_message)) {
            match seen.end {
                None => return found(Finding::ActiveUnlisted),
                Some(End::Interrupted) => return found(Finding::Absent),
                Some(_) => {}
            }
        }
        let Some(seen) = seen else {
            let waits = row.spec.is_steer() && known.turns.iter().any(|one| one.end.is_none());
            if let Some(newest) = known.turns.last().filter(|one| one.hidden && process_gone) {
                return found(Finding::Remnant { turn: newest.id.clone() });
            }
            return found(if waits { Finding::ActiveUnlisted } else { Finding::Absent });
        };
        let end = seen.end.clone().map(|end| end.known(process_gone));
        let missed = seen.said.then(|| report(thread, &seen.id)).into_iter().collect();
        Done::LookedUp { finding: Finding::Turn { turn: seen.id.clone(), end }, missed }
    }

    /// The app-server works: takes a start from its inbox, or ends a turn.
    pub(super) fn server_works(&mut self, ends: bool) {
        if !self.sim.alive {
            return;
        }
        let generation = Generation(self.sim.generation);
        if !ends && let Some((thread, client, turn)) = self.sim.inbox.pop_front() {
            if !self.sim.compactions.contains(&client) {
                *self.sim.given.entry(client.clone()).or_default() += 1;
            }
            let new = SimTurn { id: turn.clone(), client: client.clone(), heard: Vec::new(), said: false, hidden: false, end: None };
            let turns = &mut self.sim.threads.get_mut(&thread).unwrap().turns;
            assert!(!turns.iter().any(|one| one.hidden && one.client == client), "{client} is twice in the history of {thread}");
            turns.push(new);
            if self.sim.compactions.contains(&client) {
                self.tell_marker(thread, turn, Marker::Compaction);
                return;
            }
            if self.sim.reviews.contains(&client) {
                self.tell_marker(thread, turn, Marker::Review);
                return;
            }
            self.tell(Cause::Child { generation, event: ChildEvent::UserMessage { thread, turn, client: Some(client) } });
            return;
        }
        if !ends && self.takes_in_a_steer() {
            return;
        }
        let running = self
            .sim
            .threads
            .iter_mut()
            .flat_map(|(id, thread)| thread.turns.iter_mut().map(move |turn| (id, turn)))
            .find(|(_, turn)| turn.end.is_none());
        if let Some((thread, turn)) = running {
            if !std::mem::replace(&mut turn.said, true) {
                let event = report(thread, &turn.id);
                self.tell(Cause::Child { generation, event });
                return;
            }
            if self.sim.named.is_multiple_of(13) {
                let (thread, id) = (thread.clone(), turn.id.clone());
                let end = self.runs_into_the_limit(thread.clone(), id.clone());
                let known = self.sim.threads.get_mut(&thread).into_iter().flat_map(|known| &mut known.turns);
                known.filter(|one| one.id == id).for_each(|one| one.end = Some(end.clone()));
                return;
            }
            turn.end = Some(End::Completed);
            let event = ChildEvent::TurnEnded { thread: thread.clone(), turn: turn.id.clone(), end: End::Completed };
            self.tell(Cause::Child { generation, event });
        }
    }

    pub(super) fn tell(&mut self, cause: Cause) {
        let heard = |thread: &ThreadId| self.sim.subscribed.contains(thread);
        let of = match &cause {
            Cause::Child {
                event:
                    ChildEvent::UserMessage { thread, .. }
                    | ChildEvent::AgentMessage { thread, .. }
                    | ChildEvent::Marker { thread, .. }
                    | ChildEvent::TurnEnded { thread, .. },
                ..
            } => heard(thread),
            // What the link itself hears needs no subscription.
            _other => true,
        };
        if self.linked && of {
            self.wire.push_back(cause);
        }
    }
}
