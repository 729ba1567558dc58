//! `codexcp queue`: hold the queue and let it go on. What is at work goes on in any case; `drain` waits for it to end.

use super::wait;
use crate::codexcp::{
    arguments::{QueueVerb, Where},
    daemon::Daemon,
    exit::{Exit, Failure},
    output::Output,
    views::word,
};
use serde_json::{Value, json};

pub(super) async fn run(daemon: &Daemon, out: &Output, verb: QueueVerb) -> Result<Exit, Failure> {
    match verb {
        QueueVerb::Pause(place) => held(daemon, out, &place).await.map(|_| Exit::Success),
        QueueVerb::Resume(place) => {
            let answer = daemon.admin("resume", json!({"project": place.project})).await?;
            tell(out, &answer, "New work starts again")?;
            Ok(Exit::Success)
        }
        QueueVerb::Drain(place) => {
            let ids = held(daemon, out, &place).await?;
            if ids.is_empty() {
                out.say("Nothing is at work.");
                return Ok(Exit::Success);
            }
            // How they end is not what was asked: the queue is drained either way. Only a question stops the wait.
            match wait::run(daemon, out, &ids, false, None).await? {
                Exit::NeedsInput => Ok(Exit::NeedsInput),
                _ => Ok(Exit::Success),
            }
        }
    }
}

/// Pauses; the operations that are at work there.
async fn held(daemon: &Daemon, out: &Output, place: &Where) -> Result<Vec<String>, Failure> {
    let answer = daemon.admin("pause", json!({"project": place.project})).await?;
    tell(out, &answer, "Nothing new starts; `codexcp queue resume` lets it go on")?;
    Ok(answer["atWork"].as_array().into_iter().flatten().map(|id| word(id).to_owned()).collect())
}

fn tell(out: &Output, answer: &Value, words: &str) -> Result<(), Failure> {
    if out.json {
        return out.object(answer.clone());
    }
    let at_work = answer["atWork"].as_array().map_or(0, Vec::len);
    let place = answer["project"].as_str().map_or(String::new(), |root| format!(" ({root})"));
    out.say(&format!("{words}{place}. {at_work} at work."));
    Ok(())
}
