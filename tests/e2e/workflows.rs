//! Plan workflows with the real codex: plan, approve, revise, adopt, execute, and whatever dies in between.

use super::home;
use serde_json::{Value, json};
use std::time::Duration;
use tests::home::Home;

const MAX: Duration = Duration::from_secs(120);

async fn started(home: &Home, message: &str, key: &str) -> Value {
    let arguments = json!({"project_id": home.project, "message": message, "client_request_id": key});
    home.ok("codex_start_plan_workflow", arguments).await.unwrap()
}

fn id(workflow: &Value) -> String {
    workflow["workflowId"].as_str().unwrap().to_owned()
}

async fn status(home: &Home, id: &str) -> Value {
    home.ok("codex_get_workflow_status", json!({"workflow_id": id})).await.unwrap()
}

/// Waits until the operation that the workflow waits for has ended, and says how it stands then.
async fn settled(home: &Home, id: &str) -> Value {
    let now = status(home, id).await;
    if let Some(current) = now["currentOperationId"].as_str() {
        home.ended(&[current.to_owned()], MAX).await.unwrap();
    }
    status(home, id).await
}

fn approval(id: &str) -> Value {
    json!({"workflow_id": id, "sandbox": "danger-full-access", "approval_policy": "never"})
}

/// What codex was told as the mode of each turn, by what the model was given.
fn turns(home: &Home) -> Vec<String> {
    let requests = home.provider.requests();
    requests.into_iter().filter(|one| one.request_kind == "turn" && one.step == 0).map(|one| one.prompt).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_written_approved_once_and_executed_in_the_usual_mode() {
    let home = home().await;
    home.start_daemon().unwrap();
    let workflow = started(&home, "PLAN - step one / - step two", "one").await;
    assert_eq!(workflow["phase"], "planning", "{workflow}");
    assert_eq!(workflow["planOperation"]["requestSummary"]["runtimePolicy"]["mode"], "plan", "{workflow}");
    let id = id(&workflow);
    let planned = settled(&home, &id).await;
    assert_eq!(planned["phase"], "plan_ready", "{planned}");
    assert_eq!(planned["nextRecommendedAction"], "execute_plan");
    assert_eq!(planned["latestPlan"]["markdown"].as_str().map(str::trim), Some("- step one\n- step two"), "{planned}");
    assert_eq!(planned["latestPlan"]["planQuality"], "valid_plan");
    // Five at once: one execution.
    let approve = || home.ok("codex_approve_plan", json!({"workflow_id": id, "message": "PLAN - as words", "sandbox": "read-only"}));
    let (a, b, c, d, e) = tokio::join!(approve(), approve(), approve(), approve(), approve());
    let all = [a, b, c, d, e].map(Result::unwrap);
    assert_eq!(all.iter().filter(|one| one["idempotent"] == json!(false)).count(), 1, "{all:?}");
    assert!(all.iter().all(|one| one["executionOperationId"] == all[0]["executionOperationId"] && one["executionOperationId"].is_string()));
    let done = settled(&home, &id).await;
    assert_eq!(done["phase"], "completed", "{done}");
    assert_eq!(turns(&home), ["PLAN - step one / - step two", "PLAN - as words"]);
    // The mode is sticky in codex. In that of planning the marks around a plan are taken out of what is said.
    assert!(done["finalReport"]["text"].as_str().unwrap().contains("<proposed_plan>"), "{done}");
    assert_eq!(done["executionOperation"]["requestSummary"]["runtimePolicy"]["mode"], "default");
    let again = started(&home, "PLAN - step one / - step two", "one").await;
    assert_eq!((&again["idempotent"], &again["workflowId"]), (&json!(true), &json!(id)), "{again}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comments_bring_a_new_version_and_every_version_is_kept_with_its_difference() {
    let home = home().await;
    home.start_daemon().unwrap();
    let id = id(&started(&home, "PLAN - read / - write", "one").await);
    let first = settled(&home, &id).await;
    let revise = json!({"workflow_id": id, "comments": "PLAN - read / - test / - write", "client_request_id": "comments"});
    let revised = home.ok("codex_revise_plan", revise.clone()).await.unwrap();
    assert_eq!((&revised["phase"], &revised["idempotent"]), (&json!("planning"), &json!(false)), "{revised}");
    let second = settled(&home, &id).await;
    assert_eq!(second["phase"], "plan_ready", "{second}");
    let plans = second["plans"].as_array().unwrap();
    assert_eq!(plans.len(), 2, "{second}");
    assert!(plans[1]["diff"].as_str().unwrap().contains("+- test"), "{second}");
    assert_ne!(first["latestPlanHash"], second["latestPlanHash"]);
    // The same call again is the same revision.
    let again = home.ok("codex_revise_plan", revise).await.unwrap();
    assert_eq!((&again["idempotent"], &again["phase"]), (&json!(true), &json!("plan_ready")), "{again}");
    // The first version can be taken back.
    let adopt = json!({"workflow_id": id, "candidate_turn_id": plans[0]["turnId"], "candidate_plan_hash": plans[0]["planHash"]});
    let adopted = home.ok("codex_adopt_workflow_plan", adopt).await.unwrap();
    assert_eq!((&adopted["latestPlan"]["version"], &adopted["phase"]), (&json!(1), &json!("plan_ready")), "{adopted}");
    assert_eq!(adopted["adoptedPlan"]["planHash"], plans[0]["planHash"], "{adopted}");
    // What was read is what is approved, and codex is told which one it is: on its thread the second is the newest.
    let approve = |hash: &Value| json!({"workflow_id": id, "message": "SAY done", "sandbox": "read-only", "plan_hash": hash});
    let stale = home.call("codex_approve_plan", approve(&plans[1]["planHash"])).await.unwrap();
    assert!(stale["error"]["message"].as_str().unwrap().contains("another plan"), "{stale}");
    let approved = home.ok("codex_approve_plan", approve(&plans[0]["planHash"])).await.unwrap();
    assert!(approved["approveOperation"]["operationId"].is_string(), "{approved}");
    assert_eq!(settled(&home, &id).await["phase"], "completed");
    let told = home.provider.requests().pop().unwrap().prompt;
    assert!(told.starts_with("SAY done") && told.contains("- read\n- write"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_written_on_the_thread_meanwhile_is_a_candidate_that_can_be_adopted() {
    let home = home().await;
    home.start_daemon().unwrap();
    let id = id(&started(&home, "PLAN - the first", "one").await);
    let planned = settled(&home, &id).await;
    let other = json!({
        "operation_type": "send_message", "chat_id": planned["threadId"], "message": "PLAN - a better one", "collaboration_mode": "plan",
    });
    let other = tests::client::id_of(&home.ok("codex_submit_task", other).await.unwrap());
    home.ended(std::slice::from_ref(&other), MAX).await.unwrap();
    let found = status(&home, &id).await;
    assert_eq!(
        (&found["phase"], &found["nextRecommendedAction"]),
        (&json!("plan_candidate_found"), &json!("adopt_candidate_plan")),
        "{found}"
    );
    let candidate = &found["workflowObservation"]["candidatePlans"][0];
    let adopt = |hash: &Value| json!({"workflow_id": id, "candidate_turn_id": candidate["turnId"], "candidate_plan_hash": hash});
    let refused = home.call("codex_adopt_workflow_plan", adopt(&json!("other"))).await.unwrap();
    assert_eq!(refused["error"]["code"], "INVALID_ARGUMENT", "{refused}");
    let adopted = home.ok("codex_adopt_workflow_plan", adopt(&candidate["planHash"])).await.unwrap();
    assert_eq!(adopted["phase"], "plan_ready", "{adopted}");
    assert_eq!(adopted["latestPlan"]["markdown"].as_str().map(str::trim), Some("- a better one"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_plan_is_not_executed_and_can_be_revised() {
    let home = home().await;
    home.start_daemon().unwrap();
    let id = id(&started(&home, "SAY I cannot access the repository.", "one").await);
    let early = home.call("codex_approve_plan", approval(&id)).await.unwrap();
    assert_eq!(early["error"]["code"], "INVALID_ARGUMENT", "{early}");
    let blocked = settled(&home, &id).await;
    assert_eq!((&blocked["phase"], &blocked["planTurnId"].is_string()), (&json!("failed"), &true), "{blocked}");
    assert!(blocked["lastError"].as_str().unwrap().contains("codex_revise_plan"), "{blocked}");
    // What codex said instead of a plan can be read where one looks for the plan.
    let said = &blocked["latestPlan"];
    assert_eq!((&said["isBlocker"], &said["markdown"]), (&json!(true), &json!("I cannot access the repository.")), "{blocked}");
    let refused = home.call("codex_approve_plan", approval(&id)).await.unwrap();
    assert!(refused["error"]["message"].as_str().unwrap().contains("no completed plan"), "{refused}");
    home.ok("codex_revise_plan", json!({"workflow_id": id, "comments": "SAY Which one do you mean?"})).await.unwrap();
    let asked = settled(&home, &id).await;
    assert_eq!((&asked["phase"], &asked["latestPlan"]["planQuality"]), (&json!("plan_needs_review"), &json!("question")), "{asked}");
    let refused = home.call("codex_approve_plan", approval(&id)).await.unwrap();
    assert!(refused["error"]["message"].as_str().unwrap().contains("not a valid one"), "{refused}");
    home.ok("codex_revise_plan", json!({"workflow_id": id, "comments": "PLAN - now a plan"})).await.unwrap();
    assert_eq!(settled(&home, &id).await["phase"], "plan_ready");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_daemon_finds_the_workflow_in_every_phase() {
    let home = home().await;
    home.start_daemon().unwrap();
    let again = || {
        home.kill_daemon().unwrap();
        home.start_daemon().unwrap();
    };
    // Accepted.
    let id = id(&started(&home, "HOLD planning <proposed_plan>\n- one\n</proposed_plan>", "one").await);
    again();
    // Planning, and the plan comes while nobody listens.
    home.provider.wait_for(|all| !all.is_empty(), MAX).await.unwrap();
    home.kill_daemon().unwrap();
    home.provider.release("planning");
    home.start_daemon().unwrap();
    let planned = settled(&home, &id).await;
    assert_eq!((&planned["phase"], &planned["latestPlan"]["planQuality"]), (&json!("plan_ready"), &json!("valid_plan")), "{planned}");
    // Ready.
    again();
    assert_eq!(status(&home, &id).await["phase"], "plan_ready");
    let approve = json!({"workflow_id": id, "message": "HOLD working done", "sandbox": "read-only"});
    let approved = home.ok("codex_approve_plan", approve.clone()).await.unwrap();
    // Approved.
    again();
    let repeated = home.ok("codex_approve_plan", approve).await.unwrap();
    assert_eq!((&repeated["idempotent"], &repeated["executionOperationId"]), (&json!(true), &approved["executionOperationId"]));
    // Executing, and the end comes while nobody listens.
    home.provider.wait_for(|all| all.iter().any(|one| one.prompt.starts_with("HOLD working")), MAX).await.unwrap();
    home.kill_daemon().unwrap();
    home.provider.release("working");
    home.start_daemon().unwrap();
    let done = settled(&home, &id).await;
    assert_eq!((&done["phase"], &done["finalReport"]["text"]), (&json!("completed"), &json!("done")), "{done}");
    // Ended.
    again();
    assert_eq!(status(&home, &id).await["phase"], "completed");
    assert_eq!(turns(&home).len(), 2, "{:?}", turns(&home));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_of_a_planning_turn_is_answered_and_an_execution_is_interrupted_by_its_workflow() {
    let home = home().await;
    home.start_daemon().unwrap();
    let id = id(&started(&home, "ASK Which scope? ;; PLAN - the small one", "one").await);
    let current = status(&home, &id).await["currentOperationId"].as_str().unwrap().to_owned();
    home.reaches(&current, "waiting_for_user_input", MAX).await.unwrap();
    let waits = status(&home, &id).await;
    assert_eq!(
        (&waits["phase"], &waits["nextRecommendedAction"]),
        (&json!("waiting_for_user_input"), &json!("answer_pending_interaction")),
        "{waits}"
    );
    let pending = home.ok("codex_list_pending_interactions", json!({"workflow_id": id})).await.unwrap();
    let question = &pending["interactions"][0];
    let answer = json!({"interaction_id": question["interactionId"], "answers": {"q1": "Yes (Recommended)"}});
    home.ok("codex_answer_pending_interaction", answer).await.unwrap();
    assert_eq!(settled(&home, &id).await["phase"], "plan_ready");
    let approve = json!({"workflow_id": id, "message": "HOLD never done", "sandbox": "read-only"});
    let approved = home.ok("codex_approve_plan", approve).await.unwrap();
    home.reaches(approved["executionOperationId"].as_str().unwrap(), "running", MAX).await.unwrap();
    home.ok("codex_interrupt_turn", json!({"workflow_id": id})).await.unwrap();
    let stopped = status(&home, &id).await;
    assert_eq!(stopped["phase"], "failed", "{stopped}");
    assert!(stopped["lastError"].as_str().unwrap().contains("interrupted"), "{stopped}");
}
