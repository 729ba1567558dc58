//! What the transitions of an operation do: the next state, and what is asked of the world with it. Which of them is taken
//! is for `Operation::step` to say.

use super::{
    Asks, Facts, Finding, Heard, Move, Operation, Outcome, QueuedReason, Refusal, Refused, Step, Stop, Target, Tries, TurnEnd,
    outcome::{cancelled, outcome},
};
use crate::{effect::Effect, retry};
use common::{
    error::ErrorCode,
    ids::{ThreadId, TurnId},
    safe::SafeText,
    time::Timestamp,
};

pub(super) fn stay(next: Operation) -> Result<Step, Refused> {
    Ok(Step { next, effects: Vec::new() })
}

pub(super) fn create_thread(tries: Tries) -> Result<Step, Refused> {
    Ok(Step { next: Operation::CreatingThread { tries }, effects: vec![Effect::StartThread] })
}

pub(super) fn move_thread(thread: ThreadId, tries: Tries, to: Move) -> Result<Step, Refused> {
    Ok(Step { effects: vec![Effect::MoveThread { thread: thread.clone(), to }], next: Operation::MovingThread { thread, tries } })
}

/// It never goes back to the queue: it takes no slot, and must not wait for any.
pub(super) fn not_moved(thread: ThreadId, tries: Tries, refusal: Refusal, facts: Facts) -> Result<Step, Refused> {
    match (refusal, facts.asks) {
        (Refusal::NotReady, Asks::Move(to)) => move_thread(thread, tries.refused(), to),
        (Refusal::HeldElsewhere | Refusal::ThreadBusy, _) => {
            let message = SafeText::fixed("could not move the thread: another codex has it open; close it there and call again");
            failed(ErrorCode::Busy, message, facts)
        }
        (other, _) => put_back(Target::Thread(thread), tries, other, facts),
    }
}

pub(super) fn send(thread: ThreadId, tries: Tries, fresh: bool) -> Result<Step, Refused> {
    Ok(Step {
        effects: vec![Effect::StartTurn { thread: thread.clone(), fresh }],
        next: Operation::StartingTurn { thread, tries: tries.sent(), stop: Stop::NotAsked },
    })
}

pub(super) fn look_up(next: Operation, thread: ThreadId, turn: Option<TurnId>) -> Result<Step, Refused> {
    Ok(Step { next, effects: vec![Effect::LookUp { thread, turn }] })
}

/// What becomes of it is looked up first.
pub(super) fn unresolved(thread: ThreadId, tries: Tries, stop: Stop) -> Result<Step, Refused> {
    look_up(Operation::Unresolved { thread: thread.clone(), tries, stop, remnant: None }, thread, None)
}

/// A stop that was asked before the turn had a name.
fn interrupt(stop: Stop, thread: &ThreadId, turn: &TurnId) -> Vec<Effect> {
    match stop {
        Stop::NotAsked => Vec::new(),
        Stop::ByCaller | Stop::ByLimit | Stop::Stalled => vec![Effect::Interrupt { thread: thread.clone(), turn: turn.clone() }],
    }
}

pub(super) fn accept(thread: ThreadId, turn: TurnId, tries: Tries, stop: Stop, facts: Facts) -> Result<Step, Refused> {
    let effects = interrupt(stop, &thread, &turn);
    Ok(Step { next: Operation::Accepted { thread, turn, since: facts.now, tries, stop }, effects })
}

pub(super) fn run(thread: ThreadId, turn: TurnId, since: Timestamp, stop: Stop) -> Result<Step, Refused> {
    let effects = interrupt(stop, &thread, &turn);
    Ok(Step { next: Operation::Running { thread, turn, since, stop, heard: Heard::All }, effects })
}

/// The turn has ended. One that was interrupted may have left commands behind, which are ended first; those of a process
/// that is gone went with it.
pub(super) fn over(thread: ThreadId, turn: TurnId, since: Timestamp, stop: Stop, end: TurnEnd, facts: Facts) -> Result<Step, Refused> {
    if end != (TurnEnd::Interrupted { process_gone: false }) {
        return ended(outcome(end, stop), facts);
    }
    let effects = vec![Effect::CleanTerminals { thread: thread.clone() }];
    let heard = Heard::Cleaning { end, until: facts.now + retry::CLEANING_MAX };
    Ok(Step { next: Operation::Running { thread, turn, since, stop, heard }, effects })
}

pub(super) fn ended(outcome: Outcome, facts: Facts) -> Result<Step, Refused> {
    stay(Operation::Ended { outcome, at: facts.now })
}

pub(super) fn failed(code: ErrorCode, message: SafeText, facts: Facts) -> Result<Step, Refused> {
    ended(Outcome::Failed { code, message }, facts)
}

/// Back to the queue after a refusal that proves nothing was run.
pub(super) fn put_back(target: Target, tries: Tries, refusal: Refusal, facts: Facts) -> Result<Step, Refused> {
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

pub(super) fn refuse_turn(thread: ThreadId, tries: Tries, stop: Stop, refusal: Refusal, facts: Facts) -> Result<Step, Refused> {
    if stop != Stop::NotAsked {
        return ended(cancelled(stop), facts);
    }
    match refusal {
        // A thread of ours that was never written down: make another.
        Refusal::ThreadGone if facts.own_thread => again_from_the_start(tries, facts),
        other => put_back(Target::Thread(thread), tries, other, facts),
    }
}

pub(super) fn again_from_the_start(tries: Tries, facts: Facts) -> Result<Step, Refused> {
    if tries.sends >= retry::SENDS_MAX {
        return too_often(facts);
    }
    create_thread(tries)
}

pub(super) fn too_often(facts: Facts) -> Result<Step, Refused> {
    let message = SafeText::fixed("could not hand the prompt to codex: the app-server was lost each time; see `codexcp doctor`");
    failed(ErrorCode::AppServerUnavailable, message, facts)
}

pub(super) fn resolve(thread: ThreadId, tries: Tries, stop: Stop, finding: Finding, facts: Facts) -> Result<Step, Refused> {
    match finding {
        Finding::Turn { turn, end: None } => run(thread, turn, facts.now, stop),
        Finding::Turn { turn, end: Some(end) } => over(thread, turn, facts.now, stop, end, facts),
        Finding::ActiveUnlisted => stay(Operation::Unresolved { thread, tries, stop, remnant: None }),
        // Out of the history first, whether it is said again or called off.
        Finding::Remnant { turn } => Ok(Step {
            effects: vec![Effect::Revert { thread: thread.clone(), turn: turn.clone() }],
            next: Operation::Unresolved { thread, tries, stop, remnant: Some(turn) },
        }),
        Finding::Absent | Finding::NoRollout if stop != Stop::NotAsked => ended(cancelled(stop), facts),
        Finding::Absent if tries.sends >= retry::SENDS_MAX => too_often(facts),
        Finding::Absent => send(thread, tries, false),
        Finding::NoRollout if facts.own_thread => again_from_the_start(tries, facts),
        Finding::NoRollout => put_back(Target::Thread(thread), tries, Refusal::ThreadGone, facts),
        Finding::Unreadable => ended(Outcome::Unknown, facts),
    }
}

pub(super) fn still_running(
    thread: ThreadId,
    turn: TurnId,
    since: Timestamp,
    stop: Stop,
    finding: Finding,
    facts: Facts,
) -> Result<Step, Refused> {
    match finding {
        Finding::Turn { turn: seen, end: Some(end) } if seen == turn => over(thread, turn, since, stop, end, facts),
        Finding::Turn { turn: seen, end: None } if seen == turn => {
            // The interrupt may have been lost with the old connection; asking again does no harm.
            let effects = interrupt(stop, &thread, &turn);
            Ok(Step { next: Operation::Running { thread, turn, since, stop, heard: Heard::All }, effects })
        }
        // The turn was on disk once; that it cannot be read now is not an ending we know.
        Finding::Turn { .. }
        | Finding::ActiveUnlisted
        | Finding::Absent
        | Finding::Remnant { .. }
        | Finding::NoRollout
        | Finding::Unreadable => ended(Outcome::Unknown, facts),
    }
}
