//! The environment of these programs: the only place in this package that reads it.

use common::{
    environment::{CONTRACT_VARIABLES, is_user_variable},
    files,
    place::Place,
};
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
    let named = Place::from_environment().map(|place| named_in(&place)).unwrap_or_default();
    let wanted =
        move |name: &str| ours(name) || is_user_variable(name) || CONTRACT_VARIABLES.contains(&name) || named.iter().any(|one| one == name);
    std::env::vars_os().filter(move |(name, _)| name.to_str().is_some_and(&wanted))
}

/// What `app_server.environment` names for codex: the daemon can hand on only what it was given. A file that cannot be read
/// names nothing; the daemon says what is wrong with it.
pub(crate) fn named_in(place: &Place) -> Vec<String> {
    let text = files::read_text(&place.config_file, files::SETTINGS_BYTES_MAX).unwrap_or_default();
    let names = |table: toml::Table| Some(table.get("app_server")?.get("environment")?.as_array()?.clone());
    let all = text.parse().ok().and_then(names).unwrap_or_default();
    all.iter().filter_map(toml::Value::as_str).map(str::to_owned).collect()
}

pub(crate) fn digest() -> String {
    common::environment::digest(&variable)
}
