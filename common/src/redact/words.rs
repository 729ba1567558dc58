//! What a text is made of: words, numbers, signs, and noise that no word explains. Random characters are mostly noise, names
//! in code hardly any. Pure arithmetic over characters.

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Small,
    Capital,
    Digit,
    Other,
}

fn kind(c: char) -> Kind {
    match c {
        _ if c.is_lowercase() => Kind::Small,
        _ if c.is_uppercase() => Kind::Capital,
        _ if c.is_numeric() => Kind::Digit,
        _ => Kind::Other,
    }
}

/// Signs between words.
pub(super) fn is_separator(c: char) -> bool {
    "_-./:+= ".contains(c)
}

/// Runs of one kind: `formPassword1Field` is form, Password, 1, Field.
fn segments(value: &str) -> Vec<(Kind, String)> {
    let chars: Vec<char> = value.chars().collect();
    let kind_at = |at: usize| chars.get(at).map(|c| kind(*c));
    let (mut out, mut at) = (Vec::new(), 0);
    while at < chars.len() {
        let first = kind(chars[at]);
        let capital_word = first == Kind::Capital && kind_at(at + 1) == Some(Kind::Small);
        let running = if capital_word { Kind::Small } else { first };
        let mut end = at + 1;
        while kind_at(end) == Some(running) {
            // The last capital before small letters begins the next word.
            if running == Kind::Capital && kind_at(end + 1) == Some(Kind::Small) {
                break;
            }
            end += 1;
        }
        out.push((running, chars[at..end].iter().collect()));
        at = end;
    }
    out
}

/// The same without their kinds.
pub(super) fn runs(value: &str) -> Vec<String> {
    segments(value).into_iter().map(|(_, run)| run).collect()
}

/// Letters that could be said: some vowel, and no five consonants in a row.
fn is_word(run: &str) -> bool {
    let vowels: Vec<bool> = run.to_lowercase().chars().map(|c| "aeiouy".contains(c)).collect();
    vowels.len() >= 3 && vowels.contains(&true) && !vowels.windows(5).any(|five| five.iter().all(|vowel| !vowel))
}

/// Characters that no word explains; signs between words do not count.
pub(super) fn noise(value: &str) -> usize {
    let explained = |kind: Kind, run: &str| match kind {
        Kind::Small | Kind::Capital => is_word(run),
        Kind::Digit => false,
        Kind::Other => run.chars().all(is_separator),
    };
    segments(value).iter().filter(|(kind, run)| !explained(*kind, run)).map(|(_, run)| run.chars().count()).sum()
}

pub(super) fn different(value: &str) -> usize {
    value.chars().collect::<std::collections::BTreeSet<_>>().len()
}

/// Not a placeholder (few different characters), and not made of words.
pub(super) fn is_random(value: &str) -> bool {
    different(value) >= 8 && noise(value) >= (value.chars().count() / 4).max(4)
}

/// Shannon's, bits per character.
pub(super) fn entropy(value: &str) -> f64 {
    let mut counts = std::collections::BTreeMap::<char, f64>::new();
    for c in value.chars() {
        *counts.entry(c).or_default() += 1.0;
    }
    let all: f64 = counts.values().sum();
    counts.values().map(|n| -(n / all) * (n / all).log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_words_and_keys_are_not() {
        assert_eq!(
            segments("formPassword1Field").iter().map(|(_, run)| run.as_str()).collect::<Vec<_>>(),
            ["form", "Password", "1", "Field"]
        );
        assert_eq!(noise("next_page_token"), 0);
        assert_eq!(noise("token2auth"), 1);
        assert!(is_random("K4hsFxCuW2AkN4KA3iZchh02"));
        assert!(!is_random("PasswordResetTokenGenerator") && !is_random("xxxxxxxxxxxxxxxx"));
        assert!(entropy("aaaa") < 0.1 && entropy("abcd") > 1.9);
    }
}
