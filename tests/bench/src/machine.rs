//! How busy the machine is with other things. A figure taken while others build is no figure of ours, so each row waits
//! for a quiet moment, and says how much was going on where there was none.

use anyhow::Context;
use std::time::{Duration, Instant};

/// Others may take this share of all cores.
const QUIET_PERCENT: f64 = 8.0;
const LOOK: Duration = Duration::from_millis(500);

/// Waits for a quiet machine, at most `limit`; answers with the share of all cores that others took at last.
pub fn wait_for_quiet(limit: Duration) -> anyhow::Result<f64> {
    let until = Instant::now() + limit;
    loop {
        let busy = busy_percent(LOOK)?;
        if busy <= QUIET_PERCENT || Instant::now() >= until {
            return Ok(busy);
        }
    }
}

/// Over `time`, in which we do nothing ourselves.
fn busy_percent(time: Duration) -> anyhow::Result<f64> {
    let before = ticks()?;
    pause(time);
    let after = ticks()?;
    let (busy, all) = (after.0 - before.0, after.1 - before.1);
    Ok(100.0 * busy / all.max(1.0))
}

/// Lets time pass: some figures are what happens in it.
#[expect(clippy::disallowed_methods, reason = "nothing is waited for: the time itself is what is measured")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Of all cores since the start of the machine: (busy, all).
fn ticks() -> anyhow::Result<(f64, f64)> {
    let text = std::fs::read_to_string("/proc/stat").context("could not read /proc/stat")?;
    let first = text.lines().next().context("/proc/stat is empty")?;
    let numbers: Vec<f64> = first.split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    let all: f64 = numbers.iter().take(8).sum();
    // Idle, and waiting for the disk.
    let idle = numbers.get(3).unwrap_or(&0.0) + numbers.get(4).unwrap_or(&0.0);
    Ok((all - idle, all))
}

/// Nanoseconds of the clock that all processes of this machine share.
pub fn monotonic_ns() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// One line for the head of the table.
pub fn about() -> String {
    let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = text("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).map_or("", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = text("/proc/sys/kernel/osrelease");
    let kernel = kernel.split('-').next().unwrap_or_default().trim();
    format!("{cores} cores ({model}), Linux {kernel}")
}
