//! From the attacker's side: what a command of the model, a client that floods, a project that lies or a second user would
//! try. Each test holds the sentence or the silence that the attacker gets.

mod files;
mod floods;
mod peers;
mod projects;
mod sandbox;

use serde_json::{Value, json};
use std::time::Duration;
use tests::{client::id_of, home::Home};

const MAX: Duration = Duration::from_secs(120);

/// What commands of the model print in a turn with this sandbox, one `SHELL` a command.
async fn printed(home: &Home, sandbox: Value, cwd: &std::path::Path, commands: &[String]) -> String {
    let script: Vec<String> = commands.iter().map(|command| format!("SHELL {command}")).collect();
    let message = format!("{} ;; SAY tried", script.join(" ;; "));
    let mut task =
        json!({"operation_type": "start_chat", "project_id": home.project, "cwd": cwd, "message": message, "approval_policy": "never"});
    if !sandbox.is_null() {
        task["sandbox"] = sandbox;
    }
    let id = id_of(&home.ok("codex_submit_task", task).await.unwrap());
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    let status = home.status(&id).await.unwrap();
    assert_eq!(status["status"], "completed", "{status}");
    home.provider.outputs().join("\n")
}

/// Adds to codex's own configuration: first what stands before all tables, then tables.
fn configure_codex(home: &Home, top: &str, tables: &str) {
    let path = home.codex_home.join("config.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, format!("{top}\n{text}\n{tables}\n")).unwrap();
}

/// As one word of a shell's line: the folder of temporary files may have any name.
fn quoted(path: &std::path::Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// What the model's command left behind. Where there is nothing, what codex told the model of its command says why.
fn written_by_the_model(home: &Home, out: &std::path::Path) -> String {
    std::fs::read_to_string(out).unwrap_or_else(|error| {
        let told = std::fs::read_to_string(home.path().join("provider.ndjson")).unwrap_or_default();
        panic!("{}: {error}; the provider was told: {told}", out.display())
    })
}
