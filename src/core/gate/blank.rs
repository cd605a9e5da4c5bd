//! Keeps the values of environment variables back from a JSON document while it flows by.
//!
//! Whatever stands below a key `Env` keeps its shape and the variables' names; the rest of the document passes as it
//! is. Memory is bounded by the longest variable's name and the depth of the document.

use std::fmt;

/// How deep a document may go.
const MOST_DEEP: usize = 64;
/// The longest key, or variable's name, that is kept whole.
const MOST_NAME: usize = 256;

/// Why a document could not be told apart; what was held back of it stays back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unblanked(pub &'static str);

impl fmt::Display for Unblanked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What is open at a depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Level {
    is_object: bool,
    /// Whether everything below is of the environment.
    secret: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Between tokens.
    Between,
    /// In a string; `escaped` after a backslash.
    Text { escaped: bool },
    /// In a number or word.
    Word,
}

/// A document on its way.
#[derive(Debug)]
pub struct Blanker {
    levels: Vec<Level>,
    at: At,
    /// Whether the next string of the open object is a key.
    key_next: bool,
    /// Whether the string at hand is a key.
    in_key: bool,
    /// Whether the value at hand is of the environment.
    secret: bool,
    /// Whether the value that follows the last key is the environment.
    env_next: bool,
    /// The bytes of the key or name at hand, without its quotes.
    name: Vec<u8>,
    /// Whether a sign `=` ended the name at hand.
    cut: bool,
}

impl Default for Blanker {
    fn default() -> Self {
        Self {
            levels: Vec::new(),
            at: At::Between,
            key_next: false,
            in_key: false,
            secret: false,
            env_next: false,
            name: Vec::new(),
            cut: false,
        }
    }
}

impl Blanker {
    /// Takes a piece of the document and returns what may be passed on.
    pub fn pass(&mut self, piece: &[u8]) -> Result<Vec<u8>, Unblanked> {
        let mut out = Vec::with_capacity(piece.len());
        for byte in piece {
            self.step(*byte, &mut out)?;
        }
        Ok(out)
    }

    fn step(&mut self, byte: u8, out: &mut Vec<u8>) -> Result<(), Unblanked> {
        match self.at {
            At::Text { escaped } => return self.text(byte, escaped, out),
            At::Word if is_word(byte) => {
                if !self.secret {
                    out.push(byte);
                }
                return Ok(());
            }
            At::Word => self.at = At::Between,
            At::Between => {}
        }
        match byte {
            b'"' => {
                let in_object = self.levels.last().is_some_and(|level| level.is_object);
                self.in_key = in_object && self.key_next;
                if !self.in_key {
                    self.secret = self.value_is_secret();
                }
                self.name.clear();
                self.cut = false;
                self.at = At::Text { escaped: false };
                out.push(byte);
            }
            b'{' | b'[' => {
                if self.levels.len() >= MOST_DEEP {
                    return Err(Unblanked("the answer is nested too deeply"));
                }
                let secret = self.value_is_secret();
                self.env_next = false;
                self.key_next = byte == b'{';
                self.levels.push(Level {
                    is_object: byte == b'{',
                    secret,
                });
                out.push(byte);
            }
            b'}' | b']' => {
                let level = self.levels.pop();
                if level.is_none_or(|level| level.is_object != (byte == b'}')) {
                    return Err(Unblanked("the answer is no JSON"));
                }
                self.key_next = false;
                out.push(byte);
            }
            b',' => {
                self.env_next = false;
                self.key_next = self.levels.last().is_some_and(|level| level.is_object);
                out.push(byte);
            }
            b':' => {
                if !self.levels.last().is_some_and(|level| level.is_object) {
                    return Err(Unblanked("the answer is no JSON"));
                }
                self.key_next = false;
                out.push(byte);
            }
            byte if byte.is_ascii_whitespace() => out.push(byte),
            byte if is_word(byte) => {
                self.secret = self.value_is_secret();
                self.env_next = false;
                self.at = At::Word;
                match self.secret {
                    // A number or word that is of the environment tells nothing but that it is there.
                    true => out.extend(b"null"),
                    false => out.push(byte),
                }
            }
            _ => return Err(Unblanked("the answer is no JSON")),
        }
        Ok(())
    }

    fn value_is_secret(&self) -> bool {
        self.env_next || self.levels.last().is_some_and(|level| level.secret)
    }

    fn text(&mut self, byte: u8, escaped: bool, out: &mut Vec<u8>) -> Result<(), Unblanked> {
        self.at = At::Text {
            escaped: !escaped && byte == b'\\',
        };
        let ends = byte == b'"' && !escaped;
        if self.in_key {
            if ends {
                self.at = At::Between;
                self.env_next = is_env(&self.name);
            } else if self.name.len() < MOST_NAME {
                self.name.push(byte);
            }
            out.push(byte);
            return Ok(());
        }
        if !self.secret {
            if ends {
                self.at = At::Between;
                self.env_next = false;
            }
            out.push(byte);
            return Ok(());
        }
        // A variable: its name is held until the sign that ends it, so that a text without one stays back whole.
        if ends {
            self.at = At::Between;
            self.env_next = false;
            if self.is_a_bare_name() {
                out.append(&mut self.name);
            }
            out.push(b'"');
        } else if !self.cut {
            if byte == b'=' {
                self.cut = true;
                if self.name.iter().all(|byte| is_of_a_name(*byte)) && self.name.len() < MOST_NAME {
                    out.append(&mut self.name);
                }
                out.push(b'=');
                self.name.clear();
            } else if self.name.len() < MOST_NAME {
                self.name.push(byte);
            }
        }
        Ok(())
    }

    /// Tells whether the text at hand is a variable's name without a value.
    fn is_a_bare_name(&self) -> bool {
        !self.cut
            && self.levels.last().is_some_and(|level| !level.is_object)
            && self.name.len() < 64
            && self
                .name
                .iter()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'\\' && byte != b'"'
}

/// Tells whether a key's raw bytes spell `Env`, in any case and with any escapes.
fn is_env(raw: &[u8]) -> bool {
    if !raw.contains(&b'\\') {
        return raw.eq_ignore_ascii_case(b"env");
    }
    let mut quoted = vec![b'"'];
    quoted.extend(raw);
    quoted.push(b'"');
    serde_json::from_slice::<String>(&quoted).is_ok_and(|key| key.eq_ignore_ascii_case("env"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn blank(text: &str) -> Result<String, Unblanked> {
        let mut blanker = Blanker::default();
        let out = blanker.pass(text.as_bytes())?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn names_stay_and_values_go() {
        let text = r#"{"Id":"x=y","Config":{"Env":["A=secret","B=a=b","PATH=/x:\"q\"","LONE","low"],"Cmd":["e=f"]},"Args":["A=kept"]}"#;
        assert_eq!(
            blank(text).unwrap(),
            r#"{"Id":"x=y","Config":{"Env":["A=","B=","PATH=","LONE",""],"Cmd":["e=f"]},"Args":["A=kept"]}"#
        );
        for (text, expected) in [
            (r#"{"Env":null,"A":1}"#, r#"{"Env":null,"A":1}"#),
            (
                r#"{"env" : [ 1, true, {"K":"v","L":["M=n"]} ] , "B":"c=d"}"#,
                r#"{"env" : [ null, null, {"K":"","L":["M="]} ] , "B":"c=d"}"#,
            ),
            (r#"{"E\u006ev":["A=s"]}"#, r#"{"E\u006ev":["A="]}"#),
            (r#"{"Env":"A=s","B":2.5e-3}"#, r#"{"Env":"A=","B":2.5e-3}"#),
            (
                r#"{"Env":{"A":"s"},"Envy":["A=s"]}"#,
                r#"{"Env":{"A":""},"Envy":["A=s"]}"#,
            ),
            (r#"["Env",["A=s"]]"#, r#"["Env",["A=s"]]"#),
            (r#"{"X":"Env","Y":["A=s"]}"#, r#"{"X":"Env","Y":["A=s"]}"#),
            (r#"{"Env":["a\\\"=b=c","\"=s"]}"#, r#"{"Env":["=","="]}"#),
        ] {
            assert_eq!(blank(text).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_no_json_or_too_deep_ends_there() {
        for text in ["}", "[}", "{\"a\":(", "[1:2]", "<html>"] {
            assert!(blank(text).is_err(), "{text}");
        }
        assert!(blank(&"[".repeat(MOST_DEEP + 1)).is_err());
    }

    fn document() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[A-Z]{1,3}=SECRET[a-z\"\\\\]{0,4}".prop_map(Value::from),
            "\\PC{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            let key = prop_oneof![Just("Env".to_owned()), Just("env".to_owned()), "[a-z]{1,4}"];
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::vec((key, inner), 0..5)
                    .prop_map(|pairs| { Value::Object(pairs.into_iter().collect()) }),
            ]
        })
    }

    /// Blanks a parsed document in another way.
    fn plainly(value: &Value, secret: bool) -> Value {
        match value {
            Value::Array(list) => list.iter().map(|one| plainly(one, secret)).collect(),
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| {
                    let env = key.eq_ignore_ascii_case("env");
                    (key.clone(), plainly(value, secret || env))
                })
                .collect(),
            other if !secret => other.clone(),
            Value::String(_) => json!("a text"),
            _ => Value::Null,
        }
    }

    proptest! {
        #[test]
        fn no_value_passes_and_all_else_does(document in document(), pretty: bool, cut in 1usize..9) {
            let text = match pretty {
                true => serde_json::to_string_pretty(&document).unwrap(),
                false => document.to_string(),
            };
            let mut blanker = Blanker::default();
            let mut out = Vec::new();
            for piece in text.as_bytes().chunks(cut) {
                out.extend(blanker.pass(piece).unwrap());
            }
            let out: Value = serde_json::from_slice(&out).unwrap();
            fn fold(value: &Value, secret: bool) -> Value {
                match value {
                    Value::String(text) if secret => {
                        assert!(!text.contains("SECRET"), "{text}");
                        assert!(text.is_empty() || text.ends_with('=') || text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'), "{text}");
                        json!("a text")
                    }
                    Value::Array(list) => list.iter().map(|one| fold(one, secret)).collect(),
                    Value::Object(map) => map.iter().map(|(key, value)| {
                        (key.clone(), fold(value, secret || key.eq_ignore_ascii_case("env")))
                    }).collect(),
                    other => other.clone(),
                }
            }
            prop_assert_eq!(fold(&out, false), plainly(&document, false));
        }

        #[test]
        fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Blanker::default().pass(&bytes);
        }
    }
}
