//! A YAML document as a tree whose every node knows its line and column.
//!
//! Scalars stay text until something says what is wanted of them, so that a host may be called `1` or `no`.
//! Nothing here knows a key of the configuration.

use std::collections::HashMap;

use serde_yaml::granit_parser::{self, Event, Parser, ScalarStyle, ScanError};

/// Aliases may repeat parts of the document; more nodes than this are an attack, not a configuration.
const MOST_NODES: usize = 100_000;

/// Where something stands in the file, both counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

impl Place {
    /// The beginning of the file.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// One node of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub place: Place,
    pub content: Content,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nothing: no value, `null` or `~`.
    Nothing,
    Scalar(String),
    List(Vec<Node>),
    /// Pairs in their order, keys that are given twice included.
    Map(Vec<(Node, Node)>),
}

impl Content {
    /// Returns what the node is, in words for a message.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Scalar(_) => "a value",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

/// The reason why a text is no YAML document that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotYaml {
    pub place: Place,
    pub what: String,
}

/// Reads the first document of a text; an empty text is an empty document.
pub fn parse(text: &str) -> Result<Node, NotYaml> {
    let options = granit_parser::options! { emit_comments: false };
    let mut reader = Reader::default();
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next.map_err(|error| not_yaml(&error))?;
        let place = place(span.start.line(), span.start.col());
        if let Some(document) = reader.take(event, place)? {
            return Ok(document);
        }
    }
    Ok(Node {
        place: Place::START,
        content: Content::Nothing,
    })
}

fn not_yaml(error: &ScanError) -> NotYaml {
    let marker = error.marker();
    NotYaml {
        place: place(marker.line(), marker.col()),
        what: error.info(),
    }
}

fn place(line: usize, column_from_zero: usize) -> Place {
    Place {
        line: line.max(1),
        column: column_from_zero + 1,
    }
}

/// A list or map whose end has not come yet.
struct Open {
    place: Place,
    anchor: usize,
    is_map: bool,
    children: Vec<Node>,
}

#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    /// The document's own node, kept until the document's end proves that it is whole.
    root: Option<Node>,
}

impl Reader {
    /// Takes one event in; returns the document once it has ended.
    fn take(&mut self, event: Event<'_>, place: Place) -> Result<Option<Node>, NotYaml> {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let empty = style == ScalarStyle::Plain
                    && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let content = if empty {
                    Content::Nothing
                } else {
                    Content::Scalar(text.into_owned())
                };
                self.finish(Node { place, content }, anchor)?;
            }
            Event::SequenceStart(_, anchor, _) => self.begin(place, anchor, false),
            Event::MappingStart(_, anchor, _) => self.begin(place, anchor, true),
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.open.pop() {
                    let content = if open.is_map {
                        Content::Map(merged(pairs(open.children)))
                    } else {
                        Content::List(open.children)
                    };
                    let node = Node {
                        place: open.place,
                        content,
                    };
                    self.finish(node, open.anchor)?;
                }
            }
            Event::Alias(anchor) => {
                let mut node = self.anchors.get(&anchor).cloned().ok_or(NotYaml {
                    place,
                    what: "an alias inside of what it repeats".to_owned(),
                })?;
                self.nodes += count(&node);
                node.place = place;
                self.finish(node, 0)?;
            }
            Event::DocumentEnd => return Ok(self.root.take()),
            _ => {}
        }
        Ok(None)
    }

    fn begin(&mut self, place: Place, anchor: usize, is_map: bool) {
        self.open.push(Open {
            place,
            anchor,
            is_map,
            children: Vec::new(),
        });
    }

    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), NotYaml> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return Err(NotYaml {
                place: node.place,
                what: format!("more than {MOST_NODES} values"),
            });
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
            self.nodes += count(&node);
        }
        match self.open.last_mut() {
            Some(parent) => parent.children.push(node),
            None => self.root = Some(node),
        }
        Ok(())
    }
}

fn count(node: &Node) -> usize {
    let mut todo = vec![node];
    let mut counted = 0;
    while let Some(node) = todo.pop() {
        counted += 1;
        match &node.content {
            Content::Nothing | Content::Scalar(_) => {}
            Content::List(nodes) => todo.extend(nodes),
            Content::Map(pairs) => todo.extend(pairs.iter().flat_map(|(key, value)| [key, value])),
        }
    }
    counted
}

fn pairs(children: Vec<Node>) -> Vec<(Node, Node)> {
    let mut pairs = Vec::with_capacity(children.len() / 2);
    let mut children = children.into_iter();
    while let (Some(key), Some(value)) = (children.next(), children.next()) {
        pairs.push((key, value));
    }
    pairs
}

/// Resolves `<<`: its map gives the keys that the map itself does not have.
fn merged(pairs: Vec<(Node, Node)>) -> Vec<(Node, Node)> {
    let is_merge = |key: &Node| key.content == Content::Scalar("<<".to_owned());
    if !pairs.iter().any(|(key, _)| is_merge(key)) {
        return pairs;
    }
    let (merges, mut own): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(key, value)| {
        is_merge(key) && matches!(value.content, Content::Map(_) | Content::List(_))
    });
    for (_, value) in merges {
        let maps = match value.content {
            Content::List(nodes) => nodes,
            _ => vec![value],
        };
        for map in maps {
            let Content::Map(given) = map.content else {
                continue;
            };
            for (key, value) in given {
                if !own.iter().any(|(known, _)| known.content == key.content) {
                    own.push((key, value));
                }
            }
        }
    }
    own
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn shown(node: &Node) -> String {
        let at = format!("{}:{}", node.place.line, node.place.column);
        match &node.content {
            Content::Nothing => format!("{at} -"),
            Content::Scalar(text) => format!("{at} {text:?}"),
            Content::List(nodes) => {
                let nodes: Vec<_> = nodes.iter().map(shown).collect();
                format!("{at} [{}]", nodes.join(", "))
            }
            Content::Map(pairs) => {
                let pairs: Vec<_> = pairs
                    .iter()
                    .map(|(key, value)| format!("{}={}", shown(key), shown(value)))
                    .collect();
                format!("{at} {{{}}}", pairs.join(", "))
            }
        }
    }

    #[test]
    fn every_node_knows_its_place() {
        let text = "# head\nhosts:\n  - name: \"null\"\n    x: [1, ~]\n";
        assert_eq!(
            shown(&parse(text).unwrap()),
            "2:1 {2:1 \"hosts\"=3:3 [3:5 {3:5 \"name\"=3:11 \"null\", 4:5 \"x\"=4:8 [4:9 \"1\", 4:12 -]}]}"
        );
        assert_eq!(shown(&parse("").unwrap()), "1:1 -");
        assert_eq!(shown(&parse("# only a comment\n").unwrap()), "1:1 -");
    }

    #[test]
    fn aliases_and_merges_are_resolved_where_they_stand() {
        let text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a\n";
        let shown = shown(&parse(text).unwrap());
        assert!(
            shown.contains("\"b\"=2:4 {2:13 \"y\"=2:16 \"3\", 1:8 \"x\"=1:11 \"1\"}"),
            "{shown}"
        );
        assert!(shown.contains("\"c\"=3:4 {"), "{shown}");
    }

    #[test]
    fn what_is_no_yaml_says_where() {
        let error = parse("hosts:\n  - {name: x\n").unwrap_err();
        assert_eq!(error.place, Place { line: 2, column: 5 });
        assert!(!error.what.is_empty());
    }

    #[test]
    fn aliases_cannot_be_multiplied_without_end() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let before = format!("*a{}", level - 1);
            let list = vec![before; 10].join(", ");
            text += &format!("a{level}: &a{level} [{list}]\n");
        }
        let error = parse(&text).unwrap_err();
        assert!(error.what.contains("more than"), "{error:?}");
    }
}
