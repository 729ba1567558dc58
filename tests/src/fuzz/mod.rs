//! Fuzzing of everything that reads bytes of others: one target a reader, each through the daemon's and the shim's own
//! code. Inputs are made from a corpus in git by chance with a seed, so every run can be repeated on a stable compiler.
//! Never tests against copies of the code, and keeps no input that has not failed.

mod json;
pub mod memory;
mod mutate;
mod random;
mod run;
mod supervise;
mod targets;
mod world;

pub use run::{Draw, work};
pub use supervise::{Order, REFUSED, Tally, supervise};
pub use targets::TARGETS;

use std::path::PathBuf;

/// One reader of bytes.
pub struct Target {
    /// Also the name of its folder in the corpus.
    pub name: &'static str,
    pub about: &'static str,
    /// How many of 100 inputs it gets: the slow ones get fewer.
    pub share: u64,
    pub held: Held,
    /// Words that its reader knows.
    pub words: &'static [&'static str],
    /// Most lines of an input are JSON.
    pub json: bool,
    /// More inputs to begin with than the corpus has, from files that are in git for other reasons.
    pub seeds: fn() -> Vec<Vec<u8>>,
    pub hard: &'static [Hard],
    pub start: fn() -> anyhow::Result<Box<dyn Reads>>,
}

/// Too long for git, so it is made when it is needed: what it is, and how.
pub type Hard = (&'static str, fn() -> Vec<u8>);

/// How much memory an input may cost.
pub struct Held {
    /// At once while it is read, whatever its length.
    pub bytes_max: usize,
    /// At once while it is read, for each byte of it.
    pub per_byte_max: usize,
    /// At once while it is read, however long it is.
    pub in_all_max: usize,
    /// By all inputs that one world has read, after they were read.
    pub kept_bytes_max: usize,
}

/// A world of its own with the reader in it.
pub trait Reads {
    /// `Err` says what should not have come of this input. A panic anywhere in the process counts as well.
    fn read(&mut self, input: &[u8]) -> Result<(), String>;

    /// Inputs that were given up because they waited for something, as they may.
    fn waited(&self) -> u64 {
        0
    }
}

/// The corpus of all targets.
pub fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}
