//! Questions of the app-server: raised, answered, delivered, withdrawn. An unknown kind of request is declined at
//! once and recorded; nothing is left without an answer.

use super::{apply::Apply, cause::EngineError};
use crate::store::{
    StoreError,
    tables::{
        effects,
        interactions::{self, InteractionRow},
        operations,
    },
};
use common::{
    agent_safe,
    error::ErrorCode,
    ids::*,
    safe::{Redactor, SafeMap, SafeText},
};
use domain::{
    effect::Effect,
    interaction::{AnsweredBy, Event, Interaction, Kind},
};
use serde_json::{Value, json};

agent_safe! {
    /// Body of `interaction.raised` and `interaction.settled`.
    struct Changed { kind: &'static str, status: &'static str, method: SafeText }
}

/// Ids of one thing asked.
pub(super) type Where = (Option<ThreadId>, Option<TurnId>, Option<ItemId>);

impl Apply<'_> {
    pub(super) fn interaction_raised(
        &self,
        generation: Generation,
        request: ServerRequestId,
        method: String,
        (thread, turn, item): Where,
        mut params: Value,
    ) -> Result<(), StoreError> {
        if let Some(known) = interactions::by_request(self.tx, generation, &request)? {
            // Sent again after a resume, so the answer did not arrive. One that we have ready is delivered on this connection.
            return match known.state {
                Interaction::Answering { .. } if known.response.is_some() || self.live.secret(&known.id).is_some() => {
                    self.deliver(&known.id, known.operation.as_ref())
                }
                Interaction::Answering { .. } => self.ask_again(known),
                Interaction::Pending { .. } | Interaction::Settled { .. } => Ok(()),
            };
        }
        let operation = match (&thread, &turn) {
            (Some(thread), Some(turn)) => self.owner(thread, turn)?,
            (Some(thread), None) => operations::holder_of_thread(self.tx, thread)?,
            (None, _) => None,
        };
        if let Some(changes) = turn.as_ref().zip(item.as_ref()).and_then(|(turn, item)| self.live.changes(turn, item)) {
            changes.put_into(&mut params);
        }
        let mut one = InteractionRow {
            id: id_of(generation, &request),
            operation: operation.as_ref().map(|row| row.id.clone()),
            thread,
            turn,
            item,
            generation,
            request,
            method,
            params,
            response: None,
            answer_digest: None,
            state: Interaction::Pending { expires: self.rules.approval_wait_max.map(|limit| self.now + limit) },
            created: self.now,
            settled: None,
        };
        if one.kind() == Kind::Unknown {
            tracing::warn!(method = %Redactor.text(&one.method), "unknown request of the app-server declined");
            one.response = Some(json!({"error": {"code": -32601, "message": "this client does not answer this kind of request"}}));
            one.state = Interaction::Answering { by: AnsweredBy::Unknown };
            interactions::put(self.tx, &one)?;
            self.deliver(&one.id, one.operation.as_ref())?;
        } else {
            interactions::put(self.tx, &one)?;
        }
        self.interaction_event("interaction.raised", &one)?;
        match self.rule_for(&one, operation.as_ref())? {
            Some(decision) => self.answer_ourselves(&one, json!({"decision": decision.word()}), AnsweredBy::Rule),
            None => Ok(()),
        }
    }

    pub(super) fn interaction_resolved(&self, generation: Generation, request: &ServerRequestId) -> Result<(), StoreError> {
        match interactions::by_request(self.tx, generation, request)? {
            Some(one) => self.step_interaction(one, Event::Delivered),
            None => Ok(()),
        }
    }

    pub(super) fn answer(&self, id: &InteractionId, response: Value, by: AnsweredBy) -> Result<(), EngineError> {
        let unavailable = |status: &'static str| EngineError::Rejected {
            code: ErrorCode::InteractionUnavailable,
            message: SafeText::fixed("could not answer: the interaction is no longer pending; look at the operation's status"),
            details: SafeMap::default().with("interactionId", id.clone()).with("status", status),
        };
        let Some(mut one) = interactions::by_id(self.tx, id)? else {
            return Err(EngineError::rejected(
                ErrorCode::InteractionNotFound,
                "no interaction has this id; codex_list_pending_interactions lists them",
            ));
        };
        let digest = blake3::hash(response.to_string().as_bytes()).to_hex().to_string();
        // Sent again by a caller that did not hear of its first one.
        if by == AnsweredBy::Caller && !one.state.is_pending() && one.answer_digest.as_ref() == Some(&digest) {
            return Ok(());
        }
        one.state = one.state.clone().step(Event::Answered(by), self.now).map_err(|_| unavailable(one.state.word()))?;
        // One of a secret would tell it to whoever can guess.
        one.answer_digest = Some(digest).filter(|_| !one.asks_secret());
        let response = json!({"result": response});
        one.response = if one.asks_secret() {
            self.live.keep_secret(&one.id, response);
            None
        } else {
            Some(response)
        };
        interactions::put(self.tx, &one)?;
        self.deliver(&one.id, one.operation.as_ref())?;
        self.interaction_event("interaction.answered", &one)?;
        Ok(())
    }

    pub(super) fn time_out(&self, one: InteractionRow) -> Result<(), StoreError> {
        let response = default_answer(one.kind());
        self.answer_ourselves(&one, response, AnsweredBy::TimeOut)
    }

    fn answer_ourselves(&self, one: &InteractionRow, response: Value, by: AnsweredBy) -> Result<(), StoreError> {
        match self.answer(&one.id, response, by) {
            Err(EngineError::Store(error)) => Err(error),
            Ok(()) | Err(EngineError::Rejected { .. } | EngineError::Stopping) => Ok(()),
        }
    }

    pub(super) fn step_interaction(&self, mut one: InteractionRow, event: Event) -> Result<(), StoreError> {
        let Ok(next) = one.state.clone().step(event, self.now) else { return Ok(()) };
        one.state = next;
        if matches!(one.state, Interaction::Settled { .. }) {
            one.settled = Some(self.now);
            // What a person typed is not kept longer than it is needed.
            one.response = None;
            self.live.forget_secret(&one.id);
            self.drop_delivery(&one.id)?;
        }
        interactions::put(self.tx, &one)?;
        self.interaction_event("interaction.settled", &one)
    }

    /// An answer that was not written down died with the daemon that had it. Whether it arrived is not known: codex asks again
    /// where it did not, and only then is the question open again (FAULTS A12).
    pub(super) fn forget_deliveries(&self) -> Result<(), StoreError> {
        for one in interactions::open(self.tx, None)? {
            if matches!(one.state, Interaction::Answering { .. }) && one.response.is_none() {
                self.drop_delivery(&one.id)?;
            }
        }
        Ok(())
    }

    fn ask_again(&self, mut one: InteractionRow) -> Result<(), StoreError> {
        let expires = self.rules.approval_wait_max.map(|limit| self.now + limit);
        let Ok(next) = one.state.clone().step(Event::Forgotten { expires }, self.now) else { return Ok(()) };
        one.state = next;
        one.answer_digest = None;
        self.drop_delivery(&one.id)?;
        interactions::put(self.tx, &one)?;
        self.interaction_event("interaction.raised", &one)
    }

    fn deliver(&self, id: &InteractionId, operation: Option<&OperationId>) -> Result<(), StoreError> {
        self.drop_delivery(id)?;
        effects::insert(self.tx, operation, &Effect::Answer { interaction: id.clone() }, self.now, self.now)
    }

    fn drop_delivery(&self, id: &InteractionId) -> Result<(), StoreError> {
        for row in effects::all(self.tx)? {
            if matches!(&row.effect, Effect::Answer { interaction } if interaction == id) {
                effects::delete(self.tx, row.id)?;
            }
        }
        Ok(())
    }

    fn interaction_event(&self, kind: &str, one: &InteractionRow) -> Result<(), StoreError> {
        self.event(kind, &one.about(), &Changed { kind: one.kind().word(), status: one.state.word(), method: Redactor.text(&one.method) })
    }
}

/// The same question of the same process always gets the same id.
fn id_of(generation: Generation, request: &ServerRequestId) -> InteractionId {
    let hash = blake3::hash(format!("{}:{request}", generation.0).as_bytes()).to_hex();
    InteractionId::new(format!("int_{}", &hash[..32]))
}

/// The answer that lets a turn go on without giving anything (BEHAVIOUR 14).
fn default_answer(kind: Kind) -> Value {
    match kind {
        Kind::Approval => json!({"decision": "decline"}),
        Kind::Permissions => json!({"permissions": {}, "scope": "turn"}),
        Kind::UserInput => json!({"answers": {}}),
        Kind::Elicitation | Kind::Unknown => json!({"action": "decline", "content": null, "_meta": null}),
    }
}
