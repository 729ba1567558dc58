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

/// A shim says with this that the next request uses an id that was used before, and how often: it is another call.
pub const REUSED_METHOD: &str = "notifications/codexcp/reused";
/// Where the daemon keeps that in the request.
pub const REUSED_META: &str = "codexcp/reused";

/// The line that says so; none for an id that is used for the first time. `id` is JSON.
pub fn reused(used: Option<&(String, u32)>) -> Option<Vec<u8>> {
    let (id, used) = used.filter(|(_, used)| *used > 0)?;
    let line = format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{REUSED_METHOD}\",\"params\":{{\"requestId\":{id},\"used\":{used}}}}}\n");
    Some(line.into_bytes())
}

/// JSON as one line for every reader: some take the line ends of Unicode for ends, which JSON lets stand in a text. They
/// stand nowhere else, so an escape means the same.
pub fn one_line(json: Vec<u8>) -> Vec<u8> {
    const ENDS: [(&[u8], &[u8]); 3] = [(b"\xC2\x85", b"\\u0085"), (b"\xE2\x80\xA8", b"\\u2028"), (b"\xE2\x80\xA9", b"\\u2029")];
    let at = |rest: &[u8]| ENDS.iter().find(|(end, _)| rest.starts_with(end)).copied();
    let begins = |byte: &u8| matches!(byte, 0xC2 | 0xE2);
    if !json.iter().enumerate().any(|(n, byte)| begins(byte) && at(&json[n..]).is_some()) {
        return json;
    }
    let mut out = Vec::with_capacity(json.len() + 64);
    let mut n = 0;
    while n < json.len() {
        match at(&json[n..]) {
            Some((end, escape)) => {
                out.extend_from_slice(escape);
                n += end.len();
            }
            None => {
                out.push(json[n]);
                n += 1;
            }
        }
    }
    out
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

    /// FAULTS C4.
    #[test]
    fn the_line_ends_of_unicode_are_escapes_and_mean_the_same() {
        let value = serde_json::json!({"a\u{2028}": "x\u{2028}y\u{2029}z\u{85} \u{2027}\u{c4}"});
        let line = one_line(serde_json::to_vec(&value).unwrap());
        let text = String::from_utf8(line).unwrap();
        assert!(!text.contains(['\u{2028}', '\u{2029}', '\u{85}']) && text.contains("\\u2028") && text.contains('\u{2027}'), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn long_text_is_no_value_and_many_values_are_too_many() {
        assert!(!has_too_many_values(format!("[\"{}\\\"{}\"]", ",[{".repeat(VALUES_MAX), ",".repeat(VALUES_MAX)).as_bytes()));
        assert!(has_too_many_values(format!("[{}1]", "1,".repeat(VALUES_MAX)).as_bytes()));
        assert!(!has_too_many_values(&b"[{},".repeat(10)));
    }
}
