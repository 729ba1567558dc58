//! A text of TOML as a table, whatever the text. The parser goes as deep as the text nests, and that is deeper than it
//! looks: a key may have 80 parts and values may lie 80 deep in each other, which together is more than a thread's stack
//! holds. So it gets a stack that is large enough, and what no configuration needs is refused there.

/// Tables and lists in each other. Codex's own configuration has fewer than ten.
const DEPTH_MAX: usize = 64;
/// Measured: the deepest text that the parser takes needs a quarter of it, unoptimised.
const STACK_BYTES: usize = 128 * 1024 * 1024;

/// `Err`: what is wrong with the text, for a person.
pub fn table(text: &str) -> Result<toml::Table, String> {
    std::thread::scope(|scope| {
        let parsing = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, || parse(text));
        let parsed = parsing.map_err(|error| error.to_string())?.join();
        parsed.unwrap_or_else(|_| Err("the parser of TOML failed".to_owned()))
    })
}

/// What is too deep is dropped here as well: dropping it needs as much stack.
fn parse(text: &str) -> Result<toml::Table, String> {
    let table: toml::Table = toml::from_str(text).map_err(|error| error.to_string())?;
    let deep = table.values().any(|value| is_deeper(value, DEPTH_MAX));
    if deep { Err(format!("it nests deeper than {DEPTH_MAX} tables and lists")) } else { Ok(table) }
}

fn is_deeper(value: &toml::Value, left: usize) -> bool {
    let Some(left) = left.checked_sub(1) else { return true };
    match value {
        toml::Value::Table(table) => table.values().any(|value| is_deeper(value, left)),
        toml::Value::Array(all) => all.iter().any(|value| is_deeper(value, left)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_text_that_the_parser_takes_is_refused_with_a_sentence() {
        let key = ["a"; 79].join(".");
        let text = format!("[{key}]\n{key}={}1{}\n", format!("{{{key}=").repeat(79), "}".repeat(79));
        let error = table(&text).unwrap_err();
        assert!(error.contains("nests deeper than 64"), "{error}");
    }

    #[test]
    fn an_ordinary_table_is_read() {
        let read = table("[mcp_servers.a.env]\nb = [[1]]\n").unwrap();
        assert_eq!(read["mcp_servers"]["a"]["env"]["b"][0][0].as_integer(), Some(1));
        assert!(table("a = ").is_err());
    }
}
