//! The codex app-server: whether it runs, which one, and what it works on.

use crate::{
    appserver::{find_codex, process},
    config,
    store::tables::{
        app_server::{self, Address},
        events, interactions, turns,
    },
    tools::{
        Access, Contract, Cx, Standing, Tool, ToolError,
        views::{
            turn::{self, ProgressView},
            when,
        },
    },
};
use common::{
    agent_safe,
    ids::*,
    safe::{PathRef, Redactor, SafeText},
};
use domain::supervise::Server;
use serde::Deserialize;

pub struct AppServerStatus;

#[derive(Deserialize)]
pub struct Input {
    include_recent_events: bool,
}

agent_safe! {
    pub struct Output {
        pub running: bool,
        pub started: bool,
        pub state: &'static str,
        pub pid: Option<u32>,
        pub started_at: Option<SafeText>,
        pub process_generation: Generation,
        pub codex_version: Option<SafeText>,
        /// How it is linked: on `stdio` turns end with the daemon.
        pub link: Option<&'static str>,
        pub active_turns: Vec<ActiveTurn>,
        pub active_turn_count: usize,
        pub pending_interactions: usize,
        pub last_error: Option<SafeText>,
        pub codex_binary_path: Option<PathRef>,
        pub codex_binary_exists: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub recent_events: Option<Vec<ProgressView>>,
    }

    pub struct ActiveTurn { pub turn_id: TurnId, pub thread_id: ThreadId, pub operation_id: OperationId, pub started_at: SafeText, pub stalled: bool }
}

impl Tool for AppServerStatus {
    const NAME: &'static str = "codex_get_app_server_status";
    const ABOUT: &'static str = "Whether the codex app-server runs, its version, what it works on and why it may be down. It is started when work needs it. Reads only.";
    const ACCESS: Access = Access::Read;
    const CONTRACT: Contract = Contract {
        group: "compatibility",
        role: "poll_status",
        next_tools: &["codex_get_queue_status", "codex_health_summary"],
        bare: true,
    };
    const INPUT: &'static str = include_str!("app_server_status.input.json");
    type Input = Input;
    type Output = Output;

    async fn call(cx: &Cx, input: Input) -> Result<Output, ToolError> {
        // Events show commands and summaries: content, and so not for callers below the app-server.
        let with_events = input.include_recent_events && cx.caller.standing == Standing::User;
        let read = cx.reader.read(move |tx| {
            let head = events::head(tx)?;
            let from = Cursor(head.0.saturating_sub(20));
            let recent = if with_events { Some(events::between(tx, from, Cursor(i64::MAX), None, &[], 20)?) } else { None };
            Ok((app_server::get(tx)?, turns::running(tx)?, interactions::open(tx, None)?, recent))
        });
        let (row, turns, open, recent) = read.await?;
        let found = find_codex(cx.config.codex_binary.as_deref(), config::variable("PATH").as_deref());
        let running = matches!(row.state, Server::Ready { .. });
        let active_turns: Vec<_> = turns
            .iter()
            .map(|turn| ActiveTurn {
                turn_id: turn.id.clone(),
                thread_id: turn.thread.clone(),
                operation_id: turn.operation.clone(),
                started_at: when(turn.started),
                stalled: turn.stalled.is_some(),
            })
            .collect();
        Ok(Output {
            running,
            started: row.generation.0 > 0,
            state: row.state.word(),
            pid: row.process.as_ref().filter(|process| process::is_alive(process)).map(|process| process.pid),
            started_at: match &row.state {
                Server::Ready { since, .. } => Some(when(*since)),
                Server::Stopped | Server::Starting { .. } | Server::BackingOff { .. } => None,
            },
            process_generation: row.generation,
            codex_version: cx.inventory.version().map(|version| Redactor.text(&version)),
            link: row.process.as_ref().map(|process| match process.address {
                Address::Socket(_) => "socket",
                Address::Loopback { .. } => "loopback",
                Address::Stdio => "stdio",
            }),
            active_turn_count: active_turns.len(),
            active_turns,
            pending_interactions: open.iter().filter(|one| one.state.is_pending()).count(),
            last_error: row.state.why().cloned(),
            codex_binary_exists: found.is_ok(),
            codex_binary_path: found.ok().map(|found| cx.policy.shown(&found.binary)),
            recent_events: recent.map(|events| events.iter().map(|event| turn::progress(event, 400)).collect()),
        })
    }
}
