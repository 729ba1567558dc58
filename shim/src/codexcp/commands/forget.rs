//! `codexcp forget`: has every word of ended work taken away, and says what still holds it. Ids and outcomes stay.

use crate::codexcp::{
    arguments::Forget,
    daemon::Daemon,
    exit::{Exit, Failure},
    output::Output,
    views::word,
};
use serde_json::{Value, json};

pub(super) async fn run(daemon: &Daemon, out: &Output, asked: &Forget) -> Result<Exit, Failure> {
    let (mut forgotten, mut after) = (Vec::new(), json!(0));
    let (mut deleted, mut kept) = (0, Vec::new());
    let last = loop {
        let body = json!({"id": asked.id.as_deref().unwrap_or(""), "before": asked.before.as_deref().unwrap_or(""), "codex": asked.codex,
            "after": after});
        let answer = daemon.admin("forget", body).await?;
        forgotten.extend(answer["forgotten"].as_array().into_iter().flatten().cloned());
        deleted += answer["codex"]["deleted"].as_u64().unwrap_or(0);
        kept.extend(answer["codex"]["kept"].as_array().into_iter().flatten().cloned());
        match &answer["moreAfter"] {
            Value::Null => break answer,
            more => after = more.clone(),
        }
    };
    let in_codex = asked.codex.then(|| json!({"deleted": deleted, "kept": kept}));
    if out.json {
        let all = json!({"forgotten": forgotten, "codex": in_codex, "overwritten": last["overwritten"], "copies": last["copies"]});
        out.object(all)?;
        return Ok(if kept.is_empty() { Exit::Success } else { Exit::Failed });
    }
    out.say(&match forgotten.len() {
        1 => "Forgotten: the text, events, messages, plans and questions of 1 operation.".to_owned(),
        n => format!("Forgotten: the text, events, messages, plans and questions of {n} operations."),
    });
    for copy in last["copies"].as_array().into_iter().flatten() {
        out.say(&format!("A copy of the database still holds what was in it: {}", word(copy)));
    }
    if last["overwritten"] != json!(true) {
        out.say("Somebody reads the database; its log still holds the words for some minutes.");
    }
    match asked.codex {
        false => out.say("Codex keeps its own threads; --codex deletes those too."),
        true => out.say(&format!("Threads that codex deleted: {deleted}.")),
    }
    for thread in &kept {
        out.say(&format!("Codex keeps thread {}: {}", word(&thread["threadId"]), word(&thread["why"])));
    }
    Ok(if kept.is_empty() { Exit::Success } else { Exit::Failed })
}
