//! The environment of these programs: the only place in this package that reads it.

use common::environment::{CONTRACT_VARIABLES, is_user_variable};
use std::ffi::OsString;

#[expect(clippy::disallowed_methods, reason = "the one place of this package that reads the environment")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The password of the account that a service of Windows runs as. For the install alone, not for what it starts.
pub(crate) const PASSWORD: &str = "CODEXCP_SERVICE_PASSWORD";

/// What a daemon that we start may see of our environment (ARCHITECTURE 21.15): never all of it.
pub(crate) fn passed_on() -> impl Iterator<Item = (OsString, OsString)> {
    let ours = |name: &str| name.starts_with("CODEXCP_") && name != PASSWORD;
    let wanted = move |name: &str| ours(name) || is_user_variable(name) || CONTRACT_VARIABLES.contains(&name);
    std::env::vars_os().filter(move |(name, _)| name.to_str().is_some_and(wanted))
}

pub(crate) fn digest() -> String {
    common::environment::digest(&variable)
}
