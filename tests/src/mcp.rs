//! An MCP client over the real shim: JSON lines on its stdin and stdout, as an MCP client program would.

use crate::home::Home;
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::{process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

const ANSWER_MAX: Duration = Duration::from_secs(60);

pub struct Shim {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
    next: i64,
    /// Everything that came and was not the answer waited for.
    pub others: Vec<Value>,
}

impl Shim {
    /// Starts the shim; says nothing yet.
    pub fn start(home: &Home) -> anyhow::Result<Shim> {
        let mut command = Command::from(home.command(&home.programs.shim));
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().context("could not start the shim")?;
        let stdin = child.stdin.take();
        let lines = BufReader::new(child.stdout.take().context("no stdout")?).lines();
        Ok(Shim { child, stdin, lines, next: 1, others: Vec::new() })
    }

    /// With the handshake of a client of 2025-06-18.
    pub async fn connected(home: &Home) -> anyhow::Result<Shim> {
        let mut shim = Shim::start(home)?;
        let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}});
        shim.request("initialize", hello).await?;
        shim.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await?;
        Ok(shim)
    }

    pub async fn send(&mut self, message: &Value) -> anyhow::Result<()> {
        self.send_text(&message.to_string()).await
    }

    pub async fn send_text(&mut self, line: &str) -> anyhow::Result<()> {
        self.send_bytes(line.as_bytes()).await
    }

    /// A line that need not be text.
    pub async fn send_bytes(&mut self, line: &[u8]) -> anyhow::Result<()> {
        let stdin = self.stdin.as_mut().context("stdin is closed")?;
        stdin.write_all(line).await?;
        stdin.write_all(b"\n").await?;
        Ok(stdin.flush().await?)
    }

    pub async fn read(&mut self) -> anyhow::Result<Value> {
        let line = tokio::time::timeout(ANSWER_MAX, self.lines.next_line()).await.context("no line in time")??;
        let line = line.context("the shim ended")?;
        serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))
    }

    /// Sends a request without waiting.
    pub async fn ask(&mut self, method: &str, params: Value) -> anyhow::Result<i64> {
        let id = self.next;
        self.next += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await?;
        Ok(id)
    }

    /// The next line as it came, which must be the answer to this.
    pub async fn line_with(&mut self, id: i64) -> anyhow::Result<String> {
        let line = tokio::time::timeout(ANSWER_MAX, self.lines.next_line()).await.context("no line in time")??;
        let line = line.context("the shim ended")?;
        if serde_json::from_str::<Value>(&line)?["id"] != json!(id) {
            bail!("another line came first: {line}");
        }
        Ok(line)
    }

    pub async fn answer_to(&mut self, id: i64) -> anyhow::Result<Value> {
        if let Some(at) = self.others.iter().position(|one| one["id"] == json!(id)) {
            return Ok(self.others.remove(at));
        }
        loop {
            let message = self.read().await?;
            if message["id"] == json!(id) {
                return Ok(message);
            }
            self.others.push(message);
        }
    }

    pub async fn request(&mut self, method: &str, params: Value) -> anyhow::Result<Value> {
        let id = self.ask(method, params).await?;
        let answer = self.answer_to(id).await?;
        if answer.get("error").is_some() {
            bail!("{method}: {answer}");
        }
        Ok(answer["result"].clone())
    }

    /// The structured payload of a tool call.
    pub async fn tool(&mut self, name: &str, arguments: Value) -> anyhow::Result<Value> {
        let result = self.request("tools/call", json!({"name": name, "arguments": arguments})).await?;
        Ok(result["structuredContent"].clone())
    }

    /// Both ends of its pipes, for a test that reads and writes by itself; the shim lives as long as this.
    pub fn pipes(self) -> anyhow::Result<(Child, ChildStdin, Lines<BufReader<ChildStdout>>)> {
        Ok((self.child, self.stdin.context("stdin is closed")?, self.lines))
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    pub async fn kill(&mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Closes stdin and waits for the end.
    pub async fn close(mut self) -> anyhow::Result<std::process::ExitStatus> {
        drop(self.stdin.take());
        tokio::time::timeout(ANSWER_MAX, self.child.wait()).await.context("the shim did not end")?.map_err(Into::into)
    }
}
