//! Fuzzing by hand: `fuzz --inputs 10000000` reads as many inputs as it is told, over all targets, and says what they
//! cost. `fuzz work ..` is one of its own workers. Exits with 1 where an input had a fault; the input is in the corpus then.

use clap::{Parser, Subcommand};
use std::{io::Write, path::PathBuf, process::ExitCode};
use tests::fuzz::{self, Draw, Order, TARGETS, Tally, memory::Counting};

#[global_allocator]
static COUNTING: Counting = Counting;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    work: Option<Work>,
    /// How many inputs, all targets together; the corpus is read besides.
    #[arg(long, default_value_t = 100_000)]
    inputs: u64,
    /// The same seed makes the same inputs.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Without the inputs that are hard because they are large.
    #[arg(long)]
    short: bool,
    /// Only this target; may be given more than once.
    #[arg(long = "target")]
    only: Vec<String>,
    /// Only the input with this number.
    #[arg(long)]
    at: Option<u64>,
}

#[derive(Subcommand)]
enum Work {
    /// Not for people.
    Work {
        target: String,
        seed: u64,
        from: u64,
        to: u64,
        folder: PathBuf,
        #[arg(long)]
        short: bool,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.work {
        Some(Work::Work { target, seed, from, to, folder, short }) => {
            return work(target, Draw { seed: *seed, short: *short }, *from, *to, folder.clone());
        }
        None => run(&arguments),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "fuzz: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// On a thread with the stack that the daemon's own threads have.
fn work(name: &str, draw: Draw, from: u64, to: u64, folder: PathBuf) -> ExitCode {
    const STACK_BYTES: usize = 2 * 1024 * 1024;
    let Some(target) = TARGETS.iter().find(|target| target.name == name) else { return ExitCode::from(fuzz::REFUSED) };
    let body = move || fuzz::work(target, draw, from, to, &folder);
    let worked = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(body).map(std::thread::JoinHandle::join);
    match worked {
        Ok(Ok(Ok(()))) => ExitCode::SUCCESS,
        Ok(Ok(Err(error))) => {
            drop(writeln!(std::io::stderr(), "fuzz: {error:#}"));
            ExitCode::from(fuzz::REFUSED)
        }
        Ok(Err(_)) | Err(_) => ExitCode::FAILURE,
    }
}

/// Whether nothing was found.
fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let draw = Draw { seed: arguments.seed, short: arguments.short };
    let order = Order { inputs: arguments.inputs, draw, only: arguments.only.clone(), at: arguments.at };
    let mut out = std::io::stdout();
    writeln!(out, "target         inputs  inputs/s     MB  peak kB (of an input of)  B per byte  kept kB  slowest ms  waited  faults")?;
    let tallies = fuzz::supervise(&std::env::current_exe()?, &order, |tally| Ok(writeln!(std::io::stdout(), "{}", line(tally))?))?;
    let all: u64 = tallies.iter().map(|tally| tally.measured.inputs).sum();
    let seconds: f64 = tallies.iter().map(|tally| tally.measured.seconds).sum();
    let faults: usize = tallies.iter().map(|tally| tally.faults.len()).sum();
    writeln!(out, "{all} inputs in {seconds:.0} s, {faults} faults")?;
    Ok(faults == 0)
}

fn line(tally: &Tally) -> String {
    let one = &tally.measured;
    format!(
        "{:<10} {:>10} {:>9.0} {:>6} {:>8} {:>17} {:>11.0} {:>8} {:>11} {:>7} {:>7}",
        tally.target,
        one.inputs,
        one.inputs as f64 / one.seconds.max(0.001),
        one.bytes / 1_000_000,
        one.peak_bytes / 1_000,
        one.peak_input_bytes,
        one.per_byte,
        one.kept_bytes / 1_000,
        one.slowest_ms,
        one.waited,
        tally.faults.len(),
    )
}
