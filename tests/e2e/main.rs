//! End to end: the real programs, the real codex, the shipped provider. One binary, many tests.

mod approvals;
mod links;
mod main_job;
mod operations;
mod random_kills;
mod recovery;
mod shim;
mod trust;

use tests::{
    codex,
    home::{Home, Programs},
};

/// A home with the programs under test.
async fn home() -> Home {
    let codex = codex::native(|words| eprintln!("{words}")).expect("the real codex is needed");
    let programs = Programs {
        daemon: env!("CARGO_BIN_EXE_daemon_twin").into(),
        shim: env!("CARGO_BIN_EXE_shim_twin").into(),
        codexcp: env!("CARGO_BIN_EXE_codexcp_twin").into(),
        codex,
    };
    Home::new(programs).await.expect("a home")
}
