//! Runs the rows one after the other, each when the machine is quiet, and prints them.

use crate::{daemon_idle, growth, polls, programs, schedule, shim_memory, shim_start, status, submit, submits, wire};
use anyhow::Context;
use bench::{Figure, Ground, fake_codex, fill, floor, machine, table};
use std::{path::Path, process::ExitCode, time::Duration};

/// In the second state.
pub(crate) const FINISHED: usize = 100_000;
const QUIET_WAIT_MAX: Duration = Duration::from_secs(120);

struct Row {
    name: &'static str,
    run: fn(&Ground) -> anyhow::Result<Vec<Figure>>,
    /// Measured a second time with many finished operations.
    twice: bool,
}

const fn row(name: &'static str, run: fn(&Ground) -> anyhow::Result<Vec<Figure>>) -> Row {
    Row { name, run, twice: true }
}

const fn once(name: &'static str, run: fn(&Ground) -> anyhow::Result<Vec<Figure>>) -> Row {
    Row { name, run, twice: false }
}

const ROWS: &[Row] = &[
    row("shim start", shim_start::run),
    row("shim memory", shim_memory::run),
    row("daemon idle", daemon_idle::run),
    row("submit", submit::run),
    row("status", status::run),
    row("polls", polls::run),
    row("submits", submits::run),
    row("wire", wire::run),
    once("schedule", schedule::run),
    once("growth", growth::run),
    once("programs", programs::run),
];

pub(crate) fn main() -> ExitCode {
    // The daemon under test starts us as its codex.
    let playing = std::env::args().nth(1).as_deref() == Some("app-server");
    let done = if playing { fake_codex::main() } else { measure() };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            table::say(&format!("could not measure: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn measure() -> anyhow::Result<()> {
    let (flags, words): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let wanted: Vec<&Row> =
        ROWS.iter().filter(|row| words.is_empty() || words.iter().any(|word| row.name.contains(word.as_str()))).collect();
    let patience = if flags.iter().any(|flag| flag == "--now") { Duration::ZERO } else { QUIET_WAIT_MAX };
    let disk = flags.iter().find_map(|flag| flag.strip_prefix("--in=")).unwrap_or(env!("CARGO_TARGET_TMPDIR"));
    let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(disk)?;
    let empty = Ground { programs: bench::programs::build()?, filled: None, folder: folder.path().to_path_buf() };
    let second = !flags.iter().any(|flag| flag == "--empty") && wanted.iter().any(|row| row.twice);
    let filled = second.then(|| filled(&empty)).transpose()?;
    machine::wait_for_quiet(patience)?;
    let fsync = floor::fsync(folder.path(), 500)?;
    table::say(&format!(
        "{}; an append of 4 kB with fsync takes {:.3} ms (p50), {:.2} ms (p99)\n",
        machine::about(),
        fsync.p50(),
        fsync.p99()
    ));
    table::head(filled.is_some());
    for row in wanted {
        let one = quietly(row, &empty, patience)?;
        let two = match &filled {
            Some(filled) if row.twice => Some(quietly(row, filled, patience)?),
            _ => None,
        };
        table::row(row.name, &one, two.as_deref());
    }
    Ok(())
}

fn quietly(row: &Row, ground: &Ground, patience: Duration) -> anyhow::Result<Vec<Figure>> {
    let busy = machine::wait_for_quiet(patience)?;
    let figures = (row.run)(ground).with_context(|| format!("row {}", row.name))?;
    if busy > 15.0 {
        table::say(&format!("<!-- {}: others used {busy:.0} % of the machine when it began -->", row.name));
    }
    Ok(figures)
}

fn filled(empty: &Ground) -> anyhow::Result<Ground> {
    let path = empty.folder.join("filled.sqlite3");
    fill::fill(&path, FINISHED).context("could not fill a database")?;
    Ok(Ground { filled: Some(path), ..empty.clone() })
}

/// An operation of the filled state, else one that is run now.
pub(crate) fn finished(home: &bench::home::Home, client: &mut bench::client::Client, place: &Path) -> anyhow::Result<String> {
    let id = home.submit(client, "finished", &format!("a task for {}", place.display()))?;
    home.completed(client, std::slice::from_ref(&id))?;
    Ok(id)
}
