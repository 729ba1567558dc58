//! Starting a daemon where there is none: once, however many programs want one at the same time. A lock file decides
//! who starts it; the others wait for it. Whoever starts it waits for its word that it is ready, and polls nothing.

use crate::{environment, holder};
use common::{
    client::{Caller, ClientError, Connection},
    place::Place,
};
use std::{
    ffi::OsString,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("could not find the program codexcp-daemon beside this one or on PATH; reinstall, or start it yourself")]
    NoProgram,
    #[error("could not start the daemon: {0}")]
    Spawn(String),
    #[error("the daemon could not start: {0}")]
    Ended(String),
    #[error("could not prepare {path}: {why}; check that it belongs to you and is writable")]
    Home { path: PathBuf, why: String },
    #[error("work that codex runs may not start a control plane; start the daemon from outside with `codexcp daemon start`")]
    BelowAppServer,
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl StartError {
    /// It will be the same until somebody does what the sentence says.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            // One that is killed says nothing, and the one before may still be on its way out.
            StartError::Ended(words) => !words.is_empty() && !self.is_held(),
            StartError::NoProgram | StartError::Home { .. } | StartError::BelowAppServer => true,
            StartError::Spawn(_) | StartError::Client(_) => false,
        }
    }

    /// Another daemon has this home.
    pub(crate) fn is_held(&self) -> bool {
        matches!(self, StartError::Ended(words) if words.contains("already serves this home"))
    }
}

/// `CODEXCP_AUTOSTART=0`: never start one.
pub fn wanted() -> bool {
    environment::variable("CODEXCP_AUTOSTART").as_deref() != Some("0")
}

/// How long one that has lost its socket may take to listen anew.
const LISTENS_WAIT_MAX: Duration = Duration::from_secs(2);

/// A connection to the daemon that is there, also to one whose socket somebody removed. Starts none.
pub(crate) async fn reach(place: &Place, caller: &Caller) -> Result<Connection, ClientError> {
    let until = tokio::time::Instant::now() + LISTENS_WAIT_MAX;
    let (mut pause, mut told) = (Duration::from_millis(10), false);
    loop {
        let opened = Connection::open(place, caller.clone()).await;
        let Err(ClientError::Absent) = opened else { return opened };
        let Some(holder) = holder::of(place).filter(|_| tokio::time::Instant::now() < until) else { return opened };
        if !std::mem::replace(&mut told, true) {
            holder.listen_again(place);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}

/// A connection to the daemon that is there, else to one that is started now.
pub async fn connect(place: &Place, caller: &Caller) -> Result<Connection, StartError> {
    match reach(place, caller).await {
        Err(ClientError::Absent) if wanted() => start_one(place, caller).await,
        other => Ok(other?),
    }
}

/// The same for whoever asks for a start by name, whatever `CODEXCP_AUTOSTART` says.
pub(crate) async fn start_one(place: &Place, caller: &Caller) -> Result<Connection, StartError> {
    if common::ancestry::are_we_below() {
        return Err(StartError::BelowAppServer);
    }
    tokio::time::timeout(START_WAIT_MAX, start_alone(place, caller)).await.unwrap_or_else(|_| {
        Err(StartError::Spawn(format!(
            "it was not ready within {START_WAIT_MAX:?}; `codexcp doctor` and the newest file in its logs say more"
        )))
    })
}

/// It may have a large database to bring to its newest shape. Whoever waits for longer is told (FAULTS A19).
const START_WAIT_MAX: Duration = Duration::from_secs(60);

async fn start_alone(place: &Place, caller: &Caller) -> Result<Connection, StartError> {
    let lock = hold_starts(place).await?;
    // While we waited for the lock somebody else may have started it.
    match Connection::open(place, caller.clone()).await {
        Err(ClientError::Absent) => {}
        other => return Ok(other?),
    }
    tokio::task::spawn_blocking(|| start(&[])).await.map_err(|e| StartError::Spawn(e.to_string()))??;
    let connection = Connection::open(place, caller.clone()).await?;
    drop(lock);
    Ok(connection)
}

/// While it lives, no program of ours starts a daemon for this home.
pub(crate) async fn hold_starts(place: &Place) -> Result<File, StartError> {
    let place = place.clone();
    tokio::task::spawn_blocking(move || lock(&place)).await.map_err(|e| StartError::Spawn(e.to_string()))?
}

fn lock(place: &Place) -> Result<File, StartError> {
    let failed = |why: std::io::Error| StartError::Home { path: place.home.clone(), why: why.to_string() };
    let mut folder = std::fs::DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(&place.home).map_err(failed)?;
    let file = File::options().create(true).truncate(false).write(true).open(place.start_lock()).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

/// Returns when the daemon says that it is ready.
pub(crate) fn start(arguments: &[OsString]) -> Result<(), StartError> {
    let mut command = Command::new(program()?);
    // There the program that we start is not the daemon: it starts that one and ends.
    command.args(if cfg!(unix) { &["--detached"][..] } else { &[] });
    command.args(arguments).env_clear().envs(environment::passed_on());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = spawn(&mut command).map_err(|e| StartError::Spawn(e.to_string()))?;
    let stdout = child.stdout.take().ok_or_else(|| StartError::Spawn("no output".to_owned()))?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).map_err(|e| StartError::Spawn(e.to_string()))?;
    if line.trim() == "ready" {
        if cfg!(unix) {
            child.wait().map_err(|e| StartError::Spawn(e.to_string()))?;
        }
        return Ok(());
    }
    let mut words = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut words).map_err(|e| StartError::Spawn(e.to_string()))?;
    }
    // It has ended; its status is not kept for anybody.
    child.wait().map_err(|e| StartError::Spawn(e.to_string()))?;
    Err(StartError::Ended(said(&words)))
}

/// Without the name that a program puts before its last words.
fn said(words: &str) -> String {
    let words = words.trim();
    words.strip_prefix("codexcp-daemon: ").unwrap_or(words).to_owned()
}

/// Whether a daemon could start, and what is in its way if not. Starts none.
pub(crate) fn check() -> Result<(), StartError> {
    let mut command = Command::new(program()?);
    command.arg("--check").env_clear().envs(environment::passed_on()).stdin(Stdio::null());
    let output = command.output().map_err(|e| StartError::Spawn(e.to_string()))?;
    if output.status.success() { Ok(()) } else { Err(StartError::Ended(said(&String::from_utf8_lossy(&output.stderr)))) }
}

/// Out of the terminal's group: Ctrl-C here must not reach it.
#[cfg(unix)]
fn spawn(command: &mut Command) -> std::io::Result<Child> {
    std::os::unix::process::CommandExt::process_group(command, 0).spawn()
}

/// The same, without a window, and out of the job in which an MCP client may have put us, where that job lets it go.
#[cfg(windows)]
fn spawn(command: &mut Command) -> std::io::Result<Child> {
    use common::windows_flags::{BREAKAWAY_FROM_JOB, NEW_PROCESS_GROUP, NO_WINDOW};
    use std::os::windows::process::CommandExt;
    common::windows_handles::keep();
    let flags = NO_WINDOW | NEW_PROCESS_GROUP;
    command.creation_flags(flags | BREAKAWAY_FROM_JOB).spawn().or_else(|_| command.creation_flags(flags).spawn())
}

/// Where codexcp-daemon is: named by the environment, beside this program, or on PATH.
pub(crate) fn program() -> Result<PathBuf, StartError> {
    let named = environment::variable("CODEXCP_DAEMON_PROGRAM").map(PathBuf::from).filter(|path| path.is_file());
    named.or_else(|| find("codexcp-daemon")).ok_or(StartError::NoProgram)
}

/// What Windows starts at login.
#[cfg(windows)]
pub(crate) fn launcher() -> Option<PathBuf> {
    find("codexcp-login")
}

/// Beside this program, or on PATH.
fn find(name: &str) -> Option<PathBuf> {
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join(&name)));
    let path = environment::variable("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join(&name));
    beside.into_iter().chain(on_path).find(|candidate| candidate.is_file())
}

/// Waits until a daemon answers, with growing pauses: nothing announces one that somebody else starts.
pub async fn wait_for(place: &Place, caller: &Caller, limit: Duration) -> Result<Connection, ClientError> {
    let until = tokio::time::Instant::now() + limit;
    let mut pause = Duration::from_millis(10);
    loop {
        match Connection::open(place, caller.clone()).await {
            Err(ClientError::Absent) if tokio::time::Instant::now() < until => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(500));
            }
            other => return other,
        }
    }
}
