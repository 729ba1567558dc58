//! What the daemon answers, as lines for people: an operation, an event, a time. Pure; writes nothing and shows the
//! last characters of ids only.

use super::ids;
use serde_json::Value;

/// A text inside an answer; empty where there is none.
pub(crate) fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// `label  value` lines of an operation's status; what is not known is left out.
pub(crate) fn operation(status: &Value) -> String {
    let reason = status["queueState"]["queuedReason"].as_str().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let blocked = status["queueState"]["blockedBy"].as_str().map(|id| format!(", behind {}", ids::short(id))).unwrap_or_default();
    let cwd = &status["cwd"];
    let pending = status["pendingInteractions"].as_array().map_or(0, Vec::len);
    let lines = [
        ("operation", ids::short(word(&status["operationId"])).to_owned()),
        ("status", format!("{}{reason}{blocked}", word(&status["status"]))),
        ("because", word(&status["waitsBecause"]).to_owned()),
        ("type", word(&status["operationType"]).to_owned()),
        ("folder", cwd.as_str().map_or_else(|| place(cwd), str::to_owned)),
        ("thread", word(&status["threadId"]).to_owned()),
        ("sandbox", word(&status["requestSummary"]["runtimePolicy"]["sandbox"]).to_owned()),
        ("approval", word(&status["requestSummary"]["runtimePolicy"]["approvalPolicy"]).to_owned()),
        ("created", word(&status["createdAt"]).to_owned()),
        ("started", word(&status["startedAt"]).to_owned()),
        ("ended", word(&status["completedAt"]).to_owned()),
        ("waits for", if pending == 0 { String::new() } else { format!("{pending} answers; see `codexcp pending`") }),
        ("silent since", word(&status["turnStatus"]["stalledAt"]).to_owned()),
        ("error", word(&status["lastError"]).to_owned()),
    ];
    fields(&lines)
}

/// How an operation ended, and why where it was without success: the sentence alone where that begins with the word.
pub(crate) fn ended(status: &Value) -> String {
    let word_of = word(&status["status"]);
    match status["lastError"].as_str() {
        Some(error) if error.starts_with(word_of) => error.to_owned(),
        Some(error) => format!("{word_of}: {error}"),
        None => word_of.to_owned(),
    }
}

/// Labels in a column, values beside them; empty ones left out.
pub(crate) fn fields(all: &[(&str, String)]) -> String {
    let width = all.iter().map(|(label, _)| label.len()).max().unwrap_or_default();
    let lines: Vec<_> = all.iter().filter(|(_, text)| !text.is_empty()).map(|(label, text)| format!("{label:width$}  {text}")).collect();
    lines.join("\n")
}

/// The parts of a place that is not one text.
fn place(value: &Value) -> String {
    let parts = value.as_object().into_iter().flat_map(|parts| parts.values()).filter_map(Value::as_str);
    parts.collect::<Vec<_>>().join("/")
}

/// One line of the feed.
pub(crate) fn event(event: &Value) -> String {
    let operation = event["operationId"].as_str().map_or("-", ids::short);
    let interaction = event["interactionId"].as_str().map(|id| format!(" {}", ids::short(id))).unwrap_or_default();
    let category = event["category"].as_str().map(|category| format!(" [{category}]")).unwrap_or_default();
    let words = about(&event["body"]);
    let words = if words.is_empty() { words } else { format!(" {words}") };
    format!("{} {operation} {}{category}{interaction}{words}", word(&event["at"]), word(&event["type"]))
}

/// What the body of an event says, whatever its type.
fn about(body: &Value) -> String {
    let texts = ["operationType", "kind", "status", "state", "reason", "error", "text", "method"].into_iter().filter_map(|key| {
        let text = body[key].as_str()?;
        // The two words of a state are often one.
        (key != "state" || body["status"] != body["state"]).then(|| text.to_owned())
    });
    let chars = body["chars"].as_i64().map(|chars| format!("{chars} characters"));
    texts.chain(chars).collect::<Vec<_>>().join(" ").replace('\n', " ")
}

/// Milliseconds since 1970 as `2026-11-21 13:05Z`.
pub(crate) fn utc(ms: i64) -> String {
    let minutes = ms.div_euclid(60_000);
    let (days, minute) = (minutes.div_euclid(24 * 60), minutes.rem_euclid(24 * 60));
    let (year, month, day) = date(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}Z", minute / 60, minute % 60)
}

/// The Gregorian date of a day counted from 1970, by years that start in March: the leap day is then the last one.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// The first characters of a text for a cell of a table.
pub(crate) fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_operation_shows_what_is_known_of_it() {
        let status = json!({
            "operationId": "01936f6e-0000-7000-8000-0123456789ab", "status": "queued", "operationType": "start_chat",
            "queueState": {"queuedReason": "thread_slot_limit", "blockedBy": "x-11112222"}, "lastError": null,
            "createdAt": "2026-11-21T13:05:00.000Z", "pendingInteractions": [],
        });
        let shown = operation(&status);
        assert!(shown.contains("operation     456789ab\nstatus        queued (thread_slot_limit), behind 11112222\n"), "{shown}");
        assert!(!shown.contains("error") && !shown.contains("started"), "{shown}");
    }

    #[test]
    fn work_that_waits_says_why_and_what_to_do() {
        let because = "another codex has the thread open; close it there, and this goes on by itself";
        let shown =
            operation(&json!({"status": "queued", "queueState": {"queuedReason": "thread_held_elsewhere"}, "waitsBecause": because}));
        assert!(shown.contains("queued (thread_held_elsewhere)") && shown.contains("close it there"), "{shown}");
    }

    /// FAULTS E9.
    #[test]
    fn a_word_is_not_said_twice() {
        assert_eq!(ended(&json!({"status": "interrupted", "lastError": "interrupted: its time is over"})), "interrupted: its time is over");
        assert_eq!(ended(&json!({"status": "failed", "lastError": "no login"})), "failed: no login");
        assert_eq!(ended(&json!({"status": "cancelled", "lastError": null})), "cancelled");
    }

    #[test]
    fn an_event_is_one_line() {
        let progress = json!({
            "cursor": 7, "at": "T", "type": "turn.progress", "category": "command_status", "operationId": "x-456789ab",
            "body": {"itemId": "i", "text": "started: ls\n-l"},
        });
        assert_eq!(event(&progress), "T 456789ab turn.progress [command_status] started: ls -l");
        let state = json!({"at": "T", "type": "operation.state", "body": {"status": "running", "state": "running", "reason": null}});
        assert_eq!(event(&state), "T - operation.state running");
    }

    #[test]
    fn times_are_dates() {
        assert_eq!(utc(0), "1970-01-01 00:00Z");
        assert_eq!(utc(951_782_400_000), "2000-02-29 00:00Z");
        assert_eq!(utc(1_795_266_300_000), "2026-11-21 13:05Z");
        assert_eq!(utc(-60_000), "1969-12-31 23:59Z");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut("äöü", 2), "äö…");
        assert_eq!(cut("äöü", 3), "äöü");
    }
}
