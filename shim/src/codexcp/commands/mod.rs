//! One file a verb. Each asks the daemon and shows its answer; none knows how the daemon does it. Starts nothing but
//! what `Daemon` starts when it is asked.

mod allow;
mod answer;
mod cancel;
mod config;
mod daemon;
mod doctor;
mod forget;
mod list;
mod logs;
mod pending;
mod plan;
mod queue;
mod resume;
mod retry;
mod review;
mod run;
mod service;
mod show;
mod status;
mod steer;
mod submit;
mod wait;

use super::{
    arguments::Verb,
    daemon::Daemon,
    exit::{Exit, Failure},
    output::Output,
};

/// Runs one verb to its exit code.
pub(crate) async fn run(daemon: &Daemon, out: &Output, verb: Verb) -> Result<Exit, Failure> {
    match verb {
        Verb::Run(asked) => run::run(daemon, out, asked).await,
        Verb::Status { id } => status::run(daemon, out, id.as_deref()).await,
        Verb::List { all, limit } => list::run(daemon, out, all, limit).await,
        Verb::Show { id, events } => show::run(daemon, out, &id, events).await,
        Verb::Wait { ids, any, timeout } => wait::run(daemon, out, &ids, any, timeout).await,
        Verb::Resume { id, text, task } => resume::run(daemon, out, &id, &text, task).await,
        Verb::Steer { id, text, detach } => steer::run(daemon, out, &id, &text, detach).await,
        Verb::Plan(asked) => plan::plan(daemon, out, asked).await,
        Verb::Revise { id, text, detach } => plan::revise(daemon, out, &id, &text, detach).await,
        Verb::Approve { id, text, task } => plan::approve(daemon, out, &id, text.as_deref(), task).await,
        Verb::Review(asked) => review::run(daemon, out, asked).await,
        Verb::Retry { id, text, detach } => retry::run(daemon, out, &id, text.as_deref(), detach).await,
        Verb::Pending { id } => pending::run(daemon, out, id.as_deref()).await,
        Verb::Answer(answer) => answer::run(daemon, out, &answer).await,
        Verb::Cancel { ids } => cancel::run(daemon, out, &ids).await,
        Verb::Forget(asked) => forget::run(daemon, out, &asked).await,
        Verb::Logs { id, follow, lines } => logs::run(daemon, out, id.as_deref(), follow, lines).await,
        Verb::Queue(verb) => queue::run(daemon, out, verb).await,
        Verb::Allow { dir } => allow::run(daemon, out, &dir).await,
        Verb::Disallow { dir } => allow::take_back(daemon, out, &dir).await,
        Verb::Config => config::run(daemon, out).await,
        Verb::Daemon(verb) => daemon::run(daemon, out, verb).await,
        Verb::Service(verb) => service::run(daemon, out, verb).await,
        Verb::Doctor => doctor::run(daemon, out).await,
    }
}
