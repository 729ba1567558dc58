//! The resolved configuration as typed values, and the named lists of variables that travel.
//! Reads values that `resolve` has already checked.

use super::{approvals, resolve::Shown};
use crate::{
    appserver::Bounds,
    store::tables::operations::{Approval, Sandbox},
};
use common::{
    environment::{digest, is_user_variable},
    time::Millis,
};
use domain::{approval, schedule};
use std::{path::PathBuf, time::Duration};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    Auto,
    Socket,
    Loopback,
    Stdio,
}

/// How long what ended is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    pub kept_max: Millis,
    pub texts_kept_max: Millis,
    pub bytes_max: u64,
}

/// Immutable after the start.
#[derive(Debug, Clone)]
pub struct Config {
    pub allowed_roots: Vec<PathBuf>,
    pub app_server_environment: Vec<String>,
    pub link: LinkKind,
    pub request_ms_max: Millis,
    pub requests_in_flight_max: usize,
    pub answer_from: Vec<String>,
    pub approval_wait_max: Option<Millis>,
    pub bounds: Bounds,
    pub approval_rules: Vec<approval::Rule>,
    pub codex_binary: Option<PathBuf>,
    pub codex_home: PathBuf,
    pub snake_case: bool,
    pub default_approval: Approval,
    pub default_effort: Option<String>,
    pub default_model: Option<String>,
    pub default_sandbox: Sandbox,
    pub image_bytes_max: u64,
    pub image_items_max: usize,
    pub hide_home: bool,
    pub keep_prompts: bool,
    pub history: History,
    pub keys_in_commands: bool,
    pub operations_live_max: i64,
    pub limits: schedule::Limits,
    pub waits_for_reset: bool,
    pub log_level: String,
    pub network_drive: bool,
    pub approval_min: Approval,
    pub sandbox_max: Sandbox,
    pub projects_registry: Option<PathBuf>,
    pub projects_root: Option<PathBuf>,
    pub silence_max: Millis,
    pub silence_interrupts: bool,
    /// Digest of the predecessor's variables as this process sees them.
    pub environment_digest: String,
    pub shown: Vec<Shown>,
}

impl Config {
    pub(super) fn from_shown(shown: Vec<Shown>, variable: &dyn Fn(&str) -> Option<String>) -> Config {
        let value = |key: &str| shown.iter().find(|one| one.key == key).and_then(|one| one.value.as_ref());
        let text = |key: &str| value(key).and_then(|v| v.as_str()).map(str::to_owned);
        let path = |key: &str| text(key).map(|text| expand(&text, variable));
        let texts = |key: &str| -> Vec<String> {
            value(key).and_then(|v| v.as_array()).into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
        };
        // `resolve` checked each value against its row, and every row read here has a default or is optional.
        let count = |key: &str| value(key).and_then(toml::Value::as_integer);
        let count_or_zero = |key: &str| count(key).unwrap_or_default();
        let size = |key: &str| usize::try_from(count_or_zero(key)).unwrap_or(1);
        let switch = |key: &str| value(key).and_then(toml::Value::as_bool).unwrap_or_default();
        let projects_root = path("projects.root");
        let mut allowed_roots: Vec<PathBuf> = texts("allowed_roots").iter().map(|text| expand(text, variable)).collect();
        if allowed_roots.is_empty() {
            allowed_roots.extend(projects_root.clone());
        }
        Config {
            allowed_roots,
            app_server_environment: texts("app_server.environment"),
            link: match text("app_server.link").as_deref() {
                Some("socket") => LinkKind::Socket,
                Some("loopback") => LinkKind::Loopback,
                Some("stdio") => LinkKind::Stdio,
                _ => LinkKind::Auto,
            },
            request_ms_max: Millis::from_seconds(count_or_zero("app_server.request_seconds_max")),
            requests_in_flight_max: usize::try_from(count_or_zero("app_server.requests_in_flight_max")).unwrap_or(1),
            answer_from: texts("approvals.answer_from"),
            approval_rules: approvals::rules(value("approvals.rule"), &|text| expand(text, variable)),
            bounds: Bounds {
                memory_bytes_max: u64::try_from(count_or_zero("app_server.memory_mb_max")).unwrap_or_default() * 1_000_000,
                age_max: Duration::from_secs(3_600 * u64::try_from(count_or_zero("app_server.hours_max")).unwrap_or_default()),
                idle_max: Duration::from_secs(60 * u64::try_from(count_or_zero("app_server.idle_minutes_max")).unwrap_or_default()),
            },
            approval_wait_max: count("approvals.wait_seconds_max").map(Millis::from_seconds),
            codex_binary: path("codex.binary_path"),
            codex_home: path("codex.home").unwrap_or_else(|| expand("~/.codex", variable)),
            snake_case: switch("contract.snake_case"),
            default_approval: approval(text("defaults.approval_policy").as_deref()),
            default_effort: text("defaults.effort"),
            default_model: text("defaults.model"),
            default_sandbox: sandbox(text("defaults.sandbox").as_deref()),
            image_bytes_max: u64::try_from(count_or_zero("limits.image_bytes_max")).unwrap_or_default(),
            image_items_max: size("limits.image_items_max"),
            hide_home: switch("policy.hide_home"),
            keep_prompts: switch("history.keep_prompts"),
            history: History {
                kept_max: Millis::from_seconds(86_400 * count_or_zero("history.days")),
                texts_kept_max: Millis::from_seconds(86_400 * count_or_zero("history.retry_days")),
                bytes_max: u64::try_from(count_or_zero("history.mb_max")).unwrap_or_default() * 1_000_000,
            },
            keys_in_commands: switch("app_server.keys_in_commands"),
            operations_live_max: count_or_zero("limits.operations_live_max"),
            limits: schedule::Limits {
                turns_active_max: size("limits.turns_active_max"),
                turns_per_project_max: size("limits.turns_active_per_project_max"),
                turns_per_agent_max: size("limits.turns_active_per_agent_max"),
                asking_max: size("app_server.requests_in_flight_max"),
            },
            waits_for_reset: switch("limits.wait_for_reset"),
            log_level: text("logs.level").unwrap_or_default(),
            network_drive: switch("state.network_drive"),
            approval_min: approval(text("policy.approval_min").as_deref()),
            sandbox_max: sandbox(text("policy.sandbox_max").as_deref()),
            projects_registry: path("projects.registry").or_else(|| projects_root.as_ref().map(|root| root.join("projects.json"))),
            projects_root,
            silence_interrupts: text("watchdog.action").as_deref() == Some("interrupt"),
            silence_max: Millis::from_seconds(count_or_zero("watchdog.silence_seconds_max")),
            environment_digest: digest(variable),
            shown,
        }
    }
}

fn approval(word: Option<&str>) -> Approval {
    match word {
        Some("untrusted") => Approval::Untrusted,
        Some("on-failure") => Approval::OnFailure,
        Some("never") => Approval::Never,
        _ => Approval::OnRequest,
    }
}

fn sandbox(word: Option<&str>) -> Sandbox {
    match word {
        Some("workspace-write") => Sandbox::WorkspaceWrite,
        Some("danger-full-access") => Sandbox::DangerFullAccess,
        _ => Sandbox::ReadOnly,
    }
}

fn expand(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    let home = || variable("HOME").or_else(|| variable("USERPROFILE"));
    match text.strip_prefix("~/").or((text == "~").then_some("")) {
        Some(rest) => home().map_or_else(|| PathBuf::from(text), |home| PathBuf::from(home).join(rest)),
        None => std::path::absolute(text).unwrap_or_else(|_| PathBuf::from(text)),
    }
}

/// What the app-server gets of our environment: what programs need to work for this user, nothing a client
/// happened to carry.
pub fn passed_environment(extra: &[String]) -> Vec<(String, std::ffi::OsString)> {
    let wanted = |name: &str| is_user_variable(name) || extra.iter().any(|e| e == name);
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).filter(|(name, _)| wanted(name)).collect()
}

/// One variable of our own environment.
#[expect(clippy::disallowed_methods, reason = "config/ is where the environment is read")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_variables_that_shims_pass_on_are_those_of_the_settings() {
        let mut ours: Vec<_> = super::super::SETTINGS.iter().flat_map(|setting| setting.env.iter().copied()).collect();
        ours.sort_unstable();
        assert_eq!(ours, common::environment::CONTRACT_VARIABLES);
    }
}
