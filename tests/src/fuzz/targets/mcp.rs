//! MCP: bytes of a client into the service as the endpoint runs it, tools and all. Whatever came before, a request that
//! follows is answered, every answer is JSON-RPC, and nothing is a fault of ours.

use super::{super::world::World, Reads, limit_of};
use daemon::mcp;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    runtime::Runtime,
};

pub(super) struct Mcp {
    runtime: Runtime,
    world: World,
    waited: u64,
}

/// What a pipe between two programs holds.
const PIPE_BYTES: usize = 64 * 1024;
const LAST: &[u8] = b"\n{\"jsonrpc\":\"2.0\",\"id\":\"the last one\",\"method\":\"ping\"}\n";
/// Longer answers are looked at, not parsed: the catalogue is long and always the same.
const PARSED_BYTES_MAX: usize = 8 * 1024;

pub(super) fn start() -> anyhow::Result<Box<dyn Reads>> {
    let runtime = super::runtime()?;
    let world = runtime.block_on(World::new(true))?;
    Ok(Box::new(Mcp { runtime, world, waited: 0 }))
}

impl Reads for Mcp {
    fn read(&mut self, input: &[u8]) -> Result<(), String> {
        self.world.pass();
        let cx = self.world.cx();
        let answered = self.runtime.block_on(async {
            let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
            let serving = tokio::spawn(mcp::serve(theirs, cx));
            let (read, mut write) = tokio::io::split(ours);
            let writing = async {
                // The service may end the connection before it has read all.
                drop(write.write_all(input).await);
                drop(write.write_all(LAST).await);
                drop(write.shutdown().await);
            };
            let both = async { tokio::join!(writing, answers(read)).1 };
            let answered = tokio::time::timeout(limit_of(input), both).await;
            serving.abort();
            answered
        });
        match answered {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err("a ping after the input was not answered".to_owned()),
            Ok(Err(wrong)) => Err(wrong),
            // A call may wait for work; it is the client's to ask.
            Err(_) => {
                self.waited += 1;
                Ok(())
            }
        }
    }

    fn waited(&self) -> u64 {
        self.waited
    }
}

/// Whether the last request was answered.
async fn answers(read: impl tokio::io::AsyncRead + Unpin) -> Result<bool, String> {
    let mut read = BufReader::new(read);
    let (mut line, mut last) = (Vec::new(), false);
    loop {
        line.clear();
        if read.read_until(b'\n', &mut line).await.map_err(|e| e.to_string())? == 0 {
            return Ok(last);
        }
        last |= is_answer(&line)?;
    }
}

/// Whether it is the answer to the last request.
fn is_answer(line: &[u8]) -> Result<bool, String> {
    let shown = || String::from_utf8_lossy(&line[..line.len().min(600)]).into_owned();
    if !line.ends_with(b"}\n") {
        return Err(format!("a line of the service is not whole: {}", shown()));
    }
    if line.len() > PARSED_BYTES_MAX {
        return Ok(false);
    }
    let answer: Value = serde_json::from_slice(line).map_err(|e| format!("a line of the service is not JSON ({e}): {}", shown()))?;
    if answer["jsonrpc"] != "2.0" {
        return Err(format!("a line of the service is not JSON-RPC: {}", shown()));
    }
    let ours = answer["result"]["structuredContent"]["error"]["code"] == "CODEXCP_INTERNAL";
    let theirs = answer["error"]["code"] == -32603 && answer["error"]["message"] != "cancelled";
    if ours || theirs {
        return Err(format!("an internal fault: {}", shown()));
    }
    Ok(answer["id"] == "the last one")
}
