//! The daemon that holds a home, looked at from outside: by its lock and its pid, for when its socket is gone or it does not
//! answer. Connects to nobody and ends nobody.

use common::{files, place::Place};
use std::fs::File;

/// Somebody has the lock of the home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holder {
    /// `None`: it has not written it yet.
    pub(crate) pid: Option<u32>,
}

/// `None`: nobody holds the home.
pub(crate) fn of(place: &Place) -> Option<Holder> {
    let lock = File::open(place.daemon_lock()).ok()?;
    // Shared, so that two who look do not take each other for a daemon.
    if lock.try_lock_shared().is_ok() {
        return None;
    }
    let text = files::read_text(&place.daemon_pid(), files::SETTINGS_BYTES_MAX).unwrap_or_default();
    Some(Holder { pid: text.trim().strip_prefix("pid ").and_then(|pid| pid.parse().ok()) })
}

impl Holder {
    /// Has it look whether its socket is still there, and listen anew where it is not. A daemon that just starts or ends takes
    /// it too. Told only to a process that has our lock open: the pid in the file may be of a daemon before it, and another
    /// program's by now. So on Linux alone; elsewhere `sentence` says what to do, and a pipe of Windows cannot be removed.
    pub(crate) fn listen_again(self, place: &Place) {
        #[cfg(target_os = "linux")]
        if let Some(pid) = self.pid.filter(|pid| has_open(*pid, &place.daemon_lock()))
            && let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw)
        {
            // Whoever has ended meanwhile need not be told.
            let _gone = rustix::process::kill_process(pid, rustix::process::Signal::USR1);
        }
        #[cfg(not(target_os = "linux"))]
        let _nobody = place;
    }

    /// What to do about one that cannot be reached or does not answer.
    pub(crate) fn sentence(self, what: &str) -> String {
        let kept = "what it accepted is kept, and the next call starts another";
        match self.pid {
            Some(pid) if cfg!(windows) => format!("the daemon (pid {pid}) {what}; end it with `taskkill /F /PID {pid}`: {kept}"),
            Some(pid) => format!("the daemon (pid {pid}) {what}; end it with `kill -9 {pid}`: {kept}"),
            None => format!("a daemon that holds this home {what}; try again in a moment, or end its process: {kept}"),
        }
    }
}

#[cfg(target_os = "linux")]
fn has_open(pid: u32, file: &std::path::Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok(wanted) = std::fs::metadata(file) else { return false };
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().filter_map(Result::ok);
    open.filter_map(|one| std::fs::metadata(one.path()).ok()).any(|meta| (meta.dev(), meta.ino()) == (wanted.dev(), wanted.ino()))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn whoever_looks_is_no_holder_and_a_pid_of_before_is_told_nothing() {
        let home = tempfile::tempdir().unwrap();
        let place = Place::in_folder(home.path());
        let lock = File::create(place.daemon_lock()).unwrap();
        let another = File::open(place.daemon_lock()).unwrap();
        another.lock_shared().unwrap();
        assert_eq!(of(&place), None);
        another.unlock().unwrap();
        lock.lock().unwrap();
        assert_eq!(of(&place), Some(Holder { pid: None }));
        // A process that has nothing to do with the home, and would end of the signal.
        let mut other = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        std::fs::write(place.daemon_pid(), format!("pid {}\n", other.id())).unwrap();
        let holder = of(&place).unwrap();
        assert_eq!(holder.pid, Some(other.id()));
        holder.listen_again(&place);
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
        assert!(has_open(std::process::id(), &place.daemon_lock()));
    }
}
