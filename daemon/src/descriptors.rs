//! How many files and connections this process may have open at once: raised at the start to what the system allows,
//! shared out between clients and the daemon itself. Never lowers a limit.

/// Commands that codex runs inherit our limit, and some close every number below it one by one.
const RAISED_MAX: u64 = 65_536;
/// Below this a thousand clients at once do not fit.
const WANTED: u64 = 4_096;
/// Who a client is, is read from /proc, which takes several descriptors for a moment; the store, the logs and the
/// app-server need theirs at all times.
const PER_CONNECTION: u64 = 4;

/// Raises the soft limit as far as the hard one lets it. What is not possible stays as it is; health tells.
pub fn raise() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let now = getrlimit(Resource::Nofile);
        let aim = now.maximum.map_or(RAISED_MAX, |hard| hard.min(RAISED_MAX));
        if now.current.is_some_and(|soft| soft < aim)
            && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(aim), maximum: now.maximum })
        {
            tracing::warn!(%error, aim, "could not raise the limit of open files");
        }
    }
}

/// How many may be open now.
fn open_max() -> u64 {
    #[cfg(unix)]
    return rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(RAISED_MAX);
    #[cfg(not(unix))]
    RAISED_MAX
}

/// More clients than a user has; each may hold some memory.
const CONNECTIONS_MAX: usize = 4_096;

/// Connections served at the same time; the next one waits until one of them closes.
pub fn connections_max() -> usize {
    usize::try_from(open_max() / PER_CONNECTION).unwrap_or(usize::MAX).clamp(4, CONNECTIONS_MAX)
}

/// What to do, where the system allows so few that a thousand clients do not fit.
pub fn too_few() -> Option<String> {
    let open = open_max();
    (open < WANTED).then(|| {
        format!(
            "this process may have {open} files open at once, so it serves {} clients and lets others wait; raise the hard limit \
             to {WANTED} (`ulimit -Hn`, or LimitNOFILE= of its service) and restart the daemon",
            connections_max()
        )
    })
}
