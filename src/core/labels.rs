//! The labels of a container or image, in the order of their names.
//!
//! The containers of a host repeat one another's names and values: `Texts` lets them hold each text once.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Labels by name; each name stands once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    from = "BTreeMap<Arc<str>, Arc<str>>",
    into = "BTreeMap<Arc<str>, Arc<str>>"
)]
pub struct Labels(Box<[(Arc<str>, Arc<str>)]>);

impl Labels {
    /// Returns the value of a label.
    pub fn get(&self, name: &str) -> Option<&str> {
        let place = self.0.binary_search_by(|(own, _)| (**own).cmp(name)).ok()?;
        self.0.get(place).map(|(_, value)| &**value)
    }

    /// Tells whether a label of that name is there, whatever its value.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Gives a label a value.
    pub fn set(&mut self, name: &str, value: &str) {
        let own = self.0.iter().filter(|(own, _)| &**own != name).cloned();
        *self = own.chain([(name.into(), value.into())]).collect();
    }

    /// Lists names and values, in the order of the names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Holds its texts in common with all others that were given the same ones.
    pub fn share(&mut self, texts: &mut Texts) {
        for (name, value) in &mut self.0 {
            texts.share(name);
            texts.share(value);
        }
    }
}

impl<K: Into<Arc<str>>, V: Into<Arc<str>>> FromIterator<(K, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(labels: I) -> Self {
        let labels = labels.into_iter();
        let mut labels: Vec<(Arc<str>, Arc<str>)> = labels
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        labels.sort_by(|a, b| a.0.cmp(&b.0));
        labels.dedup_by(|a, b| a.0 == b.0);
        Self(labels.into())
    }
}

impl From<BTreeMap<Arc<str>, Arc<str>>> for Labels {
    fn from(labels: BTreeMap<Arc<str>, Arc<str>>) -> Self {
        labels.into_iter().collect()
    }
}

impl From<Labels> for BTreeMap<Arc<str>, Arc<str>> {
    fn from(labels: Labels) -> Self {
        labels.0.into_iter().collect()
    }
}

/// Texts that are held once, however often they occur.
#[derive(Debug, Default)]
pub struct Texts(HashSet<Arc<str>>);

impl Texts {
    /// Puts the text that is held already in the place of an equal one.
    pub fn share(&mut self, text: &mut Arc<str>) {
        match self.0.get(&**text) {
            Some(own) => *text = own.clone(),
            None => {
                self.0.insert(text.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn labels_are_found_by_name_and_read_back_as_they_were() {
        let mut labels: Labels = [("b", "2"), ("a", "1"), ("c", "")].into_iter().collect();
        assert_eq!((labels.get("a"), labels.get("c")), (Some("1"), Some("")));
        assert_eq!((labels.get("d"), labels.has("c")), (None, true));
        labels.set("b", "other");
        labels.set("aa", "new");
        let all: Vec<(&str, &str)> = labels.iter().collect();
        assert_eq!(all, [("a", "1"), ("aa", "new"), ("b", "other"), ("c", "")]);
        let text = serde_json::to_string(&labels).unwrap();
        assert_eq!(text, r#"{"a":"1","aa":"new","b":"other","c":""}"#);
        assert_eq!(serde_json::from_str::<Labels>(&text).unwrap(), labels);
    }

    #[test]
    fn equal_texts_are_held_once() {
        let of = |value: &str| -> Labels { [("name", value)].into_iter().collect() };
        let (mut first, mut second, mut texts) = (of("x"), of("x"), Texts::default());
        first.share(&mut texts);
        second.share(&mut texts);
        assert_eq!(first, second);
        assert!(std::ptr::eq(
            first.get("name").unwrap(),
            second.get("name").unwrap()
        ));
    }
}
