//! The wire form of one model response: the server-sent events of the OpenAI Responses API that
//! codex needs, and the timing between them.
//! It must never wait in a task of its own: the stream is driven by the connection, so that a
//! client that goes away ends every wait.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::script::{Call, Speech};

/// What happens next on a stream.
pub(super) enum Frame {
    Event(Value),
    Pause(Duration),
    Hold(String),
    /// The connection breaks off here.
    Cut,
}

/// The frames of an agent message, one delta per word.
pub(super) fn message(id: &str, speech: Speech, input_tokens: usize) -> Vec<Frame> {
    let mut frames = vec![created(id)];
    frames.extend(speech.hold.map(Frame::Hold));
    frames.push(message_added(id));
    for word in speech.text.split_inclusive(char::is_whitespace) {
        if !speech.per_word.is_zero() {
            frames.push(Frame::Pause(speech.per_word));
        }
        frames.push(delta(id, word));
    }
    frames.push(Frame::Event(json!({
        "type": "response.output_item.done",
        "output_index": 0,
        "item": message_item(id, "completed", Some(&speech.text)),
    })));
    frames.push(completed(id, input_tokens, &speech.text));
    frames
}

/// The frames of a tool call.
pub(super) fn tool_call(id: &str, call: Call, input_tokens: usize) -> Vec<Frame> {
    let call_id = format!("call_{id}");
    let (item, payload) = match call {
        Call::Function { name, arguments } => {
            let arguments = arguments.to_string();
            let item = json!({
                "type": "function_call",
                "id": format!("fc_{id}"),
                "call_id": call_id,
                "name": name,
                "arguments": arguments,
                "status": "completed",
            });
            (item, arguments)
        }
        Call::Custom { name, input } => {
            let item = json!({
                "type": "custom_tool_call",
                "id": format!("ctc_{id}"),
                "call_id": call_id,
                "name": name,
                "input": input,
                "status": "completed",
            });
            (item, input)
        }
    };
    vec![
        created(id),
        Frame::Event(json!({
            "type": "response.output_item.added", "output_index": 0, "item": item,
        })),
        Frame::Event(json!({
            "type": "response.output_item.done", "output_index": 0, "item": item,
        })),
        completed(id, input_tokens, &payload),
    ]
}

/// The frames of a reply that breaks off after its first delta.
pub(super) fn cut(id: &str) -> Vec<Frame> {
    vec![created(id), message_added(id), delta(id, "This is "), Frame::Cut]
}

/// Plays the frames as the text of a response body.
pub(super) fn play(frames: Vec<Frame>, released: watch::Receiver<HashSet<String>>) -> impl Stream<Item = io::Result<String>> + Send {
    stream::iter(frames).filter_map(move |frame| {
        let mut released = released.clone();
        async move {
            match frame {
                Frame::Event(event) => Some(Ok(text(&event))),
                Frame::Pause(time) => {
                    tokio::time::sleep(time).await;
                    None
                }
                Frame::Hold(name) => {
                    // An error means that the provider is gone; the body ends with it anyway.
                    let _ = released.wait_for(|names| names.contains(&name)).await;
                    None
                }
                Frame::Cut => {
                    // A body that is pending for a moment makes the server flush what it has;
                    // with the error at once the delta would never leave the process.
                    tokio::task::yield_now().await;
                    Some(Err(io::Error::other("cut by the script")))
                }
            }
        }
    })
}

fn text(event: &Value) -> String {
    let kind = event["type"].as_str().unwrap_or_default();
    format!("event: {kind}\ndata: {event}\n\n")
}

fn created(id: &str) -> Frame {
    Frame::Event(json!({
        "type": "response.created",
        "response": {"id": format!("resp_{id}"), "object": "response", "status": "in_progress"},
    }))
}

fn message_added(id: &str) -> Frame {
    Frame::Event(json!({
        "type": "response.output_item.added",
        "output_index": 0,
        "item": message_item(id, "in_progress", None),
    }))
}

fn message_item(id: &str, status: &str, text: Option<&str>) -> Value {
    let content: Vec<_> = text.iter().map(|text| json!({"type": "output_text", "text": text, "annotations": []})).collect();
    json!({
        "type": "message",
        "role": "assistant",
        "id": format!("msg_{id}"),
        "status": status,
        "content": content,
    })
}

fn delta(id: &str, text: &str) -> Frame {
    Frame::Event(json!({
        "type": "response.output_text.delta",
        "item_id": format!("msg_{id}"),
        "output_index": 0,
        "content_index": 0,
        "delta": text,
    }))
}

fn completed(id: &str, input_tokens: usize, output: &str) -> Frame {
    let output_tokens = tokens(output.len());
    Frame::Event(json!({
        "type": "response.completed",
        "response": {
            "id": format!("resp_{id}"),
            "object": "response",
            "status": "completed",
            "usage": {
                "input_tokens": input_tokens,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": output_tokens,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": input_tokens + output_tokens,
            },
        },
    }))
}

/// A plausible number of tokens for that many bytes of text; nobody relies on the exact figure.
pub(super) fn tokens(bytes: usize) -> usize {
    bytes / 4 + 1
}
