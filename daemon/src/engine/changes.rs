//! What a change of files is about to do, as it is kept with the question whether it may: each file with its kind and how
//! many lines come and go, and the diff as far as it fits. Bounded, whatever a model writes.

use serde_json::{Value, json};

const FILES_MAX: usize = 1_000;
/// No system has longer ones.
const PATH_BYTES_MAX: usize = 4_096;
const DIFFS_BYTES_MAX: usize = 64 * 1024;

#[derive(Debug, Clone)]
pub struct Changes {
    files: Vec<Value>,
    left_out: usize,
}

impl Changes {
    /// Of the `changes` of a `fileChange` item.
    pub(super) fn of(changes: &Value) -> Changes {
        let all = changes.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut room = DIFFS_BYTES_MAX;
        let files = all.iter().take(FILES_MAX).map(|one| file(one, &mut room)).collect();
        Changes { files, left_out: all.len().saturating_sub(FILES_MAX) }
    }

    /// Beside what the app-server asks.
    pub(super) fn put_into(self, params: &mut Value) {
        if params.is_object() {
            params["changes"] = Value::Array(self.files);
            params["changesLeftOut"] = json!(self.left_out);
        }
    }
}

fn file(change: &Value, room: &mut usize) -> Value {
    let diff = change["diff"].as_str().unwrap_or_default();
    let kind = change["kind"]["type"].as_str().or(change["kind"].as_str()).unwrap_or_default();
    let begin = |sign: char| diff.lines().filter(|line| line.starts_with(sign)).count();
    // A new file comes whole, and so does one that goes.
    let (added, removed) = if kind == "add" {
        (diff.lines().count(), 0)
    } else if kind == "delete" {
        (0, diff.lines().count())
    } else {
        (begin('+'), begin('-'))
    };
    let path = cut(change["path"].as_str().unwrap_or_default(), PATH_BYTES_MAX);
    let kept = cut(diff, *room).len();
    *room -= kept;
    let mut file = json!({"path": path, "kind": change["kind"], "added": added, "removed": removed, "diff": diff[..kept]});
    if kept < diff.len() {
        file["diffBytesLeftOut"] = json!(diff.len() - kept);
    }
    file
}

fn cut(text: &str, bytes_max: usize) -> &str {
    let mut kept = text.len().min(bytes_max);
    while !text.is_char_boundary(kept) {
        kept -= 1;
    }
    &text[..kept]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_and_long_diffs_are_cut_between_characters() {
        let update = json!({"path": "/p/a", "kind": {"type": "update"}, "diff": "@@ -1 +1,2 @@\n-a\n+b\n+c\n"});
        let new = json!({"path": "/p/b", "kind": {"type": "add"}, "diff": "ä".repeat(DIFFS_BYTES_MAX)});
        let mut params = json!({});
        Changes::of(&json!([update, new])).put_into(&mut params);
        assert_eq!((&params["changes"][0]["added"], &params["changes"][0]["removed"]), (&json!(2), &json!(1)));
        assert_eq!(params["changes"][1]["added"], 1);
        assert!(params["changes"][1]["diffBytesLeftOut"].as_u64().unwrap() >= DIFFS_BYTES_MAX as u64);
        let many = Value::Array(vec![json!({"path": "x"}); FILES_MAX + 5]);
        Changes::of(&many).put_into(&mut params);
        assert_eq!((params["changes"].as_array().unwrap().len(), &params["changesLeftOut"]), (FILES_MAX, &json!(5)));
    }
}
