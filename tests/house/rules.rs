//! Rules over the source as text.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every Rust file of the project.
fn sources() -> Vec<(PathBuf, String)> {
    let mut open: Vec<PathBuf> = ["common", "daemon", "shim", "tests"].iter().map(|member| root().join(member)).collect();
    let mut out = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                out.push((path.clone(), std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    assert!(out.len() > 80, "the walk found too little");
    out
}

/// Without the tests at its end, and without the lines of tests files.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

fn is_test_code(path: &Path) -> bool {
    path.starts_with(root().join("tests")) || path.file_name().is_some_and(|name| name == "tests.rs")
}

fn offenders(found: impl Fn(&Path, &str) -> Option<String>) -> Vec<String> {
    let shown = |path: &Path| path.strip_prefix(root()).unwrap().display().to_string();
    sources().iter().filter_map(|(path, text)| Some(format!("{}: {}", shown(path), found(path, text)?))).collect()
}

#[test]
fn no_file_is_longer_than_five_hundred_lines() {
    let long = offenders(|_, text| Some(text.lines().count()).filter(|lines| *lines > 500).map(|lines| format!("{lines} lines")));
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    let silent = offenders(|_, text| (!text.starts_with("//! ")).then(|| "no opening comment".to_owned()));
    assert!(silent.is_empty(), "{silent:#?}");
}

#[test]
fn words_that_say_nothing_are_not_used_for_names() {
    const WORDS: &[&str] = &["manager", "helper", "util", "handler"];
    let vague = offenders(|path, text| {
        let name = path.file_stem()?.to_string_lossy().to_lowercase();
        let in_name = WORDS.iter().find(|word| name.contains(*word));
        let declares = |line: &&str| {
            let line = line.trim_start().trim_start_matches("pub ").trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
            let declares = ["struct ", "enum ", "trait ", "fn ", "mod "].iter().any(|word| line.starts_with(word));
            declares && WORDS.iter().any(|word| line.split(['(', '{', '<', ';']).next().unwrap_or("").to_lowercase().contains(word))
        };
        in_name.map(|word| (*word).to_owned()).or_else(|| without_tests(text).lines().find(declares).map(str::to_owned))
    });
    assert!(vague.is_empty(), "{vague:#?}");
}

#[test]
fn the_domain_depends_on_nothing_that_could_do_io() {
    let manifest = std::fs::read_to_string(root().join("daemon/domain/Cargo.toml")).unwrap();
    let section = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let names: Vec<_> = section.lines().filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|name| !name.is_empty()).collect();
    assert_eq!(names, ["common", "serde", "thiserror"]);
}

#[test]
fn matches_over_our_own_states_name_every_case() {
    let catch_all = offenders(|path, text| {
        let watched = path.starts_with(root().join("daemon/domain/src")) || path.starts_with(root().join("daemon/src/engine"));
        let lines = without_tests(text).lines().filter(|line| line.trim_start().starts_with("_ =>"));
        // Over text of others and over options there is nothing to name.
        let allowed = ["Kind::Unknown", "free == 0", "None", "Ok(())", "Before"];
        let mut bad = lines.filter(|line| !allowed.iter().any(|word| line.contains(word)));
        (watched && !is_test_code(path)).then(|| bad.next().map(str::to_owned)).flatten()
    });
    assert!(catch_all.is_empty(), "{catch_all:#?}");
}

#[test]
fn input_types_have_neither_flatten_nor_untagged() {
    let loose = offenders(|path, text| {
        let tools = path.starts_with(root().join("daemon/src/tools"));
        (tools && (text.contains("serde(flatten)") || text.contains("untagged"))).then(|| "flatten or untagged".to_owned())
    });
    assert!(loose.is_empty(), "{loose:#?}");
}

#[test]
fn only_the_store_knows_sql_and_only_its_own_folder_mcp() {
    let strangers = offenders(|path, text| {
        let inside = |folder: &str| path.starts_with(root().join("daemon/src").join(folder));
        if is_test_code(path) {
            return None;
        }
        let text = without_tests(text);
        let sql = text.contains("rusqlite::") && !inside("store") && !path.ends_with("daemon/src/engine/mod.rs");
        let mcp = text.contains("rmcp::") && !inside("mcp");
        let http = text.contains("axum::") && !inside("ipc");
        (sql || mcp || http).then(|| "knows what is another room's".to_owned())
    });
    assert!(strangers.is_empty(), "{strangers:#?}");
}

#[test]
fn the_page_of_errors_is_the_table_of_errors() {
    let page = std::fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let headings: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let codes: Vec<_> = common::error::ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(headings, codes);
    for code in common::error::ErrorCode::ALL {
        let retry = match code.retry() {
            common::error::Retry::Never => "never",
            common::error::Retry::Later => "later",
        };
        let wanted = format!("## {}\n\n{}\n\nHTTP {} · retry: {retry}\n", code.as_str(), code.about(), code.http_status());
        assert!(page.contains(&wanted), "docs/errors.md should have:\n{wanted}");
    }
}

#[test]
fn the_page_of_limits_names_tests_that_there_are() {
    let page = std::fs::read_to_string(root().join("docs/limits.md")).unwrap();
    let named: Vec<_> = page.split('`').skip(1).step_by(2).filter_map(|one| one.split_once(".rs::")).collect();
    assert!(named.len() > 30, "the page names {} tests", named.len());
    let missing = named.iter().filter(|(file, test)| {
        let folder = if file.starts_with("daemon/") { root() } else { root().join("tests/e2e") };
        let text = std::fs::read_to_string(folder.join(format!("{file}.rs"))).unwrap_or_default();
        !text.contains(&format!("fn {test}("))
    });
    let missing: Vec<_> = missing.collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
