//! Whether the process at the other end of a local connection belongs to this user. Reads; changes nothing.
//! What the system does not tell counts as foreign.

use interprocess::local_socket::tokio::{Stream, prelude::*};

#[cfg(unix)]
pub fn is_ours(stream: &Stream) -> bool {
    stream.peer_creds().is_ok_and(|creds| creds.euid() == Some(rustix::process::geteuid().as_raw()))
}

/// A pipe tells the pid of its other end, the process its user.
#[cfg(windows)]
pub fn is_ours(stream: &Stream) -> bool {
    let other = stream.peer_creds().ok().and_then(|creds| creds.pid()).and_then(sid_of);
    other.is_some() && other == own_sid()
}

/// This user's security identifier, as text.
#[cfg(windows)]
pub fn own_sid() -> Option<String> {
    static OWN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    OWN.get_or_init(|| sid_of(std::process::id())).clone()
}

#[cfg(windows)]
fn sid_of(pid: u32) -> Option<String> {
    use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};
    let mut system = System::new().ok()?;
    let pid = Pid::from_u32(pid);
    let kind = ProcessRefreshKind::nothing().with_user(UpdateKind::Always);
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, kind);
    system.process(pid)?.user_id().map(|user| user.to_string())
}

#[cfg(all(test, windows))]
mod tests {
    #[test]
    fn this_user_has_a_security_identifier() {
        assert!(super::own_sid().is_some_and(|sid| sid.starts_with("S-1-5-")));
    }
}
