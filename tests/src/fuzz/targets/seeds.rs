//! Inputs to begin with that need no file of their own: a call of every tool with every argument, the captures of the
//! real app-server, every setting.

use super::hard;
use daemon::config::{Kind, SETTINGS};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

/// Longer lines of the captures are left out; they differ from the shorter ones by their length only.
const LINE_BYTES_MAX: usize = 4 * 1024;
/// Lines of one method.
const ALIKE_MAX: usize = 6;

/// Every tool: with all its arguments, and with those only that it must have.
fn calls() -> Vec<(String, Value)> {
    let mut out = Vec::new();
    for tool in daemon::tools::catalogue()["tools"].as_array().into_iter().flatten() {
        let schema = &tool["inputSchema"];
        let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let all: Map<String, Value> = schema["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, property)| (name.clone(), example(name, property)))
            .collect();
        let few =
            all.iter().filter(|(name, _)| required.contains(&name.as_str())).map(|(name, value)| (name.clone(), value.clone())).collect();
        let name = tool["name"].as_str().unwrap_or_default().to_owned();
        out.push((name.clone(), Value::Object(all)));
        out.push((name, Value::Object(few)));
    }
    out
}

fn example(name: &str, property: &Value) -> Value {
    match name {
        "operation_id" => return json!(super::super::world::OPERATION),
        "operation_ids" => return json!([super::super::world::OPERATION]),
        "turn_id" => return json!(super::super::world::TURN),
        "interaction_id" => return json!("int_e179b7c2f988d5e66015edb836214129"),
        "thread_id" | "chat_id" => return json!(super::super::world::THREAD),
        "project_id" => return json!("shop"),
        "operation_type" => return json!("start_chat"),
        // A call that waits only takes time.
        "max_seconds" | "timeout_seconds" => return json!(1),
        _ => {}
    }
    if let Some(first) = property["enum"].as_array().and_then(|all| all.first()) {
        return first.clone();
    }
    if let Some(default) = property.get("default").filter(|default| !default.is_null()) {
        return default.clone();
    }
    let kind = property["type"].as_str().or_else(|| property["type"].as_array()?.first()?.as_str());
    match kind {
        Some("integer" | "number") => property.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        Some("boolean") => json!(false),
        Some("array") => json!([example("", &property["items"])]),
        Some("object") => json!({"a": 1}),
        _ => json!("x"),
    }
}

pub(super) fn mcp() -> Vec<Vec<u8>> {
    let line = |n: usize, (name, arguments): (String, Value)| {
        json!({"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": {"name": name, "arguments": arguments}})
            .to_string()
            .into_bytes()
    };
    calls().into_iter().enumerate().map(|(n, call)| line(n, call)).collect()
}

pub(super) fn http() -> Vec<Vec<u8>> {
    calls().into_iter().map(|(name, arguments)| format!("POST /v1/tools/{name}\n{arguments}").into_bytes()).collect()
}

/// Every record of the captures of the real app-server, a capture at a time.
fn captures() -> Vec<Vec<Value>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/captures");
    let mut paths: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "jsonl"));
    paths.sort();
    let texts = paths.iter().filter_map(|path| std::fs::read_to_string(path).ok());
    texts.map(|text| text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()).collect()
}

pub(super) fn frames() -> Vec<Vec<u8>> {
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    let mut out = Vec::new();
    for record in captures().into_iter().flatten().filter(|record| record["dir"] == "s2c") {
        let kind = format!("{} {}", record["msg"]["method"], record["msg"]["params"]["item"]["type"]);
        let line = ours(&record["msg"].to_string());
        let seen = known.entry(kind).or_default();
        *seen += 1;
        if *seen <= ALIKE_MAX && line.len() <= LINE_BYTES_MAX {
            out.push(line.into_bytes());
        }
    }
    out
}

/// The threads of the captures are the one of the world.
fn ours(line: &str) -> String {
    let mut value: Value = serde_json::from_str(line).unwrap_or_default();
    for (key, name) in [("threadId", super::super::world::THREAD), ("turnId", super::super::world::TURN)] {
        if let Some(id) = value.get_mut("params").and_then(|params| params.get_mut(key)) {
            *id = json!(name);
        }
    }
    value.to_string()
}

pub(super) fn websocket() -> Vec<Vec<u8>> {
    frames().iter().map(|line| hard::frame(line)).collect()
}

/// The answers of the captures, joined as a look-up asks for them.
pub(super) fn look_up() -> Vec<Vec<u8>> {
    let mut bodies: HashMap<String, Vec<String>> = HashMap::new();
    for capture in captures() {
        let mut asked: HashMap<String, String> = HashMap::new();
        for record in capture {
            let message = &record["msg"];
            let id = message["id"].to_string();
            if record["dir"] == "c2s" {
                asked.insert(id, message["method"].as_str().unwrap_or_default().to_owned());
            } else if let Some(method) = asked.get(&id).filter(|_| message["method"].is_null()) {
                let mut body = message.clone();
                body.as_object_mut().and_then(|body| body.remove("id"));
                let text = body.to_string();
                if text.len() <= LINE_BYTES_MAX {
                    bodies.entry(method.clone()).or_default().push(text);
                }
            }
        }
    }
    let of = |method: &str| bodies.get(method).cloned().unwrap_or_default();
    let (resumed, items, turns) = (of("thread/resume"), of("thread/items/list"), of("thread/turns/list"));
    let count = resumed.len().max(items.len()).max(turns.len());
    let nth = |all: &[String], n: usize| all.get(n % all.len().max(1)).cloned().unwrap_or_default();
    (0..count).map(|n| [nth(&resumed, n), nth(&items, n), nth(&items, n), nth(&turns, n)].join("\n").into_bytes()).collect()
}

pub(super) fn config() -> Vec<Vec<u8>> {
    let mut file = String::new();
    let (mut flags, mut variables) = (String::new(), String::new());
    for setting in SETTINGS {
        let (literal, text) = match setting.kind {
            Kind::Count { min, .. } => (min.to_string(), min.to_string()),
            Kind::Switch => ("true".to_owned(), "yes".to_owned()),
            Kind::OneOf(words) => (format!("{:?}", words[0]), words[0].to_owned()),
            Kind::Paths | Kind::Texts => ("[\"/a\", \"~/b\"]".to_owned(), "/a;/b".to_owned()),
            Kind::ApprovalRules => ("[{command = \"git push\", project = \"~/b\", decision = \"decline\"}]".to_owned(), "x".to_owned()),
            Kind::Text | Kind::Path => ("\"~/x\"".to_owned(), "~/x".to_owned()),
        };
        file.push_str(&format!("{} = {literal}\n", setting.key));
        flags.push_str(&format!("{}={text}\n", setting.key));
        if let Some(name) = setting.env.first() {
            variables.push_str(&format!("{name}={text}\n"));
        }
    }
    let whole = format!("{file}%%\n{flags}%%\n{variables}");
    vec![whole.into_bytes(), file.into_bytes(), format!("\n%%\n{flags}").into_bytes(), format!("\n%%\n\n%%\n{variables}").into_bytes()]
}
