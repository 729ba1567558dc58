//! Approvals, permissions and questions: asked by the real codex, answered over the tools, kept over restarts.

use super::home;
use serde_json::{Value, json};
use std::time::Duration;
use tests::{client::id_of, home::Home};

const MAX: Duration = Duration::from_secs(120);

/// Hands in a script, waits until it asks, and gives the interaction.
async fn asked(home: &Home, script: &str, sandbox: &str, status: &str) -> (String, Value) {
    let arguments = json!({"operation_type": "start_chat", "project_id": home.project, "message": script, "sandbox": sandbox});
    let id = id_of(&home.ok("codex_submit_task", arguments).await.unwrap());
    home.reaches(&id, status, MAX).await.unwrap();
    let pending = home.ok("codex_list_pending_interactions", json!({"operation_id": id})).await.unwrap();
    assert_eq!(pending["returnedCount"], 1, "{pending}");
    (id, pending["interactions"][0].clone())
}

async fn answer(home: &Home, interaction: &Value, with: Value) -> Value {
    let mut arguments = with;
    arguments["interaction_id"] = interaction["interactionId"].clone();
    home.call("codex_answer_pending_interaction", arguments).await.unwrap()
}

async fn completes(home: &Home, id: &str) -> Value {
    home.ended(&[id.to_owned()], MAX).await.unwrap();
    let status = home.status(id).await.unwrap();
    assert_eq!(status["status"], "completed", "{status}");
    status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_is_asked_for_and_run_once_it_is_accepted() {
    let home = home().await;
    home.start_daemon().unwrap();
    let (id, interaction) = asked(&home, "ESCALATE touch accepted.txt ;; SAY done", "workspace-write", "waiting_for_approval").await;
    assert_eq!((&interaction["kind"], &interaction["status"]), (&json!("approval"), &json!("pending")), "{interaction}");
    let answered = answer(&home, &interaction, json!({"decision": "accept"})).await;
    assert_eq!(answered["answered"], json!(true), "{answered}");
    completes(&home, &id).await;
    assert!(home.project.join("accepted.txt").exists());
    // FAULTS A11: whoever did not hear of its answer sends it again.
    let again = answer(&home, &interaction, json!({"decision": "accept"})).await;
    assert_eq!(again["answered"], json!(true), "{again}");
    let other = answer(&home, &interaction, json!({"decision": "decline"})).await;
    assert_eq!(other["error"]["code"], "CODEX_PENDING_INTERACTION_UNAVAILABLE", "{other}");
    let unknown = home.call("codex_answer_pending_interaction", json!({"interaction_id": "int_no", "decision": "accept"})).await.unwrap();
    assert_eq!(unknown["error"]["code"], "CODEX_PENDING_INTERACTION_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_declined_command_does_not_run_and_the_turn_goes_on() {
    let home = home().await;
    home.start_daemon().unwrap();
    let (id, interaction) = asked(&home, "ESCALATE touch declined.txt ;; SAY without it", "workspace-write", "waiting_for_approval").await;
    answer(&home, &interaction, json!({"decision": "decline"})).await;
    let status = completes(&home, &id).await;
    assert_eq!(status["finalReport"]["text"].as_str().map(str::trim), Some("without it"));
    assert!(!home.project.join("declined.txt").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_amendment_that_was_offered_can_be_given() {
    let home = home().await;
    home.start_daemon().unwrap();
    let (id, interaction) = asked(&home, "ESCALATE touch amended.txt ;; SAY done", "workspace-write", "waiting_for_approval").await;
    let offered = interaction["availableDecisions"].as_array().unwrap().iter().find(|one| one.is_object()).cloned();
    let payload = offered.expect("codex offers an amendment of its rules");
    let answered = answer(&home, &interaction, json!({"decision_payload": payload})).await;
    assert_eq!(answered["answered"], json!(true), "{answered}");
    completes(&home, &id).await;
    assert!(home.project.join("amended.txt").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_accepted_for_the_session_is_not_asked_again_on_its_thread() {
    let home = home().await;
    home.start_daemon().unwrap();
    let script = "PATCH session.txt one ;; PATCH session.txt two ;; SAY done";
    let (id, interaction) = asked(&home, script, "read-only", "waiting_for_approval").await;
    answer(&home, &interaction, json!({"decision": "acceptForSession"})).await;
    completes(&home, &id).await;
    assert!(home.project.join("session.txt").exists());
    let all = home.ok("codex_list_pending_interactions", json!({"operation_id": id, "status": null})).await.unwrap();
    assert_eq!(all["returnedCount"], 1, "{all}");
}

/// FAULTS B8: a rule that nobody offered would be kept by codex for good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_was_offered_is_an_answer_however_it_is_written() {
    let home = home().await;
    home.start_daemon().unwrap();
    let (id, interaction) = asked(&home, "ESCALATE touch offered.txt ;; SAY done", "workspace-write", "waiting_for_approval").await;
    let rule = json!({"acceptWithExecpolicyAmendment": {"execpolicy_amendment": ["bash"]}});
    for wrong in [
        json!({"decision_payload": rule}),
        json!({"raw_response": {"decision": rule}}),
        json!({"raw_response": {"decision": "accept", "more": 1}}),
        json!({"raw_response": {"decision": "approved"}}),
        json!({"decision": "acceptForSession"}),
    ] {
        let refused = answer(&home, &interaction, wrong.clone()).await;
        assert_eq!(refused["error"]["code"], "INVALID_ARGUMENT", "{wrong}: {refused}");
    }
    let raw = answer(&home, &interaction, json!({"raw_response": {"decision": "accept"}})).await;
    assert_eq!(raw["answered"], json!(true), "{raw}");
    completes(&home, &id).await;
    let (id, interaction) = asked(&home, "PERMS ;; SAY granted", "workspace-write", "waiting_for_approval").await;
    let all = json!({"fileSystem": {"write": ["/"], "entries": [{"path": {"type": "path", "path": "/"}, "access": "write"}]}});
    for wrong in [json!({"permissions": all}), json!({"raw_response": {"permissions": all, "scope": "session"}})] {
        let refused = answer(&home, &interaction, wrong.clone()).await;
        assert_eq!(refused["error"]["code"], "INVALID_ARGUMENT", "{wrong}: {refused}");
    }
    answer(&home, &interaction, json!({"permissions": {}})).await;
    completes(&home, &id).await;
}

/// FAULTS B5, C 19, C 20: what cannot be seen, and what comes after the place where others stop to show it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_shows_the_whole_command_its_end_and_what_is_invisible_in_it() {
    let home = home().await;
    home.start_daemon().unwrap();
    let command = format!("echo \u{202e}gnp.exe\u{202c} {}{} && touch end.txt", "a".repeat(3_000), " ".repeat(400));
    let (id, interaction) = asked(&home, &format!("ESCALATE {command} ;; SAY done"), "workspace-write", "waiting_for_approval").await;
    for text in [&interaction["prompt"], &interaction["riskSummary"]["summary"]] {
        let text = text.as_str().unwrap();
        assert!(text.starts_with("Run this command?\n  command: ") && text.contains("\\u{202e}gnp.exe\\u{202c}"), "{text}");
        assert!(text.contains("characters left out") && text.contains("[401 blanks]&& touch end.txt"), "{text}");
        assert!(text.contains(&format!("folder: {}", home.project.display())), "{text}");
    }
    let answer_of = tokio::process::Command::from(home.command(&home.programs.codexcp))
        .args(["pending", interaction["interactionId"].as_str().unwrap()])
        .output()
        .await
        .unwrap();
    let whole = String::from_utf8(answer_of.stdout).unwrap();
    assert!(whole.contains(&"a".repeat(3_000)) && !whole.contains('\u{202e}'), "{whole}");
    answer(&home, &interaction, json!({"decision": "decline"})).await;
    completes(&home, &id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_command_ends_its_turn() {
    let home = home().await;
    home.start_daemon().unwrap();
    let (id, interaction) = asked(&home, "ESCALATE touch cancelled.txt ;; SAY done", "workspace-write", "waiting_for_approval").await;
    answer(&home, &interaction, json!({"decision": "cancel"})).await;
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    let status = home.status(&id).await.unwrap();
    assert_eq!(status["status"], "interrupted", "{status}");
    assert!(status["lastError"].as_str().unwrap().contains("an answer that ends the turn"), "{status}");
    assert!(!home.project.join("cancelled.txt").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_change_is_asked_for_in_a_read_only_sandbox() {
    let home = home().await;
    home.start_daemon().unwrap();
    let (id, interaction) = asked(&home, "PATCH new.txt hello ;; SAY patched", "read-only", "waiting_for_approval").await;
    assert_eq!(interaction["method"], "item/fileChange/requestApproval", "{interaction}");
    // FAULTS B5: which files, and how much of them.
    let path = home.project.join("new.txt");
    assert_eq!(interaction["prompt"], json!(format!("Change these files?\n  add: {} (+1 -0)", path.display())), "{interaction}");
    answer(&home, &interaction, json!({"decision": "accept"})).await;
    completes(&home, &id).await;
    assert!(home.project.join("new.txt").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_takes_answers_to_its_own_questions_only() {
    let home = home().await;
    home.start_daemon().unwrap();
    let (id, interaction) = asked(&home, "ASK Which colour? ;; SAY thanks", "workspace-write", "waiting_for_user_input").await;
    let question = interaction["questions"][0]["id"].as_str().unwrap().to_owned();
    let wrong = answer(&home, &interaction, json!({"answers": {"other": "x"}})).await;
    assert_eq!(wrong["error"]["code"], "INVALID_ARGUMENT", "{wrong}");
    let right = answer(&home, &interaction, json!({"answers": {question: "blue"}})).await;
    assert_eq!(right["answered"], json!(true), "{right}");
    completes(&home, &id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn permissions_are_granted_as_they_were_asked_for() {
    let home = home().await;
    home.start_daemon().unwrap();
    let (id, interaction) = asked(&home, "PERMS ;; SAY granted", "workspace-write", "waiting_for_approval").await;
    assert_eq!(interaction["kind"], "permissions", "{interaction}");
    let answered = answer(&home, &interaction, json!({"permissions": interaction["params"]["permissions"], "scope": "turn"})).await;
    assert_eq!(answered["answered"], json!(true), "{answered}");
    completes(&home, &id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pending_approval_outlives_the_daemon_and_is_answered_by_the_next() {
    let home = home().await;
    home.start_daemon().unwrap();
    let (id, interaction) = asked(&home, "ESCALATE touch later.txt ;; SAY done", "workspace-write", "waiting_for_approval").await;
    home.kill_daemon().unwrap();
    home.start_daemon().unwrap();
    let pending = home.ok("codex_list_pending_interactions", json!({"operation_id": id})).await.unwrap();
    assert_eq!(pending["interactions"][0]["interactionId"], interaction["interactionId"], "{pending}");
    answer(&home, &interaction, json!({"decision": "accept"})).await;
    completes(&home, &id).await;
    assert!(home.project.join("later.txt").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_was_stored_is_delivered_though_the_daemon_dies_at_once() {
    let home = home().await;
    home.start_daemon().unwrap();
    for n in 0..5 {
        let (id, interaction) =
            asked(&home, &format!("ESCALATE touch file{n}.txt ;; SAY done"), "workspace-write", "waiting_for_approval").await;
        answer(&home, &interaction, json!({"decision": "accept"})).await;
        home.kill_daemon().unwrap();
        home.start_daemon().unwrap();
        completes(&home, &id).await;
        assert!(home.project.join(format!("file{n}.txt")).exists());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_of_a_dead_app_server_is_orphaned_and_its_turn_interrupted() {
    let home = home().await;
    home.start_daemon().unwrap();
    let (id, interaction) = asked(&home, "ESCALATE touch never.txt ;; SAY done", "workspace-write", "waiting_for_approval").await;
    home.kill_app_server().await.unwrap();
    home.reaches(&id, "interrupted", MAX).await.unwrap();
    let orphaned = home.ok("codex_list_pending_interactions", json!({"operation_id": id, "status": null})).await.unwrap();
    assert_eq!(orphaned["interactions"][0]["status"], "orphaned_after_app_server_exit", "{orphaned}");
    let late = answer(&home, &interaction, json!({"decision": "accept"})).await;
    assert_eq!(late["error"]["code"], "CODEX_PENDING_INTERACTION_UNAVAILABLE");
    assert!(!home.project.join("never.txt").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_is_declined_after_the_configured_time() {
    let mut home = home().await;
    home.set("CODEX_MCP_APPROVAL_RESPONSE_TIMEOUT_SECONDS", "1");
    home.start_daemon().unwrap();
    let id = home.submit("ESCALATE touch late.txt ;; SAY without it", "one").await.unwrap();
    home.reaches(&id, "completed", MAX).await.unwrap();
    let all = home.ok("codex_list_pending_interactions", json!({"operation_id": id, "status": null})).await.unwrap();
    assert_eq!(all["interactions"][0]["status"], "auto_declined", "{all}");
    assert!(!home.project.join("late.txt").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_of_the_configuration_answer_by_themselves_and_leave_a_line_each() {
    let home = home().await;
    let rules = "\n[[approvals.rule]]\ncommand = \"touch forbidden\"\ndecision = \"decline\"\n\
        [[approvals.rule]]\ncommand = \"touch\"\ndecision = \"accept\"\n";
    let config = std::fs::read_to_string(&home.place.config_file).unwrap_or_default();
    std::fs::write(&home.place.config_file, config + rules).unwrap();
    home.start_daemon().unwrap();
    let prompt = "ESCALATE touch allowed ;; ESCALATE touch forbidden ;; ESCALATE mkdir asked ;; SAY done";
    let (id, interaction) = asked(&home, prompt, "workspace-write", "waiting_for_approval").await;
    assert!(interaction["params"]["command"].as_str().unwrap().contains("mkdir asked"), "{interaction}");
    assert!(home.project.join("allowed").exists() && !home.project.join("forbidden").exists());
    answer(&home, &interaction, json!({"decision": "accept"})).await;
    completes(&home, &id).await;
    let events = home.ok("codex_get_events", json!({"operation_id": id, "limit": 200})).await.unwrap();
    let by_rule = events["events"].as_array().unwrap().iter().filter(|one| one["type"] == "approval.rule").map(|one| one["body"].clone());
    let lines: Vec<Value> = by_rule.collect();
    assert_eq!(lines.len(), 2, "{events}");
    assert_eq!((&lines[0]["rule"], &lines[0]["decision"]), (&json!(2), &json!("accept")), "{lines:?}");
    assert_eq!((&lines[1]["rule"], &lines[1]["decision"]), (&json!(1), &json!("decline")), "{lines:?}");
    // A line of two calls is nobody's but a person's to accept.
    let (id, interaction) = asked(&home, "ESCALATE touch a && mkdir b ;; SAY done", "workspace-write", "waiting_for_approval").await;
    assert!(!home.project.join("a").exists());
    answer(&home, &interaction, json!({"decision": "decline"})).await;
    completes(&home, &id).await;
}

/// Whether the text stands in any file of the home, the log of the database included.
fn is_written_down(home: &Home, text: &str) -> bool {
    let mut folders = vec![home.place.home.clone(), home.place.logs_dir.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read(&path).is_ok_and(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes())) {
                return true;
            }
        }
    }
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answer_to_a_secret_question_is_never_written_down() {
    let home = home().await;
    home.start_daemon().unwrap();
    for (question, text, kept) in [("ASK", "an-open-answer", true), ("ASK_SECRET", "a-secret-answer", false)] {
        let (id, interaction) =
            asked(&home, &format!("{question} Which? ;; SAY thanks"), "workspace-write", "waiting_for_user_input").await;
        assert_eq!(interaction["questions"][0]["isSecret"], json!(!kept), "{interaction}");
        let question = interaction["questions"][0]["id"].as_str().unwrap().to_owned();
        answer(&home, &interaction, json!({"answers": {question: text}})).await;
        completes(&home, &id).await;
        assert_eq!(is_written_down(&home, text), kept, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_answer_that_died_with_its_daemon_is_asked_for_again() {
    let mut home = home().await;
    home.start_daemon().unwrap();
    let (id, interaction) = asked(&home, "ASK_SECRET Which? ;; SAY thanks", "workspace-write", "waiting_for_user_input").await;
    home.kill_daemon().unwrap();
    // It dies with the answer committed, before it is told to codex.
    home.set("FAILPOINTS", "answer.before=1*return->off");
    home.start_daemon().unwrap();
    let question = interaction["questions"][0]["id"].as_str().unwrap().to_owned();
    let arguments = json!({"interaction_id": interaction["interactionId"], "answers": {question.clone(): "a-secret-answer"}});
    drop(home.call("codex_answer_pending_interaction", arguments).await);
    home.daemon_ends().unwrap();
    home.unset("FAILPOINTS");
    home.start_daemon().unwrap();
    home.reaches(&id, "waiting_for_user_input", MAX).await.unwrap();
    let again = answer(&home, &interaction, json!({"answers": {question: "a-secret-answer"}})).await;
    assert_eq!(again["answered"], json!(true), "{again}");
    completes(&home, &id).await;
    assert!(!is_written_down(&home, "a-secret-answer"));
}

/// FAULTS A12: a person was asked again for what the model had already.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_answer_that_arrived_before_its_daemon_died_is_not_asked_for_again() {
    let mut home = home().await;
    home.start_daemon().unwrap();
    let (id, interaction) = asked(&home, "ASK_SECRET Which? ;; HOLD on thanks", "workspace-write", "waiting_for_user_input").await;
    home.kill_daemon().unwrap();
    home.set("FAILPOINTS", "answer.after=1*return->off");
    home.start_daemon().unwrap();
    let question = interaction["questions"][0]["id"].as_str().unwrap().to_owned();
    let arguments = json!({"interaction_id": interaction["interactionId"], "answers": {question: "a-secret-answer"}});
    drop(home.call("codex_answer_pending_interaction", arguments).await);
    home.daemon_ends().unwrap();
    // The model goes on: it has the answer.
    home.provider.wait_for(|all| all.len() == 2, MAX).await.unwrap();
    home.unset("FAILPOINTS");
    home.start_daemon().unwrap();
    home.reaches(&id, "running", MAX).await.unwrap();
    home.provider.release("on");
    completes(&home, &id).await;
    let asked = home.ok("codex_get_events", json!({"after_cursor": 0, "operation_id": id, "types": ["interaction.raised"]})).await.unwrap();
    assert_eq!(asked["returnedCount"], 1, "{asked}");
}
