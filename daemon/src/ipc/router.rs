//! The routes of the endpoint (ARCHITECTURE 14). Each hands over at once; no route decides anything.

use super::{
    admin, bodies, follow,
    listener::{Accept, Listening},
    peer::Peer,
};
use crate::{
    appserver::Inventory,
    config::Config,
    engine::Engine,
    mcp,
    projects::Policy,
    store::Reader,
    tools::{self, Caller, Cx, Standing, ToolError},
};
use axum::{
    Extension, Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Request, State, rejection::BytesRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use common::{error::ErrorCode, place::Place, wire};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// Our own programs send a request at once.
const HEAD_WAIT_MAX: Duration = Duration::from_secs(10);

/// Everything the routes hand on to.
#[derive(Clone)]
pub struct Door {
    pub engine: Engine,
    pub reader: Reader,
    pub inventory: Inventory,
    pub policy: Policy,
    pub config: Arc<Config>,
    pub place: Place,
    /// Set to stop the daemon; the text says how.
    pub stop: watch::Sender<Option<Stop>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// An idle app-server ends too, a busy one is left running.
    Daemon,
    /// The app-server is drained and ends too.
    All,
}

/// Serves until told to stop.
pub async fn serve(listening: Listening, door: Door) {
    let (mut stopping, head) = (door.stop.subscribe(), door.engine.head());
    let app = Router::new()
        .route("/v1/mcp", get(upgrade))
        .route("/v1/tools", get(list))
        .route("/v1/tools/{name}", post(call))
        .route("/v1/events", get(follow::events))
        .route("/v1/follow/{operation}", get(follow::follow))
        .route("/v1/health", get(health))
        .route("/v1/admin/{what}", post(admin::admin))
        .layer(DefaultBodyLimit::max(wire::BODY_BYTES_MAX))
        .layer(middleware::from_fn(bodies::whole))
        .layer(middleware::from_fn(guard))
        .with_state(door);
    tokio::select! {
        () = accept_all(Accept::new(listening, head), &app) => {}
        _ = stopping.wait_for(Option::is_some) => {}
    }
}

/// Each connection has a limit on the time from its start, and from the end of each answer, to the end of a request's head:
/// one that says nothing is closed.
async fn accept_all(mut accept: Accept, app: &Router) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WAIT_MAX);
    loop {
        let (stream, peer) = accept.next().await;
        let service = TowerToHyperService::new(app.clone().layer(Extension(peer)));
        let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
}

/// Version both ways, and nothing but MCP for what runs below our app-server.
async fn guard(Extension(peer): Extension<Peer>, mut request: Request, next: Next) -> Response {
    let theirs = request.headers().get(wire::VERSION_HEADER).and_then(|value| value.to_str().ok()).unwrap_or(wire::WIRE_VERSION);
    let mut response = if theirs != wire::WIRE_VERSION {
        let message = format!("the caller speaks wire version {theirs}, the daemon {}; restart the older of the two", wire::WIRE_VERSION);
        refuse(&ToolError::new(ErrorCode::Refused, &message))
    } else if peer.standing == Standing::BelowAppServer && request.uri().path() != "/v1/mcp" {
        refuse(&ToolError::new(ErrorCode::Refused, "work that codex runs may not use the control plane; ask from outside"))
    } else {
        request.extensions_mut().insert(peer.standing);
        next.run(request).await
    };
    response.headers_mut().insert(wire::VERSION_HEADER, HeaderValue::from_static(wire::WIRE_VERSION));
    response
}

pub(super) fn refuse(error: &ToolError) -> Response {
    let status = StatusCode::from_u16(error.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(error.payload())).into_response()
}

pub(super) fn too_many_values() -> ToolError {
    ToolError::invalid(&format!("the body has more than {} values; send fewer, long text may stay as it is", wire::VALUES_MAX))
}

impl Door {
    pub(super) fn cx(&self, headers: &HeaderMap, standing: Standing) -> Cx {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty()).map(str::to_owned);
        Cx {
            engine: self.engine.clone(),
            reader: self.reader.clone(),
            inventory: self.inventory.clone(),
            policy: self.policy.clone(),
            config: self.config.clone(),
            caller: Caller {
                program: text(wire::PROGRAM_HEADER).unwrap_or_else(|| "http".to_owned()),
                connection: text(wire::INSTANCE_HEADER).unwrap_or_default(),
                call: None,
                thread: None,
                standing,
                environment: text(wire::ENVIRONMENT_HEADER),
            },
        }
    }
}

async fn upgrade(State(door): State<Door>, headers: HeaderMap, mut request: Request) -> Response {
    let asked = headers.get(header::UPGRADE).is_some_and(|value| value == wire::MCP_UPGRADE);
    let standing = request.extensions().get::<Standing>().copied().unwrap_or(Standing::BelowAppServer);
    if !asked {
        return refuse(&ToolError::invalid(&format!("this route is for connections that upgrade to {}", wire::MCP_UPGRADE)));
    }
    let mut cx = door.cx(&headers, standing);
    if cx.caller.connection.is_empty() {
        cx.caller.connection = uuid::Uuid::now_v7().simple().to_string();
    }
    let upgrading = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        match upgrading.await {
            Ok(stream) => mcp::serve(TokioIo::new(stream), cx).await,
            Err(error) => tracing::warn!(%error, "a connection did not become one for MCP"),
        }
    });
    let headers = [(header::CONNECTION, "upgrade"), (header::UPGRADE, wire::MCP_UPGRADE)];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

async fn list() -> Json<&'static Value> {
    Json(tools::catalogue())
}

async fn call(State(door): State<Door>, Path(name): Path<String>, headers: HeaderMap, body: Result<Bytes, BytesRejection>) -> Response {
    let Ok(body) = body else {
        let message = format!("the body is longer than {} bytes; put long text into a file of the project", wire::BODY_BYTES_MAX);
        return refuse(&ToolError::invalid(&message));
    };
    if wire::has_too_many_values(&body) {
        return refuse(&too_many_values());
    }
    let arguments = if body.is_empty() { Ok(json!({})) } else { serde_json::from_slice(&body) };
    let answer = match arguments {
        Ok(arguments) => tools::call(door.cx(&headers, Standing::User), &name, arguments).await,
        Err(error) => Err(ToolError::invalid(&format!("the body is not JSON: {error}"))),
    };
    match answer {
        Ok(payload) => Json(payload).into_response(),
        Err(error) => refuse(&error),
    }
}

async fn health(State(door): State<Door>) -> Json<wire::Health> {
    let head = door.engine.head().borrow().cursor;
    Json(wire::Health {
        program: "codexcp-daemon".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        head: head.0,
    })
}
