//! Containers of no project: what the engine is asked for, so that another image runs in the same clothes.
//!
//! There are no files to recreate such a container from. What it was made with is told from what the engine shows of it,
//! less what its image had set itself. All of it holds values of variables: it is never printed and never written down.

mod body;
mod look;

pub use look::{Look, Other};

use serde_json::{Map, Value, json};

use super::guard::Hidden;

/// One request to the engine, in the order in which they are made.
#[derive(Clone, PartialEq)]
pub struct Request {
    /// What follows the API's version in the path.
    pub path: String,
    pub body: Value,
}

/// Works out the requests that make the container anew under another name, from another image.
///
/// # Errors
/// Says what of the container cannot be made again.
pub fn requests(look: &Look, reference: &str, new_name: &str) -> Result<Vec<Request>, String> {
    let body::Made { create, connect } = body::make(look, reference)?;
    let mut list = vec![Request {
        path: format!("containers/create?name={}", encoded(new_name)),
        body: create,
    }];
    list.extend(connect.into_iter().map(|(network, endpoint)| Request {
        path: format!("networks/{}/connect", encoded(&network)),
        body: json!({"Container": new_name, "EndpointConfig": endpoint}),
    }));
    Ok(list)
}

/// Writes the requests as the job reads them: the length of the rest, then a line for each.
///
/// Only ASCII is written, so that characters and bytes are the same number in every shell.
pub fn handed_over(requests: &[Request]) -> Hidden {
    let lines: Vec<String> = requests
        .iter()
        .map(|request| ascii(&format!("{} {}", request.path, request.body)))
        .collect();
    let rest = lines.join("\n");
    Hidden::new(format!("{}\n{rest}", rest.len()))
}

/// Escapes what is not ASCII as JSON does.
fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

/// Writes a name as a part of a path or query.
fn encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn object<'a>(value: &'a Value, key: &str) -> Option<&'a Map<String, Value>> {
    value.get(key).and_then(Value::as_object)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or(false)
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Tells whether a value says nothing: absent, `null`, or empty.
fn says_nothing(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(list)) => list.is_empty(),
        Some(Value::Object(map)) => map.is_empty(),
        Some(Value::Bool(_) | Value::Number(_)) => false,
    }
}

#[cfg(test)]
mod tests;
