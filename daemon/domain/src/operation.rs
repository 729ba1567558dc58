//! One piece of work, from accepted to ended. `step` is the only way from state to state.
//! It never guesses: what the app-server may or may not have received is `Unresolved` until it was looked up.

mod event;
mod outcome;
mod read;
mod steer;
mod steps;

pub use event::{Event, Finding, Refusal, TurnEnd};
pub use outcome::{InterruptedBy, Outcome};
use outcome::{cancelled, outcome, outcome_unseen};
use steps::*;

use crate::effect::Effect;
use common::{
    error::ErrorCode,
    ids::{ThreadId, TurnId},
    safe::SafeText,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// Where the prompt goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    NewThread,
    Thread(ThreadId),
    /// Into a turn that is under way.
    Turn {
        thread: ThreadId,
        turn: TurnId,
    },
}

impl Target {
    pub fn thread(&self) -> Option<&ThreadId> {
        match self {
            Target::NewThread => None,
            Target::Thread(thread) | Target::Turn { thread, .. } => Some(thread),
        }
    }
}

/// What codex is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// A turn: what to say, a review, a compaction.
    Turn,
    /// Only the thread: a copy of another one.
    Thread,
    /// To put the thread away, or to take it out again.
    Move(Move),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Move {
    Archive,
    Unarchive,
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
    /// The turn was interrupted. Commands that it started may live on, so what it holds is kept until they are gone, or
    /// until a moment that is not waited beyond.
    Cleaning { end: TurnEnd, until: Timestamp },
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
    /// Being put away or taken out. Harmless to repeat.
    MovingThread {
        thread: ThreadId,
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
        /// When it was named: a limit on its life counts from here.
        #[serde(default)]
        since: Timestamp,
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
        /// A turn that is being taken out of the history first.
        #[serde(default)]
        remnant: Option<TurnId>,
    },
    /// To be said into a turn that is under way. `sent`: it may be on its way.
    Steering {
        thread: ThreadId,
        turn: TurnId,
        sent: bool,
    },
    /// Said or not? Being looked up.
    SteerUnresolved {
        thread: ThreadId,
        turn: TurnId,
    },
    /// Our message is in the turn, and what becomes of that becomes of us.
    Following {
        thread: ThreadId,
        turn: TurnId,
    },
    Ended {
        outcome: Outcome,
        at: Timestamp,
    },
}

/// The history could not be put right, so the message is not sent a second time into it.
const IN_HISTORY: SafeText = SafeText::fixed(
    "codex died while it took the prompt, which may stand in the thread without an answer; look at the thread, then say it again",
);

/// What `step` must know besides the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    pub now: Timestamp,
    /// The operation made (or makes) its own thread.
    pub own_thread: bool,
    pub asks: Asks,
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
            (S::Queued { target: Target::Thread(thread), tries, .. }, Event::Granted) => match facts.asks {
                Asks::Turn | Asks::Thread => send(thread, tries, false),
                Asks::Move(to) => move_thread(thread, tries, to),
            },
            (S::Queued { target: Target::Turn { thread, turn }, .. }, Event::Granted) => steer::steer(thread, turn),
            (S::Queued { .. } | S::CreatingThread { .. } | S::Steering { sent: false, .. }, Event::StopAsked(stop)) => {
                ended(cancelled(stop), facts)
            }
            (S::Queued { .. }, Event::FirstFailed { first }) => ended(Outcome::NotRun { first }, facts),

            (S::CreatingThread { .. }, Event::ThreadCreated { .. }) if facts.asks == Asks::Thread => ended(Outcome::Completed, facts),
            (S::CreatingThread { tries }, Event::ThreadCreated { thread }) => send(thread, tries, true),
            (S::CreatingThread { tries }, Event::Refused(refusal)) => put_back(Target::NewThread, tries, refusal, facts),
            (S::CreatingThread { tries }, Event::ServerLost) => put_back(Target::NewThread, tries, Refusal::NotReady, facts),

            (S::MovingThread { .. }, Event::ThreadMoved) => ended(Outcome::Completed, facts),
            (S::MovingThread { thread, tries }, Event::Refused(refusal)) => not_moved(thread, tries, refusal, facts),

            (S::StartingTurn { thread, tries, stop }, Event::TurnAccepted { turn }) => accept(thread, turn, tries, stop, facts),
            (S::StartingTurn { thread, tries, stop }, Event::Refused(refusal)) => refuse_turn(thread, tries, stop, refusal, facts),
            (S::StartingTurn { thread, stop, .. } | S::Unresolved { thread, stop, .. }, Event::MessageSeen { turn }) => {
                run(thread, turn, facts.now, stop)
            }
            (S::Accepted { thread, since, stop, .. }, Event::MessageSeen { turn }) => run(thread, turn, since, stop),
            (
                S::StartingTurn { thread, tries, stop }
                | S::Accepted { thread, tries, stop, .. }
                | S::Unresolved { thread, tries, stop, .. },
                Event::ServerLost,
            ) => unresolved(thread, tries, stop),

            // Over without our message: a hook refused the prompt (PROTOCOL 5), or the turn was cut before it.
            (S::Accepted { turn, stop, .. }, Event::TurnEnded { turn: over, end }) if turn == over => {
                ended(outcome_unseen(end, stop), facts)
            }
            (S::Running { thread, turn, since, stop, heard: Heard::All }, Event::TurnEnded { turn: seen, end }) if turn == seen => {
                over(thread, turn, since, stop, end, facts)
            }
            (S::Running { stop, heard: Heard::Cleaning { end, .. }, .. }, Event::Cleaned) => ended(outcome(end, stop), facts),
            // Its moment has passed.
            (S::Running { heard: Heard::Cleaning { .. }, .. }, Event::StopAsked(Stop::ByLimit)) => {
                ended(Outcome::Interrupted { by: InterruptedBy::CommandsLeft }, facts)
            }
            (S::Running { thread, turn, since, stop, heard: heard @ Heard::Cleaning { .. } }, Event::ServerLost) => Ok(Step {
                effects: vec![Effect::CleanTerminals { thread: thread.clone() }],
                next: S::Running { thread, turn, since, stop, heard },
            }),
            (S::Running { thread, turn, since, stop, heard: Heard::Gap }, Event::TurnEnded { turn: over, end }) if turn == over => {
                stay(S::Running { thread, turn, since, stop, heard: Heard::GapThenEnd(end) })
            }

            (S::Unresolved { thread, tries, stop, .. }, Event::ThreadIdle | Event::TurnEnded { .. }) => unresolved(thread, tries, stop),
            (S::Unresolved { thread, tries, stop, .. }, Event::LookedUp(finding)) => resolve(thread, tries, stop, finding, facts),
            (S::Unresolved { thread, tries, stop, remnant: Some(_) }, Event::Reverted) => {
                resolve(thread, tries, stop, Finding::Absent, facts)
            }
            (S::Unresolved { remnant: Some(_), stop: Stop::NotAsked, .. }, Event::Refused(_)) => {
                failed(ErrorCode::SendFailed, IN_HISTORY, facts)
            }
            // It will not be sent again, so what stands in the history does no harm.
            (S::Unresolved { remnant: Some(_), stop, .. }, Event::Refused(_)) => ended(cancelled(stop), facts),

            (S::Running { thread, turn, since, stop, heard }, Event::ServerLost | Event::InterruptRefused)
                if !matches!(heard, Heard::Cleaning { .. }) =>
            {
                let heard = if heard == Heard::All { Heard::Gap } else { heard };
                look_up(S::Running { thread: thread.clone(), turn: turn.clone(), since, stop, heard }, thread, Some(turn))
            }
            (S::Running { thread, turn, since, stop, heard: Heard::GapThenEnd(end) }, Event::LookedUp(finding)) => match finding {
                Finding::Turn { turn: seen, end: Some(listed) } if seen == turn => over(thread, turn, since, stop, listed, facts),
                // It was read before the end came, which was heard by itself.
                Finding::Turn { .. }
                | Finding::ActiveUnlisted
                | Finding::Absent
                | Finding::Remnant { .. }
                | Finding::NoRollout
                | Finding::Unreadable => over(thread, turn, since, stop, end, facts),
            },
            (S::Running { thread, turn, since, stop, heard }, Event::LookedUp(finding)) if !matches!(heard, Heard::Cleaning { .. }) => {
                still_running(thread, turn, since, stop, finding, facts)
            }
            (S::Running { thread, turn, since, stop: Stop::NotAsked, heard }, Event::StopAsked(stop))
                if !matches!(heard, Heard::Cleaning { .. }) =>
            {
                Ok(Step {
                    effects: vec![Effect::Interrupt { thread: thread.clone(), turn: turn.clone() }],
                    next: S::Running { thread, turn, since, stop, heard },
                })
            }
            (S::StartingTurn { thread, tries, stop: Stop::NotAsked }, Event::StopAsked(stop)) => {
                stay(S::StartingTurn { thread, tries, stop })
            }
            // It may not have begun: then codex says that there is no such turn, and is asked again.
            (S::Accepted { thread, turn, since, tries, stop: Stop::NotAsked }, Event::StopAsked(stop)) => Ok(Step {
                effects: vec![Effect::Interrupt { thread: thread.clone(), turn: turn.clone() }],
                next: S::Accepted { thread, turn, since, tries, stop },
            }),
            (S::Accepted { thread, turn, since, tries, stop }, Event::InterruptRefused) if stop != Stop::NotAsked => Ok(Step {
                effects: vec![Effect::Interrupt { thread: thread.clone(), turn: turn.clone() }],
                next: S::Accepted { thread, turn, since, tries, stop },
            }),
            (S::Unresolved { thread, tries, stop: Stop::NotAsked, remnant }, Event::StopAsked(stop)) => {
                stay(S::Unresolved { thread, tries, stop, remnant })
            }

            (S::Steering { thread, turn, .. }, Event::Sending) => stay(S::Steering { thread, turn, sent: true }),
            (S::Steering { thread, turn, .. }, Event::Refused(refusal)) => steer::refused(thread, turn, refusal, facts),
            (S::Steering { turn, thread, .. } | S::SteerUnresolved { turn, thread }, Event::MessageSeen { turn: seen }) if seen == turn => {
                stay(S::Following { thread, turn })
            }
            (S::Steering { sent: false, .. }, Event::TargetEnded { .. }) => steer::too_late(facts),
            (S::Steering { thread, turn, sent: true }, Event::ServerLost | Event::TargetEnded { .. })
            | (S::SteerUnresolved { thread, turn }, Event::ServerLost | Event::TargetEnded { .. } | Event::ThreadIdle) => {
                look_up(S::SteerUnresolved { thread: thread.clone(), turn }, thread, None)
            }
            (S::SteerUnresolved { thread, turn }, Event::LookedUp(finding)) => steer::resolve(thread, turn, finding, facts),
            (S::Following { .. }, Event::TargetEnded { outcome }) => ended(outcome, facts),

            // Named one by one, so that a new event does not compile until someone decides.
            (
                _,
                Event::Granted
                | Event::ThreadCreated { .. }
                | Event::ThreadMoved
                | Event::Sending
                | Event::TargetEnded { .. }
                | Event::TurnAccepted { .. }
                | Event::MessageSeen { .. }
                | Event::TurnEnded { .. }
                | Event::Refused(_)
                | Event::ServerLost
                | Event::LookedUp(_)
                | Event::Reverted
                | Event::Cleaned
                | Event::ThreadIdle
                | Event::StopAsked(_)
                | Event::InterruptRefused
                | Event::FirstFailed { .. },
            ) => Err(refused),
        }
    }
}

#[cfg(test)]
mod tests;
