//! Who is at the other end: this user, and not below an app-server of ours. Programs of the same user are trusted, code
//! run by the model is not (docs/security.md). Looked at once, when the connection comes in, before a byte is read: who
//! cannot be looked at then counts as below, and stays so.

use crate::tools::Standing;
use common::ancestry;
use interprocess::local_socket::tokio::Stream;

/// One connection's other end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    pub(super) standing: Standing,
}

impl Peer {
    /// `None` for another user. `app_server`: the pid of the one on record.
    pub(super) fn of(stream: &Stream, app_server: Option<u32>) -> Option<Peer> {
        if !common::owner::is_ours(stream) {
            return None;
        }
        let below = match pinned::process(stream) {
            Some(process) => ancestry::is_below(process.pid(), app_server) || !process.is_still_it(),
            None => true,
        };
        Some(Peer { standing: if below { Standing::BelowAppServer } else { Standing::User } })
    }
}

/// The process at the other end, held by something that a process with the same pid would not have: a child may connect
/// and end, and its pid be another's by the time it is looked at.
#[cfg(target_os = "linux")]
mod pinned {
    use super::Stream;
    use nix::sys::socket::{getsockopt, sockopt};
    use std::os::fd::{AsFd, AsRawFd, OwnedFd};

    pub(super) struct Process {
        pid: u32,
        handle: OwnedFd,
    }

    /// `None`: it is gone.
    pub(super) fn process(stream: &Stream) -> Option<Process> {
        let Stream::UdSocket(stream) = stream;
        let pid = getsockopt(&stream.as_fd(), sockopt::PeerCredentials).ok().and_then(|one| u32::try_from(one.pid()).ok())?;
        let handle = match getsockopt(&stream.as_fd(), sockopt::PeerPidfd) {
            Ok(handle) => handle,
            // Kernels before 6.5 do not know it; they do not pin what ended before this.
            Err(nix::errno::Errno::ENOPROTOOPT) => {
                let pid = rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)?;
                rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()?
            }
            Err(_) => return None,
        };
        Some(Process { pid, handle }).filter(Process::is_still_it)
    }

    impl Process {
        pub(super) fn pid(&self) -> u32 {
            self.pid
        }

        /// The kernel says -1 for one that has ended.
        pub(super) fn is_still_it(&self) -> bool {
            let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", self.handle.as_raw_fd())).unwrap_or_default();
            let pid = info.lines().find_map(|line| line.strip_prefix("Pid:"));
            pid.and_then(|pid| pid.trim().parse().ok()) == Some(self.pid)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod pinned {
    use super::Stream;
    use interprocess::local_socket::tokio::prelude::*;

    pub(super) struct Process {
        pid: u32,
        started_s: u64,
    }

    pub(super) fn process(stream: &Stream) -> Option<Process> {
        let pid = pid(stream)?;
        Some(Process { pid, started_s: crate::appserver::process::started_s(pid)? })
    }

    #[cfg(windows)]
    fn pid(stream: &Stream) -> Option<u32> {
        stream.peer_creds().ok()?.pid()
    }

    #[cfg(target_vendor = "apple")]
    fn pid(stream: &Stream) -> Option<u32> {
        use std::os::fd::AsFd;
        let Stream::UdSocket(stream) = stream;
        u32::try_from(nix::sys::socket::getsockopt(&stream.as_fd(), nix::sys::socket::sockopt::LocalPeerPid).ok()?).ok()
    }

    #[cfg(all(unix, not(target_vendor = "apple")))]
    fn pid(stream: &Stream) -> Option<u32> {
        stream.peer_creds().ok()?.pid().and_then(|pid| u32::try_from(pid).ok())
    }

    impl Process {
        pub(super) fn pid(&self) -> u32 {
            self.pid
        }

        pub(super) fn is_still_it(&self) -> bool {
            crate::appserver::process::started_s(self.pid) == Some(self.started_s)
        }
    }
}
