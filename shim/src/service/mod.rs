//! The daemon as a service of this system: what is written where, and what the system says about it. One file a
//! system, each compiled everywhere so that its texts are tested everywhere. Never touches what it did not write, and
//! puts no secret into a file.

#[cfg(any(windows, test))]
mod command_line;
mod error;
mod file;
mod launchd;
#[cfg(windows)]
mod login;
mod plan;
pub(crate) mod system;
mod systemd;
#[cfg(windows)]
mod windows_service;

pub(crate) use error::ServiceError;
pub(crate) use file::Definition;
pub(crate) use plan::{At, Plan};
pub(crate) use system::{State, System};
