//! Inputs that are hard because they are large: made when they are needed, read with the corpus in every long run.

use super::super::Hard;

/// A line of MCP may be 16 MiB.
const LONG: usize = 20 * 1024 * 1024;

pub(super) static MCP: &[Hard] = &[
    ("a line of 20 MB with its id at the end", long_line),
    ("20 MB without an end of line", || vec![b'x'; LONG]),
    ("a million small objects", || call(&many(b"{\"\":0}", 1_000_000))),
    ("two million empty arrays", || call(&many(b"[]", 2_000_000))),
    ("a hundred thousand keys", || call(&keys(100_000))),
    ("a number of 100 000 digits", || call(&b"9".repeat(100_000))),
    ("ten thousand blank lines", || b"\n".repeat(10_000)),
    ("ten thousand lines that are not JSON", || b"x\n".repeat(10_000)),
    ("ten thousand requests for the catalogue", || requests(10_000)),
    ("a message of 15 MB", || call_with("message", &"é".repeat(7_500_000))),
    ("a message of signs that grow when they are folded", || call_with("message", &"\u{FDFA}".repeat(300_000))),
];

pub(super) static JSON: &[Hard] = &[
    ("a line of 20 MB with its id at the end", long_line),
    ("a million small objects", || wrap(b"{\"result\":", &many(b"{\"\":0}", 1_000_000))),
    ("a hundred thousand keys", || keys(100_000)),
    ("a number of 100 000 digits", || wrap(b"{\"result\":", &b"9".repeat(100_000))),
    ("ten thousand lines that are not JSON", || b"x\n".repeat(10_000)),
];

pub(super) static HTTP: &[Hard] = &[
    ("a million small objects", || body(&wrap(b"{\"message\":", &many(b"{\"\":0}", 1_000_000)))),
    ("two million empty arrays", || body(&wrap(b"{\"message\":", &many(b"[]", 2_000_000)))),
    ("a hundred thousand keys", || body(&keys(100_000))),
    ("a body of 20 MB", || body(&vec![b' '; LONG])),
    ("a message of 15 MB", || body(&wrap(b"{\"operation_type\":\"start_chat\",\"project_id\":\"shop\",\"message\":", &quoted(15_000_000)))),
];

pub(super) static CONFIG: &[Hard] = &[
    ("a key of 200 000 parts", || [b"a.".repeat(200_000).as_slice(), b"a=1"].concat()),
    ("a key of 1 MB", || [b"a".repeat(1_000_000).as_slice(), b"=1"].concat()),
    ("a hundred thousand roots", || [b"allowed_roots=".as_slice(), &many(b"\"/a\"", 100_000)].concat()),
    ("a hundred thousand tables", || (0..100_000).flat_map(|n| format!("[t{n}]\n").into_bytes()).collect()),
];

pub(super) static WEBSOCKET: &[Hard] = &[
    ("a message that never ends", || [b"\x01\x01x".as_slice(), &b"\x00\x01x".repeat(100_000)].concat()),
    ("ten thousand pings", || b"\x89\x04ping".repeat(10_000)),
    ("a line of 20 MB", || frame(&long_line())),
];

fn long_line() -> Vec<u8> {
    let mut line = b"{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{\"x\":\"".to_vec();
    line.resize(LONG, b'x');
    line.extend_from_slice(b"\"},\"id\":\"long\"}\n");
    line
}

fn wrap(open: &[u8], inner: &[u8]) -> Vec<u8> {
    [open, inner, b"}"].concat()
}

fn many(one: &[u8], count: usize) -> Vec<u8> {
    let all = vec![one; count];
    [b"[".as_slice(), &all.join(&b','), b"]"].concat()
}

fn keys(count: usize) -> Vec<u8> {
    let all: Vec<String> = (0..count).map(|n| format!("\"k{n}\":{n}")).collect();
    format!("{{{}}}", all.join(",")).into_bytes()
}

fn quoted(len: usize) -> Vec<u8> {
    [b"\"".as_slice(), &vec![b'x'; len], b"\""].concat()
}

fn call(arguments: &[u8]) -> Vec<u8> {
    let head = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"codex_submit_task\",\"arguments\":{\"output_schema\":";
    [head.as_slice(), arguments, b"}}}\n"].concat()
}

fn call_with(name: &str, value: &str) -> Vec<u8> {
    let arguments = serde_json::json!({"operation_type": "start_chat", "project_id": "shop", name: value});
    let params = serde_json::json!({"name": "codex_submit_task", "arguments": arguments});
    format!("{}\n", serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})).into_bytes()
}

fn requests(count: usize) -> Vec<u8> {
    (0..count).flat_map(|n| format!("{{\"jsonrpc\":\"2.0\",\"id\":{n},\"method\":\"tools/list\"}}\n").into_bytes()).collect()
}

fn body(body: &[u8]) -> Vec<u8> {
    [b"POST /v1/tools/codex_submit_task\n".as_slice(), body].concat()
}

pub(super) fn frame(text: &[u8]) -> Vec<u8> {
    let mut out = vec![0x81];
    match u16::try_from(text.len()) {
        Ok(len) if len < 126 => out.push(len.to_le_bytes()[0]),
        Ok(len) => {
            out.push(126);
            out.extend_from_slice(&len.to_be_bytes());
        }
        Err(_) => {
            out.push(127);
            out.extend_from_slice(&(text.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(text);
    out
}
