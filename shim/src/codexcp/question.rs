//! What codex waits for, as a person is asked it, and what was typed as the arguments of
//! `codex_answer_pending_interaction`. Pure; never answers by itself.

use super::ids;
use serde_json::{Map, Value, json};

/// One pending interaction, being asked at a terminal.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) id: String,
    prompt: String,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Choice(Vec<Choice>),
    /// The questions, and the answers so far.
    Texts(Vec<Value>, Map<String, Value>),
}

#[derive(Debug)]
struct Choice {
    key: Option<&'static str>,
    label: String,
    arguments: Value,
}

/// What a typed line means.
#[derive(Debug, PartialEq)]
pub(crate) enum Typed {
    /// It fits nothing; the sentence says what would.
    Again(String),
    /// There is another question.
    Next,
    /// The arguments of the answer.
    Done(Value),
}

impl Question {
    /// Of an interaction as the daemon lists it.
    pub(crate) fn new(interaction: &Value) -> Question {
        let form = match interaction["kind"].as_str() {
            Some("approval") => Form::Choice(decisions(interaction)),
            Some("permissions") => Form::Choice(vec![
                choice("y", "grant for this turn", json!({"permissions": asked(interaction), "scope": "turn"})),
                choice("n", "grant nothing", json!({"permissions": {}})),
            ]),
            Some("user_input") => Form::Texts(list(&interaction["questions"]), Map::new()),
            _ => Form::Choice(vec![
                choice("y", "accept", json!({"action": "accept", "content": {}})),
                choice("n", "decline", json!({"action": "decline"})),
                choice("c", "cancel", json!({"action": "cancel"})),
            ]),
        };
        Question { id: word(&interaction["interactionId"]).to_owned(), prompt: prompt(interaction), form }
    }

    /// What is put to the person; ends where the answer is typed.
    pub(crate) fn text(&self) -> String {
        match &self.form {
            Form::Choice(choices) => {
                let lines = choices.iter().enumerate().map(|(n, one)| {
                    let key = one.key.map(|key| format!(" ({key})")).unwrap_or_default();
                    format!("  {}) {}{key}\n", n + 1, one.label)
                });
                format!("{}\n{}> ", self.prompt, lines.collect::<String>())
            }
            Form::Texts(questions, answers) => {
                let Some(question) = questions.get(answers.len()) else { return format!("{}\n> ", self.prompt) };
                let header = question["header"].as_str().map(|header| format!("[{header}] ")).unwrap_or_default();
                let options = list(&question["options"]);
                let lines = options.iter().enumerate().map(|(n, option)| {
                    let about = option["description"].as_str().filter(|text| !text.is_empty()).map(|text| format!(" – {text}"));
                    format!("  {}) {}{}\n", n + 1, word(&option["label"]), about.unwrap_or_default())
                });
                let hint = if options.is_empty() { "" } else { "  a number, or words of your own\n" };
                format!("{header}{}\n{}{hint}> ", word(&question["question"]), lines.collect::<String>())
            }
        }
    }

    /// Takes one typed line.
    pub(crate) fn take(&mut self, typed: &str) -> Typed {
        let typed = typed.trim();
        let number = typed.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
        match &mut self.form {
            Form::Choice(choices) => {
                let named = |one: &&Choice| one.key == Some(typed.to_lowercase().as_str()) || one.label.eq_ignore_ascii_case(typed);
                match number.and_then(|n| choices.get(n)).or_else(|| choices.iter().find(named)) {
                    Some(one) => Typed::Done(one.arguments.clone()),
                    None => Typed::Again(format!("type a number from 1 to {}", choices.len())),
                }
            }
            Form::Texts(questions, answers) => {
                let Some(question) = questions.get(answers.len()) else { return Typed::Done(json!({"answers": answers})) };
                let option = number.and_then(|n| question["options"].get(n)).and_then(|option| option["label"].as_str());
                let text = option.unwrap_or(typed);
                if text.is_empty() {
                    return Typed::Again("type a number or some words".to_owned());
                }
                answers.insert(word(&question["id"]).to_owned(), json!(text));
                if answers.len() < questions.len() { Typed::Next } else { Typed::Done(json!({"answers": answers})) }
            }
        }
    }
}

/// The prompt with what it risks, as one line.
pub(crate) fn prompt(interaction: &Value) -> String {
    let risk = if interaction["riskSummary"]["level"] == "high" { "[high risk] " } else { "" };
    let link = interaction["params"]["url"].as_str().map(|url| format!(" {url}")).unwrap_or_default();
    format!("{risk}{}{link}", word(&interaction["prompt"]))
}

/// The command that answers it, for whoever is not at a terminal.
pub(crate) fn how_to_answer(interaction: &Value) -> String {
    let id = ids::short(word(&interaction["interactionId"]));
    if interaction["kind"] == "user_input" {
        let questions = list(&interaction["questions"]);
        let answers = questions.iter().map(|one| format!(" --answer {}=TEXT", word(&one["id"])));
        return format!("codexcp answer {id}{}", answers.collect::<String>());
    }
    format!("codexcp answer {id} --accept (or --decline)")
}

/// The permissions that are asked for.
pub(crate) fn asked(interaction: &Value) -> Value {
    let asked = &interaction["params"]["permissions"];
    if asked.is_object() { asked.clone() } else { json!({}) }
}

fn decisions(interaction: &Value) -> Vec<Choice> {
    let offered = list(&interaction["availableDecisions"]);
    offered
        .into_iter()
        .map(|one| match one.as_str() {
            Some("accept") => choice("y", "accept", json!({"decision": "accept"})),
            Some("acceptForSession") => choice("s", "acceptForSession", json!({"decision": "acceptForSession"})),
            Some("decline") => choice("n", "decline", json!({"decision": "decline"})),
            Some("cancel") => choice("c", "cancel", json!({"decision": "cancel"})),
            // A word that is newer than the contract goes to codex as it is.
            Some(other) => Choice { key: None, label: other.to_owned(), arguments: json!({"raw_response": {"decision": other}}) },
            None => Choice { key: None, label: one.to_string(), arguments: json!({"decision_payload": one}) },
        })
        .collect()
}

fn choice(key: &'static str, label: &str, arguments: Value) -> Choice {
    Choice { key: Some(key), label: label.to_owned(), arguments }
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_approval_is_answered_by_number_key_or_word() {
        let amendment = json!({"acceptWithExecpolicyAmendment": {"command": ["ls"]}});
        let interaction = json!({
            "interactionId": "int_0123456789", "kind": "approval", "prompt": "Run `ls`?", "riskSummary": {"level": "high"},
            "availableDecisions": ["accept", amendment, "acceptForSession", "decline", "cancel"],
        });
        let mut question = Question::new(&interaction);
        assert!(question.text().starts_with("[high risk] Run `ls`?\n  1) accept (y)\n"), "{}", question.text());
        assert_eq!(question.take("1"), Typed::Done(json!({"decision": "accept"})));
        assert_eq!(question.take(" Y "), Typed::Done(json!({"decision": "accept"})));
        assert_eq!(question.take("decline"), Typed::Done(json!({"decision": "decline"})));
        assert_eq!(question.take("2"), Typed::Done(json!({"decision_payload": amendment})));
        assert!(matches!(question.take("6"), Typed::Again(_)));
        assert!(matches!(question.take(""), Typed::Again(_)), "an empty line decides nothing");
        assert_eq!(how_to_answer(&interaction), "codexcp answer 23456789 --accept (or --decline)");
    }

    #[test]
    fn permissions_are_granted_as_asked_or_not_at_all() {
        let asked = json!({"file_system": {"write": ["/p"]}});
        let mut question = Question::new(&json!({"interactionId": "i", "kind": "permissions", "params": {"permissions": asked}}));
        assert_eq!(question.take("y"), Typed::Done(json!({"permissions": asked, "scope": "turn"})));
        assert_eq!(question.take("n"), Typed::Done(json!({"permissions": {}})));
    }

    #[test]
    fn questions_are_asked_one_after_the_other() {
        let options = json!([{"label": "Yes (Recommended)", "description": "go on"}, {"label": "No", "description": ""}]);
        let interaction = json!({"interactionId": "int_0123456789", "kind": "user_input", "questions": [
            {"id": "q1", "header": "Choice", "question": "Go?", "options": options}, {"id": "q2", "question": "Why?"},
        ]});
        let mut question = Question::new(&interaction);
        assert!(question.text().contains("[Choice] Go?\n  1) Yes (Recommended) – go on\n  2) No\n"), "{}", question.text());
        assert_eq!(question.take("1"), Typed::Next);
        assert!(question.text().starts_with("Why?"));
        assert_eq!(question.take("7"), Typed::Done(json!({"answers": {"q1": "Yes (Recommended)", "q2": "7"}})));
        assert_eq!(how_to_answer(&interaction), "codexcp answer 23456789 --answer q1=TEXT --answer q2=TEXT");
    }

    #[test]
    fn an_elicitation_is_accepted_declined_or_cancelled() {
        let mut question = Question::new(&json!({"interactionId": "i", "kind": "elicitation", "prompt": "ok?"}));
        assert_eq!(question.take("accept"), Typed::Done(json!({"action": "accept", "content": {}})));
        assert_eq!(question.take("3"), Typed::Done(json!({"action": "cancel"})));
    }
}
