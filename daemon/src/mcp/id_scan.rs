//! Finds the top-level `id` of a JSON text that is too long to be kept. Reads pieces, keeps at most a kilobyte.

const TOKEN_BYTES_MAX: usize = 1024;

#[derive(Default)]
pub struct IdScan {
    depth: usize,
    in_string: bool,
    escaped: bool,
    value_next: bool,
    key: Vec<u8>,
    token: Vec<u8>,
    found: Option<Vec<u8>>,
}

impl IdScan {
    pub fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.in_string {
                self.inside_string(byte);
            } else {
                self.outside_string(byte);
            }
        }
    }

    fn inside_string(&mut self, byte: u8) {
        self.keep(byte);
        if self.escaped {
            self.escaped = false;
        } else if byte == b'\\' {
            self.escaped = true;
        } else if byte == b'"' {
            self.in_string = false;
            if self.depth == 1 && !self.value_next {
                self.key = std::mem::take(&mut self.token);
            }
        }
    }

    fn outside_string(&mut self, byte: u8) {
        match byte {
            b'"' => {
                self.in_string = true;
                if self.depth == 1 {
                    self.token = vec![byte];
                }
            }
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.value_ends();
                self.depth = self.depth.saturating_sub(1);
            }
            b':' if self.depth == 1 => {
                self.value_next = true;
                self.token.clear();
            }
            b',' => self.value_ends(),
            _ if self.value_next && !byte.is_ascii_whitespace() => self.keep(byte),
            _ => {}
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.depth == 1 && self.token.len() < TOKEN_BYTES_MAX {
            self.token.push(byte);
        }
    }

    fn value_ends(&mut self) {
        if self.depth != 1 {
            return;
        }
        if self.value_next && is_id(&self.key) {
            // The beginning of a long number is a number too, and not the one that was sent.
            self.found = Some(std::mem::take(&mut self.token)).filter(|token| token.len() < TOKEN_BYTES_MAX);
        }
        self.value_next = false;
        self.token.clear();
    }

    /// The JSON text of the id, where one was seen.
    pub fn id(self) -> Option<Vec<u8>> {
        self.found
    }
}

/// A key may be written with escapes, and is the same key then.
fn is_id(key: &[u8]) -> bool {
    key == b"\"id\"" || (key.contains(&b'\\') && serde_json::from_slice::<String>(key).is_ok_and(|key| key == "id"))
}

#[cfg(test)]
mod tests {
    use super::{IdScan, TOKEN_BYTES_MAX};

    fn id(text: &str) -> Option<String> {
        let mut scan = IdScan::default();
        for piece in text.as_bytes().chunks(3) {
            scan.feed(piece);
        }
        scan.id().map(|id| String::from_utf8(id).unwrap())
    }

    #[test]
    fn the_top_level_id_is_found_wherever_it_stands() {
        assert_eq!(id(r#"{"jsonrpc":"2.0","id":7,"params":{"id":8}}"#).as_deref(), Some("7"));
        assert_eq!(id(r#"{"params":{"id":"inner","x":"}\"{"},"id":"a\"b"}"#).as_deref(), Some(r#""a\"b""#));
        assert_eq!(id(r#"{"id":15,"\u0069d":7,"\u0069":8}"#).as_deref(), Some("7"));
        assert_eq!(id(r#"{"params":["id",1]}"#), None);
        assert_eq!(id("not json at all"), None);
    }

    #[test]
    fn an_id_too_long_to_be_kept_is_not_found_and_hides_the_one_before_it() {
        let long = "9".repeat(2 * TOKEN_BYTES_MAX);
        assert_eq!(id(&format!(r#"{{"id":{long}}}"#)), None);
        assert_eq!(id(&format!(r#"{{"id":7,"id":{long}}}"#)), None);
        assert_eq!(id(&format!(r#"{{"x":{long},"id":7}}"#)).as_deref(), Some("7"));
    }
}
