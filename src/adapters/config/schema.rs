//! The JSON schema of the configuration, for editors.

use serde_json::{Map, Value, json};

use super::forms::Form;
use super::keys::{Key, Kind, Need, ROOT, Shape};

/// Returns the schema.
pub fn schema() -> Value {
    let mut schema = map(&ROOT);
    schema.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    schema.insert("title".to_owned(), json!("homelab-tui configuration"));
    Value::Object(schema)
}

fn map(shape: &Shape) -> Map<String, Value> {
    let properties: Map<String, Value> = shape
        .keys
        .iter()
        .map(|key| (key.name.to_owned(), property(key)))
        .collect();
    let required: Vec<_> = shape
        .keys
        .iter()
        .filter(|key| key.need == Need::Required)
        .map(|key| key.name)
        .collect();
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("additionalProperties".to_owned(), json!(false));
    schema.insert("properties".to_owned(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    if !shape.exactly_one.is_empty() {
        let choices: Vec<_> = shape
            .exactly_one
            .iter()
            .map(|name| json!({ "required": [name] }))
            .collect();
        schema.insert("oneOf".to_owned(), json!(choices));
    }
    schema
}

fn property(key: &Key) -> Value {
    let mut schema = kind(key.kind);
    schema.insert("description".to_owned(), json!(key.doc));
    if let Need::Default(value) = key.need
        && !matches!(value, "{}")
    {
        schema.insert("default".to_owned(), default(key.kind, value));
    }
    if key.need != Need::Required {
        // Nothing behind the colon is the same as the key left out.
        if let Some(Value::String(one)) = schema.get("type") {
            schema.insert("type".to_owned(), json!([one, "null"]));
        }
        if let Some(Value::Array(words)) = schema.get_mut("enum") {
            words.push(Value::Null);
        }
        if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
            choices.push(json!({ "type": "null" }));
        }
    }
    Value::Object(schema)
}

fn kind(kind: Kind) -> Map<String, Value> {
    let schema = match kind {
        Kind::Text(form) => return text(form),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Number { least, most } => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Kind::Length => json!({ "type": "string", "pattern": "^([0-9]+(ms|s|m|h|d))+$" }),
        Kind::OneOf(words) => json!({ "enum": words }),
        Kind::Words => json!({ "anyOf": [
            { "type": "array", "items": { "type": "string" }, "minItems": 1 },
            { "type": "string", "minLength": 1 },
        ] }),
        Kind::Texts(form) => json!({ "type": "array", "items": text(form) }),
        Kind::Map(shape) => return map(shape),
        Kind::List(shape) => json!({ "type": "array", "items": map(shape) }),
        Kind::TextsByName => json!({ "type": "object", "additionalProperties": { "anyOf": [
            { "type": "string" },
            { "type": "array", "items": { "type": "string" } },
            { "type": "null" },
        ] } }),
    };
    match schema {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}

fn text(form: Form) -> Map<String, Value> {
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("string"));
    match form.expression() {
        Some(expression) => schema.insert("pattern".to_owned(), json!(expression)),
        None => schema.insert("minLength".to_owned(), json!(1)),
    };
    schema
}

fn default(kind: Kind, value: &str) -> Value {
    match kind {
        Kind::Flag => json!(value == "true"),
        Kind::Number { .. } => value.parse::<u64>().map_or(Value::Null, Value::from),
        Kind::List(_) | Kind::Texts(_) | Kind::Words => {
            let inner = value.trim_matches(['[', ']']);
            json!(
                inner
                    .split(", ")
                    .filter(|word| !word.is_empty())
                    .collect::<Vec<_>>()
            )
        }
        _ => json!(value),
    }
}
