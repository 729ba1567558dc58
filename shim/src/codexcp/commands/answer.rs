//! `codexcp answer`: what a person decided, in the form that the question takes. An answer is sent once; whether it
//! was in time is the daemon's to say.

use crate::codexcp::{
    arguments::Answer,
    daemon::{Daemon, Patience},
    exit::{Exit, Failure},
    ids,
    output::Output,
    question::{self, Question, Typed},
    views::word,
};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

pub(super) async fn run(daemon: &Daemon, out: &Output, answer: &Answer) -> Result<Exit, Failure> {
    let interaction = find(daemon, &answer.id).await?;
    if !answer.says_something() {
        return ask(daemon, out, &interaction).await;
    }
    let mut arguments = arguments(&interaction, answer)?;
    arguments["interaction_id"] = interaction["interactionId"].clone();
    let payload = daemon.tool_with(Patience::None, "codex_answer_pending_interaction", arguments).await?;
    if out.json {
        out.object(payload)?;
    } else {
        out.say(&format!("Answered {}.", ids::short(word(&interaction["interactionId"]))));
    }
    Ok(Exit::Success)
}

/// All that is decided on, nothing left out.
pub(super) async fn whole(daemon: &Daemon, interaction: &Value) -> Result<String, Failure> {
    let answer = daemon.admin("question", json!({"id": interaction["interactionId"]})).await?;
    Ok(word(&answer["text"]).to_owned())
}

/// Nothing was said yet: the whole question is shown and, at a terminal, asked.
async fn ask(daemon: &Daemon, out: &Output, interaction: &Value) -> Result<Exit, Failure> {
    out.ask(&format!("{}\n", whole(daemon, interaction).await?));
    if !out.can_ask() {
        out.ask(&format!("Answer with: {}\n", question::how_to_answer(interaction)));
        return Ok(Exit::NeedsInput);
    }
    let mut question = Question::new(interaction);
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    out.ask(&question.text());
    while let Ok(Some(line)) = lines.next_line().await {
        match question.take(&line) {
            Typed::Again(why) => out.ask(&format!("{why}\n> ")),
            Typed::Next => out.ask(&question.text()),
            Typed::Done(mut arguments) => {
                arguments["interaction_id"] = interaction["interactionId"].clone();
                daemon.tool_with(Patience::None, "codex_answer_pending_interaction", arguments).await?;
                out.say(&format!("Answered {}.", ids::short(word(&interaction["interactionId"]))));
                return Ok(Exit::Success);
            }
        }
    }
    Ok(Exit::NeedsInput)
}

/// Among those that wait; else among the newest others, to say what became of it.
pub(super) async fn find(daemon: &Daemon, part: &str) -> Result<Value, Failure> {
    for status in [json!("pending"), Value::Null] {
        let answer = daemon.tool("codex_list_pending_interactions", json!({"status": status, "limit": 200})).await?;
        let all = || answer["interactions"].as_array().into_iter().flatten();
        let Some(id) = ids::resolve(part, all().map(|one| word(&one["interactionId"])))? else { continue };
        let Some(one) = all().find(|one| one["interactionId"] == id) else { continue };
        if one["status"] == "pending" {
            return Ok(one.clone());
        }
        let why = format!("{} no longer waits for an answer ({}); see `codexcp pending`", ids::short(id), word(&one["status"]));
        return Err(Failure::new(Exit::Refused, why));
    }
    Err(Failure::new(Exit::NotFound, format!("no interaction fits {part:?}; `codexcp pending` shows what waits")))
}

/// The arguments of the tool for this kind of question.
fn arguments(interaction: &Value, answer: &Answer) -> Result<Value, Failure> {
    let kind = word(&interaction["kind"]);
    let given = answer.decision_json.as_deref().map(object).transpose()?;
    Ok(match (kind, given) {
        ("approval", Some(decision)) => json!({"decision_payload": decision}),
        ("elicitation", Some(content)) => json!({"action": "accept", "content": content}),
        (_, Some(raw)) => json!({"raw_response": raw}),
        ("approval", None) if answer.accept => json!({"decision": "accept"}),
        ("approval", None) if answer.accept_for_session => json!({"decision": "acceptForSession"}),
        ("approval", None) if answer.decline => json!({"decision": "decline"}),
        ("approval", None) if answer.cancel => json!({"decision": "cancel"}),
        ("permissions", None) if answer.accept || answer.grant => json!({"permissions": question::asked(interaction), "scope": "turn"}),
        ("permissions", None) if answer.accept_for_session => json!({"permissions": question::asked(interaction), "scope": "session"}),
        ("permissions", None) if answer.decline => json!({"permissions": {}}),
        ("user_input", None) if !answer.answers.is_empty() => json!({"answers": answers(interaction, &answer.answers)?}),
        ("user_input", None) if answer.decline => json!({"answers": {}}),
        ("elicitation", None) if answer.accept => json!({"action": "accept", "content": {}}),
        ("elicitation", None) if answer.decline => json!({"action": "decline"}),
        ("elicitation", None) if answer.cancel => json!({"action": "cancel"}),
        _ => {
            let how = question::how_to_answer(interaction);
            return Err(Failure::new(Exit::Usage, format!("this question ({kind}) is not answered in that way; use {how}")));
        }
    })
}

/// `QID=TEXT` by question; a text without an id where there is one question only.
fn answers(interaction: &Value, given: &[String]) -> Result<Map<String, Value>, Failure> {
    let known: Vec<&str> = interaction["questions"].as_array().into_iter().flatten().map(|one| word(&one["id"])).collect();
    let mut out = Map::new();
    for one in given {
        match (one.split_once('='), known.as_slice()) {
            (Some((id, text)), all) if all.contains(&id) => out.insert(id.to_owned(), json!(text)),
            (_, [only]) => out.insert((*only).to_owned(), json!(one)),
            _ => {
                let why = format!("--answer {one}: start it with the id of a question and `=`; the ids are {}", known.join(", "));
                return Err(Failure::new(Exit::Usage, why));
            }
        };
    }
    Ok(out)
}

fn object(text: &str) -> Result<Map<String, Value>, Failure> {
    serde_json::from_str(text).map_err(|error| Failure::new(Exit::Usage, format!("--decision-json: {error}; give one JSON object")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codexcp::arguments::{Arguments, Verb};
    use clap::Parser;

    fn said(interaction: Value, line: &str) -> Result<Value, Exit> {
        let words = ["codexcp", "answer", "abcd"].into_iter().chain(line.split(' '));
        let Verb::Answer(answer) = Arguments::try_parse_from(words).unwrap().verb else { panic!("another verb") };
        arguments(&interaction, &answer).map_err(|failure| failure.exit)
    }

    #[test]
    fn each_kind_is_answered_in_its_own_form() {
        let kind =
            |kind: &str| json!({"kind": kind, "params": {"permissions": {"network": true}}, "questions": [{"id": "q1"}, {"id": "q2"}]});
        assert_eq!(said(kind("approval"), "--accept-for-session"), Ok(json!({"decision": "acceptForSession"})));
        assert_eq!(said(kind("approval"), r#"--decision-json {"a":1}"#), Ok(json!({"decision_payload": {"a": 1}})));
        assert_eq!(said(kind("permissions"), "--grant"), Ok(json!({"permissions": {"network": true}, "scope": "turn"})));
        assert_eq!(said(kind("permissions"), "--decline"), Ok(json!({"permissions": {}})));
        assert_eq!(said(kind("user_input"), "--answer q1=a=b --answer q2=c"), Ok(json!({"answers": {"q1": "a=b", "q2": "c"}})));
        assert_eq!(said(kind("elicitation"), "--cancel"), Ok(json!({"action": "cancel"})));
        assert_eq!(said(kind("approval"), "--grant"), Err(Exit::Usage));
        assert_eq!(said(kind("user_input"), "--accept"), Err(Exit::Usage));
        assert_eq!(said(kind("user_input"), "--answer q9=a"), Err(Exit::Usage));
        assert_eq!(said(kind("approval"), "--decision-json [1]"), Err(Exit::Usage));
    }

    #[test]
    fn one_question_needs_no_id() {
        let one = json!({"kind": "user_input", "questions": [{"id": "q1"}]});
        assert_eq!(said(one, "--answer Yes"), Ok(json!({"answers": {"q1": "Yes"}})));
    }
}
