//! What codex waits for, as a person is asked it, and what was typed as the arguments of
//! `codex_answer_pending_interaction`. Pure; never answers by itself.

use super::ids;
use common::shown::escaped;
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
    /// The fields of a form that was accepted, and what was typed into them.
    Fields(Vec<Field>, Map<String, Value>),
    /// The questions, and the answers so far.
    Texts(Vec<Value>, Map<String, Value>),
}

#[derive(Debug)]
struct Choice {
    key: Option<&'static str>,
    label: String,
    does: Does,
}

#[derive(Debug)]
enum Does {
    /// These are the arguments of the answer.
    Answer(Value),
    Fill(Vec<Field>),
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
            _ => {
                let accept = || choice("y", "accept", json!({"action": "accept", "content": {}}));
                let fill_in =
                    || Choice { key: Some("y"), label: "accept, and fill in the form".to_owned(), does: Does::Fill(fields(interaction)) };
                let yes = match (needs_form(interaction), fields(interaction).is_empty()) {
                    (false, _) => Some(accept()),
                    (true, false) => Some(fill_in()),
                    // No accept that could not be one.
                    (true, true) => None,
                };
                let no = [choice("n", "decline", json!({"action": "decline"})), choice("c", "cancel", json!({"action": "cancel"}))];
                Form::Choice(yes.into_iter().chain(no).collect())
            }
        };
        let more = if needs_form(interaction) && fields(interaction).is_empty() {
            format!("\n  its form is filled in with: {}", how_to_answer(interaction))
        } else {
            String::new()
        };
        Question { id: word(&interaction["interactionId"]).to_owned(), prompt: prompt(interaction) + &more, form }
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
            Form::Fields(fields, filled) => match fields.get(filled.len()) {
                Some(field) => field.text(),
                None => "> ".to_owned(),
            },
            Form::Texts(questions, answers) => {
                let Some(question) = questions.get(answers.len()) else { return format!("{}\n> ", self.prompt) };
                let header = question["header"].as_str().map(|header| format!("[{header}] ")).unwrap_or_default();
                let options = list(&question["options"]);
                let lines = options.iter().enumerate().map(|(n, option)| {
                    let about = option["description"].as_str().filter(|text| !text.is_empty()).map(|text| format!(" – {text}"));
                    format!("  {}) {}{}\n", n + 1, word(&option["label"]), about.unwrap_or_default())
                });
                let hint = match (options.is_empty(), question["isOther"] == true) {
                    (true, _) => "",
                    (false, true) => "  a number, or words of your own\n",
                    (false, false) => "  a number\n",
                };
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
                let first_word = |one: &Choice| one.label.split([':', ',']).next().is_some_and(|word| word.eq_ignore_ascii_case(typed));
                let named = |one: &&Choice| one.key == Some(typed.to_lowercase().as_str()) || first_word(one);
                let keys: Vec<_> = choices.iter().filter_map(|one| one.key).collect();
                match number.and_then(|n| choices.get(n)).or_else(|| choices.iter().find(named)) {
                    Some(Choice { does: Does::Answer(arguments), .. }) => Typed::Done(arguments.clone()),
                    Some(Choice { does: Does::Fill(fields), .. }) => {
                        self.form = Form::Fields(fields.clone(), Map::new());
                        Typed::Next
                    }
                    None => Typed::Again(format!("type a number from 1 to {}, or one of {}", choices.len(), keys.join(", "))),
                }
            }
            Form::Fields(fields, filled) => {
                let content = |filled: &Map<String, Value>| {
                    let given: Map<String, Value> = filled.clone().into_iter().filter(|(_, value)| !value.is_null()).collect();
                    Typed::Done(json!({"action": "accept", "content": given}))
                };
                let Some(field) = fields.get(filled.len()) else { return content(filled) };
                match field.read(typed, number) {
                    Ok(value) => {
                        filled.insert(field.name.clone(), value);
                        if filled.len() < fields.len() { Typed::Next } else { content(filled) }
                    }
                    Err(why) => Typed::Again(why),
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

/// The prompt with what it risks, as the daemon wrote it: its own words begin each line, those of others are escaped.
pub(crate) fn prompt(interaction: &Value) -> String {
    let risk = if interaction["riskSummary"]["level"] == "high" { "[high risk] " } else { "" };
    format!("{risk}{}", word(&interaction["prompt"]))
}

/// The command that answers it, for whoever is not at a terminal.
pub(crate) fn how_to_answer(interaction: &Value) -> String {
    let id = ids::short(word(&interaction["interactionId"]));
    if interaction["kind"] == "user_input" {
        let questions = list(&interaction["questions"]);
        let answers = questions.iter().map(|one| format!(" --answer {}=TEXT", word(&one["id"])));
        return format!("codexcp answer {id}{}", answers.collect::<String>());
    }
    if interaction["kind"] == "elicitation" && needs_form(interaction) {
        return format!("codexcp answer {id} --decision-json '{{\"FIELD\": …}}' (or --decline)");
    }
    format!("codexcp answer {id} --accept (or --decline)")
}

/// The permissions that are asked for.
pub(crate) fn asked(interaction: &Value) -> Value {
    let asked = &interaction["params"]["permissions"];
    if asked.is_object() { asked.clone() } else { json!({}) }
}

/// In one order, whichever codex offers them in.
fn decisions(interaction: &Value) -> Vec<Choice> {
    let offered = list(&interaction["availableDecisions"]);
    let word = |word: &str, key, label| offered.iter().any(|one| one == word).then(|| choice(key, label, json!({"decision": word})));
    let yes = word("accept", "y", "accept: this once");
    let session = word("acceptForSession", "s", "acceptForSession: and the same is not asked again in this session");
    let rules = offered.iter().filter(|one| one.is_object()).enumerate().map(|(n, one)| Choice {
        key: (n == 0).then_some("a"),
        label: rule(one),
        does: Does::Answer(json!({"decision_payload": one})),
    });
    let no = word("decline", "n", "decline: it is not done, and the turn goes on");
    let stop = word("cancel", "c", "cancel: it is not done, and the turn ends");
    yes.into_iter().chain(session).chain(rules).chain(no).chain(stop).collect()
}

/// The lasting rule that an answer writes.
fn rule(decision: &Value) -> String {
    let begins = decision["acceptWithExecpolicyAmendment"]["execpolicy_amendment"].as_array();
    if let Some(words) = begins {
        let words: Vec<_> = words.iter().map(|word| escaped(word.as_str().unwrap_or_default())).collect();
        return format!("always: codex keeps the rule that commands which begin with `{}` are not asked any more", words.join(" "));
    }
    let network = &decision["applyNetworkPolicyAmendment"]["network_policy_amendment"];
    if let (Some(action), Some(host)) = (network["action"].as_str(), network["host"].as_str()) {
        return format!("always: codex keeps the rule to {} the host {}", escaped(action), escaped(host));
    }
    format!("always: codex keeps this rule: {}", escaped(&decision.to_string()))
}

/// One field of a form, of a kind that can be typed.
#[derive(Debug, Clone)]
struct Field {
    name: String,
    kind: FieldKind,
    needed: bool,
}

#[derive(Debug, Clone)]
enum FieldKind {
    Text,
    Whole,
    Number,
    Switch,
    OneOf(Vec<String>),
}

impl Field {
    fn text(&self) -> String {
        let hint = match &self.kind {
            FieldKind::Text => "text".to_owned(),
            FieldKind::Whole => "a whole number".to_owned(),
            FieldKind::Number => "a number".to_owned(),
            FieldKind::Switch => "y or n".to_owned(),
            FieldKind::OneOf(words) => {
                words.iter().enumerate().map(|(n, word)| format!("{}) {}", n + 1, escaped(word))).collect::<Vec<_>>().join("  ")
            }
        };
        let optional = if self.needed { "" } else { "; empty: none" };
        format!("{} ({hint}{optional})\n> ", escaped(&self.name))
    }

    fn read(&self, typed: &str, number: Option<usize>) -> Result<Value, String> {
        if typed.is_empty() {
            return if self.needed { Err("this field is needed".to_owned()) } else { Ok(Value::Null) };
        }
        match &self.kind {
            FieldKind::Text => Ok(json!(typed)),
            FieldKind::Whole => typed.parse::<i64>().map(|n| json!(n)).map_err(|_| "type a whole number".to_owned()),
            FieldKind::Number => typed.parse::<f64>().map(|n| json!(n)).map_err(|_| "type a number".to_owned()),
            FieldKind::Switch => match typed.to_lowercase().as_str() {
                "y" | "yes" | "true" => Ok(json!(true)),
                "n" | "no" | "false" => Ok(json!(false)),
                _ => Err("type y or n".to_owned()),
            },
            FieldKind::OneOf(words) => {
                let word = number.and_then(|n| words.get(n)).or_else(|| words.iter().find(|word| *word == typed));
                word.map(|word| json!(word)).ok_or_else(|| format!("type a number from 1 to {}", words.len()))
            }
        }
    }
}

fn needs_form(interaction: &Value) -> bool {
    interaction["params"]["requestedSchema"]["properties"].as_object().is_some_and(|fields| !fields.is_empty())
}

/// Those of its form; none where one of them cannot be typed.
fn fields(interaction: &Value) -> Vec<Field> {
    let schema = &interaction["params"]["requestedSchema"];
    let needed = |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let field = |(name, field): (&String, &Value)| {
        let words = field["enum"].as_array().map(|all| all.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect::<Vec<_>>());
        let kind = match (words, field["type"].as_str()) {
            (Some(words), _) if !words.is_empty() => FieldKind::OneOf(words),
            (_, Some("string")) => FieldKind::Text,
            (_, Some("integer")) => FieldKind::Whole,
            (_, Some("number")) => FieldKind::Number,
            (_, Some("boolean")) => FieldKind::Switch,
            _ => return None,
        };
        Some(Field { name: name.clone(), kind, needed: needed(name) })
    };
    schema["properties"].as_object().into_iter().flatten().map(field).collect::<Option<Vec<_>>>().unwrap_or_default()
}

fn choice(key: &'static str, label: &str, arguments: Value) -> Choice {
    Choice { key: Some(key), label: label.to_owned(), does: Does::Answer(arguments) }
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
        let amendment = json!({"acceptWithExecpolicyAmendment": {"execpolicy_amendment": ["ls", "-l"]}});
        let interaction = json!({
            "interactionId": "int_0123456789", "kind": "approval", "prompt": "Run `ls`?", "riskSummary": {"level": "high"},
            "availableDecisions": ["accept", amendment, "cancel", "decline"],
        });
        let mut question = Question::new(&interaction);
        let text = question.text();
        assert!(text.starts_with("[high risk] Run `ls`?\n  1) accept: this once (y)\n  2) always: codex keeps the rule"), "{text}");
        assert!(text.contains("begin with `ls -l` are") && text.contains("4) cancel: it is not done, and the turn ends (c)"), "{text}");
        assert_eq!(question.take("1"), Typed::Done(json!({"decision": "accept"})));
        assert_eq!(question.take(" Y "), Typed::Done(json!({"decision": "accept"})));
        assert_eq!(question.take("decline"), Typed::Done(json!({"decision": "decline"})));
        assert_eq!(question.take("2"), Typed::Done(json!({"decision_payload": amendment})));
        assert_eq!(question.take("6"), Typed::Again("type a number from 1 to 4, or one of y, a, n, c".to_owned()));
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

    #[test]
    fn a_form_is_filled_in_field_by_field_and_one_that_cannot_be_typed_offers_no_accept() {
        let properties =
            json!({"colour": {"type": "string", "enum": ["red", "blue"]}, "count": {"type": "integer"}, "note": {"type": "string"}});
        let form = json!({"interactionId": "i", "kind": "elicitation", "prompt": "ok?", "params": {"requestedSchema": {"properties": properties, "required": ["colour", "count"]}}});
        let mut question = Question::new(&form);
        assert_eq!(question.take("y"), Typed::Next);
        assert!(question.text().starts_with("colour (1) red  2) blue)"), "{}", question.text());
        assert_eq!(question.take("2"), Typed::Next);
        assert!(matches!(question.take("x"), Typed::Again(_)));
        assert_eq!(question.take("3"), Typed::Next);
        assert_eq!(question.take(""), Typed::Done(json!({"action": "accept", "content": {"colour": "blue", "count": 3}})));
        let list = json!({"interactionId": "int_0123456789", "kind": "elicitation", "prompt": "ok?", "params": {"requestedSchema": {"properties": {"all": {"type": "array"}}}}});
        let question = Question::new(&list);
        assert!(!question.text().contains("accept") && question.text().contains("--decision-json"), "{}", question.text());
    }
}
