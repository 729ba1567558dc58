//! Times of one thing done many times, and what is said about them. Keeps every time; leaves none out.

use std::time::{Duration, Instant};

#[derive(Default)]
pub struct Sample(Vec<Duration>);

impl Sample {
    pub fn with_capacity(count: usize) -> Sample {
        Sample(Vec::with_capacity(count))
    }

    pub fn add(&mut self, one: Duration) {
        self.0.push(one);
    }

    /// How long `work` takes.
    pub fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let out = work();
        self.add(begun.elapsed());
        out
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Milliseconds; `share` is 0.5 for the median. 0 of an empty sample.
    pub fn ms(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        // A place in a list of a few thousand.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "small and positive")]
        let at = (last as f64 * share).round() as usize;
        sorted.get(at).map_or(0.0, |one| one.as_secs_f64() * 1000.0)
    }

    pub fn p50(&self) -> f64 {
        self.ms(0.5)
    }

    pub fn p99(&self) -> f64 {
        self.ms(0.99)
    }
}
