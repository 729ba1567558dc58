//! The walk from a process up to its ancestors, over `/proc`. Reads; a process that changes under the walk is read again.
//!
//! The walk ends at the first ancestor of another user: what root started proves nothing, and its environment is not ours
//! to read. An ancestor of this user that may not be read counts as an app-server, but for one that came from another
//! user or runs with the rights of another user or group (sshd's own process of a session, a set-id program such as
//! screen): it cannot be read because its ids were changed.

use super::{ANCESTORS_MAX, Seen, is_mark};
use std::io::Read;

/// A tree that changes under each of so many walks is made to.
const WALKS_MAX: usize = 8;
/// Of one environment; more is as good as unreadable. It bounds what a chain of processes can make us read.
const ENVIRONMENT_BYTES_MAX: u64 = 512 * 1024;

/// One process, as it stood at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    pid: u32,
    parent: u32,
    /// Clock ticks since the boot: with the pid it names a process for good.
    started: u64,
    /// On its way out: its environment is gone, and it still is its children's parent for a moment.
    ending: bool,
}

enum Environment {
    Marked,
    Clean,
    Unreadable,
}

pub(super) fn look(pid: u32, app_server: Option<u32>) -> Seen {
    // A process whose ancestors end while they are looked at gets others; each of them ends once.
    (0..WALKS_MAX).find_map(|_| walk(pid, app_server)).unwrap_or(Seen::Unseen)
}

/// `None`: the tree changed meanwhile.
fn walk(pid: u32, app_server: Option<u32>) -> Option<Seen> {
    let us = rustix::process::geteuid().as_raw();
    let Some(first) = Process::of(pid) else { return Some(Seen::Unseen) };
    if Some(pid) == app_server {
        return Some(Seen::Below);
    }
    match (Users::of(pid), environment(pid)) {
        (Some(users), Environment::Clean) if users.are_all(us) => {}
        (_, Environment::Marked) => return Some(Seen::Below),
        _ => return Some(Seen::Unseen),
    }
    let mut child = first;
    for _ in 0..ANCESTORS_MAX {
        if child.parent == 0 {
            return settled(first, Seen::Free);
        }
        if Some(child.parent) == app_server {
            return Some(Seen::Below);
        }
        let (parent, users, environment) = (Process::of(child.parent), Users::of(child.parent), environment(child.parent));
        // Only what is still its parent now was its parent when it was read.
        if Process::of(child.pid).map(|now| (now.parent, now.started)) != Some((child.parent, child.started)) {
            return None;
        }
        let (Some(parent), Some(users)) = (parent, users) else {
            // Hidden (`hidepid`): another user's, or one of ours that may not be read.
            return settled(first, if may_signal(child.parent) { Seen::Below } else { Seen::Free });
        };
        if users.real != us {
            return settled(first, Seen::Free);
        }
        match environment {
            Environment::Marked => return Some(Seen::Below),
            Environment::Clean => {}
            // What began it ends: whoever is above it says whose it is, and an app-server that ends is known by its pid.
            Environment::Unreadable if parent.ending || Process::of(parent.pid).is_none_or(|now| now.ending) => {}
            // Init has rights of its own, and is no app-server.
            Environment::Unreadable if parent.pid == 1 || !users.are_all(us) || came_from_another_user(parent, us) => {}
            Environment::Unreadable => return Some(Seen::Below),
        }
        child = parent;
    }
    Some(Seen::Unseen)
}

/// It holds only if the process it began with is still the same.
fn settled(first: Process, seen: Seen) -> Option<Seen> {
    Some(if Process::of(first.pid).is_some_and(|now| now.started == first.started) { seen } else { Seen::Unseen })
}

/// Whether another user started it. Orphans are handed to pid 1, which says nothing about who started them.
fn came_from_another_user(process: Process, us: u32) -> bool {
    process.parent > 1 && Users::of(process.parent).is_some_and(|users| users.real != us)
}

impl Process {
    /// `None`: gone, or as good as gone: a zombie has nothing left to be read.
    fn of(pid: u32) -> Option<Process> {
        let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
        let text = String::from_utf8_lossy(&stat);
        // `pid (name) state parent …`, and the name may hold anything.
        let mut fields = text.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        // Field 9, behind 5 to 8; and field 22, behind 10 to 21 (proc_pid_stat(5)). PF_EXITING of the kernel.
        let flags: u64 = fields.nth(4)?.parse().ok()?;
        let started = fields.nth(12)?.parse().ok()?;
        (!matches!(state, "Z" | "X")).then_some(Process { pid, parent, started, ending: flags & 0x4 != 0 })
    }
}

#[cfg(test)]
pub(super) fn parent_of(pid: u32) -> Option<u32> {
    Process::of(pid).map(|process| process.parent)
}

#[derive(Clone, Copy)]
struct Users {
    real: u32,
    effective: u32,
    saved: u32,
    /// A set-group-id program.
    groups_differ: bool,
}

impl Users {
    /// From `status`, which everybody may read: the owner of the folder is root where a process may not be read.
    fn of(pid: u32) -> Option<Users> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let ids = |name: &str| -> Option<[u32; 3]> {
            let mut all = status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().map(str::parse);
            Some([all.next()?.ok()?, all.next()?.ok()?, all.next()?.ok()?])
        };
        let ([real, effective, saved], groups) = (ids("Uid:")?, ids("Gid:")?);
        Some(Users { real, effective, saved, groups_differ: groups[0] != groups[1] || groups[0] != groups[2] })
    }

    fn are_all(self, us: u32) -> bool {
        self.real == us && self.effective == us && self.saved == us && !self.groups_differ
    }
}

fn environment(pid: u32) -> Environment {
    let read = |path: String| -> std::io::Result<Vec<u8>> {
        let mut text = Vec::new();
        std::fs::File::open(path)?.take(ENVIRONMENT_BYTES_MAX + 1).read_to_end(&mut text)?;
        if text.len() as u64 > ENVIRONMENT_BYTES_MAX { Err(std::io::ErrorKind::FileTooLarge.into()) } else { Ok(text) }
    };
    match read(format!("/proc/{pid}/environ")) {
        Ok(text) if text.split(|byte| *byte == 0).any(is_mark) => Environment::Marked,
        Ok(_) => Environment::Clean,
        Err(_) => Environment::Unreadable,
    }
}

/// Whether it is there and ours, where nothing of it can be read.
fn may_signal(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}
