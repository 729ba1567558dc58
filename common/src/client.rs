//! The way into the daemon: one connection over the local socket, spoken to in HTTP/1.1.
//! Checks who owns the other end before it sends a byte. Never starts a daemon and never retries: callers decide.

use crate::{owner, place::Place, wire};
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use interprocess::local_socket::{
    GenericFilePath, ToFsName,
    tokio::{Stream, prelude::*},
};
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("the daemon is not running (no answer at its socket); start it with `codexcp daemon start`")]
    Absent,
    #[error("the socket of the daemon belongs to another user; set CODEXCP_HOME to a folder of your own")]
    ForeignOwner,
    #[error("the connection to the daemon broke: {0}; run the command again")]
    Broken(String),
    #[error("the daemon did not answer within {0:?}; see `codexcp doctor`")]
    TimedOut(Duration),
    #[error("the daemon speaks wire version {theirs}, this program {ours}; restart the daemon with `codexcp daemon restart`")]
    Version { theirs: String, ours: &'static str },
    #[error("{0}")]
    Refused(String),
}

/// Who asks, sent with every request.
#[derive(Debug, Clone)]
pub struct Caller {
    pub program: &'static str,
    /// The shim's nonce, empty elsewhere.
    pub instance: String,
    /// Digest of the configuration variables of this process, empty where it has none.
    pub environment: String,
}

pub struct Reply {
    pub status: u16,
    pub body: Bytes,
}

pub struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    caller: Caller,
}

/// The two directions of a connection that speaks MCP lines from now on.
pub type Upgraded = TokioIo<hyper::upgrade::Upgraded>;

impl Connection {
    /// `Absent` where nobody listens; the caller may start a daemon then.
    pub async fn open(place: &Place, caller: Caller) -> Result<Connection, ClientError> {
        let name = place.daemon_socket().into_os_string();
        let name = name.to_fs_name::<GenericFilePath>().map_err(|e| ClientError::Broken(e.to_string()))?;
        let stream = Stream::connect(name).await.map_err(|error| nobody(&error))?;
        // Another user could have put a socket, or a pipe of this name, where ours is expected.
        if !owner::is_ours(&stream) {
            return Err(ClientError::ForeignOwner);
        }
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(connection.with_upgrades());
        Ok(Connection { sender, caller })
    }

    /// One request. `limit` covers the whole answer.
    pub async fn send(&mut self, method: &str, path: &str, body: Vec<u8>, limit: Duration) -> Result<Reply, ClientError> {
        let request = self.request(method, path, body)?;
        let answer = async {
            // The same connection may carry one request after the other.
            self.sender.ready().await.map_err(broken)?;
            let response = self.sender.send_request(request).await.map_err(broken)?;
            check_version(&response)?;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.map_err(broken)?.to_bytes();
            Ok(Reply { status, body })
        };
        tokio::time::timeout(limit, answer).await.map_err(|_| ClientError::TimedOut(limit))?
    }

    /// A request whose answer is a stream of lines: `each` gets one line at a time and says whether to go on.
    pub async fn lines(mut self, path: &str, mut each: impl FnMut(&[u8]) -> bool) -> Result<(), ClientError> {
        let request = self.request("GET", path, Vec::new())?;
        let response = self.sender.send_request(request).await.map_err(broken)?;
        check_version(&response)?;
        let status = response.status();
        let mut body = response.into_body();
        let mut pending = Vec::new();
        while let Some(frame) = body.frame().await {
            pending.extend_from_slice(frame.map_err(broken)?.data_ref().map_or(&[][..], |data| data));
            while status.is_success()
                && let Some(end) = pending.iter().position(|byte| *byte == b'\n')
            {
                let line: Vec<u8> = pending.drain(..=end).collect();
                if !each(&line[..end]) {
                    return Ok(());
                }
            }
        }
        if status.is_success() { Ok(()) } else { Err(ClientError::Refused(sentence(&pending))) }
    }

    /// Turns the connection into one that carries MCP lines both ways.
    pub async fn upgrade(mut self) -> Result<Upgraded, ClientError> {
        let mut request = self.request("GET", "/v1/mcp", Vec::new())?;
        request.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("upgrade"));
        request.headers_mut().insert(header::UPGRADE, header::HeaderValue::from_static(wire::MCP_UPGRADE));
        let response = self.sender.send_request(request).await.map_err(broken)?;
        check_version(&response)?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let body = response.into_body().collect().await.map_err(broken)?.to_bytes();
            return Err(ClientError::Refused(sentence(&body)));
        }
        hyper::upgrade::on(response).await.map(TokioIo::new).map_err(broken)
    }

    fn request(&self, method: &str, path: &str, body: Vec<u8>) -> Result<Request<Full<Bytes>>, ClientError> {
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "codexcp")
            .header(header::CONTENT_TYPE, "application/json")
            .header(wire::VERSION_HEADER, wire::WIRE_VERSION)
            .header(wire::PROGRAM_HEADER, self.caller.program)
            .header(wire::INSTANCE_HEADER, &self.caller.instance)
            .header(wire::ENVIRONMENT_HEADER, &self.caller.environment)
            .body(Full::new(Bytes::from(body)))
            .map_err(|e| ClientError::Broken(e.to_string()))
    }
}

/// A pipe that is there and cannot be opened is somebody's; a socket that cannot be reached is as good as none.
fn nobody(error: &std::io::Error) -> ClientError {
    if cfg!(windows) && error.kind() != std::io::ErrorKind::NotFound {
        return ClientError::Broken(format!("{error}; the pipe of the daemon is there and cannot be opened"));
    }
    ClientError::Absent
}

fn broken(error: hyper::Error) -> ClientError {
    ClientError::Broken(error.to_string())
}

fn sentence(body: &[u8]) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let message = parsed.as_ref().and_then(|v| v.pointer("/error/message")).and_then(|m| m.as_str());
    message.map_or_else(|| String::from_utf8_lossy(body).trim().to_owned(), str::to_owned)
}

fn check_version<B>(response: &hyper::Response<B>) -> Result<(), ClientError> {
    let theirs = response.headers().get(wire::VERSION_HEADER).and_then(|v| v.to_str().ok()).unwrap_or("none");
    if theirs == wire::WIRE_VERSION { Ok(()) } else { Err(ClientError::Version { theirs: theirs.to_owned(), ours: wire::WIRE_VERSION }) }
}
