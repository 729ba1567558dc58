//! A turn as callers see it (BEHAVIOUR 11), and its progress.

use super::{
    interaction::{self, InteractionView},
    when, when_opt,
};
use crate::store::tables::{
    events::EventRow,
    interactions::InteractionRow,
    messages::MessageRow,
    operations::OperationRow,
    turns::{Tokens, TurnRow, TurnStatus},
};
use common::{
    agent_safe,
    ids::*,
    safe::{Redactor, SafeJson, SafeText},
    time::Timestamp,
};

agent_safe! {
    pub struct TurnView {
        pub turn_id: TurnId,
        pub thread_id: ThreadId,
        pub chat_id: ThreadId,
        pub operation_id: OperationId,
        pub project_id: ProjectId,
        pub status: &'static str,
        pub completion_observed: bool,
        pub terminal_evidence: Option<Evidence>,
        pub started_at: SafeText,
        pub updated_at: SafeText,
        pub completed_at: Option<SafeText>,
        pub latest_messages: Vec<MessageView>,
        pub has_more: bool,
        pub last_event_seq: Cursor,
        pub process_generation: Generation,
        pub app_server_generation: Generation,
        pub last_error: Option<SafeText>,
        pub final_message: Option<SafeText>,
        pub plans: Vec<SafeJson>,
        pub latest_plan: Option<SafeJson>,
        pub pending_interactions: Vec<InteractionView>,
        pub source: &'static str,
        pub staleness_seconds: i64,
        /// When the watchdog found the turn silent; it may still live.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub stalled_at: Option<SafeText>,
        pub progress_events: Vec<ProgressView>,
        pub progress_event_count: usize,
        pub latest_progress_at: Option<SafeText>,
        pub token_usage: Option<TokenBands>,
        pub status_contract: super::operation::Contract,
    }

    pub struct Evidence {
        pub trusted: bool,
        pub source: &'static str,
        pub method: &'static str,
        pub observed_at: Option<SafeText>,
    }

    pub struct MessageView {
        pub role: &'static str,
        pub created_at: SafeText,
        pub item_id: ItemId,
        pub sequence: i64,
        pub text: SafeText,
        pub truncated: bool,
    }

    pub struct ProgressView {
        pub id: Cursor,
        pub event_type: SafeText,
        pub category: Option<SafeText>,
        pub severity: &'static str,
        pub item_id: Option<SafeText>,
        pub created_at: SafeText,
        pub text: SafeText,
        pub truncated: bool,
    }

    pub struct TokenBands {
        pub available: bool,
        pub precision: &'static str,
        pub total_tokens_band: &'static str,
        pub input_tokens_band: &'static str,
        pub output_tokens_band: &'static str,
    }
}

/// What a turn's view is made of, read in one snapshot.
pub(crate) struct TurnParts {
    pub(crate) turn: TurnRow,
    pub(crate) operation: OperationRow,
    pub(crate) messages: Vec<MessageRow>,
    pub(crate) progress: Vec<EventRow>,
    pub(crate) pending: Vec<InteractionRow>,
    pub(crate) head: Cursor,
}

pub(crate) fn view(parts: &TurnParts, message_chars_max: usize, progress_chars_max: usize, now: Timestamp) -> TurnView {
    let TurnParts { turn, operation, .. } = parts;
    let ended = turn.status != TurnStatus::Running;
    let progress: Vec<_> = parts.progress.iter().map(|event| progress(event, progress_chars_max)).collect();
    TurnView {
        turn_id: turn.id.clone(),
        thread_id: turn.thread.clone(),
        chat_id: turn.thread.clone(),
        operation_id: operation.id.clone(),
        project_id: operation.spec.project_id.clone(),
        status: status_word(turn, &parts.pending),
        completion_observed: ended && turn.status != TurnStatus::Unknown,
        terminal_evidence: ended.then(|| Evidence {
            trusted: turn.status != TurnStatus::Unknown,
            source: "app_server",
            method: "turn_lifecycle_event",
            observed_at: when_opt(turn.ended),
        }),
        started_at: when(turn.started),
        updated_at: when(turn.ended.unwrap_or(turn.heard)),
        completed_at: when_opt(turn.ended),
        latest_messages: messages(&parts.messages, message_chars_max),
        has_more: parts.messages.first().is_some_and(|first| first.ordinal > 1),
        last_event_seq: parts.head,
        process_generation: turn.generation,
        app_server_generation: turn.generation,
        last_error: turn.error.clone(),
        final_message: parts
            .messages
            .last()
            .filter(|_| turn.status == TurnStatus::Completed)
            .map(|m| Redactor.text(&m.text).truncated(message_chars_max).0),
        plans: Vec::new(),
        latest_plan: None,
        pending_interactions: parts.pending.iter().filter(|one| one.state.is_pending()).map(interaction::view).collect(),
        source: if ended { "storage" } else { "live" },
        staleness_seconds: (now - turn.ended.unwrap_or(turn.heard)).0.max(0) / 1000,
        stalled_at: when_opt(turn.stalled),
        progress_event_count: progress.len(),
        latest_progress_at: progress.last().map(|one| one.created_at.clone()),
        progress_events: progress,
        token_usage: turn.tokens.map(bands),
        status_contract: super::operation::Contract { version: "status-v2", surface: "turn_status" },
    }
}

fn status_word(turn: &TurnRow, pending: &[InteractionRow]) -> &'static str {
    use domain::interaction::Kind;
    let first = pending.iter().find(|one| one.state.is_pending()).map(InteractionRow::kind);
    match (turn.status, first) {
        (TurnStatus::Running, Some(Kind::UserInput | Kind::Elicitation)) => "waiting_for_user_input",
        (TurnStatus::Running, Some(Kind::Approval | Kind::Permissions)) => "waiting_for_approval",
        (status, _) => status.word(),
    }
}

pub(crate) fn messages(rows: &[MessageRow], chars_max: usize) -> Vec<MessageView> {
    let view = |row: &MessageRow| {
        let (text, truncated) = Redactor.text(&row.text).truncated(chars_max);
        MessageView { role: "assistant", created_at: when(row.at), item_id: row.item.clone(), sequence: row.ordinal, text, truncated }
    };
    rows.iter().map(view).collect()
}

pub(crate) fn progress(event: &EventRow, chars_max: usize) -> ProgressView {
    let (text, truncated) = Redactor.text(event.body["text"].as_str().unwrap_or_default()).truncated(chars_max);
    ProgressView {
        id: event.cursor,
        event_type: Redactor.text(&event.kind),
        category: event.category.as_deref().map(|c| Redactor.text(c)),
        severity: if event.category.as_deref() == Some("warning") { "warning" } else { "info" },
        item_id: event.body["itemId"].as_str().map(|id| Redactor.text(id)),
        created_at: when(event.at),
        text,
        truncated,
    }
}

/// Coarse on purpose: exact counts identify accounts (BEHAVIOUR 11).
pub(crate) fn bands(tokens: Tokens) -> TokenBands {
    let band = |n: i64| match n {
        ..=0 => "0",
        1..1_000 => "<1k",
        1_000..10_000 => "1k-10k",
        10_000..100_000 => "10k-100k",
        100_000..1_000_000 => "100k-1m",
        1_000_000.. => "1m+",
    };
    TokenBands {
        available: true,
        precision: "coarse",
        total_tokens_band: band(tokens.total_tokens),
        input_tokens_band: band(tokens.input_tokens),
        output_tokens_band: band(tokens.output_tokens),
    }
}
