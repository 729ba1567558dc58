//! The catalogue of tools against the contract its callers know, and against its own golden file.

use serde_json::Value;
use std::path::{Path, PathBuf};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

fn contract() -> Value {
    serde_json::from_str(&std::fs::read_to_string(golden("contract/tools.json")).unwrap()).unwrap()
}

/// Additions are additive (ARCHITECTURE 21.2): the rest is equal.
#[test]
fn inputs_are_those_of_the_contract_and_additions_are_optional() {
    let contract = contract();
    let catalogue = daemon::tools::catalogue();
    let mut compared = 0;
    for ours in catalogue["tools"].as_array().unwrap() {
        let Some(theirs) = contract["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == ours["name"]) else { continue };
        compared += 1;
        let mut ours_input = ours["inputSchema"].clone();
        let extra: Vec<String> = ours_input["properties"]
            .as_object()
            .unwrap()
            .keys()
            .filter(|name| theirs["inputSchema"]["properties"].get(name.as_str()).is_none())
            .cloned()
            .collect();
        for name in &extra {
            ours_input["properties"].as_object_mut().unwrap().remove(name);
        }
        assert_eq!(ours_input, theirs["inputSchema"], "{}", ours["name"]);
        assert_eq!(ours["annotations"]["openclawContractGroup"], theirs["annotations"]["openclawContractGroup"]);
        assert_eq!(ours["annotations"]["codexMcp"]["role"], theirs["annotations"]["codexMcp"]["role"], "{}", ours["name"]);
    }
    assert_eq!(compared, 26);
}

#[test]
fn every_tool_is_annotated_and_says_what_it_answers() {
    let catalogue = daemon::tools::catalogue();
    for key in ["tools", "codexMcpGuide", "recommendedStartupTool", "recommendedPrimaryWriteTool", "toolGroups"] {
        assert!(catalogue.get(key).is_some(), "{key}");
    }
    for tool in catalogue["tools"].as_array().unwrap() {
        for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
            assert!(tool["annotations"][hint].is_boolean(), "{hint} of {}", tool["name"]);
        }
        let output = &tool["outputSchema"];
        assert_eq!(output["type"], "object", "{}", tool["name"]);
        assert!(output["properties"].as_object().unwrap().len() > 4, "{} has no real output schema", tool["name"]);
    }
}

/// Clients that check schemas complain about any other format, in every list.
#[test]
fn no_schema_names_a_format_that_json_schema_does_not_define() {
    fn strange_formats(schema: &Value, found: &mut Vec<String>) {
        let format = schema.get("format").and_then(Value::as_str);
        found.extend(format.filter(|format| !["date-time", "uri", "uuid"].contains(format)).map(str::to_owned));
        match schema {
            Value::Object(map) => map.values().for_each(|inner| strange_formats(inner, found)),
            Value::Array(list) => list.iter().for_each(|inner| strange_formats(inner, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut found = Vec::new();
    strange_formats(&daemon::tools::catalogue()["tools"], &mut found);
    assert!(found.is_empty(), "{found:?}");
}

/// A change of the contract shows as a diff of this file. `CODEXCP_BLESS=1` writes it anew.
#[test]
fn the_catalogue_is_the_golden_one() {
    let path = golden("catalogue.json");
    let now = format!("{:#}\n", daemon::tools::catalogue());
    if blessed() {
        std::fs::write(&path, &now).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == now, "the catalogue changed; look at the difference, then run the tests once with CODEXCP_BLESS=1");
}

#[expect(clippy::disallowed_methods, reason = "a test may be told to write its golden file")]
pub(crate) fn blessed() -> bool {
    std::env::var_os("CODEXCP_BLESS").is_some()
}
