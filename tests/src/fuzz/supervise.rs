//! The parent: starts a worker for each target, hears what it says, and knows what it was reading when it dies or goes
//! silent. Ends only the workers that it started.

use super::{
    TARGETS, Target, corpus,
    run::{Draw, Inputs, Measured, PLACE, Said, keep},
};
use anyhow::{Context, bail};
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

/// One input may take this long; a worker says something every second otherwise.
const SILENCE_MAX: Duration = Duration::from_secs(120);
/// A target that kills its worker more often is given up.
const DEATHS_MAX: usize = 10;

/// What is to be done.
pub struct Order {
    /// All targets together; the corpus is read besides.
    pub inputs: u64,
    pub draw: Draw,
    /// Empty: all.
    pub only: Vec<String>,
    /// This one input of each target instead, by its number.
    pub at: Option<u64>,
}

/// What became of one target.
pub struct Tally {
    pub target: &'static str,
    pub measured: Measured,
    pub faults: Vec<String>,
}

/// Runs `program work TARGET SEED FROM TO FOLDER` for each target, one after the other; `each` hears what became of it.
pub fn supervise(program: &Path, order: &Order, mut each: impl FnMut(&Tally) -> anyhow::Result<()>) -> anyhow::Result<Vec<Tally>> {
    if let Some(unknown) = order.only.iter().find(|name| !TARGETS.iter().any(|target| target.name == **name)) {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        bail!("there is no target {unknown}; there are {}", names.join(", "));
    }
    let wanted: Vec<_> =
        TARGETS.iter().filter(|target| order.only.is_empty() || order.only.iter().any(|name| name == target.name)).collect();
    let shares: u64 = wanted.iter().map(|target| target.share).sum();
    let mut tallies = Vec::new();
    for target in wanted {
        let tally = one(program, target, order, order.inputs * target.share / shares.max(1))?;
        each(&tally)?;
        tallies.push(tally);
    }
    Ok(tallies)
}

fn one(program: &Path, target: &'static Target, order: &Order, random: u64) -> anyhow::Result<Tally> {
    let inputs = Inputs::of(target, order.draw)?;
    let (mut from, to) = match order.at {
        Some(at) => (at, at + 1),
        None => (0, inputs.replayed() + random),
    };
    let mut tally = Tally { target: target.name, measured: Measured::default(), faults: Vec::new() };
    // Not yet into the corpus: the numbers of the inputs depend on it.
    let folder = tempfile::tempdir()?;
    let mut deaths = 0;
    while from < to {
        let end = watch(program, target, order.draw, (from, to), folder.path(), &mut tally)?;
        let Some(how) = end else { break };
        let number = number_in(&folder.path().join(PLACE)).unwrap_or(from);
        let file = keep(folder.path(), &inputs.at(number))?;
        tally.fault(&format!("input {number}: {how}"), &file)?;
        tally.measured.inputs += number - from;
        from = number + 1;
        deaths += 1;
        if deaths >= DEATHS_MAX {
            break;
        }
    }
    for file in std::fs::read_dir(folder.path())? {
        let file = file?;
        if file.file_name() != PLACE {
            std::fs::copy(file.path(), corpus().join(target.name).join(file.file_name()))?;
        }
    }
    Ok(tally)
}

impl Tally {
    fn fault(&mut self, what: &str, file: &str) -> anyhow::Result<()> {
        writeln!(std::io::stderr(), "{}: {what}\n    input {file}", self.target)?;
        self.faults.push(format!("{what} ({file})"));
        Ok(())
    }

    fn add(&mut self, more: Measured) {
        let all = &mut self.measured;
        if more.peak_bytes > all.peak_bytes {
            (all.peak_bytes, all.peak_input_bytes) = (more.peak_bytes, more.peak_input_bytes);
        }
        all.inputs += more.inputs;
        all.seconds += more.seconds;
        all.bytes += more.bytes;
        all.per_byte = all.per_byte.max(more.per_byte);
        all.kept_bytes = all.kept_bytes.max(more.kept_bytes);
        all.slowest_ms = all.slowest_ms.max(more.slowest_ms);
        all.waited += more.waited;
    }
}

/// `None`: the worker came to its end. Otherwise how it died.
fn watch(
    program: &Path,
    target: &'static Target,
    draw: Draw,
    (from, to): (u64, u64),
    folder: &Path,
    tally: &mut Tally,
) -> anyhow::Result<Option<String>> {
    let mut command = Command::new(program);
    command.args(["work", target.name]).args([draw.seed, from, to].map(|number| number.to_string())).arg(folder);
    if draw.short {
        command.arg("--short");
    }
    let mut worker = command.stdout(Stdio::piped()).spawn().with_context(|| format!("could not start {}", program.display()))?;
    let lines = lines_of(&mut worker)?;
    loop {
        match lines.recv_timeout(SILENCE_MAX) {
            Ok(Said::At(_)) => {}
            Ok(Said::Fault { what, file }) => tally.fault(&what, &file)?,
            Ok(Said::Done(measured)) => {
                tally.add(measured);
                worker.wait()?;
                return Ok(None);
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                worker.kill()?;
                worker.wait()?;
                return Ok(Some(format!("hang: nothing came of it within {} s", SILENCE_MAX.as_secs())));
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                let status = worker.wait()?;
                if status.code().is_some_and(|code| code == i32::from(REFUSED)) {
                    bail!("the worker for {} could not work; its own words are above", target.name);
                }
                return Ok(Some(format!("death: the process ended with {status}")));
            }
        }
    }
}

/// The exit code of a worker that could not begin, or lost its output.
pub const REFUSED: u8 = 70;

fn lines_of(worker: &mut Child) -> anyhow::Result<mpsc::Receiver<Said>> {
    let out = worker.stdout.take().context("the worker has no output")?;
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        let said = BufReader::new(out).lines().map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok());
        for one in said {
            if sender.send(one).is_err() {
                return;
            }
        }
    });
    Ok(lines)
}

fn number_in(place: &Path) -> Option<u64> {
    let bytes = std::fs::read(place).ok()?;
    Some(u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?))
}
