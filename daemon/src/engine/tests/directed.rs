//! Orders of events that a random walk meets too rarely. The same world, the same checks.

use super::{Crash, RULES, World, new_operation, rows};
use crate::{
    engine::cause::{Cause, Done},
    store::{WriteTx, tables::turns},
};
use common::{
    ids::Generation,
    time::{Millis, Timestamp},
};
use domain::{
    locks::LockPath,
    operation::{Refusal, Stop, Target},
    schedule::{self, Priority},
};

#[test]
fn a_clock_set_back_by_days_holds_nothing_up() {
    let mut world = World::new();
    world.submit(false, false, Crash::No);
    world.link_up();
    let asked = world.effects().remove(0);
    let refused = Done::Refused(Refusal::NotReady);
    world.apply(Cause::EffectDone { effect: asked.id, generation: Generation(1), done: refused }, Crash::No);
    world.now = Timestamp(world.now.0 - 3 * 86_400_000);
    world.heal();
    world.endings_are_true();
}

#[test]
fn an_end_that_overtakes_a_look_up_does_not_complete_the_work_without_its_report() {
    let mut world = World::new();
    world.submit(false, false, Crash::No);
    world.link_up();
    for _ in 0..2 {
        world.run_effect(0, false, Crash::No);
    }
    world.server_works(false);
    while !world.wire.is_empty() {
        world.deliver(Crash::No);
    }
    world.crash();
    world.server_works(true);
    world.link_up();
    world.run_effect(1, false, Crash::No);
    assert_eq!(world.reading.len(), 1, "the look-up has read");
    world.server_works(true);
    world.deliver(Crash::No);
    world.check();
    world.told();
    world.check();
    assert!(world.rows()[0].state.is_ended());
    world.endings_are_true();
}

/// Nobody heard it because nobody listened.
#[test]
fn a_turn_that_ran_while_the_daemon_was_away_does_not_count_as_silent() {
    let mut world = World::new();
    world.submit(false, false, Crash::No);
    world.link_up();
    for _ in 0..2 {
        world.run_effect(0, false, Crash::No);
    }
    world.server_works(false);
    while !world.wire.is_empty() {
        world.deliver(Crash::No);
    }
    let turn = world.rows()[0].turn.clone().unwrap();
    world.now = world.now + Millis(RULES.silence_max.0 * 2);
    world.crash();
    world.apply(Cause::Tick, Crash::No);
    let stalled = turns::by_id(&WriteTx::begin(&mut world.connection).unwrap(), &turn).unwrap().unwrap().stalled;
    assert_eq!(stalled, None, "it was not listened to");
    world.now = world.now + Millis(RULES.silence_max.0 + 1);
    world.apply(Cause::Tick, Crash::No);
    let stalled = turns::by_id(&WriteTx::begin(&mut world.connection).unwrap(), &turn).unwrap().unwrap().stalled;
    assert!(stalled.is_some(), "now it was");
}

#[test]
fn a_prompt_that_waited_for_a_new_app_server_belongs_to_that_one() {
    let mut world = World::new();
    world.submit(false, false, Crash::No);
    world.heal();
    world.kill_server(true);
    world.submit(true, false, Crash::No);
    world.link_up();
    world.run_effect(0, false, Crash::No);
    assert_eq!(world.sim.inbox.len(), 1, "sent, and not yet worked off");
    world.crash();
    world.link_up();
    world.run_effect(0, false, Crash::No);
    world.heal();
    world.endings_are_true();
}

#[test]
fn an_interrupt_that_was_refused_is_not_asked_again_at_once() {
    let mut world = World::new();
    world.submit(false, false, Crash::No);
    world.link_up();
    for _ in 0..2 {
        world.run_effect(0, false, Crash::No);
    }
    world.server_works(false);
    while !world.wire.is_empty() {
        world.deliver(Crash::No);
    }
    let operation = world.rows().remove(0).id;
    world.apply(Cause::Stop { operation, stop: Stop::ByCaller }, Crash::No);
    let asked = world.effects().remove(0);
    world.apply(Cause::EffectDone { effect: asked.id, generation: Generation(1), done: Done::InterruptRefused }, Crash::No);
    world.run_effect(0, false, Crash::No);
    let again = world.effects().remove(0);
    assert_eq!(again.effect.name(), "interrupt");
    assert!(again.due > world.now, "a refusal that stays would be asked in a loop");
}

#[test]
fn a_reader_that_passes_writers_which_are_held_up_does_not_put_newcomers_behind_them() {
    let mut world = World::new();
    let mut submit = |n: u32, project: &str, writes: &[&str]| {
        let mut new = new_operation(n, Target::NewThread, None);
        (new.project_key, new.spec.agent_id) = (project.to_owned(), None);
        new.spec.priority = Priority::Normal;
        new.spec.writes = writes.iter().map(|path| LockPath::whole(path)).collect();
        world.apply(Cause::Submit(Box::new(new)), Crash::No);
    };
    for n in 1..=50 {
        submit(n, "busy", &["/busy"]);
    }
    submit(51, "busy", &[]);
    submit(52, "busy", &[]);
    submit(53, "busy", &[]);
    submit(54, "other", &["/other"]);
    let tx = WriteTx::begin(&mut world.connection).unwrap();
    let plan = schedule::plan(&rows::live(&tx).unwrap(), RULES.limits, &schedule::Paused::default(), world.now);
    let place = plan.iter().position(|(id, _)| id.as_str() == "op54").unwrap();
    assert!(place <= 2, "behind {place} others");
}
