//! Copies of threads: bare ones, ones that go on with a message, and what cannot be copied.

use super::home;
use serde_json::{Value, json};
use std::time::Duration;
use tests::{client::id_of, home::Home};

const MAX: Duration = Duration::from_secs(120);

async fn run(home: &Home, arguments: Value) -> Value {
    let id = id_of(&home.ok("codex_submit_task", arguments).await.unwrap());
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    home.status(&id).await.unwrap()
}

/// A thread on which something was said.
async fn source(home: &Home) -> Value {
    let id = home.submit("SAY the first report", "source").await.unwrap();
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    home.status(&id).await.unwrap()["threadId"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_goes_on_from_what_was_said_and_its_source_stays_as_it_is() {
    let home = home().await;
    home.start_daemon().unwrap();
    let source = source(&home).await;
    let fork = json!({"operation_type": "fork_thread", "source_thread_id": source, "message": "SAY on the copy"});
    let copy = run(&home, fork).await;
    assert_eq!((&copy["status"], &copy["finalReport"]["text"]), (&json!("completed"), &json!("on the copy")), "{copy}");
    assert_ne!(copy["threadId"], source);
    assert_eq!((&copy["forkState"]["sourceThreadId"], &copy["forkState"]["forkedThreadId"]), (&source, &copy["threadId"]));
    let more = run(&home, json!({"operation_type": "send_message", "chat_id": source, "message": "SAY on the source"})).await;
    assert_eq!(more["status"], "completed");
    let told = |prompt: &str| home.provider.requests().into_iter().find(|one| one.prompt == prompt).unwrap().user_messages;
    assert_eq!(told("SAY on the copy"), ["SAY the first report", "SAY on the copy"]);
    assert_eq!(told("SAY on the source"), ["SAY the first report", "SAY on the source"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bare_copy_waits_for_no_slot_and_can_be_gone_on_with_after_a_crash() {
    let home = home().await;
    home.start_daemon().unwrap();
    let source = source(&home).await;
    let mut held = Vec::new();
    for n in 0..3 {
        held.push(home.submit("HOLD slots done", &format!("held{n}")).await);
        let id = held[n].as_ref().unwrap_or_else(|why| panic!("{why}"));
        home.reaches(id, "running", MAX).await.unwrap();
    }
    let arguments = json!({"operation_type": "fork_thread", "source_thread_id": source, "client_request_id": "copy"});
    let copy = run(&home, arguments.clone()).await;
    assert_eq!((&copy["status"], &copy["nextRecommendedAction"]), (&json!("completed"), &json!("read_forked_thread")), "{copy}");
    assert!(copy["threadId"].is_string() && copy["threadId"] != source, "{copy}");
    let again = home.ok("codex_submit_task", arguments).await.unwrap();
    assert_eq!((&again["idempotent"], &again["threadId"]), (&json!(true), &copy["threadId"]));
    home.provider.release("slots");
    home.kill_daemon().unwrap();
    home.kill_app_server().await.unwrap();
    home.start_daemon().unwrap();
    // Its daemon dies and codex lives: nobody hears the turn, so it is stopped before its lock is given to others.
    let writes = json!({"operation_type": "fork_thread", "source_thread_id": source, "message": "HOLD y never", "ephemeral": true,
        "sandbox": "workspace-write"});
    let unheard = id_of(&home.ok("codex_submit_task", writes).await.unwrap());
    let running = home.reaches(&unheard, "running", MAX).await.unwrap();
    home.kill_daemon().unwrap();
    home.start_daemon().unwrap();
    home.ended(std::slice::from_ref(&unheard), MAX).await.unwrap();
    assert_eq!(home.status(&unheard).await.unwrap()["status"], "unknown_after_app_server_exit");
    let frames = daemon::appserver::start::connect(&home.app_server().await.unwrap().address).await.unwrap();
    let live = std::sync::Arc::new(daemon::engine::Live::default());
    let (other, _incoming) =
        daemon::appserver::Link::establish(frames, common::ids::Generation(1), 8, MAX, Default::default(), live).await.unwrap();
    // Or it is gone from there already.
    let thread = other.request("thread/read", json!({"threadId": running["threadId"]})).await.unwrap_or_default();
    assert_ne!(thread["thread"]["status"]["type"], "active", "{thread}");
    let more = run(&home, json!({"operation_type": "send_message", "chat_id": copy["threadId"], "message": "SAY later"})).await;
    assert_eq!(more["finalReport"]["text"], "later", "{more}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_whose_daemon_dies_says_its_message_once() {
    let mut home = home().await;
    home.start_daemon().unwrap();
    let source = source(&home).await;
    home.kill_daemon().unwrap();
    for (n, point) in
        ["commit.after=2*off->1*return->off", "commit.after=3*off->1*return->off", "send.before=1*return->off", "send.after=1*return->off"]
            .into_iter()
            .enumerate()
    {
        home.set("FAILPOINTS", point);
        home.start_daemon().unwrap();
        let message = format!("SAY copy {n}");
        let arguments =
            json!({"operation_type": "fork_thread", "source_thread_id": source, "message": message, "client_request_id": message});
        drop(home.call("codex_submit_task", arguments.clone()).await);
        home.daemon_ends().unwrap();
        home.unset("FAILPOINTS");
        home.start_daemon().unwrap();
        let copy = run(&home, arguments).await;
        assert_eq!((&copy["status"], &copy["finalReport"]["text"]), (&json!("completed"), &json!(format!("copy {n}"))), "{copy}");
        let turns = home.provider.requests().into_iter().filter(|one| one.prompt == message && one.step == 0).count();
        assert_eq!(turns, 1, "{point}");
        home.kill_daemon().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_copied_is_refused_with_what_to_do() {
    let home = home().await;
    home.start_daemon().unwrap();
    let source = source(&home).await;
    let refused = async |arguments: Value| home.call("codex_submit_task", arguments).await.unwrap()["error"].clone();
    let unknown = refused(json!({"operation_type": "fork_thread", "source_thread_id": "01a00000-0000-7000-8000-000000000000"})).await;
    assert_eq!(unknown["code"], "CODEX_THREAD_NOT_FOUND", "{unknown}");
    let nothing = refused(json!({"operation_type": "fork_thread"})).await;
    assert!(nothing["message"].as_str().unwrap().contains("source_thread_id"), "{nothing}");
    for config in [
        json!({"sandbox_mode": "danger-full-access"}),
        json!({"model_providers": {"x": {"base_url": "http://elsewhere"}}}),
        json!({"model_provider": "x"}),
        json!({"model_instructions_file": "/etc/passwd"}),
        json!({"model": {"a": "b"}}),
    ] {
        let wider = refused(json!({"operation_type": "fork_thread", "source_thread_id": source, "fork_config": config})).await;
        assert!(wider["message"].as_str().unwrap().contains("fork_config"), "{wider}");
    }
    let schema = json!({"operation_type": "fork_thread", "source_thread_id": source, "output_schema": {"type": "object"}});
    assert!(refused(schema).await["message"].as_str().unwrap().contains("output_schema"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_in_memory_is_used_once_and_leaves_nothing() {
    let home = home().await;
    home.start_daemon().unwrap();
    let source = source(&home).await;
    let fork = json!({"operation_type": "fork_thread", "source_thread_id": source, "message": "SAY in passing", "ephemeral": true});
    let copy = run(&home, fork).await;
    assert_eq!((&copy["status"], &copy["finalReport"]["text"]), (&json!("completed"), &json!("in passing")), "{copy}");
    assert_eq!(copy["forkState"]["ephemeral"], true);
    // Nothing of it is on disk: what it was doing when its app-server died cannot be told, and is not said again.
    let held = json!({"operation_type": "fork_thread", "source_thread_id": source, "message": "HOLD x never", "ephemeral": true});
    let id = id_of(&home.ok("codex_submit_task", held).await.unwrap());
    home.reaches(&id, "running", MAX).await.unwrap();
    // The turn runs a moment before its model is asked (FAULTS E 12).
    home.provider.wait_for(|all| all.iter().any(|one| one.prompt == "HOLD x never"), MAX).await.unwrap();
    home.kill_app_server().await.unwrap();
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    let cut = home.status(&id).await.unwrap();
    assert_eq!(cut["status"], "unknown_after_app_server_exit", "{cut}");
    // Its daemon dies and codex lives: nobody hears the turn, so it is stopped before its lock is given to others.
    let writes = json!({"operation_type": "fork_thread", "source_thread_id": source, "message": "HOLD y never", "ephemeral": true,
        "sandbox": "workspace-write"});
    let unheard = id_of(&home.ok("codex_submit_task", writes).await.unwrap());
    let running = home.reaches(&unheard, "running", MAX).await.unwrap();
    home.kill_daemon().unwrap();
    home.start_daemon().unwrap();
    home.ended(std::slice::from_ref(&unheard), MAX).await.unwrap();
    assert_eq!(home.status(&unheard).await.unwrap()["status"], "unknown_after_app_server_exit");
    let frames = daemon::appserver::start::connect(&home.app_server().await.unwrap().address).await.unwrap();
    let live = std::sync::Arc::new(daemon::engine::Live::default());
    let (other, _incoming) =
        daemon::appserver::Link::establish(frames, common::ids::Generation(1), 8, MAX, Default::default(), live).await.unwrap();
    // Or it is gone from there already.
    let thread = other.request("thread/read", json!({"threadId": running["threadId"]})).await.unwrap_or_default();
    assert_ne!(thread["thread"]["status"]["type"], "active", "{thread}");
    let more = run(&home, json!({"operation_type": "send_message", "chat_id": copy["threadId"], "message": "SAY more"})).await;
    assert_eq!((&more["status"], &more["lastErrorCode"]), (&json!("failed"), &json!("CODEX_THREAD_NOT_FOUND")), "{more}");
    assert_eq!(home.provider.requests().iter().filter(|one| one.prompt == "HOLD x never").count(), 1);
}
