//! Which text of the assistant was shown already. Pieces come once and are never repeated, whole messages can be read
//! later; this says what of a whole message is still to be shown. Pure.

use std::collections::HashMap;

#[derive(Debug, Default)]
pub(super) struct Transcript {
    items: HashMap<String, Item>,
    /// The item whose text was shown last.
    last: Option<String>,
    /// Pieces may be missing before the next ones.
    gap: bool,
}

#[derive(Debug, Default)]
struct Item {
    shown: String,
    /// No more pieces are shown: some are missing, or the message is complete.
    closed: bool,
}

/// What of a whole text is not on the screen yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rest {
    Nothing,
    Tail(String),
    /// Nothing of it was shown, or something else was.
    All,
}

impl Transcript {
    /// Whether this piece is to be shown.
    pub(super) fn piece(&mut self, item: &str, text: &str) -> bool {
        let gap = &mut self.gap;
        // After a gap nobody knows whether a message has just begun; it is shown when it is whole.
        let one = self.items.entry(item.to_owned()).or_insert_with(|| Item { closed: std::mem::take(gap), ..Item::default() });
        if one.closed {
            return false;
        }
        one.shown.push_str(text);
        self.last = Some(item.to_owned());
        true
    }

    /// The stream broke: pieces got lost.
    pub(super) fn interrupted(&mut self) {
        self.gap = true;
        self.items.values_mut().for_each(|one| one.closed = true);
    }

    /// The text of a message of this length, if all of it was shown.
    pub(super) fn whole(&self, item: &str, chars: usize) -> Option<String> {
        self.items.get(item).map(|one| &one.shown).filter(|shown| shown.chars().count() == chars).cloned()
    }

    /// The message is complete; answers with what is to be shown of it now.
    pub(super) fn complete(&mut self, item: &str, whole: &str) -> Rest {
        let one = self.items.entry(item.to_owned()).or_default();
        let rest = rest(&one.shown, whole);
        (one.shown, one.closed) = (whole.to_owned(), true);
        self.last = Some(item.to_owned());
        rest
    }

    /// What of the final report is to be shown still: it is the last message.
    pub(super) fn rest(&self, report: &str) -> Rest {
        let shown = self.last.as_ref().and_then(|last| self.items.get(last)).map_or("", |one| &one.shown);
        rest(shown, report)
    }
}

fn rest(shown: &str, whole: &str) -> Rest {
    match whole.strip_prefix(shown) {
        Some("") => Rest::Nothing,
        Some(tail) if !shown.is_empty() => Rest::Tail(tail.to_owned()),
        _ => Rest::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_was_streamed_is_not_shown_again() {
        let mut transcript = Transcript::default();
        assert!(transcript.piece("a", "Hello ") && transcript.piece("a", "you"));
        assert_eq!(transcript.whole("a", 9).as_deref(), Some("Hello you"));
        assert_eq!(transcript.complete("a", "Hello you"), Rest::Nothing);
        assert!(!transcript.piece("a", "you"), "a late piece");
        assert_eq!(transcript.rest("Hello you"), Rest::Nothing);
        assert_eq!(transcript.rest("Another"), Rest::All);
    }

    #[test]
    fn after_a_break_the_rest_is_shown_once() {
        let mut transcript = Transcript::default();
        transcript.piece("a", "Hel");
        transcript.interrupted();
        assert!(!transcript.piece("a", "you"), "something is missing before it");
        assert!(!transcript.piece("b", "ginning"), "it may have begun in the gap");
        assert!(transcript.piece("c", "from its start"));
        assert_eq!(transcript.whole("a", 9), None);
        assert_eq!(transcript.complete("a", "Hello you"), Rest::Tail("lo you".to_owned()));
        assert_eq!(transcript.complete("b", "The beginning"), Rest::All);
    }

    #[test]
    fn a_report_of_which_nothing_was_seen_is_shown_whole() {
        assert_eq!(Transcript::default().rest("Done."), Rest::All);
        assert_eq!(Transcript::default().rest(""), Rest::Nothing);
    }
}
