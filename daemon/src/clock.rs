//! The only clock. Everything else is given the time. Two kinds of it: the wall's, which is stored and shown and which somebody
//! may set, and a steady one, which only goes on and tells when the other was set.

use common::time::{Millis, Timestamp};
use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

/// The system's clock, or one that a test moves by hand.
#[derive(Debug, Clone)]
pub enum Clock {
    System,
    Manual(Arc<Hands>),
}

/// Of a clock that is moved by hand.
#[derive(Debug, Default)]
pub struct Hands {
    pub wall: AtomicI64,
    pub steady: AtomicI64,
}

/// Both at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    pub wall: Timestamp,
    /// Since some moment of this process; stands still while the machine sleeps.
    pub steady: Millis,
}

impl Clock {
    pub fn now(&self) -> Timestamp {
        self.read().wall
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub fn read(&self) -> Reading {
        static BEGAN: OnceLock<Instant> = OnceLock::new();
        let millis = |length: std::time::Duration| i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        match self {
            Clock::System => {
                let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
                let steady = BEGAN.get_or_init(Instant::now).elapsed();
                Reading { wall: Timestamp(millis(since)), steady: Millis(millis(steady)) }
            }
            Clock::Manual(hands) => {
                Reading { wall: Timestamp(hands.wall.load(Ordering::SeqCst)), steady: Millis(hands.steady.load(Ordering::SeqCst)) }
            }
        }
    }
}

/// Of the wall clock before the steady one: changes when the wall clock is set, or when the machine slept.
#[derive(Debug, Clone, Copy)]
pub struct Lead(Millis);

/// Less than this is the clock being kept right, not being set.
const SET_MS_MIN: i64 = 2_000;

impl Lead {
    pub fn of(now: Reading) -> Lead {
        Lead(Millis(now.wall.0.saturating_sub(now.steady.0)))
    }

    /// By how much the clock was set since; negative: back.
    pub fn set_by(self, now: Reading) -> Option<Millis> {
        let by = Lead::of(now).0.0.saturating_sub(self.0.0);
        (by.abs() >= SET_MS_MIN).then_some(Millis(by))
    }
}

/// ISO 8601, UTC, milliseconds: how the contract writes times (BEHAVIOUR 4).
pub fn iso(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |t| format!("{t:.3}"))
}

/// A moment as people and programs write it (RFC 3339).
pub fn parse(text: &str) -> Option<Timestamp> {
    text.trim().parse::<jiff::Timestamp>().ok().map(|at| Timestamp(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_is_noticed_and_one_that_is_kept_right_is_not() {
        let at = |wall, steady| Reading { wall: Timestamp(wall), steady: Millis(steady) };
        let lead = Lead::of(at(1_000_000, 50));
        assert_eq!(lead.set_by(at(1_900_000, 900_050)), None);
        assert_eq!(lead.set_by(at(1_001_500, 50)), None);
        assert_eq!(lead.set_by(at(259_200_000 + 1_000_100, 150)), Some(Millis(259_200_000)));
        assert_eq!(lead.set_by(at(400_000, 50)), Some(Millis(-600_000)));
    }
}
