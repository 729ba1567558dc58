//! Processes by pid *and* start time: a pid alone may belong to somebody else by now.
//! Ends only what it was given; never looks for processes by name.

use crate::store::tables::app_server::Process;
use std::time::Duration;
use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};

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

pub fn is_alive(process: &Process) -> bool {
    started_s(process.pid).is_some_and(|started| started.abs_diff(process.started_s) <= START_TOLERANCE_S)
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

/// Whether `pid` is `ancestor` or was started by it, however indirectly.
pub fn descends_from(pid: u32, ancestor: u32) -> bool {
    // Where processes cannot be looked at, nobody is known not to descend from it.
    let Some(mut parents) = Parents::new() else { return true };
    let mut current = pid;
    // Deeper trees than this are loops of reused pids.
    for _ in 0..64 {
        if current == ancestor {
            return true;
        }
        match parents.of(current) {
            Some(parent) if parent > 1 => current = parent,
            _ => return false,
        }
    }
    false
}

/// Who started whom. Asked for with each connection, so on Linux it is read where it stands.
#[cfg(target_os = "linux")]
struct Parents;

#[cfg(target_os = "linux")]
impl Parents {
    fn new() -> Option<Parents> {
        std::path::Path::new("/proc/self/stat").exists().then_some(Parents)
    }

    fn of(&mut self, pid: u32) -> Option<u32> {
        let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
        // `pid (name) state parent …`, and the name may hold anything.
        String::from_utf8_lossy(&stat).rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    }
}

#[cfg(not(target_os = "linux"))]
struct Parents(System);

#[cfg(not(target_os = "linux"))]
impl Parents {
    fn new() -> Option<Parents> {
        System::new().ok().map(Parents)
    }

    fn of(&mut self, pid: u32) -> Option<u32> {
        let pid = Pid::from_u32(pid);
        self.0.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, ProcessRefreshKind::nothing());
        self.0.process(pid)?.parent().map(Pid::as_u32)
    }
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

    #[test]
    fn this_test_descends_from_its_parent_and_not_from_itself_s_child() {
        let own = std::process::id();
        assert!(descends_from(own, own));
        // Both wait for their input to end.
        let program = if cfg!(windows) { "cmd" } else { "cat" };
        let mut child = std::process::Command::new(program).stdin(std::process::Stdio::piped()).spawn().unwrap();
        assert!(descends_from(child.id(), own));
        assert!(!descends_from(own, child.id()));
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(started_s(child.id()), None);
    }
}
