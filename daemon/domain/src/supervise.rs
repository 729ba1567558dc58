//! The life of the app-server process as we see it: stopped, starting, ready, backing off, given up.
//! Decides when to try again, never how.

use crate::retry::{back_off, is_due};
use common::{
    ids::Generation,
    safe::SafeText,
    time::{Millis, Timestamp},
};
use serde::{Deserialize, Serialize};

/// A process that lived this long was well: the count of failures starts again.
pub const CALM: Millis = Millis(60_000);
/// So many starts in a row without a calm minute, then a person must look.
pub const FAILURES_MAX: u8 = 8;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Server {
    Stopped,
    Starting {
        failures: u8,
        /// Of the failure that this start follows.
        #[serde(default)]
        why: Option<SafeText>,
    },
    Ready {
        generation: Generation,
        since: Timestamp,
        failures: u8,
    },
    BackingOff {
        until: Timestamp,
        failures: u8,
        why: SafeText,
    },
    /// Tried often enough; the next submit, or a restart of the daemon, tries once more.
    GivenUp {
        why: SafeText,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Work waits for it.
    Wanted,
    /// A caller asks anew: that also revives what was given up.
    Asked,
    Up {
        generation: Generation,
    },
    /// The process ended, or could not be started.
    Down {
        why: SafeText,
    },
    /// It was idle and was told to end, so that the next one reads its program and its login anew. No failure: the next
    /// work starts it.
    Replaced,
    Woken,
}

impl Server {
    pub fn step(self, event: Event, now: Timestamp) -> Server {
        match (self, event) {
            (Server::Stopped, Event::Wanted | Event::Asked) | (Server::GivenUp { .. }, Event::Asked) => {
                Server::Starting { failures: 0, why: None }
            }
            (Server::BackingOff { until, failures, why }, Event::Woken | Event::Wanted | Event::Asked) if is_due(until, now) => {
                Server::Starting { failures, why: Some(why) }
            }
            (Server::Starting { failures, .. }, Event::Up { generation }) => Server::Ready { generation, since: now, failures },
            (_, Event::Up { generation }) => Server::Ready { generation, since: now, failures: 0 },
            (Server::Starting { failures, .. }, Event::Down { why }) => failed(failures, why, now),
            (Server::Ready { since, failures, .. }, Event::Down { why }) => {
                failed(if now - since >= CALM { 0 } else { failures }, why, now)
            }
            (Server::Ready { .. } | Server::Starting { .. }, Event::Replaced) => Server::Stopped,
            (Server::Stopped, Event::Down { .. } | Event::Replaced | Event::Woken) => Server::Stopped,
            (same @ Server::Starting { .. }, Event::Wanted | Event::Asked | Event::Woken) => same,
            (same @ Server::Ready { .. }, Event::Wanted | Event::Asked | Event::Woken) => same,
            (same @ Server::BackingOff { .. }, Event::Wanted | Event::Asked | Event::Woken | Event::Down { .. } | Event::Replaced) => same,
            (same @ Server::GivenUp { .. }, Event::Wanted | Event::Down { .. } | Event::Replaced | Event::Woken) => same,
        }
    }

    /// Why it is not there, or was not a moment ago.
    pub fn why(&self) -> Option<&SafeText> {
        match self {
            Server::BackingOff { why, .. } | Server::GivenUp { why } => Some(why),
            Server::Starting { why, .. } => why.as_ref(),
            Server::Stopped | Server::Ready { .. } => None,
        }
    }

    pub fn wake_at(&self) -> Option<Timestamp> {
        match self {
            Server::BackingOff { until, .. } => Some(*until),
            Server::Stopped | Server::Starting { .. } | Server::Ready { .. } | Server::GivenUp { .. } => None,
        }
    }

    pub fn word(&self) -> &'static str {
        match self {
            Server::Stopped => "stopped",
            Server::Starting { .. } => "starting",
            Server::Ready { .. } => "ready",
            Server::BackingOff { .. } => "backing_off",
            Server::GivenUp { .. } => "given_up",
        }
    }
}

fn failed(failures: u8, why: SafeText, now: Timestamp) -> Server {
    let failures = failures.saturating_add(1);
    if failures >= FAILURES_MAX {
        return Server::GivenUp { why };
    }
    // The first loss is met at once: recovery must not wait for a process that only died once.
    let wait = if failures == 1 { Millis(0) } else { back_off(failures - 2) };
    Server::BackingOff { until: now + wait, failures, why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_server_that_is_started_again_still_says_why_until_it_is_up() {
        let why = SafeText::fixed("no such file");
        let down = Server::Starting { failures: 0, why: None }.step(Event::Down { why: why.clone() }, Timestamp(0));
        let again = down.step(Event::Woken, Timestamp(0));
        assert_eq!(again, Server::Starting { failures: 1, why: Some(why.clone()) });
        assert_eq!(again.why(), Some(&why));
        assert_eq!(again.step(Event::Up { generation: Generation(1) }, Timestamp(1)).why(), None);
    }

    #[test]
    fn a_server_that_is_replaced_again_and_again_has_not_failed_and_starts_when_it_is_wanted() {
        let mut server = Server::Stopped;
        for round in 0..20 {
            server = server.step(Event::Wanted, Timestamp(round));
            assert_eq!(server, Server::Starting { failures: 0, why: None });
            server = server.step(Event::Up { generation: Generation(round) }, Timestamp(round));
            server = server.step(Event::Replaced, Timestamp(round));
            assert_eq!(server.clone().step(Event::Woken, Timestamp(round)), Server::Stopped);
        }
    }

    proptest! {
        #[test]
        fn a_server_that_keeps_dying_is_given_up_and_tried_again_when_wanted(calm in any::<bool>()) {
            let mut server = Server::Stopped;
            let mut now = Timestamp(0);
            let mut starts = 0;
            for round in 0..20 {
                now = server.wake_at().unwrap_or(now).max(now);
                let wanted = if round == 0 { Event::Wanted } else { Event::Woken };
                server = server.step(wanted, now);
                if !matches!(server, Server::Starting { .. }) { break }
                starts += 1;
                server = server.step(Event::Up { generation: Generation(round) }, now);
                now = now + if calm { CALM } else { Millis(10) };
                server = server.step(Event::Down { why: SafeText::fixed("killed") }, now);
            }
            prop_assert_eq!(starts, if calm { 20 } else { FAILURES_MAX });
            if !calm {
                let given_up = matches!(server, Server::GivenUp { .. });
                prop_assert!(given_up);
                let again = matches!(server.step(Event::Asked, now), Server::Starting { failures: 0, .. });
                prop_assert!(again);
            }
        }
    }
}
