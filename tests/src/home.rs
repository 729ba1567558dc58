//! A home of its own: configuration, a project, a CODEX_HOME that leads to the scripted provider, and the programs
//! started in it. Dropped, it ends every process that was started in it, by pid, a panicking test included.

use crate::provider::{self, Provider};
use anyhow::{Context, bail};
use common::place::Place;
use daemon::store::{
    Reader,
    tables::app_server::{self, Process},
};
#[cfg(unix)]
use std::os::{fd::OwnedFd, unix::net::UnixListener};
use std::{
    ffi::OsString,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
};

/// The programs under test.
#[derive(Clone)]
pub struct Programs {
    pub daemon: PathBuf,
    pub shim: PathBuf,
    pub codexcp: PathBuf,
    pub codex: PathBuf,
}

pub struct Home {
    pub folder: tempfile::TempDir,
    pub place: Place,
    pub project: PathBuf,
    pub codex_home: PathBuf,
    pub provider: Provider,
    pub programs: Programs,
    variables: Vec<(String, OsString)>,
    daemon: Mutex<Option<Child>>,
}

impl Home {
    /// With a provider of its own; no daemon yet.
    pub async fn new(programs: Programs) -> anyhow::Result<Home> {
        let folder = tempfile::Builder::new().prefix("cxcp-").tempdir()?;
        let root = folder.path().canonicalize()?;
        let (home, codex_home, projects) = (root.join("home"), root.join("codex"), root.join("projects"));
        let (project, user) = (projects.join("shop"), root.join("user"));
        for one in [&home, &codex_home, &project, &user] {
            std::fs::create_dir_all(one)?;
        }
        let provider = provider::start(Some(root.join("provider.ndjson"))).await?;
        std::fs::write(codex_home.join("config.toml"), provider::config_toml(&provider.base_url()))?;
        std::fs::write(home.join("config.toml"), format!("allowed_roots = [{:?}]\n", projects))?;
        let variables = vec![
            // Not the developer's own: a model's command runs in a login shell, whose start-up files may do anything. One
            // that a test killed in the middle of them can leave a lock behind, and the shells after it wait a minute.
            ("HOME".to_owned(), user.into_os_string()),
            ("CODEXCP_HOME".to_owned(), home.clone().into_os_string()),
            ("CODEX_HOME".to_owned(), codex_home.clone().into_os_string()),
            ("CODEX_BINARY_PATH".to_owned(), programs.codex.clone().into_os_string()),
            ("CODEXCP_DAEMON_PROGRAM".to_owned(), programs.daemon.clone().into_os_string()),
        ];
        Ok(Home { place: Place::in_folder(&home), folder, project, codex_home, provider, programs, variables, daemon: Mutex::new(None) })
    }

    /// One more variable for every program started from now on.
    pub fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.into()));
    }

    pub fn unset(&mut self, name: &str) {
        self.variables.retain(|(known, _)| known != name);
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A program with the environment of this home and nothing else of ours.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(inherited()).envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the daemon and waits for its word that it is ready.
    pub fn start_daemon(&self) -> anyhow::Result<()> {
        self.start(self.command(&self.programs.daemon))
    }

    /// As `start_daemon`, with a command that was changed first.
    pub fn start(&self, command: Command) -> anyhow::Result<()> {
        self.start_with(command, Stdio::null())
    }

    /// As `start_daemon`, on a socket that listens already, handed over as systemd does.
    #[cfg(unix)]
    pub fn start_daemon_on(&self, socket: &UnixListener) -> anyhow::Result<()> {
        // Descriptor 3 can be filled by a shell, without unsafe code here; `exec` keeps the pid.
        let script = r#"exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec "$0""#;
        let mut command = self.command(Path::new("/bin/sh"));
        command.args(["-c", script]).arg(&self.programs.daemon);
        self.start_with(command, Stdio::from(OwnedFd::from(socket.try_clone()?)))
    }

    fn start_with(&self, mut command: Command, stdin: Stdio) -> anyhow::Result<()> {
        let log = std::fs::File::options().create(true).append(true).open(self.place.home.join("daemon.stderr"))?;
        let mut child = command.stdin(stdin).stdout(Stdio::piped()).stderr(log).spawn().context("could not start the daemon")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no stdout")?).read_line(&mut line)?;
        if line.trim() != "ready" {
            child.wait()?;
            bail!("the daemon did not come up: {}", std::fs::read_to_string(self.place.home.join("daemon.stderr"))?);
        }
        *self.held() = Some(child);
        Ok(())
    }

    /// SIGKILL.
    pub fn kill_daemon(&self) -> anyhow::Result<()> {
        if let Some(mut child) = self.held().take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    pub fn daemon_pid(&self) -> Option<u32> {
        self.held().as_ref().map(Child::id)
    }

    /// Waits until the daemon has ended by itself.
    pub fn daemon_ends(&self) -> anyhow::Result<()> {
        if let Some(mut child) = self.held().take() {
            child.wait()?;
        }
        Ok(())
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.daemon.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The app-server that is recorded in this home, if it lives.
    pub async fn app_server(&self) -> Option<Process> {
        let reader = Reader::open(&self.place.state_file()).ok()?;
        let row = reader.read(|tx| app_server::get(tx)).await.ok()?;
        row.process.filter(daemon::appserver::process::is_alive)
    }

    pub async fn kill_app_server(&self) -> Option<u32> {
        let process = self.app_server().await?;
        daemon::appserver::process::kill(&process).await;
        Some(process.pid)
    }

    /// What codex wrote down of its threads, one file each.
    pub fn records(&self) -> Vec<PathBuf> {
        files_below(&self.path().join("codex/sessions"))
    }

    fn pid_file(&self) -> Option<u32> {
        let text = std::fs::read_to_string(self.place.daemon_pid()).ok()?;
        text.trim().strip_prefix("pid ")?.parse().ok()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        drop(self.kill_daemon());
        // One that a shim or the command started is not our child; the home names it, and who holds the lock lives.
        let held = std::fs::File::open(self.place.daemon_lock()).is_ok_and(|lock| lock.try_lock().is_err());
        if let Some(pid) = self.pid_file().filter(|_| held) {
            end(pid);
        }
        let place = self.place.clone();
        block(async move {
            let Ok(reader) = Reader::open(&place.state_file()) else { return };
            if let Ok(Some(process)) = reader.read(|tx| app_server::get(tx)).await.map(|row| row.process) {
                daemon::appserver::process::kill(&process).await;
            }
            // One that was started and not yet written down listens in our own folder.
            #[cfg(unix)]
            if let Ok(stream) = tokio::net::UnixStream::connect(place.app_server_socket()).await
                && let Some(pid) = stream.peer_cred().ok().and_then(|cred| cred.pid()).and_then(|pid| u32::try_from(pid).ok())
            {
                end(pid);
            }
        });
    }
}

pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut folders = vec![folder.to_path_buf()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    files
}

/// Ends a process of this home now, and waits until it is gone.
pub fn end(pid: u32) {
    let Some(started_s) = daemon::appserver::process::started_s(pid) else { return };
    let (codex_home, binary, binary_mark) = (PathBuf::new(), PathBuf::new(), String::new());
    let process = Process { pid, started_s, start_mark: None, address: app_server::Address::Stdio, codex_home, binary, binary_mark };
    block(async move { daemon::appserver::process::kill(&process).await });
}

/// From a drop there is no runtime to wait on; a thread of its own has one.
fn block(work: impl Future<Output = ()> + Send + 'static) {
    let thread = std::thread::spawn(move || {
        if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
            runtime.block_on(work);
        }
    });
    drop(thread.join());
}

/// What programs need on this machine, and the fail points a test set.
fn inherited() -> impl Iterator<Item = (OsString, OsString)> {
    const NAMES: &[&str] = &["PATH", "LANG", "TMPDIR", "USER", "SHELL"];
    std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(|name| NAMES.contains(&name)))
}
