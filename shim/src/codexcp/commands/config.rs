//! `codexcp config`: every setting of the daemon, its value and where that comes from.
//! Reads only; what the daemon was started with counts, not the environment of this program.

use crate::codexcp::{
    daemon::Daemon,
    exit::{Exit, Failure},
    output::Output,
    views::word,
};
use serde_json::{Value, json};

pub(super) async fn run(daemon: &Daemon, out: &Output) -> Result<Exit, Failure> {
    let answer = daemon.admin("config", json!({})).await?;
    if out.json {
        out.object(answer)?;
        return Ok(Exit::Success);
    }
    let rows: Vec<_> = answer["settings"].as_array().into_iter().flatten().map(|one| row(one, out.verbose)).collect();
    let header = ["key", "value", "origin", "meaning"];
    out.table(&header[..if out.verbose { 4 } else { 3 }], &rows)?;
    out.say(&format!("The file is {}; -v shows what each means.", word(&answer["configFile"])));
    Ok(Exit::Success)
}

fn row(one: &Value, verbose: bool) -> Vec<String> {
    let value = match &one["value"] {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(word).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    let mut row = vec![word(&one["key"]).to_owned(), value, word(&one["origin"]).to_owned()];
    if verbose {
        row.push(word(&one["about"]).to_owned());
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_people_write_them() {
        let shown = |value: Value| row(&json!({"key": "k", "value": value, "origin": "default", "about": "a"}), false)[1].clone();
        assert_eq!(shown(json!(["/a", "/b"])), "/a, /b");
        assert_eq!(shown(json!(4)), "4");
        assert_eq!(shown(Value::Null), "–");
    }
}
