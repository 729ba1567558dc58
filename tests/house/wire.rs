//! Wire captures of the real app-server, read by `translate`: what each line means to us, line by line.

use daemon::appserver::translate::translate;
use serde_json::Value;
use std::{fmt::Write, path::Path};

/// Every line of the server in a capture, as its event; assistant text and long values are cut.
fn translated(capture: &str) -> String {
    let mut out = String::new();
    for (number, line) in capture.lines().enumerate() {
        let record: Value = serde_json::from_str(line).unwrap();
        if record["dir"] != "s2c" || record["msg"]["method"].is_null() {
            continue;
        }
        let mut event = serde_json::to_value(translate(&record["msg"])).unwrap();
        if let Some(params) = event.get_mut("params") {
            *params = Value::from(params.as_object().map(|params| params.keys().cloned().collect::<Vec<_>>()).unwrap_or_default());
        }
        writeln!(out, "{:>4} {} -> {event}", number + 1, record["msg"]["method"].as_str().unwrap_or_default()).unwrap();
    }
    out
}

/// `CODEXCP_BLESS=1` writes the golden files anew.
#[test]
fn the_captures_mean_what_they_meant() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/captures");
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "jsonl"))
        .collect();
    names.sort();
    assert!(names.len() >= 12);
    for path in names {
        let now = translated(&std::fs::read_to_string(&path).unwrap());
        let golden = path.with_extension("events");
        if super::contract::blessed() {
            std::fs::write(&golden, &now).unwrap();
        }
        let before = std::fs::read_to_string(&golden).unwrap_or_default();
        let differs = before.lines().zip(now.lines()).find(|(before, now)| before != now);
        assert!(before == now, "{}: {differs:?}; CODEXCP_BLESS=1 writes it anew", path.display());
    }
}

#[test]
fn no_line_of_the_captures_is_unknown() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/captures");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "jsonl") {
            let events = translated(&std::fs::read_to_string(&path).unwrap());
            let unknown: Vec<_> = events.lines().filter(|line| line.contains(r#""event":"unknown""#)).collect();
            assert!(unknown.is_empty(), "{}: {unknown:#?}", path.display());
        }
    }
}
