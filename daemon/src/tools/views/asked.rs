//! What was asked for beside the words, as callers see it (BEHAVIOUR 10.1): schema, copy, steer, review, pictures.
//! Computed from the row; an operation without one shows none.

use super::report::FinalReport;
use crate::{
    projects::Policy,
    store::tables::operations::{Image, OperationRow, ReviewTarget},
};
use common::{
    agent_safe,
    ids::*,
    safe::{PathRef, Redactor, SafeText},
};
use domain::operation::Operation;

agent_safe! {
    pub struct Schema {
        pub provided: bool,
        pub applied: bool,
        pub source: &'static str,
        pub parse_status: &'static str,
        pub schema_hash: SafeText,
        pub schema_chars: usize,
    }

    pub struct ForkState {
        pub accepted: bool,
        pub source_thread_id: ThreadId,
        pub forked_thread_id: Option<ThreadId>,
        pub has_initial_message: bool,
        pub ephemeral: bool,
    }

    pub struct SteerState {
        /// The message is in the turn.
        pub accepted: bool,
        pub target_thread_id: ThreadId,
        pub target_turn_id: TurnId,
        pub client_user_message_id: SafeText,
    }

    pub struct ReviewState {
        pub accepted: bool,
        pub source_thread_id: Option<ThreadId>,
        pub review_thread_id: Option<ThreadId>,
        pub review_turn_id: Option<TurnId>,
        pub target: Target,
        pub delivery: &'static str,
        pub start_attempted: bool,
    }

    pub struct Target {
        #[serde(rename = "type")]
        pub kind: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub branch: Option<SafeText>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub sha: Option<SafeText>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub title: Option<SafeText>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub instructions_chars: Option<i64>,
    }

    pub struct InputItemState {
        pub provided: bool,
        pub count: usize,
        pub image_url_count: usize,
        pub local_image_count: usize,
        pub types: Vec<&'static str>,
        pub items: Vec<Item>,
    }

    pub struct Item {
        #[serde(rename = "type")]
        pub kind: &'static str,
        pub detail: Option<SafeText>,
        /// Of an address only what it is: it may hold a key.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub url_hash: Option<SafeText>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub path: Option<PathRef>,
    }
}

pub(super) fn output_schema(row: &OperationRow, report: Option<&FinalReport>) -> Option<Schema> {
    row.spec.output_schema.as_ref().map(|asked| Schema {
        provided: true,
        applied: true,
        source: "request",
        parse_status: report.map_or("pending", |report| report.structured_parse_status),
        schema_hash: Redactor.text(&asked.hash),
        schema_chars: asked.chars,
    })
}

pub(super) fn fork(row: &OperationRow) -> Option<ForkState> {
    row.spec.fork.as_ref().map(|fork| ForkState {
        accepted: true,
        source_thread_id: fork.source.clone(),
        forked_thread_id: row.thread.clone(),
        has_initial_message: row.has_message(),
        ephemeral: fork.ephemeral,
    })
}

pub(super) fn steer(row: &OperationRow) -> Option<SteerState> {
    let (turn, thread) = (row.spec.target_turn()?, row.spec.target.thread()?);
    Some(SteerState {
        accepted: matches!(row.state, Operation::Following { .. }) || (row.state.is_ended() && row.started.is_some()),
        target_thread_id: thread.clone(),
        target_turn_id: turn.clone(),
        client_user_message_id: Redactor.text(row.client_message.as_str()),
    })
}

pub(super) fn review(row: &OperationRow) -> Option<ReviewState> {
    row.spec.review.as_ref().map(|review| ReviewState {
        accepted: row.turn.is_some(),
        source_thread_id: review.source.clone(),
        review_thread_id: row.thread.clone(),
        review_turn_id: row.turn.clone(),
        target: target(&review.target, row.prompt_chars),
        delivery: if review.inline { "inline" } else { "detached" },
        start_attempted: row.attempts > 0,
    })
}

pub(crate) fn target(target: &ReviewTarget, prompt_chars: i64) -> Target {
    let none = Target { kind: "uncommittedChanges", branch: None, sha: None, title: None, instructions_chars: None };
    match target {
        ReviewTarget::UncommittedChanges => none,
        ReviewTarget::BaseBranch { branch } => Target { kind: "baseBranch", branch: Some(Redactor.text(branch)), ..none },
        ReviewTarget::Commit { sha, title } => {
            Target { kind: "commit", sha: Some(Redactor.text(sha)), title: title.as_deref().map(|title| Redactor.text(title)), ..none }
        }
        ReviewTarget::Custom => Target { kind: "custom", instructions_chars: Some(prompt_chars), ..none },
    }
}

pub(super) fn input_items(row: &OperationRow, policy: &Policy) -> Option<InputItemState> {
    let images = &row.spec.images;
    let local = images.iter().filter(|image| matches!(image, Image::LocalImage { .. })).count();
    let detail = |detail: &Option<String>| detail.as_deref().map(|text| Redactor.text(text));
    (!images.is_empty()).then(|| InputItemState {
        provided: true,
        count: images.len(),
        image_url_count: images.len() - local,
        local_image_count: local,
        types: [("image", images.len() > local), ("localImage", local > 0)]
            .into_iter()
            .filter(|(_, any)| *any)
            .map(|(kind, _)| kind)
            .collect(),
        items: images
            .iter()
            .map(|image| match image {
                Image::Image { url, detail: asked } => Item {
                    kind: "image",
                    detail: detail(asked),
                    url_hash: Some(Redactor.text(blake3::hash(url.as_bytes()).to_hex().get(..16).unwrap_or_default())),
                    path: None,
                },
                Image::LocalImage { path, detail: asked } => {
                    Item { kind: "localImage", detail: detail(asked), url_hash: None, path: Some(policy.shown(path)) }
                }
            })
            .collect(),
    })
}
