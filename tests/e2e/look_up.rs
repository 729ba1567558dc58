//! The question on which "never twice" rests: a client died right after it wrote `turn/start`. Whenever the look-up says
//! "never given to the model", that must stay so, with the app-server alive all the time.

use super::home;
use daemon::{
    appserver::{
        Link,
        link::websocket_config,
        look_up::{Mark, Question, look_up},
        start::connect,
    },
    engine::{Done, Live},
    store::tables::app_server::{Address, Process},
};
use domain::operation::Finding;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tests::{client::id_of, home::Home};
use tokio_tungstenite::{WebSocketStream, client_async_with_config, tungstenite::Message};

const MAX: Duration = Duration::from_secs(60);
const ROUNDS: u64 = 30;

/// A client that is cut off, as a killed one is.
struct Doomed {
    socket: WebSocketStream<tokio::net::UnixStream>,
    cut: std::os::unix::net::UnixStream,
    sent: i64,
}

impl Doomed {
    async fn connect(process: &Process) -> Doomed {
        let Address::Socket(path) = &process.address else { panic!("not on a socket: {:?}", process.address) };
        let stream = std::os::unix::net::UnixStream::connect(path).unwrap();
        stream.set_nonblocking(true).unwrap();
        let cut = stream.try_clone().unwrap();
        let stream = tokio::net::UnixStream::from_std(stream).unwrap();
        let (socket, _) = client_async_with_config("ws://localhost/", stream, Some(websocket_config())).await.unwrap();
        let mut doomed = Doomed { socket, cut, sent: 0 };
        let hello = json!({"clientInfo": {"name": "doomed", "version": "1"}, "capabilities": {"experimentalApi": true}});
        doomed.request("initialize", hello).await;
        doomed.write(json!({"method": "initialized"})).await;
        doomed
    }

    async fn write(&mut self, line: Value) {
        self.socket.send(Message::text(line.to_string())).await.unwrap();
    }

    async fn request(&mut self, method: &str, params: Value) -> Value {
        self.sent += 1;
        self.write(json!({"id": self.sent, "method": method, "params": params})).await;
        loop {
            let Message::Text(text) = self.socket.next().await.unwrap().unwrap() else { continue };
            let line: Value = serde_json::from_str(text.as_str()).unwrap();
            if line["id"] == json!(self.sent) && line.get("method").is_none() {
                return line["result"].clone();
            }
        }
    }
}

async fn found_after_a_cut(home: &Home, process: &Process, round: u64) -> Finding {
    let mut doomed = Doomed::connect(process).await;
    let started = doomed.request("thread/start", json!({"cwd": home.project})).await;
    let thread = started["thread"]["id"].clone();
    doomed.request("thread/name/set", json!({"threadId": thread, "name": "a thread that is on disk"})).await;
    let input = json!([{"type": "text", "text": format!("SAY round {round}")}]);
    let start = json!({"threadId": thread, "clientUserMessageId": format!("round-{round}"), "input": input});
    doomed.write(json!({"id": 99, "method": "turn/start", "params": start})).await;
    tokio::time::sleep(Duration::from_micros(round % 3 * 300)).await;
    doomed.cut.shutdown(std::net::Shutdown::Both).unwrap();

    let frames = connect(&process.address).await.unwrap();
    let live = Arc::new(Live::default());
    let (link, _incoming) = Link::establish(frames, common::ids::Generation(1), 8, MAX, Arc::default(), live).await.unwrap();
    let (thread, client) = (serde_json::from_value(thread).unwrap(), common::ids::ClientMessageId::new(format!("round-{round}")));
    let question = Question { thread: &thread, turn: None, mark: Mark::Message(&client), process_gone: false, before: None };
    match look_up(&link, &question).await {
        Done::LookedUp { finding, .. } => finding,
        other => panic!("not looked up: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_to_be_absent_never_comes_after_all() {
    let home = home().await;
    home.start_daemon().unwrap();
    let warm = home.submit("SAY warm", "warm").await.unwrap();
    home.ended(&[warm], MAX).await.unwrap();
    let process = home.app_server().await.unwrap();
    let mut absent = Vec::new();
    for round in 0..ROUNDS {
        match found_after_a_cut(&home, &process, round).await {
            Finding::Absent => absent.push(format!("SAY round {round}")),
            Finding::ActiveUnlisted | Finding::Turn { .. } => {}
            other => panic!("a thread that has a name is on disk: {other:?}"),
        }
    }
    println!("{} of {ROUNDS} were absent", absent.len());
    // Work that came later is through, so whatever was under way is too.
    let last = json!({"operation_type": "start_chat", "project_id": home.project, "message": "SAY last"});
    let last = id_of(&home.ok("codex_submit_task", last).await.unwrap());
    home.ended(&[last], MAX).await.unwrap();
    let given: Vec<_> = home.provider.requests().into_iter().map(|one| one.prompt).filter(|one| absent.contains(one)).collect();
    assert_eq!(given, Vec::<String>::new(), "said to be absent, and given to the model after all");
}
