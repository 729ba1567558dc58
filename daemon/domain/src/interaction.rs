//! A question of the app-server to a person: approval, file change, permission, question, elicitation.
//! Bound to one life of the app-server: what a dead process asked is never answered to another.

use common::time::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Interaction {
    /// Waits; `expires` only where the configuration sets a limit (ARCHITECTURE 21.9).
    Pending {
        expires: Option<Timestamp>,
    },
    /// Decided and stored, not yet known to have arrived.
    Answering {
        by: AnsweredBy,
    },
    Settled {
        how: Settled,
        at: Timestamp,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnsweredBy {
    Caller,
    /// The configured time passed; the default answer is sent.
    TimeOut,
    /// A rule of the configuration.
    Rule,
    /// A kind of request this version does not know: declined at once.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settled {
    Answered,
    AutoDeclined,
    /// The turn ended or another client answered first.
    Withdrawn,
    /// The process that asked is gone.
    Orphaned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    Answered(AnsweredBy),
    /// The response was written to the connection, or the app-server said that the request is resolved.
    Delivered,
    /// `serverRequest/resolved` without an answer of ours, or the end of its turn.
    Withdrawn,
    ProcessGone,
    /// The answer was kept in memory alone, and the daemon that had it is gone.
    Forgotten {
        expires: Option<Timestamp>,
    },
}

/// The interaction is past that point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the interaction is no longer waiting for this")]
pub struct Refused;

impl Interaction {
    /// The next state; `Answering` asks for the effect that delivers the answer.
    pub fn step(self, event: Event, now: Timestamp) -> Result<Interaction, Refused> {
        use Interaction as S;
        let settled = |how| Ok(S::Settled { how, at: now });
        match (self, event) {
            (S::Pending { .. }, Event::Answered(by)) => Ok(S::Answering { by }),
            (S::Answering { by: AnsweredBy::Caller | AnsweredBy::Rule }, Event::Delivered) => settled(Settled::Answered),
            (S::Answering { by: AnsweredBy::TimeOut | AnsweredBy::Unknown }, Event::Delivered) => settled(Settled::AutoDeclined),
            (S::Pending { .. }, Event::Withdrawn | Event::Delivered) => settled(Settled::Withdrawn),
            (S::Answering { .. }, Event::Withdrawn) => settled(Settled::Withdrawn),
            (S::Pending { .. } | S::Answering { .. }, Event::ProcessGone) => settled(Settled::Orphaned),
            (S::Answering { .. }, Event::Forgotten { expires }) => Ok(S::Pending { expires }),
            (S::Answering { .. }, Event::Answered(_))
            | (S::Pending { .. }, Event::Forgotten { .. })
            | (
                S::Settled { .. },
                Event::Answered(_) | Event::Delivered | Event::Withdrawn | Event::ProcessGone | Event::Forgotten { .. },
            ) => Err(Refused),
        }
    }

    pub fn wake_at(&self) -> Option<Timestamp> {
        match self {
            Interaction::Pending { expires } => *expires,
            Interaction::Answering { .. } | Interaction::Settled { .. } => None,
        }
    }

    /// With another moment at which its time is over.
    pub fn with_expiry(self, change: impl FnOnce(Timestamp) -> Timestamp) -> Interaction {
        match self {
            Interaction::Pending { expires } => Interaction::Pending { expires: expires.map(change) },
            same @ (Interaction::Answering { .. } | Interaction::Settled { .. }) => same,
        }
    }

    pub fn is_pending(&self) -> bool {
        matches!(self, Interaction::Pending { .. })
    }

    /// The status word of the contract (BEHAVIOUR 6.3).
    pub fn word(&self) -> &'static str {
        match self {
            Interaction::Pending { .. } => "pending",
            Interaction::Answering { by: AnsweredBy::Caller | AnsweredBy::Rule } => "answered",
            Interaction::Answering { by: AnsweredBy::TimeOut | AnsweredBy::Unknown } => "auto_declined",
            Interaction::Settled { how, .. } => match how {
                Settled::Answered => "answered",
                Settled::AutoDeclined => "auto_declined",
                Settled::Withdrawn => "expired",
                Settled::Orphaned => "orphaned_after_app_server_exit",
            },
        }
    }

    /// The tag of the stored row.
    pub fn name(&self) -> &'static str {
        match self {
            Interaction::Pending { .. } => "pending",
            Interaction::Answering { .. } => "answering",
            Interaction::Settled { .. } => "settled",
        }
    }
}

/// What a pending interaction waits for, as a status of its operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Approval,
    Permissions,
    UserInput,
    Elicitation,
    Unknown,
}

impl Kind {
    /// Of a request method of PROTOCOL 7.
    pub fn of_method(method: &str) -> Kind {
        match method {
            "item/commandExecution/requestApproval" | "item/fileChange/requestApproval" => Kind::Approval,
            "item/permissions/requestApproval" => Kind::Permissions,
            "item/tool/requestUserInput" | "tool/requestUserInput" => Kind::UserInput,
            "mcpServer/elicitation/request" => Kind::Elicitation,
            _ => Kind::Unknown,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Kind::Approval => "approval",
            Kind::Permissions => "permissions",
            Kind::UserInput => "user_input",
            Kind::Elicitation => "elicitation",
            Kind::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events() -> impl Strategy<Value = Event> {
        prop_oneof![
            Just(Event::Answered(AnsweredBy::Caller)),
            Just(Event::Answered(AnsweredBy::TimeOut)),
            Just(Event::Delivered),
            Just(Event::Withdrawn),
            Just(Event::ProcessGone),
        ]
    }

    proptest! {
        #[test]
        fn an_interaction_is_decided_at_most_once_and_stays_settled(sequence in prop::collection::vec(events(), 0..12)) {
            let mut state = Interaction::Pending { expires: None };
            let mut decisions = 0;
            for (at, event) in sequence.into_iter().enumerate() {
                let before = state.clone();
                let Ok(next) = state.clone().step(event, Timestamp(at as i64)) else { continue };
                if matches!(event, Event::Answered(_)) {
                    decisions += 1;
                }
                let was_settled = matches!(before, Interaction::Settled { .. });
                prop_assert!(!was_settled);
                state = next;
            }
            prop_assert!(decisions <= 1);
        }

        #[test]
        fn a_dead_process_leaves_no_interaction_open(sequence in prop::collection::vec(events(), 0..12)) {
            let mut state = Interaction::Pending { expires: None };
            for event in sequence {
                state = state.clone().step(event, Timestamp(1)).unwrap_or(state);
            }
            state = state.clone().step(Event::ProcessGone, Timestamp(2)).unwrap_or(state);
            let settled = matches!(state, Interaction::Settled { .. });
            prop_assert!(settled, "expected settled, got {:?}", state);
        }
    }
}
