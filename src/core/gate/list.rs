//! The list of requests that only look. What does not stand here is refused.

use std::fmt;

use super::request::{Body, Head};

/// The longest filters, as they stand in a query.
const MOST_FILTERS: usize = 8192;

/// A request that is let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// The method, path and query to ask with, made of judged parts alone.
    pub method: &'static str,
    pub target: String,
    /// Whether values of environment variables are kept back from the answer.
    pub blanked: bool,
    /// Whether the answer may go on without end.
    pub endless: bool,
}

/// Why a request is not let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the values of a query's key may be.
#[derive(Debug, Clone, Copy)]
enum Value {
    /// Digits, letters and the few signs of numbers and times.
    Plain,
    /// A JSON document, percent-encoded.
    Filters,
    /// The one value given.
    Only(&'static str),
}

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Nothing,
    Container,
    Image,
}

struct Entry {
    before: &'static str,
    named: Named,
    after: &'static str,
    head: bool,
    query: &'static [(&'static str, Value)],
    needs: Option<&'static str>,
    blanked: bool,
}

const fn plain(path: &'static str, query: &'static [(&'static str, Value)]) -> Entry {
    Entry {
        before: path,
        named: Named::Nothing,
        after: "",
        head: false,
        query,
        needs: None,
        blanked: false,
    }
}

use Value::{Filters, Only, Plain};

/// All that may be asked.
const LIST: &[Entry] = &[
    Entry {
        head: true,
        ..plain("/_ping", &[])
    },
    plain("/version", &[]),
    plain("/info", &[]),
    plain(
        "/containers/json",
        &[("all", Plain), ("limit", Plain), ("filters", Filters)],
    ),
    Entry {
        before: "/containers/",
        named: Named::Container,
        after: "/json",
        blanked: true,
        ..plain("", &[])
    },
    Entry {
        before: "/containers/",
        named: Named::Container,
        after: "/logs",
        // `details` is not here: it tells values of environment variables.
        query: &[
            ("follow", Plain),
            ("stdout", Plain),
            ("stderr", Plain),
            ("since", Plain),
            ("until", Plain),
            ("timestamps", Plain),
            ("tail", Plain),
        ],
        ..plain("", &[])
    },
    plain(
        "/images/json",
        &[
            ("all", Plain),
            ("digests", Plain),
            ("manifests", Plain),
            ("filters", Filters),
        ],
    ),
    Entry {
        before: "/images/",
        named: Named::Image,
        after: "/json",
        query: &[("manifests", Plain)],
        blanked: true,
        ..plain("", &[])
    },
    Entry {
        before: "/distribution/",
        named: Named::Image,
        after: "/json",
        ..plain("", &[])
    },
    Entry {
        needs: Some("filters"),
        ..plain(
            "/events",
            &[("since", Plain), ("until", Plain), ("filters", Filters)],
        )
    },
    Entry {
        needs: Some("type"),
        ..plain("/system/df", &[("type", Only("build-cache"))])
    },
];

/// Judges a request: what to ask the engine with, or why not.
pub fn judge(head: &Head) -> Result<Allowed, Refused> {
    let method = match head.method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        other => return Err(not_listed(&format!("{other} requests"))),
    };
    if head.body == Body::Something {
        return Err(not_listed("requests with a body or an upgrade"));
    }
    let (path, query) = match head.target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (head.target.as_str(), None),
    };
    let (version, bare) = split_version(path);
    let entry = LIST
        .iter()
        .find(|entry| entry.matches(bare))
        .ok_or_else(|| not_listed(bare))?;
    if method == "HEAD" && !entry.head {
        return Err(not_listed(&format!("HEAD {bare}")));
    }
    let query = entry.query(query.unwrap_or_default())?;
    let endless = bare == "/events" || query.endless;
    let mut target = format!("{version}{bare}");
    if !query.text.is_empty() {
        target.push('?');
        target.push_str(&query.text);
    }
    Ok(Allowed {
        method,
        target,
        blanked: entry.blanked,
        endless,
    })
}

fn not_listed(what: &str) -> Refused {
    let mut shown: String = what.chars().take(80).collect();
    if shown.len() < what.len() {
        shown.push_str("...");
    }
    Refused(format!(
        "this gate only lets through what looks; not {shown}"
    ))
}

/// Splits `/v1.41` off a path.
fn split_version(path: &str) -> (&str, &str) {
    let split = || {
        let after = path.strip_prefix("/v")?;
        let slash = after.find('/')?;
        let (major, minor) = after[..slash].split_once('.')?;
        let number = |text: &str| {
            (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        (number(major) && number(minor)).then(|| path.split_at(slash + 2))
    };
    split().unwrap_or(("", path))
}

impl Entry {
    fn matches(&self, path: &str) -> bool {
        let Some(middle) = path
            .strip_prefix(self.before)
            .and_then(|rest| rest.strip_suffix(self.after))
        else {
            return false;
        };
        match self.named {
            Named::Nothing => middle.is_empty(),
            Named::Container => is_container(middle),
            Named::Image => is_image(middle),
        }
    }

    /// Judges a query and writes it anew.
    fn query(&self, query: &str) -> Result<Query, Refused> {
        let mut judged = Query::default();
        let mut seen: Vec<&str> = Vec::new();
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let refuse = || not_listed(&format!("{part:?} in the query of {}", self.shown()));
            let known = self.query.iter().find(|(known, _)| *known == key);
            let (key, kind) = known.ok_or_else(refuse)?;
            // Twice the same key would leave it to the engine which one counts.
            if seen.contains(key) {
                return Err(refuse());
            }
            seen.push(key);
            let anew = match kind {
                Plain => (value.len() <= 64 && value.bytes().all(is_plain)).then(|| value.into()),
                Only(wanted) => (value == *wanted).then(|| value.into()),
                Filters => self.filters(value),
            };
            let value: String = anew.ok_or_else(refuse)?;
            judged.endless |= *key == "follow" && !matches!(value.as_str(), "" | "0" | "false");
            if !judged.text.is_empty() {
                judged.text.push('&');
            }
            judged.text.push_str(key);
            judged.text.push('=');
            judged.text.push_str(&value);
        }
        match self.needs {
            Some(needed) if !seen.contains(&needed) => Err(not_listed(&format!(
                "{} without {needed} that names containers or images",
                self.shown()
            ))),
            _ => Ok(judged),
        }
    }

    /// Judges filters and writes them anew, so that a key that stands twice has one meaning.
    fn filters(&self, value: &str) -> Option<String> {
        let text = decode(value).filter(|_| value.len() <= MOST_FILTERS)?;
        let Ok(serde_json::Value::Object(filters)) = serde_json::from_str(&text) else {
            return None;
        };
        let fits = self.before != "/events" || only_containers_and_images(&filters);
        fits.then(|| encode(&serde_json::Value::Object(filters).to_string()))
    }

    fn shown(&self) -> String {
        let middle = match self.named {
            Named::Nothing => "",
            _ => "...",
        };
        format!("{}{middle}{}", self.before, self.after)
    }
}

#[derive(Debug, Default)]
struct Query {
    text: String,
    endless: bool,
}

/// Tells whether filters leave nothing but events of containers and images.
fn only_containers_and_images(filters: &serde_json::Map<String, serde_json::Value>) -> bool {
    use serde_json::Value as Json;
    let types: Vec<&str> = match filters.get("type") {
        Some(Json::Array(list)) => list.iter().filter_map(Json::as_str).collect(),
        // The older form; a value of false still counts there.
        Some(Json::Object(map)) => map.keys().map(String::as_str).collect(),
        _ => return false,
    };
    let count = match filters.get("type") {
        Some(Json::Array(list)) => list.len(),
        _ => types.len(),
    };
    !types.is_empty()
        && types.len() == count
        && types
            .iter()
            .all(|one| matches!(*one, "container" | "image"))
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".:-_+%".contains(&byte)
}

/// Tells whether the text is a container's name or Id.
fn is_container(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

/// Tells whether the text is an image's name or Id.
fn is_image(name: &str) -> bool {
    (1..=512).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-/:@".contains(&byte))
        && name.split('/').all(|part| {
            part.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
        })
}

fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            byte if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

/// Decodes percent signs and plus signs.
fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests;
