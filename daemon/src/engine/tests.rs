//! The whole, against a small model: the real engine on a real store, with an app-server made of a few rules of
//! PROTOCOL 5 and 6. Random causes, crashes before and after commits and in the middle of sends, lost links, killed
//! processes, jumps of time. After each step the invariants hold; when all faults stop, everything ends truly.

mod directed;
mod ends;
mod history;
mod many;
mod on_threads;
mod server;
mod sim;
mod work;
mod workflows;

use super::{
    apply::{self, Rules},
    cause::{Cause, Done, EngineError, PausedProject},
    live::Live,
};
use crate::{
    appserver::translate::End,
    store::{
        WriteTx, open_for_writing,
        tables::{
            effects,
            effects::EffectRow,
            messages, operations,
            operations::{Fork, OperationRow, OperationType},
            pauses, schedule as rows,
        },
    },
};
use common::{
    ids::*,
    safe::{Prompt, SafeText},
    time::{Millis, Timestamp},
};
use domain::{
    effect::Effect,
    operation::{Asks, Operation, Outcome, Stop, Target},
    retry,
    schedule::{self, Limits},
};
use proptest::prelude::*;
use rusqlite::Connection;
use sim::{Sim, SimTurn};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::LazyLock,
};
pub(crate) use work::new_operation;

pub(crate) const RULES: Rules = Rules {
    limits: Limits { turns_active_max: 3, turns_per_project_max: 3, turns_per_agent_max: 1, asking_max: 2 },
    operations_live_max: 1_000,
    silence_max: Millis(600_000),
    silence_interrupts: false,
    waits_for_reset: true,
    approval_wait_max: None,
    approval_rules: &[],
    keep_prompts: false,
    retry_max: Millis(60_000),
};

/// A database of the newest shape, made once: each world begins with a copy.
static EMPTY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite3");
    drop(open_for_writing(&path).unwrap());
    std::fs::read(path).unwrap()
});

struct World {
    connection: Connection,
    live: Live,
    now: Timestamp,
    /// The clock is also set back.
    latest: Timestamp,
    /// When the timer would bring a tick.
    wake: Option<Timestamp>,
    /// Causes applied so far.
    causes: u64,
    sim: Sim,
    linked: bool,
    /// Causes on their way from the app-server, in order. Lost with the link.
    wire: VecDeque<Cause>,
    begun: HashSet<EffectId>,
    reported: HashSet<OperationId>,
    /// Look-ups that have read and not yet told.
    reading: VecDeque<(EffectId, Done)>,
    submitted: u32,
    workflows: u32,
    /// What each must come after.
    firsts: HashMap<OperationId, Vec<OperationId>>,
    _folder: tempfile::TempDir,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Crash {
    No,
    BeforeCommit,
    AfterCommit,
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite3");
        std::fs::write(&path, EMPTY.as_slice()).unwrap();
        let connection = open_for_writing(&path).unwrap();
        // The model crashes the daemon, not the machine.
        connection.pragma_update(None, "synchronous", "OFF").unwrap();
        let mut world = World {
            connection,
            live: Live::default(),
            now: Timestamp(1_000_000_000_000),
            latest: Timestamp(0),
            wake: None,
            causes: 0,
            sim: Sim::default(),
            linked: false,
            wire: VecDeque::new(),
            begun: HashSet::new(),
            reported: HashSet::new(),
            reading: VecDeque::new(),
            submitted: 0,
            workflows: 0,
            firsts: HashMap::new(),
            _folder: folder,
        };
        world.apply(Cause::Started, Crash::No);
        world
    }

    fn apply(&mut self, cause: Cause, crash: Crash) {
        self.causes += 1;
        let tx = WriteTx::begin(&mut self.connection).unwrap();
        self.latest = self.latest.max(self.now);
        let woken = self.wake.is_some_and(|at| at <= self.now);
        match apply::apply(&tx, cause, self.now, woken, &RULES, &self.live) {
            Ok(_) => {}
            // An ordinary no changes nothing.
            Err(EngineError::Rejected { .. }) => return,
            Err(error) => panic!("{error}"),
        }
        let left = schedule::grant(&rows::live(&tx).unwrap(), RULES.limits, &pauses::all(&tx).unwrap(), self.now);
        assert_eq!(left, [], "queued, could run, and does not");
        self.wake = apply::outlook(&tx, self.now, &RULES).unwrap().0;
        if crash != Crash::BeforeCommit {
            tx.commit().unwrap();
        } else {
            drop(tx);
        }
        if crash != Crash::No {
            self.crash();
        }
    }

    fn crash(&mut self) {
        self.linked = false;
        self.wire.clear();
        self.begun.clear();
        self.reading.clear();
        self.apply(Cause::Started, Crash::No);
    }

    fn tx(&mut self) -> WriteTx<'_> {
        WriteTx::begin(&mut self.connection).unwrap()
    }

    fn rows(&mut self) -> Vec<OperationRow> {
        operations::listed(&self.tx(), false, u32::MAX).unwrap()
    }

    fn effects(&mut self) -> Vec<EffectRow> {
        effects::all(&WriteTx::begin(&mut self.connection).unwrap()).unwrap()
    }

    fn submit(&mut self, on_existing: bool, limit: bool, crash: Crash) {
        let known = self.sim.threads.iter().find(|(_, thread)| thread.on_disk).map(|(id, _)| id.clone());
        let target = known.filter(|_| on_existing).map_or(Target::NewThread, Target::Thread);
        self.submitted += 1;
        let n = self.submitted;
        let mut new = new_operation(n, target, limit.then_some(Millis(5_000)));
        // Now and then after what was accepted before it, and later than now.
        if n.is_multiple_of(5) {
            let live = self.rows().into_iter().filter(|row| !row.state.is_ended());
            new.firsts = live.map(|row| row.id).take(2).collect();
        }
        // Some for hours, which is longer than any wait of our own.
        new.spec.not_before = n.is_multiple_of(7).then(|| self.now + Millis(if n.is_multiple_of(2) { 7_200_000 } else { 3_000 }));
        // A bare copy of a thread, which the model makes like any other.
        if n.is_multiple_of(11) && !on_existing {
            new.spec.fork = Some(Fork { source: ThreadId::new("elsewhere"), config: None, ephemeral: false });
            new.spec.operation_type = OperationType::ForkThread;
            new.prompt = Prompt::new("");
            new.spec.writes = Vec::new();
        }
        self.firsts.insert(new.id.clone(), new.firsts.clone());
        self.apply(Cause::Submit(Box::new(new)), crash);
    }

    fn link_up(&mut self) {
        if !self.sim.alive {
            self.sim.alive = true;
            self.sim.generation += 1;
            self.apply(Cause::Spawned { generation: Generation(self.sim.generation), process: sim::process() }, Crash::No);
        }
        if !self.linked {
            self.linked = true;
            self.sim.subscribed.clear();
            self.sim.unnamed.clear();
            self.begun.clear();
            self.reading.clear();
            self.apply(Cause::LinkUp { generation: Generation(self.sim.generation), process: None }, Crash::No);
        }
    }

    fn link_lost(&mut self) {
        if std::mem::take(&mut self.linked) {
            self.wire.clear();
            self.reading.iter_mut().for_each(|(_, done)| *done = Done::Lost);
            self.apply(Cause::LinkLost { generation: Generation(self.sim.generation) }, Crash::No);
        }
    }

    fn kill_server(&mut self, noticed: bool) {
        if !std::mem::take(&mut self.sim.alive) {
            return;
        }
        // Every other time it dies having written what the model sees, and not yet what is listed.
        if let Some((thread, client, turn)) = self.sim.inbox.pop_front().filter(|_| self.sim.named.is_multiple_of(2))
            && !self.sim.compactions.contains(&client)
            && !self.sim.reviews.contains(&client)
        {
            let left = SimTurn { id: turn, client, heard: Vec::new(), said: false, hidden: true, end: Some(End::Interrupted) };
            self.sim.threads.get_mut(&thread).unwrap().turns.push(left);
        }
        self.sim.inbox.clear();
        self.sim.steers.clear();
        self.sim.threads.retain(|_, thread| thread.on_disk);
        for thread in self.sim.threads.values_mut() {
            thread.loaded = false;
            thread.turns.iter_mut().filter(|turn| turn.end.is_none()).for_each(|turn| turn.end = Some(End::Interrupted));
        }
        self.linked = false;
        self.wire.clear();
        let gone = Cause::ProcessGone { generation: Generation(self.sim.generation), why: Some(SafeText::fixed("killed")) };
        // Unnoticed: the daemon is away too and learns of it when it is back.
        if noticed {
            self.apply(gone, Crash::No);
        } else {
            self.crash();
            self.apply(gone, Crash::No);
        }
    }

    fn due_effects(&mut self) -> Vec<EffectRow> {
        if !self.linked {
            return Vec::new();
        }
        self.effects().into_iter().filter(|row| retry::is_due(row.due, self.now) && !self.begun.contains(&row.id)).collect()
    }

    /// One effect, as the runner does it. `cut`: the connection breaks after it was sent, before its answer.
    fn run_effect(&mut self, pick: usize, cut: bool, crash: Crash) {
        let due = self.due_effects();
        if due.is_empty() {
            return;
        }
        let row = due[pick % due.len()].clone();
        self.begun.insert(row.id);
        let operation = row.operation.clone().unwrap();
        let client = self.rows().into_iter().find(|one| one.id == operation).unwrap();
        if matches!(row.effect, Effect::StartTurn { .. }) && client.spec.marker().is_some() {
            let dies = cut && pick.is_multiple_of(2);
            let sending = Cause::Sending { operation: operation.clone(), after: None };
            self.apply(sending, if dies { Crash::AfterCommit } else { Crash::No });
            if dies {
                return;
            }
        }
        if matches!(row.effect, Effect::Steer { .. }) && !self.may_steer(&operation, cut && pick.is_multiple_of(2)) {
            return;
        }
        let done = self.at_server(&row.effect, &client);
        if cut {
            self.link_lost();
            self.apply(Cause::EffectDone { effect: row.id, generation: Generation(self.sim.generation), done: Done::Lost }, crash);
            return;
        }
        if matches!(done, Done::LookedUp { .. }) && !pick.is_multiple_of(3) {
            self.reading.push_back((row.id, done));
            return;
        }
        let kept = matches!(done, Done::Sent);
        self.apply(Cause::EffectDone { effect: row.id, generation: Generation(self.sim.generation), done }, crash);
        if !kept {
            self.begun.remove(&row.id);
        }
    }

    fn deliver(&mut self, crash: Crash) {
        if self.linked
            && let Some(cause) = self.wire.pop_front()
        {
            self.apply(cause, crash);
        }
    }

    fn told(&mut self) {
        if let Some((effect, done)) = self.reading.pop_front() {
            self.begun.remove(&effect);
            self.apply(Cause::EffectDone { effect, generation: Generation(self.sim.generation), done }, Crash::No);
        }
    }

    fn check(&mut self) {
        let rows = self.rows();
        self.check_workflows(&rows);
        self.check_steers(&rows);
        self.check_history(&rows);
        let active: Vec<_> = rows.iter().filter(|row| row.state.holds_slot() && row.asks() == Asks::Turn).collect();
        assert!(active.len() <= RULES.limits.turns_active_max, "more turns than slots");
        for row in &rows {
            let of = |id: &OperationId| &rows.iter().find(|row| row.id == *id).unwrap().state;
            let completed = |id: &OperationId| matches!(of(id), Operation::Ended { outcome: Outcome::Completed, .. });
            let firsts = self.firsts.get(&row.id).into_iter().flatten();
            let early = row.state.holds_slot() && row.spec.not_before.is_some_and(|at| at > self.latest);
            assert!(!early, "{} runs before its moment", row.id);
            match &row.state {
                Operation::Queued { .. } | Operation::Ended { outcome: Outcome::Cancelled, .. } => {}
                Operation::Ended { outcome: Outcome::NotRun { first }, .. } => assert!(of(first).is_ended() && !completed(first)),
                _ => assert!(firsts.into_iter().all(completed), "{} ran before what must complete first", row.id),
            }
        }
        for (n, one) in active.iter().enumerate() {
            let clash =
                |other: &OperationRow| one.spec.writes.iter().any(|path| other.spec.writes.iter().any(|theirs| path.excludes(theirs)));
            assert!(!active[n + 1..].iter().any(|other| clash(other)), "two writers of one place");
        }
        let holds = |row: &&OperationRow| row.state.holds_slot() || matches!(row.state, Operation::MovingThread { .. });
        let threads: Vec<_> = rows.iter().filter(holds).filter_map(|row| row.state.thread()).collect();
        assert_eq!(threads.iter().collect::<HashSet<_>>().len(), threads.len(), "two turns on one thread");
        for (client, given) in &self.sim.given {
            assert!(*given <= 1, "{client} was given to the model {given} times");
        }
        for row in &rows {
            let waits = matches!(row.state, Operation::StartingTurn { .. } | Operation::CreatingThread { .. } | Operation::Steering { .. });
            assert!(!waits || row.prompt.is_some(), "the prompt of {} was cleared too early", row.id);
            let completed = matches!(row.state, Operation::Ended { outcome: Outcome::Completed, .. });
            // Looked at once: nothing is ever taken from a report.
            if completed && row.asks() == Asks::Turn && self.reported.insert(row.id.clone()) {
                let turn = row.turn.as_ref().unwrap();
                let said = messages::newest(&WriteTx::begin(&mut self.connection).unwrap(), turn, 9).unwrap();
                assert_eq!(said.len(), 1, "{} is completed and its report is not there", row.id);
            }
        }
    }
}

fn step(world: &mut World, action: u8, detail: u8) {
    let crash = match detail % 11 {
        0 => Crash::BeforeCommit,
        1 => Crash::AfterCommit,
        _ => Crash::No,
    };
    match action % 18 {
        16 => world.steer(usize::from(detail), crash),
        17 => world.act_on_thread(detail, crash),
        0 if detail.is_multiple_of(4) => world.start_workflow(crash),
        0 | 1 => world.submit(detail & 32 != 0, detail & 64 != 0, crash),
        2..=5 => world.run_effect(usize::from(detail), detail.is_multiple_of(13), crash),
        6 | 7 => world.server_works(detail.is_multiple_of(2)),
        8 if detail.is_multiple_of(3) => world.told(),
        8..=10 => world.deliver(crash),
        11 => world.link_up(),
        12 if detail.is_multiple_of(4) => world.link_lost(),
        12 if detail % 4 == 1 => world.kill_server(detail & 64 != 0),
        12 => world.crash(),
        13 if detail.is_multiple_of(2) => world.decide(detail / 2, crash),
        13 => {
            let id = OperationId::new(format!("op{}", u32::from(detail) % world.submitted.max(1) + 1));
            world.apply(Cause::Stop { operation: id, stop: Stop::ByCaller }, crash);
        }
        14 => {
            // Hours ahead, and sometimes back.
            let jump = i64::from(detail) * 20_000 - 1_000_000;
            world.now = Timestamp((world.now.0 + jump).max(1));
            world.apply(Cause::Tick, crash);
        }
        15 if detail % 16 < 3 => {
            let project = (detail % 16 == 1).then(|| PausedProject { key: "p".to_owned(), id: ProjectId::new("p") });
            world.apply(Cause::Pause { project }, crash);
        }
        15 if detail % 16 > 7 && detail % 16 < 12 => world.history(detail, crash),
        15 if detail % 16 < 8 => world.apply(Cause::Resume { project: None }, crash),
        _ => {
            world.now = world.now + Millis(500);
            world.apply(Cause::Tick, Crash::No);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        max_shrink_iters: 200,
        failure_persistence: Some(Box::new(proptest::test_runner::FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_dies_in_between_nothing_is_lost_repeated_or_told_wrongly(actions in prop::collection::vec((any::<u8>(), any::<u8>()), 1..160)) {
        let mut world = World::new();
        for (action, detail) in actions {
            step(&mut world, action, detail);
            world.check();
        }
        world.heal();
        world.check();
        world.endings_are_true();
    }
}
