//! Where codex has our own server among its own, so that an agent would hand work to itself without end: in its
//! configuration, behind a launcher, in a plugin. Says how each is switched off; nothing else of codex's is touched.

use crate::config;
use common::files;
use serde_json::Value;
use std::path::Path;

/// The name of our server as others start it.
const OURS: &str = "codex-control-plane-mcp";
/// Plugins and their versions that are looked at; nobody has more.
const FOLDERS_MAX: usize = 1_000;

/// Arguments for codex.
pub fn switched_off(codex_home: &Path) -> Vec<String> {
    let mut arguments = configured(codex_home);
    let plugins: Vec<_> = in_plugins(codex_home);
    if !plugins.is_empty() {
        // A dotted key would have no effect here.
        let off = |(plugin, servers): &(String, Vec<String>)| {
            let servers: Vec<_> = servers.iter().map(|name| format!("{} = {{enabled = false}}", quoted(name))).collect();
            format!("{} = {{mcp_servers = {{{}}}}}", quoted(plugin), servers.join(", "))
        };
        arguments.extend(["-c".to_owned(), format!("plugins={{{}}}", plugins.iter().map(off).collect::<Vec<_>>().join(", "))]);
    }
    arguments
}

fn configured(codex_home: &Path) -> Vec<String> {
    let text = files::read_text(&codex_home.join("config.toml"), files::SETTINGS_BYTES_MAX).unwrap_or_default();
    let Ok(table) = config::table(&text) else { return Vec::new() };
    let servers = table.get("mcp_servers").and_then(toml::Value::as_table).into_iter().flatten();
    let text = |value: &toml::Value| value.as_str().map(str::to_owned);
    let ours = servers.filter(|(_, server)| {
        let arguments = server.get("args").and_then(toml::Value::as_array).into_iter().flatten();
        server.get("command").into_iter().chain(arguments).filter_map(text).any(|word| is_ours(&word))
    });
    let off = |name: &String| match name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
        true => format!("mcp_servers.{name}.enabled=false"),
        false => format!("mcp_servers={{{} = {{enabled = false}}}}", quoted(name)),
    };
    ours.flat_map(|(name, _)| ["-c".to_owned(), off(name)]).collect()
}

/// `name@marketplace`, and which of its servers are ours: `plugins/cache/MARKETPLACE/NAME/VERSION/.mcp.json`.
fn in_plugins(codex_home: &Path) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let cache = codex_home.join("plugins/cache");
    for marketplace in folders(&cache) {
        for plugin in folders(&cache.join(&marketplace)) {
            for version in folders(&cache.join(&marketplace).join(&plugin)) {
                let path = cache.join(&marketplace).join(&plugin).join(version).join(".mcp.json");
                let text = files::read_text(&path, files::SETTINGS_BYTES_MAX).unwrap_or_default();
                let ours = of_plugin(&serde_json::from_str(&text).unwrap_or_default());
                let name = format!("{plugin}@{marketplace}");
                match found.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, servers)) => servers.extend(ours.into_iter().filter(|one| !servers.contains(one)).collect::<Vec<_>>()),
                    None if !ours.is_empty() => found.push((name, ours)),
                    None => {}
                }
            }
        }
    }
    found
}

fn of_plugin(described: &Value) -> Vec<String> {
    let servers = described["mcpServers"].as_object().into_iter().flatten();
    let ours = servers.filter(|(_, server)| {
        let arguments = server["args"].as_array().into_iter().flatten();
        std::iter::once(&server["command"]).chain(arguments).filter_map(Value::as_str).any(is_ours)
    });
    ours.map(|(name, _)| name.clone()).collect()
}

fn folders(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).into_iter().flatten().filter_map(Result::ok).take(FOLDERS_MAX);
    entries.filter(|entry| entry.path().is_dir()).filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// A path to it, or a package of that name with or without a version.
fn is_ours(word: &str) -> bool {
    let last = word.rsplit(['/', '\\']).next().unwrap_or(word);
    last.strip_prefix(OURS).is_some_and(|rest| rest.is_empty() || rest.starts_with(['@', '.', '=']))
}

/// As a key of TOML.
fn quoted(name: &str) -> String {
    toml::Value::String(name.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_server_is_known_by_path_package_and_version() {
        for word in [
            "codex-control-plane-mcp",
            "/opt/bin/codex-control-plane-mcp",
            r"C:\x\codex-control-plane-mcp.exe",
            "codex-control-plane-mcp@1.2",
        ] {
            assert!(is_ours(word), "{word}");
        }
        assert!(!is_ours("codex-control-plane-mcp-docs") && !is_ours("codex"));
    }

    #[test]
    fn each_place_is_switched_off_in_the_form_that_codex_heeds() {
        let home = tempfile::tempdir().unwrap();
        let plugin = home.path().join("plugins/cache/market/tool/1.0");
        std::fs::create_dir_all(&plugin).unwrap();
        std::fs::write(plugin.join(".mcp.json"), r#"{"mcpServers": {"ctl": {"command": "uvx", "args": ["codex-control-plane-mcp"]}}}"#)
            .unwrap();
        let config = "[mcp_servers.a]\ncommand = \"codex-control-plane-mcp\"\n[mcp_servers.\"b.c\"]\ncommand = \"npx\"\nargs = [\"codex-control-plane-mcp\"]\n[mcp_servers.d]\ncommand = \"d\"";
        std::fs::write(home.path().join("config.toml"), config).unwrap();
        assert_eq!(
            switched_off(home.path()),
            [
                "-c",
                "mcp_servers.a.enabled=false",
                "-c",
                r#"mcp_servers={"b.c" = {enabled = false}}"#,
                "-c",
                r#"plugins={"tool@market" = {mcp_servers = {"ctl" = {enabled = false}}}}"#
            ]
        );
    }
}
