//! Goals of plan workflows as the real codex keeps them: set with the thread, settled at the end, and left alone once
//! somebody else has set another one.

use super::home;
use daemon::{
    appserver::{Link, start::connect},
    engine::Live,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tests::home::Home;

const MAX: Duration = Duration::from_secs(60);

async fn status(home: &Home, id: &Value) -> Value {
    home.ok("codex_get_workflow_status", json!({"workflow_id": id, "refresh_live_goal": true})).await.unwrap()
}

/// Until codex was told: that is an effect of its own, after the turn began or the workflow ended.
async fn syncs(home: &Home, id: &Value, wanted: &str) -> Value {
    let until = tokio::time::Instant::now() + MAX;
    loop {
        let now = status(home, id).await;
        if now["threadGoal"]["syncState"] == wanted {
            return now["threadGoal"].clone();
        }
        assert!(tokio::time::Instant::now() < until, "waited for {wanted}: {}", now["threadGoal"]);
        home.ok("codex_wait", json!({"operation_ids": [now["planOperationId"]], "after_cursor": now["cursor"], "max_seconds": 1}))
            .await
            .unwrap();
    }
}

async fn planned(home: &Home, goal: Value) -> Value {
    let mut arguments = json!({"project_id": home.project, "message": "PLAN - one", "goal": "all is well", "goal_token_budget": 5000});
    arguments.as_object_mut().unwrap().extend(goal.as_object().unwrap().clone());
    let started = home.ok("codex_start_plan_workflow", arguments).await.unwrap();
    home.ended(&[started["planOperationId"].as_str().unwrap().to_owned()], MAX).await.unwrap();
    started["workflowId"].clone()
}

async fn executed(home: &Home, id: &Value) {
    let approve = json!({"workflow_id": id, "sandbox": "read-only", "message": "SAY done"});
    let approved = home.ok("codex_approve_plan", approve).await.unwrap();
    home.ended(&[approved["executionOperationId"].as_str().unwrap().to_owned()], MAX).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_goal_is_there_with_its_budget_begins_no_turns_and_is_settled_at_the_end() {
    let home = home().await;
    home.start_daemon().unwrap();
    for (action, word, left) in [
        (json!({}), "cleared", Value::Null),
        (json!({"goal_completion_action": "set_complete", "goal_completion_objective": "all was well"}), "complete", json!("all was well")),
        (json!({"goal_completion_action": "leave"}), "left", json!("all is well")),
    ] {
        let id = planned(&home, action).await;
        let goal = syncs(&home, &id, "active").await;
        let current = &goal["currentGoal"];
        assert_eq!((&current["objective"], &current["tokenBudget"]), (&json!("all is well"), &json!(5000)), "{goal}");
        // An active one would let codex begin turns past the schedule.
        assert_eq!(current["status"], "paused", "{goal}");
        executed(&home, &id).await;
        let goal = syncs(&home, &id, word).await;
        assert_eq!(goal["currentGoal"]["objective"], left, "{goal}");
    }
    let turns = home.provider.requests().into_iter().filter(|one| one.request_kind == "turn" && one.step == 0).count();
    assert_eq!(turns, 6, "a plan and an execution each, and nothing else");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_goal_that_somebody_else_set_is_left_alone() {
    let home = home().await;
    home.start_daemon().unwrap();
    let id = planned(&home, json!({})).await;
    syncs(&home, &id, "active").await;
    let thread = status(&home, &id).await["threadId"].clone();
    let frames = connect(&home.app_server().await.unwrap().address).await.unwrap();
    let (other, _incoming) =
        Link::establish(frames, common::ids::Generation(1), 8, MAX, Arc::default(), Arc::new(Live::default())).await.unwrap();
    other.request("thread/goal/set", json!({"threadId": thread, "objective": "mine", "status": "paused", "tokenBudget": 7})).await.unwrap();
    assert_eq!(status(&home, &id).await["threadGoal"]["syncState"], "external_override");
    executed(&home, &id).await;
    let goal = syncs(&home, &id, "external_override").await;
    assert_eq!((&goal["currentGoal"]["objective"], &goal["managed"]), (&json!("mine"), &json!(false)), "{goal}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_goal_is_settled_by_the_next_daemon_and_a_budget_without_a_goal_is_refused() {
    let home = home().await;
    home.start_daemon().unwrap();
    let id = planned(&home, json!({})).await;
    syncs(&home, &id, "active").await;
    home.kill_daemon().unwrap();
    home.kill_app_server().await.unwrap();
    home.start_daemon().unwrap();
    executed(&home, &id).await;
    syncs(&home, &id, "cleared").await;
    let alone = json!({"project_id": home.project, "message": "PLAN - x", "goal_token_budget": 5});
    let why = home.call("codex_start_plan_workflow", alone).await.unwrap();
    assert!(why["error"]["message"].as_str().unwrap().contains("argument goal"), "{why}");
}
