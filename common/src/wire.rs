//! What travels between the daemon and its own programs besides tool calls.
//! The version header goes both ways; a mismatch is answered with a sentence, never guessed around.

use serde::{Deserialize, Serialize};

/// Both sides send it; it changes when the routes or their bodies do.
pub const VERSION_HEADER: &str = "x-codexcp-version";
/// The version of the local wire.
pub const WIRE_VERSION: &str = "1";
/// The shim's nonce: with the JSON-RPC id it makes a write call repeatable.
pub const INSTANCE_HEADER: &str = "x-codexcp-instance";
/// Which program asks: `shim` or `codexcp`.
pub const PROGRAM_HEADER: &str = "x-codexcp-program";
/// A digest of the configuration variables the caller was started with.
pub const ENVIRONMENT_HEADER: &str = "x-codexcp-environment";
/// The protocol name of the upgraded connection.
pub const MCP_UPGRADE: &str = "mcp-stdio";
/// Longest line of MCP, bytes: what the MCP library takes at most as well.
pub const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest body of a tool call over HTTP, bytes.
pub const BODY_BYTES_MAX: usize = LINE_BYTES_MAX;
/// Most JSON values in one message of a caller. Its text may be as long as the message, but each value takes up to a
/// hundred times its own length in memory, and a message of nothing else would take gigabytes.
pub const VALUES_MAX: usize = 200_000;

/// Whether a message has more than `VALUES_MAX` values, without reading it as JSON. Never more than there are bytes.
pub fn has_too_many_values(message: &[u8]) -> bool {
    if message.len() <= VALUES_MAX {
        return false;
    }
    let (mut values, mut in_string, mut escaped) = (0, false, false);
    for byte in message {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => values += 1,
            _ => {}
        }
    }
    values > VALUES_MAX
}

/// The name of the daemon's Windows service.
pub const WINDOWS_SERVICE: &str = "codexcp";

/// `GET /v1/health`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Health {
    pub program: String,
    pub version: String,
    pub pid: u32,
    pub head: i64,
}

/// One line of `GET /v1/follow`: NDJSON, ends when every followed operation has.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FollowLine {
    /// A stored event, as `codex_get_events` shows it.
    Event { event: serde_json::Value },
    /// A piece of assistant text. Never stored; a follower that joins late misses the earlier ones.
    Delta { operation: String, item: String, text: String },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_no_value_and_many_values_are_too_many() {
        assert!(!has_too_many_values(format!("[\"{}\\\"{}\"]", ",[{".repeat(VALUES_MAX), ",".repeat(VALUES_MAX)).as_bytes()));
        assert!(has_too_many_values(format!("[{}1]", "1,".repeat(VALUES_MAX)).as_bytes()));
        assert!(!has_too_many_values(&b"[{},".repeat(10)));
    }
}
