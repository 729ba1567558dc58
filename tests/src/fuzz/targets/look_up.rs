//! What the app-server reads from its rollouts for a look-up: each line of an input is the body of one answer
//! (`{"result": ..}` or `{"error": ..}`), the last one is given again and again. A look-up ends whatever it is told.

use super::{
    super::world::{GENERATION, OPERATION, THREAD, TURN, World},
    Reads,
};
use common::ids::*;
use daemon::appserver::{
    link::{Frames, Link},
    look_up::{Mark, Question, look_up},
    rpc::Incoming,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::{runtime::Runtime, sync::mpsc};

struct LookUp {
    runtime: Runtime,
    /// For as long as the link lives.
    _world: World,
    link: Arc<Link>,
    incoming: mpsc::UnboundedReceiver<Incoming>,
    server: Server,
}

/// The other end of the link.
struct Server {
    asked: mpsc::Receiver<String>,
    lines: mpsc::UnboundedSender<String>,
}

const REQUEST_MAX: Duration = Duration::from_secs(20);
/// A look-up asks for the thread, its messages, its messages again behind the fence, the items of a turn and the turns;
/// more only where an answer names a next page, and every line names one at most.
const ASKED_MORE_MAX: usize = 10;

/// One link for all inputs: the first fence on a link waits until it is calm.
pub(super) fn start() -> anyhow::Result<Box<dyn Reads>> {
    let runtime = super::runtime()?;
    let world = runtime.block_on(World::new(true))?;
    let (lines, inbox) = mpsc::unbounded_channel();
    let (out, asked) = mpsc::channel(8);
    let mut server = Server { asked, lines };
    let live = world.engine.live.clone();
    let (link, incoming) = runtime.block_on(async {
        let establishing = Link::establish(Frames { inbox, out }, GENERATION, 64, REQUEST_MAX, Default::default(), live);
        tokio::join!(establishing, server.greet()).0
    })?;
    Ok(Box::new(LookUp { runtime, _world: world, link, incoming, server }))
}

impl Reads for LookUp {
    fn read(&mut self, input: &[u8]) -> Result<(), String> {
        // What is no JSON object never gets to a waiting request.
        let bodies: Vec<&[u8]> = input.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{") && line.len() > 1).collect();
        // By chance that can be repeated.
        let (known, process_gone) = (input.len().is_multiple_of(2), input.len().is_multiple_of(3));
        let (thread, turn) = (ThreadId::new(THREAD), TurnId::new(TURN));
        let client = ClientMessageId::new(format!("codexcp:{OPERATION}"));
        let question = Question { thread: &thread, turn: known.then_some(&turn), mark: Mark::Message(&client), process_gone, before: None };
        let most = bodies.len() + ASKED_MORE_MAX;
        let ended = self.runtime.block_on(async {
            tokio::select! {
                _ = look_up(&self.link, &question) => Ok(()),
                asked = self.server.answer(&bodies, most) => Err(format!("{asked} requests for {} answers", bodies.len())),
            }
        });
        while self.incoming.try_recv().is_ok() {}
        ended
    }
}

impl Server {
    /// `initialize` is answered, `initialized` is only heard.
    async fn greet(&mut self) {
        drop(self.asked.recv().await);
        self.say("{\"id\":1,\"result\":{}}".to_owned());
        drop(self.asked.recv().await);
    }

    /// Ends when it was asked more often than `most`.
    async fn answer(&mut self, bodies: &[&[u8]], most: usize) -> usize {
        let mut count = 0;
        let mut next = bodies.iter();
        let mut body: &[u8] = b"{\"result\":{}}";
        while count <= most
            && let Some(line) = self.asked.recv().await
        {
            let Ok(asked) = serde_json::from_str::<Value>(&line) else { continue };
            let Some(id) = asked["id"].as_i64() else { continue };
            if self.fence(&asked, id) {
                continue;
            }
            count += 1;
            body = next.next().copied().unwrap_or(body);
            let rest = String::from_utf8_lossy(&body[1..]).into_owned();
            let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
            let line = format!("{{\"id\":{id}{comma}{rest}");
            // What cannot be read is dropped by the link; a request must not wait for it.
            let whole = serde_json::from_str::<Value>(&line).is_ok_and(|line| line["id"] == id && line.get("method").is_none());
            self.say(if whole { line } else { format!("{{\"id\":{id},\"result\":null}}") });
        }
        count
    }

    /// The questions that rollouts have no part in are answered as codex answers them. Whether this was one.
    fn fence(&self, asked: &Value, id: i64) -> bool {
        match asked["method"].as_str() {
            Some("thread/settings/update") => {
                let (thread, personality) = (&asked["params"]["threadId"], &asked["params"]["personality"]);
                self.say(json!({"id": id, "result": {}}).to_string());
                let params = json!({"threadId": thread, "threadSettings": {"personality": personality}});
                self.say(json!({"method": "thread/settings/updated", "params": params}).to_string());
            }
            Some("turn/steer") => {
                self.say(json!({"id": id, "error": {"code": -32600, "message": "no active turn to steer"}}).to_string());
            }
            _ => return false,
        }
        true
    }

    /// The link may be gone; what it heard is judged elsewhere.
    fn say(&self, line: String) {
        drop(self.lines.send(line));
    }
}
