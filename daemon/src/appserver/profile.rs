//! Under what permissions turns run: profiles of our own, made from the user's settings as codex has them for a folder, plus
//! what was asked for, minus our own home. Pure: settings in, parameters out (docs/adr/0011).
//!
//! A profile is named by what it says and by a key that only this home knows: a profile of the same name in a project's
//! configuration would be merged into ours, and a name that a loaded thread knows always means the same.

use crate::store::tables::operations::Sandbox;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Of the app-server's environment, not the model's to see unless the user wants that.
const KEYS: [&str; 3] = ["OPENAI_API_KEY", "CODEX_API_KEY", "SSH_AUTH_SOCK"];

/// What this installation adds to every turn.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    /// Folders that no sandboxed turn may look into: links resolved, none inside another.
    pub hidden: Vec<PathBuf>,
    /// A file of codex's own with the login; hidden while it is there.
    pub login: PathBuf,
    /// Known to this home alone.
    pub key: String,
    /// `app_server.keys_in_commands`.
    pub keys_in_commands: bool,
}

/// What `thread/start`, `thread/resume` and `thread/fork` are given, and what a turn of each kind selects.
#[derive(Debug, Clone, PartialEq)]
pub struct Profiles {
    /// `config` of the request.
    pub config: Value,
    pub read_only: String,
    workspace: String,
    /// What the user's own configuration gives.
    existing: Access,
}

#[derive(Debug, Clone, PartialEq)]
enum Access {
    Profile(String),
    Everything,
}

impl Profiles {
    /// Sets what the turn may touch. Nothing is hidden from one that may touch everything: it is not in a sandbox.
    pub fn select(&self, sandbox: Option<Sandbox>, params: &mut Value) {
        let access = match sandbox {
            Some(Sandbox::ReadOnly) => Access::Profile(self.read_only.clone()),
            Some(Sandbox::WorkspaceWrite) => Access::Profile(self.workspace.clone()),
            Some(Sandbox::DangerFullAccess) => Access::Everything,
            None => self.existing.clone(),
        };
        match access {
            Access::Profile(name) => params["permissions"] = json!(name),
            // The profile of that name keeps what an earlier one denied on a loaded thread; this does not.
            Access::Everything => params["sandboxPolicy"] = json!({"type": "dangerFullAccess"}),
        }
    }
}

impl Guard {
    /// `settings`: the `config` of `config/read` for the folder; nothing where it cannot be read.
    pub fn profiles(&self, settings: &Value, folder: Option<&Path>) -> Profiles {
        // It may have come, or become a link, since the daemon started.
        let login = dunce::canonicalize(&self.login).ok().filter(|login| login.is_file() && !self.hides(login));
        let hidden: Vec<&PathBuf> = self.hidden.iter().chain(&login).collect();
        let denied = denied(settings);
        let mut known = Map::new();
        let mut named = |definition: Value| {
            let name = self.name_of(&definition);
            known.insert(name.clone(), definition);
            name
        };
        let read_only = named(self.profile(&with_denials(read_only(), &denied), &hidden));
        let workspace = named(self.profile(&with_denials(self.workspace(settings), &denied), &hidden));
        let existing = match existing(settings, folder) {
            Existing::ReadOnly => Access::Profile(read_only.clone()),
            Existing::Workspace => Access::Profile(workspace.clone()),
            Existing::Everything => Access::Everything,
            Existing::Named(name) => Access::Profile(named(self.profile(&json!({"extends": name}), &hidden))),
        };
        Profiles { config: self.config(settings, known, hidden.is_empty()), read_only, workspace, existing }
    }

    fn hides(&self, path: &Path) -> bool {
        self.hidden.iter().any(|folder| path.starts_with(folder))
    }

    fn name_of(&self, definition: &Value) -> String {
        let hash = blake3::hash(format!("{}\n{definition}", self.key).as_bytes()).to_hex();
        format!("codexcp-{}", &hash[..24])
    }

    fn profile(&self, base: &Value, hidden: &[&PathBuf]) -> Value {
        let mut profile = base.clone();
        for path in hidden {
            profile["filesystem"][path.to_string_lossy().as_ref()] = json!("deny");
        }
        profile
    }

    /// As codex's own sandbox of that name is, with what the user set for it.
    fn workspace(&self, settings: &Value) -> Value {
        let of_user = &settings["sandbox_workspace_write"];
        let is_set = |key: &str| of_user[key] == true;
        let mut files = json!({":root": "read", ":workspace_roots": "write"});
        if !is_set("exclude_slash_tmp") {
            files[":slash_tmp"] = json!("write");
        }
        if !is_set("exclude_tmpdir_env_var") {
            files[":tmpdir"] = json!("write");
        }
        for root in of_user["writable_roots"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            // A place inside what is hidden would open it again.
            if Path::new(root).is_absolute() && !self.hides(Path::new(root)) {
                files[root] = json!("write");
            }
        }
        json!({"filesystem": files, "network": {"enabled": is_set("network_access")}})
    }

    fn config(&self, settings: &Value, known: Map<String, Value>, hides_nothing: bool) -> Value {
        let mut config = json!({"permissions": known});
        if !self.keys_in_commands {
            // Instead of the user's list, which is therefore carried on.
            let mut excluded: Vec<Value> = settings["shell_environment_policy"]["exclude"].as_array().cloned().unwrap_or_default();
            excluded.extend(KEYS.iter().map(|name| json!(name)).filter(|name| !excluded.contains(name)).collect::<Vec<_>>());
            config["shell_environment_policy.exclude"] = json!(excluded);
        }
        // With something hidden, a command that a person accepted stays in a sandbox, without network. This is how the
        // model asks for that (measured with codex 0.169.0 and 0.171.0).
        if !hides_nothing && settings["features"]["exec_permission_approvals"].is_null() {
            config["features.exec_permission_approvals"] = json!(true);
            config["suppress_unstable_features_warning"] = json!(true);
        }
        config
    }
}

enum Existing {
    ReadOnly,
    Workspace,
    Everything,
    Named(String),
}

/// What codex would do by itself in this folder.
fn existing(settings: &Value, folder: Option<&Path>) -> Existing {
    match (settings["default_permissions"].as_str(), settings["sandbox_mode"].as_str()) {
        (Some(":read-only"), _) | (None, Some("read-only")) => Existing::ReadOnly,
        (Some(":workspace"), _) | (None, Some("workspace-write")) => Existing::Workspace,
        (Some(":danger-full-access"), _) | (None, Some("danger-full-access")) => Existing::Everything,
        (Some(name), _) => Existing::Named(name.to_owned()),
        // Where nothing is said, codex goes by its trust in the project.
        (None, _) if folder.is_some_and(|folder| is_trusted(settings, folder)) => Existing::Workspace,
        (None, _) => Existing::ReadOnly,
    }
}

fn is_trusted(settings: &Value, folder: &Path) -> bool {
    let trusted = |path: &Path| settings["projects"][path.to_string_lossy().as_ref()]["trust_level"] == "trusted";
    // As codex asks: the folder itself, and the repository it lies in.
    let repository = folder.ancestors().find(|path| path.join(".git").exists());
    trusted(folder) || repository.is_some_and(trusted)
}

/// What the user's own profile keeps from every turn, whatever that may touch otherwise: those of the profiles that it
/// extends too. By place, and inside a place by pattern.
fn denied(settings: &Value) -> Map<String, Value> {
    const EXTENDS_MAX: usize = 8;
    let mut out = Map::new();
    let mut name = settings["default_permissions"].as_str();
    for _ in 0..EXTENDS_MAX {
        let Some(profile) = name.map(|name| &settings["permissions"][name]) else { break };
        for (place, access) in profile["filesystem"].as_object().into_iter().flatten() {
            if is_denial(access) {
                out.insert(place.clone(), json!("deny"));
            } else if let Some(inside) = access.as_object() {
                let inside: Map<_, _> =
                    inside.iter().filter(|(_, access)| is_denial(access)).map(|(path, _)| (path.clone(), json!("deny"))).collect();
                if !inside.is_empty() && !out.contains_key(place) {
                    out.insert(place.clone(), Value::Object(inside));
                }
            } else if place == "glob_scan_max_depth" && access.is_u64() {
                out.insert(place.clone(), access.clone());
            }
        }
        name = profile["extends"].as_str();
    }
    out
}

fn is_denial(access: &Value) -> bool {
    access == "deny" || access == "none"
}

fn with_denials(mut profile: Value, denied: &Map<String, Value>) -> Value {
    for (place, access) in denied {
        let mut access = access.clone();
        // What the place itself is stays, beside what is denied inside it.
        if let (Some(inside), Some(own)) = (access.as_object_mut(), profile["filesystem"].get(place)) {
            inside.insert(".".to_owned(), own.clone());
        }
        profile["filesystem"][place.as_str()] = access;
    }
    profile
}

fn read_only() -> Value {
    json!({"filesystem": {":root": "read"}, "network": {"enabled": false}})
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = if cfg!(windows) { "C:\\o" } else { "/o" };

    fn guard() -> Guard {
        Guard { hidden: vec!["/h".into()], login: "/c/auth.json".into(), key: "k".to_owned(), keys_in_commands: false }
    }

    fn selected(profiles: &Profiles, sandbox: Option<Sandbox>) -> Value {
        let mut params = json!({});
        profiles.select(sandbox, &mut params);
        match params["permissions"].as_str() {
            Some(name) => profiles.config["permissions"][name].clone(),
            None => params["sandboxPolicy"].clone(),
        }
    }

    #[test]
    fn the_home_is_hidden_from_every_turn_in_a_sandbox() {
        let profiles = guard().profiles(&Value::Null, None);
        for sandbox in [Some(Sandbox::ReadOnly), Some(Sandbox::WorkspaceWrite), None] {
            assert_eq!(selected(&profiles, sandbox)["filesystem"]["/h"], "deny");
        }
        assert_eq!(selected(&profiles, Some(Sandbox::DangerFullAccess)), json!({"type": "dangerFullAccess"}));
        assert_eq!(selected(&profiles, None), selected(&profiles, Some(Sandbox::ReadOnly)), "nothing set: codex's own is read-only");
    }

    #[test]
    fn the_user_s_own_settings_hold_and_nothing_opens_the_home_again() {
        let own = json!({
            "sandbox_mode": "workspace-write", "default_permissions": null,
            "sandbox_workspace_write": {"writable_roots": [ROOT, "/h/pub"], "network_access": true, "exclude_slash_tmp": true, "exclude_tmpdir_env_var": false},
            "shell_environment_policy": {"exclude": ["MY_*"]},
        });
        let profiles = guard().profiles(&own, None);
        let workspace = selected(&profiles, Some(Sandbox::WorkspaceWrite));
        let files = json!({":root": "read", ":workspace_roots": "write", ":tmpdir": "write", ROOT: "write", "/h": "deny"});
        assert_eq!(workspace, json!({"filesystem": files, "network": {"enabled": true}}));
        assert_eq!(selected(&profiles, None), workspace);
        assert_eq!(selected(&profiles, Some(Sandbox::ReadOnly))["network"]["enabled"], false);
        let excluded = &profiles.config["shell_environment_policy.exclude"];
        assert_eq!(excluded, &json!(["MY_*", "OPENAI_API_KEY", "CODEX_API_KEY", "SSH_AUTH_SOCK"]));
    }

    #[test]
    fn a_profile_of_the_user_s_own_is_extended_and_its_denials_stay() {
        let own = json!({"default_permissions": "mine", "permissions": {"mine": {"filesystem": {"/private": "deny", "/o": "write"}}}});
        let profiles = guard().profiles(&own, None);
        assert_eq!(selected(&profiles, None), json!({"extends": "mine", "filesystem": {"/h": "deny"}}));
        assert_eq!(selected(&profiles, Some(Sandbox::WorkspaceWrite))["filesystem"]["/private"], "deny");
        assert_eq!(selected(&profiles, Some(Sandbox::ReadOnly))["filesystem"]["/private"], "deny", "the stricter one keeps it too");
    }

    #[test]
    fn denials_inside_a_place_and_of_what_is_extended_stay() {
        let own = json!({"default_permissions": "mine", "permissions": {
            "mine": {"extends": "base", "filesystem": {":workspace_roots": {".": "write", "**/*.env": "none"}}},
            "base": {"filesystem": {"/private": "none", "/o": "write"}},
        }});
        let profiles = guard().profiles(&own, None);
        let files = |sandbox| selected(&profiles, Some(sandbox))["filesystem"].clone();
        assert_eq!(files(Sandbox::WorkspaceWrite)[":workspace_roots"], json!({".": "write", "**/*.env": "deny"}));
        assert_eq!(files(Sandbox::ReadOnly)[":workspace_roots"], json!({"**/*.env": "deny"}));
        assert_eq!(files(Sandbox::ReadOnly)["/private"], "deny");
        assert!(files(Sandbox::WorkspaceWrite)["/o"].is_null());
    }

    #[test]
    fn a_name_means_the_same_always_and_is_not_to_be_guessed() {
        let (one, other) = (guard().profiles(&Value::Null, None), Guard { key: "l".to_owned(), ..guard() }.profiles(&Value::Null, None));
        assert_eq!(one, guard().profiles(&Value::Null, None));
        assert_ne!(one.read_only, other.read_only);
        assert_ne!(one.read_only, one.workspace);
    }

    #[test]
    fn without_a_word_codex_s_trust_in_the_folder_decides() {
        let project = tempfile::tempdir().unwrap();
        let (root, sub) = (project.path().join("p"), project.path().join("p/sub"));
        std::fs::create_dir_all(root.join(".git")).unwrap();
        let settings = |path: &Path| json!({"projects": {path.to_string_lossy(): {"trust_level": "trusted"}}});
        let writes = |settings: Value| {
            let profiles = guard().profiles(&settings, Some(&sub));
            selected(&profiles, None) == selected(&profiles, Some(Sandbox::WorkspaceWrite))
        };
        assert!(writes(settings(&sub)) && writes(settings(&root)));
        assert!(!writes(settings(project.path())), "trust in a folder above the repository is none in it");
    }
}
