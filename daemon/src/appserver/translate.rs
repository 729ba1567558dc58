//! One line of the app-server, as the event it means to us. Pure: no state, no IO. A line that is not understood
//! becomes `Unknown`, never an error: the app-server is newer than we are, sooner or later.
//! Facts: PROTOCOL 2, 4, 7. Text that may be shown is redacted here; messages are kept whole.

use super::failure;
use crate::store::tables::turns::Tokens;
use common::{
    ids::*,
    safe::{Redactor, SafeText},
    time::Timestamp,
};
use domain::operation::TurnEnd;
use serde::Serialize;
use serde_json::Value;

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ChildEvent {
    ThreadStatus {
        thread: ThreadId,
        status: ThreadStatus,
    },
    TurnStarted {
        thread: ThreadId,
        turn: TurnId,
    },
    /// A user message is in the thread; `client` is the id its sender gave it.
    UserMessage {
        thread: ThreadId,
        turn: TurnId,
        client: Option<ClientMessageId>,
    },
    /// A review or a compaction has begun: what stands for our message where codex takes none.
    Marker {
        thread: ThreadId,
        turn: TurnId,
        marker: Marker,
    },
    /// A whole assistant message.
    AgentMessage {
        thread: ThreadId,
        turn: TurnId,
        item: ItemId,
        text: String,
    },
    /// A plan that codex wrote down and marked as one.
    Plan {
        thread: ThreadId,
        turn: TurnId,
        item: ItemId,
        text: String,
    },
    /// An error that codex does not try to get over. The end of the turn follows, but for a review that cannot begin.
    GaveUp {
        thread: ThreadId,
        turn: TurnId,
        text: SafeText,
        end: End,
    },
    /// What a change of files is about to do. The question whether it may does not say it again.
    Changing {
        thread: ThreadId,
        turn: TurnId,
        item: ItemId,
        changes: Value,
    },
    Progress {
        thread: ThreadId,
        turn: TurnId,
        item: Option<ItemId>,
        category: Category,
        text: SafeText,
    },
    /// Assistant text as it is written. Shown to whoever follows, never stored.
    Delta {
        thread: ThreadId,
        turn: TurnId,
        item: ItemId,
        text: String,
    },
    Tokens {
        thread: ThreadId,
        turn: TurnId,
        tokens: Tokens,
    },
    /// Something happened in the turn that says nothing but that it lives.
    SignOfLife {
        thread: ThreadId,
        turn: TurnId,
    },
    TurnEnded {
        thread: ThreadId,
        turn: TurnId,
        end: End,
    },
    Request {
        request: ServerRequestId,
        method: String,
        thread: Option<ThreadId>,
        turn: Option<TurnId>,
        item: Option<ItemId>,
        params: Value,
    },
    RequestResolved {
        request: ServerRequestId,
    },
    /// The settings of a thread as they are from now on; one of them marks a place in its queue (`fence`).
    Settings {
        thread: ThreadId,
        personality: Option<String>,
    },
    /// The provider's windows of usage: when one that is used up is reset.
    Limits {
        resets: Option<Timestamp>,
    },
    /// Known, and of no interest.
    Nothing,
    Unknown {
        method: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Marker {
    Review,
    Compaction,
}

impl Marker {
    /// The type of its item.
    pub fn item(self) -> &'static str {
        match self {
            Marker::Review => "enteredReviewMode",
            Marker::Compaction => "contextCompaction",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ThreadStatus {
    NotLoaded,
    Idle,
    Active,
    SystemError,
}

impl ThreadStatus {
    pub fn of(status: &Value) -> ThreadStatus {
        match status["type"].as_str().or(status.as_str()) {
            Some("active") => ThreadStatus::Active,
            Some("notLoaded") => ThreadStatus::NotLoaded,
            Some("systemError") => ThreadStatus::SystemError,
            _ => ThreadStatus::Idle,
        }
    }
}

/// How a turn ended, before it is known whether its process still lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    Completed,
    Failed {
        message: SafeText,
        /// What the provider had against it.
        #[serde(skip)]
        kind: failure::Kind,
    },
    Interrupted,
}

impl End {
    /// Of a `Turn` object; `None` while it runs.
    pub fn of(turn: &Value) -> Option<End> {
        match turn["status"].as_str() {
            Some("completed") => Some(End::Completed),
            Some("failed") => Some(End::failed(&turn["error"])),
            Some("interrupted") => Some(End::Interrupted),
            _ => None,
        }
    }

    fn failed(error: &Value) -> End {
        let kind = failure::kind_of(error);
        End::Failed { message: failure::with_hint(error, kind), kind }
    }

    pub fn known(self, process_gone: bool) -> TurnEnd {
        match self {
            End::Completed => TurnEnd::Completed,
            End::Failed { message, kind } => TurnEnd::Failed { code: kind.code(), message },
            End::Interrupted => TurnEnd::Interrupted { process_gone },
        }
    }
}

/// The progress categories of BEHAVIOUR 11.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    ReasoningSummary,
    PlanUpdated,
    DiffUpdated,
    ModelReroute,
    Warning,
    CommandStatus,
    ItemStatus,
}

impl Category {
    pub fn word(self) -> &'static str {
        match self {
            Category::ReasoningSummary => "reasoning_summary",
            Category::PlanUpdated => "plan_delta",
            Category::DiffUpdated => "diff_updated",
            Category::ModelReroute => "model_reroute",
            Category::Warning => "warning",
            Category::CommandStatus => "command_status",
            Category::ItemStatus => "item_status",
        }
    }
}

const TEXT_CHARS_MAX: usize = 400;

/// `message` is a notification or a request of the app-server: it has a `method`.
pub fn translate(message: &Value) -> ChildEvent {
    let method = message["method"].as_str().unwrap_or_default();
    let params = &message["params"];
    if let Some(request) = request_id(&message["id"]) {
        return ChildEvent::Request {
            request,
            method: method.to_owned(),
            thread: text(params, "threadId").map(ThreadId::new),
            turn: text(params, "turnId").map(TurnId::new),
            item: text(params, "itemId").map(ItemId::new),
            params: params.clone(),
        };
    }
    let event = match method {
        "thread/status/changed" => {
            thread(params).map(|thread| ChildEvent::ThreadStatus { thread, status: ThreadStatus::of(&params["status"]) })
        }
        "thread/settings/updated" => {
            thread(params).map(|thread| ChildEvent::Settings { thread, personality: text(&params["threadSettings"], "personality") })
        }
        "serverRequest/resolved" => request_id(&params["requestId"]).map(|request| ChildEvent::RequestResolved { request }),
        "turn/started" => in_turn(params, |thread, turn| ChildEvent::TurnStarted { thread, turn }),
        "turn/completed" => in_turn(params, |thread, turn| match End::of(&params["turn"]) {
            Some(end) => ChildEvent::TurnEnded { thread, turn, end },
            None => ChildEvent::SignOfLife { thread, turn },
        }),
        "item/completed" => in_turn(params, |thread, turn| item_completed(thread, turn, &params["item"])),
        "item/started" => in_turn(params, |thread, turn| item_started(thread, turn, &params["item"])),
        "item/agentMessage/delta" => in_turn(params, |thread, turn| ChildEvent::Delta {
            thread,
            turn,
            item: ItemId::new(text(params, "itemId").unwrap_or_default()),
            text: text(params, "delta").unwrap_or_default(),
        }),
        "thread/tokenUsage/updated" => in_turn(params, |thread, turn| ChildEvent::Tokens {
            thread,
            turn,
            tokens: serde_json::from_value(params["tokenUsage"]["total"].clone()).unwrap_or_default(),
        }),
        "turn/diff/updated" => in_turn(params, |thread, turn| {
            let diff = params["diff"].as_str().unwrap_or_default();
            let count = |sign: char, header: &str| diff.lines().filter(|l| l.starts_with(sign) && !l.starts_with(header)).count();
            let text = format!("diff: {} lines added, {} removed", count('+', "+++"), count('-', "---"));
            progress(thread, turn, None, Category::DiffUpdated, &text)
        }),
        "turn/plan/updated" => in_turn(params, |thread, turn| {
            let steps = params["plan"].as_array().map_or(0, Vec::len);
            progress(thread, turn, None, Category::PlanUpdated, &format!("checklist of {steps} steps updated"))
        }),
        "model/rerouted" => in_turn(params, |thread, turn| {
            let text = format!("model changed from {} to {}", words(&params["fromModel"]), words(&params["toModel"]));
            progress(thread, turn, None, Category::ModelReroute, &text)
        }),
        "error" if params["willRetry"] == false => in_turn(params, |thread, turn| ChildEvent::GaveUp {
            thread,
            turn,
            text: failure::sentence(&params["error"]).truncated(TEXT_CHARS_MAX).0,
            end: End::failed(&params["error"]),
        }),
        "error" => {
            in_turn(params, |thread, turn| progress(thread, turn, None, Category::Warning, failure::sentence(&params["error"]).as_str()))
        }
        "account/rateLimits/updated" => Some(limits(&params["rateLimits"])),
        "warning" | "guardianWarning" => {
            Some(match in_turn(params, |thread, turn| progress(thread, turn, None, Category::Warning, &words(&params["message"]))) {
                Some(event) => event,
                None => ChildEvent::Nothing,
            })
        }
        _ if is_sign_of_life(method) => in_turn(params, |thread, turn| ChildEvent::SignOfLife { thread, turn }),
        _ if is_of_no_interest(method) => Some(ChildEvent::Nothing),
        _ => None,
    };
    event.unwrap_or_else(|| ChildEvent::Unknown { method: method.to_owned() })
}

/// Of the account as a whole. What is not in it was not said, which does not mean that it is over. Seconds since 1970, as
/// seen with codex 0.169.0; where both windows are used up, the later one counts.
fn limits(limits: &Value) -> ChildEvent {
    let of_account = limits["limitId"].as_str().is_none_or(|id| id == "codex");
    let windows: Vec<_> = [&limits["primary"], &limits["secondary"]].into_iter().filter(|window| window["usedPercent"].is_i64()).collect();
    let used_up = windows.iter().filter(|window| window["usedPercent"].as_i64().is_some_and(|percent| percent >= 100));
    let resets = used_up.clone().filter_map(|window| window["resetsAt"].as_i64()?.checked_mul(1_000)).max().map(Timestamp);
    match (of_account && !windows.is_empty(), used_up.count(), resets) {
        (false, ..) | (true, 1.., None) => ChildEvent::Nothing,
        (true, _, resets) => ChildEvent::Limits { resets },
    }
}

fn item_completed(thread: ThreadId, turn: TurnId, item: &Value) -> ChildEvent {
    let id = ItemId::new(text(item, "id").unwrap_or_default());
    match item["type"].as_str().unwrap_or_default() {
        "userMessage" => ChildEvent::UserMessage { thread, turn, client: text(item, "clientId").map(ClientMessageId::new) },
        "agentMessage" => match text(item, "text") {
            Some(text) if !text.trim().is_empty() => ChildEvent::AgentMessage { thread, turn, item: id, text },
            _ => ChildEvent::SignOfLife { thread, turn },
        },
        "plan" => match text(item, "text") {
            Some(text) if !text.trim().is_empty() => ChildEvent::Plan { thread, turn, item: id, text },
            _ => ChildEvent::SignOfLife { thread, turn },
        },
        "enteredReviewMode" => ChildEvent::Marker { thread, turn, marker: Marker::Review },
        "commandExecution" => {
            let exit = item["exitCode"].as_i64().map(|code| format!(" (exit {code})")).unwrap_or_default();
            let text = format!("{}{exit}: {}", words(&item["status"]), words(&item["command"]));
            progress(thread, turn, Some(id), Category::CommandStatus, &text)
        }
        "reasoning" => {
            let summary: Vec<_> = item["summary"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            match summary.is_empty() {
                true => ChildEvent::SignOfLife { thread, turn },
                false => progress(thread, turn, Some(id), Category::ReasoningSummary, &summary.join(" ")),
            }
        }
        "fileChange" => {
            let files = item["changes"].as_array().map_or(0, Vec::len);
            progress(thread, turn, Some(id), Category::ItemStatus, &format!("file change {}: {files} files", words(&item["status"])))
        }
        other => progress(thread, turn, Some(id), Category::ItemStatus, &format!("{other} completed")),
    }
}

fn item_started(thread: ThreadId, turn: TurnId, item: &Value) -> ChildEvent {
    let id = ItemId::new(text(item, "id").unwrap_or_default());
    match item["type"].as_str().unwrap_or_default() {
        // Complete only at its end, which a crash may cut off.
        "contextCompaction" => ChildEvent::Marker { thread, turn, marker: Marker::Compaction },
        "commandExecution" => progress(thread, turn, Some(id), Category::CommandStatus, &format!("started: {}", words(&item["command"]))),
        "fileChange" if item["changes"].is_array() => ChildEvent::Changing { thread, turn, item: id, changes: item["changes"].clone() },
        _ => ChildEvent::SignOfLife { thread, turn },
    }
}

fn progress(thread: ThreadId, turn: TurnId, item: Option<ItemId>, category: Category, text: &str) -> ChildEvent {
    ChildEvent::Progress { thread, turn, item, category, text: Redactor.text(text).truncated(TEXT_CHARS_MAX).0 }
}

/// A whole number or a text.
fn request_id(id: &Value) -> Option<ServerRequestId> {
    (id.is_i64() || id.is_u64() || id.is_string()).then(|| ServerRequestId::new(id.to_string()))
}

fn text(params: &Value, key: &str) -> Option<String> {
    params[key].as_str().map(str::to_owned)
}

fn words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn thread(params: &Value) -> Option<ThreadId> {
    text(params, "threadId").map(ThreadId::new)
}

/// The turn is named directly, or by the turn object.
fn in_turn(params: &Value, make: impl FnOnce(ThreadId, TurnId) -> ChildEvent) -> Option<ChildEvent> {
    let turn = text(params, "turnId").or_else(|| text(&params["turn"], "id"));
    Some(make(thread(params)?, TurnId::new(turn?)))
}

fn is_sign_of_life(method: &str) -> bool {
    method.starts_with("item/") || method.starts_with("hook/") || method.starts_with("turn/")
}

fn is_of_no_interest(method: &str) -> bool {
    const NAMES: &[&str] = &[
        "configWarning",
        "deprecationNotice",
        "skills/changed",
        "remoteControl/status/changed",
        "project/changed",
        "app/list/updated",
        "command/exec/outputDelta",
        "fs/changed",
        "model/verification",
        "model/safetyBuffering/updated",
        "hook/started",
        "hook/completed",
    ];
    const FAMILIES: &[&str] = &["account/", "thread/", "process/", "mcpServer/", "fuzzyFileSearch/", "windows", "externalAgentConfig/"];
    NAMES.contains(&method) || FAMILIES.iter().any(|family| method.starts_with(family))
}
