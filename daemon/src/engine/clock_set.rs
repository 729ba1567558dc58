//! The wall clock was set, perhaps by days. The limits on the life of a turn, on the wait for an answer and on silence
//! are patience: within the life of a daemon they run by the steady clock, so what is stored of them moves with the wall
//! clock. Short waits need nothing of this: an early one does no harm, and `retry::is_due` bounds a late one.

use super::Rules;
use crate::store::{
    StoreError, WriteTx,
    tables::{interactions, operations, turns},
};
use common::time::{Millis, Timestamp};

/// Set while we run: each limit keeps what was left of it.
pub(super) fn moved(tx: &WriteTx<'_>, by: Millis) -> Result<(), StoreError> {
    change(tx, |at| at + by, |at| at + by)
}

/// Set back while no daemon ran. By how much is not known, but nothing began later than now.
pub(super) fn not_after(tx: &WriteTx<'_>, now: Timestamp, rules: &Rules) -> Result<(), StoreError> {
    change(tx, |at| at.min(now), |at| rules.approval_wait_max.map_or(at, |limit| at.min(now + limit)))
}

fn change(tx: &WriteTx<'_>, begun: impl Fn(Timestamp) -> Timestamp, expires: impl Fn(Timestamp) -> Timestamp) -> Result<(), StoreError> {
    for mut row in operations::active(tx)? {
        let state = row.state.clone().with_since(&begun);
        if state != row.state {
            row.state = state;
            operations::update(tx, &row)?;
        }
    }
    for mut turn in turns::running(tx)? {
        let heard = begun(turn.heard);
        if heard != turn.heard {
            turn.heard = heard;
            turns::put(tx, &turn)?;
        }
    }
    for mut one in interactions::open(tx, None)? {
        let state = one.state.clone().with_expiry(&expires);
        if state != one.state {
            one.state = state;
            interactions::put(tx, &one)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        appserver::translate::ChildEvent,
        clock::{Clock, Hands},
        engine::{
            Cause, Done, Engine,
            tests::{self, new_operation},
            timers,
        },
        store::{Reader, StoreError, open_for_writing, tables::effects},
    };
    use common::ids::*;
    use domain::{
        interaction::Interaction,
        operation::{Operation, Stop, Target},
        schedule::Limits,
    };
    use serde_json::json;
    use std::sync::{Arc, atomic::Ordering};

    const LIMIT: i64 = 5_000;
    const DAYS: [i64; 2] = [3 * 86_400_000, -3 * 86_400_000];

    /// An engine under a clock that is moved by hand, with one turn at work.
    struct World {
        engine: Engine,
        reader: Reader,
        hands: Arc<Hands>,
        folder: tempfile::TempDir,
    }

    fn rules() -> Rules {
        Rules {
            limits: Limits { turns_active_max: 4, turns_per_project_max: 4, turns_per_agent_max: 4, asking_max: 64 },
            operations_live_max: 100,
            silence_max: Millis(LIMIT),
            approval_wait_max: Some(Millis(LIMIT)),
            ..tests::RULES
        }
    }

    fn engine(folder: &tempfile::TempDir, hands: &Arc<Hands>) -> Engine {
        let connection = open_for_writing(&folder.path().join("state.sqlite3")).unwrap();
        Engine::start(connection, Clock::Manual(hands.clone()), rules()).unwrap().0
    }

    impl World {
        async fn with_a_running_turn(turn_ms_max: Option<Millis>) -> World {
            let folder = tempfile::tempdir().unwrap();
            let hands = Arc::new(Hands::default());
            hands.wall.store(1_000_000_000_000, Ordering::SeqCst);
            let engine = engine(&folder, &hands);
            let reader = Reader::open(&folder.path().join("state.sqlite3")).unwrap();
            let world = World { engine, reader, hands, folder };
            world.apply(Cause::Started).await;
            let new = new_operation(1, Target::NewThread, turn_ms_max);
            let client = new.client_message.clone();
            world.apply(Cause::Submit(Box::new(new))).await;
            world.apply(Cause::LinkUp { generation: Generation(1), process: None }).await;
            let effect = world.reader.read(|tx| effects::all(tx)).await.unwrap().remove(0).id;
            let done = Done::ThreadCreated { thread: ThreadId::new("t") };
            world.apply(Cause::EffectDone { effect, generation: Generation(1), done }).await;
            world.hears(ChildEvent::UserMessage { thread: ThreadId::new("t"), turn: TurnId::new("u"), client: Some(client) }).await;
            world
        }

        async fn apply(&self, cause: Cause) {
            self.engine.apply(cause).await.unwrap();
        }

        async fn hears(&self, event: ChildEvent) {
            self.apply(Cause::Child { generation: Generation(1), event }).await;
        }

        /// Time goes by, and something happens that has nothing to do with it.
        async fn passes(&self, ms: i64) {
            self.hands.wall.fetch_add(ms, Ordering::SeqCst);
            self.hands.steady.fetch_add(ms, Ordering::SeqCst);
            self.apply(Cause::Tick).await;
        }

        async fn is_set(&self, by: i64) {
            self.hands.wall.fetch_add(by, Ordering::SeqCst);
            self.apply(Cause::Tick).await;
        }

        async fn stop(&self) -> Stop {
            let row = self.reader.read(|tx| Ok(operations::active(tx)?.remove(0))).await.unwrap();
            let Operation::Running { stop, .. } = row.state else { panic!("{:?}", row.state) };
            stop
        }

        async fn is_pending(&self) -> bool {
            let open = self.reader.read(|tx| Ok(interactions::open(tx, None)?.remove(0))).await.unwrap();
            matches!(open.state, Interaction::Pending { .. })
        }

        async fn is_stalled(&self) -> bool {
            let turn = self.reader.read(|tx| Ok::<_, StoreError>(turns::running(tx)?.remove(0))).await.unwrap();
            turn.stalled.is_some()
        }
    }

    #[tokio::test]
    async fn a_turn_has_all_its_time_and_no_more_when_the_clock_is_set_by_days() {
        for by in DAYS {
            let world = World::with_a_running_turn(Some(Millis(LIMIT))).await;
            world.passes(2_000).await;
            world.is_set(by).await;
            world.passes(LIMIT - 2_001).await;
            assert_eq!(world.stop().await, Stop::NotAsked, "set by {by}: too early");
            world.passes(1).await;
            assert_eq!(world.stop().await, Stop::ByLimit, "set by {by}: too late");
        }
    }

    #[tokio::test]
    async fn a_question_is_asked_for_all_its_time_and_no_longer_when_the_clock_is_set_by_days() {
        for by in DAYS {
            let world = World::with_a_running_turn(None).await;
            let request = ChildEvent::Request {
                request: ServerRequestId::new("1"),
                method: "item/commandExecution/requestApproval".into(),
                thread: Some(ThreadId::new("t")),
                turn: Some(TurnId::new("u")),
                item: None,
                params: json!({}),
            };
            world.hears(request).await;
            world.passes(2_000).await;
            world.is_set(by).await;
            world.passes(LIMIT - 2_001).await;
            assert!(world.is_pending().await, "set by {by}: too early");
            world.passes(1).await;
            assert!(!world.is_pending().await, "set by {by}: too late");
        }
    }

    #[tokio::test]
    async fn a_silent_turn_is_reported_in_time_when_the_clock_is_set_by_days() {
        for by in DAYS {
            let world = World::with_a_running_turn(None).await;
            world.passes(2_000).await;
            world.is_set(by).await;
            world.passes(LIMIT - 2_001).await;
            assert!(!world.is_stalled().await, "set by {by}: too early");
            world.passes(1).await;
            assert!(world.is_stalled().await, "set by {by}: too late");
        }
    }

    #[tokio::test]
    async fn a_clock_set_back_while_no_daemon_ran_makes_no_limit_longer_than_it_was() {
        let mut world = World::with_a_running_turn(Some(Millis(LIMIT))).await;
        world.hands.wall.fetch_add(DAYS[1], Ordering::SeqCst);
        world.engine = engine(&world.folder, &world.hands);
        world.apply(Cause::Started).await;
        world.passes(LIMIT).await;
        assert_eq!(world.stop().await, Stop::ByLimit);
    }

    #[tokio::test]
    async fn the_timer_comes_round_although_the_clock_was_set_back() {
        let world = World::with_a_running_turn(Some(Millis(300))).await;
        let timer = tokio::spawn(timers::run(world.engine.clone()));
        world.hands.wall.fetch_add(DAYS[1] + 300, Ordering::SeqCst);
        world.hands.steady.fetch_add(300, Ordering::SeqCst);
        // Nobody tells the engine: only the timer does.
        let mut head = world.engine.head();
        while world.stop().await == Stop::NotAsked {
            head.changed().await.unwrap();
        }
        timer.abort();
    }
}
