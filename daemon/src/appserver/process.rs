//! Processes by pid *and* start time: a pid alone may belong to somebody else by now.
//! Ends only what it was given; never looks for processes by name alone.

use crate::store::tables::app_server::Process;
use std::{ffi::OsString, path::Path, time::Duration};
use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};

/// Start times are rounded differently by different systems.
const START_TOLERANCE_S: u64 = 2;

/// When the process with this pid started, if it lives.
pub fn started_s(pid: u32) -> Option<u64> {
    let mut system = System::new().ok()?;
    let pid = Pid::from_u32(pid);
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, ProcessRefreshKind::nothing());
    let process = system.process(pid)?;
    let gone = matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead);
    (!gone).then(|| process.start_time())
}

/// Ticks since the boot, and which boot: the start as Linux keeps it. The time of day is reckoned from them, and changes
/// when the clock is set. Elsewhere the system keeps the time of day itself.
pub fn start_mark(pid: u32) -> Option<String> {
    if cfg!(not(target_os = "linux")) {
        return None;
    }
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    // `pid (name) state …`, and the name may hold anything; the start is field 22.
    let text = String::from_utf8_lossy(&stat);
    let ticks = text.rsplit_once(')')?.1.split_whitespace().nth(19)?;
    Some(format!("{}:{ticks}", boot.trim()))
}

/// App-servers that were started with this token file, which is ours alone: one that nobody wrote down lives on otherwise
/// (FAULTS W2). Told by the words they were started with.
pub(super) fn with_token_file(token_file: &Path) -> Vec<u32> {
    let Ok(mut system) = System::new() else { return Vec::new() };
    let kind = ProcessRefreshKind::nothing().with_cmd(UpdateKind::Always).without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, kind);
    let is_one = |words: &[OsString]| {
        let names_it = words.windows(2).any(|two| two[0] == TOKEN_FILE_FLAG && Path::new(&two[1]) == token_file);
        names_it && words.get(1).is_some_and(|word| word == "app-server")
    };
    system.processes().iter().filter(|(_, process)| is_one(process.cmd())).map(|(pid, _)| pid.as_u32()).collect()
}

/// Followed by the file, among the words that start an app-server on loopback.
pub(super) const TOKEN_FILE_FLAG: &str = "--ws-token-file";

pub fn is_alive(process: &Process) -> bool {
    let Some(started) = started_s(process.pid) else { return false };
    match &process.start_mark {
        Some(mark) => start_mark(process.pid).as_ref() == Some(mark),
        None => started.abs_diff(process.started_s) <= START_TOLERANCE_S,
    }
}

/// Ends it now, if it is still the one we mean.
pub async fn kill(process: &Process) {
    if is_alive(process) {
        signal(process.pid, Signal::Kill);
        gone_within(process, Duration::from_secs(5)).await;
    }
}

/// Asks it to finish what it does and end (PROTOCOL 9: SIGTERM drains).
pub fn drain(process: &Process) {
    if is_alive(process) {
        signal(process.pid, Signal::Term);
    }
}

/// Whether it is gone before the limit. There is nothing to wait on for a process that is not our child.
pub async fn gone_within(process: &Process, limit: Duration) -> bool {
    let until = tokio::time::Instant::now() + limit;
    while is_alive(process) {
        if tokio::time::Instant::now() >= until {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    true
}

#[derive(Clone, Copy)]
enum Signal {
    Term,
    Kill,
}

#[cfg(unix)]
fn signal(pid: u32, signal: Signal) {
    let signal = match signal {
        Signal::Term => rustix::process::Signal::TERM,
        Signal::Kill => rustix::process::Signal::KILL,
    };
    let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) else { return };
    if let Err(error) = rustix::process::kill_process(pid, signal) {
        tracing::debug!(%error, "the process was already gone");
    }
}

/// There is no asking on Windows: a process without a console of ours can only be ended.
#[cfg(windows)]
fn signal(pid: u32, _signal: Signal) {
    let Ok(mut system) = System::new() else { return };
    let pid = Pid::from_u32(pid);
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, ProcessRefreshKind::nothing());
    if let Some(process) = system.process(pid)
        && !process.kill()
    {
        tracing::debug!(pid = pid.as_u32(), "the process was already gone");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_is_known_by_its_start_whatever_the_clock_says() {
        use crate::store::tables::app_server::Address;
        let pid = std::process::id();
        let (codex_home, binary, binary_mark) = (Default::default(), Default::default(), String::new());
        let started_s = started_s(pid).unwrap() + 86_400;
        let mut process = Process { pid, started_s, start_mark: start_mark(pid), address: Address::Stdio, codex_home, binary, binary_mark };
        assert!(is_alive(&process));
        process.start_mark = Some("another boot:1".to_owned());
        assert!(!is_alive(&process));
    }

    #[test]
    fn a_process_that_ended_has_no_start() {
        let program = if cfg!(windows) { "cmd" } else { "cat" };
        let mut child = std::process::Command::new(program).stdin(std::process::Stdio::piped()).spawn().unwrap();
        assert!(started_s(child.id()).is_some());
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(started_s(child.id()), None);
    }
}
