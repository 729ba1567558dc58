//! Who may come in: this user's programs; never what the model runs. And where things lie.

use super::home;
use serde_json::json;
use std::{os::unix::fs::PermissionsExt, time::Duration};
use tests::client::id_of;

const MAX: Duration = Duration::from_secs(120);

/// As one word of a shell's line: the folder of temporary files may have any name.
fn quoted(path: &std::path::Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// What the model's command left behind. Where there is nothing, what codex told the model of its command says why.
fn written_by_the_model(home: &tests::home::Home, out: &std::path::Path) -> String {
    std::fs::read_to_string(out).unwrap_or_else(|error| {
        let told = std::fs::read_to_string(home.path().join("provider.ndjson")).unwrap_or_default();
        panic!("{}: {error}; the provider was told: {told}", out.display())
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_socket_and_state_are_the_owner_s_alone() {
    let home = home().await;
    home.start_daemon().unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home.place.home), 0o700);
    assert_eq!(mode(&home.place.run_dir), 0o700);
    assert_eq!(mode(&home.place.daemon_socket()), 0o600);
    assert_eq!(mode(&home.place.state_file()), 0o600);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_the_model_runs_cannot_use_the_control_plane() {
    let home = home().await;
    home.start_daemon().unwrap();
    let out = home.project.join("seen.txt");
    let ask = format!(
        "CODEXCP_HOME={} CODEXCP_AUTOSTART=0 {} logs --json >> {} 2>&1",
        quoted(&home.place.home),
        quoted(&home.programs.codexcp),
        quoted(&out)
    );
    // Without a sandbox, and the second time without its environment: then only the process tree tells.
    let message = format!("SHELL {ask}; env -i {ask} ;; SAY tried");
    let task = json!({"operation_type": "start_chat", "project_id": home.project, "message": message, "sandbox": "danger-full-access", "approval_policy": "never"});
    let id = id_of(&home.ok("codex_submit_task", task).await.unwrap());
    home.ended(&[id], MAX).await.unwrap();
    let seen = written_by_the_model(&home, &out);
    assert_eq!(seen.matches("CODEXCP_REFUSED").count(), 2, "{seen}");
    assert!(!seen.contains("operation.accepted"), "{seen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shim_below_the_app_server_answers_bare_reads_only() {
    let home = home().await;
    home.start_daemon().unwrap();
    let out = home.project.join("said.txt");
    let lines = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "codex_health_summary", "arguments": {}}}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "codex_get_events", "arguments": {}}}),
        json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "codex_submit_task", "arguments": {"operation_type": "start_chat", "project_id": home.project, "message": "SAY again"}}}),
    ];
    let input = home.project.join("input.ndjson");
    std::fs::write(&input, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let command = format!(
        "CODEXCP_HOME={} CODEXCP_AUTOSTART=0 {} < {} > {}",
        quoted(&home.place.home),
        quoted(&home.programs.shim),
        quoted(&input),
        quoted(&out)
    );
    let task = json!({"operation_type": "start_chat", "project_id": home.project, "message": format!("SHELL {command} ;; SAY tried"), "sandbox": "danger-full-access", "approval_policy": "never"});
    let id = id_of(&home.ok("codex_submit_task", task).await.unwrap());
    home.ended(&[id], MAX).await.unwrap();
    let said = written_by_the_model(&home, &out);
    let answer = |id: i64| -> serde_json::Value {
        said.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .find(|one: &serde_json::Value| one["id"] == id)
            .unwrap_or_else(|| panic!("no answer {id} in {said}"))
    };
    assert_eq!(answer(1)["result"]["structuredContent"]["ok"], json!(true), "{said}");
    assert_eq!(answer(2)["result"]["structuredContent"]["error"]["code"], "CODEXCP_REFUSED", "{said}");
    assert_eq!(answer(3)["result"]["structuredContent"]["error"]["code"], "CODEXCP_REFUSED", "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_app_server_gets_a_named_list_of_variables() {
    let mut home = home().await;
    home.set("SOME_SECRET_OF_A_CLIENT", "hunter2");
    home.start_daemon().unwrap();
    let id = home.submit("SAY x", "one").await.unwrap();
    home.ended(&[id], MAX).await.unwrap();
    let server = home.app_server().await.unwrap();
    let environment = String::from_utf8(std::fs::read(format!("/proc/{}/environ", server.pid)).unwrap()).unwrap();
    assert!(environment.contains("CODEX_HOME=") && !environment.contains("SOME_SECRET"), "{environment}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_daemon_on_the_same_home_says_who_holds_it() {
    let home = home().await;
    home.start_daemon().unwrap();
    let second = home.command(&home.programs.daemon).output().unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success());
    assert!(said.contains(&format!("pid {}", home.daemon_pid().unwrap())), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_ends_an_idle_app_server_and_leaves_a_busy_one() {
    let home = home().await;
    home.start_daemon().unwrap();
    let id = home.submit("HOLD gate the end", "one").await.unwrap();
    home.reaches(&id, "running", MAX).await.unwrap();
    let stop = async || home.connection().await.unwrap().send("POST", "/v1/admin/stop", Vec::new(), MAX).await.unwrap();
    stop().await;
    home.daemon_ends().unwrap();
    assert!(home.app_server().await.is_some(), "busy, so it goes on");
    home.start_daemon().unwrap();
    home.provider.release("gate");
    home.ended(&[id], MAX).await.unwrap();
    let server = home.app_server().await.unwrap();
    stop().await;
    home.daemon_ends().unwrap();
    assert!(daemon::appserver::process::gone_within(&server, MAX).await, "idle, so it ends");
}
