//! The service behind one MCP connection. Tools are listed and called through the lower layer, because the contract's
//! extra keys do not fit the typed lists (ARCHITECTURE 21.4); everything else is the library's.

use super::transport::LineTransport;
use crate::tools::{self, Cx, Standing};
use common::{ids::ThreadId, safe::Redactor, wire};
use rmcp::{
    ServerHandler,
    model::{
        ClientNotification, ClientRequest, CustomRequest, CustomResult, ErrorCode, ErrorData, Implementation, InitializeRequestParams,
        InitializeResult, ProgressNotificationParam, ProtocolVersion, RequestMetaObject, ServerCapabilities, ServerConfig, ServerResult,
    },
    service::{NotificationContext, RequestContext, RoleServer, Service, serve_directly},
};
use serde_json::{Value, json};
use std::{borrow::Cow, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};

/// Arguments that a client shows its model with every tool and hands on although they are its own business. Gemini CLI
/// 0.61: whether to run the calls of one answer one after the other.
const ARGUMENTS_OF_CLIENTS: &[&str] = &["wait_for_previous"];
const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// At least this often on a waiting call that asked for progress (STACK 4).
const HEARTBEAT: Duration = Duration::from_secs(10);
/// At most one progress notification in this time.
const PROGRESS_PAUSE: Duration = Duration::from_secs(1);

const INSTRUCTIONS: &str = "Durable tasks for OpenAI Codex. Submit with codex_submit_task (give a client_request_id of your own: the same call \
again never runs twice), then codex_wait until it ends, then read finalReport in codex_get_operation_status. Accepted work goes on whatever \
happens to this connection. When codex_wait reports pendingInteractions, list them with codex_list_pending_interactions, let a person decide and answer with \
codex_answer_pending_interaction. codex_health_summary says what is wrong; codex_list_projects names the projects. A time-out of codex_wait is no error: call it again with its cursor.";

/// Serves one connection until the client ends it.
pub async fn serve<S: AsyncRead + AsyncWrite + Send + 'static>(stream: S, cx: Cx) {
    let (read, write) = tokio::io::split(stream);
    // Code that the model runs has nothing long to say.
    let long_lines = cx.caller.standing == Standing::User;
    let running = serve_directly(Mcp { cx, rest: Rest }, LineTransport::new(read, write, long_lines), None);
    if let Err(error) = running.waiting().await {
        tracing::warn!(%error, "an MCP connection ended badly");
    }
}

struct Mcp {
    cx: Cx,
    rest: Rest,
}

impl Service<RoleServer> for Mcp {
    async fn handle_request(&self, request: ClientRequest, context: RequestContext<RoleServer>) -> Result<ServerResult, ErrorData> {
        match request {
            ClientRequest::CustomRequest(request) if request.method == "tools/list" => list(is_modern(&context.meta)?),
            ClientRequest::CustomRequest(request) if request.method == "tools/call" => {
                let modern = is_modern(&context.meta)?;
                let mut params = request.params.unwrap_or_default();
                let name = params["name"].as_str().map(str::trim).filter(|name| !name.is_empty());
                let name =
                    name.ok_or_else(|| ErrorData::invalid_params("params.name must be a non-empty string", Some(json!({}))))?.to_owned();
                let given = params.get_mut("arguments").map(Value::take).filter(|given| !given.is_null());
                let mut arguments = given.unwrap_or_else(|| json!({}));
                if let Some(given) = arguments.as_object_mut() {
                    given.retain(|name, _| !ARGUMENTS_OF_CLIENTS.contains(&name.as_str()));
                }
                // The library only drops the answer of a cancelled call; dropping the wait is ours. The work stays.
                tokio::select! {
                    payload = self.call(&name, arguments, &context) => Ok(raw(envelope(payload), modern)),
                    () = context.ct.cancelled() => Err(ErrorData::internal_error("cancelled", None)),
                }
            }
            // The library answers these with empty lists although we do not declare them.
            ClientRequest::ListResourcesRequest(_)
            | ClientRequest::ListResourceTemplatesRequest(_)
            | ClientRequest::ListPromptsRequest(_)
            | ClientRequest::CompleteRequest(_) => Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, "Method not found", Some(json!({})))),
            other => Service::<RoleServer>::handle_request(&self.rest, other, context).await.map_err(one_wording),
        }
    }

    async fn handle_notification(
        &self,
        notification: ClientNotification,
        context: NotificationContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Service::<RoleServer>::handle_notification(&self.rest, notification, context).await
    }

    fn get_info(&self) -> ServerConfig {
        ServerHandler::get_info(&self.rest)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        ServerHandler::supported_protocol_versions(&self.rest)
    }
}

impl Mcp {
    async fn call(&self, name: &str, arguments: Value, context: &RequestContext<RoleServer>) -> Value {
        let mut cx = self.cx.clone();
        // `1` and `"1"` are two ids, so the JSON form is the key.
        let id = context.id.clone().into_json_value();
        // An id that is used again is another call; only the shim sends the same one twice (FAULTS A17).
        let reused = context.meta.get(wire::REUSED_META).and_then(Value::as_u64);
        cx.caller.call = Some(reused.map_or_else(|| id.to_string(), |used| format!("{id}#{used}")));
        cx.caller.thread = context.meta.get("threadId").and_then(Value::as_str).map(ThreadId::new);
        let mut head = cx.engine.head();
        let call = tools::call(cx, name, arguments);
        tokio::pin!(call);
        let token = context.meta.get_progress_token();
        let mut steps = 0.0;
        let mut last = Instant::now();
        let mut due = last + HEARTBEAT;
        loop {
            tokio::select! {
                answer = &mut call => return answer.unwrap_or_else(|error| error.payload()),
                changed = head.changed(), if token.is_some() => match changed {
                    Ok(()) => due = due.min(last + PROGRESS_PAUSE),
                    // The daemon is stopping; the call says so itself.
                    Err(_) => break,
                },
                () = tokio::time::sleep_until(due), if token.is_some() => {
                    steps += 1.0;
                    last = Instant::now();
                    due = last + HEARTBEAT;
                    if let Some(token) = &token {
                        let note = ProgressNotificationParam::new(token.clone(), steps).with_message("still waiting");
                        // A client that does not read its progress must not hold up its answer.
                        drop(tokio::time::timeout(PROGRESS_PAUSE, context.peer.notify_progress(note)).await);
                    }
                }
            }
        }
        call.await.unwrap_or_else(|error| error.payload())
    }
}

/// The library names the method only; callers get the same sentence for every method that we do not have.
fn one_wording(error: ErrorData) -> ErrorData {
    if error.code == ErrorCode::METHOD_NOT_FOUND && !error.message.starts_with("Method not found") {
        return ErrorData::new(error.code, format!("Method not found: {}", error.message), Some(json!({})));
    }
    error
}

fn list(modern: bool) -> Result<ServerResult, ErrorData> {
    let mut result = tools::catalogue().clone();
    if modern {
        result["ttlMs"] = json!(0);
        result["cacheScope"] = json!("private");
    }
    Ok(raw(result, modern))
}

/// The text is the same payload as compact JSON (ARCHITECTURE 21.3).
fn envelope(payload: Value) -> Value {
    let failed = payload["ok"] != json!(true);
    let text = serde_json::to_string(&payload).unwrap_or_default();
    // The macro would copy both, value by value.
    object([
        ("isError", failed.into()),
        ("content", vec![object([("type", "text".into()), ("text", text.into())])].into()),
        ("structuredContent", payload),
    ])
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<serde_json::Map<_, _>>().into()
}

/// Nothing is added to a custom result by the library; modern clients refuse one without `resultType` (STACK 3).
fn raw(mut result: Value, modern: bool) -> ServerResult {
    if modern {
        result["resultType"] = json!("complete");
    }
    ServerResult::CustomResult(CustomResult::new(result))
}

/// From the request alone: a connection may carry both eras, and requests run side by side.
fn is_modern(meta: &RequestMetaObject) -> Result<bool, ErrorData> {
    let Some(version) = meta.protocol_version() else {
        return match meta.contains_key(META_VERSION) {
            true => Err(ErrorData::invalid_params(format!("malformed _meta: {META_VERSION}"), None)),
            false => Ok(false),
        };
    };
    if !ProtocolVersion::KNOWN_VERSIONS.contains(&version) {
        return Err(ErrorData::unsupported_protocol_version(version, ProtocolVersion::KNOWN_VERSIONS));
    }
    let missing = meta.missing_required_keys(&version);
    if !missing.is_empty() {
        return Err(ErrorData::invalid_params(format!("request _meta lacks: {}", missing.join(", ")), None));
    }
    Ok(!version.has_initialize())
}

/// What the library does well: initialize, server/discover, ping.
#[derive(Clone)]
struct Rest;

impl ServerHandler for Rest {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("codex-control-plane-mcp", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        let answer = self.negotiate_initialize(&request)?;
        // The library's default would keep the version that was asked for, not the one agreed on.
        context.peer.set_peer_info(request.with_protocol_version(answer.protocol_version.clone()));
        Ok(answer)
    }

    async fn on_custom_request(&self, request: CustomRequest, _: RequestContext<RoleServer>) -> Result<CustomResult, ErrorData> {
        let method = Redactor.text(&request.method).truncated(200).0;
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, format!("Method not found: {method}"), Some(json!({}))))
    }
}

#[cfg(test)]
mod tests {
    use super::{ARGUMENTS_OF_CLIENTS, INSTRUCTIONS};

    #[test]
    fn the_instructions_fit_where_clients_cut_them() {
        assert!(INSTRUCTIONS.len() <= 2048);
    }

    #[test]
    fn no_tool_of_ours_has_an_argument_that_is_dropped() {
        for tool in crate::tools::catalogue()["tools"].as_array().unwrap() {
            let ours = &tool["inputSchema"]["properties"];
            assert!(ARGUMENTS_OF_CLIENTS.iter().all(|name| ours.get(name).is_none()), "{}", tool["name"]);
        }
    }
}
