//! End to end: the real programs, the real codex, the shipped provider. One binary, many tests.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod approvals;
#[cfg(target_os = "linux")]
mod attack;
mod command;
mod forks;
#[cfg(unix)]
mod goals;
mod history;
mod inputs;
mod lifecycle;
mod limits;
#[cfg(unix)]
mod links;
#[cfg(unix)]
mod look_up;
mod main_job;
mod operations;
#[cfg(unix)]
mod people;
mod provider_limit;
mod random_kills;
mod recovery;
mod reviews;
mod schedule;
#[cfg(target_os = "linux")]
mod service;
mod shim;
mod steers;
#[cfg(target_os = "linux")]
mod surroundings;
#[cfg(unix)]
mod trust;
mod workflows;

use tests::{
    codex,
    home::{Home, Programs},
};

/// A home with the programs under test.
async fn home() -> Home {
    let codex = codex::native(tell).expect("the real codex is needed");
    let programs = Programs {
        daemon: env!("CARGO_BIN_EXE_daemon_twin").into(),
        shim: env!("CARGO_BIN_EXE_shim_twin").into(),
        codexcp: env!("CARGO_BIN_EXE_codexcp_twin").into(),
        codex,
    };
    Home::new(programs).await.expect("a home")
}

fn tell(words: &str) {
    use std::io::Write;
    drop(writeln!(std::io::stderr(), "{words}"));
}
