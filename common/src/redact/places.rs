//! Places that say what stands in them: a block of a private key, the password of an address, the value of a header, the
//! user of a command line. Decides by the place first and then by the value.

use super::{
    named::{self, is_placeholder},
    regex, without_end, words,
};
use base64::Engine;
use regex::Regex;
use std::{ops::Range, sync::LazyLock};

static PEM: LazyLock<[Regex; 2]> = LazyLock::new(|| {
    let begin = r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----";
    [
        regex(&format!(r#"{begin}([A-Za-z0-9+/=\s\\:,."'-]{{64,}}?)-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"#)),
        // Cut off before its end.
        regex(&format!(r#"{begin}(?:\\[nr]|[\s"'+]){{1,12}}((?:[A-Za-z0-9+/=]{{16,}}(?:\\[nr]|[\s"'+,-])*)+)"#)),
    ]
});
static ADDRESS: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"[A-Za-z][A-Za-z0-9+.-]*://([^\s/:@"'`<>(){}$?#]*):([^\s/"'`<>{}$]+)@([^\s/"'`:]*:?)"#));
static NO_PASSWORD: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^(?i)(?:%[a-z]$|pass$|pass(?:word|wd|phrase)?$|pwd$|secret$|token$|pw$|x+$|\*+$|\.+$)"));
static BASIC: LazyLock<Regex> = LazyLock::new(|| regex(r"\b(?i:basic)\s+([A-Za-z0-9+/_-]{8,}={0,2})"));
static BEARER: LazyLock<Regex> = LazyLock::new(|| regex(r"\b(?i:bearer|token)[ +]([A-Za-z0-9._~+/-]{16,}={0,2})"));
static AUTHORIZATION: LazyLock<Regex> = LazyLock::new(|| {
    // A scheme may stand before the value.
    regex(
        r#"(?i:authorization)\\?["'`]?\s{0,3}[:=,]\s{0,3}\\?["'`]?(?:(?i:bearer|token|apikey|bot|key)\s+)?([A-Za-z0-9._~+/-]{8,}={0,2})(.?)"#,
    )
});
static CURL_USER: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"\bcurl\b[^\n]*?\s(?:-u|--user|-U|--proxy-user)[ =]?["']?[^\s:"'$<]+:([^\s"'$<{]+)"#));

/// Blocks of private keys.
pub(super) fn find_blocks(text: &str, found: &mut Vec<Range<usize>>) {
    if !text.contains("PRIVATE KEY") {
        return;
    }
    for regex in PEM.iter() {
        let blocks = regex.captures_iter(text).filter_map(|hit| hit.get(1));
        found.extend(blocks.filter(|block| words::different(block.as_str()) >= 16).map(|block| block.range()));
    }
}

pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    if text.contains("://") {
        found.extend(ADDRESS.captures_iter(text).filter(is_password).filter_map(|hit| Some(hit.get(2)?.range())));
    }
    let lower = text.to_ascii_lowercase();
    if lower.contains("basic") {
        found.extend(BASIC.captures_iter(text).filter_map(|hit| hit.get(1)).filter(|hit| is_basic(hit.as_str())).map(|hit| hit.range()));
    }
    if lower.contains("bearer") || lower.contains("token") {
        for hit in BEARER.captures_iter(text).filter_map(|hit| hit.get(1)) {
            let value = without_end(text, hit.range());
            let after = text[hit.end()..].chars().next().map(String::from).unwrap_or_default();
            if is_mixed(&text[value.clone()])
                && words::is_random(&text[value.clone()])
                && !named::is_reference(&text[value.clone()], &after)
            {
                found.push(value);
            }
        }
    }
    if lower.contains("authorization") {
        for hit in AUTHORIZATION.captures_iter(text) {
            let (Some(one), after) = (hit.get(1), hit.get(2).map_or("", |after| after.as_str())) else { continue };
            let span = without_end(text, one.range());
            let value = &text[span.clone()];
            if is_mixed(value) && words::noise(value) >= (value.len() / 4).max(4) && !named::is_reference(value, after) {
                found.push(span);
            }
        }
    }
    if lower.contains("curl") {
        for hit in CURL_USER.captures_iter(text).filter_map(|hit| hit.get(1)) {
            let value = hit.as_str();
            if value.chars().count() >= 6 && value.contains(|c: char| c.is_ascii_digit()) && !is_placeholder(value) {
                found.push(hit.range());
            }
        }
    }
}

fn is_mixed(value: &str) -> bool {
    value.contains(|c: char| c.is_ascii_digit()) && value.contains(|c: char| c.is_ascii_alphabetic())
}

fn is_password(hit: &regex::Captures<'_>) -> bool {
    let part = |at: usize| hit.get(at).map_or("", |part| part.as_str());
    let (user, password, host) = (part(1), part(2), part(3));
    let chars_min = if password.contains(|c: char| c.is_ascii_digit()) { 4 } else { 6 };
    password != user
        && host != "sha256:"
        && password.chars().count() >= chars_min
        && !NO_PASSWORD.is_match(password)
        && !is_placeholder(password)
        && !password.contains(['[', ']', '\\', '(', ',', ';', '|'])
}

/// `user:password`, as a header carries it (RFC 7617).
fn is_basic(value: &str) -> bool {
    let bare = value.trim_end_matches('=');
    let engine = base64::engine::general_purpose::STANDARD_NO_PAD;
    let plain = engine.decode(bare).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    plain.is_some_and(|plain| plain.contains(':') && !plain.contains(char::is_control))
}
