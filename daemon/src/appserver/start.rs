//! Starting an app-server process and connecting to one. Detached: it outlives the daemon, but for the `stdio` link.

use super::{
    find::{self, Found},
    link::{Frames, LinkError, frames, lines, websocket_config},
    ourselves, process,
};
use crate::{
    config::{self, Config, LinkKind},
    store::tables::app_server::{Address, Process},
};
use common::{files, ids::Generation, place::Place};
use process_wrap::tokio::{ChildWrapper, CommandWrap};
use std::{
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{net::TcpStream, process::Command};
use tokio_tungstenite::{client_async_with_config, tungstenite::client::IntoClientRequest};

/// A thread that we let go is unloaded this long after: we let it go only when nothing is to come on it.
const UNLOAD_DELAY_S: u32 = 5;
/// What a process says before it listens; more is not its last words.
const LOG_BYTES_READ_MAX: u64 = 1024 * 1024;
/// For one connection with its handshake: a process that is well answers within milliseconds.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// From the start of the process to the first connection.
const UP_MAX: Duration = Duration::from_secs(20);
/// A process we started, and what is needed to talk to it.
pub(super) struct Started {
    pub(super) process: Process,
    pub(super) child: Box<dyn ChildWrapper>,
    pub(super) pipes: Option<Frames>,
    pub(super) log: Log,
}

/// What a process writes to its stderr: on loopback the port is announced there, and one that fails says why.
pub(super) struct Log {
    path: PathBuf,
    /// How long it was before the process began.
    from: u64,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error(transparent)]
    NotFound(#[from] find::NotFound),
    #[error("could not start {binary}: {why}; see codex.binary_path in `codexcp config`")]
    Spawn { binary: PathBuf, why: String },
    #[error("codex ended at once ({0}); check that codex.binary_path leads to codex 0.169.0 or newer")]
    EndedAtOnce(String),
    #[error("it was told to make room for another one before it listened")]
    Restarted,
    #[error("codex did not listen within {UP_MAX:?} ({0}); check that codex.binary_path leads to codex 0.169.0 or newer")]
    Silent(LinkError),
}

impl Log {
    fn text(&self) -> Option<String> {
        let mut file = files::open(&self.path).ok()?;
        file.seek(SeekFrom::Start(self.from)).ok()?;
        let mut text = Vec::new();
        file.take(LOG_BYTES_READ_MAX).read_to_end(&mut text).ok()?;
        Some(String::from_utf8_lossy(&text).into_owned())
    }

    /// The sentence of a failure, with what the process said last.
    pub(super) fn with_last_words(&self, sentence: &str) -> String {
        match self.text().as_deref().and_then(last_words) {
            Some(words) => format!("{sentence}; its last words: {words}"),
            None => sentence.to_owned(),
        }
    }
}

/// The newest line that calls itself an error (a backtrace may follow it), else the newest one.
fn last_words(text: &str) -> Option<String> {
    const WORDS_CHARS_MAX: usize = 400;
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let line = lines.iter().rfind(|line| line.starts_with("Error")).or(lines.last())?;
    // Its colours say nothing here.
    let mut parts = line.split("\u{1b}[");
    let first = parts.next().unwrap_or_default();
    let plain = parts.fold(first.to_owned(), |plain, part| plain + part.split_once('m').map_or(part, |(_, rest)| rest));
    Some(plain.chars().take(WORDS_CHARS_MAX).collect())
}

pub(super) fn start(config: &Config, place: &Place, generation: Generation) -> Result<Started, StartError> {
    let found = find::find_codex(config.codex_binary.as_deref(), config::variable("PATH").as_deref())?;
    let address = address(config, place);
    let mut command = Command::new(&found.binary);
    command.arg("app-server").args(listen(&address)).args(ourselves::switched_off(&config.codex_home));
    command.args(["-c", &format!("thread_unload_delay_secs={UNLOAD_DELAY_S}")]);
    command.env_clear().envs(config::passed_environment(&config.app_server_environment));
    command.env("CODEX_HOME", &config.codex_home).env("RUST_LOG", "error").env(common::ancestry::MARKER, generation.0.to_string());
    let log_path = log_path(place);
    let log_file = log_file(&log_path);
    let log_from = std::fs::metadata(&log_path).map_or(0, |meta| meta.len());
    // A file, not a pipe: the process must be able to write to it when we are gone.
    command.stderr(log_file.map_or_else(Stdio::null, Stdio::from)).kill_on_drop(false);
    match address {
        Address::Stdio => command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true),
        Address::Loopback { .. } | Address::Socket(_) => command.stdin(Stdio::null()).stdout(Stdio::null()),
    };
    if let Some(folder) = working_folder(config) {
        command.current_dir(folder);
    }
    let failed = |e: std::io::Error| StartError::Spawn { binary: found.binary.clone(), why: e.to_string() };
    let mut child = spawn(command, address == Address::Stdio).map_err(failed)?;
    let pid = child.id().ok_or_else(|| StartError::EndedAtOnce("no pid".to_owned()))?;
    let pipes = child.stdin().take().zip(child.stdout().take()).map(|(stdin, stdout)| lines(stdout, stdin));
    Ok(Started { process: record(pid, address, &found, config), child, pipes, log: Log { path: log_path, from: log_from } })
}

/// Out of our session. One on pipes dies with us, whatever it started included; the others outlive us.
#[cfg(unix)]
fn spawn(command: Command, _dies_with_us: bool) -> std::io::Result<Box<dyn ChildWrapper>> {
    CommandWrap::from(command).wrap(process_wrap::tokio::ProcessSession).spawn()
}

#[cfg(windows)]
fn spawn(command: Command, dies_with_us: bool) -> std::io::Result<Box<dyn ChildWrapper>> {
    use common::windows_flags::{BREAKAWAY_FROM_JOB, NEW_PROCESS_GROUP, NO_WINDOW};
    use process_wrap::tokio::{CreationFlags, JobObject, KillOnDrop};
    let mut wrap = CommandWrap::from(command);
    let mut flags = CreationFlags(Default::default());
    flags.0.0 = NO_WINDOW | NEW_PROCESS_GROUP;
    if dies_with_us {
        return wrap.wrap(flags).wrap(JobObject).wrap(KillOnDrop).spawn();
    }
    // Whoever started us may have put us into a job that ends with them; a job may also forbid to leave it.
    flags.0.0 |= BREAKAWAY_FROM_JOB;
    wrap.wrap(flags).spawn().or_else(|_| {
        flags.0.0 = NO_WINDOW | NEW_PROCESS_GROUP;
        wrap.wrap(flags).spawn()
    })
}

fn record(pid: u32, address: Address, found: &Found, config: &Config) -> Process {
    Process {
        pid,
        started_s: process::started_s(pid).unwrap_or_default(),
        start_mark: process::start_mark(pid),
        address,
        codex_home: config.codex_home.clone(),
        binary: found.binary.clone(),
        binary_mark: found.mark.clone(),
    }
}

/// `auto` is the socket where there are unix sockets, loopback elsewhere.
fn address(config: &Config, place: &Place) -> Address {
    match config.link {
        LinkKind::Stdio => Address::Stdio,
        LinkKind::Socket => Address::Socket(place.app_server_socket()),
        LinkKind::Auto if cfg!(unix) => Address::Socket(place.app_server_socket()),
        LinkKind::Auto | LinkKind::Loopback => Address::Loopback { port: 0, token_file: place.run_dir.join("a.token") },
    }
}

fn listen(address: &Address) -> Vec<std::ffi::OsString> {
    match address {
        Address::Stdio => Vec::new(),
        Address::Socket(path) => vec!["--listen".into(), format!("unix://{}", path.display()).into()],
        Address::Loopback { token_file, .. } => vec![
            "--listen".into(),
            "ws://127.0.0.1:0".into(),
            "--ws-auth".into(),
            "capability-token".into(),
            process::TOKEN_FILE_FLAG.into(),
            token_file.into(),
        ],
    }
}

fn working_folder(config: &Config) -> Option<PathBuf> {
    config
        .projects_root
        .clone()
        .filter(|root| root.is_dir())
        .or_else(|| config::variable(if cfg!(windows) { "USERPROFILE" } else { "HOME" }).map(PathBuf::from).filter(|home| home.is_dir()))
}

/// Written by the app-server itself, which appends: cut when another one starts, and when it has grown far beyond that.
fn log_file(path: &Path) -> Option<std::fs::File> {
    cut_log(path, LOG_BYTES_MAX);
    std::fs::OpenOptions::new().create(true).append(true).open(path).ok()
}

const LOG_BYTES_MAX: u64 = 5_000_000;
const LOG_BYTES_MAX_OF_ONE: u64 = 10 * LOG_BYTES_MAX;

/// While it runs.
pub(super) fn keep_log_short(place: &Place) {
    cut_log(&log_path(place), LOG_BYTES_MAX_OF_ONE);
}

fn log_path(place: &Place) -> PathBuf {
    place.logs_dir.join("app-server.log")
}

fn cut_log(path: &Path, bytes_max: u64) {
    if std::fs::metadata(path).is_ok_and(|meta| meta.len() > bytes_max)
        && let Err(error) = std::fs::OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(0))
    {
        tracing::warn!(%error, "the log of the app-server could not be cut");
    }
}

/// Waits until a process that we just started can be talked to.
pub(super) async fn connect_new(started: &mut Started) -> Result<Frames, StartError> {
    if let Some(frames) = started.pipes.take() {
        return Ok(frames);
    }
    let until = tokio::time::Instant::now() + UP_MAX;
    loop {
        if let Address::Loopback { port, .. } = &mut started.process.address
            && *port == 0
        {
            *port = announced_port(&started.log).unwrap_or(0);
        }
        match connect(&started.process.address).await {
            Ok(frames) => return Ok(frames),
            Err(error) if tokio::time::Instant::now() > until => return Err(StartError::Silent(error)),
            // It listens some 50 ms after the start (PROTOCOL 12); nothing tells us when.
            Err(_) => tokio::select! {
                ended = started.child.wait() => return Err(StartError::EndedAtOnce(ended.map_or_else(|e| e.to_string(), |status| status.to_string()))),
                () = tokio::time::sleep(Duration::from_millis(5)) => {}
            },
        }
    }
}

/// `listening on: ws://127.0.0.1:PORT`, which it writes to its stderr.
fn announced_port(log: &Log) -> Option<u16> {
    let text = log.text()?;
    let digits: String = text.split_once("ws://127.0.0.1:")?.1.chars().take_while(char::is_ascii_digit).collect();
    // A line that is only half written has no end yet.
    let ends = |end: &str| text.contains(&format!("ws://127.0.0.1:{digits}{end}"));
    (ends("\n") || ends("\r\n")).then_some(())?;
    digits.parse().ok()
}

/// To a process that is (or should be) there already. One that takes the connection and says nothing has no more time than
/// one that refuses it.
pub async fn connect(address: &Address) -> Result<Frames, LinkError> {
    match tokio::time::timeout(CONNECT_MAX, connect_now(address)).await {
        Ok(connected) => connected,
        Err(_) => Err(LinkError::Connect(format!("it took the connection and said nothing for {CONNECT_MAX:?}"))),
    }
}

async fn connect_now(address: &Address) -> Result<Frames, LinkError> {
    let failed = |e: &dyn std::fmt::Display| LinkError::Connect(e.to_string());
    match address {
        #[cfg(unix)]
        Address::Socket(path) => {
            let stream = tokio::net::UnixStream::connect(path).await.map_err(|e| failed(&e))?;
            let (socket, _) =
                client_async_with_config("ws://localhost/", stream, Some(websocket_config())).await.map_err(|e| failed(&e))?;
            Ok(frames(socket))
        }
        #[cfg(not(unix))]
        Address::Socket(_) => Err(failed(&"unix sockets are not available on this system; set app_server.link to loopback")),
        Address::Loopback { port, token_file } => {
            let token = files::read_text(token_file, files::SETTINGS_BYTES_MAX).map_err(|e| failed(&e))?;
            let mut request = format!("ws://127.0.0.1:{port}/").into_client_request().map_err(|e| failed(&e))?;
            let value = format!("Bearer {}", token.trim()).parse().map_err(|_| failed(&"the token file is damaged"))?;
            request.headers_mut().insert("authorization", value);
            let stream = TcpStream::connect(("127.0.0.1", *port)).await.map_err(|e| failed(&e))?;
            let (socket, _) = client_async_with_config(request, stream, Some(websocket_config())).await.map_err(|e| failed(&e))?;
            Ok(frames(socket))
        }
        Address::Stdio => Err(failed(&"pipes cannot be connected to again")),
    }
}

/// A token file for the loopback link, owner only. Written anew before each start.
pub(super) fn write_token(address: &Address, token: &str) -> std::io::Result<()> {
    let Address::Loopback { token_file, .. } = address else { return Ok(()) };
    if let Err(error) = std::fs::remove_file(token_file)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut options = std::fs::OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    std::io::Write::write_all(&mut options.open(token_file)?, token.as_bytes())
}

/// Before a start: the token of the loopback link, and an end to a server that listens in our own folder but is
/// not recorded (the daemon was killed between starting it and writing it down).
pub(super) async fn prepare(config: &Config, place: &Place) {
    let address = address(config, place);
    if let Address::Loopback { token_file, .. } = &address {
        for pid in process::with_token_file(token_file) {
            end_stray(pid, config).await;
        }
    }
    let token = uuid::Uuid::now_v7().simple().to_string() + &uuid::Uuid::new_v4().simple().to_string();
    if let Err(error) = write_token(&address, &token) {
        tracing::error!(%error, "could not write the token file of the app-server");
    }
    #[cfg(unix)]
    if let Address::Socket(path) = &address
        && let Ok(stream) = tokio::net::UnixStream::connect(path).await
        && let Some(pid) = stream.peer_cred().ok().and_then(|cred| cred.pid()).and_then(|pid| u32::try_from(pid).ok())
    {
        end_stray(pid, config).await;
    }
}

async fn end_stray(pid: u32, config: &Config) {
    let Some(started_s) = process::started_s(pid) else { return };
    tracing::warn!(pid, "an unrecorded app-server of this home runs; ending it");
    let (start_mark, codex_home, address) = (process::start_mark(pid), config.codex_home.clone(), Address::Stdio);
    let stray = Process { pid, started_s, start_mark, address, codex_home, binary: PathBuf::new(), binary_mark: String::new() };
    process::kill(&stray).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_the_error_and_not_its_backtrace_and_have_no_colours() {
        let refused = "\u{1b}[2mnow\u{1b}[0m \u{1b}[31mERROR\u{1b}[0m no bubblewrap\nError: remove this setting\n\nStack backtrace:\n   0: <unknown>\n";
        assert_eq!(last_words(refused).as_deref(), Some("Error: remove this setting"));
        assert_eq!(last_words("first\n\u{1b}[31mthe last\u{1b}[0m one\n\n").as_deref(), Some("the last one"));
        assert_eq!(last_words(" \n"), None);
    }

    /// FAULTS A19.
    #[test]
    fn a_log_that_has_grown_is_cut_under_its_writer_which_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app-server.log");
        let mut writer = log_file(&path).unwrap();
        std::io::Write::write_all(&mut writer, &[b'x'; 100]).unwrap();
        cut_log(&path, 100);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 100);
        cut_log(&path, 99);
        std::io::Write::write_all(&mut writer, b"more").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "more");
    }

    #[test]
    fn the_last_words_are_of_this_process_and_not_of_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app-server.log");
        std::fs::write(&path, "Error: of old\n").unwrap();
        let log = Log { from: std::fs::metadata(&path).unwrap().len(), path: path.clone() };
        assert_eq!(log.with_last_words("it ended"), "it ended");
        std::fs::write(&path, "Error: of old\nnew\n").unwrap();
        assert_eq!(log.with_last_words("it ended"), "it ended; its last words: new");
    }
}
