//! Windows, at login: one value below the Run key of this user, which Windows starts when the user logs in. It names
//! `codexcp-login`, a program without a window. Where the value is, it is the daemon's own lock that says whether it runs.

use super::{
    At, Definition, Plan, ServiceError, command_line,
    plan::writable,
    system::{self, Installed, State},
};
use crate::{autostart, environment};
use common::place::Place;
use std::{io, path::PathBuf};
use winreg::{RegKey, enums::HKEY_CURRENT_USER, enums::HKEY_LOCAL_MACHINE};

const RUN: &str = r"Software\Microsoft\Windows\CurrentVersion\Run";
/// Where Windows keeps what the user switched off: an odd first byte means off.
const APPROVED: &str = r"Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run";
const NAME: &str = "codexcp";
/// What Windows takes at most there.
const CHARS_MAX: usize = 260;

pub(super) fn definitions(plan: &Plan) -> Result<Vec<Definition>, ServiceError> {
    if plan.account.is_some() {
        return Err(ServiceError::NotHere("at login the daemon runs as the one who logs in; leave out `--account`, or use `--at boot`"));
    }
    let launcher = autostart::launcher().ok_or(ServiceError::NotHere(
        "the program codexcp-login is missing beside this one; reinstall, so that Windows has something to start without a window",
    ))?;
    let launcher = launcher.to_string_lossy();
    let mut parts = vec![writable("the path of codexcp-login", &launcher)?];
    if let Some(home) = plan.named_home() {
        parts.extend(["--home", writable("the path of the home", home)?]);
    }
    let text = command_line::joined(&parts);
    if text.chars().count() > CHARS_MAX {
        return Err(ServiceError::Unwritable { what: text, why: "Windows takes 260 characters there at most" });
    }
    Ok(vec![Definition { path: path(), text }])
}

fn path() -> PathBuf {
    PathBuf::from(format!(r"HKEY_CURRENT_USER\{RUN}\{NAME}"))
}

/// The value, if there is one.
fn value() -> Result<Option<String>, ServiceError> {
    let run = match RegKey::predef(HKEY_CURRENT_USER).open_subkey(RUN) {
        Ok(run) => run,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    match run.get_value::<String, _>(NAME) {
        Ok(text) if text.contains("codexcp-login") => Ok(Some(text)),
        Ok(_) => Err(ServiceError::Foreign(path())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(&error)),
    }
}

pub(super) fn before() -> Result<Option<Installed>, ServiceError> {
    let Some(text) = value()? else { return Ok(None) };
    let home = system::named_or_usual(command_line::after(&text, "--home"))?;
    Ok(Some(Installed { home, at: At::Login, written: vec![path()] }))
}

pub(super) fn prepare(plan: &Plan) -> Result<(), ServiceError> {
    definitions(plan)?;
    before()?.map_or(Ok(()), |before| system::same_home(&before.home, &plan.place))
}

pub(super) fn install(plan: &Plan) -> Result<(), ServiceError> {
    for definition in definitions(plan)? {
        let (run, _) = RegKey::predef(HKEY_CURRENT_USER).create_subkey(RUN).map_err(|error| failed(&error))?;
        run.set_value(NAME, &definition.text).map_err(|error| failed(&error))?;
    }
    Ok(())
}

pub(super) fn uninstall(place: &Place) -> Result<bool, ServiceError> {
    let Some(before) = before()? else { return Ok(false) };
    system::same_home(&before.home, place)?;
    let run = RegKey::predef(HKEY_CURRENT_USER).create_subkey(RUN).map_err(|error| failed(&error))?.0;
    run.delete_value(NAME).map_err(|error| failed(&error))?;
    Ok(true)
}

pub(super) fn state() -> Result<State, ServiceError> {
    let installed = before()?;
    let place = installed.as_ref().map(|one| Place::in_folder(&one.home));
    let held = place.as_ref().is_some_and(|place| std::fs::File::open(place.daemon_lock()).is_ok_and(|lock| lock.try_lock().is_err()));
    let holder = place.and_then(|place| common::files::read_text(&place.daemon_pid(), common::files::SETTINGS_BYTES_MAX).ok());
    let pid = holder.as_deref().and_then(|text| text.trim().strip_prefix("pid ")?.parse().ok());
    Ok(State {
        system: "windows-login",
        enabled: Some(installed.is_some() && !switched_off()),
        installed,
        running: Some(held),
        pid: pid.filter(|_| held),
        words: if switched_off() { "switched off among the start-up apps" } else { "started when you log in" }.to_owned(),
    })
}

/// By the user, in the task manager or the settings.
fn switched_off() -> bool {
    let approved = RegKey::predef(HKEY_CURRENT_USER).open_subkey(APPROVED).and_then(|key| key.get_raw_value(NAME));
    approved.is_ok_and(|value| value.bytes.first().is_some_and(|byte| byte % 2 == 1))
}

/// Variables that are set here and are not what Windows keeps for this user: what it starts gets the kept ones only.
pub(super) fn unsaved(names: &[&'static str]) -> Vec<&'static str> {
    const MACHINE: &str = r"SYSTEM\CurrentControlSet\Control\Session Manager\Environment";
    let saved = |name: &str| {
        let keys = [(HKEY_CURRENT_USER, "Environment"), (HKEY_LOCAL_MACHINE, MACHINE)];
        keys.into_iter().find_map(|(root, key)| RegKey::predef(root).open_subkey(key).ok()?.get_value::<String, _>(name).ok())
    };
    let set = |name: &str| environment::variable(name).filter(|value| !value.is_empty());
    names.iter().copied().filter(|name| set(name).is_some_and(|value| saved(name).as_ref() != Some(&value))).collect()
}

fn failed(error: &io::Error) -> ServiceError {
    ServiceError::File { path: path(), why: error.to_string() }
}
