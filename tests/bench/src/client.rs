//! An MCP client that costs next to nothing: it writes ready lines to a real shim and reads whole lines back.

use crate::home::Home;
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Stdio},
};

pub struct Client {
    child: Child,
    /// Taken when it is closed.
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    line: Vec<u8>,
    next: i64,
}

/// What clients of 2025 open with.
pub fn initialize() -> String {
    let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}});
    format!("{}\n", json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}))
}

impl Client {
    /// Starts a shim; says nothing yet.
    pub fn start(home: &Home) -> anyhow::Result<Client> {
        let mut command = home.command(&home.programs.shim);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().context("could not start the shim")?;
        let stdin = child.stdin.take();
        let stdout = BufReader::with_capacity(64 * 1024, child.stdout.take().context("no stdout")?);
        Ok(Client { child, stdin, stdout, line: Vec::new(), next: 1 })
    }

    pub fn connected(home: &Home) -> anyhow::Result<Client> {
        let mut client = Client::start(home)?;
        client.ask(initialize().as_bytes())?;
        client.tell(b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n")?;
        Ok(client)
    }

    fn tell(&mut self, line: &[u8]) -> anyhow::Result<()> {
        Ok(self.stdin.as_mut().context("closed")?.write_all(line)?)
    }

    /// One line there, one line back.
    pub fn ask(&mut self, line: &[u8]) -> anyhow::Result<&[u8]> {
        self.tell(line)?;
        self.line.clear();
        if self.stdout.read_until(b'\n', &mut self.line)? == 0 {
            bail!("the shim ended");
        }
        Ok(&self.line)
    }

    /// A whole line, for calling the same tool again and again.
    pub fn call_line(&mut self, tool: &str, arguments: &Value) -> Vec<u8> {
        self.next += 1;
        let call = json!({"jsonrpc": "2.0", "id": self.next, "method": "tools/call", "params": {"name": tool, "arguments": arguments}});
        format!("{call}\n").into_bytes()
    }

    /// The payload of a call that must succeed.
    pub fn call(&mut self, tool: &str, arguments: &Value) -> anyhow::Result<Value> {
        let line = self.call_line(tool, arguments);
        let answer: Value = serde_json::from_slice(self.ask(&line)?)?;
        let payload = answer["result"]["structuredContent"].clone();
        if payload["ok"] != json!(true) {
            bail!("{tool} failed: {answer}");
        }
        Ok(payload)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends the shim as a client does: it closes its end.
    pub fn close(mut self) -> anyhow::Result<()> {
        drop(self.stdin.take());
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // After `close` it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Arguments of a submit. A prompt that begins with HOLD is never finished by the scripted codex.
pub fn task(project: &std::path::Path, request: &str, message: &str) -> Value {
    json!({"operation_type": "start_chat", "project_id": project, "message": message, "client_request_id": request})
}

/// A prompt of this many characters that shares few words with another.
pub fn prompt(seed: usize, chars: usize) -> String {
    let mut state = seed as u64 + 1;
    let mut out = format!("task {seed}:");
    while out.len() < chars {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        out.push_str(&format!(" w{:05}", state >> 33 & 0xffff));
    }
    out.truncate(chars);
    out
}
