//! The same world over a great many steps, each a cause that is applied: `CODEXCP_STEPS` says how many (`.ci/run`: a
//! million). Each world has a seed of its own, which is printed where it fails.

use super::{World, step};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

/// Things that happen in one of them; each is a cause or several.
const ACTIONS_A_WORLD: usize = 120;

#[expect(clippy::disallowed_methods, reason = "a test may be told how much it is to do")]
fn steps_wanted() -> u64 {
    std::env::var("CODEXCP_STEPS").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000)
}

/// Says which world it was.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("the world of seed {} failed", self.0);
        }
    }
}

/// A small generator of our own (splitmix): the choices must be repeatable, not good.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// How many causes it was.
fn live_through(seed: u64) -> u64 {
    let _named = Seed(seed);
    let mut choices = seed;
    let mut world = World::new();
    for _ in 0..ACTIONS_A_WORLD {
        let [action, detail, ..] = next(&mut choices).to_le_bytes();
        step(&mut world, action, detail);
        world.check();
    }
    world.heal();
    world.check();
    world.endings_are_true();
    world.causes
}

/// Seeds that once failed.
const SEEDS: &[u64] = &[1052];

#[test]
fn worlds_that_once_failed_hold() {
    for seed in SEEDS {
        live_through(*seed);
    }
}

#[test]
fn a_great_many_steps_lose_nothing_repeat_nothing_and_tell_nothing_wrong() {
    let (begun, seeds, steps, wanted) = (Instant::now(), AtomicU64::new(0), AtomicU64::new(0), steps_wanted());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while steps.load(Ordering::Relaxed) < wanted {
                    let lived = live_through(seeds.fetch_add(1, Ordering::Relaxed));
                    steps.fetch_add(lived, Ordering::Relaxed);
                }
            });
        }
    });
    let (steps, worlds) = (steps.into_inner(), seeds.into_inner());
    println!("{steps} steps in {worlds} worlds (seeds 0 to {}), {:.1} s", worlds - 1, begun.elapsed().as_secs_f64());
}
