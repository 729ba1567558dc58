//! The one way in for every change of state: a cause, applied in one transaction. Carries events from machine to
//! machine, writes states, events and effects; decides nothing that the domain can decide and talks to nobody.

use super::{
    cause::{Applied, Cause, Done, EngineError},
    live::Live,
};
use crate::store::{
    StoreError, WriteTx,
    tables::{
        app_server, effects,
        events::{self, About},
        interactions, operations,
        operations::OperationRow,
        pauses, provider_limit, schedule as rows,
        turns::{self, TurnRow, TurnStatus},
    },
};
use common::{
    agent_safe,
    error::ErrorCode,
    ids::*,
    safe::{AgentSafe, SafeText},
    time::{Millis, Timestamp},
};
use domain::{
    advice, approval,
    effect::{Effect, Repeat},
    interaction,
    operation::{Event, Facts, Finding, Operation, Outcome, Refusal, Stop},
    retry, schedule, supervise,
};
use std::cell::{Cell, RefCell};

/// The limits that decisions need, from the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    pub limits: schedule::Limits,
    pub operations_live_max: i64,
    pub silence_max: Millis,
    /// A turn that is silent for longer is not only reported.
    pub silence_interrupts: bool,
    /// Work waits where the provider's limit is used up, instead of failing one after the other.
    pub waits_for_reset: bool,
    pub approval_wait_max: Option<Millis>,
    /// Read once, at the start.
    pub approval_rules: &'static [approval::Rule],
    pub keep_prompts: bool,
    /// How long the text of work stays that ended without success.
    pub retry_max: Millis,
}

agent_safe! {
    /// Body of `operation.state`.
    struct StateChanged { status: &'static str, state: &'static str, reason: Option<SafeText> }
    /// Body of `turn.started` and `turn.ended`.
    struct TurnChanged { status: &'static str, error: Option<SafeText> }
    struct ServerChanged { state: &'static str, generation: Generation, reason: Option<SafeText> }
    /// Body of events that say everything in their head.
    pub(super) struct Nothing {}
}

pub(super) struct Apply<'a> {
    pub(super) tx: &'a WriteTx<'a>,
    pub(super) now: Timestamp,
    pub(super) rules: &'a Rules,
    pub(super) live: &'a Live,
    actor: String,
    /// Something changed that may let queued work start.
    regrant: Cell<bool>,
    /// Ended in this commit: others may have waited for them.
    pub(super) over: RefCell<Vec<(OperationId, bool)>>,
}

/// `woken`: a stored moment has passed, so that queued work is looked at whatever the cause.
pub(super) fn apply(
    tx: &WriteTx<'_>,
    cause: Cause,
    now: Timestamp,
    woken: bool,
    rules: &Rules,
    live: &Live,
) -> Result<Applied, EngineError> {
    let one = Apply { tx, now, rules, live, actor: cause.actor(), regrant: Cell::new(woken), over: RefCell::default() };
    let mut applied = Applied::default();
    match cause {
        Cause::Started => one.started()?,
        Cause::Submit(new) => {
            applied.submitted = Some(one.submit(*new)?);
            one.supervise(supervise::Event::Asked)?;
        }
        Cause::Workflow(change) => {
            applied.workflow = Some(one.workflow(*change)?);
            one.supervise(supervise::Event::Asked)?;
        }
        Cause::Stop { operation, stop } => one.stop(&operation, stop)?,
        Cause::Pause { project } => one.pause(project.as_ref())?,
        Cause::Resume { project } => one.resume(project.as_ref())?,
        Cause::Answer { interaction, response, by } => one.answer(&interaction, response, by)?,
        Cause::Spawned { generation, process } => one.spawned(generation, process)?,
        Cause::LinkUp { generation, process } => one.link_up(generation, process)?,
        Cause::LinkLost { generation } => one.link_lost(generation)?,
        Cause::ProcessGone { generation, why } => one.process_gone(generation, why)?,
        Cause::Supervise(event) => one.supervise(event)?,
        Cause::Child { generation, event } => one.child(generation, event)?,
        Cause::TurnAccepted { generation, operation, turn } => one.turn_accepted(generation, &operation, turn)?,
        Cause::Sending { operation, after } => one.sending(&operation, after)?,
        Cause::EffectDone { effect, done, .. } => one.effect_done(effect, done)?,
        Cause::Tick => one.tick()?,
        Cause::Tidy(tidy) => applied.cleared = one.tidy(&tidy)?,
        Cause::Forget { operations } => applied.cleared = one.forget(&operations)?,
    }
    one.settle_waiting()?;
    if one.regrant.get() {
        let alone = applied.submitted.as_ref().filter(|_| !woken).map(|submitted| &submitted.operation);
        one.grant(alone)?;
    }
    applied.cursor = events::head(tx)?;
    Ok(applied)
}

/// What everybody is told with a commit: the next moment at which a `Tick` is needed, and the pid of the app-server.
pub(super) fn outlook(tx: &WriteTx<'_>, now: Timestamp, rules: &Rules) -> Result<(Option<Timestamp>, Option<u32>), StoreError> {
    // A wait is never longer than this, so a clock that was set back does not hold up what waits.
    let bounded = |at: Option<Timestamp>| at.map(|at| at.min(now + retry::WAIT_MAX));
    let server = app_server::get(tx)?;
    let all = [
        operations::next_limit(tx)?,
        bounded(operations::next_start(tx, now)?),
        bounded(effects::next_wake(tx, now)?),
        interactions::next_wake(tx)?,
        bounded(provider_limit::get(tx)?.until.filter(|until| *until > now)),
        turns::next_wake(tx, rules.silence_max)?,
        bounded(server.state.wake_at()),
    ];
    Ok((all.into_iter().flatten().min(), server.process.map(|process| process.pid)))
}

impl Apply<'_> {
    pub(super) fn event(&self, kind: &str, about: &About, body: &impl AgentSafe) -> Result<(), StoreError> {
        events::append(self.tx, self.now, kind, about, &self.actor, body)
    }

    pub(super) fn may_grant(&self) {
        self.regrant.set(true);
    }

    /// `alone`: nothing changed but that this operation came, so it can start or nobody can.
    fn grant(&self, alone: Option<&OperationId>) -> Result<(), StoreError> {
        let (limits, paused) = (self.rules.limits, pauses::all(self.tx)?);
        // The usual case behind a long queue, which is not looked through then.
        if rows::active_count(self.tx)? >= limits.turns_active_max {
            return Ok(());
        }
        if let Some(row) = alone.map(|id| operations::by_id(self.tx, id)).transpose()?.flatten()
            && schedule::grant(&rows::around(self.tx, &row)?, limits, &paused, self.now).is_empty()
        {
            return Ok(());
        }
        for id in schedule::grant(&rows::live(self.tx)?, limits, &paused, self.now) {
            rows::serve(self.tx, &id)?;
            if let Some(row) = operations::by_id(self.tx, &id)? {
                self.step(row, Event::Granted)?;
            }
        }
        Ok(())
    }

    /// Gives one event to one operation and records everything that follows from it.
    /// A refusal is an ordinary answer: a late reply, a double cancel.
    pub(super) fn step(&self, mut row: OperationRow, event: Event) -> Result<(), StoreError> {
        let before = row.state.clone();
        let found = match &event {
            Event::LookedUp(Finding::Turn { turn, .. }) => Some(turn.clone()),
            _ => None,
        };
        // Asked again because the app-server did not find the turn: not at once, or a refusal that stays would be asked in a loop.
        let again = matches!(
            (&event, &before),
            (Event::LookedUp(_), Operation::Running { .. })
                | (Event::InterruptRefused, Operation::Accepted { .. })
                | (Event::Refused(_), Operation::Steering { .. } | Operation::MovingThread { .. })
        );
        let made = match &event {
            Event::ThreadCreated { thread } => Some(thread.clone()),
            _ => None,
        };
        let facts = Facts { now: self.now, own_thread: row.spec.own_thread(), asks: row.asks() };
        let step = match row.state.clone().step(event, facts) {
            Ok(step) => step,
            Err(refused) => {
                tracing::debug!(operation = %row.id, %refused, "event refused");
                return Ok(());
            }
        };
        row.state = step.next;
        row.thread = row.state.thread().cloned().or(made).or(row.thread);
        row.turn = row.state.turn().cloned().or(found).or(row.turn);
        row.updated = self.now;
        if before.name() != row.state.name() {
            effects::delete_of_operation(self.tx, &row.id)?;
        }
        for effect in &step.effects {
            // A look-up that is due subscribes to the thread again: a stop that is asked meanwhile must not replace it.
            effects::delete_of_kind(self.tx, &row.id, effect.name())?;
            if matches!(effect, Effect::StartTurn { .. }) {
                // Of the attempt before.
                row.after = None;
            }
            if effect.repeat() == Repeat::Once {
                row.attempts += 1;
                row.generation = Some(app_server::get(self.tx)?.generation);
            }
            let wait = if again { retry::back_off(1) } else { Millis(0) };
            effects::insert(self.tx, Some(&row.id), effect, self.now + wait, self.now)?;
        }
        // Queued work keeps places too: cancelled, it frees what others waited for.
        let limits = self.rules.limits;
        let asked = limits.asking_max < limits.turns_active_max && before.is_asking() && !row.state.is_asking();
        if before.holds_slot() != row.state.holds_slot() || row.state.is_ended() || asked {
            self.may_grant();
        }
        match row.state.clone() {
            Operation::Running { .. } if !matches!(before, Operation::Running { .. }) => self.turn_began(&mut row)?,
            Operation::Following { .. } => self.is_in_the_turn(&mut row),
            Operation::Ended { outcome, .. } if row.spec.is_steer() => self.steer_ended(&mut row, &outcome),
            Operation::Ended { outcome, .. } => {
                // Found at its end: the turn was never seen running.
                if row.started.is_none() {
                    self.turn_began(&mut row)?;
                }
                self.work_ended(&mut row, outcome)?;
            }
            Operation::Queued { .. }
            | Operation::CreatingThread { .. }
            | Operation::MovingThread { .. }
            | Operation::StartingTurn { .. }
            | Operation::Accepted { .. }
            | Operation::Running { .. }
            | Operation::Unresolved { .. }
            | Operation::Steering { .. }
            | Operation::SteerUnresolved { .. } => {}
        }
        operations::update(self.tx, &row)?;
        if before.name() != row.state.name() {
            self.state_event(&row)?;
        }
        self.turn_is_shared(row)
    }

    fn turn_began(&self, row: &mut OperationRow) -> Result<(), StoreError> {
        if let (Some(id), Some(thread)) = (row.turn.clone(), row.thread.clone()) {
            row.started = row.started.or(Some(self.now));
            let turn = TurnRow {
                id,
                thread,
                operation: row.id.clone(),
                generation: row.generation.unwrap_or_default(),
                status: TurnStatus::Running,
                error: None,
                started: self.now,
                ended: None,
                heard: self.now,
                stalled: None,
                tokens: None,
            };
            turns::put(self.tx, &turn)?;
            self.goal_has_thread(row)?;
            self.event("turn.started", &about(row), &TurnChanged { status: "running", error: None })?;
        }
        Ok(())
    }

    fn work_ended(&self, row: &mut OperationRow, outcome: Outcome) -> Result<(), StoreError> {
        if matches!(outcome, Outcome::Failed { code: ErrorCode::LimitReached, .. }) {
            self.limit_reached()?;
        }
        if outcome == Outcome::Completed && row.turn.is_some() {
            self.limit_passed()?;
        }
        row.ended = Some(self.now);
        self.over.borrow_mut().push((row.id.clone(), outcome == Outcome::Completed));
        self.workflow_moves(row, &outcome)?;
        self.text_after(row, &outcome);
        let (status, error) = turn_status(&outcome);
        if let Some(mut turn) = row.turn.as_ref().map(|id| turns::by_id(self.tx, id)).transpose()?.flatten()
            && turn.status == TurnStatus::Running
        {
            (turn.status, turn.error, turn.ended) = (status, error.clone(), Some(self.now));
            turns::put(self.tx, &turn)?;
            self.event("turn.ended", &about(row), &TurnChanged { status: status.word(), error })?;
        }
        for open in interactions::open(self.tx, Some(&row.id))? {
            // What we had already answered reached its turn, or the turn no longer needs it.
            let event = if open.state.is_pending() { interaction::Event::Withdrawn } else { interaction::Event::Delivered };
            self.step_interaction(open, event)?;
        }
        Ok(())
    }

    fn state_event(&self, row: &OperationRow) -> Result<(), StoreError> {
        let status = advice::operation(&row.state, None, None).status;
        let reason = match &row.state {
            Operation::Ended { outcome: Outcome::Failed { message, .. }, .. } => Some(message.clone()),
            waiting => advice::queued_reason(waiting, None).map(SafeText::fixed),
        };
        self.event("operation.state", &about(row), &StateChanged { status, state: row.state.name(), reason })
    }

    fn stop(&self, id: &OperationId, stop: Stop) -> Result<(), StoreError> {
        let Some(row) = operations::by_id(self.tx, id)? else { return Ok(()) };
        let row = self.whose_turn(row)?;
        let id = row.id.clone();
        self.step(row, Event::StopAsked(stop))?;
        // What is to be sent while nobody is there to send it to was not sent: a link that is lost makes it `Unresolved`.
        match operations::by_id(self.tx, &id)? {
            Some(row) if matches!(row.state, Operation::StartingTurn { .. }) && !self.is_linked()? => {
                self.step(row, Event::Refused(Refusal::NotReady))
            }
            _ => Ok(()),
        }
    }

    fn is_linked(&self) -> Result<bool, StoreError> {
        Ok(matches!(app_server::get(self.tx)?.state, supervise::Server::Ready { .. }))
    }

    fn turn_accepted(&self, generation: Generation, id: &OperationId, turn: TurnId) -> Result<(), StoreError> {
        let Some(mut row) = operations::by_id(self.tx, id)? else { return Ok(()) };
        row.generation = Some(generation);
        self.step(row, Event::TurnAccepted { turn })
    }

    fn effect_done(&self, id: EffectId, done: Done) -> Result<(), StoreError> {
        let Some(effect) = effects::all(self.tx)?.into_iter().find(|row| row.id == id) else {
            // The operation went on without it: cancelled, or proven by an event that was faster. What was read stays worth keeping.
            return match done {
                Done::LookedUp { missed, .. } => self.missed(missed),
                Done::ThreadCreated { .. }
                | Done::ThreadMoved
                | Done::GoalSynced(_)
                | Done::Sent
                | Done::Refused(_)
                | Done::Lost
                | Done::InterruptRefused
                | Done::Reverted
                | Done::Cleaned
                | Done::Later => Ok(()),
            };
        };
        let row = effect.operation.as_ref().map(|id| operations::by_id(self.tx, id)).transpose()?.flatten();
        let event = match done {
            // What starts or steers a turn stays until it is seen there, an answer until the app-server says it is resolved.
            Done::Sent if matches!(effect.effect, Effect::StartTurn { .. } | Effect::Steer { .. } | Effect::Answer { .. }) => return Ok(()),
            Done::Later => return effects::postpone(self.tx, id, self.now + retry::back_off(2)),
            Done::Lost if effect.effect.repeat() == Repeat::Repeatable && !matches!(effect.effect, Effect::StartThread) => {
                return effects::postpone(self.tx, id, self.now + retry::back_off(0));
            }
            Done::Sent => None,
            Done::ThreadCreated { thread } => Some(Event::ThreadCreated { thread }),
            Done::GoalSynced(synced) => {
                if let Effect::SyncGoal { workflow } = &effect.effect {
                    self.goal_synced(workflow, synced)?;
                }
                None
            }
            Done::ThreadMoved => Some(Event::ThreadMoved),
            Done::Refused(refusal) => Some(Event::Refused(refusal)),
            Done::Lost => Some(Event::ServerLost),
            Done::InterruptRefused => Some(Event::InterruptRefused),
            Done::Reverted => Some(Event::Reverted),
            Done::Cleaned => Some(Event::Cleaned),
            Done::LookedUp { finding: Finding::Unreadable, .. }
                if (Millis(0)..retry::UNREADABLE_PATIENCE).contains(&(self.now - effect.created)) =>
            {
                return effects::postpone(self.tx, id, self.now + retry::back_off(1));
            }
            Done::LookedUp { finding, missed } => {
                self.missed(missed)?;
                Some(Event::LookedUp(finding))
            }
        };
        effects::delete(self.tx, id)?;
        match (row, event) {
            (Some(row), Some(event)) => self.step(row, event),
            _ => Ok(()),
        }
    }

    pub(super) fn supervise(&self, event: supervise::Event) -> Result<(), StoreError> {
        let mut row = app_server::get(self.tx)?;
        let before = row.state.clone();
        row.state = before.clone().step(event, self.now);
        if row.state == before {
            return Ok(());
        }
        app_server::put(self.tx, &row)?;
        let reason = match &row.state {
            supervise::Server::BackingOff { why, .. } => Some(why.clone()),
            supervise::Server::Stopped | supervise::Server::Starting { .. } | supervise::Server::Ready { .. } => None,
        };
        self.event("app_server.state", &About::default(), &ServerChanged { state: row.state.word(), generation: row.generation, reason })
    }

    fn tick(&self) -> Result<(), StoreError> {
        for id in operations::over_time(self.tx, self.now)? {
            self.stop(&id, Stop::ByLimit)?;
        }
        for one in interactions::over_time(self.tx, self.now)? {
            self.time_out(one)?;
        }
        self.watch_silence()?;
        let waits = operations::live_count(self.tx)? > 0 || !effects::all(self.tx)?.is_empty();
        self.supervise(if waits { supervise::Event::Woken } else { supervise::Event::NotWanted })?;
        self.may_grant();
        Ok(())
    }

    /// PROTOCOL 4: some failures of a provider never produce an event, so silence is reported.
    fn watch_silence(&self) -> Result<(), StoreError> {
        let limit = Timestamp(self.now.0.saturating_sub(self.rules.silence_max.0));
        for mut turn in turns::silent(self.tx, limit)? {
            match self.live.silent_for(&turn.id).filter(|silent| *silent < self.rules.silence_max) {
                Some(silent) => turn.heard = Timestamp(self.now.0 - silent.0),
                None if !interactions::open(self.tx, Some(&turn.operation))?.is_empty() => turn.heard = self.now,
                None => {
                    turn.stalled = Some(self.now);
                    let about = About {
                        operation: Some(turn.operation.clone()),
                        thread: Some(turn.thread.clone()),
                        turn: Some(turn.id.clone()),
                        ..About::default()
                    };
                    self.event("turn.stalled", &about, &Nothing {})?;
                }
            }
            turns::put(self.tx, &turn)?;
            if turn.stalled.is_some() && self.rules.silence_interrupts {
                self.stop(&turn.operation, Stop::Stalled)?;
            }
        }
        Ok(())
    }
}

pub(super) fn about(row: &OperationRow) -> About {
    About { operation: Some(row.id.clone()), thread: row.thread.clone(), turn: row.turn.clone(), ..About::default() }
}

fn turn_status(outcome: &Outcome) -> (TurnStatus, Option<SafeText>) {
    match outcome {
        Outcome::Completed => (TurnStatus::Completed, None),
        Outcome::Failed { message, .. } => (TurnStatus::Failed, Some(message.clone())),
        Outcome::Interrupted { .. } | Outcome::Cancelled | Outcome::NotRun { .. } => (TurnStatus::Interrupted, None),
        Outcome::Unknown => (TurnStatus::Unknown, None),
    }
}
