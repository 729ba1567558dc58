//! What the system says about a process: memory, time, threads and how often each was woken. Reads only.

use anyhow::Context;
use std::collections::BTreeMap;

/// Kilobytes, from `smaps_rollup`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    pub rss: f64,
    /// Pages that no other process has: what ends with the process.
    pub private: f64,
    /// Of those, what was written to.
    pub private_dirty: f64,
}

pub fn memory(pid: u32) -> anyhow::Result<Memory> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).context("could not read smaps_rollup")?;
    let of = |name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
    };
    Ok(Memory { rss: of("Rss"), private: of("Private_Clean") + of("Private_Dirty"), private_dirty: of("Private_Dirty") })
}

/// Per thread, as `name (id)`: how often it has left and entered a core.
pub fn switches(pid: u32) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut out = BTreeMap::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/task")).context("could not list the threads")? {
        let folder = entry?.path();
        // A thread may end while we look.
        let Ok(status) = std::fs::read_to_string(folder.join("status")) else { continue };
        let of = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|rest| rest.trim().parse().ok()).unwrap_or_default()
        };
        let name = status.lines().find_map(|line| line.strip_prefix("Name:")).unwrap_or_default().trim();
        let id = folder.file_name().map(|id| id.to_string_lossy().into_owned()).unwrap_or_default();
        out.insert(format!("{name} ({id})"), of("voluntary_ctxt_switches") + of("nonvoluntary_ctxt_switches"));
    }
    Ok(out)
}

/// Time on a core so far, seconds.
pub fn cpu_s(pid: u32) -> anyhow::Result<f64> {
    let mut nanoseconds = 0.0;
    for entry in std::fs::read_dir(format!("/proc/{pid}/task")).context("could not list the threads")? {
        // A thread may end while we look.
        let Ok(text) = std::fs::read_to_string(entry?.path().join("schedstat")) else { continue };
        nanoseconds += text.split_whitespace().next().and_then(|n| n.parse::<f64>().ok()).unwrap_or_default();
    }
    Ok(nanoseconds / 1e9)
}
