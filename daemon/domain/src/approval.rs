//! Rules that answer an approval by themselves: the first that fits decides, and where none does, a person is asked.
//! A rule fits whole words of a command that is one plain program call; anything else is never accepted by a rule.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Decision {
    Accept,
    AcceptForSession,
    Decline,
    Cancel,
}

impl Decision {
    pub const WORDS: [&'static str; 4] = ["accept", "acceptForSession", "decline", "cancel"];

    /// The word of the app-server (PROTOCOL 7).
    pub fn word(self) -> &'static str {
        match self {
            Decision::Accept => "accept",
            Decision::AcceptForSession => "acceptForSession",
            Decision::Decline => "decline",
            Decision::Cancel => "cancel",
        }
    }

    pub fn of_word(word: &str) -> Option<Decision> {
        [Decision::Accept, Decision::AcceptForSession, Decision::Decline, Decision::Cancel].into_iter().find(|one| one.word() == word)
    }

    fn gives(self) -> bool {
        matches!(self, Decision::Accept | Decision::AcceptForSession)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The first words of the command.
    pub command: Vec<String>,
    /// The key of the only project that it holds for.
    pub project: Option<String>,
    pub decision: Decision,
}

/// What a rule is held against.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The words of the command, where it is one plain program call.
    pub plain: Option<&'a [String]>,
    /// The words of its parts as far as they can be told: enough to refuse one, never to accept it.
    pub parts: &'a [Vec<String>],
    pub project: Option<&'a str>,
    /// What the app-server takes as an answer; empty where it did not say.
    pub offered: &'a [&'a str],
}

/// The number of the rule, counted from 1, and what it decides.
pub fn decide(rules: &[Rule], asked: Asked<'_>) -> Option<(usize, Decision)> {
    let begins = |words: &[String], rule: &Rule| words.starts_with(&rule.command);
    let fits = |rule: &Rule| {
        let words = match rule.decision.gives() {
            true => asked.plain.is_some_and(|words| begins(words, rule)),
            false => asked.plain.is_some_and(|words| begins(words, rule)) || asked.parts.iter().any(|words| begins(words, rule)),
        };
        // Codex takes an acceptance for the session wherever it takes one, listed or not (PROTOCOL 7).
        let offered = !rule.decision.gives() || asked.offered.is_empty() || asked.offered.contains(&Decision::Accept.word());
        !rule.command.is_empty() && words && offered && rule.project.as_deref().is_none_or(|project| asked.project == Some(project))
    };
    rules.iter().enumerate().find(|(_, rule)| fits(rule)).map(|(at, rule)| (at + 1, rule.decision))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    fn rule(command: &str, project: Option<&str>, decision: Decision) -> Rule {
        Rule { command: words(command), project: project.map(str::to_owned), decision }
    }

    fn decided(rules: &[Rule], command: &str, project: Option<&str>, offered: &[&str]) -> Option<(usize, Decision)> {
        let plain = words(command);
        decide(rules, Asked { plain: Some(&plain), parts: &[], project, offered })
    }

    #[test]
    fn the_first_rule_whose_words_begin_the_command_decides() {
        let rules = [rule("git push", None, Decision::Decline), rule("git", None, Decision::Accept)];
        assert_eq!(decided(&rules, "git push origin", None, &[]), Some((1, Decision::Decline)));
        assert_eq!(decided(&rules, "git status", None, &[]), Some((2, Decision::Accept)));
        assert_eq!(decided(&rules, "gitk", None, &[]), None, "words, not letters");
        assert_eq!(decided(&[rule("", None, Decision::Accept)], "rm", None, &[]), None);
    }

    #[test]
    fn a_rule_of_a_project_holds_there_alone() {
        let rules = [rule("make", Some("shop"), Decision::Accept)];
        assert_eq!(decided(&rules, "make test", Some("shop"), &[]), Some((1, Decision::Accept)));
        assert_eq!(decided(&rules, "make test", Some("bank"), &[]), None);
        assert_eq!(decided(&rules, "make test", None, &[]), None);
    }

    #[test]
    fn a_command_of_several_parts_can_be_refused_but_not_accepted() {
        let parts = [words("git status"), words("rm -rf x")];
        let asked = Asked { plain: None, parts: &parts, project: None, offered: &[] };
        assert_eq!(decide(&[rule("git status", None, Decision::Accept)], asked), None);
        assert_eq!(decide(&[rule("rm", None, Decision::Cancel)], asked), Some((1, Decision::Cancel)));
    }

    #[test]
    fn what_was_not_offered_is_not_given() {
        let rules = [rule("make", None, Decision::Accept), rule("make", None, Decision::Cancel)];
        assert_eq!(decided(&rules, "make", None, &["accept", "cancel"]), Some((1, Decision::Accept)));
        assert_eq!(decided(&rules, "make", None, &["decline", "cancel"]), Some((2, Decision::Cancel)));
    }
}
