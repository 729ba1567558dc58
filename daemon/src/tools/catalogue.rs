//! The list of tools as callers see it, with the contract's extra keys (BEHAVIOUR 1). Built once, the same for
//! everybody; a golden file shows every change.

use super::{Access, TOOLS, ToolEntry};
use serde_json::{Value, json};
use std::sync::LazyLock;

const GUIDE_VERSION: &str = "codex-mcp-agent-guide/v1";
const STARTUP_TOOL: &str = "codex_health_summary";
const WRITE_TOOL: &str = "codex_submit_task";

/// The body of `tools/list`.
pub fn catalogue() -> &'static Value {
    static CATALOGUE: LazyLock<Value> = LazyLock::new(build);
    &CATALOGUE
}

fn build() -> Value {
    let tools: Vec<Value> = TOOLS.iter().map(tool).collect();
    let hash = blake3::hash(Value::Array(tools.clone()).to_string().as_bytes()).to_hex().to_string();
    let groups = groups();
    json!({
        "tools": tools,
        "codexMcpGuide": guide(&hash, &groups),
        "recommendedStartupTool": STARTUP_TOOL,
        "recommendedPrimaryWriteTool": WRITE_TOOL,
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
                "guideVersion": GUIDE_VERSION,
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

fn groups() -> Value {
    const GROUPS: &[(&str, &[&str])] = &[
        ("readiness", &["codex_health_summary", "codex_get_app_server_status"]),
        ("durable_operations", &["codex_submit_task", "codex_wait", "codex_get_operation_status", "codex_get_events"]),
        ("worker_scheduler", &["codex_get_queue_status"]),
        ("read_history", &["codex_list_projects", "codex_get_turn_status"]),
        ("active_turn_control", &["codex_list_pending_interactions", "codex_answer_pending_interaction", "codex_interrupt_turn"]),
    ];
    GROUPS.iter().map(|(id, tools)| json!({"id": id, "preferredTools": tools})).collect()
}

fn guide(hash: &str, groups: &Value) -> Value {
    let mut guide = json!({
        "version": GUIDE_VERSION,
        "contractVersion": "1",
        "toolSurfaceHash": hash,
        "clientType": "generic-agent",
        "recommendedStartupTool": STARTUP_TOOL,
        "recommendedPrimaryWriteTool": WRITE_TOOL,
        "recommendedStartupFlow": "startup",
        "capabilityMap": {
            "durableOperations": {
                "primaryTool": WRITE_TOOL,
                "statusTool": "codex_get_operation_status",
                "waitTool": "codex_wait",
                "operationTypes": ["start_chat", "send_message"],
            },
        },
        "usageFlows": [
            {"id": "startup", "steps": ["codex_health_summary", "codex_list_projects"]},
            {"id": "new_task", "steps": ["codex_submit_task", "codex_wait", "codex_get_operation_status"]},
            {"id": "long_running_poll", "steps": ["codex_wait", "codex_get_operation_status", "codex_get_queue_status"]},
            {"id": "interrupt", "steps": ["codex_interrupt_turn", "codex_get_operation_status"]},
        ],
        "globalRules": [
            "Give every submit a client_request_id of your own and send the same call again after a timeout: it never runs twice.",
            "Wait with codex_wait instead of polling; a time-out there is no error.",
            "Answer pending interactions, or the turn waits.",
        ],
        "runtimeLimits": {"callSecondsMax": 45, "workerSlots": {"globalDefault": 4, "perThreadDefault": 1}},
        "toolGroups": groups,
        "detail": "compact",
    });
    let guide_hash = blake3::hash(guide.to_string().as_bytes()).to_hex().to_string();
    guide["guideHash"] = json!(guide_hash);
    guide
}
