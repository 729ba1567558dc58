//! What a caller may hand in and what it is told: idempotency, duplicates, limits, cancelling, bad input.

use super::home;
use serde_json::{Value, json};
use std::time::Duration;
use tests::{client::id_of, home::Home};

const MAX: Duration = Duration::from_secs(120);

fn chat(home: &Home, message: &str) -> Value {
    json!({"operation_type": "start_chat", "project_id": home.project, "message": message})
}

fn code(payload: &Value) -> &str {
    payload["error"]["code"].as_str().unwrap_or("none")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_request_twice_is_one_operation_also_when_both_race() {
    let home = home().await;
    home.start_daemon().unwrap();
    let mut same = chat(&home, "SAY once");
    same["client_request_id"] = json!("r");
    let calls: Vec<_> = (0..8).map(|_| home.call("codex_submit_task", same.clone())).collect();
    let answers: Vec<Value> = futures_util::future::join_all(calls).await.into_iter().map(|answer| answer.unwrap()).collect();
    let ids: std::collections::HashSet<_> = answers.iter().map(id_of).collect();
    assert_eq!(ids.len(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|one| one["idempotent"] == json!(false)).count(), 1, "exactly one was new");
    let mut other = same.clone();
    other["message"] = json!("SAY something else");
    let conflicts: Vec<_> = (0..4).map(|_| home.call("codex_submit_task", other.clone())).collect();
    for conflict in futures_util::future::join_all(conflicts).await {
        assert_eq!(code(&conflict.unwrap()), "IDEMPOTENCY_CONFLICT");
    }
    home.ended(&ids.into_iter().collect::<Vec<_>>(), MAX).await.unwrap();
    assert_eq!(home.provider.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_prompt_at_work_is_refused_and_a_similar_one_is_not() {
    let home = home().await;
    home.start_daemon().unwrap();
    let text = "HOLD gate please look at the file a.rs and say what is wrong with the error handling in it";
    let first = id_of(&home.ok("codex_submit_task", chat(&home, text)).await.unwrap());
    let again = home.call("codex_submit_task", chat(&home, &text.replace(' ', "  ").to_uppercase().replace("HOLD", "hold"))).await.unwrap();
    assert_eq!(code(&again), "CODEX_DUPLICATE_PROMPT_ACTIVE", "{again}");
    assert_eq!(again["error"]["details"]["existingOperationId"], json!(first));
    // The same words about places that have nothing to do with each other are two tasks.
    let keyed = |key: &str| {
        let mut task = chat(&home, "HOLD gate the same words");
        (task["resource_keys"], task["dedup_policy"]) = (json!([key]), json!("allow_parallel_with_resource_keys"));
        task
    };
    let one = id_of(&home.ok("codex_submit_task", keyed("src")).await.unwrap());
    let other = id_of(&home.ok("codex_submit_task", keyed("docs")).await.unwrap());
    assert_eq!(code(&home.call("codex_submit_task", keyed("SRC")).await.unwrap()), "CODEX_DUPLICATE_PROMPT_ACTIVE");
    let similar = home.ok("codex_submit_task", chat(&home, &text.replace("a.rs", "b.rs"))).await.unwrap();
    let mut anyway = chat(&home, text);
    anyway["dedup_policy"] = json!("idempotency_only");
    let anyway = id_of(&home.ok("codex_submit_task", anyway).await.unwrap());
    home.provider.release("gate");
    home.ended(&[first.clone(), id_of(&similar), anyway, one, other], MAX).await.unwrap();
    let after = home.ok("codex_submit_task", chat(&home, text)).await.unwrap();
    home.ended(&[id_of(&after)], MAX).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thread_has_one_turn_at_a_time_and_keeps_its_order() {
    let home = home().await;
    home.start_daemon().unwrap();
    let first = id_of(&home.ok("codex_submit_task", chat(&home, "SAY hello")).await.unwrap());
    home.ended(std::slice::from_ref(&first), MAX).await.unwrap();
    let thread = home.status(&first).await.unwrap()["threadId"].clone();
    let say = |text: String| json!({"operation_type": "send_message", "chat_id": thread, "message": text});
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.push(id_of(&home.ok("codex_submit_task", say(format!("HOLD gate answer number {n}"))).await.unwrap()));
    }
    let queue = home.ok("codex_get_queue_status", json!({})).await.unwrap();
    assert_eq!(queue["queueReasons"]["thread_slot_limit"], 3, "{queue}");
    home.provider.release("gate");
    home.ended(&ids, MAX).await.unwrap();
    let last = home.provider.requests().pop().unwrap();
    let said: Vec<_> = last.user_messages.iter().map(String::as_str).collect();
    assert_eq!(
        said,
        ["SAY hello", "HOLD gate answer number 0", "HOLD gate answer number 1", "HOLD gate answer number 2", "HOLD gate answer number 3"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queued_work_is_cancelled_and_running_work_interrupted() {
    let home = home().await;
    home.start_daemon().unwrap();
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(id_of(&home.ok("codex_submit_task", chat(&home, &format!("HOLD gate {n}"))).await.unwrap()));
    }
    let cancelled = home.ok("codex_interrupt_turn", json!({"operation_id": ids[4]})).await.unwrap();
    assert_eq!((&cancelled["status"], &cancelled["confirmed"]), (&json!("cancelled"), &json!(true)), "{cancelled}");
    home.reaches(&ids[0], "running", MAX).await.unwrap();
    let interrupted = home.ok("codex_interrupt_turn", json!({"operation_id": ids[0]})).await.unwrap();
    assert_eq!((&interrupted["status"], &interrupted["confirmed"]), (&json!("interrupted"), &json!(true)), "{interrupted}");
    // Stopped while its turn is only being started: never lost, whichever side is faster.
    let early = home.ok("codex_interrupt_turn", json!({"operation_id": ids[3]})).await.unwrap();
    assert_eq!(early["confirmed"], json!(true), "{early}");
    let again = home.ok("codex_interrupt_turn", json!({"operation_id": ids[0]})).await.unwrap();
    assert_eq!(again["status"], "interrupted");
    home.provider.release("gate");
    home.ended(&ids, MAX).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_is_interrupted_when_its_time_is_over() {
    let home = home().await;
    home.start_daemon().unwrap();
    let mut task = chat(&home, "HOLD never");
    task["turn_seconds_max"] = json!(1);
    let id = id_of(&home.ok("codex_submit_task", task).await.unwrap());
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    let status = home.status(&id).await.unwrap();
    assert_eq!(status["status"], "interrupted");
    assert!(status["lastError"].as_str().unwrap().contains("turn_seconds_max"), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_turn_says_why_and_a_json_report_is_parsed() {
    let home = home().await;
    home.start_daemon().unwrap();
    let failed = id_of(&home.ok("codex_submit_task", chat(&home, "FAIL 400")).await.unwrap());
    let json_report = id_of(&home.ok("codex_submit_task", chat(&home, r#"JSON {"done": true, "path": "/api/v1/users"}"#)).await.unwrap());
    let command = id_of(&home.ok("codex_submit_task", chat(&home, "SHELL echo out ;; SAY done")).await.unwrap());
    home.ended(&[failed.clone(), json_report.clone(), command.clone()], MAX).await.unwrap();
    let status = home.status(&failed).await.unwrap();
    assert_eq!(status["status"], "failed", "{status}");
    assert!(status["lastError"].as_str().is_some_and(|why| !why.is_empty()), "{status}");
    let report = &home.status(&json_report).await.unwrap()["finalReport"];
    assert_eq!(report["structured"], json!({"done": true, "path": "/api/v1/users"}), "{report}");
    let status = home.status(&command).await.unwrap();
    let categories: Vec<_> =
        status["progressEvents"].as_array().unwrap().iter().map(|one| one["category"].as_str().unwrap().to_owned()).collect();
    assert!(categories.contains(&"command_status".to_owned()), "{status}");
    let turn = home.ok("codex_get_turn_status", json!({"turn_id": status["turnId"]})).await.unwrap();
    assert_eq!((&turn["status"], turn["finalMessage"].as_str().map(str::trim)), (&json!("completed"), Some("done")), "{turn}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_arguments_are_refused_by_their_path() {
    let home = home().await;
    home.start_daemon().unwrap();
    let cases = [
        (json!({}), "operation_type"),
        (json!({"operation_type": "dance"}), "argument operation_type"),
        (json!({"operation_type": "start_chat", "message": "SAY x"}), "project_id"),
        (json!({"operation_type": "start_chat", "project_id": home.project, "message": " "}), "message"),
        (json!({"operation_type": "start_chat", "project_id": home.project, "message": "SAY x", "surprise": 1}), "surprise"),
        (
            json!({"operation_type": "start_chat", "project_id": home.project, "message": "SAY x", "turn_seconds_max": "soon"}),
            "argument turn_seconds_max",
        ),
        (
            json!({"operation_type": "start_chat", "project_id": home.project, "message": "SAY x", "priority": "urgent"}),
            "argument priority",
        ),
        (json!({"operation_type": "start_chat", "project_id": "/etc", "message": "SAY x"}), "codexcp allow DIR"),
        (json!({"operation_type": "start_chat", "project_id": home.project, "cwd": "../..", "message": "SAY x"}), "codexcp allow DIR"),
        (json!({"operation_type": "steer_turn", "message": "SAY x"}), "expected_turn_id"),
        (
            json!({"operation_type": "start_chat", "project_id": home.project, "message": "SAY x", "output_schema": {"type": "object"}}),
            "additionalProperties",
        ),
        (json!({"operation_type": "send_message", "message": "SAY x"}), "chat_id"),
    ];
    for (arguments, wanted) in cases {
        let refused = home.call("codex_submit_task", arguments.clone()).await.unwrap();
        assert_eq!(code(&refused), "INVALID_ARGUMENT", "{arguments} gave {refused}");
        assert!(refused["error"]["message"].as_str().unwrap().contains(wanted), "{wanted} not in {refused}");
    }
    let unknown =
        home.call("codex_submit_task", json!({"operation_type": "start_chat", "project_id": "nothing", "message": "SAY x"})).await.unwrap();
    assert_eq!(code(&unknown), "CODEX_PROJECT_NOT_FOUND");
    let thread = home
        .call(
            "codex_submit_task",
            json!({"operation_type": "send_message", "chat_id": "01a1fd69-6545-7ef3-b451-e4c39272cae0", "message": "SAY x"}),
        )
        .await
        .unwrap();
    assert_eq!(code(&thread), "CODEX_THREAD_NOT_FOUND", "{thread}");
    assert_eq!(code(&home.call("codex_get_turn_status", json!({"turn_id": "no"})).await.unwrap()), "CODEX_TURN_NOT_FOUND");
    assert!(home.provider.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_says_so_and_loses_nothing() {
    let home = home().await;
    let mut command = home.command(&home.programs.daemon);
    command.args(["--set", "limits.operations_live_max=3"]);
    home.start(command).unwrap();
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(id_of(&home.ok("codex_submit_task", chat(&home, &format!("HOLD gate {n}"))).await.unwrap()));
    }
    let full = home.call("codex_submit_task", chat(&home, "SAY more")).await.unwrap();
    assert_eq!((code(&full), &full["error"]["details"]["limit"]), ("CODEX_BUSY", &json!(3)), "{full}");
    home.provider.release("gate");
    home.ended(&ids, MAX).await.unwrap();
    home.ok("codex_submit_task", chat(&home, "SAY more")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_feed_has_no_gap_and_neither_it_nor_the_logs_hold_a_prompt() {
    let home = home().await;
    home.start_daemon().unwrap();
    let id = home.submit("SAY pineapple-secret-report", "one").await.unwrap();
    home.ended(&[id], MAX).await.unwrap();
    let (mut cursor, mut seen) = (0, Vec::new());
    loop {
        let page = home.ok("codex_get_events", json!({"after_cursor": cursor, "limit": 3})).await.unwrap();
        for event in page["events"].as_array().unwrap() {
            seen.push(event["cursor"].as_i64().unwrap());
            assert!(!event.to_string().contains("pineapple"), "{event}");
        }
        cursor = page["cursor"].as_i64().unwrap();
        if page["hasMore"] == json!(false) {
            break;
        }
    }
    assert_eq!(seen, (1..=seen.len() as i64).collect::<Vec<_>>());
    let only = home.ok("codex_get_events", json!({"types": ["turn.ended"]})).await.unwrap();
    assert_eq!(only["returnedCount"], 1, "{only}");
    for file in std::fs::read_dir(&home.place.logs_dir).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(!text.contains("pineapple"), "{text}");
    }
    // Nor the state, once the turn was proven; the report is a message of codex and stays.
    home.kill_daemon().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_judged_by_the_schema_that_was_asked_for() {
    let home = home().await;
    home.start_daemon().unwrap();
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": false});
    let ask = |message: &str, schema: &Value| {
        let mut task = chat(&home, message);
        task["output_schema"] = schema.clone();
        task
    };
    let fits = home.ok("codex_submit_task", ask(r#"JSON {"a": 1}"#, &schema)).await.unwrap();
    assert_eq!(fits["outputSchemaState"]["parseStatus"], "pending", "{fits}");
    let not = home.ok("codex_submit_task", ask(r#"JSON {"a": "one"}"#, &schema)).await.unwrap();
    home.ended(&[id_of(&fits), id_of(&not)], MAX).await.unwrap();
    let fits = home.status(&id_of(&fits)).await.unwrap();
    assert_eq!(
        (&fits["finalReport"]["structuredStatus"], &fits["finalReport"]["structured"]["a"]),
        (&json!("parsed"), &json!(1)),
        "{fits}"
    );
    assert_eq!(fits["finalReport"]["schemaHash"], fits["outputSchemaState"]["schemaHash"]);
    let not = home.status(&id_of(&not)).await.unwrap();
    assert_eq!(not["finalReport"]["structuredStatus"], "schema_mismatch", "{not}");
    assert!(not["finalReport"]["schemaFaults"][0].as_str().unwrap().starts_with("/a: "), "{not}");
    let refused = home.call("codex_submit_task", ask("SAY x", &json!({"type": "object", "properties": {}}))).await.unwrap();
    assert_eq!((code(&refused), &refused["error"]["details"]["path"]), ("INVALID_ARGUMENT", &json!("$")), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_of_older_versions_start_a_chat_and_say_more_on_it() {
    let home = home().await;
    home.start_daemon().unwrap();
    let start = json!({"project_id": home.project, "message": "SAY hello", "first_message_timeout_seconds": 30});
    let started = home.ok("codex_start_chat", start).await.unwrap();
    assert_eq!((&started["accepted"], &started["firstMessage"]["text"]), (&json!(true), &json!("hello")), "{started}");
    assert!(started["turnId"].is_string() && started["effectiveSandboxPolicy"] == "read-only", "{started}");
    home.ended(&[id_of(&started)], MAX).await.unwrap();
    let more = home.ok("codex_send_message", json!({"chat_id": started["chatId"], "message": "HOLD gate more"})).await.unwrap();
    assert_eq!((&more["threadId"], &more["firstMessage"]["observed"]), (&started["threadId"], &json!(false)), "{more}");
    assert_ne!(more["turnId"], started["turnId"]);
    home.provider.release("gate");
    home.ended(&[id_of(&more)], MAX).await.unwrap();
    let outside = home.call("codex_start_chat", json!({"project_id": "/etc", "message": "SAY x"})).await.unwrap();
    assert_eq!(outside["ok"], json!(false), "{outside}");
}

/// FAULTS C 25: an interrupt leaves commands running outside the sandbox, and the next writer met them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_turn_keeps_its_project_until_its_commands_are_gone() {
    let home = home().await;
    home.start_daemon().unwrap();
    let file = home.project.join("w.txt");
    let writes = |message: &str| json!({"operation_type": "start_chat", "project_id": home.project, "message": message, "sandbox": "danger-full-access", "approval_policy": "never"});
    for limit in [None, Some(3)] {
        let mut task = writes("SHELL while true; do echo one >> w.txt; sleep 0.05; done ;; SAY never");
        task["turn_seconds_max"] = json!(limit);
        task["dedup_policy"] = json!("idempotency_only");
        let first = id_of(&home.ok("codex_submit_task", task).await.unwrap());
        let until = tokio::time::Instant::now() + MAX;
        while !file.exists() {
            assert!(tokio::time::Instant::now() < until, "the command never wrote");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let second = id_of(
            &home.ok("codex_submit_task", writes(&format!("SHELL wc -c < w.txt; sleep 1; wc -c < w.txt ;; SAY {limit:?}"))).await.unwrap(),
        );
        if limit.is_none() {
            home.ok("codex_interrupt_turn", json!({"operation_id": first})).await.unwrap();
        }
        home.ended(&[first.clone(), second], MAX).await.unwrap();
        assert_eq!(home.status(&first).await.unwrap()["status"], "interrupted");
        let output = home.provider.outputs().join("");
        let sizes: Vec<&str> = output.lines().filter(|line| line.chars().all(|c| c.is_ascii_digit()) && !line.is_empty()).collect();
        assert_eq!(sizes.len(), 2, "{output}");
        assert_eq!(sizes[0], sizes[1], "the first writer still wrote");
        std::fs::remove_file(&file).unwrap();
    }
}
