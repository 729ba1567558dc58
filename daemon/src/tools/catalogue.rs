//! The list of tools as callers see it, with the contract's extra keys (BEHAVIOUR 1). Built once, the same for
//! everybody; a golden file shows every change.

use super::{Access, TOOLS, ToolEntry, guide};
use serde_json::{Value, json};
use std::sync::LazyLock;

/// The body of `tools/list`.
pub fn catalogue() -> &'static Value {
    static CATALOGUE: LazyLock<Value> = LazyLock::new(build);
    &CATALOGUE
}

fn build() -> Value {
    let tools: Vec<Value> = TOOLS.iter().map(tool).collect();
    let hash = blake3::hash(Value::Array(tools.clone()).to_string().as_bytes()).to_hex().to_string();
    let groups = guide::groups();
    json!({
        "tools": tools,
        "codexMcpGuide": guide::guide(&hash, &groups),
        "recommendedStartupTool": guide::STARTUP_TOOL,
        "recommendedPrimaryWriteTool": guide::WRITE_TOOL,
        "toolGroups": groups,
    })
}

fn tool(tool: &ToolEntry) -> Value {
    let read_only = tool.access == Access::Read;
    let mut out = json!({
        "name": tool.name,
        "description": tool.about,
        "inputSchema": serde_json::from_str::<Value>(tool.input).unwrap_or_default(),
        "outputSchema": output_schema((tool.output)()),
        "annotations": {
            "readOnlyHint": read_only,
            "destructiveHint": tool.access == Access::Control,
            "idempotentHint": true,
            "openWorldHint": !read_only,
            "openclawContractGroup": tool.contract.group,
            "codexMcp": {
                "guideVersion": guide::VERSION,
                "role": tool.contract.role,
                "preferred": true,
                "nextTools": tool.contract.next_tools,
                "avoidWhen": [],
                "idempotency": match tool.access { Access::Read => "not_applicable", Access::Submit => "required", Access::Control => "recommended" },
                "passiveRead": read_only,
                "mayStartTurn": tool.access == Access::Submit,
            },
        },
    });
    if tool.name == "codex_answer_pending_interaction" {
        out["_meta"] = json!({"anthropic/requiresUserInteraction": true});
    }
    out
}

/// What a success looks like, open to errors and to what later versions add (BEHAVIOUR 1: `ok` is required).
fn output_schema(mut schema: Value) -> Value {
    if let Value::Object(map) = &mut schema {
        map.remove("$schema");
        map.remove("title");
        map.insert("required".into(), json!(["ok"]));
        map.insert("additionalProperties".into(), json!(true));
    }
    let properties = &mut schema["properties"];
    properties["ok"] = json!({"type": "boolean"});
    properties["statusContract"] = json!({"type": "object", "properties": {"version": {"type": "string"}, "surface": {"type": "string"}}});
    properties["error"] = json!({
        "type": "object",
        "properties": {"code": {"type": "string"}, "message": {"type": "string"}, "details": {"type": "object"}, "retryable": {"type": "boolean"}},
        "additionalProperties": true,
    });
    schema
}
