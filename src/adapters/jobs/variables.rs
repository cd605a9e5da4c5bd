//! Variables that the deploying shell gave and the host does not have, told from the running container.
//!
//! A value is taken only where it follows from the files and the container without a guess.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::core::rollout::dossier::Variable;
use crate::core::rollout::guard::{Hidden, Shape};
use crate::core::text::clean_within;

/// Finds the variables of a service whose rendering differs from what runs.
pub fn find(raw: &Value, service: &str, rendered: &Shape, running: &Shape) -> Vec<Variable> {
    let Some(own) = raw
        .get("services")
        .and_then(|services| services.get(service))
    else {
        return Vec::new();
    };
    // Each template with what it is now and what it was.
    let mut places: Vec<(String, String, String)> = Vec::new();
    if let Some(template) = own.get("image").and_then(Value::as_str) {
        places.push((
            template.to_owned(),
            rendered.image.clone(),
            running.image.clone(),
        ));
    }
    for (key, template) in templates(own.get("environment")) {
        let (Some(now), Some(was)) = (
            rendered.environment.get(&key),
            running.environment.get(&key),
        ) else {
            continue;
        };
        places.push((template, now.reveal().to_owned(), was.reveal().to_owned()));
    }
    let in_image: Vec<String> = own
        .get("image")
        .and_then(Value::as_str)
        .map(names)
        .unwrap_or_default();
    let mut found: BTreeMap<String, Vec<Option<String>>> = BTreeMap::new();
    for (template, now, was) in &places {
        let names = names(template);
        if now == was || names.is_empty() {
            continue;
        }
        let solved = match names.as_slice() {
            [one] => solve(template, one, was),
            _ => None,
        };
        match (names.as_slice(), solved) {
            ([one], solved) => found.entry(one.clone()).or_default().push(solved),
            (many, _) => {
                for name in many {
                    found.entry(name.clone()).or_default();
                }
            }
        }
    }
    found
        .into_iter()
        .map(|(name, values)| {
            let first = values.first().cloned().flatten();
            let agree = values.iter().all(|value| *value == first);
            Variable {
                in_image: in_image.contains(&name) && rendered.image != running.image,
                on_host: false,
                name,
                value: first.filter(|_| agree).map(Hidden::new),
            }
        })
        .collect()
}

/// Says which secrets and configs of services come from variables that nobody but the deploying shell had.
///
/// They are copied into containers and cannot be read from them: a recreation would fail, or leave them blank.
pub fn lost(raw: &Value, services: &[&str], on_host: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for service in services {
        let own = raw.get("services").and_then(|all| all.get(*service));
        for (kind, word) in [("secrets", "secret"), ("configs", "config")] {
            let used = own.and_then(|own| own.get(kind)).and_then(Value::as_array);
            for entry in used.into_iter().flatten() {
                let source = entry.as_str().or_else(|| entry.get("source")?.as_str());
                let Some(source) = source else { continue };
                let of = raw.get(kind).and_then(|all| all.get(source));
                let text = |key: &str| of.and_then(|of| of.get(key)).and_then(Value::as_str);
                let mut wanted: Vec<String> = text("content").map(needed).unwrap_or_default();
                wanted.extend(text("environment").map(str::to_owned));
                for variable in wanted.iter().filter(|name| !on_host(name)) {
                    let words = format!("the {word} {source} of {service} comes from {variable}");
                    found.push(clean_within(&words, 300));
                }
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Returns the variables of a template that are blank where nobody gives them.
fn needed(template: &str) -> Vec<String> {
    let bare = |part| match part {
        Part::Variable(name, false) => Some(name),
        Part::Variable(..) | Part::Plain(_) => None,
    };
    parts(template).into_iter().filter_map(bare).collect()
}

fn templates(environment: Option<&Value>) -> Vec<(String, String)> {
    match environment {
        Some(Value::Object(map)) => map
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect(),
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(|entry| entry.as_str()?.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
        _ => Vec::new(),
    }
}

/// Splits a template into plain text and variables.
fn parts(template: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '$' {
            plain.push(c);
            continue;
        }
        match chars.peek() {
            Some('$') => {
                chars.next();
                plain.push('$');
            }
            Some('{') => {
                chars.next();
                let mut depth = 1;
                let mut inner = String::new();
                for c in chars.by_ref() {
                    match c {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        _ => {}
                    }
                    if depth == 0 {
                        break;
                    }
                    inner.push(c);
                }
                let name: String = inner.chars().take_while(|c| is_name(*c)).collect();
                let fallback = inner[name.len()..].starts_with([':', '-', '+', '?']);
                parts.push(Part::Plain(std::mem::take(&mut plain)));
                parts.push(Part::Variable(name, fallback));
            }
            Some(c) if is_name(*c) => {
                let mut name = String::new();
                while let Some(c) = chars.next_if(|c| is_name(*c)) {
                    name.push(c);
                }
                parts.push(Part::Plain(std::mem::take(&mut plain)));
                parts.push(Part::Variable(name, false));
            }
            _ => plain.push('$'),
        }
    }
    parts.push(Part::Plain(plain));
    parts
}

enum Part {
    Plain(String),
    /// By name, and whether the template says what stands there without it.
    Variable(String, bool),
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn names(template: &str) -> Vec<String> {
    let mut names: Vec<String> = parts(template)
        .into_iter()
        .filter_map(|part| match part {
            Part::Variable(name, _) => Some(name),
            Part::Plain(_) => None,
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Tells the value of the one variable of a template that gave the text.
fn solve(template: &str, name: &str, text: &str) -> Option<String> {
    let parts = parts(template);
    let uses = parts
        .iter()
        .filter(|part| matches!(part, Part::Variable(..)))
        .count();
    let plain: usize = parts
        .iter()
        .map(|part| match part {
            Part::Plain(plain) => plain.len(),
            Part::Variable(..) => 0,
        })
        .sum();
    let rest = text.len().checked_sub(plain)?;
    if uses == 0 || !rest.is_multiple_of(uses) {
        return None;
    }
    let length = rest / uses;
    let mut at = 0;
    let mut value: Option<&str> = None;
    for part in &parts {
        match part {
            Part::Plain(plain) => {
                text.get(at..)?.starts_with(plain.as_str()).then_some(())?;
                at += plain.len();
            }
            Part::Variable(own, _) => {
                debug_assert_eq!(own, name, "only templates of one variable are solved");
                let here = text.get(at..at + length)?;
                if value.is_some_and(|value| value != here) {
                    return None;
                }
                value = Some(here);
                at += length;
            }
        }
    }
    value.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shape(image: &str, environment: &[(&str, &str)]) -> Shape {
        Shape {
            image: image.to_owned(),
            environment: environment
                .iter()
                .map(|(key, value)| ((*key).to_owned(), Hidden::new(*value)))
                .collect(),
            ..Shape::default()
        }
    }

    #[test]
    fn what_the_deploying_shell_had_is_told_from_the_container() {
        let raw = json!({"services": {"api": {
            "image": "${REGISTRY}/api:prod",
            "environment": ["NODE_ENV=production", "DB_USER=${POSTGRES_USER}", "URL=pg://${POSTGRES_USER}:${POSTGRES_PASSWORD}@db", "DB_PASSWORD=${POSTGRES_PASSWORD:-}"]
        }}});
        let now = shape(
            "/api:prod",
            &[
                ("NODE_ENV", "production"),
                ("DB_USER", ""),
                ("URL", "pg://:@db"),
                ("DB_PASSWORD", ""),
            ],
        );
        let was = shape(
            "r.lan:5000/api:prod",
            &[
                ("NODE_ENV", "production"),
                ("DB_USER", "app"),
                ("URL", "pg://app:s3@db"),
                ("DB_PASSWORD", "s3"),
            ],
        );
        let found = find(&raw, "api", &now, &was);
        let told: Vec<(&str, Option<&str>)> = found
            .iter()
            .map(|variable| {
                (
                    variable.name.as_str(),
                    variable.value.as_ref().map(Hidden::reveal),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("POSTGRES_PASSWORD", Some("s3")),
                ("POSTGRES_USER", Some("app")),
                ("REGISTRY", Some("r.lan:5000"))
            ]
        );
    }

    #[test]
    fn secrets_and_configs_that_only_the_deploying_shell_could_fill_are_told() {
        let raw = json!({
            "services": {
                "web": {"secrets": [{"source": "key"}, "file", {"source": "known"}], "configs": [{"source": "told", "target": "/c"}]},
                "other": {"secrets": ["far"]}
            },
            "secrets": {"key": {"environment": "KEY"}, "file": {"file": "./${X}"}, "known": {"environment": "HOME"}, "far": {"environment": "FAR"}},
            "configs": {"told": {"content": "${WHO} $$NOT ${HOME} ${WELL:-x} ${OR-y} $BARE"}}
        });
        let found = lost(&raw, &["web"], |name| name == "HOME");
        assert_eq!(
            found,
            [
                "the config told of web comes from BARE",
                "the config told of web comes from WHO",
                "the secret key of web comes from KEY"
            ]
        );
        assert_eq!(lost(&raw, &["other", "none"], |_| false).len(), 1);
    }

    #[test]
    fn what_does_not_follow_is_not_guessed() {
        let raw = json!({"services": {"x": {"environment": {"A": "${P}-${Q}", "B": "${R}", "C": "${R}"}}}});
        let now = shape("", &[("A", "-"), ("B", ""), ("C", "")]);
        let was = shape("", &[("A", "1-2"), ("B", "one"), ("C", "two")]);
        let found = find(&raw, "x", &now, &was);
        assert_eq!(found.len(), 3);
        assert!(
            found.iter().all(|variable| variable.value.is_none()),
            "{found:?}"
        );
    }
}
