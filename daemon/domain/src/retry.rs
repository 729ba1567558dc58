//! How long to wait before trying again. Waits grow and are bounded; the caller adds no jitter of its own.

use common::time::Millis;

/// How often the same prompt may be *sent*. Each new send follows a proof that the one before was not run, so this
/// only ends a prompt that takes its app-server down every time before it is on disk.
pub const SENDS_MAX: u8 = 50;

/// Wait before attempt `attempt` (the first is 0).
pub fn back_off(attempt: u8) -> Millis {
    const TABLE_MS: [i64; 7] = [100, 250, 1_000, 2_000, 5_000, 15_000, 60_000];
    Millis(TABLE_MS[usize::from(attempt).min(TABLE_MS.len() - 1)])
}

/// Another process holds the thread: look again after this long.
pub const HELD_ELSEWHERE_WAIT: Millis = Millis(5_000);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_never_shrink_and_end_at_a_minute() {
        let waits: Vec<_> = (0..=u8::MAX).map(back_off).collect();
        assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(waits.last(), Some(&Millis(60_000)));
    }
}
