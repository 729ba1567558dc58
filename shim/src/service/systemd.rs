//! systemd, as this user: `codexcp.socket` keeps the daemon's socket, `codexcp.service` is started by it and at login.
//! The app-server shares the unit's control group and must outlive the daemon, so only the main process is ever killed.

use super::{
    At, Definition, Plan, ServiceError,
    file::{self, MARK},
    plan::writable,
    system::{self, Installed, State},
};
use crate::environment;
use common::place::Place;
use std::path::PathBuf;

const SERVICE: &str = "codexcp.service";
const SOCKET: &str = "codexcp.socket";

/// Whether services of this user run without a login (`--at boot`), and who saw to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Linger {
    /// Not by us: it stays as it is when the service goes.
    NotOurs,
    Ours,
}

/// With what is known before anything is changed.
pub(super) fn definitions(plan: &Plan) -> Result<Vec<Definition>, ServiceError> {
    system::refuse_account(plan)?;
    both(plan, Linger::NotOurs)
}

fn both(plan: &Plan, linger: Linger) -> Result<Vec<Definition>, ServiceError> {
    let folder = folder()?;
    Ok(vec![
        Definition { path: folder.join(SERVICE), text: service_text(plan, linger)? },
        Definition { path: folder.join(SOCKET), text: socket_text(plan)? },
    ])
}

fn service_text(plan: &Plan, linger: Linger) -> Result<String, ServiceError> {
    let program = plan.program.to_string_lossy();
    // A colon: dollars in the path are no variables.
    let program = format!(":{}", quoted(writable("the path of the daemon", &program)?));
    let mut environment = String::new();
    for (name, value) in &plan.environment {
        environment += &format!("Environment={}\n", quoted(&format!("{name}={}", writable(name, value)?)));
    }
    let home = plan.place.home.to_string_lossy();
    let home = quoted(writable("the path of the home", &home)?);
    let at = plan.at.word();
    let linger = if linger == Linger::Ours { "yes" } else { "no" };
    Ok(format!(
        "# {MARK}; `codexcp service uninstall` removes it.
# Changes of your own: systemctl --user edit {SERVICE}

[Unit]
Description=Codex Control Plane
Requires={SOCKET}
After={SOCKET}
# A daemon that cannot start fails for good within seconds; whoever calls starts one then and learns why.
StartLimitIntervalSec=30
StartLimitBurst=10

[Service]
Type=notify
ExecStart={program}
{environment}# Codex's app-server is in this control group and goes on with its turns when the daemon ends or is restarted.
KillMode=process
# A command of the model that takes all memory must not take the daemon with it.
OOMPolicy=continue
Restart=on-failure
RestartSec=200ms
TimeoutStopSec=30

[Install]
WantedBy=default.target
Also={SOCKET}

[X-Codexcp]
Home={home}
At=\"{at}\"
Linger=\"{linger}\"
"
    ))
}

fn socket_text(plan: &Plan) -> Result<String, ServiceError> {
    let path = plan.place.daemon_socket();
    let path = path.to_string_lossy();
    let path = writable("the path of the socket", &path)?.replace('%', "%%");
    Ok(format!(
        "# {MARK}; `codexcp service uninstall` removes it.

[Unit]
Description=Codex Control Plane, the daemon's socket

[Socket]
ListenStream={path}
SocketMode=0600
DirectoryMode=0700
RemoveOnStop=yes

[Install]
WantedBy=sockets.target
"
    ))
}

/// One word of a unit file (`systemd.syntax(7)`).
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%"))
}

/// What `quoted` made into the value of a line.
fn recorded(text: &str, key: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix("=\"")?.strip_suffix('"'))?;
    let mut out = String::new();
    let mut rest = value.chars();
    while let Some(one) = rest.next() {
        // The first of two: a backslash and what it protects, or a doubled percent.
        out.push(if matches!(one, '\\' | '%') { rest.next()? } else { one });
    }
    Some(out)
}

fn folder() -> Result<PathBuf, ServiceError> {
    let set = |name: &str| environment::variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config"))).ok_or(ServiceError::NoHome)?;
    Ok(config.join("systemd/user"))
}

/// Of an earlier install.
struct Before {
    home: PathBuf,
    at: At,
    linger: Linger,
    files: Vec<PathBuf>,
}

fn before() -> Result<Option<Before>, ServiceError> {
    let folder = folder()?;
    let (service, socket) = (folder.join(SERVICE), folder.join(SOCKET));
    let (text, other) = (file::read_ours(&service)?, file::read_ours(&socket)?);
    let files = [text.as_ref().map(|_| service), other.as_ref().map(|_| socket)].into_iter().flatten().collect::<Vec<_>>();
    if files.is_empty() {
        return Ok(None);
    }
    let text = text.unwrap_or_default();
    let word = |key| recorded(&text, key).unwrap_or_default();
    let linger = if word("Linger") == "yes" { Linger::Ours } else { Linger::NotOurs };
    Ok(Some(Before { home: PathBuf::from(word("Home")), at: At::of_word(&word("At")), linger, files }))
}

pub(super) fn prepare(plan: &Plan) -> Result<(), ServiceError> {
    definitions(plan)?;
    reach()?;
    let Some(before) = before()? else { return Ok(()) };
    system::same_home(&before.home, &plan.place)?;
    systemctl(&["stop", SOCKET, SERVICE])
}

pub(super) fn install(plan: &Plan) -> Result<(), ServiceError> {
    let before = before()?.map_or(Linger::NotOurs, |before| before.linger);
    let linger = match plan.at {
        At::Login if before == Linger::Ours => set_linger("disable-linger").map(|()| Linger::NotOurs)?,
        At::Login => Linger::NotOurs,
        At::Boot if lingers() => before,
        At::Boot => set_linger("enable-linger").map(|()| Linger::Ours)?,
    };
    for definition in both(plan, linger)? {
        definition.write()?;
    }
    systemctl(&["daemon-reload"])?;
    // What failed before does not count against this start; nothing may have.
    drop(systemctl(&["reset-failed", SOCKET, SERVICE]));
    systemctl(&["enable", SERVICE, SOCKET])?;
    systemctl(&["start", SOCKET, SERVICE])
}

pub(super) fn uninstall(place: &Place) -> Result<bool, ServiceError> {
    let Some(before) = before()? else { return Ok(false) };
    system::same_home(&before.home, place)?;
    reach()?;
    systemctl(&["disable", "--now", SOCKET, SERVICE])?;
    for path in &before.files {
        file::remove(path)?;
    }
    systemctl(&["daemon-reload"])?;
    if before.linger == Linger::Ours {
        set_linger("disable-linger")?;
    }
    Ok(true)
}

pub(super) fn state() -> Result<State, ServiceError> {
    let installed = before()?.map(|before| Installed { home: before.home, at: before.at, written: before.files });
    let mut state = State { system: "systemd", installed, enabled: None, running: None, pid: None, words: String::new() };
    match show() {
        Ok((service, socket)) => {
            let is = |unit: &Shown, key, wanted| property(unit, key) == wanted;
            state.enabled = Some(is(&service, "UnitFileState", "enabled") && is(&socket, "UnitFileState", "enabled"));
            state.running = Some(is(&service, "ActiveState", "active"));
            state.pid = property(&service, "MainPID").parse().ok().filter(|pid| *pid > 0);
            let words = |unit: &Shown| format!("{} ({})", property(unit, "ActiveState"), property(unit, "SubState"));
            state.words = format!("service {}, socket {}", words(&service), words(&socket));
        }
        Err(error) => state.words = error.to_string(),
    }
    Ok(state)
}

/// The properties of one unit.
type Shown = Vec<(String, String)>;

fn property<'a>(unit: &'a Shown, key: &str) -> &'a str {
    unit.iter().find(|(known, _)| known == key).map_or("", |(_, value)| value)
}

fn show() -> Result<(Shown, Shown), ServiceError> {
    reach()?;
    let one = |unit| {
        let text = asked(&["show", "--property=ActiveState,SubState,MainPID,UnitFileState", unit])?;
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Ok(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    };
    Ok((one(SERVICE)?, one(SOCKET)?))
}

/// An error where there is no systemd for this user.
fn reach() -> Result<(), ServiceError> {
    match system::output("systemctl", &["--user", "show", "--property=Version"]) {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(words)) => Err(ServiceError::NoUserSystemd(words)),
        Err(_) => Err(ServiceError::NoSystemd),
    }
}

fn systemctl(arguments: &[&str]) -> Result<(), ServiceError> {
    asked(arguments).map(drop)
}

fn asked(arguments: &[&str]) -> Result<String, ServiceError> {
    let all = [&["--user"], arguments].concat();
    match system::output("systemctl", &all) {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(why)) => {
            let todo = "`journalctl --user -u codexcp.service` may say more";
            Err(ServiceError::Command { command: format!("systemctl {}", all.join(" ")), why, todo })
        }
        Err(_) => Err(ServiceError::NoSystemd),
    }
}

/// A user who is not known to logind, because not logged in, does not linger either.
fn lingers() -> bool {
    let asked = system::output("loginctl", &["show-user", &system::user_id().to_string(), "--property=Linger", "--value"]);
    matches!(asked, Ok(Ok(text)) if text == "yes")
}

fn set_linger(verb: &'static str) -> Result<(), ServiceError> {
    let failed = |why| {
        let todo = "an administrator may do it for you (`loginctl enable-linger USER`), or choose `--at login`";
        Err(ServiceError::Command { command: format!("loginctl {verb}"), why, todo })
    };
    match system::output("loginctl", &[verb]) {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(why)) => failed(why),
        Err(error) => failed(error.to_string()),
    }
}

// Paths are written as the system that reads them does.
#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::path::Path;

    fn plan(home: &str, environment: &[(&str, &str)]) -> Plan {
        Plan {
            program: PathBuf::from("/opt/codexcp/codexcp-daemon"),
            place: Place::in_folder(Path::new(home)),
            environment: environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            at: At::Login,
            account: None,
        }
    }

    #[test]
    fn the_service_is_started_by_its_socket_and_at_login_and_leaves_the_app_server_alone() {
        let plan = plan("/home/ann/cp", &[("CODEXCP_HOME", "/home/ann/cp"), ("PATH", "/usr/bin:/bin")]);
        let wanted = "# Written by `codexcp service install`; `codexcp service uninstall` removes it.
# Changes of your own: systemctl --user edit codexcp.service

[Unit]
Description=Codex Control Plane
Requires=codexcp.socket
After=codexcp.socket
# A daemon that cannot start fails for good within seconds; whoever calls starts one then and learns why.
StartLimitIntervalSec=30
StartLimitBurst=10

[Service]
Type=notify
ExecStart=:\"/opt/codexcp/codexcp-daemon\"
Environment=\"CODEXCP_HOME=/home/ann/cp\"
Environment=\"PATH=/usr/bin:/bin\"
# Codex's app-server is in this control group and goes on with its turns when the daemon ends or is restarted.
KillMode=process
# A command of the model that takes all memory must not take the daemon with it.
OOMPolicy=continue
Restart=on-failure
RestartSec=200ms
TimeoutStopSec=30

[Install]
WantedBy=default.target
Also=codexcp.socket

[X-Codexcp]
Home=\"/home/ann/cp\"
At=\"login\"
Linger=\"no\"
";
        assert_eq!(service_text(&plan, Linger::NotOurs).unwrap(), wanted);
        let wanted = "# Written by `codexcp service install`; `codexcp service uninstall` removes it.

[Unit]
Description=Codex Control Plane, the daemon's socket

[Socket]
ListenStream=/home/ann/cp/run/d.sock
SocketMode=0600
DirectoryMode=0700
RemoveOnStop=yes

[Install]
WantedBy=sockets.target
";
        assert_eq!(socket_text(&plan).unwrap(), wanted);
    }

    #[test]
    fn strange_paths_and_values_keep_their_meaning() {
        let plan = plan(r#"/a b/50%\"x"#, &[("PATH", r#"/a "b"\c:%h:$HOME"#)]);
        let text = service_text(&plan, Linger::Ours).unwrap();
        assert!(text.contains("Environment=\"PATH=/a \\\"b\\\"\\\\c:%%h:$HOME\"\n"), "{text}");
        assert_eq!(recorded(&text, "Home").as_deref(), Some(r#"/a b/50%\"x"#));
        assert_eq!(recorded(&text, "Linger").as_deref(), Some("yes"));
        assert!(socket_text(&plan).unwrap().contains("ListenStream=/a b/50%%\\\"x/run/d.sock\n"));
    }

    #[test]
    fn nobody_smuggles_a_line_into_a_unit() {
        assert!(service_text(&plan("/a", &[("PATH", "/bin\nExecStartPre=/bin/evil")]), Linger::NotOurs).is_err());
        assert!(socket_text(&plan("/a\nListenStream=/b", &[])).is_err());
    }
}
