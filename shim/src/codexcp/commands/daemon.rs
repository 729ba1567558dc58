//! `codexcp daemon`: the daemon as a process: in the foreground, started, stopped, started anew. Ends nothing by
//! force; a daemon that is told to stop ends by itself.

use crate::{
    autostart,
    codexcp::{
        arguments::DaemonVerb,
        daemon::Daemon,
        exit::{Exit, Failure},
        output::Output,
    },
    environment, holder,
};
use common::client::ClientError;
use serde_json::json;
use std::{process::Command, time::Duration};
use tokio::time::Instant;

/// As long as an app-server may take to end.
const STOP_MAX: Duration = Duration::from_secs(30);

pub(super) async fn run(daemon: &Daemon, out: &Output, verb: DaemonVerb) -> Result<Exit, Failure> {
    match verb {
        DaemonVerb::Run { arguments } => foreground(&arguments),
        DaemonVerb::Start => start(daemon, out).await,
        DaemonVerb::Stop { all } => {
            let stopped = stop(daemon, out, all).await?;
            if out.json {
                out.object(json!({"stopped": stopped}))?;
            }
            Ok(Exit::Success)
        }
        DaemonVerb::Restart => {
            // What would keep the next one from starting is told while this one still runs.
            match autostart::check() {
                Err(error) if !error.is_held() => return Err(error.into()),
                Ok(()) | Err(_) => {}
            }
            stop(daemon, out, false).await?;
            start(daemon, out).await
        }
    }
}

/// Takes the place of this process where the system can do that.
fn foreground(arguments: &[String]) -> Result<Exit, Failure> {
    let program = autostart::program()?;
    let mut command = Command::new(&program);
    command.args(arguments).env_clear().envs(environment::passed_on());
    let failed =
        |error: std::io::Error| Failure::new(Exit::Failed, format!("could not start {}: {error}; reinstall it", program.display()));
    #[cfg(unix)]
    return Err(failed(std::os::unix::process::CommandExt::exec(&mut command)));
    #[cfg(not(unix))]
    {
        let status = command.status().map_err(failed)?;
        Ok(if status.success() { Exit::Success } else { Exit::Failed })
    }
}

async fn start(daemon: &Daemon, out: &Output) -> Result<Exit, Failure> {
    let health = daemon.start().await?;
    if out.json {
        out.object(json!({"running": true, "pid": health.pid, "version": health.version}))?;
    } else {
        out.say(&format!("The daemon {} runs.", health.version));
        out.data(&health.pid.to_string())?;
    }
    Ok(Exit::Success)
}

/// `false`: there was none.
pub(super) async fn stop(daemon: &Daemon, out: &Output, all: bool) -> Result<bool, Failure> {
    let connection = match daemon.present().await {
        Ok(connection) => connection,
        Err(ClientError::Absent) => match holder::of(&daemon.place) {
            Some(holder) => return Err(Failure::new(Exit::Unreachable, holder.sentence("cannot be reached: its socket is gone"))),
            None => {
                out.say("The daemon was not running.");
                return Ok(false);
            }
        },
        Err(error) => return Err(error.into()),
    };
    let pid = daemon.health(connection).await?.pid;
    match daemon.ask_once(daemon.present().await?, "/v1/admin/stop", json!({"all": all})).await {
        // It may be gone before its answer is out.
        Ok(_) | Err(Failure { exit: Exit::Unreachable, .. }) => {}
        Err(failure) => return Err(failure),
    }
    let until = Instant::now() + STOP_MAX;
    loop {
        match after(daemon, pid) {
            After::Still => {}
            After::Nobody => {
                out.say("The daemon has stopped.");
                return Ok(true);
            }
            After::Another => {
                out.say("The daemon has stopped, and a program that needs one has started it again.");
                return Ok(true);
            }
        }
        if Instant::now() > until {
            return Err(Failure::new(Exit::TimedOut, "the daemon was told to stop and still runs; see its log, or end its process"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

enum After {
    Still,
    Nobody,
    Another,
}

/// Who is there now, where there was this process. Looks at the lock and connects to nobody: below a service manager a
/// connection alone would start the next daemon.
fn after(daemon: &Daemon, pid: u32) -> After {
    match holder::of(&daemon.place) {
        None => After::Nobody,
        Some(holder) if holder.pid == Some(pid) => After::Still,
        Some(_) => After::Another,
    }
}
