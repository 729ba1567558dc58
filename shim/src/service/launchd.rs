//! launchd, as this user: one agent, started at login and again when it fails. It never ends what the daemon started:
//! codex's app-server goes on with its turns when the agent ends.

use super::{
    At, Definition, Plan, ServiceError,
    file::{self, MARK},
    plan::writable,
    system::{self, Installed, State},
};
use crate::environment;
use common::place::Place;
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

const LABEL: &str = "dev.codexcp.daemon";
/// As long as the daemon may take to end.
const GONE_MAX: Duration = Duration::from_secs(30);

pub(super) fn definitions(plan: &Plan) -> Result<Vec<Definition>, ServiceError> {
    system::refuse_account(plan)?;
    if plan.at == At::Boot {
        return Err(ServiceError::NotHere(
            "macOS starts the agents of a user when the user logs in, not at boot; use `--at login`, and let the user log in automatically if it must be sooner",
        ));
    }
    Ok(vec![Definition { path: path()?, text: text(plan)? }])
}

fn text(plan: &Plan) -> Result<String, ServiceError> {
    let place = &plan.place;
    let escaped_path = |what: &str, path: &std::path::Path| Ok::<_, ServiceError>(escaped(writable(what, &path.to_string_lossy())?));
    let program = escaped_path("the path of the daemon", &plan.program)?;
    let log = escaped_path("the path of the log", &place.logs_dir.join("daemon.stderr"))?;
    // Two hyphens would end the comment.
    let home = escaped_path("the path of the home", &place.home)?.replace("--", "-&#45;");
    let mut environment = String::new();
    for (name, value) in &plan.environment {
        environment += &format!("        <key>{name}</key>\n        <string>{}</string>\n", escaped(writable(name, value)?));
    }
    Ok(format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- {MARK}; `codexcp service uninstall` removes it. -->
<!-- home: {home} -->
<plist version="1.0">
<dict>
    <key>Label</key>
    <string>{LABEL}</string>
    <key>ProgramArguments</key>
    <array>
        <string>{program}</string>
    </array>
    <key>EnvironmentVariables</key>
    <dict>
{environment}    </dict>
    <key>RunAtLoad</key>
    <true/>
    <key>KeepAlive</key>
    <dict>
        <key>SuccessfulExit</key>
        <false/>
    </dict>
    <key>AbandonProcessGroup</key>
    <true/>
    <key>ExitTimeOut</key>
    <integer>30</integer>
    <key>ProcessType</key>
    <string>Interactive</string>
    <key>StandardErrorPath</key>
    <string>{log}</string>
</dict>
</plist>
"#
    ))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// What `text` wrote into its second comment.
fn home_of(text: &str) -> PathBuf {
    let home = text.lines().find_map(|line| line.strip_prefix("<!-- home: ")?.strip_suffix(" -->")).unwrap_or_default();
    PathBuf::from(home.replace("-&#45;", "--").replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&"))
}

fn path() -> Result<PathBuf, ServiceError> {
    let home = environment::variable("HOME").filter(|home| !home.is_empty()).ok_or(ServiceError::NoHome)?;
    Ok(PathBuf::from(home).join("Library/LaunchAgents").join(format!("{LABEL}.plist")))
}

fn before() -> Result<Option<Installed>, ServiceError> {
    let path = path()?;
    let text = file::read_ours(&path)?;
    Ok(text.map(|text| Installed { home: home_of(&text), at: At::Login, written: vec![path] }))
}

pub(super) fn prepare(plan: &Plan) -> Result<(), ServiceError> {
    definitions(plan)?;
    if let Some(before) = before()? {
        system::same_home(&before.home, &plan.place)?;
    }
    unload()
}

pub(super) fn install(plan: &Plan) -> Result<(), ServiceError> {
    let logs = &plan.place.logs_dir;
    // launchd opens the log before the daemon makes its folders.
    let mut folder = std::fs::DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(logs).map_err(|error| ServiceError::File { path: logs.clone(), why: error.to_string() })?;
    for definition in definitions(plan)? {
        definition.write()?;
    }
    // An agent that was once switched off by hand would not be loaded.
    launchctl(&["enable", &target()])?;
    launchctl(&["bootstrap", &domain(), &path()?.to_string_lossy()])
}

pub(super) fn uninstall(place: &Place) -> Result<bool, ServiceError> {
    let Some(before) = before()? else { return Ok(false) };
    system::same_home(&before.home, place)?;
    unload()?;
    for path in &before.written {
        file::remove(path)?;
    }
    Ok(true)
}

pub(super) fn state() -> Result<State, ServiceError> {
    let printed = print()?;
    let words = printed.as_deref().and_then(|text| field(text, "state")).unwrap_or(if printed.is_some() { "loaded" } else { "not loaded" });
    Ok(State {
        system: "launchd",
        installed: before()?,
        enabled: Some(printed.is_some()),
        running: Some(words == "running"),
        pid: printed.as_deref().and_then(|text| field(text, "pid")).and_then(|pid| pid.parse().ok()),
        words: words.to_owned(),
    })
}

/// `key = value` of `launchctl print`, the first one.
fn field<'a>(printed: &'a str, key: &str) -> Option<&'a str> {
    printed.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(" = "))
}

fn domain() -> String {
    format!("gui/{}", system::user_id())
}

fn target() -> String {
    format!("{}/{LABEL}", domain())
}

/// `None`: launchd does not know it.
fn print() -> Result<Option<String>, ServiceError> {
    match system::output("launchctl", &["print", &target()]) {
        Ok(printed) => Ok(printed.ok()),
        Err(error) => Err(failed("print", error.to_string())),
    }
}

/// Returns when it is gone: only then can it be loaded again.
fn unload() -> Result<(), ServiceError> {
    if print()?.is_none() {
        return Ok(());
    }
    launchctl(&["bootout", &target()])?;
    let until = Instant::now() + GONE_MAX;
    while print()?.is_some() {
        if Instant::now() > until {
            return Err(failed("bootout", "the agent is still there".to_owned()));
        }
    }
    Ok(())
}

fn launchctl(arguments: &[&str]) -> Result<(), ServiceError> {
    match system::output("launchctl", arguments) {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(why)) => Err(failed(&arguments.join(" "), why)),
        Err(error) => Err(failed(&arguments.join(" "), error.to_string())),
    }
}

fn failed(what: &str, why: String) -> ServiceError {
    let todo = "run it in a session of this user at the screen; `launchctl print gui/$(id -u)` shows what is loaded";
    ServiceError::Command { command: format!("launchctl {what}"), why, todo }
}

// Paths are written as the system that reads them does.
#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::path::Path;

    fn plan(home: &str, at: At) -> Plan {
        Plan {
            program: PathBuf::from("/opt/codexcp/codexcp-daemon"),
            place: Place::in_folder(Path::new(home)),
            environment: vec![("PATH".to_owned(), "/usr/bin:/a&b".to_owned())],
            at,
            account: None,
        }
    }

    #[test]
    fn the_agent_starts_at_login_again_when_it_fails_and_leaves_the_app_server_alone() {
        let wanted = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- Written by `codexcp service install`; `codexcp service uninstall` removes it. -->
<!-- home: /Users/ann/cp -->
<plist version="1.0">
<dict>
    <key>Label</key>
    <string>dev.codexcp.daemon</string>
    <key>ProgramArguments</key>
    <array>
        <string>/opt/codexcp/codexcp-daemon</string>
    </array>
    <key>EnvironmentVariables</key>
    <dict>
        <key>PATH</key>
        <string>/usr/bin:/a&amp;b</string>
    </dict>
    <key>RunAtLoad</key>
    <true/>
    <key>KeepAlive</key>
    <dict>
        <key>SuccessfulExit</key>
        <false/>
    </dict>
    <key>AbandonProcessGroup</key>
    <true/>
    <key>ExitTimeOut</key>
    <integer>30</integer>
    <key>ProcessType</key>
    <string>Interactive</string>
    <key>StandardErrorPath</key>
    <string>/Users/ann/cp/logs/daemon.stderr</string>
</dict>
</plist>
"#;
        assert_eq!(text(&plan("/Users/ann/cp", At::Login)).unwrap(), wanted);
    }

    #[test]
    fn a_strange_home_is_read_back_as_it_was() {
        let home = "/Users/a --> <b> & c---";
        let text = text(&plan(home, At::Login)).unwrap();
        assert_eq!(home_of(&text), Path::new(home));
        let comments = text.lines().filter(|line| line.starts_with("<!-- "));
        assert!(
            comments.map(|line| line.trim_start_matches("<!-- ").trim_end_matches(" -->")).all(|inside| !inside.contains("--")),
            "{text}"
        );
    }

    #[test]
    fn a_start_at_boot_is_refused_with_what_to_do() {
        let refused = definitions(&plan("/Users/ann/cp", At::Boot)).unwrap_err();
        assert!(refused.is_refusal() && refused.to_string().contains("--at login"), "{refused}");
    }

    #[test]
    fn what_launchctl_prints_is_read() {
        let printed =
            "gui/501/dev.codexcp.daemon = {\n\tactive count = 1\n\tstate = running\n\n\tpid = 4711\n\tspawn type = interactive\n}";
        assert_eq!((field(printed, "state"), field(printed, "pid")), (Some("running"), Some("4711")));
        assert_eq!(field(printed, "last exit code"), None);
    }
}
