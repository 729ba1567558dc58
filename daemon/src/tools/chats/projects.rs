//! The projects that work can be handed in for.

use crate::{
    projects,
    tools::{Access, Contract, Cx, Tool, ToolError},
};
use common::{
    agent_safe,
    ids::ProjectId,
    safe::{PathRef, SafeText},
};
use serde::Deserialize;
use std::path::PathBuf;

pub struct ListProjects;

#[derive(Deserialize)]
pub struct Input {
    compact: bool,
    limit: usize,
    roots: Vec<String>,
}

agent_safe! {
    pub struct Output {
        pub projects: Vec<Entry>,
        pub total_count: usize,
        pub returned_count: usize,
        pub truncated: bool,
        pub compact: bool,
        pub cache_state: CacheState,
    }

    pub struct Entry { pub project_id: ProjectId, pub name: SafeText, pub source: &'static str, pub path: PathRef, pub last_activity_at: Option<SafeText> }

    pub struct CacheState { pub hit: bool, pub source: &'static str }
}

impl Tool for ListProjects {
    const NAME: &'static str = "codex_list_projects";
    const ABOUT: &'static str = "The projects below the allowed folders, with the ids that codex_submit_task takes. Reads only.";
    const ACCESS: Access = Access::Read;
    const CONTRACT: Contract = Contract { group: "compatibility", role: "read_only", next_tools: &["codex_submit_task"], bare: true };
    const INPUT: &'static str = include_str!("projects.input.json");
    type Input = Input;
    type Output = Output;

    async fn call(cx: &Cx, input: Input) -> Result<Output, ToolError> {
        let policy = cx.policy.clone();
        let roots: Vec<PathBuf> = input.roots.iter().filter_map(|root| dunce::canonicalize(root).ok()).collect();
        let listed = tokio::task::spawn_blocking(move || policy.projects()).await.map_err(|panic| ToolError::internal(&panic))?;
        let wanted: Vec<_> = listed
            .into_iter()
            .filter(|project| input.roots.is_empty() || roots.iter().any(|root| project.root.starts_with(root)))
            .collect();
        let total_count = wanted.len();
        let entries: Vec<_> = wanted
            .into_iter()
            .take(input.limit)
            .map(|project| Entry {
                project_id: project.id.clone(),
                name: projects::shown_name(&project),
                source: project.source,
                path: cx.policy.shown(&project.root),
                last_activity_at: None,
            })
            .collect();
        Ok(Output {
            returned_count: entries.len(),
            truncated: entries.len() < total_count,
            total_count,
            projects: entries,
            compact: input.compact,
            cache_state: CacheState { hit: false, source: "catalog_refresh" },
        })
    }
}
