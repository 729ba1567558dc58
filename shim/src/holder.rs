//! The daemon that holds a home, looked at from outside: by its lock and its pid, for when its socket is gone or it does not
//! answer. Ends nobody.

use common::{files, place::Place};
use std::fs::File;

/// `None`: nobody holds the home.
pub(crate) fn pid(place: &Place) -> Option<u32> {
    let lock = File::open(place.daemon_lock()).ok()?;
    if lock.try_lock().is_ok() {
        return None;
    }
    let text = files::read_text(&place.daemon_pid(), files::SETTINGS_BYTES_MAX).ok()?;
    text.trim().strip_prefix("pid ")?.parse().ok()
}

/// Has it look whether its socket is still there, and listen anew where it is not. A daemon that just starts or ends takes it
/// too. A pipe of Windows cannot be removed.
pub(crate) fn listen_again(pid: u32) {
    #[cfg(unix)]
    if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
        // Whoever has ended meanwhile need not be told.
        let _gone = rustix::process::kill_process(pid, rustix::process::Signal::USR1);
    }
    #[cfg(not(unix))]
    let _nobody = pid;
}

/// What to do about one that cannot be reached or does not answer.
pub(crate) fn sentence(pid: u32, what: &str) -> String {
    let end = if cfg!(windows) { format!("taskkill /F /PID {pid}") } else { format!("kill -9 {pid}") };
    format!("the daemon (pid {pid}) {what}; end it with `{end}`: what it accepted is kept, and the next call starts another")
}
