//! Who runs next: a function over the live operations. A slot or a thread is taken because a live state
//! takes it, so a stale lock cannot exist. Keeps no state of its own.

use crate::retry;
use common::{
    ids::{OperationId, ThreadId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    High,
    #[default]
    Normal,
    Low,
}

/// What the schedule must know of one live operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    pub operation: OperationId,
    /// Order of acceptance.
    pub accepted: i64,
    pub priority: Priority,
    pub thread: Option<ThreadId>,
    pub stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Queued {
        not_before: Timestamp,
    },
    /// Holds a slot and its thread.
    Active,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub turns_active_max: usize,
}

/// Why a queued operation does not run yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blocked {
    /// Its time has not come.
    NotBefore(Timestamp),
    /// All slots are taken.
    GlobalSlots,
    /// Another operation has a turn on the same thread.
    Thread(OperationId),
}

/// The queued operations that may start now, in order.
pub fn grant(live: &[Live], limits: Limits, now: Timestamp) -> Vec<OperationId> {
    plan(live, limits, now).into_iter().filter_map(|(operation, blocked)| blocked.is_none().then_some(operation)).collect()
}

/// Every queued operation in the order in which it would start, with what holds it back.
pub fn plan(live: &[Live], limits: Limits, now: Timestamp) -> Vec<(OperationId, Option<Blocked>)> {
    let active = live.iter().filter(|one| one.stage == Stage::Active);
    let mut taken: Vec<(&ThreadId, &OperationId)> = active.clone().filter_map(|one| Some((one.thread.as_ref()?, &one.operation))).collect();
    let mut free = limits.turns_active_max.saturating_sub(active.count());
    let mut queued: Vec<&Live> = live.iter().filter(|one| one.stage != Stage::Active).collect();
    queued.sort_by_key(|one| (one.priority, one.accepted));
    let mut threads: HashSet<&ThreadId> = taken.iter().map(|(thread, _)| *thread).collect();
    let mut out = Vec::with_capacity(queued.len());
    for one in queued {
        let holder = one.thread.as_ref().filter(|thread| threads.contains(thread));
        let holder = holder.and_then(|thread| taken.iter().find(|(other, _)| *other == thread)).map(|(_, holder)| (*holder).clone());
        let blocked = match (one.stage, holder) {
            (Stage::Queued { not_before }, _) if !retry::is_due(not_before, now) => Some(Blocked::NotBefore(not_before)),
            (_, Some(holder)) => Some(Blocked::Thread(holder)),
            _ if free == 0 => Some(Blocked::GlobalSlots),
            _ => None,
        };
        // Later prompts for the same thread wait for this one, also while it is itself held back:
        // a conversation keeps its order.
        if let Some(thread) = &one.thread
            && threads.insert(thread)
        {
            taken.push((thread, &one.operation));
        }
        if blocked.is_none() {
            free -= 1;
        }
        out.push((one.operation.clone(), blocked));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn live(accepted: i64, priority: Priority, thread: Option<&str>, stage: Stage) -> Live {
        Live { operation: OperationId::new(accepted.to_string()), accepted, priority, thread: thread.map(ThreadId::new), stage }
    }

    const NOW: Timestamp = Timestamp(1_000);
    const DUE: Stage = Stage::Queued { not_before: Timestamp(0) };
    const LIMITS: Limits = Limits { turns_active_max: 4 };

    fn names(granted: Vec<OperationId>) -> Vec<String> {
        granted.into_iter().map(|id| id.to_string()).collect()
    }

    #[test]
    fn first_come_is_first_served_within_a_priority() {
        let all = [
            live(1, Priority::Low, None, DUE),
            live(2, Priority::Normal, None, DUE),
            live(3, Priority::Normal, None, DUE),
            live(4, Priority::High, None, DUE),
        ];
        assert_eq!(names(grant(&all, LIMITS, NOW)), ["4", "2", "3", "1"]);
    }

    #[test]
    fn one_turn_at_a_time_on_a_thread() {
        let all = [
            live(1, Priority::Normal, Some("t"), Stage::Active),
            live(2, Priority::Normal, Some("t"), DUE),
            live(3, Priority::Normal, Some("u"), DUE),
        ];
        assert_eq!(names(grant(&all, LIMITS, NOW)), ["3"]);
        assert_eq!(plan(&all, LIMITS, NOW)[0].1, Some(Blocked::Thread(OperationId::new("1"))));
    }

    #[test]
    fn a_prompt_that_waits_for_its_time_keeps_its_place_on_the_thread() {
        let later = Stage::Queued { not_before: Timestamp(2_000) };
        let all = [live(1, Priority::Normal, Some("t"), later), live(2, Priority::Normal, Some("t"), DUE)];
        assert!(grant(&all, LIMITS, NOW).is_empty());
    }

    proptest! {
        #[test]
        fn grants_keep_the_limits_and_leave_no_free_slot_unused(
            spec in prop::collection::vec((0_u8..3, 0_u8..5, any::<bool>(), 0_i64..2_000), 0..40),
            slots in 0_usize..6,
        ) {
            let mut seen = HashSet::new();
            let all: Vec<Live> = spec.iter().enumerate().map(|(n, (priority, thread, active, not_before))| {
                let priority = [Priority::High, Priority::Normal, Priority::Low][usize::from(*priority)];
                let thread = (*thread > 0).then(|| format!("t{thread}"));
                // Two active on one thread, or more than the slots, are no reachable start.
                let active = *active && seen.len() < slots && seen.insert(thread.clone().unwrap_or_else(|| n.to_string()));
                let stage = if active { Stage::Active } else { Stage::Queued { not_before: Timestamp(*not_before) } };
                live(n as i64, priority, thread.as_deref(), stage)
            }).collect();
            let limits = Limits { turns_active_max: slots };
            let granted = grant(&all, limits, NOW);
            let mut after = all.clone();
            for one in &mut after {
                if granted.contains(&one.operation) {
                    one.stage = Stage::Active;
                }
            }
            let active: Vec<_> = after.iter().filter(|one| one.stage == Stage::Active).collect();
            prop_assert!(active.len() <= slots);
            let threads: Vec<_> = active.iter().filter_map(|one| one.thread.clone()).collect();
            prop_assert_eq!(threads.iter().collect::<HashSet<_>>().len(), threads.len());
            prop_assert!(grant(&after, limits, NOW).is_empty(), "a second look grants nothing more");
        }
    }
}
