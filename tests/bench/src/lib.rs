//! What the rows of `docs/performance.md` are measured with: the programs as users build them, homes with a scripted
//! app-server, clients that cost little themselves, floors of the machine, and the table.
//! Measures and prints; it never fails because something is slow.

#![cfg(target_os = "linux")]

pub mod client;
pub mod fake_codex;
pub mod fill;
pub mod floor;
pub mod home;
pub mod machine;
pub mod process;
pub mod programs;
pub mod sample;
pub mod table;

pub use sample::Sample;
pub use table::{Figure, Goal, Unit};

/// What a row is measured on.
#[derive(Clone)]
pub struct Ground {
    pub programs: programs::Programs,
    /// A database with many finished operations, if this is the second round.
    pub filled: Option<std::path::PathBuf>,
    /// On the disk that is measured.
    pub folder: std::path::PathBuf,
}
