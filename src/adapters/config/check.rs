//! A tree checked against the table of keys: what is wrong is noted, what is right comes out typed.

use std::collections::BTreeMap;
use std::time::Duration;

use super::forms;
use super::keys::{Key, Kind, Need, Shape};
use super::problem::{Problems, quoted};
use super::tree::{Content, Node, Place};
use crate::core::nearest::nearest;

/// A value that has the form that its key wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Flag(bool),
    Number(u64),
    Length(Duration),
    Texts(Vec<(Place, String)>),
    Map(Fields),
    List(Vec<Fields>),
    ByName(Vec<Named>),
}

/// Texts under a free name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub place: Place,
    pub name: String,
    pub texts: Vec<(Place, String)>,
}

/// The good values of one map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    pub place: Place,
    values: BTreeMap<&'static str, (Place, Value)>,
}

impl Fields {
    /// Returns an empty map.
    pub fn none(place: Place) -> Self {
        Self {
            place,
            values: BTreeMap::new(),
        }
    }

    /// Returns where the key's value stands; the map's own place where it is not given.
    pub fn place_of(&self, name: &str) -> Place {
        self.values
            .get(name)
            .map_or(self.place, |(place, _)| *place)
    }

    /// Tells whether the key has a value.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Returns a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.value(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns a text of one's own.
    pub fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    /// Returns a flag.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.value(name)? {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    /// Returns a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.value(name)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Returns a length of time.
    pub fn length(&self, name: &str) -> Option<Duration> {
        match self.value(name)? {
            Value::Length(length) => Some(*length),
            _ => None,
        }
    }

    /// Returns a list of texts.
    pub fn texts(&self, name: &str) -> Option<Vec<String>> {
        match self.value(name)? {
            Value::Texts(texts) => Some(texts.iter().map(|(_, text)| text.clone()).collect()),
            _ => None,
        }
    }

    /// Returns a map, empty where it is not given.
    pub fn map(&self, name: &str) -> Self {
        match self.value(name) {
            Some(Value::Map(fields)) => fields.clone(),
            _ => Self::none(self.place),
        }
    }

    /// Returns a list of maps, empty where it is not given.
    pub fn list(&self, name: &str) -> &[Self] {
        match self.value(name) {
            Some(Value::List(list)) => list,
            _ => &[],
        }
    }

    /// Returns texts by free names, empty where they are not given.
    pub fn by_name(&self, name: &str) -> &[Named] {
        match self.value(name) {
            Some(Value::ByName(list)) => list,
            _ => &[],
        }
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(name).map(|(_, value)| value)
    }
}

/// Checks a map; the second value tells whether nothing at all was wrong with it.
pub fn fields(node: &Node, shape: &'static Shape, problems: &mut Problems) -> (Fields, bool) {
    let mut found = Fields::none(node.place);
    let pairs = match &node.content {
        Content::Map(pairs) => pairs.as_slice(),
        Content::Nothing => &[],
        other => {
            problems.note(
                node.place,
                format!("{} where a map should be", other.word()),
                format!("expected {}", Kind::Map(shape).wanted()),
            );
            return (found, false);
        }
    };
    let mut good = true;
    let mut first: BTreeMap<&str, Place> = BTreeMap::new();
    let mut meant: Vec<&str> = Vec::new();
    for (name, value) in pairs {
        let Content::Scalar(text) = &name.content else {
            problems.note(
                name.place,
                format!("{} as a key", name.content.word()),
                "expected a word",
            );
            good = false;
            continue;
        };
        let Some(key) = shape.key(text) else {
            let near = nearest(text, shape.names());
            meant.extend(near);
            let right = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "a {} has {}",
                    shape.noun,
                    shape.names().collect::<Vec<_>>().join(", ")
                ),
            };
            problems.note(name.place, format!("unknown key {}", quoted(text)), right);
            good = false;
            continue;
        };
        if let Some(place) = first.get(key.name) {
            problems.note(
                name.place,
                format!("`{}` is given twice", key.name),
                format!("keep one; the first is on line {}", place.line),
            );
            good = false;
            continue;
        }
        first.insert(key.name, name.place);
        match checked(value, key, problems) {
            Checked::Good(checked) => {
                found.values.insert(key.name, (value.place, checked));
            }
            Checked::Partly(checked) => {
                found.values.insert(key.name, (value.place, checked));
                good = false;
            }
            Checked::Bad => good = false,
            Checked::Absent => {
                first.remove(key.name);
            }
        }
    }
    for key in shape.keys.iter().filter(|key| key.need == Need::Required) {
        // A mistyped key was reported already; saying that it is missing as well would be noise.
        if !first.contains_key(key.name) && !meant.contains(&key.name) {
            problems.note(
                node.place,
                format!("{} without `{}`", article(shape.noun), key.name),
                format!("add `{}`: {}", key.name, key.kind.wanted()),
            );
            good = false;
        }
    }
    good &= exactly_one(node.place, shape, &first, &meant, problems);
    (found, good)
}

fn exactly_one(
    place: Place,
    shape: &Shape,
    given: &BTreeMap<&str, Place>,
    meant: &[&str],
    problems: &mut Problems,
) -> bool {
    let choices = shape.exactly_one;
    if choices.is_empty() {
        return true;
    }
    let here: Vec<_> = choices
        .iter()
        .filter(|name| given.contains_key(**name))
        .collect();
    let wanted = format!("give exactly one of {}", choices.join(", "));
    match here.as_slice() {
        [_] => true,
        [] => {
            if !choices.iter().any(|name| meant.contains(name)) {
                problems.note(
                    place,
                    format!("{} without a source", article(shape.noun)),
                    wanted,
                );
            }
            false
        }
        [_, second, ..] => {
            let place = given.get(**second).copied().unwrap_or(place);
            problems.note(
                place,
                format!("{} with several sources", article(shape.noun)),
                wanted,
            );
            false
        }
    }
}

/// How a value came out.
enum Checked {
    Good(Value),
    /// Something in it was wrong and left out; the rest can be used.
    Partly(Value),
    Bad,
    /// Nothing was given, as if the key were not there.
    Absent,
}

fn checked(node: &Node, key: &Key, problems: &mut Problems) -> Checked {
    if node.content == Content::Nothing {
        return Checked::Absent;
    }
    match key.kind {
        Kind::Map(shape) => {
            let (fields, good) = fields(node, shape, problems);
            let usable = matches!(node.content, Content::Map(_));
            match (good, usable) {
                (true, _) => Checked::Good(Value::Map(fields)),
                (false, true) => Checked::Partly(Value::Map(fields)),
                (false, false) => Checked::Bad,
            }
        }
        Kind::List(shape) => list(node, key, shape, problems),
        Kind::TextsByName => by_name(node, key, problems),
        Kind::Texts(_) | Kind::Words => texts(node, key, problems),
        _ => scalar(node, key, problems).map_or(Checked::Bad, Checked::Good),
    }
}

fn list(node: &Node, key: &Key, shape: &'static Shape, problems: &mut Problems) -> Checked {
    let Content::List(nodes) = &node.content else {
        wrong(node, key, problems);
        return Checked::Bad;
    };
    let mut entries = Vec::new();
    let mut all = true;
    for node in nodes {
        let (fields, good) = fields(node, shape, problems);
        if good {
            entries.push(fields);
        }
        all &= good;
    }
    if all {
        Checked::Good(Value::List(entries))
    } else {
        Checked::Partly(Value::List(entries))
    }
}

fn by_name(node: &Node, key: &Key, problems: &mut Problems) -> Checked {
    let Content::Map(pairs) = &node.content else {
        wrong(node, key, problems);
        return Checked::Bad;
    };
    let mut found: Vec<Named> = Vec::new();
    let mut all = true;
    for (name, value) in pairs {
        let texts = match &value.content {
            Content::Scalar(text) => Some(vec![(value.place, text.clone())]),
            Content::List(nodes) => nodes.iter().map(text_of).collect(),
            Content::Nothing => Some(Vec::new()),
            Content::Map(_) => None,
        };
        match (&name.content, texts) {
            (Content::Scalar(name_text), _)
                if found.iter().any(|known| known.name == *name_text) =>
            {
                problems.note(
                    name.place,
                    format!("{} is given twice", quoted(name_text)),
                    "keep one",
                );
                all = false;
            }
            (Content::Scalar(name_text), Some(texts)) => {
                found.push(Named {
                    place: name.place,
                    name: name_text.clone(),
                    texts,
                });
            }
            _ => {
                wrong(value, key, problems);
                all = false;
            }
        }
    }
    let value = Value::ByName(found);
    if all {
        Checked::Good(value)
    } else {
        Checked::Partly(value)
    }
}

fn texts(node: &Node, key: &Key, problems: &mut Problems) -> Checked {
    let form = match key.kind {
        Kind::Texts(form) => form,
        _ => forms::Form::Free,
    };
    let words: Option<Vec<(Place, String)>> = match &node.content {
        Content::List(nodes) => nodes.iter().map(text_of).collect(),
        // Splitting at spaces is all that is done; what a shell would do more must be written as a list.
        Content::Scalar(text)
            if matches!(key.kind, Kind::Words)
                && !text.contains(['"', '\'', '\\', '$', '`', '|', '&', ';', '<', '>']) =>
        {
            let words = text.split_whitespace();
            Some(words.map(|word| (node.place, word.to_owned())).collect())
        }
        _ => None,
    };
    match words {
        Some(words)
            if words.iter().all(|(_, word)| form.fits(word))
                && !(words.is_empty() && matches!(key.kind, Kind::Words)) =>
        {
            Checked::Good(Value::Texts(words))
        }
        _ => {
            wrong(node, key, problems);
            Checked::Bad
        }
    }
}

fn text_of(node: &Node) -> Option<(Place, String)> {
    match &node.content {
        Content::Scalar(text) => Some((node.place, text.clone())),
        _ => None,
    }
}

fn scalar(node: &Node, key: &Key, problems: &mut Problems) -> Option<Value> {
    let value = match &node.content {
        Content::Scalar(text) => match key.kind {
            Kind::Text(form) => form.fits(text).then(|| Value::Text(text.clone())),
            Kind::Flag => match text.as_str() {
                "true" => Some(Value::Flag(true)),
                "false" => Some(Value::Flag(false)),
                _ => None,
            },
            Kind::Number { least, most } => text
                .parse()
                .ok()
                .filter(|number| (least..=most).contains(number))
                .map(Value::Number),
            Kind::Length => forms::length(text).map(Value::Length),
            Kind::OneOf(words) => words
                .contains(&text.as_str())
                .then(|| Value::Text(text.clone())),
            _ => None,
        },
        _ => None,
    };
    if value.is_none() {
        wrong(node, key, problems);
    }
    value
}

/// Notes a value that is not what its key wants.
fn wrong(node: &Node, key: &Key, problems: &mut Problems) {
    let what = match &node.content {
        Content::Scalar(text) => format!("`{}` cannot be {}", key.name, quoted(text)),
        other => format!("`{}` cannot be {}", key.name, other.word()),
    };
    let right = match (&node.content, key.kind) {
        (Content::Scalar(text), Kind::Text(form)) => match form.meant(text) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("expected {}", key.kind.wanted()),
        },
        (Content::Scalar(text), Kind::OneOf(words)) => match nearest(text, words.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("expected {}", key.kind.wanted()),
        },
        _ => format!("expected {}", key.kind.wanted()),
    };
    problems.note(node.place, what, right);
}

fn article(noun: &str) -> String {
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {noun}", if vowel { "an" } else { "a" })
}
