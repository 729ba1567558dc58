//! The admin command. stdout carries data, stderr words, and the exit code says how it went. It calls the daemon's
//! tools by name and decides nothing that the daemon decides; only `output` writes.

mod arguments;
mod commands;
mod daemon;
mod exit;
mod ids;
mod live;
mod output;
mod question;
mod views;

use arguments::Arguments;
use clap::Parser;
use common::place::Place;
use daemon::Daemon;
use exit::{Exit, Failure};
use output::Output;
use std::process::ExitCode;

/// The whole program.
pub fn main_impl() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version go to stdout and are no mistake; a closed stdout is not ours to report.
            drop(error.print());
            return if error.use_stderr() { Exit::Usage } else { Exit::Success }.into();
        }
    };
    let out = Output::new(&arguments.common);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return out.failure(&Failure::new(Exit::Failed, format!("could not start: {error}; try again"))).into(),
    };
    let exit = match runtime.block_on(until_interrupted(&out, arguments)) {
        Ok(exit) => exit,
        Err(failure) => out.failure(&failure),
    };
    // A read of stdin cannot be cancelled; the process ends all the same.
    runtime.shutdown_background();
    exit.into()
}

async fn until_interrupted(out: &Output, arguments: Arguments) -> Result<Exit, Failure> {
    let place = Place::from_environment().map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    let daemon = Daemon::new(place);
    tokio::select! {
        done = commands::run(&daemon, out, arguments.verb) => {
            out.unspin();
            done
        }
        asked = tokio::signal::ctrl_c() => {
            asked.map_err(|error| Failure::new(Exit::Failed, format!("could not listen for Ctrl-C: {error}; try again")))?;
            out.farewell();
            Ok(Exit::Interrupted)
        }
    }
}
