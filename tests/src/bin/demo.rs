//! `cargo demo`: one task through the real programs and the real codex, with the daemon killed in the middle.
//! Everything happens in a temporary folder and on loopback; nothing is left behind. `--live` uses your own login.

use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::{Duration, Instant},
};
use tests::{
    client::id_of,
    codex,
    home::{Home, Programs},
    mcp::Shim,
};

const TASK: &str = "SLOW 220 I looked at the shop, ran its tests, mended the one that failed, and here is the report that you waited for.";
const LIVE_TASK: &str = "Without running any command, write three short sentences about why durable work matters.";
const STEP_MAX: Duration = Duration::from_secs(40);

fn main() -> ExitCode {
    let live = std::env::args().any(|argument| argument == "--live");
    if std::env::args().skip(1).any(|argument| argument != "--live") {
        say("usage: cargo demo [--live]   (--live: the model of your own codex login instead of the scripted one)");
        return ExitCode::from(2);
    }
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(run(live)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("\nthe demo did not succeed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(live: bool) -> anyhow::Result<()> {
    heading("Codex Control Plane: work that survives");
    let programs = programs()?;
    let mut home = Home::new(programs).await?;
    if live {
        home.unset("CODEX_HOME");
    }
    step("the real codex", &shown(&home.programs.codex));
    step("the model", if live { "your own login" } else { "a scripted provider on loopback: no login, no network" });
    let began = Instant::now();

    heading("1  An MCP client starts the shim; the shim starts the daemon");
    let mut shim = Shim::connected(&home).await?;
    let daemon = pid(&home)?;
    step("daemon", &format!("pid {daemon}, asked through the shim (pid {})", shim.pid().unwrap_or_default()));

    heading("2  It hands in a task and has its answer at once");
    let task = json!({"operation_type": "start_chat", "project_id": home.project, "message": if live { LIVE_TASK } else { TASK }, "client_request_id": "demo-1"});
    let asked = Instant::now();
    let accepted = shim.tool("codex_submit_task", task.clone()).await?;
    let id = id_of(&accepted);
    if id.is_empty() {
        bail!("the task was not accepted: {accepted}");
    }
    step(
        "accepted",
        &format!("operation …{} is {} after {} ms, on disk and safe", &id[id.len() - 8..], accepted["status"], asked.elapsed().as_millis()),
    );
    running(&mut shim, &id).await?;
    step("running", "codex has the prompt and the model is answering");
    on_disk(&home);

    heading("3  kill -9 hits the daemon in the middle of the turn");
    let server = home.app_server().await.context("no app-server is recorded")?;
    let wait = json!({"name": "codex_wait", "arguments": {"operation_ids": [id], "mode": "all", "max_seconds": 40}});
    let waiting = shim.ask("tools/call", wait).await?;
    tests::home::end(daemon);
    step("killed", &format!("pid {daemon} is gone; the client was in the middle of a call"));
    let lives = daemon::appserver::process::is_alive(&server);
    step("codex app-server", if lives { "lives on beside it, and so does the turn" } else { "is gone too" });

    heading("4  The client notices nothing but a late answer");
    let done = shim.answer_to(waiting).await?;
    let again = pid(&home)?;
    step("daemon", &format!("pid {again}: started again by the shim, found the app-server (pid {}) and the turn", server.pid));
    step("codex_wait", &format!("{}", done["result"]["structuredContent"]["operations"][0]["status"]));
    finished(&mut shim, &id).await?;
    let status = shim.tool("codex_get_operation_status", json!({"operation_id": id})).await?;
    step("report", status["finalReport"]["text"].as_str().unwrap_or("none").trim());
    let repeated = shim.tool("codex_submit_task", task).await?;
    step("same call again", &format!("the same operation, idempotent {}", repeated["idempotent"]));
    if !live {
        step("the model's log", &format!("{} request for this prompt, ever", home.provider.requests().len()));
    }

    heading("5  What is on disk, step by step");
    events(&mut shim, &id).await?;
    on_disk(&home);

    shim.close().await?;
    stop(&home).await?;
    let folder = home.path().to_path_buf();
    let seconds = began.elapsed().as_secs_f32();
    drop(home);
    heading("Done");
    step("left behind", if folder.exists() { "a folder that could not be removed" } else { "nothing: no process, no file" });
    step("took", &format!("{seconds:.1} s"));
    say("\nNext:");
    say("  cargo build --release                       # codexcp, codexcp-daemon, codex-control-plane-mcp in target/release");
    say("  target/release/codexcp allow ~/proj         # which folders may be worked in");
    say("  target/release/codexcp run \"Fix the failing test\" --cwd ~/proj");
    say("  claude mcp add --scope user codex-control-plane -- \"$PWD/target/release/codex-control-plane-mcp\"");
    Ok(())
}

/// Builds the programs and takes them from beside this one.
fn programs() -> anyhow::Result<Programs> {
    let folder = std::env::current_exe()?.parent().context("this program lies nowhere")?.to_path_buf();
    say("building the programs (the first time takes a few minutes) …");
    let mut command = Command::new(option_env!("CARGO").unwrap_or("cargo"));
    command.args(["build", "--quiet", "--package", "daemon", "--package", "shim"]);
    if folder.ends_with("release") {
        command.arg("--release");
    }
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no workspace")?);
    if !command.status().context("could not run cargo")?.success() {
        bail!("the programs could not be built; see the errors above");
    }
    let built = |name: &str| -> PathBuf { folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX)) };
    Ok(Programs {
        daemon: built("codexcp-daemon"),
        shim: built("codex-control-plane-mcp"),
        codexcp: built("codexcp"),
        codex: codex::native(say)?,
    })
}

fn pid(home: &Home) -> anyhow::Result<u32> {
    let text = std::fs::read_to_string(home.place.daemon_pid()).context("no daemon holds this home")?;
    text.trim().strip_prefix("pid ").and_then(|pid| pid.parse().ok()).context("the lock names no pid")
}

async fn running(shim: &mut Shim, id: &str) -> anyhow::Result<()> {
    let until = Instant::now() + STEP_MAX;
    let mut cursor = Value::Null;
    while Instant::now() < until {
        let status = shim.tool("codex_get_operation_status", json!({"operation_id": id})).await?;
        if status["status"] == "running" {
            return Ok(());
        }
        if !status["completedAt"].is_null() {
            bail!("the task ended early: {}", status["lastError"]);
        }
        let from = if cursor.is_null() { status["cursor"].clone() } else { cursor };
        cursor = shim.tool("codex_wait", json!({"operation_ids": [id], "after_cursor": from, "max_seconds": 10})).await?["cursor"].clone();
    }
    bail!("the turn did not start within {STEP_MAX:?}")
}

async fn finished(shim: &mut Shim, id: &str) -> anyhow::Result<()> {
    let until = Instant::now() + STEP_MAX;
    while Instant::now() < until {
        let answer = shim.tool("codex_wait", json!({"operation_ids": [id], "mode": "all", "max_seconds": 20})).await?;
        if answer["allEnded"] == json!(true) {
            return Ok(());
        }
    }
    bail!("the turn did not end within {STEP_MAX:?}")
}

async fn events(shim: &mut Shim, id: &str) -> anyhow::Result<()> {
    let page = shim.tool("codex_get_events", json!({"operation_id": id})).await?;
    for event in page["events"].as_array().into_iter().flatten() {
        let at = event["at"].as_str().unwrap_or_default();
        let clock = at.get(11..23).unwrap_or(at);
        let state = event["body"]["state"].as_str().or(event["body"]["status"].as_str()).unwrap_or_default();
        say(&format!("   {clock}  {:<22} {state}", event["type"].as_str().unwrap_or_default()));
    }
    Ok(())
}

fn on_disk(home: &Home) {
    let mut parts: Vec<String> = std::fs::read_dir(&home.place.home)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_file())
        .map(|entry| format!("{} {} B", entry.file_name().to_string_lossy(), entry.metadata().map_or(0, |meta| meta.len())))
        .collect();
    parts.sort();
    step("on disk", &parts.join(" · "));
}

async fn stop(home: &Home) -> anyhow::Result<()> {
    let server = home.app_server().await;
    let mut connection = home.connection().await?;
    connection.send("POST", "/v1/admin/stop", br#"{"all": true}"#.to_vec(), STEP_MAX).await?;
    if let Some(server) = server {
        daemon::appserver::process::gone_within(&server, STEP_MAX).await;
    }
    Ok(())
}

fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    match text.rfind("node_modules") {
        Some(at) => format!("…/{}", &text[at..]),
        None => text,
    }
}

fn heading(text: &str) {
    say(&format!("\n── {text}"));
}

fn step(what: &str, text: &str) {
    say(&format!("   {what:<18} {text}"));
}

fn say(text: &str) {
    drop(writeln!(std::io::stdout(), "{text}"));
}
