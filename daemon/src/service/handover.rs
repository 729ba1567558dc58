//! The socket that systemd bound for us (`sd_listen_fds(3)`: LISTEN_PID, LISTEN_FDS, the first at descriptor 3). Takes it
//! only if it is the one of this home: a client that looks for the daemon elsewhere would never find it.

use super::Handed;
use crate::config;
use common::place::Place;
use listenfd::ListenFd;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub(crate) enum HandoverError {
    #[error("the service hands over {0} sockets where it should be one; install it again with `codexcp service install`")]
    Count(usize),
    #[error("what the service hands over is not a listening unix socket ({0}); install it again with `codexcp service install`")]
    Kind(String),
    #[error("the service listens on {theirs}, this home's socket is {ours}; install it again with `codexcp service install`")]
    Elsewhere { theirs: String, ours: PathBuf },
}

/// `None` where nothing was handed to this very process. Takes the variables out of the environment, and marks the
/// socket as not for children; so it must be called before there are other threads.
pub(crate) fn handed_over(place: &Place) -> Result<Option<Handed>, HandoverError> {
    // Variables that were meant for a parent of ours say nothing about our descriptors.
    let for_us = config::variable("LISTEN_PID").is_some_and(|pid| pid.parse() == Ok(std::process::id()));
    if !for_us {
        return Ok(None);
    }
    let mut all = ListenFd::from_env();
    if all.len() != 1 {
        return Err(HandoverError::Count(all.len()));
    }
    let taken = all.take_unix_listener(0).map_err(|error| HandoverError::Kind(error.to_string()))?;
    let socket = taken.ok_or(HandoverError::Count(0))?;
    let address = socket.local_addr().map_err(|error| HandoverError::Kind(error.to_string()))?;
    let ours = place.daemon_socket();
    match address.as_pathname() {
        Some(theirs) if theirs == ours => Ok(Some(socket)),
        theirs => {
            let theirs = theirs.map_or_else(|| "a socket without a path".to_owned(), |path| path.display().to_string());
            Err(HandoverError::Elsewhere { theirs, ours })
        }
    }
}
