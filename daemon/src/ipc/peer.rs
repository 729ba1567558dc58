//! Who is at the other end: this user, and not below our own app-server. Programs of the same user are trusted, code
//! run by the model is not (ARCHITECTURE 21.18). Two checks: the process tree, and a mark in the environment.

use crate::{appserver::process, tools::Standing};
use interprocess::local_socket::tokio::{Stream, prelude::*};
use std::io::ErrorKind;

/// In the environment of the app-server and so of what it starts; models' commands carry it on.
pub const MARKER: &str = "CODEXCP_BELOW";

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Peer {
    pub(super) pid: Option<u32>,
}

impl Peer {
    /// `None` for another user.
    pub(super) fn of(stream: &Stream) -> Option<Peer> {
        if !common::owner::is_ours(stream) {
            return None;
        }
        let pid = stream.peer_creds().ok().and_then(|creds| creds.pid());
        #[cfg(unix)]
        let pid = pid.and_then(|pid| u32::try_from(pid).ok());
        Some(Peer { pid })
    }

    /// Looked at once a connection.
    pub(super) fn standing(self, app_server: Option<u32>) -> Standing {
        let Some(pid) = self.pid else { return Standing::User };
        let below = app_server.is_some_and(|server| process::descends_from(pid, server));
        if below || carries_mark(pid) { Standing::BelowAppServer } else { Standing::User }
    }
}

/// Readable for our own processes on Linux; elsewhere the process tree must do.
fn carries_mark(pid: u32) -> bool {
    let environment = match std::fs::read(format!("/proc/{pid}/environ")) {
        Ok(environment) => environment,
        // Not Linux, or gone again, or one that has taken another user's rights since.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => return false,
        // It could not be looked at for a reason of ours: nobody comes in by that.
        Err(_) => return true,
    };
    environment.split(|byte| *byte == 0).any(|entry| entry.starts_with(MARKER.as_bytes()) && entry.get(MARKER.len()) == Some(&b'='))
}
