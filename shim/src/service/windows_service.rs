//! The service manager of Windows, at boot: the service `codexcp`, which runs `codexcp-daemon --service` as a named
//! account. The password goes to the manager and nowhere else; it is never an argument and never written down.

use super::{
    At, Definition, Plan, ServiceError, command_line,
    plan::writable,
    system::{self, Installed, State},
};
use crate::environment;
use common::{place::Place, wire::WINDOWS_SERVICE};
use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use windows_service::{
    service::{
        Service, ServiceAccess, ServiceAction, ServiceActionType, ServiceErrorControl, ServiceFailureActions, ServiceFailureResetPeriod,
        ServiceInfo, ServiceStartType, ServiceState, ServiceStatus, ServiceType,
    },
    service_manager::{ServiceManager, ServiceManagerAccess},
};

/// Between the word and what follows it: a start, a stop, a removal.
const CHANGE_MAX: Duration = Duration::from_secs(60);

/// `ERROR_ACCESS_DENIED` and so on, as `winerror.h` numbers them.
mod code {
    pub(super) const ACCESS_DENIED: i32 = 5;
    pub(super) const INVALID_LEVEL: i32 = 124;
    pub(super) const INVALID_ACCOUNT: i32 = 1057;
    pub(super) const NOT_ACTIVE: i32 = 1062;
    pub(super) const NO_SUCH_SERVICE: i32 = 1060;
    pub(super) const LOGON_FAILED: i32 = 1069;
    pub(super) const MARKED_FOR_DELETE: i32 = 1072;
}

pub(super) fn definitions(plan: &Plan) -> Result<Vec<Definition>, ServiceError> {
    let account = account(plan)?;
    let arguments = arguments(plan)?;
    let program = plan.program.to_string_lossy();
    let mut parts = vec![writable("the path of the daemon", &program)?];
    parts.extend(arguments.iter().map(String::as_str));
    let text = format!("ImagePath={}\nObjectName={account}\nStart=automatic", command_line::joined(&parts));
    Ok(vec![Definition { path: path(), text }])
}

fn path() -> PathBuf {
    PathBuf::from(format!(r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\{WINDOWS_SERVICE}"))
}

fn arguments(plan: &Plan) -> Result<Vec<String>, ServiceError> {
    let mut all = vec!["--service".to_owned()];
    if let Some(home) = plan.named_home() {
        all.extend(["--home".to_owned(), writable("the path of the home", home)?.to_owned()]);
    }
    Ok(all)
}

/// LocalSystem only where it is asked for by name.
fn account(plan: &Plan) -> Result<&str, ServiceError> {
    plan.account.as_deref().ok_or(ServiceError::NotHere(
        r"a service needs an account to run as; name your own with `--account .\NAME`: codex's login, your tools and your folders are there, and only the same user can call the daemon. The system's own account (`--account LocalSystem`) has none of that, and no program of yours could call it. If a start at login will do, use `--at login`",
    ))
}

/// Accounts whose password is the system's business.
fn needs_password(account: &str) -> bool {
    let account = account.to_lowercase();
    let system = ["localsystem", r".\localsystem"].contains(&account.as_str());
    !system && !account.starts_with(r"nt authority\") && !account.starts_with(r"nt service\") && !account.ends_with('$')
}

fn password(account: &str) -> Result<Option<OsString>, ServiceError> {
    if !needs_password(account) {
        return Ok(None);
    }
    if let Some(given) = environment::variable(environment::PASSWORD) {
        return Ok(Some(given.into()));
    }
    let none =
        ServiceError::NotHere("the account needs a password; run this in a terminal, which asks for it, or set CODEXCP_SERVICE_PASSWORD");
    let terminal = console::Term::stderr();
    if !io::stdin().is_terminal() || !terminal.is_term() {
        return Err(none);
    }
    let asked = terminal.write_str(&format!("Password of {account}: ")).and_then(|()| terminal.read_secure_line());
    asked.map(|text| Some(text.into())).map_err(|_| none)
}

pub(super) fn prepare(plan: &Plan) -> Result<(), ServiceError> {
    account(plan)?;
    // Before anything is stopped: whether this may be done at all.
    service_control(ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE)?;
    if let Some(before) = before()? {
        system::same_home(&before.home, &plan.place)?;
        remove()?;
    }
    Ok(())
}

pub(super) fn install(plan: &Plan) -> Result<(), ServiceError> {
    let account = account(plan)?;
    let info = ServiceInfo {
        name: WINDOWS_SERVICE.into(),
        display_name: "Codex Control Plane".into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: ServiceStartType::AutoStart,
        error_control: ServiceErrorControl::Normal,
        executable_path: plan.program.clone(),
        launch_arguments: arguments(plan)?.into_iter().map(OsString::from).collect(),
        dependencies: Vec::new(),
        account_name: (!account.eq_ignore_ascii_case("LocalSystem")).then(|| account.into()),
        account_password: password(account)?,
    };
    let manager = service_control(ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE)?;
    let service = manager.create_service(&info, ServiceAccess::ALL_ACCESS).map_err(|error| failed("create", &error))?;
    let again = |seconds| ServiceAction { action_type: ServiceActionType::Restart, delay: Duration::from_secs(seconds) };
    let actions = vec![again(1), again(5), again(30)];
    let reset_period = ServiceFailureResetPeriod::After(Duration::from_secs(3600));
    let failure = ServiceFailureActions { reset_period, reboot_msg: None, command: None, actions: Some(actions) };
    let set = service
        .set_description("Owns codex's app-server, a queue of tasks and their reports; see `codexcp status`")
        .and_then(|()| service.update_failure_actions(failure))
        .and_then(|()| where_known(service.set_failure_actions_on_non_crash_failures(true)))
        .and_then(|()| where_known(service.set_preshutdown_timeout(Duration::from_secs(30))));
    if let Err(error) = set {
        // Half a service is none; what fails first is what to say.
        drop(service.delete());
        return Err(failed("configure", &error));
    }
    // Words of an earlier time are not to be taken for those of this start.
    drop(std::fs::remove_file(plan.place.last_words()));
    service.start::<OsString>(&[]).map_err(|error| failed("start", &error))?;
    let status = until(&service, |state| matches!(state, ServiceState::Running | ServiceState::Stopped))?;
    if status.current_state == ServiceState::Running {
        return Ok(());
    }
    let words = std::fs::read_to_string(plan.place.last_words()).unwrap_or_default();
    let why = if words.trim().is_empty() { format!("it ended at once ({:?})", status.exit_code) } else { words.trim().to_owned() };
    Err(ServiceError::Command { command: "start of the service".to_owned(), why, todo: "mend that and install it again" })
}

/// A finer setting that this system does not have is done without.
fn where_known(set: windows_service::Result<()>) -> windows_service::Result<()> {
    match set {
        Err(windows_service::Error::Winapi(error)) if error.raw_os_error() == Some(code::INVALID_LEVEL) => Ok(()),
        other => other,
    }
}

pub(super) fn uninstall(place: &Place) -> Result<bool, ServiceError> {
    let Some(before) = before()? else { return Ok(false) };
    system::same_home(&before.home, place)?;
    remove()?;
    Ok(true)
}

/// Returns when it is gone. Its turns go on.
fn remove() -> Result<(), ServiceError> {
    let access = ServiceAccess::QUERY_STATUS | ServiceAccess::STOP | ServiceAccess::DELETE;
    let Some(service) = open(access)? else { return Ok(()) };
    match service.stop() {
        Err(windows_service::Error::Winapi(error)) if error.raw_os_error() == Some(code::NOT_ACTIVE) => {}
        stopped => {
            stopped.map_err(|error| failed("stop", &error))?;
        }
    }
    until(&service, |state| state == ServiceState::Stopped)?;
    service.delete().map_err(|error| failed("delete", &error))?;
    drop(service);
    let since = Instant::now();
    while open(ServiceAccess::QUERY_STATUS)?.is_some() {
        if since.elapsed() > CHANGE_MAX {
            let why = "the service is marked for deletion and not gone".to_owned();
            return Err(ServiceError::Command {
                command: "removal of the service".to_owned(),
                why,
                todo: "close services.msc and try again",
            });
        }
        pause();
    }
    Ok(())
}

pub(super) fn before() -> Result<Option<Installed>, ServiceError> {
    let Some(service) = open(ServiceAccess::QUERY_CONFIG)? else { return Ok(None) };
    let config = service.query_config().map_err(|error| failed("look at", &error))?;
    let line = config.executable_path.to_string_lossy();
    if !line.contains("codexcp-daemon") && !command_line::split(&line).iter().any(|part| part == "--service") {
        return Err(ServiceError::Foreign(path()));
    }
    let home = system::named_or_usual(command_line::after(&line, "--home"))?;
    Ok(Some(Installed { home, at: At::Boot, written: vec![path()] }))
}

pub(super) fn state() -> Result<State, ServiceError> {
    let mut state =
        State { system: "windows-service", installed: before()?, enabled: None, running: None, pid: None, words: String::new() };
    let Some(service) = open(ServiceAccess::QUERY_CONFIG | ServiceAccess::QUERY_STATUS)? else { return Ok(state) };
    let config = service.query_config().map_err(|error| failed("look at", &error))?;
    let status = service.query_status().map_err(|error| failed("look at", &error))?;
    let account = config.account_name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    state.enabled = Some(config.start_type == ServiceStartType::AutoStart);
    state.running = Some(status.current_state == ServiceState::Running);
    state.pid = status.process_id.filter(|pid| *pid > 0);
    state.words = format!("{:?}, as {account}", status.current_state);
    Ok(state)
}

/// `None`: there is no such service.
fn open(access: ServiceAccess) -> Result<Option<Service>, ServiceError> {
    match service_control(ServiceManagerAccess::CONNECT)?.open_service(WINDOWS_SERVICE, access) {
        Ok(service) => Ok(Some(service)),
        Err(windows_service::Error::Winapi(error)) if error.raw_os_error() == Some(code::NO_SUCH_SERVICE) => Ok(None),
        // On its way out; who asks whether it is gone must wait.
        Err(error) => Err(failed("open", &error)),
    }
}

fn service_control(access: ServiceManagerAccess) -> Result<ServiceManager, ServiceError> {
    ServiceManager::local_computer(None::<&Path>, access).map_err(|error| failed("reach", &error))
}

fn until(service: &Service, wanted: impl Fn(ServiceState) -> bool) -> Result<ServiceStatus, ServiceError> {
    let since = Instant::now();
    loop {
        let status = service.query_status().map_err(|error| failed("look at", &error))?;
        if wanted(status.current_state) {
            return Ok(status);
        }
        if since.elapsed() > CHANGE_MAX {
            let why = format!("it is {:?} for {} seconds", status.current_state, CHANGE_MAX.as_secs());
            return Err(ServiceError::Command { command: "wait for the service".to_owned(), why, todo: "look at it in services.msc" });
        }
        pause();
    }
}

#[expect(clippy::disallowed_methods, reason = "the service manager announces nothing to programs without a window")]
fn pause() {
    std::thread::sleep(Duration::from_millis(50));
}

fn failed(verb: &str, error: &windows_service::Error) -> ServiceError {
    let windows = match error {
        windows_service::Error::Winapi(error) => Some(error),
        _ => None,
    };
    let todo = match windows.and_then(io::Error::raw_os_error) {
        Some(code::ACCESS_DENIED) => {
            "services are an administrator's business: run this in a terminal opened with «Run as administrator», or use `--at login`"
        }
        Some(code::INVALID_ACCOUNT) => r"write the account as .\NAME or DOMAIN\NAME",
        Some(code::LOGON_FAILED) => {
            "the password is wrong, or the account may not log on as a service; the latter is granted when you enter the account once in services.msc (Codex Control Plane, Properties, Log On)"
        }
        Some(code::MARKED_FOR_DELETE) => "an earlier one is still being removed: close services.msc and try again",
        _ => "`services.msc` and the event viewer may say more",
    };
    let why = windows.map_or_else(|| error.to_string(), ToString::to_string);
    ServiceError::Command { command: format!("{verb} the service {WINDOWS_SERVICE}"), why, todo }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(account: Option<&str>) -> Plan {
        Plan {
            program: PathBuf::from(r"C:\Program Files\codexcp\codexcp-daemon.exe"),
            place: Place::in_folder(Path::new(r"C:\h")),
            environment: vec![("CODEXCP_HOME".to_owned(), r"C:\h".to_owned())],
            at: At::Boot,
            account: account.map(str::to_owned),
        }
    }

    #[test]
    fn without_an_account_the_refusal_says_why_and_what_to_do() {
        let refused = definitions(&plan(None)).unwrap_err();
        assert!(refused.is_refusal());
        let words = refused.to_string();
        assert!(words.contains(r"--account .\NAME") && words.contains("LocalSystem") && words.contains("--at login"), "{words}");
    }

    #[test]
    fn the_service_speaks_to_the_manager_and_knows_its_home() {
        let all = definitions(&plan(Some(r".\ann"))).unwrap();
        let wanted = concat!(
            r#"ImagePath="C:\Program Files\codexcp\codexcp-daemon.exe" "--service" "--home" "C:\h""#,
            "\nObjectName=.\\ann\nStart=automatic"
        );
        assert_eq!(all[0].text, wanted);
    }

    #[test]
    fn a_password_is_asked_only_of_accounts_that_have_one() {
        assert!(needs_password(r".\ann") && needs_password(r"CORP\ann"));
        assert!(!["LocalSystem", r"NT AUTHORITY\LocalService", r"NT SERVICE\codexcp", r"CORP\svc$"].into_iter().any(needs_password));
    }
}
