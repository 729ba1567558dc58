//! A prompt that goes into a turn under way. It has no turn of its own: it is in the target's or nowhere, it is never sent
//! twice, and it ends with the target. Proven by the message in the turn, like any other (PROTOCOL 4).

use super::{
    Facts, Finding, Operation, Outcome, Refusal, Refused, Step,
    steps::{ended, failed, stay},
};
use crate::effect::Effect;
use common::{
    error::ErrorCode,
    ids::{ThreadId, TurnId},
    safe::{Redactor, SafeText},
};

pub(super) fn steer(thread: ThreadId, turn: TurnId) -> Result<Step, Refused> {
    let effects = vec![Effect::Steer { thread: thread.clone(), turn: turn.clone() }];
    Ok(Step { next: Operation::Steering { thread, turn, sent: false }, effects })
}

/// A refusal proves that it is not in the turn.
pub(super) fn refused(thread: ThreadId, turn: TurnId, refusal: Refusal, facts: Facts) -> Result<Step, Refused> {
    match refusal {
        Refusal::NotReady | Refusal::HeldElsewhere | Refusal::ThreadBusy => steer(thread, turn),
        Refusal::ThreadGone => too_late(facts),
        Refusal::Final { code, message } => failed(code, message, facts),
    }
}

pub(super) fn resolve(thread: ThreadId, turn: TurnId, finding: Finding, facts: Facts) -> Result<Step, Refused> {
    match finding {
        Finding::Turn { turn: seen, .. } if seen == turn => stay(Operation::Following { thread, turn }),
        Finding::Turn { turn: seen, .. } => {
            let message = Redactor.text(&format!("the message went into another turn, {seen}; read it with codex_get_turn_status"));
            failed(ErrorCode::SendFailed, message, facts)
        }
        // It may still come up: the turn takes it when the command that runs now is over.
        Finding::ActiveUnlisted => stay(Operation::SteerUnresolved { thread, turn }),
        Finding::Absent | Finding::Remnant { .. } | Finding::NoRollout => too_late(facts),
        Finding::Unreadable => ended(Outcome::Unknown, facts),
    }
}

pub(super) fn too_late(facts: Facts) -> Result<Step, Refused> {
    let message = SafeText::fixed("could not steer the turn: it ended before the message reached it; send it with send_message");
    failed(ErrorCode::SendFailed, message, facts)
}
