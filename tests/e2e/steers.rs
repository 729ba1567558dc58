//! Messages into turns that run: once each, proven by what the model was given, and ended with their turn.

use super::home;
use serde_json::{Value, json};
use std::time::Duration;
use tests::{client::id_of, home::Home};

const MAX: Duration = Duration::from_secs(120);

/// A turn that runs until its key is released, or until something else is said into it.
async fn held(home: &Home, key: &str) -> Value {
    let id = home.submit(&format!("HOLD {key} the first words"), key).await.unwrap();
    home.reaches(&id, "running", MAX).await.unwrap()
}

fn steer(turn: &Value, message: &str, key: &str) -> Value {
    json!({"operation_type": "steer_turn", "thread_id": turn["threadId"], "expected_turn_id": turn["turnId"], "message": message,
        "client_request_id": key})
}

async fn ended(home: &Home, operation: &Value) -> Value {
    let id = id_of(operation);
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    home.status(&id).await.unwrap()
}

/// How often the model was given these words as a message of their own.
fn given(home: &Home, words: &str) -> usize {
    let all = home.provider.requests();
    let newest = all.iter().max_by_key(|one| one.user_messages.len()).map(|one| one.user_messages.clone()).unwrap_or_default();
    newest.iter().filter(|message| *message == words).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_word_into_a_running_turn_needs_no_slot_and_ends_with_the_turn() {
    let home = home().await;
    home.start_daemon().unwrap();
    // As many as a project may have.
    let (turn, _, _) = tokio::join!(held(&home, "one"), held(&home, "two"), held(&home, "three"));
    let said = home.ok("codex_submit_task", steer(&turn, "SAY as you say", "steer")).await.unwrap();
    assert_eq!(said["operationType"], "steer_turn", "{said}");
    assert_eq!((&said["steerState"]["targetTurnId"], &said["turnId"]), (&turn["turnId"], &turn["turnId"]), "{said}");
    let again = home.ok("codex_submit_task", steer(&turn, "SAY as you say", "steer")).await.unwrap();
    assert_eq!((&again["idempotent"], &again["operationId"]), (&json!(true), &said["operationId"]));
    let (said, turn) = (ended(&home, &said).await, ended(&home, &turn).await);
    for one in [&said, &turn] {
        assert_eq!((&one["status"], &one["finalReport"]["text"]), (&json!("completed"), &json!("as you say")), "{one}");
    }
    assert_eq!((&said["steerState"]["accepted"], &said["slotState"]["claimed"]), (&json!(true), &json!(false)), "{said}");
    assert_eq!(given(&home, "SAY as you say"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_word_for_a_turn_that_cannot_take_it_is_refused_with_what_to_do() {
    let home = home().await;
    home.start_daemon().unwrap();
    let turn = held(&home, "one").await;
    let other = held(&home, "two").await;
    let refused = async |arguments: Value| home.call("codex_submit_task", arguments).await.unwrap()["error"].clone();
    let mut unknown = steer(&turn, "SAY x", "a");
    unknown["expected_turn_id"] = json!("01a00000-0000-7000-8000-000000000000");
    assert_eq!(refused(unknown).await["code"], "CODEX_TURN_NOT_FOUND");
    let mut elsewhere = steer(&turn, "SAY x", "b");
    elsewhere["thread_id"] = other["threadId"].clone();
    let why = refused(elsewhere).await;
    assert_eq!(why["code"], "INVALID_ARGUMENT");
    assert!(why["message"].as_str().unwrap().contains("another thread"), "{why}");
    let mut with_schema = steer(&turn, "SAY x", "c");
    with_schema["output_schema"] = json!({"type": "object", "properties": {}, "required": [], "additionalProperties": false});
    assert!(refused(with_schema).await["message"].as_str().unwrap().contains("output_schema"));
    home.provider.release("one");
    ended(&home, &turn).await;
    let why = refused(steer(&turn, "SAY x", "d")).await;
    assert!(why["message"].as_str().unwrap().contains("it has ended"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_interrupts_a_word_in_a_turn_interrupts_the_turn() {
    let home = home().await;
    home.start_daemon().unwrap();
    let turn = held(&home, "one").await;
    let said = home.ok("codex_submit_task", steer(&turn, "HOLD two never", "steer")).await.unwrap();
    home.reaches(&id_of(&said), "running", MAX).await.unwrap();
    let answer = home.ok("codex_interrupt_turn", json!({"operation_id": said["operationId"]})).await.unwrap();
    assert_eq!(answer["status"], "interrupted", "{answer}");
    for one in [ended(&home, &said).await, ended(&home, &turn).await] {
        assert_eq!(one["status"], "interrupted", "{one}");
        assert!(one["lastError"].as_str().unwrap().contains("on request"), "{one}");
    }
}

/// The daemon dies at each step of it: the word reaches the model once or not at all, and what is told is what happened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_word_whose_daemon_dies_is_said_once_or_truly_not_at_all() {
    let mut home = home().await;
    for (n, point) in ["steer.sending", "steer.before", "steer.after"].into_iter().enumerate() {
        home.start_daemon().unwrap();
        let key = format!("turn{n}");
        let turn = held(&home, &key).await;
        home.kill_daemon().unwrap();
        home.set("FAILPOINTS", format!("{point}=1*return->off"));
        home.start_daemon().unwrap();
        let words = format!("SAY word {n}");
        drop(home.call("codex_submit_task", steer(&turn, &words, &words)).await);
        home.daemon_ends().unwrap();
        home.unset("FAILPOINTS");
        home.start_daemon().unwrap();
        let said = home.ok("codex_submit_task", steer(&turn, &words, &words)).await.unwrap();
        if point == "steer.before" {
            // One that was never written leaves its turn as it was.
            home.provider.release(&key);
        }
        let (said, turn) = (ended(&home, &said).await, ended(&home, &turn).await);
        assert_eq!(turn["status"], "completed", "{turn}");
        let times = given(&home, &words);
        match (point, said["status"].as_str().unwrap()) {
            // Nothing can have been sent, so it is sent now.
            ("steer.sending", "completed") | ("steer.after", "completed") => {
                assert_eq!((times, &said["finalReport"]["text"]), (1, &json!(format!("word {n}"))), "{point}: {said}");
            }
            // It may have been sent, so it was not sent again; that it was not is known when the turn has ended.
            ("steer.before", "failed") => {
                assert_eq!(times, 0, "{point}: {said}");
                assert!(said["lastError"].as_str().unwrap().contains("before the message reached it"), "{said}");
            }
            (_, other) => panic!("{point}: {other}: {said}"),
        }
        home.kill_daemon().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_word_in_a_turn_whose_app_server_dies_ends_as_the_turn_does() {
    let home = home().await;
    home.start_daemon().unwrap();
    let turn = held(&home, "one").await;
    let said = home.ok("codex_submit_task", steer(&turn, "HOLD two never", "steer")).await.unwrap();
    home.reaches(&id_of(&said), "running", MAX).await.unwrap();
    home.kill_app_server().await.unwrap();
    for one in [ended(&home, &said).await, ended(&home, &turn).await] {
        assert_eq!(one["status"], "interrupted", "{one}");
        assert!(one["lastError"].as_str().unwrap().contains("app_server_exit"), "{one}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_for_a_word_in_a_turn_hears_of_the_questions_of_the_turn() {
    let home = home().await;
    home.start_daemon().unwrap();
    let turn = held(&home, "one").await;
    let said = home.ok("codex_submit_task", steer(&turn, "ESCALATE echo asked ;; SAY done", "steer")).await.unwrap();
    let id = id_of(&said);
    let waited = home.ok("codex_wait", json!({"operation_ids": [id], "mode": "all", "max_seconds": 40})).await.unwrap();
    assert_eq!((&waited["operations"][0]["pendingInteractions"], &waited["timedOut"]), (&json!(1), &json!(false)), "{waited}");
    let pending = home.ok("codex_list_pending_interactions", json!({"operation_id": id})).await.unwrap();
    assert_eq!(pending["returnedCount"], 1, "{pending}");
    assert_eq!(home.status(&id).await.unwrap()["status"], "waiting_for_approval");
    let answer = json!({"interaction_id": pending["interactions"][0]["interactionId"], "decision": "decline"});
    home.ok("codex_answer_pending_interaction", answer).await.unwrap();
    assert_eq!(ended(&home, &said).await["finalReport"]["text"], "done");
    let queue = home.ok("codex_get_queue_status", json!({})).await.unwrap();
    assert_eq!(queue["queueSummary"]["activeTurnSlots"], 0, "{queue}");
}
