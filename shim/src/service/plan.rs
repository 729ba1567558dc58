//! What is to be a service: which program, for which home, with which environment, and when it starts. Reads the
//! environment it is installed from; writes nothing.

use super::ServiceError;
use crate::{autostart, environment};
use common::{
    environment::{CONTRACT_VARIABLES, SERVICE_VARIABLES},
    place::Place,
};
use std::path::PathBuf;

/// When the daemon starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum At {
    /// When this user logs in
    Login,
    /// When the machine starts
    Boot,
}

impl At {
    pub(crate) fn word(self) -> &'static str {
        match self {
            At::Login => "login",
            At::Boot => "boot",
        }
    }

    pub(super) fn of_word(word: &str) -> At {
        if word == At::Boot.word() { At::Boot } else { At::Login }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) program: PathBuf,
    pub(crate) place: Place,
    /// Name and value, in order of name.
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) at: At,
    /// Whom a service of Windows runs as.
    pub(crate) account: Option<String>,
}

impl Plan {
    /// From where this command is started.
    pub(crate) fn here(place: &Place, at: At, account: Option<String>) -> Result<Plan, autostart::StartError> {
        let program = autostart::program()?;
        let program = std::path::absolute(&program).unwrap_or(program);
        Ok(Plan { program, place: place.clone(), environment: kept(place, &environment::variable), at, account })
    }

    /// Where it is not the usual one.
    #[cfg(windows)]
    pub(super) fn named_home(&self) -> Option<&str> {
        self.environment.iter().find(|(name, _)| name == "CODEXCP_HOME").map(|(_, home)| home.as_str())
    }
}

/// `CODEXCP_HOME`, the variables that are settings, and what else the daemon and codex need; a service gets little from
/// the system.
fn kept(place: &Place, variable: &dyn Fn(&str) -> Option<String>) -> Vec<(String, String)> {
    let set = |name: &&str| Some(((*name).to_owned(), variable(name).filter(|value| !value.is_empty())?));
    let mut all: Vec<_> = SERVICE_VARIABLES.iter().chain(CONTRACT_VARIABLES).filter_map(set).collect();
    if variable("CODEXCP_HOME").is_some_and(|home| !home.is_empty()) {
        // As it was resolved: a service has no current folder of ours.
        all.push(("CODEXCP_HOME".to_owned(), place.home.to_string_lossy().into_owned()));
    }
    all.sort();
    all
}

/// Keys of the provider.
pub(super) const SECRETS: [&str; 2] = ["OPENAI_API_KEY", "CODEX_API_KEY"];

/// Those that are set here and were left out.
pub(super) fn secrets_left_out() -> Vec<&'static str> {
    SECRETS.into_iter().filter(|name| environment::variable(name).is_some_and(|key| !key.is_empty())).collect()
}

/// Text for a file of lines.
pub(super) fn writable<'a>(what: &str, text: &'a str) -> Result<&'a str, ServiceError> {
    let refused = |why| Err(ServiceError::Unwritable { what: what.to_owned(), why });
    match text {
        _ if text.contains(char::is_control) => refused("it has a control character"),
        // What was not UTF-8 was replaced on its way here.
        _ if text.contains(char::REPLACEMENT_CHARACTER) => refused("it is not UTF-8"),
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn kept_of(all: &[(&str, &str)]) -> Vec<(String, String)> {
        let variable = |name: &str| all.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        kept(&Place::in_folder(Path::new("/resolved")), &variable)
    }

    #[test]
    fn the_settings_and_the_path_are_kept_and_keys_and_sessions_are_not() {
        let kept = kept_of(&[
            ("PATH", "/usr/bin"),
            ("CODEX_HOME", "/c"),
            ("HTTPS_PROXY", ""),
            ("OPENAI_API_KEY", "sk-1"),
            ("SSH_AUTH_SOCK", "/tmp/agent"),
            ("EDITOR", "vi"),
        ]);
        let names: Vec<_> = kept.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["CODEX_HOME", "PATH"]);
    }

    #[test]
    fn the_home_is_named_where_it_is_not_the_usual_one() {
        assert_eq!(kept_of(&[("CODEXCP_HOME", "relative")]), [("CODEXCP_HOME".to_owned(), "/resolved".to_owned())]);
        assert_eq!(kept_of(&[]), []);
    }

    #[test]
    fn what_would_break_a_line_is_refused() {
        assert!(writable("PATH", "/a b\\\"%$").is_ok());
        assert!(writable("PATH", "/a\n[Service]").unwrap_err().to_string().contains("PATH"));
        assert!(writable("PATH", "/a\u{fffd}").is_err());
    }
}
