//! What a text is worth as a plan (BEHAVIOUR 12.2). Only one that codex itself marked as a plan can be approved; what it
//! merely said at the end of a planning turn is read by a person first.

use serde::{Deserialize, Serialize};

/// Where the text stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A `plan` item of the turn (PROTOCOL 8).
    PlanItem,
    /// The last message of a planning turn that brought no plan item.
    LastMessage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    ValidPlan,
    /// Codex says that it cannot.
    Blocker,
    /// Codex asks something back.
    Question,
    /// Too short to be one.
    Partial,
    NeedsReview,
}

impl Quality {
    pub fn word(self) -> &'static str {
        match self {
            Quality::ValidPlan => "valid_plan",
            Quality::Blocker => "blocker",
            Quality::Question => "question",
            Quality::Partial => "partial",
            Quality::NeedsReview => "needs_review",
        }
    }
}

const OPENING: &str = "<proposed_plan>";
const CLOSING: &str = "</proposed_plan>";
const PLAN_CHARS_MIN: usize = 300;
/// Read at the start alone: a plan that mentions one of them further down is still a plan.
const BLOCKERS: &[&str] = &[
    "i cannot access",
    "i can't access",
    "cannot access",
    "permission denied",
    "access is denied",
    "i am blocked",
    "i'm blocked",
    "i am unable",
    "i'm unable",
];
const BLOCKER_WITHIN_CHARS: usize = 400;

pub fn quality(text: &str, source: Source) -> Quality {
    match source {
        Source::PlanItem => Quality::ValidPlan,
        Source::LastMessage if tagged(text).is_some() => Quality::ValidPlan,
        Source::LastMessage => {
            let start = text.chars().take(BLOCKER_WITHIN_CHARS).collect::<String>().to_lowercase();
            if BLOCKERS.iter().any(|words| start.contains(words)) {
                Quality::Blocker
            } else if text.trim_end().ends_with('?') {
                Quality::Question
            } else if text.chars().count() < PLAN_CHARS_MIN {
                Quality::Partial
            } else {
                Quality::NeedsReview
            }
        }
    }
}

/// The plan inside a message, where codex left its marks around it.
pub fn tagged(text: &str) -> Option<&str> {
    let (_, after) = text.split_once(OPENING)?;
    let (plan, _) = after.split_once(CLOSING)?;
    Some(plan.trim()).filter(|plan| !plan.is_empty())
}

/// Equal plans have equal forms: line ends and spaces at them do not count.
pub fn normal_form(text: &str) -> String {
    let lines: Vec<&str> = text.trim().lines().map(str::trim_end).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_codex_marked_as_a_plan_can_be_approved() {
        assert_eq!(quality("- one step", Source::PlanItem), Quality::ValidPlan);
        assert_eq!(quality("Here:\n<proposed_plan>\n- one\n</proposed_plan>", Source::LastMessage), Quality::ValidPlan);
        assert_eq!(quality(&"A long text. ".repeat(40), Source::LastMessage), Quality::NeedsReview);
        assert_eq!(quality("Step one, step two.", Source::LastMessage), Quality::Partial);
        assert_eq!(quality("Which of the two do you mean?", Source::LastMessage), Quality::Question);
        assert_eq!(quality("I cannot access the repository.", Source::LastMessage), Quality::Blocker);
    }

    #[test]
    fn a_plan_that_mentions_a_refused_permission_is_still_a_plan() {
        let text = format!("{} Then handle \"permission denied\" with a retry.", "A step of the plan. ".repeat(30));
        assert_eq!(quality(&text, Source::LastMessage), Quality::NeedsReview);
        assert_eq!(quality("Handle: permission denied", Source::PlanItem), Quality::ValidPlan);
    }

    #[test]
    fn the_form_of_a_plan_does_not_depend_on_line_ends() {
        assert_eq!(normal_form("a  \r\nb\n\n"), normal_form("a\nb"));
        assert_ne!(normal_form("a\nb"), normal_form("a b"));
    }
}
