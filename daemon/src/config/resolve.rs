//! Lays the four sources over each other and remembers for each value where it came from.
//! An unknown key or an unreadable value stops the start with a sentence; nothing is silently replaced.

use super::{
    approvals,
    settings::{Kind, SETTINGS, Setting},
    table::table,
    values::Config,
};
use common::{files, place::Place};
use serde::Serialize;
use std::{collections::BTreeMap, io::ErrorKind, path::PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("could not read {path}: {why}; correct the file or move it aside")]
    File { path: PathBuf, why: String },
    #[error("unknown key `{key}` in {origin}; did you mean `{suggestion}`? `codexcp config` lists all keys")]
    UnknownKey { key: String, origin: String, suggestion: &'static str },
    #[error("`{key}` from {origin}: {why}")]
    Value { key: &'static str, origin: String, why: String },
}

/// One value as `codexcp config` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    pub key: &'static str,
    pub value: Option<toml::Value>,
    pub origin: String,
    pub about: &'static str,
}

/// `flags` are `key=value` texts. `variable` reads the environment, so that tests can give their own.
pub fn resolve(place: &Place, flags: &[String], variable: &dyn Fn(&str) -> Option<String>) -> Result<Config, ConfigError> {
    let mut file = read_file(place)?;
    let mut flagged = read_flags(flags)?;
    let mut shown = Vec::with_capacity(SETTINGS.len());
    for setting in SETTINGS {
        let from_env = setting.env.iter().find_map(|name| Some((*name, variable(name).filter(|v| !v.trim().is_empty())?)));
        let (value, origin) = if let Some(text) = flagged.remove(setting.key) {
            (Some(parse(setting, &text, "a flag")?), "flag".to_owned())
        } else if let Some((name, text)) = from_env {
            (Some(parse(setting, &text, name)?), format!("environment {name}"))
        } else if let Some(value) = file.remove(setting.key) {
            (Some(check(setting, value, "the file")?), format!("file {}", place.config_file.display()))
        } else {
            (setting.default.map(|text| parse(setting, text, "the default")).transpose()?, "default".to_owned())
        };
        shown.push(Shown { key: setting.key, value, origin, about: setting.about });
    }
    Ok(Config::from_shown(shown, variable))
}

fn read_file(place: &Place) -> Result<BTreeMap<String, toml::Value>, ConfigError> {
    let path = &place.config_file;
    let text = match files::read_text(path, files::SETTINGS_BYTES_MAX) {
        Ok(text) => text,
        // A home that is no folder is the start's to tell.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(BTreeMap::new()),
        Err(error) => return Err(ConfigError::File { path: path.clone(), why: error.to_string() }),
    };
    let table = table(&text).map_err(|why| ConfigError::File { path: path.clone(), why })?;
    let mut flat = BTreeMap::new();
    flatten("", table, &mut flat);
    for key in flat.keys() {
        known(key, &format!("{}", path.display()))?;
    }
    Ok(flat)
}

fn flatten(prefix: &str, table: toml::Table, out: &mut BTreeMap<String, toml::Value>) {
    for (key, value) in table {
        let key = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(inner) => flatten(&key, inner, out),
            value => drop(out.insert(key, value)),
        }
    }
}

fn read_flags(flags: &[String]) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut out = BTreeMap::new();
    for flag in flags {
        let (key, value) = flag.split_once('=').unwrap_or((flag, ""));
        known(key, "a flag")?;
        out.insert(key.to_owned(), value.to_owned());
    }
    Ok(out)
}

fn known(key: &str, origin: &str) -> Result<(), ConfigError> {
    if SETTINGS.iter().any(|setting| setting.key == key) {
        return Ok(());
    }
    // Nobody mistypes more than this; longer ones would only be compared for seconds.
    const COMPARED_CHARS_MAX: usize = 80;
    let key: String = key.chars().take(COMPARED_CHARS_MAX).collect();
    let nearest = SETTINGS.iter().min_by_key(|setting| distance(setting.key, &key));
    Err(ConfigError::UnknownKey { key, origin: origin.to_owned(), suggestion: nearest.map_or("", |s| s.key) })
}

/// Edits between two short texts.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let cost = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

fn parse(setting: &Setting, text: &str, origin: &str) -> Result<toml::Value, ConfigError> {
    let list = |separators: &[char]| {
        let parts = text.split(separators).map(str::trim).filter(|part| !part.is_empty());
        toml::Value::Array(parts.map(|part| toml::Value::String(part.to_owned())).collect())
    };
    let value = match setting.kind {
        Kind::Text | Kind::Path | Kind::OneOf(_) => toml::Value::String(text.trim().to_owned()),
        Kind::Paths if cfg!(unix) => list(&[';', ':']),
        Kind::Paths => list(&[';']),
        Kind::Texts => list(&[',']),
        Kind::Count { .. } => toml::Value::Integer(text.trim().parse().map_err(|_| wrong(setting, origin, "is not a whole number"))?),
        Kind::ApprovalRules => return Err(wrong(setting, origin, "can only stand in the file, as [[approvals.rule]] tables")),
        Kind::Switch => toml::Value::Boolean(match text.trim().to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => true,
            "0" | "false" | "no" | "off" => false,
            _ => return Err(wrong(setting, origin, "is neither true nor false")),
        }),
    };
    check(setting, value, origin)
}

fn check(setting: &Setting, value: toml::Value, origin: &str) -> Result<toml::Value, ConfigError> {
    let why = match (setting.kind, &value) {
        (Kind::Text | Kind::Path, toml::Value::String(_)) | (Kind::Switch, toml::Value::Boolean(_)) => return Ok(value),
        (Kind::Paths | Kind::Texts, toml::Value::Array(all)) if all.iter().all(toml::Value::is_str) => return Ok(value),
        (Kind::Count { min, max }, toml::Value::Integer(n)) if (min..=max).contains(n) => return Ok(value),
        (Kind::Count { min, max }, _) => format!("must be a whole number from {min} to {max}"),
        (Kind::OneOf(words), toml::Value::String(text)) if words.contains(&canonical(text)) => {
            return Ok(toml::Value::String(canonical(text).to_owned()));
        }
        (Kind::OneOf(words), _) => format!("must be one of {}", words.join(", ")),
        (Kind::ApprovalRules, toml::Value::Array(rules)) => {
            match rules.iter().enumerate().find_map(|(at, rule)| Some((at, approvals::fault(rule)?))) {
                None => return Ok(value),
                Some((at, fault)) => format!("rule {}: {fault}", at + 1),
            }
        }
        (Kind::ApprovalRules, _) => "must be [[approvals.rule]] tables".to_owned(),
        (Kind::Text | Kind::Path, _) => "must be text".to_owned(),
        (Kind::Paths | Kind::Texts, _) => "must be a list of texts".to_owned(),
        (Kind::Switch, _) => "must be true or false".to_owned(),
    };
    Err(wrong(setting, origin, &why))
}

/// The predecessor's other spellings of sandbox and approval words (BEHAVIOUR 2).
fn canonical(word: &str) -> &str {
    match word {
        "readOnly" => "read-only",
        "workspaceWrite" => "workspace-write",
        "dangerFullAccess" => "danger-full-access",
        "ask_openclaw" => "on-request",
        other => other,
    }
}

fn wrong(setting: &Setting, origin: &str, why: &str) -> ConfigError {
    ConfigError::Value { key: setting.key, origin: origin.to_owned(), why: format!("{why}; see `codexcp config`") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(file: &str, flags: &[&str], env: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let home = tempfile::tempdir().unwrap();
        let place = Place::in_folder(home.path());
        std::fs::write(&place.config_file, file).unwrap();
        let flags: Vec<String> = flags.iter().map(|f| (*f).to_owned()).collect();
        let env: BTreeMap<String, String> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        resolve(&place, &flags, &|name| env.get(name).cloned())
    }

    #[test]
    fn each_source_wins_over_the_one_before_and_says_so() {
        let env = &[("CODEX_MCP_MAX_ACTIVE_TURNS_GLOBAL", "6")];
        let origin = |config: &Config| config.shown.iter().find(|s| s.key == "limits.turns_active_max").unwrap().origin.clone();
        let file = "[limits]\nturns_active_max = 5";
        assert_eq!(with("", &[], &[]).unwrap().limits.turns_active_max, 4);
        assert_eq!(with(file, &[], &[]).unwrap().limits.turns_active_max, 5);
        assert_eq!(with(file, &[], env).unwrap().limits.turns_active_max, 6);
        let all = with(file, &["limits.turns_active_max=7"], env).unwrap();
        assert_eq!((all.limits.turns_active_max, origin(&all).as_str()), (7, "flag"));
        assert_eq!(origin(&with("", &[], env).unwrap()), "environment CODEX_MCP_MAX_ACTIVE_TURNS_GLOBAL");
    }

    #[test]
    fn an_unknown_key_is_an_error_with_a_suggestion() {
        let error = with("[limits]\nturn_active_max = 5", &[], &[]).unwrap_err().to_string();
        assert!(error.contains("did you mean `limits.turns_active_max`"), "{error}");
    }

    #[test]
    fn a_key_of_a_megabyte_is_refused_in_a_short_sentence() {
        let error = with(&format!("{}=1", "a".repeat(1_000_000)), &[], &[]).unwrap_err().to_string();
        assert!(error.starts_with("unknown key `aaa") && error.len() < 1_000, "{} bytes", error.len());
    }

    #[test]
    fn a_value_out_of_bounds_names_the_bounds_and_its_origin() {
        let error = with("", &[], &[("CODEX_MCP_MAX_ACTIVE_TURNS_GLOBAL", "0")]).unwrap_err().to_string();
        assert!(error.contains("CODEX_MCP_MAX_ACTIVE_TURNS_GLOBAL") && error.contains("from 1 to 64"), "{error}");
    }

    #[test]
    fn roots_are_separated_by_semicolons_and_on_unix_by_colons() {
        let roots = if cfg!(windows) { [r"C:\a", r"C:\b"] } else { ["/a", "/b"] };
        let config = with("", &[], &[("CODEX_ALLOWED_ROOTS", &roots.join(";"))]).unwrap();
        assert_eq!(config.allowed_roots, roots.map(PathBuf::from));
        if cfg!(unix) {
            assert_eq!(with("", &[], &[("CODEX_ALLOWED_ROOTS", "/a:/b")]).unwrap().allowed_roots.len(), 2);
        }
    }
}
