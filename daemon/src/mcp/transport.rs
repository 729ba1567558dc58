//! Lines of JSON-RPC both ways, over any stream. Answers what is not a request by itself: bad JSON, a line that is
//! too long (with its id where it can be read), a wrong envelope. The connection lives on (ARCHITECTURE 21.11).

use super::id_scan::IdScan;
use common::wire::{self, LINE_BYTES_MAX};
use rmcp::{
    model::{ClientJsonRpcMessage, ClientNotification, ClientRequest, CustomRequest, ErrorCode, JsonRpcMessage, RequestId},
    service::{RoleServer, RxJsonRpcMessage, TxJsonRpcMessage},
    transport::Transport,
};
use serde_json::{Map, Value, json};
use std::{
    collections::{HashMap, hash_map::Entry},
    io,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::Instant,
};

/// What one connection may have under way, bytes: requests until their answers are written. Above it nothing more is
/// read, so a client that does not read its answers is held up itself, and nobody else.
const UNDER_WAY_BYTES_MAX: usize = 2 * LINE_BYTES_MAX;
/// Requests at once; the answer to a short line can be a megabyte long.
const IN_FLIGHT_MAX: usize = 128;
/// So each counts as at least this much.
const REQUEST_BYTES_MIN: usize = UNDER_WAY_BYTES_MAX / IN_FLIGHT_MAX;
/// What the list of tools takes while it waits to be written, with its schemas.
const LIST_BYTES: usize = 1024 * 1024;
/// Our own answers that wait to be written. Above it nothing more is read.
const REPLIES_WAITING_MAX: usize = 64;
/// From the first byte of a line to its end. A client that stops in the middle holds memory for nobody.
const LINE_WAIT_MAX: Duration = Duration::from_secs(60);
/// A line that is longer takes a place among those that all connections have together, until it is answered.
const SHORT_LINE_BYTES_MAX: usize = 64 * 1024;
/// So what all clients together can have in memory of their lines is bounded, however many connect.
const LONG_LINES_MAX: usize = 8;
static LONG_LINES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(LONG_LINES_MAX)));

pub(super) struct LineTransport<R, W> {
    read: BufReader<R>,
    line: Vec<u8>,
    /// `line` is whole and waits for room.
    whole: bool,
    /// When its first byte came.
    began: Option<Instant>,
    /// Held from the moment it is long: a place among those of all, and room of its own for the longest.
    place: Option<Room>,
    /// Whether lines may be long at all.
    long_lines: bool,
    /// The next request uses this id, which was used so often before.
    reused: Option<(RequestId, u64)>,
    /// Set while the rest of an oversized line is passed over.
    skipping: Option<IdScan>,
    ended: bool,
    write: Arc<tokio::sync::Mutex<W>>,
    /// Our own answers. `receive` may be dropped at any await, so they are not written inside it.
    replies: JoinSet<()>,
    room: Arc<Semaphore>,
    in_flight: InFlight,
}

/// What a request takes: of its own connection until its answer is written and, where it is long, of all until its answer
/// is made. A client that does not read its answers holds no place of others.
struct Room {
    own: OwnedSemaphorePermit,
    shared: Option<OwnedSemaphorePermit>,
}

type InFlight = Arc<Mutex<HashMap<RequestId, Room>>>;

/// A short line with a long answer. Who hides it in an escape waits for nothing, and is bounded like any other request.
fn asks_for_list(line: &[u8]) -> bool {
    const METHOD: &[u8] = b"\"tools/list\"";
    const LINE_BYTES_MAX_OF_LIST: usize = 4_096;
    line.len() < LINE_BYTES_MAX_OF_LIST && line.windows(METHOD.len()).any(|part| part == METHOD)
}

enum Line {
    Whole,
    TooLong(Option<RequestId>),
    Unfinished,
    /// It is long, and so were too many others.
    NoPlace,
    End,
}

impl<R, W> LineTransport<R, W>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    /// `long_lines`: a line may be as long as `LINE_BYTES_MAX`, and not only as a short one.
    pub(super) fn new(read: R, write: W, long_lines: bool) -> Self {
        LineTransport {
            read: BufReader::new(read),
            line: Vec::new(),
            began: None,
            place: None,
            long_lines,
            whole: false,
            reused: None,
            skipping: None,
            ended: false,
            write: Arc::new(tokio::sync::Mutex::new(write)),
            replies: JoinSet::new(),
            room: Arc::new(Semaphore::new(UNDER_WAY_BYTES_MAX)),
            in_flight: Arc::default(),
        }
    }

    fn refuse(&mut self, id: Option<RequestId>, code: ErrorCode, message: &str, data: Value) {
        let id = id.map_or(Value::Null, RequestId::into_json_value);
        let frame = json!({"jsonrpc": "2.0", "id": id, "error": {"code": code.0, "message": message, "data": data}});
        let write = self.write.clone();
        while self.replies.try_join_next().is_some() {}
        self.replies.spawn(async move {
            // A client that went away needs no answer.
            drop(put(&write, frame.to_string().into_bytes()).await);
        });
    }

    /// May be dropped at each await; none of them consumes anything.
    async fn next_line(&mut self) -> io::Result<Line> {
        loop {
            if self.line.len() > SHORT_LINE_BYTES_MAX && self.place.is_none() && self.long_lines {
                // First of its own, for as long as its answers are not read; then a place, which is waited for in turn.
                let cost = u32::try_from(LINE_BYTES_MAX).unwrap_or(u32::MAX);
                let Ok(own) = self.room.clone().acquire_many_owned(cost).await else { return Ok(Line::End) };
                let Ok(Ok(shared)) = tokio::time::timeout(LINE_WAIT_MAX, LONG_LINES.clone().acquire_owned()).await else {
                    return Ok(Line::NoPlace);
                };
                self.place = Some(Room { own, shared: Some(shared) });
                self.began = Some(Instant::now());
            }
            let until = self.began.map(|began| began + LINE_WAIT_MAX);
            let Some(chunk) = within(until, self.read.fill_buf()).await else { return Ok(Line::Unfinished) };
            let chunk = chunk?;
            if chunk.is_empty() {
                if !self.ended && self.skipping.is_none() && !self.line.is_empty() {
                    self.ended = true;
                    return Ok(Line::Whole);
                }
                return Ok(Line::End);
            }
            self.began.get_or_insert_with(Instant::now);
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(chunk.len(), |at| at + 1);
            let body = &chunk[..end.unwrap_or(taken)];
            if let Some(scan) = self.skipping.as_mut() {
                scan.feed(body);
            } else if self.line.len() + body.len() > if self.long_lines { LINE_BYTES_MAX } else { SHORT_LINE_BYTES_MAX } {
                let mut scan = IdScan::default();
                scan.feed(&self.line);
                scan.feed(body);
                self.line = Vec::new();
                self.place = None;
                self.skipping = Some(scan);
            } else {
                self.line.extend_from_slice(body);
            }
            self.read.consume(taken);
            if end.is_some() {
                self.began = None;
                return Ok(match self.skipping.take() {
                    Some(scan) => Line::TooLong(scan.id().and_then(|id| serde_json::from_slice(&id).ok())),
                    None => Line::Whole,
                });
            }
        }
    }

    /// One line, as at most one message for the service.
    fn accept(&mut self, line: &[u8], room: Room) -> Option<RxJsonRpcMessage<RoleServer>> {
        let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line).trim_ascii();
        if line.is_empty() {
            return None;
        }
        if wire::has_too_many_values(line) {
            let mut scan = IdScan::default();
            scan.feed(line);
            let id = scan.id().and_then(|id| serde_json::from_slice(&id).ok());
            let data = json!({"limitValues": wire::VALUES_MAX, "message": "send fewer values; long text may stay as it is"});
            self.refuse(id, ErrorCode::INVALID_REQUEST, "message has too many values", data);
            return None;
        }
        let mut frame: Map<String, Value> = match serde_json::from_slice(line) {
            Ok(Value::Object(frame)) => frame,
            Ok(_) => {
                self.refuse(
                    None,
                    ErrorCode::INVALID_REQUEST,
                    "Invalid Request",
                    json!({"message": "a message is one JSON object; batches are not part of MCP"}),
                );
                return None;
            }
            Err(error) => {
                // Nested too deep or not UTF-8: the id may be readable all the same, and whoever waits for it is told.
                let mut scan = IdScan::default();
                scan.feed(line);
                let id = scan.id().and_then(|id| serde_json::from_slice(&id).ok());
                let message = format!("{error}; send one JSON object a line, in UTF-8, nested less than 128 deep");
                self.refuse(id, ErrorCode::PARSE_ERROR, "Parse error", json!({"message": message}));
                return None;
            }
        };
        let raw_id = frame.remove("id");
        let method = match frame.remove("method") {
            Some(Value::String(method)) => method,
            Some(_) => {
                let id = raw_id.and_then(|id| serde_json::from_value(id).ok());
                self.refuse(id, ErrorCode::INVALID_REQUEST, "Invalid Request", json!({"message": "method must be a string"}));
                return None;
            }
            None => {
                // The answer to a request of ours; an answer is never answered.
                frame.extend(raw_id.map(|id| ("id".to_owned(), id)));
                return serde_json::from_value::<ClientJsonRpcMessage>(Value::Object(frame)).ok();
            }
        };
        let params = frame.remove("params").filter(|params| !params.is_null());
        match raw_id {
            None => self.notification(&method, params),
            Some(raw_id) => self.request(&method, params, raw_id, room),
        }
    }

    fn notification(&mut self, method: &str, params: Option<Value>) -> Option<RxJsonRpcMessage<RoleServer>> {
        if method == wire::REUSED_METHOD {
            let mut params = params.unwrap_or_default();
            self.reused = serde_json::from_value(params["requestId"].take()).ok().zip(params["used"].as_u64());
            return None;
        }
        let notification: ClientNotification = serde_json::from_value(call(method, params)).ok()?;
        if let ClientNotification::CancelledNotification(cancelled) = &notification
            && let Some(id) = &cancelled.params.request_id
        {
            // The answer of that call will be dropped, so its id is free.
            self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        }
        Some(JsonRpcMessage::notification(notification))
    }

    fn request(&mut self, method: &str, mut params: Option<Value>, raw_id: Value, room: Room) -> Option<RxJsonRpcMessage<RoleServer>> {
        let Ok(id) = serde_json::from_value::<RequestId>(raw_id) else {
            self.refuse(None, ErrorCode::INVALID_REQUEST, "Invalid Request", json!({"message": "id must be a string or a whole number"}));
            return None;
        };
        if params.as_ref().is_some_and(|params| !params.is_object()) {
            self.refuse(Some(id), ErrorCode::INVALID_PARAMS, "Invalid params", json!({"message": "params must be an object"}));
            return None;
        }
        if let Some((_, used)) = self.reused.take().filter(|(of, _)| *of == id) {
            let params = params.get_or_insert_with(|| json!({}));
            params["_meta"][wire::REUSED_META] = json!(used);
        }
        if method == "initialize" {
            fill_initialize(params.get_or_insert_with(|| json!({})));
        }
        // The typed requests drop what they do not know; these two are kept whole.
        let kept_whole = matches!(method, "tools/list" | "tools/call");
        let call = call(method, params);
        let request = if kept_whole {
            serde_json::from_value::<CustomRequest>(call).map(ClientRequest::CustomRequest)
        } else {
            serde_json::from_value::<ClientRequest>(call)
        };
        let request = match request {
            Ok(request) => request,
            Err(error) => {
                self.refuse(Some(id), ErrorCode::INVALID_PARAMS, "Invalid params", json!({"message": error.to_string()}));
                return None;
            }
        };
        let known = match self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).entry(id.clone()) {
            Entry::Occupied(_) => true,
            Entry::Vacant(free) => {
                free.insert(room);
                false
            }
        };
        if known {
            self.refuse(
                Some(id),
                ErrorCode::INVALID_REQUEST,
                "Invalid Request",
                json!({"message": "a request with this id is still being answered"}),
            );
            return None;
        }
        Some(JsonRpcMessage::request(request, id))
    }
}

impl<R, W> Transport<RoleServer> for LineTransport<R, W>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(&mut self, item: TxJsonRpcMessage<RoleServer>) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let answered = match &item {
            JsonRpcMessage::Response(answer) => Some(answer.id.clone()),
            JsonRpcMessage::Error(answer) => answer.id.clone(),
            JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => None,
        };
        // From now on the client may use the id again; the room is free when the answer is written.
        let room = answered.and_then(|id| self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).remove(&id));
        let write = self.write.clone();
        // What waits to be written is the line alone, not also the tree that it was made from.
        let frame = serde_json::to_vec(&item);
        async move {
            // The answer is made, so the line is no longer in memory.
            let own = room.map(|room| room.own);
            let written = put(&write, frame?).await;
            drop(own);
            written
        }
    }

    /// May be dropped at each of its awaits; what was read by then stays.
    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            while self.replies.len() >= REPLIES_WAITING_MAX {
                self.replies.join_next().await;
            }
            if self.whole {
                let least = if asks_for_list(&self.line) { LIST_BYTES } else { REQUEST_BYTES_MIN };
                let cost = u32::try_from(self.line.len().max(least)).unwrap_or(u32::MAX);
                // Never closed, and no line is longer than what there is.
                let room = match self.place.take() {
                    Some(Room { mut own, shared }) => {
                        let actual = own.split(cost as usize);
                        Room { own: actual.unwrap_or(own), shared }
                    }
                    None => Room { own: self.room.clone().acquire_many_owned(cost).await.ok()?, shared: None },
                };
                self.whole = false;
                let line = std::mem::take(&mut self.line);
                if let Some(message) = self.accept(&line, room) {
                    return Some(message);
                }
                continue;
            }
            match self.next_line().await {
                Ok(Line::Whole) => self.whole = true,
                Ok(Line::TooLong(id)) => {
                    let limit = if self.long_lines { LINE_BYTES_MAX } else { SHORT_LINE_BYTES_MAX };
                    let data = json!({"limitBytes": limit, "message": "send a shorter message; put long text into a file of the project"});
                    self.refuse(id, ErrorCode::INVALID_REQUEST, "message too large", data);
                }
                Ok(Line::Unfinished) => {
                    let message = format!("the rest of the line did not come within {LINE_WAIT_MAX:?}; connect again and send it whole");
                    self.refuse(None, ErrorCode::INVALID_REQUEST, "message not finished", json!({"message": message}));
                    (self.line, self.place) = (Vec::new(), None);
                    return None;
                }
                Ok(Line::NoPlace) => {
                    let message =
                        format!("too many clients send long messages; none had room within {LINE_WAIT_MAX:?}; connect and send it again");
                    self.refuse(None, ErrorCode::INVALID_REQUEST, "busy", json!({"message": message}));
                    self.line = Vec::new();
                    return None;
                }
                Ok(Line::End) | Err(_) => return None,
            }
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        while self.replies.join_next().await.is_some() {}
        self.write.lock().await.shutdown().await
    }
}

/// `None`: the moment came first.
async fn within<T>(until: Option<Instant>, wait: impl Future<Output = T>) -> Option<T> {
    match until {
        Some(until) => tokio::time::timeout_at(until, wait).await.ok(),
        None => Some(wait.await),
    }
}

async fn put<W: AsyncWrite + Unpin>(write: &tokio::sync::Mutex<W>, mut frame: Vec<u8>) -> io::Result<()> {
    // Nobody reads half of it as a line.
    frame = wire::one_line(frame);
    frame.push(b'\n');
    let mut write = write.lock().await;
    write.write_all(&frame).await?;
    write.flush().await
}

/// Moved, not copied: a call may be as long as a line.
fn call(method: &str, params: Option<Value>) -> Value {
    let params = params.map(|params| ("params".to_owned(), params));
    Value::Object([("method".to_owned(), json!(method))].into_iter().chain(params).collect())
}

/// Clients of the predecessor may leave out what the types demand.
fn fill_initialize(params: &mut Value) {
    if let Value::Object(params) = params {
        params.entry("protocolVersion").or_insert_with(|| json!("2024-11-05"));
        params.entry("capabilities").or_insert_with(|| json!({}));
        params.entry("clientInfo").or_insert_with(|| json!({"name": "unknown", "version": "0"}));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp::model::{EmptyObject, ServerResult};

    #[tokio::test]
    async fn a_client_that_asks_faster_than_it_is_answered_is_held_up_and_loses_nothing() {
        let lines: String = (0..IN_FLIGHT_MAX + 1).map(|n| format!("{{\"jsonrpc\":\"2.0\",\"id\":{n},\"method\":\"ping\"}}\n")).collect();
        let read = std::io::Cursor::new(lines.into_bytes());
        let mut transport = LineTransport::new(read, Vec::new(), true);
        for _ in 0..IN_FLIGHT_MAX {
            assert!(transport.receive().await.is_some());
        }
        assert!(tokio::time::timeout(Duration::from_millis(20), transport.receive()).await.is_err());
        let answer = JsonRpcMessage::response(ServerResult::EmptyResult(EmptyObject {}), RequestId::Number(0));
        transport.send(answer).await.unwrap();
        assert!(matches!(transport.receive().await, Some(JsonRpcMessage::Request(request)) if request.id == RequestId::Number(128)));
        assert!(transport.receive().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn clients_that_stop_in_the_middle_of_a_line_hold_no_more_than_there_are_places_and_not_for_ever() {
        let mut clients = Vec::new();
        for _ in 0..LONG_LINES_MAX + 4 {
            let (mut theirs, ours) = tokio::io::duplex(4 * SHORT_LINE_BYTES_MAX);
            let mut transport = LineTransport::new(ours, tokio::io::sink(), true);
            theirs.write_all(&vec![b' '; 3 * SHORT_LINE_BYTES_MAX]).await.unwrap();
            clients.push((theirs, tokio::spawn(async move { (transport.receive().await.is_none(), transport) })));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(LONG_LINES.available_permits(), 0);
        for (_theirs, client) in clients {
            assert!(client.await.unwrap().0);
        }
        assert_eq!(LONG_LINES.available_permits(), LONG_LINES_MAX);
    }

    #[tokio::test]
    async fn a_long_line_is_not_for_every_connection() {
        let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":7,{} \"method\":\"ping\"}}\n", " ".repeat(SHORT_LINE_BYTES_MAX));
        for long_lines in [true, false] {
            let (mut ours, theirs) = tokio::io::duplex(1024);
            let mut transport = LineTransport::new(std::io::Cursor::new(line.clone().into_bytes()), theirs, long_lines);
            assert_eq!(transport.receive().await.is_some(), long_lines);
            transport.close().await.unwrap();
            let mut answer = String::new();
            tokio::io::AsyncReadExt::read_to_string(&mut ours, &mut answer).await.unwrap();
            assert_eq!(answer.contains("\"id\":7") && answer.contains("65536"), !long_lines, "{answer}");
        }
    }

    #[tokio::test]
    async fn a_line_of_too_many_values_is_refused_with_its_id() {
        let line =
            format!("{{\"jsonrpc\":\"2.0\",\"method\":\"ping\",\"params\":{{\"a\":[{}1]}},\"id\":7}}\n", "1,".repeat(wire::VALUES_MAX));
        let (mut ours, theirs) = tokio::io::duplex(1024);
        let mut transport = LineTransport::new(std::io::Cursor::new(line.into_bytes()), theirs, true);
        assert!(transport.receive().await.is_none());
        transport.close().await.unwrap();
        let mut answer = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut ours, &mut answer).await.unwrap();
        assert!(answer.contains("\"id\":7") && answer.contains("too many values"), "{answer}");
    }
}
