//! Why a service could not be installed, removed or looked at; each sentence ends in what to do.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub(crate) enum ServiceError {
    #[error(
        "this system has no `systemctl`, so no systemd; let what it has instead run `codexcp-daemon`, in the foreground, at login, or leave the start to the first call"
    )]
    NoSystemd,
    #[error(
        "the systemd of this user does not answer ({0}); log in as this user (a shell of su or sudo is no login), or set XDG_RUNTIME_DIR=/run/user/UID"
    )]
    NoUserSystemd(String),
    #[error("services of {0} are not known here; run `codexcp-daemon` in the foreground with what this system has")]
    NoSystem(&'static str),
    #[error("{0}")]
    NotHere(&'static str),
    #[error("{0} was not written by `codexcp service install`; move it aside")]
    Foreign(PathBuf),
    #[error(
        "the installed service is for the home {0}, and a user has one service; set CODEXCP_HOME to that (or unset it, if that is your usual home) and run `codexcp service uninstall` first"
    )]
    OtherHome(PathBuf),
    #[error("{what} cannot be written into a service file: {why}; change it, or unset it for the install")]
    Unwritable { what: String, why: &'static str },
    #[error("{path}: {why}; check that it belongs to you and is writable")]
    File { path: PathBuf, why: String },
    #[error("`{command}` failed: {why}; {todo}")]
    Command { command: String, why: String, todo: &'static str },
    #[error("could not find your home folder; set HOME")]
    NoHome,
}

impl ServiceError {
    /// Refused because of something that is there, not broken.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, ServiceError::Foreign(_) | ServiceError::OtherHome(_) | ServiceError::NotHere(_))
    }
}
