//! `codexcp doctor`: whether everything needed is there, one line a check, with what to do. Starts no daemon and
//! changes nothing; what only a daemon knows is asked of one that runs.

use crate::{
    autostart,
    codexcp::{
        daemon::Daemon,
        exit::{Exit, Failure},
        output::{Output, Verdict},
        views::word,
    },
    environment, holder,
};
use common::{
    client::{ClientError, Connection},
    codex,
    place::Place,
};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

#[derive(Debug)]
struct Check {
    name: String,
    verdict: Verdict,
    message: String,
}

pub(super) async fn run(daemon: &Daemon, out: &Output) -> Result<Exit, Failure> {
    let mut checks = vec![home(&daemon.place.home), program()];
    match daemon.present().await {
        Ok(connection) => checks.extend(with_daemon(daemon, connection).await),
        Err(error) => checks.extend(without_daemon(daemon, &error).await),
    }
    let exit = if checks.iter().any(|check| check.verdict == Verdict::Fail) { Exit::Failed } else { Exit::Success };
    if out.json {
        let shown = |check: &Check| json!({"name": check.name, "status": check.verdict.word(), "message": check.message});
        out.object(json!({"ok": exit == Exit::Success, "checks": checks.iter().map(shown).collect::<Vec<_>>()}))?;
        return Ok(exit);
    }
    for check in &checks {
        out.verdict(check.verdict, &format!("{}: {}", check.name, check.message))?;
    }
    Ok(exit)
}

fn check(name: &str, verdict: Verdict, message: impl Into<String>) -> Check {
    Check { name: name.to_owned(), verdict, message: message.into() }
}

/// Others of this machine must not read what is stored here.
fn home(folder: &Path) -> Check {
    let shown = folder.display();
    match std::fs::metadata(folder) {
        Ok(meta) if !meta.is_dir() => check("home", Verdict::Fail, format!("{shown} is not a folder; move it aside or set CODEXCP_HOME")),
        #[cfg(unix)]
        Ok(meta) if std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o077 != 0 => {
            check("home", Verdict::Warn, format!("{shown} is open to others; close it with `chmod 700 {shown}`"))
        }
        Ok(_) => check("home", Verdict::Ok, shown.to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            check("home", Verdict::Ok, format!("{shown} is not there yet; the first start makes it"))
        }
        Err(error) => check("home", Verdict::Fail, format!("{shown}: {error}; check that it belongs to you, or set CODEXCP_HOME")),
    }
}

fn program() -> Check {
    match autostart::program() {
        Ok(path) => check("daemon program", Verdict::Ok, path.display().to_string()),
        Err(error) => check("daemon program", Verdict::Fail, error.to_string()),
    }
}

async fn with_daemon(daemon: &Daemon, connection: Connection) -> Vec<Check> {
    let mut checks = match daemon.health(connection).await {
        Ok(health) if health.version == env!("CARGO_PKG_VERSION") => {
            vec![check("daemon", Verdict::Ok, format!("version {}, pid {}", health.version, health.pid))]
        }
        Ok(health) => {
            let why =
                format!("it has version {}, this program {}; run `codexcp daemon restart`", health.version, env!("CARGO_PKG_VERSION"));
            vec![check("daemon", Verdict::Warn, why)]
        }
        Err(failure) => return vec![check("daemon", Verdict::Fail, failure.message)],
    };
    match summary(daemon).await {
        Ok((health, server)) => checks.extend(of_health(&health, &server)),
        Err(failure) => checks.push(check("daemon", Verdict::Fail, failure.message)),
    }
    checks
}

/// Asked of the daemon that was there a moment ago; one that has gone since is not started.
async fn summary(daemon: &Daemon) -> Result<(Value, Value), Failure> {
    let health = daemon.ask_once(daemon.present().await?, "/v1/tools/codex_health_summary", json!({})).await?;
    let server = daemon.ask_once(daemon.present().await?, "/v1/tools/codex_get_app_server_status", json!({})).await?;
    Ok((health, server))
}

fn of_health(health: &Value, server: &Value) -> Vec<Check> {
    let version = server["codexVersion"].as_str().or(health["appServer"]["codexVersion"].as_str());
    let found = |one: &Value| match (word(&one["name"]), version) {
        ("codex_binary", Some(version)) => format!("{}, version {version}", word(&one["message"])),
        ("app_server", _) => match server["pid"].as_u64() {
            Some(pid) => format!("{}, pid {pid}", word(&one["message"])),
            None => word(&one["message"]).to_owned(),
        },
        _ => word(&one["message"]).to_owned(),
    };
    let of = |status: &str| match status {
        "ok" => Verdict::Ok,
        "warning" => Verdict::Warn,
        _ => Verdict::Fail,
    };
    let checks = health["checks"].as_array().into_iter().flatten();
    let checks = checks.map(|one| check(&word(&one["name"]).replace('_', " "), of(word(&one["status"])), found(one)));
    let notes = health["notes"].as_array().into_iter().flatten().map(|note| check("note", Verdict::Warn, word(note)));
    checks.chain(notes).collect()
}

/// What can be seen from outside.
async fn without_daemon(daemon: &Daemon, error: &ClientError) -> Vec<Check> {
    let reached = match (error, holder::of(&daemon.place)) {
        (ClientError::Absent, Some(holder)) => check("daemon", Verdict::Fail, holder.sentence("cannot be reached: its socket is gone")),
        (ClientError::Absent, None) if autostart::wanted() => {
            check("daemon", Verdict::Warn, "it is not running; the first command that needs it starts it")
        }
        (ClientError::Absent, None) => {
            check("daemon", Verdict::Warn, "it is not running, and CODEXCP_AUTOSTART=0; run `codexcp daemon start`")
        }
        _ => check("daemon", Verdict::Fail, error.to_string()),
    };
    let config = common::files::read_text(&daemon.place.config_file, common::files::SETTINGS_BYTES_MAX).unwrap_or_default();
    vec![reached, could_start(), codex_binary(&config).await, variables(&daemon.place), roots(&config)]
}

/// Those that the configuration names for codex; the daemon has what whoever starts it has.
fn variables(place: &Place) -> Check {
    let missing: Vec<String> = environment::named_in(place).into_iter().filter(|name| environment::variable(name).is_none()).collect();
    match missing.as_slice() {
        [] => check("variables", Verdict::Ok, "what app_server.environment names is here"),
        names => check(
            "variables",
            Verdict::Warn,
            format!("app_server.environment names {}, which this shell does not have; set it before the daemon starts", names.join(", ")),
        ),
    }
}

/// The daemon itself looks: at the home, its drive, the configuration and the state.
fn could_start() -> Check {
    match autostart::check() {
        Ok(()) => check("start", Verdict::Ok, "nothing keeps a daemon from starting"),
        Err(error) => check("start", Verdict::Fail, error.to_string()),
    }
}

async fn codex_binary(config: &str) -> Check {
    let variable = environment::variable("CODEX_BINARY_PATH").filter(|path| !path.is_empty()).map(PathBuf::from);
    // What npm installs on Windows is a `.cmd`; the daemon looks behind it.
    let names: &[&str] = if cfg!(windows) { &["codex.exe", "codex.cmd"] } else { &["codex"] };
    let path = environment::variable("PATH").unwrap_or_default();
    let candidates = || std::env::split_paths(&path).flat_map(|folder| names.iter().map(move |name| folder.join(name)));
    let on_path = || candidates().find(|candidate| candidate.is_file());
    match variable {
        Some(path) if path.is_file() => version(&path).await,
        Some(path) => {
            check("codex binary", Verdict::Fail, format!("CODEX_BINARY_PATH leads to {}, which is not there; correct it", path.display()))
        }
        // Which file that is, only the daemon reads.
        None if sets(config, "binary_path") => check("codex binary", Verdict::Ok, "named by codex.binary_path"),
        None => match on_path() {
            Some(path) => version(&path).await,
            None => check(
                "codex binary",
                Verdict::Fail,
                "not on PATH; install it with `npm install -g @openai/codex`, or set codex.binary_path",
            ),
        },
    }
}

/// What it says it is. The daemon looks again before it gives it work.
async fn version(path: &Path) -> Check {
    /// It answers in some 50 ms.
    const ANSWER_WAIT_MAX: Duration = Duration::from_secs(5);
    let shown = path.display();
    let mut command = tokio::process::Command::new(path);
    command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let ran = tokio::time::timeout(ANSWER_WAIT_MAX, command.output()).await;
    let said = ran.ok().and_then(Result::ok).map(|ran| String::from_utf8_lossy(&ran.stdout).into_owned()).unwrap_or_default();
    let version = codex::printed(&said);
    match version.and_then(codex::numbers).map(codex::standing) {
        Some(codex::Standing::TooOld) => {
            check("codex binary", Verdict::Fail, format!("{shown}: {}", codex::too_old(version.unwrap_or(""))))
        }
        Some(codex::Standing::Known | codex::Standing::Newer) => {
            check("codex binary", Verdict::Ok, format!("{shown}, version {}", version.unwrap_or("")))
        }
        None => check("codex binary", Verdict::Warn, format!("{shown} does not say its version; it may be no codex")),
    }
}

fn roots(config: &str) -> Check {
    let named =
        ["CODEX_ALLOWED_ROOTS", "CODEX_PROJECTS_ROOT"].into_iter().any(|name| environment::variable(name).is_some_and(|v| !v.is_empty()));
    if named || sets(config, "allowed_roots") || sets(config, "root") {
        check("allowed roots", Verdict::Ok, "set; the daemon says whether they are there")
    } else {
        check("allowed roots", Verdict::Fail, "no folder is allowed yet; allow the project's folder with `codexcp allow DIR`")
    }
}

/// Whether a line of the file sets this key, in whatever table.
fn sets(config: &str, key: &str) -> bool {
    let keys = config.lines().filter_map(|line| line.split_once('=')).map(|(key, _)| key.trim());
    keys.map(|found| found.rsplit('.').next().unwrap_or(found)).any(|found| found == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checks_of_the_daemon_keep_their_level_and_sentence() {
        let health = json!({"notes": ["n"], "checks": [
            {"name": "codex_binary", "status": "ok", "message": "codex is there"},
            {"name": "allowed_roots", "status": "error", "message": "no folder is allowed yet"},
        ]});
        let all = of_health(&health, &json!({"codexVersion": "0.169.0"}));
        assert_eq!(
            (all[0].name.as_str(), all[0].verdict, all[0].message.as_str()),
            ("codex binary", Verdict::Ok, "codex is there, version 0.169.0")
        );
        assert_eq!((all[1].verdict, all[2].verdict), (Verdict::Fail, Verdict::Warn));
    }

    #[test]
    fn a_key_is_found_in_a_table_or_with_its_dots() {
        assert!(sets("a = 1\nallowed_roots = []", "allowed_roots"));
        assert!(sets("[codex]\n  binary_path = 'x'", "binary_path") && sets("codex.binary_path='x'", "binary_path"));
        assert!(!sets("# allowed_roots\n", "allowed_roots"));
    }
}
