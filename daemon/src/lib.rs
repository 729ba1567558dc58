//! The daemon: owns the app-server, the schedule and the state. `main_impl` is the whole program.

mod app;
pub mod appserver;
pub mod clock;
pub mod config;
pub mod descriptors;
#[cfg(unix)]
mod detach;
mod drive;
pub mod engine;
pub mod ipc;
pub mod mcp;
mod own;
pub mod projects;
mod retention;
mod service;
pub mod store;
pub mod telemetry;
pub mod tools;

use clap::Parser;
use common::place::Place;
use std::{io::Write, path::PathBuf, process::ExitCode};

/// The daemon of the Codex control plane, in the foreground. Stopped by SIGTERM or `codexcp daemon stop`.
#[derive(Parser)]
#[command(name = "codexcp-daemon", version)]
struct Arguments {
    /// Set one value of the configuration, e.g. --set limits.turns_active_max=2
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// The home, whatever CODEXCP_HOME says
    #[arg(long, value_name = "DIR")]
    home: Option<PathBuf>,
    /// Only for the service manager, which this speaks to
    #[cfg(windows)]
    #[arg(long, hide = true)]
    service: bool,
    /// Only for whoever starts a daemon and goes on: start it as nobody's child, and end
    #[cfg(unix)]
    #[arg(long, hide = true)]
    detached: bool,
    /// Only for the process that `--detached` starts
    #[cfg(unix)]
    #[arg(long, hide = true)]
    own_session: bool,
    /// Say what would keep the daemon from starting, if anything; start and change nothing
    #[arg(long)]
    check: bool,
}

pub fn main_impl() -> ExitCode {
    let arguments = Arguments::parse();
    #[cfg(unix)]
    if arguments.detached {
        return ended(detach::launch());
    }
    #[cfg(windows)]
    if arguments.service {
        return ended(service::as_windows_service(move || {
            let outcome = start(&arguments);
            if let (Err(error), Ok(place)) = (&outcome, place(&arguments)) {
                // Nobody else can be told, and without a folder nobody at all.
                let words = format!("codexcp-daemon: {error:#}\n");
                drop(std::fs::create_dir_all(&place.logs_dir).and_then(|()| std::fs::write(place.last_words(), words)));
            }
            outcome
        }));
    }
    ended(start(&arguments))
}

fn ended(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // stderr is for words; a daemon without one has nobody to tell.
            drop(writeln!(std::io::stderr(), "codexcp-daemon: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn place(arguments: &Arguments) -> anyhow::Result<Place> {
    Ok(match &arguments.home {
        Some(home) => Place::named(home),
        None => Place::from_environment()?,
    })
}

fn start(arguments: &Arguments) -> anyhow::Result<()> {
    let _points = fail::FailScenario::setup();
    #[cfg(unix)]
    if arguments.own_session {
        detach::own_session();
    }
    #[cfg(windows)]
    common::windows_handles::keep();
    let place = place(arguments)?;
    let config = config::resolve(&place, &arguments.set, &config::variable)?;
    if arguments.check {
        return app::check(&place, &config);
    }
    if common::ancestry::are_we_below() {
        anyhow::bail!("work that codex runs may not start a control plane; start the daemon from outside");
    }
    let handed_over = service::handed_over(&place)?;
    #[cfg(unix)]
    detach::keep_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(app::run(place, config, handed_over));
    // Connections of clients that wait are cut; they come again to the next daemon.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    outcome
}
