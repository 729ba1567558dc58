//! The one way into a tool: parse, span, deadline, panic guard, error mapping, serialising. The payload that comes out
//! is the same for MCP and for HTTP.

use super::{Access, Cx, Standing, ToolError, find, input};
use common::error::ErrorCode;
use futures_util::FutureExt;
use serde_json::{Value, json};
use std::{any::Any, panic::AssertUnwindSafe, time::Duration};
use tracing::Instrument;

/// No call answers later than this, whatever it asks (ARCHITECTURE 21.8); a wait ends before it.
const CALL_MAX: Duration = Duration::from_secs(55);

/// Always a payload with `ok`; an error is `{"ok": false, "error": {..}}`.
pub async fn call(cx: Cx, name: &str, arguments: Value) -> Result<Value, ToolError> {
    let tool = find(name).ok_or_else(|| ToolError::invalid(&format!("Unknown tool: {name}; tools/list has the names")))?;
    if cx.caller.standing == Standing::BelowAppServer && !(tool.access == Access::Read && tool.contract.bare) {
        let message = "could not do this from below codex: work that codex runs may not steer the control plane; ask from outside";
        return Err(ToolError::new(ErrorCode::Refused, message));
    }
    // A submit must know what exactly was given; no other tool does.
    let digest = (tool.access == Access::Submit).then(|| digest(name, &arguments));
    let mut arguments = input::checked(tool, arguments)?;
    if let Some(digest) = digest {
        arguments["request_digest"] = json!(digest);
    }
    let span = tracing::info_span!("call", tool = tool.name, program = cx.caller.program);
    let snake_case = cx.config.snake_case;
    let work = (tool.run)(cx, arguments).instrument(span);
    // A panic ends this call only.
    let guarded = AssertUnwindSafe(work).catch_unwind();
    let mut payload = match tokio::time::timeout(CALL_MAX, guarded).await {
        Ok(Ok(answer)) => answer?,
        Ok(Err(panic)) => return Err(ToolError::internal(&words(panic.as_ref()))),
        Err(_) => {
            return Err(ToolError::new(
                ErrorCode::Timeout,
                "the daemon did not finish the call in time; read the status before sending it again",
            ));
        }
    };
    payload["ok"] = json!(true);
    if payload.get("statusContract").is_none() {
        payload["statusContract"] = json!({"version": "status-v2", "surface": tool.name});
    }
    Ok(if snake_case { both_spellings(payload) } else { payload })
}

/// The arguments as given, before defaults (ARCHITECTURE 21.6): keys are sorted, so their order does not count.
fn digest(name: &str, arguments: &Value) -> String {
    blake3::hash(format!("{name}\n{arguments}").as_bytes()).to_hex().to_string()
}

/// The predecessor's second spelling of every key (ARCHITECTURE 21.3).
fn both_spellings(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut out = serde_json::Map::new();
            for (key, value) in map {
                let value = both_spellings(value);
                let snake = key.chars().fold(String::new(), |mut all, c| {
                    if c.is_ascii_uppercase() {
                        all.push('_');
                    }
                    all.push(c.to_ascii_lowercase());
                    all
                });
                if snake != key {
                    out.insert(snake, value.clone());
                }
                out.insert(key, value);
            }
            Value::Object(out)
        }
        Value::Array(all) => Value::Array(all.into_iter().map(both_spellings).collect()),
        plain => plain,
    }
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panicked: {}", said.unwrap_or_default())
}
