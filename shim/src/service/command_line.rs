//! A command line of Windows as one text, and back (the rules of `CommandLineToArgvW`). Starts nothing.

/// Each part in quotes, so that no space and no other program's rules cut it.
pub(super) fn joined(parts: &[&str]) -> String {
    parts.iter().map(|part| quoted(part)).collect::<Vec<_>>().join(" ")
}

/// Backslashes count only before a quote: doubled there.
fn quoted(part: &str) -> String {
    let mut out = String::from("\"");
    let mut slashes = 0;
    for one in part.chars() {
        if one == '"' {
            out.push_str(&"\\".repeat(slashes + 1));
        }
        slashes = if one == '\\' { slashes + 1 } else { 0 };
        out.push(one);
    }
    out.push_str(&"\\".repeat(slashes));
    out.push('"');
    out
}

pub(super) fn split(line: &str) -> Vec<String> {
    let (mut parts, mut part, mut inside, mut begun) = (Vec::new(), String::new(), false, false);
    let mut rest = line.chars().peekable();
    while let Some(one) = rest.next() {
        let mut slashes = 0;
        let mut one = Some(one);
        while one == Some('\\') {
            slashes += 1;
            one = rest.next();
        }
        let quote = one == Some('"');
        part.push_str(&"\\".repeat(if quote { slashes / 2 } else { slashes }));
        begun |= slashes > 0;
        match one {
            Some('"') if slashes % 2 == 1 => part.push('"'),
            Some('"') => (inside, begun) = (!inside, true),
            Some(' ' | '\t') if !inside => parts.extend(std::mem::take(&mut begun).then(|| std::mem::take(&mut part))),
            Some(other) => {
                part.push(other);
                begun = true;
            }
            None => {}
        }
    }
    if begun {
        parts.push(part);
    }
    parts
}

/// What follows this part.
pub(super) fn after(line: &str, part: &str) -> Option<String> {
    split(line).into_iter().skip_while(|one| one != part).nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_joined_is_split_into_the_same() {
        let parts = [r"C:\Program Files\codexcp\codexcp-daemon.exe", "--home", r"D:\", "", r#"a"b"#, r#"c\\"d\"#, "e f"];
        assert_eq!(split(&joined(&parts)), parts);
        assert_eq!(after(&joined(&parts), "--home").as_deref(), Some(r"D:\"));
    }

    #[test]
    fn lines_of_others_are_read_as_windows_reads_them() {
        assert_eq!(split(r#"C:\a\b.exe --service  "x y""#), [r"C:\a\b.exe", "--service", "x y"]);
        assert_eq!(split(r#" "C:\a b\\" c\d\"#), [r"C:\a b\", r"c\d\"]);
        assert!(split("  ").is_empty());
        assert_eq!(after("a b", "--home"), None);
        assert_eq!(after("a --home", "--home"), None);
    }

    #[test]
    fn a_line_reads_well() {
        assert_eq!(joined(&[r"C:\x y\z.exe", "--home", r"C:\h"]), r#""C:\x y\z.exe" "--home" "C:\h""#);
    }
}
