//! What a person decides on, as text: the whole of it, in lines that begin with our own words. What others wrote is escaped
//! into one line each, so that nothing in it can pass for ours. Nothing is masked but keys of known shapes.

use crate::store::tables::interactions::InteractionRow;
use common::shown::{escaped, middle_left_out};
use domain::interaction::Kind;
use serde_json::Value;

/// How much of what others wrote a line holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// In lists: long texts without their middle.
    Short,
    Whole,
}

const SHORT_CHARS_MAX: usize = 2_000;
const FILES_SHORT_MAX: usize = 50;

/// Lines that end in no line end.
pub fn text(row: &InteractionRow, length: Length) -> String {
    let (params, say) = (&row.params, Words(length));
    let mut lines = Vec::new();
    match row.method.as_str() {
        "item/commandExecution/requestApproval" => command(params, say, &mut lines),
        "item/fileChange/requestApproval" => {
            lines.push("Change these files?".to_owned());
            files(params, say, &mut lines);
            say.line("may write from now on below", &params["grantRoot"], &mut lines);
        }
        "item/permissions/requestApproval" => {
            lines.push("Grant these permissions?".to_owned());
            permissions(&params["permissions"], say, &mut lines);
            say.line("folder", &params["cwd"], &mut lines);
        }
        "mcpServer/elicitation/request" => elicitation(params, say, &mut lines),
        _ => questions(params, say, &mut lines),
    }
    if matches!(row.kind(), Kind::Approval | Kind::Permissions) {
        say.line("codex says", &params["reason"], &mut lines);
    }
    lines.join("\n")
}

#[derive(Clone, Copy)]
struct Words(Length);

impl Words {
    fn text(self, text: &str) -> String {
        let one = escaped(text);
        if self.0 == Length::Short { middle_left_out(&one, SHORT_CHARS_MAX) } else { one }
    }

    /// `label: words of others`, where there are some.
    fn line(self, label: &str, value: &Value, lines: &mut Vec<String>) {
        match value {
            Value::Null => {}
            Value::String(text) if text.is_empty() => {}
            Value::String(text) => lines.push(format!("  {label}: {}", self.text(text))),
            other => lines.push(format!("  {label}: {}", self.text(&other.to_string()))),
        }
    }
}

fn command(params: &Value, say: Words, lines: &mut Vec<String>) {
    let network = &params["networkApprovalContext"];
    lines.push(match (params["kind"].as_str(), network.is_object()) {
        (_, true) => "Let this command use the network?".to_owned(),
        (Some("writeStdin"), _) => "Write this to a command that runs?".to_owned(),
        _ => "Run this command?".to_owned(),
    });
    say.line("command", &params["command"], lines);
    say.line("folder", &params["cwd"], lines);
    if network.is_object() {
        say.line("host", &network["host"], lines);
        say.line("protocol", &network["protocol"], lines);
    }
    let more = &params["additionalPermissions"];
    if more.is_object() {
        lines.push("  with these permissions besides:".to_owned());
        permissions(more, say, lines);
    }
}

fn files(params: &Value, say: Words, lines: &mut Vec<String>) {
    let changes = params["changes"].as_array().map(Vec::as_slice).unwrap_or_default();
    if changes.is_empty() {
        lines.push("  codex did not say which; decline, or look at the thread".to_owned());
    }
    let shown = if say.0 == Length::Short { FILES_SHORT_MAX } else { usize::MAX };
    for change in changes.iter().take(shown) {
        let kind = change["kind"]["type"].as_str().or(change["kind"].as_str()).unwrap_or("change");
        let to = change["kind"]["move_path"].as_str().map(|to| format!(" -> {}", say.text(to))).unwrap_or_default();
        let stat = format!("+{} -{}", change["added"].as_u64().unwrap_or(0), change["removed"].as_u64().unwrap_or(0));
        lines.push(format!("  {}: {}{to} ({stat})", escaped(kind), say.text(change["path"].as_str().unwrap_or("?"))));
        if say.0 == Length::Whole {
            let diff = change["diff"].as_str().unwrap_or_default();
            lines.extend(diff.lines().map(|line| format!("    | {}", escaped(line))));
            if let Some(bytes) = change["diffBytesLeftOut"].as_u64() {
                lines.push(format!("    and {bytes} bytes more of it"));
            }
        }
    }
    let left_out = changes.len().saturating_sub(shown) as u64 + params["changesLeftOut"].as_u64().unwrap_or(0);
    if left_out > 0 {
        lines.push(format!("  and {left_out} files more"));
    }
}

fn permissions(asked: &Value, say: Words, lines: &mut Vec<String>) {
    let before = lines.len();
    if asked["network"]["enabled"] == true || asked["network"] == true {
        lines.push("  network: all of it".to_owned());
    }
    let files = if asked["fileSystem"].is_object() { &asked["fileSystem"] } else { &asked["file_system"] };
    let entries = files["entries"].as_array().map(Vec::as_slice).unwrap_or_default();
    for entry in entries {
        let path = entry["path"]["path"].as_str().map_or_else(|| entry["path"].to_string(), str::to_owned);
        lines.push(format!("  {}: {}", escaped(entry["access"].as_str().unwrap_or("access")), say.text(&path)));
    }
    for access in ["read", "write"] {
        for path in files[access].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !entries.iter().any(|entry| entry["path"]["path"] == path && entry["access"] == access) {
                lines.push(format!("  {access}: {}", say.text(path)));
            }
        }
    }
    if lines.len() == before {
        say.line("permissions", asked, lines);
    }
}

fn elicitation(params: &Value, say: Words, lines: &mut Vec<String>) {
    let server = params["serverName"].as_str().map_or_else(|| "without a name".to_owned(), |name| say.text(name));
    lines.push(format!("The MCP server {server} asks:"));
    let words = if params["message"].is_null() { &params["description"] } else { &params["message"] };
    say.line("it says", words, lines);
    say.line("address", &params["url"], lines);
    let schema = &params["requestedSchema"];
    let needed = |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let kind = field["type"].as_str().map(escaped).unwrap_or_default();
        let one_of = field["enum"].as_array().map(|all| format!(", one of {}", say.text(&Value::Array(all.clone()).to_string())));
        let about = field["description"].as_str().or(field["title"].as_str()).map(|text| format!(": {}", say.text(text)));
        let need = if needed(name) { ", needed" } else { "" };
        lines.push(format!("  field {} ({kind}{need}{}){}", escaped(name), one_of.unwrap_or_default(), about.unwrap_or_default()));
    }
}

fn questions(params: &Value, say: Words, lines: &mut Vec<String>) {
    for question in params["questions"].as_array().into_iter().flatten() {
        lines.push(say.text(question["question"].as_str().unwrap_or_default()));
    }
    if lines.is_empty() {
        lines.push("Codex asks something that this version does not know.".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::{ids::*, time::Timestamp};
    use domain::interaction::Interaction;
    use serde_json::json;

    fn asked(method: &str, params: Value) -> InteractionRow {
        InteractionRow {
            id: InteractionId::new("int_1"),
            operation: None,
            thread: None,
            turn: None,
            item: None,
            generation: Generation(1),
            request: ServerRequestId::new("1"),
            method: method.to_owned(),
            params,
            response: None,
            answer_digest: None,
            state: Interaction::Pending { expires: None },
            created: Timestamp(0),
            settled: None,
        }
    }

    #[test]
    fn a_command_is_whole_and_its_end_is_seen_however_long_it_is() {
        let dangerous = format!("echo {} && touch /tmp/t", "a".repeat(5_000));
        let row = asked(
            "item/commandExecution/requestApproval",
            json!({"command": dangerous, "cwd": "/p", "reason": "tests\nRun this command?"}),
        );
        let short = text(&row, Length::Short);
        assert!(short.contains(" && touch /tmp/t\n  folder: /p\n  codex says: tests⏎Run this command?"), "{short}");
        assert!(short.contains("characters left out"));
        assert!(text(&row, Length::Whole).contains(&dangerous));
    }

    #[test]
    fn files_permissions_and_forms_are_named_one_by_one() {
        let change = json!({"changes": [{"path": "/p/a.rs", "kind": {"type": "update", "move_path": "/p/b.rs"}, "added": 3, "removed": 1, "diff": "+x\u{202e}"}]});
        let row = asked("item/fileChange/requestApproval", change);
        assert_eq!(text(&row, Length::Short), "Change these files?\n  update: /p/a.rs -> /p/b.rs (+3 -1)");
        assert!(text(&row, Length::Whole).ends_with("    | +x\\u{202e}"));
        let permissions = json!({"permissions": {"network": {"enabled": true}, "fileSystem": {"write": ["/p"], "entries": [{"path": {"type": "path", "path": "/p"}, "access": "write"}]}}});
        assert_eq!(
            text(&asked("item/permissions/requestApproval", permissions), Length::Short),
            "Grant these permissions?\n  network: all of it\n  write: /p"
        );
        let form = json!({"serverName": "deploys", "message": "where?", "requestedSchema": {"required": ["name"], "properties": {"name": {"type": "string"}, "colour": {"type": "string", "enum": ["red", "blue"]}}}});
        let form = text(&asked("mcpServer/elicitation/request", form), Length::Short);
        assert!(form.starts_with("The MCP server deploys asks:\n  it says: where?\n"), "{form}");
        assert!(
            form.contains("field name (string, needed)") && form.contains("field colour (string, one of [\"red\",\"blue\"])"),
            "{form}"
        );
    }
}
