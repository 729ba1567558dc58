//! A child that speaks the app-server protocol on its pipes, for what the real one cannot be made to do.
//! `<bin> app-server` with settings (`-c`), and nothing else: no `--version`, no `--listen`. What it says it is, is in `FAKE_CODEX_AGENT`.
//! It never keeps anything on disk.

use serde_json::{Value, json};
use std::{
    io::{BufRead, Write},
    process::ExitCode,
};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let settings = |pair: &[String]| pair.len() == 2 && pair[0] == "-c";
    if arguments.first().is_none_or(|first| first != "app-server") || !arguments[1..].chunks(2).all(settings) {
        return ExitCode::from(64);
    }
    let mut threads = 0;
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
        if answer(&message, &mut threads).is_err() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn answer(message: &Value, threads: &mut u32) -> std::io::Result<()> {
    let params = &message["params"];
    let thread = params["threadId"].clone();
    match message["method"].as_str() {
        Some("initialize") => reply(message, json!({"userAgent": agent()})),
        Some("thread/start") => {
            *threads += 1;
            reply(message, json!({"thread": {"id": format!("thread-{threads}"), "status": {"type": "idle"}}}))
        }
        Some("thread/resume") => reply(message, json!({"thread": {"id": thread, "status": {"type": "idle"}}})),
        Some("turn/start") => {
            reply(message, json!({"turn": {"id": "turn-1", "status": "inProgress"}}))?;
            let said = params["input"][0]["text"].as_str().unwrap_or_default();
            item(&thread, json!({"type": "userMessage", "id": "item-1", "clientId": params["clientUserMessageId"]}))?;
            item(&thread, json!({"type": "agentMessage", "id": "item-2", "text": format!("you said: {said}")}))?;
            say(&json!({"method": "turn/completed", "params": {"threadId": thread, "turn": {"id": "turn-1", "status": "completed"}}}))
        }
        Some("turn/steer") => say(&json!({"id": message["id"], "error": {"code": -32600, "message": "no active turn to steer"}})),
        Some(_) if message.get("id").is_some() => reply(message, json!({})),
        _ => Ok(()),
    }
}

#[expect(clippy::disallowed_methods, reason = "a stand-in for another program reads its own environment")]
fn agent() -> String {
    std::env::var("FAKE_CODEX_AGENT").unwrap_or_else(|_| "something unreadable".to_owned())
}

fn item(thread: &Value, item: Value) -> std::io::Result<()> {
    say(&json!({"method": "item/completed", "params": {"threadId": thread, "turnId": "turn-1", "item": item}}))
}

fn reply(message: &Value, result: Value) -> std::io::Result<()> {
    say(&json!({"id": message["id"], "result": result}))
}

fn say(line: &Value) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    out.flush()
}
