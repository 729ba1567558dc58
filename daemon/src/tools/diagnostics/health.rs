//! Whether all is well, in one answer: what is broken, what waits, what to do first. A fresh install is healthy, and
//! an app-server that nobody needed yet is no fault (BEHAVIOUR 26.24).

use crate::{
    appserver::{Found, NotFound, find_codex},
    config, descriptors,
    store::tables::{app_server, events, interactions, operations, turns},
    tools::{Access, Contract, Cx, TOOLS, Tool, ToolError, catalogue, views::when},
};
use common::{
    agent_safe, codex,
    ids::*,
    safe::{Redactor, SafeText},
};
use domain::supervise::{self, Server};
use serde::Deserialize;

pub struct HealthSummary;

#[derive(Deserialize)]
pub struct Input {}

agent_safe! {
    pub struct Output {
        pub generated_at: SafeText,
        pub version: Version,
        pub overall_status: &'static str,
        pub checks: Vec<Check>,
        pub app_server: AppServer,
        pub active_work: ActiveWork,
        pub stall_supervisor: StallSupervisor,
        pub notes: Vec<SafeText>,
        pub recommended_actions: Vec<SafeText>,
        pub next_recommended_action: &'static str,
        pub recommended_poll_after_seconds: u32,
        pub poll_recommended: bool,
        pub cursor: Cursor,
    }

    pub struct Version {
        pub server_name: &'static str,
        pub server_version: &'static str,
        pub contract_version: &'static str,
        pub tool_surface_hash: SafeText,
        pub guide_version: &'static str,
        pub guide_hash: SafeText,
        pub stable_tools: Vec<&'static str>,
        pub compatibility_tools: Vec<&'static str>,
        pub stable_tool_count: usize,
        pub compatibility_tool_count: usize,
    }

    pub struct Check { pub name: &'static str, pub status: &'static str, pub message: SafeText }

    pub struct AppServer { pub running: bool, pub state: &'static str, pub process_generation: Generation, pub codex_version: Option<SafeText>, pub codex_binary_exists: bool }

    pub struct ActiveWork { pub active_turn_count: usize, pub live_operation_count: i64, pub pending_interaction_count: usize, pub active_turns: Vec<TurnId> }

    pub struct StallSupervisor { pub enabled: bool, pub mode: &'static str, pub timeout_seconds: i64, pub stalled_turn_count: usize, pub stalled_turns: Vec<TurnId>, pub automatic_interrupt_enabled: bool }
}

impl Tool for HealthSummary {
    const NAME: &'static str = "codex_health_summary";
    const ABOUT: &'static str =
        "Whether everything needed is there and well: codex, allowed folders, state, active and stalled work. Call it first. Reads only.";
    const ACCESS: Access = Access::Read;
    const CONTRACT: Contract =
        Contract { group: "stable", role: "read_only", next_tools: &["codex_list_projects", "codex_submit_task"], bare: true };
    const INPUT: &'static str = include_str!("health.input.json");
    type Input = Input;
    type Output = Output;

    async fn call(cx: &Cx, _: Input) -> Result<Output, ToolError> {
        let read = cx.reader.read(|tx| {
            Ok((app_server::get(tx)?, turns::running(tx)?, interactions::open(tx, None)?, operations::live_count(tx)?, events::head(tx)?))
        });
        let (server, turns, open, live, cursor) = read.await?;
        let found = find_codex(cx.config.codex_binary.as_deref(), config::variable("PATH").as_deref());
        let installed = match &found {
            Ok(found) => cx.inventory.installed(found).await,
            Err(_) => None,
        };
        let pending = open.iter().filter(|one| one.state.is_pending()).count();
        let stalled: Vec<_> = turns.iter().filter(|turn| turn.stalled.is_some()).map(|turn| turn.id.clone()).collect();
        let checks = checks(cx, &server.state, of_codex(found.as_ref(), installed.as_deref()), stalled.len());
        let worst = |status| checks.iter().any(|check| check.status == status);
        let next = if pending > 0 {
            "answer_pending_interaction"
        } else if worst("error") || worst("warning") {
            "inspect_diagnostics"
        } else {
            "none"
        };
        Ok(Output {
            generated_at: when(cx.engine.clock.now()),
            version: version(),
            overall_status: if worst("error") {
                "broken"
            } else if worst("warning") {
                "degraded"
            } else {
                "healthy"
            },
            recommended_actions: checks.iter().filter(|check| check.status != "ok").map(|check| check.message.clone()).collect(),
            checks,
            app_server: AppServer {
                running: matches!(server.state, Server::Ready { .. }),
                state: server.state.word(),
                process_generation: server.generation,
                codex_version: cx.inventory.version().or(installed.clone()).map(|version| Redactor.text(&version)),
                codex_binary_exists: found.is_ok(),
            },
            active_work: ActiveWork {
                active_turn_count: turns.len(),
                live_operation_count: live,
                pending_interaction_count: pending,
                active_turns: turns.iter().map(|turn| turn.id.clone()).collect(),
            },
            stall_supervisor: StallSupervisor {
                enabled: true,
                mode: if cx.config.silence_interrupts { "interrupt" } else { "diagnose_only" },
                timeout_seconds: cx.config.silence_max.0 / 1000,
                stalled_turn_count: stalled.len(),
                stalled_turns: stalled,
                automatic_interrupt_enabled: cx.config.silence_interrupts,
            },
            notes: notes(cx, installed.as_deref()),
            next_recommended_action: next,
            recommended_poll_after_seconds: if next == "none" { 0 } else { 15 },
            poll_recommended: next != "none",
            cursor,
        })
    }
}

/// One that is not there, or that nothing could be done with.
fn of_codex(found: Result<&Found, &NotFound>, version: Option<&str>) -> Check {
    let standing = version.and_then(codex::numbers).map(codex::standing);
    match (found, standing, version) {
        (Err(why), _, _) => Check { name: "codex_binary", status: "error", message: Redactor.text(&why.to_string()) },
        (Ok(_), Some(codex::Standing::TooOld), Some(version)) => {
            Check { name: "codex_binary", status: "error", message: Redactor.text(&codex::too_old(version)) }
        }
        (Ok(_), _, _) => Check { name: "codex_binary", status: "ok", message: SafeText::fixed("codex is there") },
    }
}

fn checks(cx: &Cx, server: &Server, of_codex: Check, stalled: usize) -> Vec<Check> {
    let ok = |name, message: &str| Check { name, status: "ok", message: Redactor.text(message) };
    vec![
        of_codex,
        match cx.policy.roots().is_empty() {
            false => ok("allowed_roots", "at least one folder is allowed"),
            true => Check { name: "allowed_roots", status: "warning", message: crate::projects::Denied::NoRoots.sentence() },
        },
        match cx.policy.roots_around_us().first() {
            None => ok("own_folder", "no allowed folder contains the control plane's own"),
            Some(root) => Check {
                name: "own_folder",
                status: "warning",
                message: Redactor.text(&format!(
                    "the allowed folder {} contains the control plane's own home; it is hidden from every sandboxed turn, but allow \
                     the folders of your projects one by one instead",
                    crate::projects::name_of(root)
                )),
            },
        },
        match cx.engine.trouble.why() {
            None => ok("state_db", "the state database answers"),
            Some(why) => Check { name: "state_db", status: "error", message: Redactor.text(&why) },
        },
        match descriptors::too_few() {
            None => ok("open_files", "enough may be open at once"),
            Some(why) => Check { name: "open_files", status: "warning", message: Redactor.text(&why) },
        },
        match server {
            Server::Stopped => ok("app_server", "not running; it is started when work needs it"),
            Server::Starting { why: None, .. } => ok("app_server", "starting"),
            Server::Starting { why: Some(why), .. } => {
                Check { name: "app_server", status: "warning", message: Redactor.text(&format!("{why}. It is being started again")) }
            }
            Server::Ready { .. } => ok("app_server", "running"),
            Server::BackingOff { why, failures, .. } if *failures < supervise::FAILURES_MANY => Check {
                name: "app_server",
                status: "warning",
                message: Redactor.text(&format!("{why}. It is started again by itself; what was accepted waits")),
            },
            Server::BackingOff { why, failures, .. } => Check {
                name: "app_server",
                status: "error",
                message: Redactor.text(&format!(
                    "{why}. It failed {failures} times in a row and is tried again every minute; find out what ends it or keeps it \
                     from starting; what was accepted waits"
                )),
            },
        },
        match stalled {
            0 => ok("stalled_turns", "no turn is silent for too long"),
            count => Check {
                name: "stalled_turns",
                status: "warning",
                message: Redactor
                    .text(&format!("{count} running turns gave no sign of life for too long; look at them, or interrupt them")),
            },
        },
    ]
}

fn notes(cx: &Cx, installed: Option<&str>) -> Vec<SafeText> {
    let mut notes = Vec::new();
    if let Some(version) = installed.filter(|version| codex::numbers(version).map(codex::standing) == Some(codex::Standing::Newer)) {
        let newest = codex::words(codex::NEWEST);
        notes.push(Redactor.text(&format!(
            "codex {version} is newer than the newest that this version was tried with ({newest}); it is used all the same"
        )));
    }
    if cx.caller.environment.as_deref().is_some_and(|theirs| theirs != cx.config.environment_digest) {
        notes.push(SafeText::fixed("this client was started with other CODEX_* variables than the daemon; the daemon's count (`codexcp config`), restart it to change them"));
    }
    if cx.config.link == config::LinkKind::Stdio {
        notes.push(SafeText::fixed(
            "the app-server is linked by stdio: turns end with the daemon; set app_server.link to auto to keep them",
        ));
    }
    notes
}

fn version() -> Version {
    let group = |wanted: &str| TOOLS.iter().filter(|tool| tool.contract.group == wanted).map(|tool| tool.name).collect::<Vec<_>>();
    let (stable, compatibility) = (group("stable"), group("compatibility"));
    let guide = &catalogue()["codexMcpGuide"];
    let hash = |key: &str| Redactor.text(guide[key].as_str().unwrap_or_default());
    Version {
        server_name: "codex-control-plane-mcp",
        server_version: env!("CARGO_PKG_VERSION"),
        contract_version: "1",
        tool_surface_hash: hash("toolSurfaceHash"),
        guide_version: "codex-mcp-agent-guide/v1",
        guide_hash: hash("guideHash"),
        stable_tool_count: stable.len(),
        compatibility_tool_count: compatibility.len(),
        stable_tools: stable,
        compatibility_tools: compatibility,
    }
}
