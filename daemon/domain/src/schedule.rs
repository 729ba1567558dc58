//! Who runs next: a function over the live operations. A slot, a thread or a path is taken because a live state takes it,
//! so a stale lock cannot exist. Keeps no state of its own.
//!
//! Order: each operation has a place in the row of its project and in the row of its agent there, given when it is
//! accepted (`Turns`). The rows are merged place by place, so that a project or an agent with many tasks does not hold up
//! one with few. A lower priority is that many places further back, and so comes up in the end.

mod order;

pub use order::{Cost, Priority, Turns};

use crate::{
    locks::{LockPath, Taken},
    retry,
};
use common::{
    ids::{OperationId, ThreadId},
    time::{Millis, Timestamp},
};
use std::collections::{HashMap, HashSet};

/// What the schedule must know of one live operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    pub operation: OperationId,
    /// Order of acceptance.
    pub accepted: i64,
    pub priority: Priority,
    pub cost: Cost,
    pub turns: Turns,
    /// Key of the project.
    pub project: String,
    pub agent: Option<String>,
    pub thread: Option<ThreadId>,
    /// What it writes; nothing for a reader.
    pub writes: Vec<LockPath>,
    pub stage: Stage,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    Queued {
        /// The end of a wait before it is tried again; never more than `retry::WAIT_MAX` ahead.
        not_before: Timestamp,
        /// The moment that its caller named, however far ahead.
        starts: Option<Timestamp>,
        /// One that must complete first.
        after: Option<OperationId>,
    },
    /// Holds its thread and nothing else.
    Moving,
    /// Holds a slot, its thread and its paths. `asking`: a request of it is with the app-server.
    Active { asking: bool },
}

impl Live {
    pub fn is_active(&self) -> bool {
        matches!(self.stage, Stage::Active { .. })
    }

    pub fn is_queued(&self) -> bool {
        matches!(self.stage, Stage::Queued { .. })
    }
}

/// How many turns may be active at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub turns_active_max: usize,
    pub turns_per_project_max: usize,
    /// Operations that name no agent are not one agent.
    pub turns_per_agent_max: usize,
    /// Operations whose turn the app-server has been asked for and has not begun.
    pub asking_max: usize,
}

/// Where nothing new may start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paused {
    pub all: bool,
    /// Keys of projects.
    pub projects: HashSet<String>,
    /// The limit of the provider is used up, until then at least. After that one at a time is let through, to try: who set
    /// this takes it away when one has come through.
    pub until: Option<Timestamp>,
}

impl Paused {
    pub fn holds(&self, project: &str) -> bool {
        self.all || self.projects.contains(project)
    }
}

/// Why a queued operation does not run yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blocked {
    /// Its time has not come.
    NotBefore(Timestamp),
    /// Another operation must complete first.
    After(OperationId),
    /// Somebody paused the queue, or that of its project.
    Paused,
    /// The limit of the provider is used up until then.
    RateLimited(Timestamp),
    /// The app-server has been asked for as many turns as it may be, and has not begun them.
    Backpressure,
    /// All slots are taken.
    GlobalSlots,
    /// All slots of its project are taken.
    ProjectSlots,
    /// All slots of its agent are taken.
    AgentSlots,
    /// It is heavy, and the last slot is kept for lighter ones for a while.
    LastSlot,
    /// Another operation has a turn on the same thread, or has its place on it before this one.
    Thread(OperationId),
    /// Another operation writes there, or has its place before this one.
    Lock { path: LockPath, holder: OperationId },
}

/// A heavy turn that has waited so long takes the last slot too.
pub const HEAVY_WAIT: Millis = Millis(600_000);

/// The queued operations that may start now, in order.
pub fn grant(live: &[Live], limits: Limits, paused: &Paused, now: Timestamp) -> Vec<OperationId> {
    let mut board = Board::new(live, limits, paused, now);
    let mut granted = Vec::new();
    for one in order::in_order(live) {
        if board.is_full() {
            break;
        }
        if board.decide(one).is_none() {
            granted.push(one.operation.clone());
        }
    }
    granted.extend(board.last_slot().map(|one| one.operation.clone()));
    granted
}

/// Every queued operation in the order in which it would start, with what holds it back.
pub fn plan(live: &[Live], limits: Limits, paused: &Paused, now: Timestamp) -> Vec<(OperationId, Option<Blocked>)> {
    let mut board = Board::new(live, limits, paused, now);
    let mut all: Vec<_> = order::in_order(live).into_iter().map(|one| (one.operation.clone(), board.decide(one))).collect();
    if let Some(heavy) = board.last_slot()
        && let Some((_, blocked)) = all.iter_mut().find(|(id, _)| *id == heavy.operation)
    {
        *blocked = None;
    }
    all
}

/// What the first on a thread waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// Nothing, or for turns that end.
    ForTurns,
    /// A moment, or somebody who resumes the queue.
    ForMore,
}

/// What is taken so far while the queue is gone through in order.
struct Board<'a> {
    limits: Limits,
    paused: &'a Paused,
    now: Timestamp,
    free: usize,
    asking: usize,
    projects: HashMap<&'a str, usize>,
    agents: HashMap<&'a str, usize>,
    threads: HashMap<&'a ThreadId, (&'a OperationId, Waits)>,
    paths: Taken<'a, &'a OperationId>,
    /// The first heavy one that left the last slot to others.
    heavy: Option<&'a Live>,
}

impl<'a> Board<'a> {
    fn new(live: &'a [Live], limits: Limits, paused: &'a Paused, now: Timestamp) -> Board<'a> {
        let mut board = Board {
            limits,
            paused,
            now,
            free: limits.turns_active_max,
            asking: 0,
            projects: HashMap::new(),
            agents: HashMap::new(),
            threads: HashMap::new(),
            paths: Taken::new(),
            heavy: None,
        };
        for one in live.iter().filter(|one| one.is_active()) {
            board.start(one);
        }
        for one in live.iter().filter(|one| one.stage == Stage::Moving) {
            board.keep_thread(one, Waits::ForTurns);
        }
        board
    }

    /// Nobody else can start, whoever it is.
    fn is_full(&self) -> bool {
        let tries = self.paused.until.is_some() && self.free < self.limits.turns_active_max;
        tries || self.free == 0 || self.asking >= self.limits.asking_max
    }

    /// Takes what it needs, or says what holds it back and keeps its place before those that come after.
    fn decide(&mut self, one: &'a Live) -> Option<Blocked> {
        let blocked = self.blocked(one);
        match &blocked {
            None => self.start(one),
            // A conversation keeps its order, also while its next prompt waits for its time. Paths are not kept for what
            // cannot start whoever ends, nor for what comes after it on its thread.
            Some(Blocked::NotBefore(_) | Blocked::Paused | Blocked::RateLimited(_)) => self.keep_thread(one, Waits::ForMore),
            // What it waits for may stand behind it on its thread.
            Some(Blocked::After(_)) => {}
            Some(Blocked::Thread(_)) if self.waits_for_more(one) => {}
            Some(Blocked::LastSlot) => {
                self.heavy = self.heavy.or(Some(one));
                self.keep(one);
            }
            Some(
                Blocked::Backpressure
                | Blocked::GlobalSlots
                | Blocked::ProjectSlots
                | Blocked::AgentSlots
                | Blocked::Thread(_)
                | Blocked::Lock { .. },
            ) => self.keep(one),
        }
        blocked
    }

    fn blocked(&self, one: &Live) -> Option<Blocked> {
        let Stage::Queued { not_before, starts, after } = &one.stage else { return None };
        if let Some(after) = after {
            return Some(Blocked::After(after.clone()));
        }
        if let Some(starts) = starts.filter(|starts| *starts > self.now) {
            return Some(Blocked::NotBefore(starts));
        }
        if !retry::is_due(*not_before, self.now) {
            return Some(Blocked::NotBefore(*not_before));
        }
        if self.paused.holds(&one.project) {
            return Some(Blocked::Paused);
        }
        let somebody_tries = self.free < self.limits.turns_active_max;
        if let Some(until) = self.paused.until.filter(|until| *until > self.now || somebody_tries) {
            return Some(Blocked::RateLimited(until));
        }
        if self.free == 0 {
            return Some(Blocked::GlobalSlots);
        }
        if self.asking >= self.limits.asking_max {
            return Some(Blocked::Backpressure);
        }
        if self.projects.get(one.project.as_str()).is_some_and(|taken| *taken >= self.limits.turns_per_project_max) {
            return Some(Blocked::ProjectSlots);
        }
        let of_agent = one.agent.as_deref().and_then(|agent| self.agents.get(agent));
        if of_agent.is_some_and(|taken| *taken >= self.limits.turns_per_agent_max) {
            return Some(Blocked::AgentSlots);
        }
        if let Some((holder, _)) = one.thread.as_ref().and_then(|thread| self.threads.get(thread)) {
            return Some(Blocked::Thread((*holder).clone()));
        }
        if let Some((path, holder)) = one.writes.iter().find_map(|path| Some((path, self.paths.holder(path)?))) {
            return Some(Blocked::Lock { path: path.clone(), holder: holder.clone() });
        }
        let waited = self.now - starts.map_or(*not_before, |starts| starts.max(*not_before));
        (one.cost == Cost::Heavy && self.free == 1 && self.limits.turns_active_max > 1 && waited < HEAVY_WAIT).then_some(Blocked::LastSlot)
    }

    /// Nobody lighter wanted the last slot: the heavy one that left it has it. Its thread and paths were kept for it.
    fn last_slot(&mut self) -> Option<&'a Live> {
        let heavy = self.heavy.take().filter(|_| self.free == 1 && !self.is_full())?;
        self.start(heavy);
        Some(heavy)
    }

    fn start(&mut self, one: &'a Live) {
        self.free = self.free.saturating_sub(1);
        // One that is granted is about to ask.
        self.asking += usize::from(one.stage != Stage::Active { asking: false });
        *self.projects.entry(&one.project).or_default() += 1;
        if let Some(agent) = &one.agent {
            *self.agents.entry(agent).or_default() += 1;
        }
        self.keep(one);
    }

    fn keep(&mut self, one: &'a Live) {
        self.keep_thread(one, Waits::ForTurns);
        for path in &one.writes {
            self.paths.take(path, &one.operation);
        }
    }

    fn keep_thread(&mut self, one: &'a Live, waits: Waits) {
        if let Some(thread) = &one.thread {
            self.threads.entry(thread).or_insert((&one.operation, waits));
        }
    }

    fn waits_for_more(&self, one: &Live) -> bool {
        one.thread.as_ref().and_then(|thread| self.threads.get(thread)).is_some_and(|(_, waits)| *waits == Waits::ForMore)
    }
}

#[cfg(test)]
mod tests;
