//! The schedule alone: `grant` over long queues of many projects, agents, priorities and paths.

use bench::{Figure, Goal, Ground, Sample, Unit};
use common::{ids::OperationId, time::Timestamp};
use domain::{
    locks::LockPath,
    schedule::{Cost, Limits, Live, Paused, Priority, Stage, Turns, grant},
};

const TIMES: usize = 200;
const ACTIVE: usize = 100;
const PROJECTS: usize = 200;

fn live(n: usize) -> Live {
    let project = format!("/projects/p{}", n % PROJECTS);
    let place = i64::try_from(n / PROJECTS).unwrap_or(i64::MAX) * 2;
    let active = n < ACTIVE;
    Live {
        operation: OperationId::new(format!("operation-{n}")),
        accepted: i64::try_from(n).unwrap_or(i64::MAX),
        priority: [Priority::Normal, Priority::High, Priority::Low][n % 3],
        cost: [Cost::Normal, Cost::Light, Cost::Heavy][n % 5 % 3],
        turns: Turns { of_project: place, of_agent: place },
        agent: (!n.is_multiple_of(4)).then(|| format!("agent {}", n % 40)),
        thread: None,
        // Half of them read; of the others the active ones hold a part, and most wait for a part or for the whole.
        writes: match n % 4 {
            0 | 1 => Vec::new(),
            2 => vec![LockPath::whole(&format!("{project}/src/{}", n % 7))],
            _ if active => vec![LockPath::whole(&format!("{project}/docs"))],
            _ => vec![LockPath::whole(&project)],
        },
        project,
        stage: if active { Stage::Active { asking: false } } else { Stage::Queued { not_before: Timestamp(0), starts: None, after: None } },
    }
}

/// With a free slot, so that the queue is gone through until somebody fits.
fn granting(queued: usize, limits: Limits) -> Sample {
    let all: Vec<Live> = (0..ACTIVE + queued).map(live).collect();
    let mut sample = Sample::with_capacity(TIMES);
    for _ in 0..TIMES {
        sample.time(|| grant(&all, limits, &Paused::default(), Timestamp(1)).len());
    }
    sample
}

pub(crate) fn run(_: &Ground) -> anyhow::Result<Vec<Figure>> {
    let one_free = Limits { turns_active_max: ACTIVE + 1, turns_per_project_max: 3, turns_per_agent_max: 100, asking_max: 64 };
    // No project may start one more: the whole queue is gone through and nobody fits.
    let none_fits = Limits { turns_active_max: ACTIVE + 100, turns_per_project_max: 0, turns_per_agent_max: 100, asking_max: 64 };
    let (usual, worst, long) = (granting(10_000, one_free), granting(10_000, none_fits), granting(100_000, none_fits));
    Ok(vec![
        Figure::new("10 000 queued, one slot free, p50", usual.p50(), Unit::Ms, Goal::AtMost(2.0)),
        Figure::new("10 000 queued, nobody fits, p50", worst.p50(), Unit::Ms, Goal::AtMost(2.0)).note("100 at work, 200 projects"),
        Figure::new("100 000 queued, nobody fits, p50", long.p50(), Unit::Ms, Goal::None),
    ])
}
