//! Away from whoever starts a daemon: its session, its process tree, and the files that it happens to have open. Unix alone.
//! Nothing here decides whether a daemon may start.

use std::process::Command;

/// For the first of two processes: it starts the second and ends, so that the daemon is nobody's child. A harness that ends
/// all that its client started does not find it.
pub(crate) fn launch() -> anyhow::Result<()> {
    keep_files();
    let arguments = std::env::args_os().skip(1).filter(|argument| argument != "--detached");
    Command::new(std::env::current_exe()?).arg("--own-session").args(arguments).spawn()?;
    Ok(())
}

pub(crate) fn own_session() {
    if let Err(error) = rustix::process::setsid() {
        tracing::debug!(%error, "no session of our own");
    }
}

/// Whatever was left open by mistake (a test runner's pipe, make's tokens) goes no further than this process: whoever waits
/// for its end would wait for our app-server.
pub(crate) fn keep_files() {
    const FIRST_BEHIND_STDERR: i32 = 3;
    close_fds::set_fds_cloexec(FIRST_BEHIND_STDERR, &[]);
}
