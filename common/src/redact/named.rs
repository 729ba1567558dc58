//! Values that a name speaks for: `password = "…"`, `--token …`, `API_KEY=…`. The name alone is not enough: the value must be
//! long, mixed, of high entropy and mostly noise, and no reference to something else: a call, a member, a variable, a path,
//! a placeholder.

use super::{
    regex, without_end,
    words::{entropy, is_separator, noise, runs},
};
use regex::{Captures, Regex};
use std::{ops::Range, sync::LazyLock};

/// How a value stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    /// In quotes, in a variable of the environment, a flag, a header: a literal for sure.
    Literal,
    /// A literal that is the argument of something.
    Argument,
    /// Bare: it may be a name in code as well.
    Bare,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    Password,
    Key,
}

const PASSWORDS: &[&str] = &["password", "passwd", "passphrase", "pwd", "passwort"];
const KEYS: &[&str] = &[
    "secret",
    "token",
    "apikey",
    "secretkey",
    "accesskey",
    "privatekey",
    "accountkey",
    "authkey",
    "appkey",
    "applicationkey",
    "clientkey",
    "signingkey",
    "encryptionkey",
    "masterkey",
    "servicekey",
    "servicerolekey",
    "licensekey",
    "subscriptionkey",
    "sharedkey",
    "webhookkey",
    "credential",
    "credentials",
    "apisecret",
    "auth",
];
/// Parts of a text without which no name in it speaks for anything.
const HINTS: &[&str] = &["pass", "pwd", "secret", "token", "key", "credential", "auth", "identified"];

const NAME: &str = r"([A-Za-z_$][A-Za-z0-9_$.-]{0,80}|--[a-z0-9][a-z0-9-]{1,60})";
const SIGN: &str = r"(?:[:=!]==?|:=|=>|\?\?=|\|\|=|\?=|->|:|=)";

static QUOTED: LazyLock<Regex> = LazyLock::new(|| {
    // An annotation may stand between a name and its value: `token: &str = "…"`.
    let annotation = r"(?::\s{0,2}[A-Za-z&'][A-Za-z0-9_&'<>\[\]|. ]{0,40}?\s{0,2})?";
    let before = r"(?:[rbuf@]{0,2}|&|String::from\(|[A-Z][A-Za-z]*\()?";
    regex(&format!(
        r#"{NAME}(?:\\{{0,3}}["'`])?\]?\s{{0,3}}{annotation}{SIGN}\s{{0,3}}{before}(\\{{0,3}}["'`])([^\s"'`\\]{{6,400}})(\\{{0,3}}["'`])"#
    ))
});
static CALLED: LazyLock<Regex> =
    LazyLock::new(|| regex(&format!(r#"{NAME}\(\s{{0,2}}(?:[rbuf]{{0,2}})(["'`])([^\s"'`\\]{{6,400}})(["'`])"#)));
static BARE: LazyLock<Regex> = LazyLock::new(|| {
    regex(&format!(r#"{NAME}((?:\\{{0,3}}["'`])?)(\s{{0,3}})({SIGN})(\s{{0,3}})([^\s"'`,;()\[\]{{}}<>|\\&]{{6,400}})(.?)"#))
});
static FLAG: LazyLock<Regex> = LazyLock::new(|| {
    regex(r#"(?:^|[\s"'`(\[,])(--?[a-z][a-z0-9-]*)(?:=|\s{1,2}|["'],\s{0,2})(["'`]?)([^\s"'`,;()\[\]{}<>|\\&]{6,400})(.?)"#)
});
static ELEMENT: LazyLock<Regex> = LazyLock::new(|| regex(&format!(r"<{NAME}>([^\s<>{{}}$]{{6,400}})</")));
static ATTRIBUTE: LazyLock<Regex> = LazyLock::new(|| regex(&format!(r#"(?i:key|name)="{NAME}"\s+(?i:value)="([^\s"{{}}$<>]{{6,400}})""#)));
static SQL: LazyLock<Regex> = LazyLock::new(|| regex(r"\b((?i:password|identified by))\s+(?:(?i:encrypted)\s+)?'([^\s']{6,400})'"));

static NO_NAME: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?:page|next|continuation|cancellation|cancel|sync|resume|cursor|public|foreign|primary|no|end|stop|start|bos|eos|pad|unk|mask|sep|current|first|last|each)(?:token|tokens)$|publickey$",
    )
});
static WORDS_WITH_DIGITS: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)sha(?:1|224|256|384|512)|md5|base(?:16|32|58|64)|utf(?:8|16|32)|x25519|ed25519|secp256[kr]1|p(?:256|384|521)|x509|x86_64|rsa(?:1024|2048|3072|4096)|aes(?:128|192|256)|[ehrp]s(?:256|384|512)|oauth2?|ipv[46]|http[123]|i18n|k8s|ec2|int(?:8|16|32|64)|float(?:32|64)|[iu](?:8|16|32|64)\b|v[0-9]{1,3}(?:\b|_)|[0-9]{1,3}$|id[0-9]\b",
    )
});
static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)x{4,}|\*{3}|\.{3}|…|_{4,}|example|change[-_]?me|placeholder|dummy|redacted|your[-_]?|[-_]here|sample|insert[-_]|replace[-_]|todo|fixme|^my[-_]|^some[-_]|^fake|^mock|^test[-_]|^not[-_]|0{6,}|1234567|abcdef[^0-9]|^null|^undefined|^none",
    )
});
static MEMBER: LazyLock<Regex> = LazyLock::new(|| regex(r"^[A-Za-z_$@][\w$]*(?:(?:\.|::|->|\?\.|!\.)[A-Za-z_$][\w$]*)+$"));
static INSERTED: LazyLock<Regex> = LazyLock::new(|| regex(r"\$\{|\{\{|\$\(|\{[A-Za-z_0-9.]*\}|%[sdv]\b|<[A-Za-z]"));
static PATH: LazyLock<Regex> = LazyLock::new(|| regex(r"^(?:/|\./|\.\./|~/|[A-Za-z]:\\|[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+/)"));
static SCHEME: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?i)(?:sha(?:1|256|384|512)[:-]|md5[:-]|blake[23][a-z0-9]*[:-]|arn:|[a-z][a-z0-9+.-]*://|projects/|urn:|data:|file:|env:|vault:|ssm:|op:|\[|ssh-|npm:|ecdsa-)",
    )
});
static KNOWN_FORM: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"^(?:[^@\s]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}|[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ].*)?|v?[0-9]+(?:\.[0-9]+)+(?:[-+.][A-Za-z0-9.]+)?)$")
});
static OF_A_PAGE: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i)(?:page|next|continuation)\s$"));
static DIGITS: LazyLock<Regex> = LazyLock::new(|| regex("[0-9]+"));

pub(super) fn is_placeholder(value: &str) -> bool {
    PLACEHOLDER.is_match(value)
}

pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    let lower = text.to_ascii_lowercase();
    if !HINTS.iter().any(|hint| lower.contains(hint)) {
        return;
    }
    each(&QUOTED, text, found, |hit| {
        let fits = part(hit, 2) == part(hit, 4) && is_secret(part(hit, 1), part(hit, 3), "", Stands::Literal);
        fits.then(|| span(hit, 3))
    });
    each(&CALLED, text, found, |hit| is_secret(part(hit, 1), part(hit, 3), "", Stands::Argument).then(|| span(hit, 3)));
    each(&BARE, text, found, |hit| bare(text, hit));
    each(&FLAG, text, found, |hit| {
        let (name, value) = (part(hit, 1), without_end(text, span(hit, 3)));
        let fits = name.starts_with("--")
            && !value.is_empty()
            && is_secret(name.trim_start_matches('-'), &text[value.clone()], part(hit, 4), Stands::Literal);
        fits.then_some(value)
    });
    for regex in [&ELEMENT, &ATTRIBUTE] {
        each(regex, text, found, |hit| is_secret(part(hit, 1), part(hit, 2), "", Stands::Literal).then(|| span(hit, 2)));
    }
    each(&SQL, text, found, |hit| is_secret("password", part(hit, 2), "", Stands::Literal).then(|| span(hit, 2)));
}

/// The search goes on behind the name where the match holds another that may speak: `a: token: "x"`. So often, and no more:
/// a text that is made of names alone would be read hundreds of times.
fn each(regex: &Regex, text: &str, found: &mut Vec<Range<usize>>, judge: impl Fn(&Captures<'_>) -> Option<Range<usize>>) {
    const INSIDE_MAX: usize = 5_000;
    let (mut at, mut inside) = (0, 0);
    while let Some(hit) = regex.captures_at(text, at) {
        found.extend(judge(&hit));
        let (name, whole) = (span(&hit, 1), span(&hit, 0));
        let rest = text[name.end..whole.end].to_ascii_lowercase();
        if inside < INSIDE_MAX && HINTS.iter().any(|hint| rest.contains(hint)) {
            inside += 1;
            at = name.end;
        } else {
            // The last sign of a match may be the first of a name.
            at = text[..whole.end].char_indices().next_back().map_or(whole.end, |(last, _)| last).max(name.end);
        }
    }
}

fn part<'t>(hit: &Captures<'t>, group: usize) -> &'t str {
    hit.get(group).map_or("", |part| part.as_str())
}

fn span(hit: &Captures<'_>, group: usize) -> Range<usize> {
    hit.get(group).map_or(0..0, |part| part.range())
}

fn bare(text: &str, hit: &Captures<'_>) -> Option<Range<usize>> {
    let (name, quote, gap, sign, second_gap) = (part(hit, 1), part(hit, 2), part(hit, 3), part(hit, 4), part(hit, 5));
    let whole = span(hit, 6);
    let value = without_end(text, whole.clone());
    let of_environment = name.to_uppercase() == name && quote.is_empty() && gap.is_empty() && sign == "=" && second_gap.is_empty();
    let stands = if of_environment || (name.contains('-') && sign == ":") { Stands::Literal } else { Stands::Bare };
    // The sign that follows a value in code; behind the end of a sentence there is none.
    let after = if value.end == whole.end { part(hit, 7) } else { "" };
    let before = &text[..span(hit, 1).start];
    let tail = before.char_indices().rev().nth(15).map_or(before, |(at, _)| &before[at..]);
    let is_path = before.ends_with(':') && sign == ":";
    let fits = !value.is_empty()
        && !text[whole].contains("..")
        && !is_path
        && !OF_A_PAGE.is_match(tail)
        && is_secret(name, &text[value.clone()], after, stands);
    fits.then_some(value)
}

fn says(name: &str) -> Option<Says> {
    let trimmed = name.trim_end_matches(['.', '-', '$']);
    let last = trimmed.rsplit(['.', '$']).next().filter(|last| !last.is_empty()).unwrap_or(name);
    let words = words_of(last);
    let flat = words.concat();
    if flat.is_empty() || NO_NAME.is_match(&flat) || matches!(last, "PWD" | "OLDPWD" | "pwd") {
        return None;
    }
    let last_word = words.last().map_or("", String::as_str);
    if (last_word == "pass" && words.len() < 2 && last != "pass") || (last_word == "auth" && !last.to_lowercase().starts_with("_auth")) {
        return None;
    }
    if PASSWORDS.iter().any(|word| flat.ends_with(word)) || last_word == "pass" {
        return Some(Says::Password);
    }
    KEYS.iter().any(|word| flat.ends_with(word)).then_some(Says::Key)
}

/// `clientSecret`, `client_secret` and `CLIENT_SECRET` are client, secret.
fn words_of(name: &str) -> Vec<String> {
    runs(name).into_iter().filter(|run| run.contains(char::is_alphanumeric)).map(|run| run.to_lowercase()).collect()
}

/// `after`: the sign behind the value.
pub(super) fn is_secret(name: &str, value: &str, after: &str, stands: Stands) -> bool {
    let Some(says) = says(name) else { return false };
    let chars = value.chars().count();
    let letters = value.chars().filter(|c| c.is_alphabetic()).count();
    let digits = value.chars().filter(|c| c.is_numeric()).count();
    let symbols = value.chars().filter(|c| !c.is_alphanumeric() && !is_separator(*c)).count();
    let chars_min = if says == Says::Password { 8 } else { 12 };
    if letters < 2 || digits + symbols < 1 || chars < chars_min || is_reference(value, after) || entropy(value) < 2.5 {
        return false;
    }
    let rest = if noise(value) * 2 < chars || chars < 20 { WORDS_WITH_DIGITS.replace_all(value, "") } else { value.into() };
    let loud = noise(&rest);
    if says == Says::Password && stands == Stands::Literal {
        return noise(value) >= 2 && (loud >= 2 || DIGITS.find_iter(value).count() >= 2);
    }
    if loud < 4 || loud * 4 < chars || digits < 1 {
        return false;
    }
    stands != Stands::Bare
        || DIGITS.find_iter(&rest).count() >= 2
        || rest.chars().filter(char::is_ascii_digit).count() >= 4
        || (chars >= 14 && loud * 2 >= chars)
}

/// A call, a member, a variable, a path, a hash, an address, a date, a placeholder: what stands for something else.
pub(super) fn is_reference(value: &str, after: &str) -> bool {
    let mostly_words = |value: &str, of: &str| noise(value) * 2 < of.chars().count();
    matches!(after, "(" | "[" | "{" | "<")
        || value.starts_with(['$', '%', '<', '{', '@', '*', '&', '#', '!', '^'])
        || INSERTED.is_match(value)
        || (MEMBER.is_match(value) && mostly_words(&WORDS_WITH_DIGITS.replace_all(value, ""), value))
        || (PATH.is_match(value) && mostly_words(value, value))
        || SCHEME.is_match(value)
        || KNOWN_FORM.is_match(value)
        || is_placeholder(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_at_their_words() {
        assert_eq!(words_of("clientSecret"), ["client", "secret"]);
        assert_eq!(words_of("APIKey"), ["api", "key"]);
        assert_eq!(words_of("AWS_SECRET_ACCESS_KEY"), ["aws", "secret", "access", "key"]);
        assert!(says("max_tokens").is_none() && says("next_page_token").is_none() && says("password").is_some());
    }
}
