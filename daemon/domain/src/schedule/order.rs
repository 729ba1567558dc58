//! The order of the queue: fair between projects, then between agents, then first come; priorities and costs counted in
//! places. Decides nothing about what may run.

use super::Live;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    High,
    #[default]
    Normal,
    Low,
}

/// A low one comes up after this many light turns of others that were accepted later, a normal one after half of them.
const PLACES_PER_PRIORITY: i64 = 40;

impl Priority {
    /// From the first to the last.
    pub fn rank(self) -> i64 {
        match self {
            Priority::High => 0,
            Priority::Normal => 1,
            Priority::Low => 2,
        }
    }

    fn places_back(self) -> i64 {
        self.rank() * PLACES_PER_PRIORITY
    }
}

/// What a caller expects the work to cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cost {
    Light,
    #[default]
    Normal,
    Heavy,
}

impl Cost {
    pub fn word(self) -> &'static str {
        match self {
            Cost::Light => "light",
            Cost::Normal => "normal",
            Cost::Heavy => "heavy",
        }
    }

    fn places(self) -> i64 {
        match self {
            Cost::Light => 1,
            Cost::Normal => 2,
            Cost::Heavy => 4,
        }
    }
}

/// Places in the rows of its project and of its agent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turns {
    pub of_project: i64,
    pub of_agent: i64,
}

impl Turns {
    /// Behind what is served now and behind its own row. `served` is the place that a project was served last, and the
    /// next one among the agents of this project; `last` are those of the last live operations of the project, and of the
    /// agent in it. All of priorities as high or higher.
    pub fn next(served: Turns, last: Turns, cost: Cost) -> Turns {
        Turns {
            of_project: last.of_project.max(served.of_project) + cost.places(),
            of_agent: last.of_agent.max(served.of_agent) + cost.places(),
        }
    }
}

/// The queued operations, the next one first.
pub(super) fn in_order(live: &[Live]) -> Vec<&Live> {
    let mut projects: HashMap<&str, Vec<&Live>> = HashMap::new();
    for one in live.iter().filter(|one| one.is_queued()) {
        projects.entry(&one.project).or_default().push(one);
    }
    let mut placed = Vec::with_capacity(live.len());
    for mut row in projects.into_values() {
        let mut places: Vec<i64> = row.iter().map(|one| one.turns.of_project + one.priority.places_back()).collect();
        places.sort_unstable();
        row.sort_unstable_by_key(|one| (one.turns.of_agent + one.priority.places_back(), one.accepted));
        placed.extend(places.into_iter().zip(row));
    }
    placed.sort_unstable_by_key(|(place, one)| (*place, one.accepted));
    placed.into_iter().map(|(_, one)| one).collect()
}
