//! Lines and bodies that are too long, too deep or no text. (A long line with its id behind is in `shim.rs`.)

use super::{code, home, message};
use serde_json::{Value, json};
use tests::mcp::Shim;

const LONG: usize = 20_000_000;

fn deep(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_cannot_be_read_is_answered_by_its_id_and_the_connection_lives_on() {
    let home = home().await;
    let mut shim = Shim::connected(&home).await.unwrap();
    let call = |id: &str, argument: &[u8]| {
        let front = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"codex_health_summary","x":"#);
        [front.as_bytes(), argument, b"}}"].concat()
    };
    let cases: [(&str, Vec<u8>, i64); 4] = [
        ("7", call("7", deep(10_000).as_bytes()), -32700),
        ("\"a\"", call("\"a\"", b"\"\xff\xfe\""), -32700),
        ("8", call("8", format!("\"{}\"", "y".repeat(LONG)).as_bytes()), -32600),
        ("null", [b"{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":\"".as_slice(), &vec![b'y'; LONG], b"\"}"].concat(), -32600),
    ];
    for (id, line, code) in cases {
        shim.send_bytes(&line).await.unwrap();
        let answer = shim.read().await.unwrap();
        let id: Value = serde_json::from_str(id).unwrap();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&id, &json!(code)), "{answer}");
        let what_to_do = answer["error"]["data"]["message"].as_str().unwrap();
        assert!(what_to_do.contains("send"), "{answer}");
        shim.request("ping", json!({})).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_too_long_or_too_deep_is_refused_with_what_to_do() {
    let home = home().await;
    home.start_daemon().unwrap();
    let mut connection = home.connection().await.unwrap();
    let limit = std::time::Duration::from_secs(60);
    for (body, says) in [
        (format!(r#"{{"operation_id": {}}}"#, deep(10_000)), "not JSON"),
        (
            json!({"operation_type": "start_chat", "project_id": home.project, "message": "y".repeat(LONG)}).to_string(),
            "put long text into a file",
        ),
    ] {
        let reply = connection.send("POST", "/v1/tools/codex_submit_task", body.into_bytes(), limit).await.unwrap();
        let payload: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(code(&payload), "INVALID_ARGUMENT", "{payload}");
        assert!(message(&payload).contains(says), "{payload}");
        connection = home.connection().await.unwrap();
    }
    home.ok("codex_health_summary", json!({})).await.unwrap();
}
