//! The schedule, case by case and over random queues: no limit is broken, nothing that could run is left, nobody starves.

use super::*;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp(1_000_000);
const LIMITS: Limits = Limits { turns_active_max: 4, turns_per_project_max: 3, turns_per_agent_max: 3, asking_max: 64 };

fn queued(n: i64) -> Live {
    Live {
        operation: OperationId::new(n.to_string()),
        accepted: n,
        priority: Priority::Normal,
        cost: Cost::Normal,
        turns: Turns { of_project: n, of_agent: n },
        project: "p".to_owned(),
        agent: None,
        thread: None,
        writes: Vec::new(),
        stage: Stage::Queued { not_before: NOW, starts: None, after: None },
    }
}

fn active(n: i64) -> Live {
    Live { stage: Stage::Active { asking: false }, ..queued(n) }
}

fn in_project(n: i64, project: &str) -> Live {
    Live { project: project.to_owned(), ..queued(n) }
}

fn of_agent(n: i64, agent: &str) -> Live {
    Live { agent: Some(agent.to_owned()), ..queued(n) }
}

fn on_thread(n: i64, thread: &str) -> Live {
    Live { thread: Some(ThreadId::new(thread)), ..queued(n) }
}

fn writing(n: i64, paths: &[&str]) -> Live {
    Live { writes: paths.iter().map(|path| LockPath::whole(path)).collect(), ..queued(n) }
}

fn granted(all: &[Live], limits: Limits) -> Vec<String> {
    grant(all, limits, &Paused::default(), NOW).into_iter().map(|id| id.to_string()).collect()
}

fn blocked(all: &[Live], n: i64) -> Option<Blocked> {
    let plan = plan(all, LIMITS, &Paused::default(), NOW);
    plan.into_iter().find(|(id, _)| *id == OperationId::new(n.to_string())).unwrap().1
}

fn slots(turns_active_max: usize) -> Limits {
    Limits { turns_active_max, turns_per_project_max: 100, turns_per_agent_max: 100, asking_max: 64 }
}

/// Gives places as they are given when work is accepted.
fn accept(all: &mut Vec<Live>, served: i64, mut new: Live) {
    let ahead = |one: &&Live| one.project == new.project && one.priority <= new.priority;
    let last = Turns {
        of_project: all.iter().filter(ahead).map(|one| one.turns.of_project).max().unwrap_or(0),
        of_agent: all.iter().filter(ahead).filter(|one| one.agent == new.agent).map(|one| one.turns.of_agent).max().unwrap_or(0),
    };
    let ranks = [Priority::High, Priority::Normal, Priority::Low];
    let next_of =
        |rank: Priority| all.iter().filter(|one| one.project == new.project && one.priority == rank).map(|one| one.turns.of_agent).min();
    let of_agent = ranks.into_iter().filter(|rank| *rank <= new.priority).filter_map(next_of).max().unwrap_or(0);
    new.turns = Turns::next(Turns { of_project: served, of_agent }, last, new.cost);
    all.push(new);
}

/// The order in which all of it runs, one at a time.
fn one_by_one(mut all: Vec<Live>) -> Vec<String> {
    let mut ran = Vec::new();
    while let [next] = granted(&all, slots(1)).as_slice() {
        all.retain(|one| one.operation.as_str() != next);
        ran.push(next.clone());
    }
    ran
}

#[test]
fn first_come_is_first_served_within_a_priority() {
    let mut all = Vec::new();
    for (n, priority) in [(1, Priority::Low), (2, Priority::Normal), (3, Priority::Normal), (4, Priority::High)] {
        accept(&mut all, 0, Live { priority, ..queued(n) });
    }
    assert_eq!(one_by_one(all), ["4", "2", "3", "1"]);
}

#[test]
fn five_thousand_of_one_project_do_not_hold_up_the_first_of_another() {
    let mut all = Vec::new();
    for n in 0..5_000 {
        accept(&mut all, 0, queued(n));
    }
    accept(&mut all, 6, in_project(5_000, "other"));
    let order = one_by_one(all.iter().take(10).chain(all.last()).cloned().collect());
    assert!(order.iter().position(|id| id == "5000").unwrap() <= 4, "{order:?}");
    assert!(granted(&all, LIMITS).contains(&"5000".to_owned()), "its project has a slot of its own");
}

#[test]
fn agents_of_one_project_take_turns() {
    let mut all = Vec::new();
    for n in 0..4 {
        accept(&mut all, 0, of_agent(n, "busy"));
    }
    accept(&mut all, 0, of_agent(4, "new"));
    assert_eq!(one_by_one(all), ["0", "1", "4", "2", "3"]);
}

#[test]
fn an_agent_that_comes_late_is_served_soon_although_two_others_were_busy_for_long() {
    let mut all = Vec::new();
    for n in 0..100 {
        accept(&mut all, 0, of_agent(n, ["one", "other"][n as usize % 2]));
    }
    let served = all[49].turns.of_project;
    all.drain(..50);
    accept(&mut all, served, of_agent(100, "late"));
    let order = one_by_one(all);
    assert!(order.iter().position(|id| id == "100").unwrap() <= 4, "{order:?}");
}

#[test]
fn a_low_priority_comes_up_in_the_end_however_much_higher_work_comes_in() {
    let mut all = Vec::new();
    accept(&mut all, 0, Live { priority: Priority::Low, ..queued(0) });
    let mut served = 0;
    for n in 1..1_000 {
        accept(&mut all, served, Live { priority: Priority::High, ..queued(n) });
        let next = granted(&all, slots(1)).remove(0);
        if next == "0" {
            assert!(n < 60, "after {n} others");
            return;
        }
        served = all.iter().find(|one| one.operation.as_str() == next).unwrap().turns.of_project;
        all.retain(|one| one.operation.as_str() != next);
    }
    panic!("starved");
}

#[test]
fn the_last_slot_is_kept_from_a_heavy_turn_while_lighter_ones_wait_but_not_for_ever() {
    let heavy = Live { cost: Cost::Heavy, ..queued(1) };
    let all = [heavy.clone(), queued(2)];
    assert_eq!(granted(&[heavy.clone(), queued(2)], slots(2)), ["1", "2"], "there are two");
    let busy = [vec![active(0)], all.to_vec()].concat();
    assert_eq!(granted(&busy, slots(2)), ["2"]);
    assert_eq!(granted(&[active(0), heavy.clone()], slots(2)), ["1"], "nobody lighter waits");
    let since = Timestamp(NOW.0 - HEAVY_WAIT.0);
    let old = Live { stage: Stage::Queued { not_before: since, starts: None, after: None }, ..heavy };
    assert_eq!(granted(&[active(0), old, queued(2)], slots(2)), ["1"]);
}

#[test]
fn each_limit_says_its_own_name() {
    let full: Vec<_> = (0..3).map(active).chain([queued(9)]).collect();
    assert_eq!(blocked(&full, 9), Some(Blocked::ProjectSlots));
    let full: Vec<_> = (0..4).map(|n| Live { project: n.to_string(), ..active(n) }).chain([queued(9)]).collect();
    assert_eq!(blocked(&full, 9), Some(Blocked::GlobalSlots));
    let busy = |n: i64| Live { project: n.to_string(), agent: Some("a".into()), ..active(n) };
    let full: Vec<_> = (0..3).map(busy).chain([of_agent(9, "a"), queued(10)]).collect();
    assert_eq!(blocked(&full, 9), Some(Blocked::AgentSlots));
    assert_eq!(blocked(&full, 10), None, "no agent is not one agent");
}

#[test]
fn one_turn_at_a_time_on_a_thread() {
    let first = Live { stage: Stage::Active { asking: false }, ..on_thread(1, "t") };
    let all = [first, on_thread(2, "t"), on_thread(3, "u")];
    assert_eq!(granted(&all, LIMITS), ["3"]);
    assert_eq!(blocked(&all, 2), Some(Blocked::Thread(OperationId::new("1"))));
}

#[test]
fn a_prompt_that_waits_for_its_time_keeps_its_place_on_the_thread_but_no_path() {
    let later = Stage::Queued { not_before: NOW + Millis(1), starts: None, after: None };
    let all = [Live { stage: later.clone(), ..on_thread(1, "t") }, on_thread(2, "t")];
    assert!(granted(&all, LIMITS).is_empty());
    let all = [Live { stage: later, ..writing(1, &["/p"]) }, writing(2, &["/p"])];
    assert_eq!(granted(&all, LIMITS), ["2"]);
}

#[test]
fn a_moment_that_the_caller_named_is_waited_for_however_far_ahead_it_is() {
    let starts = |starts: Timestamp| Live { stage: Stage::Queued { not_before: NOW, starts: Some(starts), after: None }, ..queued(1) };
    for far in [1, 61_000, 30 * 86_400_000] {
        let starts = starts(NOW + Millis(far));
        assert_eq!(blocked(std::slice::from_ref(&starts), 1), Some(Blocked::NotBefore(NOW + Millis(far))));
    }
    assert_eq!(granted(&[starts(NOW)], LIMITS), ["1"]);
}

#[test]
fn a_writer_of_the_whole_project_is_not_starved_by_writers_of_parts() {
    let part = Live { stage: Stage::Active { asking: false }, ..writing(1, &["/p/a"]) };
    let all = [part, writing(2, &["/p"]), writing(3, &["/p/b"]), queued(4)];
    assert_eq!(granted(&all, LIMITS), ["4"], "a reader excludes nobody");
    assert_eq!(blocked(&all, 2), Some(Blocked::Lock { path: LockPath::whole("/p"), holder: OperationId::new("1") }));
    assert_eq!(blocked(&all, 3), Some(Blocked::Lock { path: LockPath::whole("/p/b"), holder: OperationId::new("2") }));
}

#[test]
fn work_after_other_work_and_paused_work_waits() {
    let after = Stage::Queued { not_before: NOW, starts: None, after: Some(OperationId::new("1")) };
    let all = [queued(1), Live { stage: after, ..queued(2) }];
    assert_eq!(granted(&all, LIMITS), ["1"]);
    assert_eq!(blocked(&all, 2), Some(Blocked::After(OperationId::new("1"))));
    let paused = Paused { projects: HashSet::from(["p".to_owned()]), ..Paused::default() };
    let all = [queued(1), in_project(2, "q")];
    assert_eq!(grant(&all, LIMITS, &paused, NOW), [OperationId::new("2")]);
    assert!(grant(&all, LIMITS, &Paused { all: true, ..Paused::default() }, NOW).is_empty());
}

prop_compose! {
    fn any_live()(
        priority in 0_usize..3, cost in 0_usize..3, project in 0_usize..3, agent in 0_usize..4, thread in 0_usize..5,
        writes in prop::collection::vec(prop::sample::select(vec!["", "a", "a/b", "c", "a-b"]), 0..3),
        active in any::<bool>(), wait in 0_i64..4, starts in 0_i64..12, after in 0_usize..12, place in 0_i64..40,
    ) -> Live {
        let project = format!("/p{project}");
        Live {
            priority: [Priority::High, Priority::Normal, Priority::Low][priority],
            cost: [Cost::Light, Cost::Normal, Cost::Heavy][cost],
            turns: Turns { of_project: place, of_agent: place },
            agent: (agent > 0).then(|| agent.to_string()),
            thread: (thread > 0).then(|| ThreadId::new(thread.to_string())),
            writes: writes.iter().map(|key| LockPath::whole(&format!("{project}/{key}"))).collect(),
            stage: match active {
                true => Stage::Active { asking: false },
                false => Stage::Queued { not_before: NOW + Millis(wait - 2), starts: (starts < 3).then(|| NOW + Millis((starts - 1) * 86_400_000)), after: (after == 0).then(|| OperationId::new("other")) },
            },
            project,
            ..queued(0)
        }
    }
}

/// Two writers of one path, or more than a limit: no reachable state.
fn fault(all: &[Live], limits: Limits) -> Option<String> {
    let active: Vec<_> = all.iter().filter(|one| one.is_active()).collect();
    let most = |counts: HashMap<String, usize>| counts.into_values().max().unwrap_or(0);
    let count = |of: &dyn Fn(&Live) -> Option<String>| {
        most(active.iter().filter_map(|one| of(one)).fold(HashMap::new(), |mut counts, key| {
            *counts.entry(key).or_default() += 1;
            counts
        }))
    };
    if active.len() > limits.turns_active_max || count(&|one| Some(one.project.clone())) > limits.turns_per_project_max {
        return Some("more turns than a limit".to_owned());
    }
    if count(&|one| one.agent.clone()) > limits.turns_per_agent_max || count(&|one| one.thread.as_ref().map(ToString::to_string)) > 1 {
        return Some("more turns of an agent or on a thread".to_owned());
    }
    active.iter().enumerate().find_map(|(n, one)| {
        let clash = |other: &&Live| one.writes.iter().any(|path| other.writes.iter().any(|theirs| path.excludes(theirs)));
        active[n + 1..].iter().copied().find(clash).map(|other| format!("{} and {} write in one place", one.operation, other.operation))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn grants_keep_every_limit_and_lock_and_leave_nothing_that_could_run(
        given in prop::collection::vec(any_live(), 0..25), turns in 1_usize..6, of_project in 1_usize..4, of_agent in 1_usize..4,
    ) {
        let limits = Limits { turns_active_max: turns, turns_per_project_max: of_project, turns_per_agent_max: of_agent, asking_max: 64 };
        let mut all: Vec<Live> = Vec::new();
        for (n, mut one) in given.into_iter().enumerate() {
            (one.accepted, one.operation) = (n as i64, OperationId::new(n.to_string()));
            all.push(one);
            // Only reachable starts.
            if fault(&all, limits).is_some() {
                all[n].stage = Stage::Queued { not_before: NOW, starts: None, after: None };
            }
        }
        let paused = Paused::default();
        let granted = grant(&all, limits, &paused, NOW);
        let planned: Vec<_> = plan(&all, limits, &paused, NOW).into_iter().filter(|(_, blocked)| blocked.is_none()).map(|(id, _)| id).collect();
        prop_assert_eq!(granted.iter().collect::<HashSet<_>>(), planned.iter().collect::<HashSet<_>>());
        let mut after = all.clone();
        for one in after.iter_mut().filter(|one| granted.contains(&one.operation)) {
            one.stage = Stage::Active { asking: false };
        }
        prop_assert_eq!(fault(&after, limits), None);
        prop_assert!(grant(&after, limits, &paused, NOW).is_empty(), "a second look grants nothing more");
        // Whoever waits for somebody waits for one who lives.
        for (id, blocked) in plan(&all, limits, &paused, NOW) {
            if let Some(Blocked::Thread(holder) | Blocked::Lock { holder, .. }) = blocked {
                prop_assert!(holder != id && all.iter().any(|one| one.operation == holder));
            }
        }
        // The first of the queue that nothing but a holder can hold back: when all that is active ends, something runs.
        let idle: Vec<_> = after.iter().filter(|one| !one.is_active()).cloned().collect();
        let may = idle.iter().any(|one| matches!(&one.stage, Stage::Queued { not_before, starts, after: None } if *not_before <= NOW && starts.is_none_or(|at| at <= NOW) && one.thread.is_none()));
        prop_assert!(!may || !grant(&idle, limits, &paused, NOW).is_empty(), "a queue that nothing holds stands still");
    }
}

#[test]
fn an_app_server_that_has_not_begun_what_it_was_asked_for_is_asked_for_no_more() {
    let limits = Limits { asking_max: 2, ..slots(10) };
    let asking = Live { stage: Stage::Active { asking: true }, ..queued(1) };
    let all = [asking, active(2), queued(3), queued(4)];
    assert_eq!(granted(&all, limits), ["3"], "the granted one asks too");
    let plan = plan(&all, limits, &Paused::default(), NOW);
    assert_eq!(plan[1], (OperationId::new("4"), Some(Blocked::Backpressure)));
    // Nor is a heavy one, whose slot nobody else wants.
    let heavy = Live { cost: Cost::Heavy, ..queued(3) };
    let two = [Live { stage: Stage::Active { asking: true }, ..queued(1) }, heavy];
    assert_eq!(granted(&two, Limits { asking_max: 1, ..slots(2) }), Vec::<String>::new());
    assert_eq!(granted(&two, Limits { asking_max: 2, ..slots(2) }), ["3"]);
}

#[test]
fn nothing_starts_before_the_limit_of_the_provider_is_reset() {
    let until = |at| Paused { until: Some(at), ..Paused::default() };
    let all = [queued(1)];
    let later = NOW + Millis(1);
    assert_eq!(plan(&all, LIMITS, &until(later), NOW), [(OperationId::new("1"), Some(Blocked::RateLimited(later)))]);
    assert_eq!(grant(&all, LIMITS, &until(NOW), NOW).len(), 1);
}
