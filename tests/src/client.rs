//! Tool calls as the admin command makes them: over the local endpoint, by name.

use crate::home::Home;
use anyhow::{Context, bail};
use common::client::{Caller, Connection};
use serde_json::{Value, json};
use std::time::Duration;

impl Home {
    pub async fn connection(&self) -> anyhow::Result<Connection> {
        let caller = Caller { program: "codexcp", instance: String::new(), environment: String::new() };
        Ok(Connection::open(&self.place, caller).await?)
    }

    /// The payload, an error's too.
    pub async fn call(&self, tool: &str, arguments: Value) -> anyhow::Result<Value> {
        let mut connection = self.connection().await?;
        let reply =
            connection.send("POST", &format!("/v1/tools/{tool}"), arguments.to_string().into_bytes(), Duration::from_secs(60)).await?;
        serde_json::from_slice(&reply.body).with_context(|| String::from_utf8_lossy(&reply.body).into_owned())
    }

    /// The payload of a call that must succeed.
    pub async fn ok(&self, tool: &str, arguments: Value) -> anyhow::Result<Value> {
        let payload = self.call(tool, arguments).await?;
        if payload["ok"] != json!(true) {
            bail!("{tool} failed: {payload}");
        }
        fits_schema(tool, &payload)?;
        Ok(payload)
    }

    /// Hands in a script for the provider; answers with the operation's id.
    /// Writes nothing that other tasks write, so that they run beside each other.
    pub async fn submit(&self, message: &str, request: &str) -> anyhow::Result<String> {
        let arguments = json!({"operation_type": "start_chat", "project_id": self.project, "message": message, "client_request_id": request, "sandbox": "workspace-write", "resource_keys": [request]});
        Ok(id_of(&self.ok("codex_submit_task", arguments).await?))
    }

    pub async fn status(&self, operation: &str) -> anyhow::Result<Value> {
        self.ok("codex_get_operation_status", json!({"operation_id": operation})).await
    }

    /// Until all have ended, over daemons that come and go.
    pub async fn ended(&self, operations: &[String], limit: Duration) -> anyhow::Result<()> {
        let until = tokio::time::Instant::now() + limit;
        loop {
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            if left.is_zero() {
                bail!(
                    "not all ended within {limit:?}: {}",
                    self.call("codex_get_queue_status", json!({"limit": 5})).await?["runningOperations"]
                );
            }
            let wait = json!({"operation_ids": operations, "mode": "all", "max_seconds": left.as_secs().clamp(1, 20)});
            let answer = self.call("codex_wait", wait).await?;
            if answer["allEnded"] == json!(true) {
                return Ok(());
            }
            if answer["operations"].as_array().is_some_and(|all| all.iter().any(|one| one["pendingInteractions"] != json!(0))) {
                bail!("an operation waits for an answer: {answer}");
            }
        }
    }

    /// Until the status of the operation is `wanted`.
    pub async fn reaches(&self, operation: &str, wanted: &str, limit: Duration) -> anyhow::Result<Value> {
        let until = tokio::time::Instant::now() + limit;
        let mut cursor = Value::Null;
        loop {
            let status = self.status(operation).await?;
            if status["status"] == wanted {
                return Ok(status);
            }
            if tokio::time::Instant::now() > until || status["completedAt"] != Value::Null {
                bail!("waited for {wanted}, got {status}");
            }
            let wait = json!({"operation_ids": [operation], "after_cursor": if cursor.is_null() { status["cursor"].clone() } else { cursor }, "max_seconds": 2});
            cursor = self.ok("codex_wait", wait).await?["cursor"].clone();
        }
    }
}

/// What a tool answers is what it announces: clients check it and drop what does not fit.
fn fits_schema(tool: &str, payload: &Value) -> anyhow::Result<()> {
    let tools = daemon::tools::catalogue()["tools"].as_array();
    let entry = tools.into_iter().flatten().find(|one| one["name"] == tool).context("no such tool")?;
    jsonschema::validate(&entry["outputSchema"], payload)
        .map_err(|error| anyhow::anyhow!("{tool} does not keep its schema at {}: {error}", error.instance_path()))
}

pub fn id_of(payload: &Value) -> String {
    payload["operationId"].as_str().unwrap_or_default().to_owned()
}
