//! Prints where the real codex is, fetching it on the first call. For scripts that need its path.

use std::{io::Write, process::ExitCode};

fn main() -> ExitCode {
    let found = tests::codex::native(|words| drop(writeln!(std::io::stderr(), "{words}")));
    match found {
        Ok(path) => {
            drop(writeln!(std::io::stdout(), "{}", path.display()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            drop(writeln!(std::io::stderr(), "{error:#}"));
            ExitCode::FAILURE
        }
    }
}
