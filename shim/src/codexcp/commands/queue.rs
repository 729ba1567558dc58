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
use std::path::Path;

pub(super) async fn run(daemon: &Daemon, out: &Output, verb: QueueVerb) -> Result<Exit, Failure> {
    match verb {
        QueueVerb::Pause(place) => {
            let answer = daemon.admin("pause", asked(&place)).await?;
            tell(out, &answer, HELD)
        }
        QueueVerb::Resume(place) => {
            let answer = daemon.admin("resume", asked(&place)).await?;
            tell(out, &answer, "New work starts again")
        }
        QueueVerb::Drain(place) => {
            let answer = daemon.admin("pause", asked(&place)).await?;
            let ids: Vec<String> = answer["atWork"].as_array().into_iter().flatten().map(|id| word(id).to_owned()).collect();
            if ids.is_empty() {
                return tell(out, &answer, HELD);
            }
            out.say(&sentence(&answer, HELD));
            // How they end is not what was asked: the queue is drained either way. Only a question stops the wait.
            match wait::run(daemon, out, &ids, false, None).await? {
                Exit::NeedsInput => Ok(Exit::NeedsInput),
                _ => Ok(Exit::Success),
            }
        }
    }
}

const HELD: &str = "Nothing new starts; `codexcp queue resume` lets it go on";

/// A folder may be named as seen from here; the daemon stands elsewhere.
fn asked(place: &Where) -> Value {
    let folder = |given: &String| Path::new(given).is_dir().then(|| std::path::absolute(given).ok()).flatten();
    let project = place.project.as_ref().map(|given| folder(given).map_or(given.clone(), |path| path.to_string_lossy().into_owned()));
    json!({"project": project})
}

fn tell(out: &Output, answer: &Value, words: &str) -> Result<Exit, Failure> {
    if out.json {
        out.object(answer.clone())?;
    } else {
        out.say(&sentence(answer, words));
    }
    Ok(Exit::Success)
}

fn sentence(answer: &Value, words: &str) -> String {
    let at_work = answer["atWork"].as_array().map_or(0, Vec::len);
    let place = answer["project"].as_str().map_or(String::new(), |root| format!(" ({root})"));
    format!("{words}{place}. {at_work} at work.")
}
