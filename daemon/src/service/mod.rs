//! The daemon below a service manager: the socket that it is handed at its start, and the words that it owes whoever
//! started it. Started by anybody else, nothing here does anything. Installs nothing: that is `codexcp service`.

#[cfg(target_os = "linux")]
mod handover;
#[cfg(target_os = "linux")]
mod notify;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
pub(crate) use handover::handed_over;
#[cfg(windows)]
pub(crate) use windows::{as_windows_service, is_windows_service, told_to_stop};

/// A socket that listens already.
#[cfg(unix)]
pub(crate) type Handed = std::os::unix::net::UnixListener;
#[cfg(not(unix))]
pub(crate) type Handed = std::convert::Infallible;

/// Only systemd hands one over.
#[cfg(not(target_os = "linux"))]
pub(crate) fn handed_over(_place: &common::place::Place) -> anyhow::Result<Option<Handed>> {
    Ok(None)
}

/// Callers are answered from now on.
pub(crate) fn tell_ready() {
    #[cfg(target_os = "linux")]
    notify::tell("READY=1");
    #[cfg(windows)]
    windows::tell_ready();
}

/// The end has begun.
pub(crate) fn tell_stopping() {
    #[cfg(target_os = "linux")]
    notify::tell("STOPPING=1");
    #[cfg(windows)]
    windows::tell_stopping();
}
