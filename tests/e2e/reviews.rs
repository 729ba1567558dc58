//! Reviews: each target, on a thread or on one of its own, with findings that can be read, and whatever dies in between.

use super::home;
use serde_json::{Value, json};
use std::time::Duration;
use tests::{client::id_of, home::Home};

const MAX: Duration = Duration::from_secs(120);

/// What a model that reviews answers; codex makes words of it.
const FOUND: &str = r#"JSON {"findings":[{"title":"[P1] Bug","body":"It is wrong","confidence_score":0.9,"priority":1,"code_location":{"absolute_file_path":"/src/a.rs","line_range":{"start":3,"end":4}}}],"overall_correctness":"patch is incorrect","overall_explanation":"one bug","overall_confidence_score":0.8}"#;

async fn start(home: &Home, arguments: Value) -> Value {
    home.ok("codex_start_review_workflow", arguments).await.unwrap()
}

async fn done(home: &Home, review: &Value) -> Value {
    let operation = review["reviewOperationId"].as_str().unwrap().to_owned();
    home.ended(&[operation], MAX).await.unwrap();
    home.ok("codex_get_workflow_status", json!({"workflow_id": review["workflowId"]})).await.unwrap()
}

async fn thread(home: &Home) -> Value {
    let id = home.submit("SAY the work", "the work").await.unwrap();
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    home.status(&id).await.unwrap()["threadId"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_review_finds_is_told_as_text_and_piece_by_piece() {
    let home = home().await;
    home.start_daemon().unwrap();
    let arguments = json!({"project_id": home.project, "target_type": "custom", "instructions": FOUND, "client_request_id": "one"});
    let review = start(&home, arguments.clone()).await;
    assert_eq!((&review["workflowKind"], &review["idempotent"]), (&json!("code_review"), &json!(false)), "{review}");
    assert_eq!(start(&home, arguments.clone()).await["workflowId"], review["workflowId"]);
    let other = json!({"project_id": home.project, "target_type": "uncommitted_changes", "client_request_id": "one"});
    assert_eq!(home.call("codex_start_review_workflow", other).await.unwrap()["error"]["code"], "IDEMPOTENCY_CONFLICT");
    let done = done(&home, &review).await;
    assert_eq!((&done["phase"], &done["nextRecommendedAction"]), (&json!("completed"), &json!("read_review_report")), "{done}");
    assert!(done["finalReport"]["text"].as_str().unwrap().contains("Review comment"), "{done}");
    let found = &done["reviewFindings"];
    assert_eq!((&found["summary"], &found["findings"].as_array().unwrap().len()), (&json!("one bug"), &1), "{done}");
    let finding = &found["findings"][0];
    assert_eq!((&finding["title"], &finding["priority"], &finding["body"]), (&json!("Bug"), &json!(1), &json!("It is wrong")), "{finding}");
    assert_eq!((&finding["lineStart"], &finding["lineEnd"]), (&json!(3), &json!(4)), "{finding}");
    assert_eq!(done["reviewOperation"]["operationType"], "review_start");
    assert_eq!(done["planOperationId"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_target_is_reviewed_on_the_thread_or_beside_it() {
    let home = home().await;
    home.start_daemon().unwrap();
    let source = thread(&home).await;
    // Without a repository there is no base branch to compare with: codex says so and begins nothing.
    let nothing = start(&home, json!({"thread_id": source, "target_type": "base_branch", "base_branch": "main"})).await;
    let nothing = done(&home, &nothing).await;
    assert_eq!(nothing["phase"], "failed", "{nothing}");
    assert!(nothing["lastError"].as_str().unwrap().contains("not a git repository"), "{nothing}");
    let git = |arguments: &[&str]| {
        let done = std::process::Command::new("git").args(arguments).current_dir(&home.project).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-q", "--allow-empty", "-m", "first"]);
    let inline = start(&home, json!({"thread_id": source, "delivery": "inline", "target_type": "uncommitted_changes"})).await;
    let inline = done(&home, &inline).await;
    assert_eq!((&inline["phase"], &inline["reviewThreadId"]), (&json!("completed"), &source), "{inline}");
    assert_eq!(inline["reviewTarget"]["type"], "uncommittedChanges");
    let detached = start(&home, json!({"thread_id": source, "target_type": "base_branch", "base_branch": "main"})).await;
    let detached = done(&home, &detached).await;
    assert_eq!((&detached["phase"], &detached["reviewDelivery"]), (&json!("completed"), &json!("detached")), "{detached}");
    assert_eq!(detached["reviewSourceThreadId"], source);
    assert_eq!(detached["reviewOperation"]["cwd"], inline["reviewOperation"]["cwd"], "in the folder of its source");
    assert!(detached["reviewThreadId"].is_string() && detached["reviewThreadId"] != source, "{detached}");
    let commit = json!({"cwd": home.project, "target_type": "commit", "commit_sha": "0123abc", "commit_title": "the change"});
    let commit = done(&home, &start(&home, commit).await).await;
    assert_eq!((&commit["phase"], &commit["reviewTarget"]["sha"]), (&json!("completed"), &json!("0123abc")), "{commit}");
    let asked = home.provider.requests();
    for words in ["current code changes", "base branch 'main'", "0123abc"] {
        assert!(asked.iter().any(|one| one.prompt.contains(words)), "{words}: {asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_review_that_cannot_be_is_refused_with_what_to_do() {
    let home = home().await;
    home.start_daemon().unwrap();
    let refused = async |arguments: Value| home.call("codex_start_review_workflow", arguments).await.unwrap()["error"].clone();
    for (arguments, word) in [
        (json!({"target_type": "uncommitted_changes"}), "project_id"),
        (json!({"project_id": home.project, "target_type": "commit"}), "commit_sha"),
        (json!({"project_id": home.project, "target_type": "base_branch"}), "base_branch"),
        (json!({"project_id": home.project, "target_type": "custom", "instructions": "  "}), "instructions"),
        (json!({"project_id": home.project, "target_type": "custom", "instructions": "x", "delivery": "detached"}), "thread_id"),
    ] {
        let why = refused(arguments).await;
        assert!(why["message"].as_str().unwrap().contains(word), "{why}");
    }
    let id = home.submit("HOLD it done", "held").await.unwrap();
    let thread = home.reaches(&id, "running", MAX).await.unwrap()["threadId"].clone();
    let busy = refused(json!({"thread_id": thread, "delivery": "inline", "target_type": "uncommitted_changes"})).await;
    assert_eq!(busy["code"], "CODEX_BUSY", "{busy}");
    let beside = refused(json!({"thread_id": thread, "target_type": "uncommitted_changes"})).await;
    assert_eq!(beside["code"], "CODEX_BUSY", "{beside}");
    home.provider.release("it");
}

/// Codex lets a review ask for nothing, whatever the approval policy says: what would need it is refused there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_review_asks_nobody_and_runs_nothing_outside_its_sandbox() {
    let home = home().await;
    home.start_daemon().unwrap();
    let words = "ESCALATE touch escaped ;; SHELL touch written ;; SAY done";
    // The thread was last allowed to write; the review of it is not.
    let wide = thread(&home).await;
    for place in [json!({"project_id": home.project}), json!({"thread_id": wide, "delivery": "inline"})] {
        let mut arguments = json!({"target_type": "custom", "instructions": words});
        arguments.as_object_mut().unwrap().extend(place.as_object().unwrap().clone());
        let review = start(&home, arguments).await;
        let done = done(&home, &review).await;
        assert_eq!((&done["phase"], &done["finalReport"]["text"]), (&json!("completed"), &json!("done")), "{done}");
        let asked = home.ok("codex_list_pending_interactions", json!({"workflow_id": review["workflowId"], "status": null})).await.unwrap();
        assert_eq!(asked["returnedCount"], 0, "{asked}");
    }
    for name in ["escaped", "written"] {
        assert!(!home.project.join(name).exists(), "{name}");
    }
}

/// The daemon dies around the request, codex in the middle of it: one review, told as it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_review_runs_once_whatever_dies() {
    let mut home = home().await;
    for point in ["send.before", "send.middle", "send.after"] {
        home.set("FAILPOINTS", format!("{point}=1*return->off"));
        home.start_daemon().unwrap();
        let words = format!("SAY seen {point}");
        let arguments = json!({"project_id": home.project, "target_type": "custom", "instructions": words, "client_request_id": point});
        drop(home.call("codex_start_review_workflow", arguments.clone()).await);
        home.daemon_ends().unwrap();
        home.unset("FAILPOINTS");
        home.start_daemon().unwrap();
        let done = done(&home, &start(&home, arguments).await).await;
        assert_eq!((&done["phase"], &done["finalReport"]["text"]), (&json!("completed"), &json!(format!("seen {point}"))), "{done}");
        let given = home.provider.requests().into_iter().filter(|one| one.prompt == words && one.step == 0).count();
        assert_eq!(given, 1, "{point}");
        home.kill_daemon().unwrap();
    }
    home.start_daemon().unwrap();
    let review = start(&home, json!({"project_id": home.project, "target_type": "custom", "instructions": "HOLD it done"})).await;
    home.reaches(review["reviewOperationId"].as_str().unwrap(), "running", MAX).await.unwrap();
    let running = home.ok("codex_get_workflow_status", json!({"workflow_id": review["workflowId"]})).await.unwrap();
    let (thread, turn) = (&running["reviewThreadId"], &running["reviewTurnId"]);
    let steer = json!({"operation_type": "steer_turn", "message": "SAY x", "thread_id": thread, "expected_turn_id": turn});
    let why = home.call("codex_submit_task", steer).await.unwrap()["error"].clone();
    assert!(why["message"].as_str().unwrap().contains("takes no messages into a review"), "{why}");
    home.kill_app_server().await.unwrap();
    let cut = done(&home, &review).await;
    assert_eq!((&cut["phase"], &cut["nextRecommendedAction"]), (&json!("failed"), &json!("inspect_diagnostics")), "{cut}");
    assert!(cut["lastError"].as_str().unwrap().contains("app_server_exit"), "{cut}");
    let stopped = start(&home, json!({"project_id": home.project, "target_type": "custom", "instructions": "HOLD more done"})).await;
    home.reaches(stopped["reviewOperationId"].as_str().unwrap(), "running", MAX).await.unwrap();
    let answer = home.ok("codex_interrupt_turn", json!({"workflow_id": stopped["workflowId"]})).await.unwrap();
    assert_eq!(answer["status"], "interrupted", "{answer}");
    assert_eq!(id_of(&answer), stopped["reviewOperationId"].as_str().unwrap());
}
