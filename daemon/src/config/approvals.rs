//! The tables of `[[approvals.rule]]`: checked with a sentence for each fault, then read.

use crate::projects;
use domain::approval::{Decision, Rule};
use std::path::PathBuf;
use toml::Value;

/// What is wrong with one of them, if anything.
pub(super) fn fault(rule: &Value) -> Option<String> {
    let Value::Table(rule) = rule else { return Some("must be a table".to_owned()) };
    if let Some(key) = rule.keys().find(|key| !["command", "project", "decision"].contains(&key.as_str())) {
        return Some(format!("`{key}` is not known; it takes command, decision and project"));
    }
    let text = |key: &str| rule.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    if text("command").and_then(shlex::split).is_none_or(|words| words.is_empty()) {
        return Some("`command` must be the first words of a command".to_owned());
    }
    if text("decision").and_then(Decision::of_word).is_none() {
        return Some(format!("`decision` must be one of {}", Decision::WORDS.join(", ")));
    }
    (rule.contains_key("project") && text("project").is_none()).then(|| "`project` must be the folder of a project".to_owned())
}

/// Of tables that were checked.
pub(super) fn rules(tables: Option<&Value>, expand: &dyn Fn(&str) -> PathBuf) -> Vec<Rule> {
    let tables = tables.and_then(Value::as_array).into_iter().flatten();
    let rule = |table: &Value| {
        Some(Rule {
            command: shlex::split(table.get("command")?.as_str()?)?,
            project: table.get("project").and_then(Value::as_str).map(|text| key_of(&expand(text))),
            decision: Decision::of_word(table.get("decision")?.as_str()?.trim())?,
        })
    };
    tables.filter_map(rule).collect()
}

/// As operations carry it: by the folder that a link leads to.
fn key_of(folder: &std::path::Path) -> String {
    projects::key_of(&dunce::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(text: &str) -> Vec<Value> {
        let table: toml::Table = text.parse().unwrap();
        table["rule"].as_array().unwrap().clone()
    }

    #[test]
    fn a_rule_is_read_and_a_fault_in_it_is_named() {
        let good = tables("[[rule]]\ncommand = \"git 'two words'\"\ndecision = \"accept\"\nproject = \"/p\"");
        assert_eq!(good.iter().find_map(fault), None);
        let rules = rules(Some(&Value::Array(good)), &|text| PathBuf::from(text));
        assert_eq!(rules[0].command, ["git", "two words"]);
        assert_eq!(rules[0].decision, Decision::Accept);
        for (text, words) in [
            ("[[rule]]\ndecision = \"accept\"", "command"),
            ("[[rule]]\ncommand = \" \"\ndecision = \"accept\"", "command"),
            ("[[rule]]\ncommand = \"git\"\ndecision = \"always\"", "acceptForSession"),
            ("[[rule]]\ncommand = \"git\"\ndecision = \"accept\"\ncomand = 1", "comand"),
            ("[[rule]]\ncommand = \"git\"\ndecision = \"accept\"\nproject = 1", "project"),
        ] {
            let fault = tables(text).iter().find_map(fault).unwrap();
            assert!(fault.contains(words), "{fault}");
        }
    }
}
