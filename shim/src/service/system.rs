//! The service manager of this system, and what it says of our service. Chooses between the systems, knows none.

use super::{At, Definition, Plan, ServiceError, launchd, systemd};
use common::place::Place;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

#[derive(Debug, Clone, Copy)]
pub(crate) enum System {
    Systemd,
    Launchd,
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
    pub(crate) files: Vec<PathBuf>,
}

impl System {
    pub(crate) fn here() -> Result<System, ServiceError> {
        match std::env::consts::OS {
            "linux" => Ok(System::Systemd),
            "macos" => Ok(System::Launchd),
            other => Err(ServiceError::NoSystem(other)),
        }
    }

    /// What `install` would write.
    pub(crate) fn definitions(self, plan: &Plan) -> Result<Vec<Definition>, ServiceError> {
        match self {
            System::Systemd => systemd::definitions(plan),
            System::Launchd => launchd::definitions(plan),
        }
    }

    /// Says no where the install would not go well, and stops the service of an earlier install.
    pub(crate) fn prepare(self, plan: &Plan) -> Result<(), ServiceError> {
        match self {
            System::Systemd => systemd::prepare(plan),
            System::Launchd => launchd::prepare(plan),
        }
    }

    /// Writes, enables, starts, and returns when the daemon is ready. No other daemon may serve the home.
    pub(crate) fn install(self, plan: &Plan) -> Result<(), ServiceError> {
        match self {
            System::Systemd => systemd::install(plan),
            System::Launchd => launchd::install(plan),
        }
    }

    /// Stops and removes what an install wrote. `false`: there was nothing.
    pub(crate) fn uninstall(self, place: &Place) -> Result<bool, ServiceError> {
        match self {
            System::Systemd => systemd::uninstall(place),
            System::Launchd => launchd::uninstall(place),
        }
    }

    pub(crate) fn state(self) -> Result<State, ServiceError> {
        match self {
            System::Systemd => systemd::state(),
            System::Launchd => launchd::state(),
        }
    }

    /// How a variable gets into the service that is not to be in its file.
    pub(crate) fn secrets_advice(self) -> &'static str {
        match self {
            System::Systemd => "`systemctl --user edit codexcp.service` can add it",
            System::Launchd => "`launchctl setenv` can add it",
        }
    }
}

/// One installation a user: that of another home is not touched. Half an install may name none.
pub(super) fn same_home(installed: &Path, place: &Place) -> Result<(), ServiceError> {
    if installed == place.home || installed.as_os_str().is_empty() { Ok(()) } else { Err(ServiceError::OtherHome(installed.to_path_buf())) }
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
