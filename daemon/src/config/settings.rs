//! The table of settings: key in the file, variable, default, meaning. One row a setting, nothing decided here.

/// How the text of a value is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Path,
    /// In variables separated by `;`, and by `:` too on unix.
    Paths,
    /// Separated by `,` in variables.
    Texts,
    Count {
        min: i64,
        max: i64,
    },
    Switch,
    OneOf(&'static [&'static str]),
    /// Tables of the file: `command`, `decision` and, where it holds for one alone, `project`.
    ApprovalRules,
}

#[derive(Debug)]
pub struct Setting {
    pub key: &'static str,
    /// Names of the variables that set it, the first one wins.
    pub env: &'static [&'static str],
    pub kind: Kind,
    /// `None`: unset.
    pub default: Option<&'static str>,
    pub about: &'static str,
}

const SANDBOXES: Kind = Kind::OneOf(&["read-only", "workspace-write", "danger-full-access"]);
const APPROVALS: Kind = Kind::OneOf(&["untrusted", "on-request", "on-failure", "never"]);

const fn row(key: &'static str, env: &'static [&'static str], kind: Kind, default: Option<&'static str>, about: &'static str) -> Setting {
    Setting { key, env, kind, default, about }
}

/// In order of key; a test checks it.
pub static SETTINGS: &[Setting] = &[
    row(
        "allowed_roots",
        &["CODEX_ALLOWED_ROOTS"],
        Kind::Paths,
        None,
        "folders that callers may name paths under; `codexcp allow DIR` adds one",
    ),
    row("app_server.environment", &[], Kind::Texts, None, "more variables that the app-server gets from the daemon's environment"),
    row(
        "app_server.hours_max",
        &[],
        Kind::Count { min: 1, max: 8_760 },
        Some("24"),
        "an app-server that is older is replaced as soon as it is idle",
    ),
    row(
        "app_server.idle_minutes_max",
        &[],
        Kind::Count { min: 1, max: 525_600 },
        Some("15"),
        "an app-server that nobody needs for so long is ended; the next work starts another",
    ),
    row(
        "app_server.keys_in_commands",
        &[],
        Kind::Switch,
        Some("false"),
        "let commands of the model see OPENAI_API_KEY, CODEX_API_KEY and SSH_AUTH_SOCK",
    ),
    row(
        "app_server.link",
        &["CODEXCP_APP_SERVER_LINK"],
        Kind::OneOf(&["auto", "socket", "loopback", "stdio"]),
        Some("auto"),
        "how the daemon talks to the app-server; turns outlive the daemon on socket and loopback",
    ),
    row(
        "app_server.memory_mb_max",
        &[],
        Kind::Count { min: 200, max: 1_000_000 },
        Some("1000"),
        "an app-server with more memory is replaced as soon as it is idle",
    ),
    row(
        "app_server.request_seconds_max",
        &[],
        Kind::Count { min: 1, max: 7200 },
        Some("30"),
        "patience with one request where the caller gave no timeout_seconds",
    ),
    row(
        "app_server.requests_in_flight_max",
        &["CODEX_MCP_MAX_APP_SERVER_PENDING_REQUESTS"],
        Kind::Count { min: 1, max: 64 },
        Some("64"),
        "requests to the app-server at once; above 64 it drops answers",
    ),
    row("approvals.answer_from", &[], Kind::Texts, None, "programs that may answer approvals (`codexcp`, `shim`); unset: all of this user"),
    row(
        "approvals.rule",
        &[],
        Kind::ApprovalRules,
        None,
        "[[approvals.rule]] tables: first words of a command, the folder of a project, a decision; the first that fits answers by itself",
    ),
    row(
        "approvals.wait_seconds_max",
        &["CODEX_MCP_APPROVAL_RESPONSE_TIMEOUT_SECONDS"],
        Kind::Count { min: 1, max: 604_800 },
        None,
        "an approval is declined after this long; unset: it waits",
    ),
    row("codex.binary_path", &["CODEX_BINARY_PATH"], Kind::Path, None, "the codex program; unset: the one on PATH"),
    row("codex.home", &["CODEX_HOME"], Kind::Path, None, "codex's own folder; unset: ~/.codex"),
    row("contract.snake_case", &[], Kind::Switch, Some("false"), "write the keys of answers in the predecessor's second spelling too"),
    row("defaults.approval_policy", &["CODEX_MCP_DEFAULT_APPROVAL_POLICY"], APPROVALS, Some("on-request"), "when a submit names none"),
    row("defaults.effort", &["CODEX_MCP_DEFAULT_EFFORT"], Kind::Text, None, "reasoning effort; unset: codex's own"),
    row("defaults.model", &["CODEX_MCP_DEFAULT_MODEL"], Kind::Text, None, "model when a submit names none; unset: codex's own"),
    row(
        "defaults.sandbox",
        &["CODEX_MCP_DEFAULT_SANDBOX", "CODEX_MCP_DEFAULT_SANDBOX_POLICY"],
        SANDBOXES,
        Some("read-only"),
        "when a submit names none",
    ),
    row(
        "history.days",
        &[],
        Kind::Count { min: 1, max: 36_500 },
        Some("30"),
        "messages, events, plans and questions of work that ended are kept for so long; ids, outcome and digests for ever",
    ),
    row("history.keep_prompts", &[], Kind::Switch, Some("false"), "keep the text of prompts after their work has ended well"),
    row(
        "history.mb_max",
        &[],
        Kind::Count { min: 10, max: 1_000_000 },
        Some("800"),
        "with more stored, what ended longest ago is cleared before history.days are over",
    ),
    row(
        "history.retry_days",
        &[],
        Kind::Count { min: 0, max: 36_500 },
        Some("7"),
        "work that failed, was cancelled or timed out keeps its text for so long, for `codexcp retry`",
    ),
    row(
        "limits.image_bytes_max",
        &["CODEX_MCP_MAX_IMAGE_INPUT_BYTES"],
        Kind::Count { min: 1, max: 1_000_000_000 },
        Some("20000000"),
        "size of an image file beside a prompt",
    ),
    row(
        "limits.image_items_max",
        &["CODEX_MCP_MAX_IMAGE_INPUT_ITEMS"],
        Kind::Count { min: 1, max: 100 },
        Some("10"),
        "images beside one prompt",
    ),
    row(
        "limits.operations_live_max",
        &[],
        Kind::Count { min: 1, max: 1_000_000 },
        Some("10000"),
        "operations accepted and not ended; above it a submit answers CODEX_BUSY",
    ),
    row("limits.turns_active_max", &["CODEX_MCP_MAX_ACTIVE_TURNS_GLOBAL"], Kind::Count { min: 1, max: 64 }, Some("4"), "turns at once"),
    row(
        "limits.turns_active_per_agent_max",
        &["CODEX_MCP_MAX_ACTIVE_TURNS_PER_AGENT"],
        Kind::Count { min: 1, max: 64 },
        Some("3"),
        "turns of one agent at once; operations that name no agent are not one agent",
    ),
    row(
        "limits.turns_active_per_project_max",
        &["CODEX_MCP_MAX_ACTIVE_TURNS_PER_PROJECT"],
        Kind::Count { min: 1, max: 64 },
        Some("3"),
        "turns in one project at once",
    ),
    row(
        "limits.turns_active_per_thread_max",
        &["CODEX_MCP_MAX_ACTIVE_TURNS_PER_THREAD"],
        Kind::Count { min: 1, max: 1 },
        Some("1"),
        "always 1: codex would steer the running turn instead",
    ),
    row(
        "limits.wait_for_reset",
        &[],
        Kind::Switch,
        Some("true"),
        "when the provider says that its limit is used up and until when: let queued work wait for that moment",
    ),
    row(
        "limits.write_turns_per_project_max",
        &["CODEX_MCP_MAX_ACTIVE_WRITE_TURNS_PER_PROJECT"],
        Kind::Count { min: 1, max: 64 },
        Some("1"),
        "no effect: a writer without resource_keys has its project for itself, writers of other keys run beside each other",
    ),
    row("logs.level", &["CODEXCP_LOG"], Kind::Text, Some("info"), "error, warn, info, debug; or a tracing filter"),
    row("policy.approval_min", &[], APPROVALS, Some("never"), "the loosest approval policy a caller may ask for"),
    row(
        "policy.hide_home",
        &[],
        Kind::Switch,
        Some("true"),
        "hide this home from sandboxed turns; an accepted command then stays in a sandbox without network (docs/security.md)",
    ),
    row("policy.sandbox_max", &[], SANDBOXES, Some("danger-full-access"), "the widest sandbox a caller may ask for"),
    row(
        "projects.registry",
        &["CODEX_PROJECTS_REGISTRY"],
        Kind::Path,
        None,
        "a JSON list of projects; unset: projects.json in projects.root",
    ),
    row("projects.root", &["CODEX_PROJECTS_ROOT"], Kind::Path, None, "a folder of projects; allowed where allowed_roots is unset"),
    row(
        "state.network_drive",
        &["CODEXCP_NETWORK_DRIVE"],
        Kind::Switch,
        Some("false"),
        "start although the home lies on a network drive or a shared folder; what is stored may not be safe there",
    ),
    row(
        "watchdog.action",
        &["CODEX_MCP_STALLED_TURN_ACTION"],
        Kind::OneOf(&["diagnose_only", "interrupt"]),
        Some("diagnose_only"),
        "what is done about a running turn without any event for too long: report it, or end it too",
    ),
    row(
        "watchdog.silence_seconds_max",
        &["CODEX_MCP_TURN_STALL_TIMEOUT_SECONDS"],
        Kind::Count { min: 1, max: 604_800 },
        Some("900"),
        "a running turn without any event for this long is reported, or ended (watchdog.action)",
    ),
];

#[cfg(test)]
mod tests {
    use super::SETTINGS;

    #[test]
    fn the_table_is_in_order_of_key() {
        assert!(SETTINGS.windows(2).all(|pair| pair[0].key < pair[1].key));
    }
}
