//! Who is at the other end: this user, and not below our own app-server. Programs of the same user are trusted, code
//! run by the model is not (ARCHITECTURE 21.18). Two checks: the process tree, and a mark in the environment.

use crate::{appserver::process, tools::Standing};
use interprocess::local_socket::tokio::{Stream, prelude::*};
use std::{
    io::ErrorKind,
    sync::{Arc, Mutex, PoisonError},
};

/// In the environment of the app-server and so of what it starts; models' commands carry it on.
pub const MARKER: &str = "CODEXCP_BELOW";

/// One connection's other end; clones share what was found about it.
#[derive(Debug, Clone, Default)]
pub(super) struct Peer {
    pid: Option<u32>,
    found: Arc<Mutex<Option<Found>>>,
}

/// How it stands to this app-server.
#[derive(Debug, Clone, Copy)]
struct Found {
    app_server: Option<u32>,
    standing: Standing,
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
        Some(Peer { pid, found: Arc::default() })
    }

    /// Looked at with the first request of a connection, and kept. A process gets no new ancestors: an orphan goes to an
    /// ancestor that it has already, or to init. So one that knocked before an app-server was started cannot come to be
    /// below it. It can have been started by one that is recorded only now, and so a new record is a reason to look again.
    /// Whoever was below once stays so, whatever becomes of its parents or its pid.
    pub(super) fn standing(&self, app_server: Option<u32>) -> Standing {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        match *found {
            Some(known) if known.app_server == app_server || known.standing == Standing::BelowAppServer => known.standing,
            Some(_) | None => {
                let standing = self.look(app_server);
                *found = Some(Found { app_server, standing });
                standing
            }
        }
    }

    fn look(&self, app_server: Option<u32>) -> Standing {
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn whoever_was_below_the_app_server_stays_so_when_that_is_gone() {
        let own = std::process::id();
        let peer = Peer { pid: Some(own), found: Arc::default() };
        assert_eq!(peer.standing(Some(own)), Standing::BelowAppServer);
        assert_eq!(peer.clone().standing(None), Standing::BelowAppServer);
    }

    #[test]
    fn an_app_server_that_is_recorded_after_the_first_request_is_looked_at_too() {
        let own = std::process::id();
        let peer = Peer { pid: Some(own), found: Arc::default() };
        assert_eq!(peer.standing(None), Standing::User);
        assert_eq!(peer.standing(Some(own)), Standing::BelowAppServer);
    }

    #[test]
    fn the_mark_in_the_environment_counts_without_any_app_server() {
        use std::io::{Read, Write};
        let piped = std::process::Stdio::piped;
        let mut child = std::process::Command::new("cat").env(MARKER, "1").stdin(piped()).stdout(piped()).spawn().unwrap();
        // It has said something: the system shows a program's environment a moment after its start.
        child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let peer = Peer { pid: Some(child.id()), found: Arc::default() };
        assert_eq!(peer.standing(None), Standing::BelowAppServer);
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
