//! One piece of work, from accepted to ended. `step` is the only way from state to state.
//! It never guesses: what the app-server may or may not have received is `Unresolved` until it was looked up.

mod event;
mod outcome;

pub use event::{Event, Finding, Refusal, TurnEnd};
pub use outcome::{InterruptedBy, Outcome};
use outcome::{cancelled, outcome, outcome_unseen};

use crate::{effect::Effect, retry};
use common::{
    error::ErrorCode,
    ids::{ThreadId, TurnId},
    safe::SafeText,
    time::{Millis, Timestamp},
};
use serde::{Deserialize, Serialize};

/// Where the prompt goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    NewThread,
    Thread(ThreadId),
}

/// Why an operation is not at work yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueuedReason {
    /// Nobody has looked yet, or all slots are taken: the schedule says which.
    Waiting,
    /// The app-server refused for now: starting, draining or overloaded.
    AppServerNotReady,
    /// Another process has the thread open.
    ThreadHeldElsewhere,
    /// A turn that is not ours runs on the thread.
    ThreadBusy,
}

/// Whether somebody wants the work to end early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    NotAsked,
    ByCaller,
    /// `turn_seconds_max` has passed.
    ByLimit,
    /// No sign of life for longer than the configuration allows.
    Stalled,
}

/// What was tried so far. A refusal proves that nothing was run, so it takes back the send it answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tries {
    pub sends: u8,
    pub refusals: u8,
}

impl Tries {
    fn sent(self) -> Tries {
        Tries { sends: self.sends.saturating_add(1), ..self }
    }

    fn refused(self) -> Tries {
        Tries { sends: self.sends.saturating_sub(1), refusals: self.refusals.saturating_add(1) }
    }
}

/// Whether lines of a running turn may have gone by unheard. While they may, its end is not taken: the report would lack
/// what the look-up is about to bring.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Heard {
    #[default]
    All,
    /// Being looked up.
    Gap,
    /// Being looked up, and the end was heard meanwhile.
    GapThenEnd(TurnEnd),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Operation {
    Queued {
        target: Target,
        tries: Tries,
        not_before: Timestamp,
        reason: QueuedReason,
    },
    /// Harmless to repeat: an unused thread is not on disk.
    CreatingThread {
        tries: Tries,
    },
    /// The request may be on its way.
    StartingTurn {
        thread: ThreadId,
        tries: Tries,
        stop: Stop,
    },
    /// The app-server named the turn; that proves nothing yet (PROTOCOL 0.2).
    Accepted {
        thread: ThreadId,
        turn: TurnId,
        tries: Tries,
        stop: Stop,
    },
    /// Our message is in the thread.
    Running {
        thread: ThreadId,
        turn: TurnId,
        since: Timestamp,
        stop: Stop,
        #[serde(default)]
        heard: Heard,
    },
    /// Sent or not? Being looked up.
    Unresolved {
        thread: ThreadId,
        tries: Tries,
        stop: Stop,
    },
    Ended {
        outcome: Outcome,
        at: Timestamp,
    },
}

/// What `step` must know besides the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    pub now: Timestamp,
    /// The operation made (or makes) its own thread.
    pub own_thread: bool,
    /// There is something to say; a bare copy of a thread is done when the thread is there.
    pub has_message: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub next: Operation,
    pub effects: Vec<Effect>,
}

/// The event makes no sense in this state: a late reply, a double cancel. An ordinary answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{event} does not apply to an operation that is {state}")]
pub struct Refused {
    pub state: &'static str,
    pub event: &'static str,
}

impl Operation {
    pub fn accepted(target: Target, not_before: Timestamp) -> Operation {
        Operation::Queued { target, tries: Tries::default(), not_before, reason: QueuedReason::Waiting }
    }

    /// Next state and what to ask of the world, or why this event makes no sense here.
    pub fn step(self, event: Event, facts: Facts) -> Result<Step, Refused> {
        use Operation as S;
        let refused = Refused { state: self.name(), event: event.name() };
        match (self, event) {
            (S::Queued { target: Target::NewThread, tries, .. }, Event::Granted) => create_thread(tries),
            (S::Queued { target: Target::Thread(thread), tries, .. }, Event::Granted) => send(thread, tries, false),
            (S::Queued { .. } | S::CreatingThread { .. }, Event::StopAsked(stop)) => ended(cancelled(stop), facts),
            (S::Queued { .. }, Event::FirstFailed { first }) => ended(Outcome::NotRun { first }, facts),

            (S::CreatingThread { .. }, Event::ThreadCreated { .. }) if !facts.has_message => ended(Outcome::Completed, facts),
            (S::CreatingThread { tries }, Event::ThreadCreated { thread }) => send(thread, tries, true),
            (S::CreatingThread { tries }, Event::Refused(refusal)) => put_back(Target::NewThread, tries, refusal, facts),
            (S::CreatingThread { tries }, Event::ServerLost) => put_back(Target::NewThread, tries, Refusal::NotReady, facts),

            (S::StartingTurn { thread, tries, stop }, Event::TurnAccepted { turn }) => stay(S::Accepted { thread, turn, tries, stop }),
            (S::StartingTurn { thread, tries, stop }, Event::Refused(refusal)) => refuse_turn(thread, tries, stop, refusal, facts),
            (
                S::StartingTurn { thread, stop, .. } | S::Accepted { thread, stop, .. } | S::Unresolved { thread, stop, .. },
                Event::MessageSeen { turn },
            ) => run(thread, turn, stop, facts),
            (
                S::StartingTurn { thread, tries, stop } | S::Accepted { thread, tries, stop, .. } | S::Unresolved { thread, tries, stop },
                Event::ServerLost,
            ) => look_up(S::Unresolved { thread: thread.clone(), tries, stop }, thread, None),

            // Over without our message: a hook refused the prompt (PROTOCOL 5), or the turn was cut before it.
            (S::Accepted { turn, stop, .. }, Event::TurnEnded { turn: over, end }) if turn == over => {
                ended(outcome_unseen(end, stop), facts)
            }
            (S::Running { turn, stop, heard: Heard::All, .. }, Event::TurnEnded { turn: over, end }) if turn == over => {
                ended(outcome(end, stop), facts)
            }
            (S::Running { thread, turn, since, stop, heard: Heard::Gap }, Event::TurnEnded { turn: over, end }) if turn == over => {
                stay(S::Running { thread, turn, since, stop, heard: Heard::GapThenEnd(end) })
            }

            (S::Unresolved { thread, tries, stop }, Event::ThreadIdle | Event::TurnEnded { .. }) => {
                look_up(S::Unresolved { thread: thread.clone(), tries, stop }, thread, None)
            }
            (S::Unresolved { thread, tries, stop }, Event::LookedUp(finding)) => resolve(thread, tries, stop, finding, facts),

            (S::Running { thread, turn, since, stop, heard }, Event::ServerLost | Event::InterruptRefused) => {
                let heard = if heard == Heard::All { Heard::Gap } else { heard };
                look_up(S::Running { thread: thread.clone(), turn: turn.clone(), since, stop, heard }, thread, Some(turn))
            }
            (S::Running { turn, stop, heard: Heard::GapThenEnd(end), .. }, Event::LookedUp(finding)) => match finding {
                Finding::Turn { turn: seen, end: Some(listed) } if seen == turn => ended(outcome(listed, stop), facts),
                // It was read before the end came, which was heard by itself.
                Finding::Turn { .. } | Finding::ActiveUnlisted | Finding::Absent | Finding::NoRollout | Finding::Unreadable => {
                    ended(outcome(end, stop), facts)
                }
            },
            (S::Running { thread, turn, since, stop, .. }, Event::LookedUp(finding)) => {
                still_running(thread, turn, since, stop, finding, facts)
            }
            (S::Running { thread, turn, since, stop: Stop::NotAsked, heard }, Event::StopAsked(stop)) => Ok(Step {
                effects: vec![Effect::Interrupt { thread: thread.clone(), turn: turn.clone() }],
                next: S::Running { thread, turn, since, stop, heard },
            }),
            (S::StartingTurn { thread, tries, stop: Stop::NotAsked }, Event::StopAsked(stop)) => {
                stay(S::StartingTurn { thread, tries, stop })
            }
            (S::Accepted { thread, turn, tries, stop: Stop::NotAsked }, Event::StopAsked(stop)) => {
                stay(S::Accepted { thread, turn, tries, stop })
            }
            (S::Unresolved { thread, tries, stop: Stop::NotAsked }, Event::StopAsked(stop)) => stay(S::Unresolved { thread, tries, stop }),

            // Named one by one, so that a new event does not compile until someone decides.
            (
                _,
                Event::Granted
                | Event::ThreadCreated { .. }
                | Event::TurnAccepted { .. }
                | Event::MessageSeen { .. }
                | Event::TurnEnded { .. }
                | Event::Refused(_)
                | Event::ServerLost
                | Event::LookedUp(_)
                | Event::ThreadIdle
                | Event::StopAsked(_)
                | Event::InterruptRefused
                | Event::FirstFailed { .. },
            ) => Err(refused),
        }
    }

    /// The next moment at which something must happen without anybody asking.
    pub fn wake_at(&self, turn_ms_max: Option<Millis>) -> Option<Timestamp> {
        match self {
            Operation::Queued { not_before, .. } => Some(*not_before),
            Operation::Running { since, stop: Stop::NotAsked, .. } => turn_ms_max.map(|limit| *since + limit),
            Operation::Running { .. }
            | Operation::CreatingThread { .. }
            | Operation::StartingTurn { .. }
            | Operation::Accepted { .. }
            | Operation::Unresolved { .. }
            | Operation::Ended { .. } => None,
        }
    }

    /// With another moment at which the turn began to run: the limit on its life counts from there.
    pub fn with_since(self, change: impl FnOnce(Timestamp) -> Timestamp) -> Operation {
        match self {
            Operation::Running { thread, turn, since, stop, heard } => {
                Operation::Running { thread, turn, since: change(since), stop, heard }
            }
            same @ (Operation::Queued { .. }
            | Operation::CreatingThread { .. }
            | Operation::StartingTurn { .. }
            | Operation::Accepted { .. }
            | Operation::Unresolved { .. }
            | Operation::Ended { .. }) => same,
        }
    }

    /// Holds one of the slots for active turns.
    pub fn holds_slot(&self) -> bool {
        !matches!(self, Operation::Queued { .. } | Operation::Ended { .. })
    }

    pub fn is_ended(&self) -> bool {
        matches!(self, Operation::Ended { .. })
    }

    pub fn tries(&self) -> Tries {
        match self {
            Operation::Queued { tries, .. }
            | Operation::CreatingThread { tries }
            | Operation::StartingTurn { tries, .. }
            | Operation::Accepted { tries, .. }
            | Operation::Unresolved { tries, .. } => *tries,
            Operation::Running { .. } | Operation::Ended { .. } => Tries { sends: 1, refusals: 0 },
        }
    }

    /// The prompt may still have to be sent.
    pub fn needs_prompt(&self) -> bool {
        !matches!(self, Operation::Running { .. } | Operation::Ended { .. })
    }

    pub fn thread(&self) -> Option<&ThreadId> {
        match self {
            Operation::Queued { target: Target::Thread(thread), .. }
            | Operation::StartingTurn { thread, .. }
            | Operation::Accepted { thread, .. }
            | Operation::Running { thread, .. }
            | Operation::Unresolved { thread, .. } => Some(thread),
            Operation::Queued { target: Target::NewThread, .. } | Operation::CreatingThread { .. } | Operation::Ended { .. } => None,
        }
    }

    pub fn turn(&self) -> Option<&TurnId> {
        match self {
            Operation::Accepted { turn, .. } | Operation::Running { turn, .. } => Some(turn),
            Operation::Queued { .. }
            | Operation::CreatingThread { .. }
            | Operation::StartingTurn { .. }
            | Operation::Unresolved { .. }
            | Operation::Ended { .. } => None,
        }
    }

    /// The tag of the stored row.
    pub fn name(&self) -> &'static str {
        match self {
            Operation::Queued { .. } => "queued",
            Operation::CreatingThread { .. } => "creating_thread",
            Operation::StartingTurn { .. } => "starting_turn",
            Operation::Accepted { .. } => "accepted",
            Operation::Running { .. } => "running",
            Operation::Unresolved { .. } => "unresolved",
            Operation::Ended { .. } => "ended",
        }
    }
}

fn stay(next: Operation) -> Result<Step, Refused> {
    Ok(Step { next, effects: Vec::new() })
}

fn create_thread(tries: Tries) -> Result<Step, Refused> {
    Ok(Step { next: Operation::CreatingThread { tries }, effects: vec![Effect::StartThread] })
}

fn send(thread: ThreadId, tries: Tries, fresh: bool) -> Result<Step, Refused> {
    Ok(Step {
        effects: vec![Effect::StartTurn { thread: thread.clone(), fresh }],
        next: Operation::StartingTurn { thread, tries: tries.sent(), stop: Stop::NotAsked },
    })
}

fn look_up(next: Operation, thread: ThreadId, turn: Option<TurnId>) -> Result<Step, Refused> {
    Ok(Step { next, effects: vec![Effect::LookUp { thread, turn }] })
}

fn run(thread: ThreadId, turn: TurnId, stop: Stop, facts: Facts) -> Result<Step, Refused> {
    let effects = match stop {
        Stop::NotAsked => Vec::new(),
        Stop::ByCaller | Stop::ByLimit | Stop::Stalled => vec![Effect::Interrupt { thread: thread.clone(), turn: turn.clone() }],
    };
    Ok(Step { next: Operation::Running { thread, turn, since: facts.now, stop, heard: Heard::All }, effects })
}

fn ended(outcome: Outcome, facts: Facts) -> Result<Step, Refused> {
    stay(Operation::Ended { outcome, at: facts.now })
}

fn failed(code: ErrorCode, message: SafeText, facts: Facts) -> Result<Step, Refused> {
    ended(Outcome::Failed { code, message }, facts)
}

/// Back to the queue after a refusal that proves nothing was run.
fn put_back(target: Target, tries: Tries, refusal: Refusal, facts: Facts) -> Result<Step, Refused> {
    let (reason, wait) = match refusal {
        Refusal::NotReady => (QueuedReason::AppServerNotReady, retry::back_off(tries.refusals)),
        Refusal::HeldElsewhere => (QueuedReason::ThreadHeldElsewhere, retry::HELD_ELSEWHERE_WAIT),
        Refusal::ThreadBusy => (QueuedReason::ThreadBusy, retry::HELD_ELSEWHERE_WAIT),
        Refusal::ThreadGone => {
            let message = SafeText::fixed("could not open the thread: codex has no record of it; start a new one");
            return failed(ErrorCode::ThreadNotFound, message, facts);
        }
        Refusal::Final { code, message } => return failed(code, message, facts),
    };
    let (tries, not_before) = (tries.refused(), facts.now + wait);
    stay(Operation::Queued { target, tries, not_before, reason })
}

fn refuse_turn(thread: ThreadId, tries: Tries, stop: Stop, refusal: Refusal, facts: Facts) -> Result<Step, Refused> {
    if stop != Stop::NotAsked {
        return ended(cancelled(stop), facts);
    }
    match refusal {
        // A thread of ours that was never written down: make another.
        Refusal::ThreadGone if facts.own_thread => again_from_the_start(tries, facts),
        other => put_back(Target::Thread(thread), tries, other, facts),
    }
}

fn again_from_the_start(tries: Tries, facts: Facts) -> Result<Step, Refused> {
    if tries.sends >= retry::SENDS_MAX {
        return too_often(facts);
    }
    create_thread(tries)
}

fn too_often(facts: Facts) -> Result<Step, Refused> {
    let message = SafeText::fixed("could not hand the prompt to codex: the app-server was lost each time; see `codexcp doctor`");
    failed(ErrorCode::AppServerUnavailable, message, facts)
}

fn resolve(thread: ThreadId, tries: Tries, stop: Stop, finding: Finding, facts: Facts) -> Result<Step, Refused> {
    match finding {
        Finding::Turn { turn, end: None } => run(thread, turn, stop, facts),
        Finding::Turn { end: Some(end), .. } => ended(outcome(end, stop), facts),
        Finding::ActiveUnlisted => stay(Operation::Unresolved { thread, tries, stop }),
        Finding::Absent | Finding::NoRollout if stop != Stop::NotAsked => ended(cancelled(stop), facts),
        Finding::Absent if tries.sends >= retry::SENDS_MAX => too_often(facts),
        Finding::Absent => send(thread, tries, false),
        Finding::NoRollout if facts.own_thread => again_from_the_start(tries, facts),
        Finding::NoRollout => put_back(Target::Thread(thread), tries, Refusal::ThreadGone, facts),
        Finding::Unreadable => ended(Outcome::Unknown, facts),
    }
}

fn still_running(thread: ThreadId, turn: TurnId, since: Timestamp, stop: Stop, finding: Finding, facts: Facts) -> Result<Step, Refused> {
    match finding {
        Finding::Turn { turn: seen, end: Some(end) } if seen == turn => ended(outcome(end, stop), facts),
        Finding::Turn { turn: seen, end: None } if seen == turn => {
            // The interrupt may have been lost with the old connection; asking again does no harm.
            let effects = match stop {
                Stop::NotAsked => Vec::new(),
                Stop::ByCaller | Stop::ByLimit | Stop::Stalled => vec![Effect::Interrupt { thread: thread.clone(), turn: turn.clone() }],
            };
            Ok(Step { next: Operation::Running { thread, turn, since, stop, heard: Heard::All }, effects })
        }
        // The turn was on disk once; that it cannot be read now is not an ending we know.
        Finding::Turn { .. } | Finding::ActiveUnlisted | Finding::Absent | Finding::NoRollout | Finding::Unreadable => {
            ended(Outcome::Unknown, facts)
        }
    }
}

#[cfg(test)]
mod tests;
