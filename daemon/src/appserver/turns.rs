//! The requests that begin work: a thread, a turn, a review, a compaction. What may not be repeated is sent once; whether
//! it arrived is the domain's question.

use super::{
    effects::Runner,
    fence,
    link::Link,
    look_up, params,
    profile::Profiles,
    refusal,
    rpc::{RpcError, TurnAsked},
    translate::ThreadStatus,
};
use crate::{
    engine::{Cause, Done},
    store::tables::operations::{self, Image, OperationRow, OperationType, Review},
};
use common::{error::ErrorCode, ids::*, safe::SafeText};
use domain::operation::{Operation, Refusal, Stop};
use serde_json::{Value, json};
use std::time::Duration;

impl Runner {
    pub(super) async fn start_thread(&self, link: &Link, operation: &OperationRow) -> Done {
        if let Some(refused) = self.outside_policy(operation) {
            return refused;
        }
        let profiles = match link.profiles(Some(&operation.spec.cwd)).await {
            Ok(profiles) => profiles,
            Err(error) => return refusal::classify(&error).map_or(Done::Lost, Done::Refused),
        };
        let (method, params) = params::new_thread(&operation.spec, &profiles);
        match link.request(method, params).await {
            Ok(result) => match result["thread"]["id"].as_str().map(ThreadId::new) {
                Some(thread) => {
                    // A copy is resumed before its first turn: it may hold the settings of its source. One that is kept
                    // in memory only cannot be.
                    if operation.spec.fork.as_ref().is_none_or(|fork| fork.ephemeral) {
                        link.subscribe(&thread);
                    } else if let Err(error) = link.leave(&thread).await {
                        tracing::debug!(%thread, %error, "a copy was not let go");
                    }
                    Done::ThreadCreated { thread }
                }
                None => failed(ErrorCode::SendFailed, SafeText::fixed("codex started a thread without naming it; update codex")),
            },
            Err(error) => refusal::classify(&error).map_or(Done::Lost, Done::Refused),
        }
    }

    pub(super) async fn start_turn(&self, link: &Link, operation: &OperationRow, thread: &ThreadId, fresh: bool) -> Done {
        if let Some(refused) = self.outside_policy(operation) {
            return refused;
        }
        let Some(prompt) = &operation.prompt else {
            return failed(ErrorCode::Internal, SafeText::fixed("the prompt is no longer stored; submit the task again"));
        };
        // Nobody lets go of the thread between here and its turn: what it then says would be heard by nobody.
        let _held = link.held.hold(thread).await;
        match self.ready_thread(link, operation, thread, fresh, prompt.expose()).await {
            Ok(None) => {}
            Ok(Some(refused)) => return refused,
            // Nothing was sent that could run.
            Err(error) => return Done::Refused(refusal::classify(&error).unwrap_or(Refusal::NotReady)),
        }
        if operation.spec.marker().is_some() || !fresh {
            // What the look-up after a crash goes by: no clock, which may be set.
            let after = match look_up::newest_turn(link, thread).await {
                Ok(after) => after,
                Err(error) => return Done::Refused(refusal::classify(&error).unwrap_or(Refusal::NotReady)),
            };
            if self.engine.apply(Cause::Sending { operation: operation.id.clone(), after }).await.is_err() {
                return Done::Refused(Refusal::NotReady);
            }
        }
        let profiles = match link.profiles(Some(&operation.spec.cwd)).await {
            Ok(profiles) => profiles,
            Err(error) => return Done::Refused(refusal::classify(&error).unwrap_or(Refusal::NotReady)),
        };
        if self.is_called_off(operation).await {
            return Done::Refused(Refusal::NotReady);
        }
        if let Some(review) = &operation.spec.review {
            return self.start_review(link, operation, thread, review, prompt.expose(), &profiles).await;
        }
        if operation.spec.operation_type == OperationType::CompactThread {
            return self.send_turn(link, operation, thread, "thread/compact/start", json!({"threadId": thread})).await;
        }
        let model = match self.model_of(link, operation, thread).await {
            Ok(model) => model,
            Err(error) => return Done::Refused(refusal::classify(&error).unwrap_or(Refusal::NotReady)),
        };
        let params = params::turn_start(operation, thread, prompt.expose(), self.effort.as_deref(), model.as_deref(), &profiles);
        self.send_turn(link, operation, thread, "turn/start", params).await
    }

    /// A review takes no settings with it, so those that were asked for are set first: both pass through the queue of the
    /// thread, one after the other.
    async fn start_review(
        &self,
        link: &Link,
        operation: &OperationRow,
        thread: &ThreadId,
        review: &Review,
        prompt: &str,
        profiles: &Profiles,
    ) -> Done {
        let settings = params::settings(&operation.spec, thread, self.effort.as_deref(), profiles);
        if let Err(error) = link.request("thread/settings/update", settings).await {
            return self.not_begun(link, thread, &error).await;
        }
        let params = json!({"threadId": thread, "target": params::review_target(&review.target, prompt), "delivery": "inline"});
        self.send_turn(link, operation, thread, "review/start", params).await
    }

    async fn send_turn(&self, link: &Link, operation: &OperationRow, thread: &ThreadId, method: &'static str, params: Value) -> Done {
        let limit = Duration::from_millis(u64::try_from(operation.spec.request_ms_max.0).unwrap_or(0));
        let asked = TurnAsked { operation: operation.id.clone(), thread: thread.clone() };
        link.leftovers.look(thread, &operation.spec.cwd);
        fail::fail_point!("send.before", |_| std::process::abort());
        let sent = link.rpc.request_turn(method, params, limit, asked).await;
        fail::fail_point!("send.after", |_| std::process::abort());
        match sent {
            Ok(_) => Done::Sent,
            Err(error @ RpcError::Refused { .. }) => self.not_begun(link, thread, &error).await,
            Err(RpcError::Lost | RpcError::TimedOut { .. }) => Done::Lost,
        }
    }

    /// Whether a stop was asked while all of this was made ready: nothing was sent, so nothing needs to be stopped.
    async fn is_called_off(&self, operation: &OperationRow) -> bool {
        let id = operation.id.clone();
        let now = self.reader.peek(move |tx| operations::by_id(tx, &id)).await;
        let sends = |row: &OperationRow| matches!(row.state, Operation::StartingTurn { stop: Stop::NotAsked, .. });
        !now.is_ok_and(|row| row.is_some_and(|row| sends(&row)))
    }

    /// What is refused before anything began. A thread that was loaded before the user's settings changed does not know
    /// the profile that they make now: it is left, and loaded anew with the next try.
    async fn not_begun(&self, link: &Link, thread: &ThreadId, error: &RpcError) -> Done {
        if refusal::is_unknown_profile(error) {
            link.leftovers.remove(thread);
            return match link.leave(thread).await {
                Ok(()) => Done::Refused(Refusal::NotReady),
                Err(_) => Done::Refused(Refusal::ThreadBusy),
            };
        }
        link.leftovers.remove(thread);
        if error_of_unloaded(error) {
            link.unsubscribe(thread);
        }
        Done::Refused(refusal::classify(error).unwrap_or(Refusal::NotReady))
    }

    /// On disk, subscribed to and idle: only such a thread gets a `turn/start` (ARCHITECTURE 8).
    async fn ready_thread(
        &self,
        link: &Link,
        operation: &OperationRow,
        thread: &ThreadId,
        fresh: bool,
        prompt: &str,
    ) -> Result<Option<Done>, RpcError> {
        let ephemeral = operation.spec.fork.as_ref().is_some_and(|fork| fork.ephemeral);
        if fresh && ephemeral {
            return Ok((!link.is_subscribed(thread)).then_some(Done::Refused(Refusal::ThreadGone)));
        }
        if fresh && link.is_subscribed(thread) {
            let name = params::thread_name(operation, prompt);
            link.request("thread/name/set", json!({"threadId": thread, "name": name})).await?;
            return Ok(None);
        }
        // Into a turn it would be a steer. The status lags behind, so the thread itself is asked too.
        let busy = look_up::resume(link, thread, Some(&operation.spec.cwd)).await? == ThreadStatus::Active
            || fence::has_turn(link, thread).await?;
        Ok(busy.then_some(Done::Refused(Refusal::ThreadBusy)))
    }

    /// Only a turn with a mode must name it.
    async fn model_of(&self, link: &Link, operation: &OperationRow, thread: &ThreadId) -> Result<Option<String>, RpcError> {
        match (operation.spec.mode, &operation.spec.model) {
            (None, _) => Ok(None),
            (Some(_), Some(model)) => Ok(Some(model.clone())),
            (Some(_), None) => look_up::model(link, thread).await,
        }
    }

    /// Paths were checked when the work was accepted; the disk may have changed since (ARCHITECTURE 21.20).
    pub(super) fn outside_policy(&self, operation: &OperationRow) -> Option<Done> {
        match self.policy.allowed(&operation.spec.cwd) {
            Ok(folder) if folder == operation.spec.cwd => {}
            // It would write where its locks are not.
            Ok(_) => {
                let sentence = "the folder is no longer where it was: a link was put in its place; hand the task in again";
                return Some(failed(ErrorCode::InvalidArgument, SafeText::fixed(sentence)));
            }
            Err(why) => return Some(failed(ErrorCode::InvalidArgument, why.sentence())),
        }
        // A link that was put in the place of a picture would show codex another file.
        let moved = operation.spec.images.iter().any(|image| match image {
            Image::Image { .. } => false,
            Image::LocalImage { path, .. } => self.policy.allowed_file(path).ok().as_ref() != Some(path),
        });
        let sentence = "an image beside the prompt is no longer where it was; hand the task in again";
        moved.then(|| failed(ErrorCode::InvalidArgument, SafeText::fixed(sentence)))
    }
}

fn failed(code: ErrorCode, message: SafeText) -> Done {
    Done::Refused(Refusal::Final { code, message })
}

fn error_of_unloaded(error: &RpcError) -> bool {
    matches!(error, RpcError::Refused { message, .. } if message.contains("thread not found"))
}
