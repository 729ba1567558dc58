//! What the two tools for a chat answer: the work is an operation like any other, and the caller waits for its turn. Older
//! callers know them as "start at once"; a queue that is full or held makes them wait no longer than a call may take.

use crate::{
    store::tables::{
        interactions, messages,
        operations::{self, OperationRow},
    },
    tools::{
        Cx, ToolError,
        views::{operation as view, turn, turn::MessageView, when, when_opt},
        work::submit::{self, hand_in},
    },
};
use common::{
    agent_safe,
    ids::*,
    safe::{PathRef, Redactor, SafeText},
};
use domain::{advice, interaction::Kind};
use std::time::Duration;

/// No call answers later than 45 seconds (ARCHITECTURE 21.8).
const WAIT_MAX: Duration = Duration::from_secs(40);

agent_safe! {
    pub struct Output {
        pub accepted: bool,
        pub operation_id: OperationId,
        pub project_id: ProjectId,
        pub chat_id: Option<ThreadId>,
        pub thread_id: Option<ThreadId>,
        pub turn_id: Option<TurnId>,
        pub status: &'static str,
        pub first_message: FirstMessage,
        pub latest_messages: Vec<MessageView>,
        pub effective_approval_policy: Option<&'static str>,
        pub effective_sandbox_policy: Option<&'static str>,
        pub effective_cwd: PathRef,
        pub effective_model: Option<SafeText>,
        pub app_server_generation: Option<Generation>,
        pub process_generation: Option<Generation>,
        pub started_at: Option<SafeText>,
        pub updated_at: SafeText,
        pub last_error: Option<SafeText>,
        pub next_recommended_action: &'static str,
        pub recommended_poll_after_seconds: u32,
        pub poll_recommended: bool,
    }

    /// The first whole message of the assistant, where the call waited for it.
    pub struct FirstMessage { pub observed: bool, pub timed_out: bool, pub truncated: bool, pub text: Option<SafeText> }
}

/// How long to wait for the first message, and how much of it to show.
pub(in crate::tools) struct FirstWanted {
    pub(in crate::tools) seconds: u64,
    pub(in crate::tools) chars_max: usize,
}

pub(in crate::tools) async fn run(cx: &Cx, input: submit::Input, first: FirstWanted) -> Result<Output, ToolError> {
    let (submitted, _) = hand_in(cx, input).await?;
    follow(cx, submitted.operation, first).await
}

/// Answers once the turn of the operation is under way.
pub(in crate::tools) async fn follow(cx: &Cx, operation: OperationId, first: FirstWanted) -> Result<Output, ToolError> {
    let now = tokio::time::Instant::now();
    let (for_turn, for_message) = (now + WAIT_MAX, now + Duration::from_secs(first.seconds).min(WAIT_MAX));
    let mut head = cx.engine.head();
    loop {
        head.borrow_and_update();
        let seen = look(cx, &operation).await?;
        let starting = seen.row.turn.is_none();
        let waits = !seen.row.state.is_ended() && (starting || (first.seconds > 0 && seen.first.is_none() && seen.asks.is_none()));
        let deadline = if starting { for_turn } else { for_message };
        if !waits || !matches!(tokio::time::timeout_at(deadline, head.changed()).await, Ok(Ok(()))) {
            return Ok(output(cx, &seen, &first));
        }
    }
}

struct Look {
    row: OperationRow,
    first: Option<messages::MessageRow>,
    /// What codex waits for somebody to say: the first message may be a long way off.
    asks: Option<Kind>,
}

async fn look(cx: &Cx, id: &OperationId) -> Result<Look, ToolError> {
    let id = id.clone();
    let read = cx.reader.read(move |tx| {
        let Some(row) = operations::by_id(tx, &id)? else { return Ok(None) };
        let mut said = row.turn.as_ref().map(|turn| messages::newest(tx, turn, u32::MAX)).transpose()?.unwrap_or_default();
        said.truncate(1);
        let pending = interactions::open(tx, Some(&row.id))?.into_iter().find(|one| one.state.is_pending());
        Ok(Some(Look { row, first: said.pop(), asks: pending.map(|one| one.kind()) }))
    });
    read.await?.ok_or_else(|| ToolError::internal(&"an accepted operation is not stored"))
}

fn output(cx: &Cx, seen: &Look, first: &FirstWanted) -> Output {
    let row = &seen.row;
    let advice = advice::operation(&row.state, seen.asks, None);
    let shown = seen.first.as_ref().filter(|_| first.seconds > 0).map(|message| Redactor.text(&message.text).truncated(first.chars_max));
    Output {
        accepted: true,
        operation_id: row.id.clone(),
        project_id: row.spec.project_id.clone(),
        chat_id: row.thread.clone(),
        thread_id: row.thread.clone(),
        turn_id: row.turn.clone(),
        status: advice.status,
        first_message: FirstMessage {
            observed: shown.is_some(),
            timed_out: first.seconds > 0 && shown.is_none(),
            truncated: shown.as_ref().is_some_and(|(_, truncated)| *truncated),
            text: shown.map(|(text, _)| text),
        },
        latest_messages: turn::messages(seen.first.as_slice(), first.chars_max),
        effective_approval_policy: row.spec.approval.map(view::approval_word),
        effective_sandbox_policy: row.spec.sandbox.map(view::sandbox_word),
        effective_cwd: cx.policy.shown(&row.spec.cwd),
        effective_model: row.spec.model.as_deref().map(|model| Redactor.text(model)),
        app_server_generation: row.generation,
        process_generation: row.generation,
        started_at: when_opt(row.started),
        updated_at: when(row.updated),
        last_error: view::last_error(&row.state),
        next_recommended_action: advice.next,
        recommended_poll_after_seconds: if advice.poll { 5 } else { 0 },
        poll_recommended: advice.poll,
    }
}
