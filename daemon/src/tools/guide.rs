//! What a program that has just met us is told beside the list of tools (BEHAVIOUR 1): which tools go together, in which
//! order. Names only tools that are there; a test checks it.

use serde_json::{Value, json};

pub(super) const VERSION: &str = "codex-mcp-agent-guide/v1";
pub(super) const STARTUP_TOOL: &str = "codex_health_summary";
pub(super) const WRITE_TOOL: &str = "codex_submit_task";

pub(super) fn groups() -> Value {
    const GROUPS: &[(&str, &[&str])] = &[
        ("readiness", &["codex_health_summary", "codex_get_app_server_status", "codex_restart_app_server"]),
        ("durable_operations", &["codex_submit_task", "codex_wait", "codex_get_operation_status", "codex_get_events"]),
        (
            "workflows",
            &[
                "codex_start_plan_workflow",
                "codex_start_review_workflow",
                "codex_get_workflow_status",
                "codex_approve_plan",
                "codex_revise_plan",
                "codex_adopt_workflow_plan",
            ],
        ),
        (
            "worker_scheduler",
            &["codex_get_worker_status", "codex_get_queue_status", "codex_get_concurrency_status", "codex_get_worker_command_status"],
        ),
        ("read_history", &["codex_list_projects", "codex_get_turn_status"]),
        (
            "active_turn_control",
            &["codex_list_pending_interactions", "codex_answer_pending_interaction", "codex_submit_task", "codex_interrupt_turn"],
        ),
        (
            "lifecycle",
            &["codex_archive_thread", "codex_unarchive_thread", "codex_start_thread_compaction", "codex_get_thread_compaction_status"],
        ),
        ("compatibility", &["codex_start_chat", "codex_send_message", "codex_execute_plan"]),
    ];
    GROUPS.iter().map(|(id, tools)| json!({"id": id, "preferredTools": tools})).collect()
}

pub(super) fn guide(hash: &str, groups: &Value) -> Value {
    let mut guide = json!({
        "version": VERSION,
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
                "operationTypes": ["start_chat", "send_message", "execute_plan", "steer_turn", "fork_thread"],
            },
            "planWorkflow": {
                "startTool": "codex_start_plan_workflow",
                "statusTool": "codex_get_workflow_status",
                "approveTool": "codex_approve_plan",
                "reviseTool": "codex_revise_plan",
            },
            "reviewWorkflow": {"startTool": "codex_start_review_workflow", "statusTool": "codex_get_workflow_status"},
            "workerScheduler": {
                "workerStatusTool": "codex_get_worker_status",
                "queueStatusTool": "codex_get_queue_status",
                "concurrencyStatusTool": "codex_get_concurrency_status",
                "commandStatusTool": "codex_get_worker_command_status",
            },
        },
        "usageFlows": [
            {"id": "startup", "steps": ["codex_health_summary", "codex_list_projects"]},
            {"id": "new_task", "steps": ["codex_submit_task", "codex_wait", "codex_get_operation_status"]},
            {"id": "long_running_poll", "steps": ["codex_wait", "codex_get_operation_status", "codex_get_queue_status"]},
            {"id": "plan_mode", "steps": ["codex_start_plan_workflow", "codex_wait", "codex_get_workflow_status", "codex_approve_plan"]},
            {"id": "review", "steps": ["codex_start_review_workflow", "codex_wait", "codex_get_workflow_status"]},
            {"id": "steer", "steps": ["codex_get_operation_status", "codex_submit_task", "codex_wait"]},
            {"id": "interrupt", "steps": ["codex_interrupt_turn", "codex_get_operation_status"]},
            {"id": "lifecycle", "steps": ["codex_archive_thread", "codex_start_thread_compaction", "codex_get_thread_compaction_status"]},
        ],
        "globalRules": [
            "Give every submit a client_request_id of your own and send the same call again after a timeout: it never runs twice.",
            "Wait with codex_wait instead of polling; a time-out there is no error.",
            "Answer pending interactions, or the turn waits.",
        ],
        "runtimeLimits": {
            "callSecondsMax": 45,
            "workerSlots": {"globalDefault": 4, "perProjectDefault": 3, "perAgentDefault": 3, "perThreadDefault": 1},
        },
        "toolGroups": groups,
        "detail": "compact",
    });
    let guide_hash = blake3::hash(guide.to_string().as_bytes()).to_hex().to_string();
    guide["guideHash"] = json!(guide_hash);
    guide
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::find;

    fn named<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::String(text) if text.starts_with("codex_") => found.push(text),
            Value::Array(list) => list.iter().for_each(|inner| named(inner, found)),
            Value::Object(map) => map.values().for_each(|inner| named(inner, found)),
            _ => {}
        }
    }

    #[test]
    fn only_tools_that_are_there_are_named() {
        let guide = guide("", &groups());
        let mut found = Vec::new();
        named(&guide, &mut found);
        assert!(found.len() > 40 && found.iter().all(|name| find(name).is_some()), "{found:?}");
    }
}
