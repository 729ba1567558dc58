//! From the attacker's side: what a command of the model, a client that floods, a project that lies or a second user would
//! try. Each test holds the sentence or the silence that the attacker gets.

mod files;
mod floods;
mod peers;

use tests::home::Home;

/// As one word of a shell's line: the folder of temporary files may have any name.
fn quoted(path: &std::path::Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// What the model's command left behind. Where there is nothing, what codex told the model of its command says why.
fn written_by_the_model(home: &Home, out: &std::path::Path) -> String {
    std::fs::read_to_string(out).unwrap_or_else(|error| {
        let told = std::fs::read_to_string(home.path().join("provider.ndjson")).unwrap_or_default();
        panic!("{}: {error}; the provider was told: {told}", out.display())
    })
}
