//! The variables of the predecessor's contract: what a shim passes on to a daemon that it starts, and the digest
//! by which a daemon notices a caller that was started with other values. Reads nothing itself.

/// Every variable that is a setting of the daemon; a test of the daemon compares it with its settings.
pub const CONTRACT_VARIABLES: &[&str] = &[
    "CODEXCP_APP_SERVER_LINK",
    "CODEXCP_LOG",
    "CODEXCP_NETWORK_DRIVE",
    "CODEX_ALLOWED_ROOTS",
    "CODEX_BINARY_PATH",
    "CODEX_HOME",
    "CODEX_MCP_APPROVAL_RESPONSE_TIMEOUT_SECONDS",
    "CODEX_MCP_DEFAULT_APPROVAL_POLICY",
    "CODEX_MCP_DEFAULT_EFFORT",
    "CODEX_MCP_DEFAULT_MODEL",
    "CODEX_MCP_DEFAULT_SANDBOX",
    "CODEX_MCP_DEFAULT_SANDBOX_POLICY",
    "CODEX_MCP_MAX_ACTIVE_TURNS_GLOBAL",
    "CODEX_MCP_MAX_ACTIVE_TURNS_PER_AGENT",
    "CODEX_MCP_MAX_ACTIVE_TURNS_PER_PROJECT",
    "CODEX_MCP_MAX_ACTIVE_TURNS_PER_THREAD",
    "CODEX_MCP_MAX_ACTIVE_WRITE_TURNS_PER_PROJECT",
    "CODEX_MCP_MAX_APP_SERVER_PENDING_REQUESTS",
    "CODEX_MCP_MAX_IMAGE_INPUT_BYTES",
    "CODEX_MCP_MAX_IMAGE_INPUT_ITEMS",
    "CODEX_MCP_STALLED_TURN_ACTION",
    "CODEX_MCP_TURN_STALL_TIMEOUT_SECONDS",
    "CODEX_PROJECTS_REGISTRY",
    "CODEX_PROJECTS_ROOT",
];

/// What every program needs to work for this user (ARCHITECTURE 21.15).
pub const USER_VARIABLES: &[&str] = &[
    "HOME",
    "PATH",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "TEMP",
    "TMP",
    "TERM",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "SYSTEMROOT",
    "SYSTEMDRIVE",
    "WINDIR",
    "COMSPEC",
    "PATHEXT",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "PROGRAMFILES(X86)",
    "USERNAME",
    "USERDOMAIN",
    "HOMEDRIVE",
    "HOMEPATH",
    "PROCESSOR_ARCHITECTURE",
    "NUMBER_OF_PROCESSORS",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SSH_AUTH_SOCK",
    "DBUS_SESSION_BUS_ADDRESS",
    "OPENAI_API_KEY",
    "CODEX_API_KEY",
];

/// What a service keeps of the environment that it is installed from, besides the contract's variables. It outlives the
/// session, so nothing of a session; its file is no place for keys.
pub const SERVICE_VARIABLES: &[&str] = &[
    "PATH",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// `USER_VARIABLES` and the families `LC_*` and `XDG_*`.
pub fn is_user_variable(name: &str) -> bool {
    // Windows spells them as it likes: `Path`, `SystemRoot`.
    let known = |listed: &&str| if cfg!(windows) { listed.eq_ignore_ascii_case(name) } else { *listed == name };
    USER_VARIABLES.iter().any(known) || name.starts_with("LC_") || name.starts_with("XDG_")
}

/// 16 hex digits over the contract's variables. Empty ones count as unset.
#[cfg(feature = "client")]
pub fn digest(variable: &dyn Fn(&str) -> Option<String>) -> String {
    let mut hasher = blake3::Hasher::new();
    for name in CONTRACT_VARIABLES {
        if let Some(value) = variable(name).filter(|value| !value.is_empty()) {
            hasher.update(name.as_bytes()).update(b"=").update(value.as_bytes()).update(b"\n");
        }
    }
    hasher.finalize().to_hex()[..16].to_owned()
}
