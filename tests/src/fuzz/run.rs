//! The worker: reads one input after the other, in a process of its own, and says on its output what came of them. It
//! judges panics, memory and what the target finds wrong; what ends the process is judged by `supervise.rs`.

use super::{Hard, Reads, Target, corpus, memory, mutate, random::Random};
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::{
    collections::HashSet,
    fs::File,
    io::{Seek, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A new world after this many: what a world keeps is counted over them.
const INPUTS_A_WORLD: u64 = 5_000;
/// Empty inputs that are read while a world settles.
const SETTLING_INPUTS_MAX: u32 = 200;
/// After this many different faults of a target it is pointless to go on.
const FAULTS_MAX: usize = 20;
/// How often the worker says that it is alive.
const SAY_EVERY: Duration = Duration::from_secs(1);

/// What the worker says, one JSON a line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Said {
    At(u64),
    Fault { what: String, file: String },
    Done(Measured),
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Measured {
    pub inputs: u64,
    pub seconds: f64,
    pub bytes: u64,
    /// The most that one input held at once, and how long that input was.
    pub peak_bytes: usize,
    pub peak_input_bytes: usize,
    /// The most that one input held at once for each byte of it, above what every input may hold.
    pub per_byte: f64,
    /// The most that a world kept of what it read.
    pub kept_bytes: usize,
    pub slowest_ms: u128,
    pub waited: u64,
    pub faults: usize,
}

/// All inputs of a target by number: what is kept in git and what is hard first, then chance.
pub(super) struct Inputs {
    target: &'static Target,
    kept: Vec<Vec<u8>>,
    seeds: Vec<Vec<u8>>,
    draw: Draw,
}

/// Which inputs chance makes, and whether the hard ones come before them.
#[derive(Debug, Clone, Copy)]
pub struct Draw {
    /// The same seed makes the same inputs.
    pub seed: u64,
    /// Without the hard ones: they take minutes where the code is not optimised.
    pub short: bool,
}

impl Inputs {
    pub(super) fn of(target: &'static Target, draw: Draw) -> anyhow::Result<Inputs> {
        let folder = corpus().join(target.name);
        let mut paths: Vec<_> = std::fs::read_dir(&folder)
            .with_context(|| format!("could not read the corpus {}", folder.display()))?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        paths.sort();
        let kept: Vec<Vec<u8>> = paths.iter().map(std::fs::read).collect::<Result<_, _>>()?;
        let mut seeds = kept.clone();
        seeds.extend((target.seeds)());
        Ok(Inputs { target, kept, seeds, draw })
    }

    /// How many come before those that chance makes.
    pub(super) fn replayed(&self) -> u64 {
        (self.kept.len() + self.hard().len()) as u64
    }

    fn hard(&self) -> &'static [Hard] {
        if self.draw.short { &[] } else { self.target.hard }
    }

    pub(super) fn at(&self, number: u64) -> Vec<u8> {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        if let Some(kept) = self.kept.get(at) {
            return kept.clone();
        }
        if let Some((_, make)) = self.hard().get(at - self.kept.len()) {
            return make();
        }
        let mut random = Random::of(self.draw.seed, self.target.name, number - self.replayed());
        let material = mutate::Material { seeds: &self.seeds, words: self.target.words, json: self.target.json };
        mutate::input(&material, &mut random)
    }
}

/// The file that says which input is being read.
pub(super) const PLACE: &str = "place";

/// Panics of all threads since the last look.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn panics() -> std::sync::MutexGuard<'static, Vec<String>> {
    PANICS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads the inputs from number `from` to before number `to`. In `folder`, the file `PLACE` always says which one is being
/// read, and inputs with a fault are laid down.
pub fn work(target: &'static Target, draw: Draw, from: u64, to: u64, folder: &Path) -> anyhow::Result<()> {
    std::panic::set_hook(Box::new(|panic| panics().push(format!("panic: {panic}").replace('\n', " "))));
    let inputs = Inputs::of(target, draw)?;
    let mut worker = Worker {
        target,
        reads: (target.start)()?,
        place: File::create(folder.join(PLACE))?,
        folder: folder.to_path_buf(),
        measured: Measured::default(),
        known: HashSet::new(),
        world_since: 0,
        world_bytes: memory::held(),
    };
    let start = Instant::now();
    let mut said = start;
    for number in from..to {
        if said.elapsed() >= SAY_EVERY {
            said = Instant::now();
            say(&Said::At(number))?;
        }
        let input = inputs.at(number);
        worker.one(number, &input)?;
        if worker.known.len() >= FAULTS_MAX {
            break;
        }
    }
    worker.end_world()?;
    worker.measured.waited += worker.reads.waited();
    worker.measured.seconds = start.elapsed().as_secs_f64();
    say(&Said::Done(worker.measured))
}

fn say(said: &Said) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{}", serde_json::to_string(said)?)?;
    Ok(out.flush()?)
}

struct Worker {
    target: &'static Target,
    reads: Box<dyn Reads>,
    place: File,
    folder: PathBuf,
    measured: Measured,
    known: HashSet<String>,
    world_since: u64,
    world_bytes: usize,
}

impl Worker {
    fn one(&mut self, number: u64, input: &[u8]) -> anyhow::Result<()> {
        self.place.seek(std::io::SeekFrom::Start(0))?;
        self.place.write_all(&number.to_le_bytes())?;
        if self.world_since >= INPUTS_A_WORLD {
            self.end_world()?;
            self.new_world()?;
        }
        self.world_since += 1;
        memory::reset_peak();
        let (before, start) = (memory::held(), Instant::now());
        let wrong = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.reads.read(input)));
        let (held, took) = (memory::peak().saturating_sub(before), start.elapsed().as_millis());
        self.measure(input, held, took);
        let allowed = &self.target.held;
        let held_max = (allowed.bytes_max + allowed.per_byte_max * input.len()).min(allowed.in_all_max);
        let panicked = std::mem::take(&mut *panics());
        let fault = if !panicked.is_empty() {
            Some(panicked.join("; "))
        } else if let Ok(Err(wrong)) = wrong {
            Some(wrong)
        } else if held > held_max {
            Some(format!("memory: {held} bytes at once for an input of {} bytes; allowed are {held_max}", input.len()))
        } else {
            None
        };
        let Some(fault) = fault else { return Ok(()) };
        self.report(&fault, Some(input))?;
        // What was there when it failed may be damaged.
        self.new_world()
    }

    fn measure(&mut self, input: &[u8], held: usize, took_ms: u128) {
        let all = &mut self.measured;
        all.inputs += 1;
        all.bytes += input.len() as u64;
        all.slowest_ms = all.slowest_ms.max(took_ms);
        if held > all.peak_bytes {
            (all.peak_bytes, all.peak_input_bytes) = (held, input.len());
        }
        if !input.is_empty() {
            all.per_byte = all.per_byte.max(held.saturating_sub(self.target.held.bytes_max) as f64 / input.len() as f64);
        }
    }

    fn end_world(&mut self) -> anyhow::Result<()> {
        let kept_max = self.target.held.kept_bytes_max;
        let mut kept = memory::held().saturating_sub(self.world_bytes);
        // Other threads may still be busy putting away what they had.
        for _ in 0..SETTLING_INPUTS_MAX {
            if kept <= kept_max {
                break;
            }
            drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.reads.read(b""))));
            kept = memory::held().saturating_sub(self.world_bytes);
        }
        self.measured.kept_bytes = self.measured.kept_bytes.max(kept);
        if kept > kept_max {
            let read = self.world_since;
            return self.report(&format!("memory: {kept} bytes are still held after {read} inputs were read"), None);
        }
        Ok(())
    }

    fn new_world(&mut self) -> anyhow::Result<()> {
        self.measured.waited += self.reads.waited();
        self.reads = (self.target.start)()?;
        (self.world_since, self.world_bytes) = (0, memory::held());
        Ok(())
    }

    /// The same fault is told once.
    fn report(&mut self, what: &str, input: Option<&[u8]>) -> anyhow::Result<()> {
        let kind: String = what.chars().filter(|c| !c.is_ascii_digit()).take(160).collect();
        if !self.known.insert(kind) {
            return Ok(());
        }
        self.measured.faults += 1;
        let file = input.map(|input| keep(&self.folder, input)).transpose()?.unwrap_or_default();
        say(&Said::Fault { what: what.to_owned(), file })
    }
}

/// Lays an input down under its hash.
pub(super) fn keep(folder: &Path, input: &[u8]) -> anyhow::Result<String> {
    let hash = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let name = format!("{hash:016x}");
    std::fs::write(folder.join(&name), input)?;
    Ok(name)
}
