//! HTTP bodies, paths and queries of the endpoint, over its real socket. The first line of an input is the method and
//! the path, the rest is the body. Whatever was asked, the answer is no fault of ours.

use super::{super::world::World, Reads, limit_of};
use common::client::{Caller, ClientError, Connection};
use daemon::ipc::{self, Door, Stop};
use serde_json::Value;
use tokio::{runtime::Runtime, sync::watch, task::JoinHandle};

pub(super) struct Http {
    runtime: Runtime,
    world: World,
    stop: watch::Sender<Option<Stop>>,
    serving: JoinHandle<()>,
    connection: Option<Connection>,
    waited: u64,
}

/// A client's connection keeps room for the longest body that it sent, which is not the daemon's to answer for.
const BODY_BYTES_KEPT_MAX: usize = 64 * 1024;
const CALLER: Caller = Caller { program: "codexcp", instance: String::new(), environment: String::new() };

pub(super) fn start() -> anyhow::Result<Box<dyn Reads>> {
    let runtime = super::runtime()?;
    let world = runtime.block_on(World::new(true))?;
    let (stop, serving) = serve(&runtime, &world)?;
    Ok(Box::new(Http { runtime, world, stop, serving, connection: None, waited: 0 }))
}

type Serving = (watch::Sender<Option<Stop>>, JoinHandle<()>);

fn serve(runtime: &Runtime, world: &World) -> anyhow::Result<Serving> {
    let (stop, _) = watch::channel(None);
    let door = Door {
        engine: world.engine.clone(),
        reader: world.reader.clone(),
        inventory: world.inventory.clone(),
        policy: world.policy.clone(),
        config: world.config.clone(),
        place: world.place.clone(),
        stop: stop.clone(),
    };
    let _entered = runtime.enter();
    let listening = ipc::listen(&world.place)?;
    Ok((stop, runtime.spawn(ipc::serve(listening, door))))
}

impl Reads for Http {
    fn read(&mut self, input: &[u8]) -> Result<(), String> {
        self.world.pass();
        if self.stop.borrow().is_some() {
            // It was told to stop, and did; the next one takes its place.
            self.runtime.block_on(&mut self.serving).map_err(|e| e.to_string())?;
            (self.stop, self.serving) = serve(&self.runtime, &self.world).map_err(|e| e.to_string())?;
            self.connection = None;
        }
        let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
        let (head, body) = (&input[..end], input.get(end + 1..).unwrap_or_default());
        let (method, path) = match head.strip_prefix(b"GET ") {
            Some(path) => ("GET", path),
            None => ("POST", head.strip_prefix(b"POST ").unwrap_or(head)),
        };
        let path = uri(path);
        let sent = self.runtime.block_on(async {
            // The daemon may have closed it, after a body that it did not want to read for example.
            if let Some(mut open) = self.connection.take()
                && let Ok(reply) = open.send(method, &path, body.to_vec(), limit_of(input)).await
            {
                self.connection = Some(open).filter(|_| body.len() <= BODY_BYTES_KEPT_MAX);
                return Ok(reply);
            }
            let mut fresh = Connection::open(&self.world.place, CALLER).await?;
            let reply = fresh.send(method, &path, body.to_vec(), limit_of(input)).await?;
            self.connection = Some(fresh).filter(|_| body.len() <= BODY_BYTES_KEPT_MAX);
            Ok(reply)
        });
        match sent {
            Ok(reply) => check(reply.status, &reply.body),
            Err(ClientError::TimedOut(_)) => {
                self.waited += 1;
                Ok(())
            }
            // It is refused before it is read; the client hears of it as a broken pipe.
            Err(ClientError::Broken(_)) if body.len() > common::wire::BODY_BYTES_MAX => Ok(()),
            Err(error) => Err(format!("no answer to {method} {path}: {error}")),
        }
    }

    fn waited(&self) -> u64 {
        self.waited
    }
}

/// Percent-encoded where it has to be, as every client would.
fn uri(path: &[u8]) -> String {
    const PATH_BYTES_MAX: usize = 2_000;
    let mut out = String::from("/");
    for byte in path.strip_prefix(b"/").unwrap_or(path).iter().take(PATH_BYTES_MAX) {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'?' | b'=' | b'&' | b'%' | b'-' | b'_' | b'.' | b'~' | b'+' => {
                out.push(char::from(*byte))
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

fn check(status: u16, body: &[u8]) -> Result<(), String> {
    let shown = || String::from_utf8_lossy(&body[..body.len().min(600)]).into_owned();
    if status >= 500 && status != 503 && status != 504 {
        return Err(format!("status {status}: {}", shown()));
    }
    const PARSED_BYTES_MAX: usize = 8 * 1024;
    if !body.starts_with(b"{") || body.len() > PARSED_BYTES_MAX || body.contains(&b'\n') {
        return Ok(());
    }
    let answer: Value = serde_json::from_slice(body).map_err(|e| format!("the answer is not JSON ({e}): {}", shown()))?;
    if answer["error"]["code"] == "CODEXCP_INTERNAL" {
        return Err(format!("an internal fault: {}", shown()));
    }
    Ok(())
}
