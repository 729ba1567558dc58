//! The findings of a review, read from the words in which codex writes them down: a summary, then one entry each with
//! title, place and reason. What cannot be read so stays text; nothing is made up.

/// One remark, and where it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// 0 is the gravest; only where the title names one (`[P1]`).
    pub priority: Option<u8>,
    pub title: String,
    pub path: String,
    pub lines: Option<(u32, u32)>,
    pub body: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    pub summary: String,
    pub findings: Vec<Finding>,
}

/// The lines under which codex lists them.
const HEADINGS: [&str; 2] = ["Review comment:", "Full review comments:"];

pub fn findings(text: &str) -> Findings {
    let mut lines = text.lines();
    let summary: Vec<&str> = lines.by_ref().take_while(|line| !HEADINGS.contains(&line.trim())).collect();
    let mut findings: Vec<Finding> = Vec::new();
    for line in lines {
        match (line.strip_prefix("- ").and_then(headed), findings.last_mut()) {
            (Some(finding), _) => findings.push(finding),
            (None, Some(last)) => {
                last.body.push_str(line.strip_prefix("  ").unwrap_or(line));
                last.body.push('\n');
            }
            (None, None) => {}
        }
    }
    for one in &mut findings {
        one.body = one.body.trim().to_owned();
    }
    Findings { summary: summary.join("\n").trim().to_owned(), findings }
}

/// `[P1] Title — path:3-7`. A dash in the title is part of it.
fn headed(line: &str) -> Option<Finding> {
    let (title, place) = line.rsplit_once(" \u{2014} ")?;
    let (path, lines) = match place.trim().rsplit_once(':') {
        Some((path, range)) if range.chars().all(|c| c.is_ascii_digit() || c == '-') => (path, range_of(range)),
        _other => (place.trim(), None),
    };
    let priority = title.strip_prefix("[P").and_then(|rest| rest.split_once(']')).and_then(|(digit, rest)| {
        let priority = digit.parse().ok()?;
        Some((priority, rest.trim()))
    });
    let (priority, title) = priority.map_or((None, title.trim()), |(priority, title)| (Some(priority), title));
    Some(Finding { priority, title: title.to_owned(), path: path.to_owned(), lines, body: String::new() })
}

fn range_of(text: &str) -> Option<(u32, u32)> {
    let (start, end) = text.split_once('-').unwrap_or((text, text));
    Some((start.parse().ok()?, end.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_remark_and_many_are_read_with_their_places() {
        // Captured from codex 0.169.0 (PROTOCOL 8).
        let one = findings("one bug\n\nReview comment:\n\n- Bug \u{2014} /w/a.txt:1-2\n  It is wrong");
        let expected =
            Finding { priority: None, title: "Bug".into(), path: "/w/a.txt".into(), lines: Some((1, 2)), body: "It is wrong".into() };
        assert_eq!(one, Findings { summary: "one bug".into(), findings: vec![expected] });
        let text = "two\n\nFull review comments:\n\n- [P1] A \u{2014} or B \u{2014} C:\\w\\a.rs:3-3\n  first\n\n  second\n\n- [P0] Gone \u{2014} b.rs:9-12\n  x";
        let many = findings(text).findings;
        assert_eq!((many[0].priority, many[0].title.as_str(), many[0].path.as_str()), (Some(1), "A \u{2014} or B", "C:\\w\\a.rs"));
        assert_eq!(many[0].body, "first\n\nsecond");
        assert_eq!((many[1].priority, many[1].lines), (Some(0), Some((9, 12))));
    }

    #[test]
    fn words_without_remarks_are_only_a_summary() {
        assert_eq!(findings("all is well\n- really"), Findings { summary: "all is well\n- really".into(), findings: Vec::new() });
        assert_eq!(findings("").findings, []);
    }
}
