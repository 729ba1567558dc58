//! A new app-server in place of the one that runs: when it has nothing to do, when it has finished what it does, or at
//! once. Work that it interrupts ends truly, as after any crash; queued work waits for the new one.

use crate::{
    appserver::Restart,
    store::tables::{
        app_server,
        app_server::{Address, AppServerRow},
        interactions, schedule,
    },
    tools::{Access, Contract, Cx, Tool, ToolError},
};
use common::{agent_safe, error::ErrorCode, ids::Generation};
use domain::supervise::Server;
use serde::Deserialize;
use std::time::Duration;

pub struct RestartAppServer;

#[derive(Deserialize)]
pub struct Input {
    start_after_restart: bool,
    timeout_seconds: Option<u64>,
    force: bool,
    mode: Option<Mode>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Idle,
    Drain,
    Force,
}

agent_safe! {
    pub struct Output {
        /// The old process is gone.
        pub restarted: bool,
        /// A new one is there.
        pub started: bool,
        pub mode: &'static str,
        pub before_pid: Option<u32>,
        pub after_pid: Option<u32>,
        pub before_process_generation: Generation,
        pub process_generation: Generation,
        pub active_work: ActiveWork,
        pub next_recommended_action: &'static str,
    }

    pub struct ActiveWork { pub active_turns: usize, pub pending_interactions: usize }
}

impl Tool for RestartAppServer {
    const NAME: &'static str = "codex_restart_app_server";
    const ABOUT: &'static str = "Restart the codex app-server: mode idle (the usual one; refused while it works), drain (finishes its turns \
        first), or force (ends them: they are reported as interrupted and not sent again). Queued work waits for the new one.";
    const ACCESS: Access = Access::Control;
    const CONTRACT: Contract = Contract {
        group: "compatibility",
        role: "lifecycle",
        next_tools: &["codex_get_app_server_status", "codex_health_summary"],
        bare: false,
    };
    const INPUT: &'static str = include_str!("restart.input.json");
    type Input = Input;
    type Output = Output;

    async fn call(cx: &Cx, input: Input) -> Result<Output, ToolError> {
        /// No call answers later than 45 s (ARCHITECTURE 21.8).
        const WAIT_MAX: Duration = Duration::from_secs(40);
        let mode = input.mode.unwrap_or(if input.force { Mode::Force } else { Mode::Idle });
        let mut head = cx.engine.head();
        let (before, work) = look(cx).await?;
        if mode == Mode::Idle && (work.active_turns > 0 || work.pending_interactions > 0) {
            let message = "could not restart the app-server: it is at work; wait, or say mode drain or force";
            return Err(ToolError::new(ErrorCode::Busy, message)
                .with("activeTurns", work.active_turns)
                .with("pendingInteractions", work.pending_interactions));
        }
        let on_pipes = before.process.as_ref().is_some_and(|process| process.address == Address::Stdio);
        if mode == Mode::Drain && work.active_turns > 0 && (cfg!(windows) || on_pipes) {
            let message = "could not drain the app-server: on this link it would end its turns; wait until it is idle, or say mode force";
            return Err(ToolError::new(ErrorCode::Busy, message).with("activeTurns", work.active_turns));
        }
        let ready = before.process.is_some() && matches!(before.state, Server::Ready { .. });
        // One that does not come up is ended too.
        let running = ready || (mode == Mode::Force && matches!(before.state, Server::Starting { .. }));
        if running {
            cx.inventory.restart(before.generation, if mode == Mode::Force { Restart::Force } else { Restart::Drain });
        }
        let deadline = tokio::time::Instant::now() + Duration::from_secs(input.timeout_seconds.unwrap_or(30)).min(WAIT_MAX);
        let gone = |row: &AppServerRow| {
            !running
                || row.generation != before.generation
                || !matches!((ready, &row.state), (true, Server::Ready { .. }) | (false, Server::Starting { .. }))
        };
        let mut now = before.clone();
        loop {
            head.borrow_and_update();
            now = if running { look(cx).await?.0 } else { now };
            if gone(&now) || !matches!(tokio::time::timeout_at(deadline, head.changed()).await, Ok(Ok(()))) {
                break;
            }
        }
        let restarted = running && gone(&now);
        if input.start_after_restart && gone(&now) {
            let up = tokio::time::timeout_at(deadline, cx.inventory.up()).await;
            tracing::debug!(up = up.unwrap_or(false), "asked for the next app-server");
            now = look(cx).await?.0;
        }
        let started = now.generation != before.generation && matches!(now.state, Server::Ready { .. });
        Ok(Output {
            restarted,
            started,
            mode: mode.word(),
            before_pid: before.process.map(|process| process.pid),
            after_pid: now.process.filter(|_| started).map(|process| process.pid),
            before_process_generation: before.generation,
            process_generation: now.generation,
            active_work: work,
            next_recommended_action: if started || !input.start_after_restart { "none" } else { "poll_app_server_status" },
        })
    }
}

impl Mode {
    fn word(self) -> &'static str {
        match self {
            Mode::Idle => "idle",
            Mode::Drain => "drain",
            Mode::Force => "force",
        }
    }
}

async fn look(cx: &Cx) -> Result<(AppServerRow, ActiveWork), ToolError> {
    let read = cx.reader.read(|tx| {
        let pending = interactions::open(tx, None)?.iter().filter(|one| one.state.is_pending()).count();
        Ok((app_server::get(tx)?, ActiveWork { active_turns: schedule::active_count(tx)?, pending_interactions: pending }))
    });
    Ok(read.await?)
}
