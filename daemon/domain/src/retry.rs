//! How long to wait before trying again. Waits grow and are bounded; the caller adds no jitter of its own.

use common::time::{Millis, Timestamp};

/// How often the same prompt may be *sent*. Each new send follows a proof that the one before was not run, so this
/// only ends a prompt that takes its app-server down every time before it is on disk.
pub const SENDS_MAX: u8 = 50;

/// Wait before attempt `attempt` (the first is 0).
pub fn back_off(attempt: u8) -> Millis {
    const TABLE_MS: [i64; 7] = [100, 250, 1_000, 2_000, 5_000, 15_000, 60_000];
    Millis(TABLE_MS[usize::from(attempt).min(TABLE_MS.len() - 1)])
}

/// How long a history that cannot be read is asked for again before the outcome counts as unknown. An app-server that was
/// killed a moment ago, or has much to do, refuses for a while what it answers later; reading again does no harm.
pub const UNREADABLE_PATIENCE: Millis = Millis(10_000);

/// The longest wait there is. One that seems longer was written before the clock was set back.
pub const WAIT_MAX: Millis = Millis(60_000);

/// Whether a moment that was set as a wait has come, also over a clock that was set back.
pub fn is_due(at: Timestamp, now: Timestamp) -> bool {
    at <= now || at - now > WAIT_MAX
}

/// For the commands of an interrupted turn to be ended by codex, which takes moments.
pub const CLEANING_MAX: Millis = Millis(20_000);

/// Another process holds the thread: look again after this long.
pub const HELD_ELSEWHERE_WAIT: Millis = Millis(5_000);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_never_shrink_and_end_at_a_minute() {
        let waits: Vec<_> = (0..=u8::MAX).map(back_off).collect();
        assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(waits.last(), Some(&WAIT_MAX));
    }

    #[test]
    fn a_wait_does_not_grow_when_the_clock_is_set_back_by_days() {
        let now = Timestamp(1_000_000_000);
        assert!(!is_due(now + WAIT_MAX, now));
        assert!(is_due(now + Millis(86_400_000), now));
        assert!(is_due(now, now));
    }
}
