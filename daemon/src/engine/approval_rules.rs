//! A rule of the configuration answers an approval in the commit that records it. Only a command that codex itself hands
//! over as one plain call can be accepted; each answer leaves a line in the feed that names the rule.

use super::apply::Apply;
use crate::store::{
    StoreError,
    tables::{interactions::InteractionRow, operations::OperationRow},
};
use common::{
    agent_safe,
    safe::{Redactor, SafeText},
};
use domain::{
    approval::{self, Asked, Decision},
    interaction::Kind,
};
use serde_json::Value;
use std::path::Path;

agent_safe! {
    /// Body of `approval.rule`.
    struct ByRule { rule: usize, decision: &'static str, command: SafeText }
}

/// Marks of a shell that make more of a line than one call, wherever they stand.
const MARKS: &[char] = &['$', '`', ';', '|', '&', '<', '>', '(', ')', '{', '}', '*', '?', '[', '~', '#', '!', '\n', '\\'];
/// Whose words are what they seem.
const SHELLS: &[&str] = &["/bin/bash", "/bin/sh", "/bin/zsh", "/usr/bin/bash", "/usr/bin/sh", "/usr/bin/zsh", "bash", "sh", "zsh"];
const COMMAND_CHARS_MAX: usize = 400;

impl Apply<'_> {
    /// What a rule says to this approval, noted in the feed.
    pub(super) fn rule_for(&self, one: &InteractionRow, operation: Option<&OperationRow>) -> Result<Option<Decision>, StoreError> {
        if one.kind() != Kind::Approval || self.rules.approval_rules.is_empty() {
            return Ok(None);
        }
        let plain = plain(&one.params);
        let parts = parts(&one.params);
        let offered: Vec<&str> = one.params["availableDecisions"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        // A rule of a project holds for what runs inside it.
        let inside = |row: &&OperationRow| one.params["cwd"].as_str().is_some_and(|cwd| lies_in(cwd, &row.spec.project_root));
        let project = operation.filter(inside).map(|row| row.project_key.as_str());
        let asked = Asked { plain: plain.as_deref(), parts: &parts, project, offered: &offered };
        let Some((rule, decision)) = approval::decide(self.rules.approval_rules, asked) else { return Ok(None) };
        let command = Redactor.text(one.params["command"].as_str().unwrap_or_default()).truncated(COMMAND_CHARS_MAX).0;
        self.event("approval.rule", &one.about(), &ByRule { rule, decision: decision.word(), command })?;
        Ok(Some(decision))
    }
}

/// Links followed; a folder that cannot be looked at lies nowhere.
fn lies_in(cwd: &str, root: &Path) -> bool {
    dunce::canonicalize(cwd).is_ok_and(|cwd| cwd.starts_with(root))
}

/// The words of the command, where what codex would remember of it and the shell's own line are the same plain call.
fn plain(params: &Value) -> Option<Vec<String>> {
    let line = shlex::split(params["command"].as_str()?)?;
    let [shell, flag, script] = line.as_slice() else { return None };
    // The model may name a shell of its own; that one would run whatever it likes.
    if !SHELLS.contains(&shell.as_str()) || !matches!(params["kind"].as_str(), None | Some("command")) {
        return None;
    }
    if !matches!(flag.as_str(), "-lc" | "-c") || script.contains(MARKS) {
        return None;
    }
    let words = shlex::split(script)?;
    let told: Vec<&str> = params["proposedExecpolicyAmendment"].as_array()?.iter().filter_map(Value::as_str).collect();
    (told == words).then_some(words)
}

/// The parts that codex lists, and what stands between the marks of its shell.
fn parts(params: &Value) -> Vec<Vec<String>> {
    let listed = params["commandActions"].as_array().into_iter().flatten().filter_map(|action| action["command"].as_str());
    let pieces = listed.flat_map(|text| text.split(['\n', ';', '|', '&', '(', ')', '`']));
    pieces.filter_map(shlex::split).filter(|words| !words.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn asked(script: &str, told: &[&str]) -> Value {
        let command = shlex::try_join(["/bin/bash", "-lc", script]).unwrap();
        json!({"command": command, "commandActions": [{"type": "unknown", "command": script}], "proposedExecpolicyAmendment": told})
    }

    #[test]
    fn only_a_plain_call_that_codex_reads_the_same_way_is_plain() {
        assert_eq!(plain(&asked("touch a1", &["touch", "a1"])), Some(vec!["touch".to_owned(), "a1".to_owned()]));
        assert_eq!(plain(&asked("git commit -m 'two words'", &["git", "commit", "-m", "two words"])).unwrap().len(), 4);
        for (script, told) in [
            ("touch a && rm b", &["touch", "a"][..]),
            ("touch a; rm b", &["touch", "a;", "rm", "b"]),
            ("touch $(rm b)", &["touch", "$(rm", "b)"]),
            ("touch a > b", &["touch", "a", ">", "b"]),
            ("touch a\nrm b", &["touch", "a", "rm", "b"]),
            ("touch a", &["touch"]),
            ("touch a", &[]),
        ] {
            assert_eq!(plain(&asked(script, told)), None, "{script}");
        }
        let own = json!({"command": "/ws/bash -lc 'touch a'", "proposedExecpolicyAmendment": ["touch", "a"]});
        assert_eq!(plain(&own), None, "a shell of the model's own");
        let typed = json!({"kind": "writeStdin", "command": "/bin/bash -lc 'touch a'", "proposedExecpolicyAmendment": ["touch", "a"]});
        assert_eq!(plain(&typed), None);
        assert_eq!(plain(&json!({"command": "touch a", "proposedExecpolicyAmendment": ["touch", "a"]})), None);
        assert_eq!(plain(&json!({})), None);
    }

    #[test]
    fn each_part_of_a_longer_line_can_be_refused() {
        let parts = parts(&asked("git status && rm -rf x | tee y", &[]));
        assert_eq!(parts.iter().map(|words| words[0].as_str()).collect::<Vec<_>>(), ["git", "rm", "tee"]);
    }
}
