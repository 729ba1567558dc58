//! The life of the app-server process as we see it: stopped, starting, ready, backing off.
//! Decides when to try again, never how. While work waits it is tried for ever, every minute at last.

use crate::retry::{back_off, is_due};
use common::{
    ids::Generation,
    safe::SafeText,
    time::{Millis, Timestamp},
};
use serde::{Deserialize, Serialize};

/// A process that lived this long was well: the count of failures starts again.
pub const CALM: Millis = Millis(60_000);
/// So many failures in a row without a calm minute, and a person should look.
pub const FAILURES_MANY: u8 = 8;

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
    #[serde(alias = "given_up")]
    BackingOff {
        #[serde(default)]
        until: Timestamp,
        #[serde(default)]
        failures: u8,
        why: SafeText,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Work waits for it.
    Wanted,
    /// A caller asks anew.
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
    /// A pause is over, and nothing waits for it.
    NotWanted,
}

impl Server {
    pub fn step(self, event: Event, now: Timestamp) -> Server {
        match (self, event) {
            (Server::Stopped, Event::Wanted | Event::Asked) => Server::Starting { failures: 0, why: None },
            (Server::BackingOff { until, failures, why }, Event::Woken | Event::Wanted | Event::Asked) if is_due(until, now) => {
                Server::Starting { failures, why: Some(why) }
            }
            (Server::BackingOff { until, .. }, Event::NotWanted) if is_due(until, now) => Server::Stopped,
            (Server::Starting { failures, .. }, Event::Up { generation }) => Server::Ready { generation, since: now, failures },
            (_, Event::Up { generation }) => Server::Ready { generation, since: now, failures: 0 },
            (Server::Starting { failures, .. }, Event::Down { why }) => failed(failures, why, now),
            (Server::Ready { since, failures, .. }, Event::Down { why }) => {
                failed(if now - since >= CALM { 0 } else { failures }, why, now)
            }
            (Server::Ready { .. } | Server::Starting { .. }, Event::Replaced) => Server::Stopped,
            (Server::Stopped, Event::Down { .. } | Event::Replaced | Event::Woken | Event::NotWanted) => Server::Stopped,
            (same @ (Server::Starting { .. } | Server::Ready { .. }), Event::Wanted | Event::Asked | Event::Woken | Event::NotWanted) => {
                same
            }
            (
                same @ Server::BackingOff { .. },
                Event::Wanted | Event::Asked | Event::Woken | Event::NotWanted | Event::Down { .. } | Event::Replaced,
            ) => same,
        }
    }

    /// Why it is not there, or was not a moment ago.
    pub fn why(&self) -> Option<&SafeText> {
        match self {
            Server::BackingOff { why, .. } => Some(why),
            Server::Starting { why, .. } => why.as_ref(),
            Server::Stopped | Server::Ready { .. } => None,
        }
    }

    pub fn wake_at(&self) -> Option<Timestamp> {
        match self {
            Server::BackingOff { until, .. } => Some(*until),
            Server::Stopped | Server::Starting { .. } | Server::Ready { .. } => None,
        }
    }

    pub fn word(&self) -> &'static str {
        match self {
            Server::Stopped => "stopped",
            Server::Starting { .. } => "starting",
            Server::Ready { .. } => "ready",
            Server::BackingOff { .. } => "backing_off",
        }
    }
}

fn failed(failures: u8, why: SafeText, now: Timestamp) -> Server {
    let failures = failures.saturating_add(1);
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
        fn a_server_that_keeps_dying_is_tried_for_ever_and_at_last_every_minute(calm in any::<bool>(), rounds in 10_i64..200) {
            let mut server = Server::Stopped;
            let mut now = Timestamp(0);
            let mut pause = Millis(0);
            for round in 0..rounds {
                let due = server.wake_at().unwrap_or(now).max(now);
                (pause, now) = (due - now, due);
                let wanted = if round == 0 { Event::Wanted } else { Event::Woken };
                server = server.step(wanted, now);
                let starting = matches!(server, Server::Starting { .. });
                prop_assert!(starting);
                server = server.step(Event::Up { generation: Generation(round) }, now);
                now = now + if calm { CALM } else { Millis(10) };
                server = server.step(Event::Down { why: SafeText::fixed("killed") }, now);
            }
            prop_assert_eq!(pause, if calm { Millis(0) } else { Millis(60_000) });
            let unwanted = server.clone().step(Event::NotWanted, server.wake_at().unwrap());
            prop_assert_eq!(unwanted, Server::Stopped);
        }
    }
}
