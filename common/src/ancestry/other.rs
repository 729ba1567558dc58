//! The walk from a process up to its ancestors, by the library that knows processes on every system. Where a system tells
//! no environment of an ancestor, that one is taken for clean; on macOS the process itself must tell one.

use super::{ANCESTORS_MAX, Seen, is_mark};
use sysinfo::{Pid, Process, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};

pub(super) fn look(pid: u32, app_server: Option<u32>) -> Seen {
    let Ok(mut system) = System::new() else { return Seen::Unseen };
    let mut current = Pid::from_u32(pid);
    let mut started_max = u64::MAX;
    for depth in 0..ANCESTORS_MAX {
        let kind = ProcessRefreshKind::nothing().with_environ(UpdateKind::Always);
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[current]), true, kind);
        let process = system.process(current).filter(|one| is_alive(one) && one.start_time() <= started_max);
        // A parent that began after its child is another process with a pid that was used again.
        let Some(process) = process else { return if depth == 0 { Seen::Unseen } else { Seen::Free } };
        // The system's own programs hide theirs there, and whoever runs one could be anybody.
        if cfg!(target_os = "macos") && depth == 0 && process.environ().is_empty() {
            return Seen::Unseen;
        }
        let marked = process.environ().iter().any(|entry| is_mark(entry.as_encoded_bytes()));
        if marked || app_server == Some(current.as_u32()) {
            return Seen::Below;
        }
        started_max = process.start_time();
        match process.parent() {
            Some(parent) if parent != current && parent.as_u32() > 1 => current = parent,
            _ => return Seen::Free,
        }
    }
    Seen::Unseen
}

fn is_alive(process: &Process) -> bool {
    !matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead)
}
