//! `codexcp-login`: what Windows starts at login. It starts the daemon as any caller does and ends. A program of its own,
//! because a console program would open a window on everybody's screen; so it has nobody to speak to but a file.

use crate::autostart::{self, StartError};
use common::place::Place;
use std::{ffi::OsString, io::Write, path::Path, process::ExitCode};

/// The whole program. Its arguments are the daemon's.
pub fn main_impl() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match autostart::start(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        // A client was faster.
        Err(StartError::Ended(words)) if words.contains("already serves this home") => ExitCode::SUCCESS,
        Err(error) => {
            let words = format!("codexcp-login: {error}\n");
            // Who cannot be told here is told by the next call, which fails in the same way.
            drop(std::io::stderr().write_all(words.as_bytes()));
            if let Ok(place) = place(&arguments) {
                drop(std::fs::create_dir_all(&place.logs_dir).and_then(|()| std::fs::write(place.last_words(), words)));
            }
            ExitCode::FAILURE
        }
    }
}

fn place(arguments: &[OsString]) -> Result<Place, common::place::NoHome> {
    match arguments.iter().skip_while(|one| *one != "--home").nth(1) {
        Some(home) => Ok(Place::named(Path::new(home))),
        None => Place::from_environment(),
    }
}
