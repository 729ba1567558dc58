//! The service manager of this system, and what it says of our service. Chooses between the systems, knows none.

use super::{At, Definition, Plan, ServiceError, launchd, plan, systemd};
#[cfg(windows)]
use super::{login, windows_service};
use common::place::Place;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum System {
    Systemd,
    Launchd,
    /// The Run key of a user: only starts, at login.
    #[cfg(windows)]
    WindowsLogin,
    #[cfg(windows)]
    WindowsService,
}

/// What is installed, and what the system says of it. `None` where the system cannot be asked.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) system: &'static str,
    pub(crate) installed: Option<Installed>,
    /// Starts by itself.
    pub(crate) enabled: Option<bool>,
    pub(crate) running: Option<bool>,
    pub(crate) pid: Option<u32>,
    /// In the system's own words.
    pub(crate) words: String,
}

#[derive(Debug)]
pub(crate) struct Installed {
    pub(crate) home: PathBuf,
    pub(crate) at: At,
    /// Files, or places in the registry.
    pub(crate) written: Vec<PathBuf>,
}

impl System {
    /// The one to install into.
    pub(crate) fn for_start(at: At) -> Result<System, ServiceError> {
        match (std::env::consts::OS, at) {
            ("linux", _) => Ok(System::Systemd),
            ("macos", _) => Ok(System::Launchd),
            #[cfg(windows)]
            ("windows", At::Login) => Ok(System::WindowsLogin),
            #[cfg(windows)]
            ("windows", At::Boot) => Ok(System::WindowsService),
            (other, _) => Err(ServiceError::NoSystem(other)),
        }
    }

    /// The one that an install was made into, else the usual one.
    pub(crate) fn in_use() -> Result<System, ServiceError> {
        #[cfg(windows)]
        if windows_service::before()?.is_some() {
            return Ok(System::WindowsService);
        }
        System::for_start(At::Login)
    }

    /// What `install` would write.
    pub(crate) fn definitions(self, plan: &Plan) -> Result<Vec<Definition>, ServiceError> {
        match self {
            System::Systemd => systemd::definitions(plan),
            System::Launchd => launchd::definitions(plan),
            #[cfg(windows)]
            System::WindowsLogin => login::definitions(plan),
            #[cfg(windows)]
            System::WindowsService => windows_service::definitions(plan),
        }
    }

    /// Says no where the install would not go well, and stops the service of an earlier install.
    pub(crate) fn prepare(self, plan: &Plan) -> Result<(), ServiceError> {
        match self {
            System::Systemd => systemd::prepare(plan),
            System::Launchd => launchd::prepare(plan),
            // Each in place of the other: two would start two daemons, and one of them would fail.
            #[cfg(windows)]
            System::WindowsLogin => login::prepare(plan).and_then(|()| windows_service::uninstall(&plan.place).map(drop)),
            #[cfg(windows)]
            System::WindowsService => windows_service::prepare(plan).and_then(|()| login::uninstall(&plan.place).map(drop)),
        }
    }

    /// Writes, enables, starts, and returns when the daemon is ready. No other daemon may serve the home.
    pub(crate) fn install(self, plan: &Plan) -> Result<(), ServiceError> {
        match self {
            System::Systemd => systemd::install(plan),
            System::Launchd => launchd::install(plan),
            #[cfg(windows)]
            System::WindowsLogin => login::install(plan),
            #[cfg(windows)]
            System::WindowsService => windows_service::install(plan),
        }
    }

    /// Stops and removes what an install wrote. `false`: there was nothing.
    pub(crate) fn uninstall(self, place: &Place) -> Result<bool, ServiceError> {
        match self {
            System::Systemd => systemd::uninstall(place),
            System::Launchd => launchd::uninstall(place),
            #[cfg(windows)]
            System::WindowsLogin => login::uninstall(place),
            #[cfg(windows)]
            System::WindowsService => windows_service::uninstall(place),
        }
    }

    pub(crate) fn state(self) -> Result<State, ServiceError> {
        match self {
            System::Systemd => systemd::state(),
            System::Launchd => launchd::state(),
            #[cfg(windows)]
            System::WindowsLogin => login::state(),
            #[cfg(windows)]
            System::WindowsService => windows_service::state(),
        }
    }

    /// Whether it starts and stops the daemon itself; else that is left to whoever installs.
    pub(crate) fn has_the_daemon(self) -> bool {
        match self {
            System::Systemd | System::Launchd => true,
            #[cfg(windows)]
            System::WindowsLogin => false,
            #[cfg(windows)]
            System::WindowsService => true,
        }
    }

    /// What is set here and will not be so in the service.
    pub(crate) fn notes(self) -> Vec<String> {
        let how = match self {
            System::Systemd => "`systemctl --user edit codexcp.service` can add it",
            System::Launchd => "`launchctl setenv` can add it",
            #[cfg(windows)]
            System::WindowsLogin | System::WindowsService => {
                let names = [common::environment::CONTRACT_VARIABLES, &plan::SECRETS].concat();
                let note = |name| {
                    format!(
                        "{name} is set here only, and the service will not see it; save it with `setx`, or write the setting into config.toml"
                    )
                };
                return login::unsaved(&names).into_iter().map(note).collect();
            }
        };
        let note = |name| format!("{name} is set here and is not written into the service's file; {how}, or log in with `codex login`");
        plan::secrets_left_out().into_iter().map(note).collect()
    }
}

/// One installation a user: that of another home is not touched. Half an install may name none.
pub(super) fn same_home(installed: &Path, place: &Place) -> Result<(), ServiceError> {
    let same = if cfg!(windows) {
        installed.to_string_lossy().to_lowercase() == place.home.to_string_lossy().to_lowercase()
    } else {
        installed == place.home
    };
    if same || installed.as_os_str().is_empty() { Ok(()) } else { Err(ServiceError::OtherHome(installed.to_path_buf())) }
}

/// The home that a command line names, else the usual one.
#[cfg(windows)]
pub(super) fn named_or_usual(named: Option<String>) -> Result<PathBuf, ServiceError> {
    match named {
        Some(home) => Ok(PathBuf::from(home)),
        None => Ok(Place::usual().map_err(|_| ServiceError::NoHome)?.home),
    }
}

/// What a program wrote to stdout; its words on stderr where it failed.
pub(super) fn output(program: &str, arguments: &[&str]) -> Result<Result<String, String>, std::io::Error> {
    let done = Command::new(program).args(arguments).output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    Ok(if done.status.success() {
        Ok(text(&done.stdout))
    } else {
        let words = text(&done.stderr);
        Err(if words.is_empty() { done.status.to_string() } else { words })
    })
}

/// Of this process.
pub(super) fn user_id() -> u32 {
    #[cfg(unix)]
    return rustix::process::getuid().as_raw();
    #[cfg(not(unix))]
    0
}

/// Where services run as the user who installs them.
pub(super) fn refuse_account(plan: &Plan) -> Result<(), ServiceError> {
    match plan.account {
        Some(_) => Err(ServiceError::NotHere("`--account` is for services of Windows; here the daemon runs as you, leave it out")),
        None => Ok(()),
    }
}
