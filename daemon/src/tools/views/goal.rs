//! The goal of a workflow as callers see it (BEHAVIOUR 12.6), with what codex itself shows where that was asked for.

use super::when_opt;
use crate::{appserver::goals::is_ours, store::tables::goals::GoalRow};
use common::{
    agent_safe,
    safe::{Redactor, SafeJson, SafeText},
};
use domain::workflow::goal::{AtEnd, Goal};
use serde_json::Value;

agent_safe! {
    pub struct GoalView {
        pub configured: bool,
        pub managed: bool,
        pub sync_state: &'static str,
        pub completion_action: Option<&'static str>,
        pub desired_objective: Option<SafeText>,
        pub token_budget: Option<u32>,
        /// As codex shows it; only with refresh_live_goal.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub current_goal: Option<SafeJson>,
        pub last_synced_at: Option<SafeText>,
        pub last_error: Option<SafeText>,
        pub cleared_at: Option<SafeText>,
        /// Codex could be asked, where that was wanted.
        pub available: bool,
        pub live_refresh_performed: bool,
    }
}

/// Codex was asked and did not show it.
pub(crate) fn not_shown(view: GoalView, why: &str) -> GoalView {
    let unsupported = why.contains("unknown variant") || why.contains("requires experimentalApi");
    GoalView {
        sync_state: if unsupported { "unsupported" } else { "error" },
        last_error: Some(Redactor.text(&format!("could not ask codex for the goal: {why}"))),
        available: false,
        ..view
    }
}

pub(crate) fn view(row: Option<&GoalRow>, ended: bool, live: Option<&Value>) -> GoalView {
    let Some(row) = row else {
        return GoalView {
            configured: false,
            managed: false,
            sync_state: "not_configured",
            completion_action: None,
            desired_objective: None,
            token_budget: None,
            current_goal: live.map(|goal| Redactor.json(goal)),
            last_synced_at: None,
            last_error: None,
            cleared_at: None,
            available: true,
            live_refresh_performed: live.is_some(),
        };
    };
    let left = ended && row.state == Goal::Set && row.wanted.at_end == AtEnd::Leave;
    let others = row.state == Goal::Set && live.is_some_and(|goal| !is_ours(goal, &row.wanted));
    GoalView {
        configured: true,
        managed: !matches!(row.state, Goal::Overridden | Goal::Unsupported | Goal::Failed { .. }),
        sync_state: if others {
            "external_override"
        } else if left {
            "left"
        } else {
            row.state.word()
        },
        completion_action: Some(match row.wanted.at_end {
            AtEnd::Clear => "clear",
            AtEnd::SetComplete => "set_complete",
            AtEnd::Leave => "leave",
        }),
        desired_objective: Some(Redactor.text(&row.wanted.objective)),
        token_budget: Some(row.wanted.token_budget),
        current_goal: live.map(|goal| Redactor.json(goal)),
        last_synced_at: when_opt(row.synced),
        last_error: match &row.state {
            Goal::Failed { why } => Some(why.clone()),
            _ => None,
        },
        cleared_at: when_opt(row.synced.filter(|_| row.state == Goal::Cleared)),
        available: true,
        live_refresh_performed: live.is_some(),
    }
}
