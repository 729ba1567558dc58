//! Text of others as a person may see it: nothing in it steers a terminal, and where somebody decides nothing in it is
//! invisible. Changes how a text looks, never what it says.

use std::{borrow::Cow, fmt::Write};

/// More blanks in a row than this are told as a count: an end that is pushed out of sight is no end that is seen.
const BLANKS_MAX: usize = 8;

/// For where somebody decides: one line; whatever is invisible or steers is an escape, and so is the end of a line.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut blanks = 0;
    for c in text.chars() {
        if c == ' ' {
            blanks += 1;
            continue;
        }
        put_blanks(&mut out, std::mem::take(&mut blanks));
        match c {
            _ if steers(c) || is_invisible(c) => escape(&mut out, c),
            c => out.push(c),
        }
    }
    put_blanks(&mut out, blanks);
    out
}

fn put_blanks(out: &mut String, blanks: usize) {
    if blanks > BLANKS_MAX {
        // Writing to a text does not fail.
        let _ = write!(out, "[{blanks} blanks]");
    } else {
        out.extend(std::iter::repeat_n(' ', blanks));
    }
}

/// For everything else: lines and tabs stay, and the joiners that scripts and emoji need.
pub fn for_terminal(text: &str) -> Cow<'_, str> {
    let bad =
        |c: char| (steers(c) && !matches!(c, '\n' | '\t')) || turns_direction(c) || matches!(u32::from(c), 0xFEFF | 0xE0000..=0xE007F);
    if !text.contains(bad) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if bad(c) { escape(&mut out, c) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// At most so many characters, the middle left out and counted: the beginning and the end are what they were.
pub fn middle_left_out(text: &str, chars_max: usize) -> String {
    let all = text.chars().count();
    if all <= chars_max {
        return text.to_owned();
    }
    let (head, tail) = (chars_max / 2, chars_max - chars_max / 2);
    let at = |chars: usize| text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at);
    format!("{}[… {} characters left out …]{}", &text[..at(head)], all - head - tail, &text[at(all - tail)..])
}

fn escape(out: &mut String, c: char) {
    let written = match c {
        // Not `\n`, which a text may hold itself: whether a command goes on in another line decides.
        '\n' => out.write_str("\u{23ce}"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        c if u32::from(c) < 0x100 => write!(out, "\\x{:02x}", u32::from(c)),
        c => write!(out, "\\u{{{:x}}}", u32::from(c)),
    };
    // Writing to a text does not fail.
    let _ = written;
}

/// C0, DEL, C1, and the line ends of Unicode.
fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

fn turns_direction(c: char) -> bool {
    matches!(u32::from(c), 0x061C | 0x200E | 0x200F | 0x202A..=0x202E | 0x2066..=0x2069)
}

/// Takes no ink, or looks like a blank and is none (Unicode: Default_Ignorable_Code_Point, White_Space, and fillers).
fn is_invisible(c: char) -> bool {
    turns_direction(c)
        || matches!(
            u32::from(c),
            // The first one stands for the end of a line here, so in a text of others it is an escape.
            0x23CE | 0x00A0 | 0x00AD | 0x034F | 0x115F..=0x1160 | 0x1680 | 0x17B4..=0x17B5 | 0x180B..=0x180F | 0x2000..=0x200F
                | 0x202F | 0x205F..=0x206F | 0x2800 | 0x3000 | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB
                | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_invisible_or_steers_is_an_escape_where_somebody_decides() {
        assert_eq!(escaped("echo \u{202e}gnp.exe\u{202c} x"), "echo \\u{202e}gnp.exe\\u{202c} x");
        assert_eq!(escaped("a\u{1b}]52;c;x\u{7}\r\nb\tc\u{9b}"), "a\\x1b]52;c;x\\x07\\r⏎b\\tc\\x9b");
        for c in "\u{2066}\u{2069}\u{200b}\u{200d}\u{feff}\u{e0000}\u{e007f}\u{fe00}\u{fe0f}\u{e0100}\u{ad}\u{115f}\u{3164}\u{2028}\u{a0}"
            .chars()
        {
            assert!(escaped(&c.to_string()).starts_with('\\'), "{:x}", u32::from(c));
        }
        assert_eq!(escaped("für 日本 ✓ {x} \\n"), "für 日本 ✓ {x} \\n");
    }

    #[test]
    fn an_end_behind_many_blanks_is_still_seen() {
        assert_eq!(escaped(&format!("echo a{}; touch /tmp/t", " ".repeat(1200))), "echo a[1200 blanks]; touch /tmp/t");
        assert_eq!(escaped("a        b"), "a        b");
    }

    #[test]
    fn the_end_of_a_long_text_is_always_there() {
        let text = format!("echo {} && touch /tmp/t", "a".repeat(1500));
        let shown = middle_left_out(&text, 200);
        assert!(
            shown.starts_with("echo aaa") && shown.ends_with(" && touch /tmp/t") && shown.contains("1321 characters left out"),
            "{shown}"
        );
        assert_eq!(middle_left_out("äöü", 3), "äöü");
    }

    #[test]
    fn a_report_keeps_its_lines_and_joiners_and_steers_nothing() {
        assert_eq!(for_terminal("a\u{1b}[2Jb\r\nc\td"), "a\\x1b[2Jb\\r\nc\td");
        assert!(matches!(for_terminal("plain – ✓ \u{1f469}\u{200d}\u{1f4bb}\n"), Cow::Borrowed(_)));
        assert_eq!(for_terminal("a\u{202e}b"), "a\\u{202e}b");
    }
}
