//! What is wrong in a configuration file, where it stands, and what would be right.

use std::fmt;

use super::tree::Place;
use crate::core::text::clean_within;

/// How much a problem weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Something was left out.
    Error,
    /// Everything holds, but something is likely to be a mistake.
    Warning,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub weight: Weight,
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub what: String,
    pub right: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            what,
            right,
            weight: _,
        } = self;
        write!(f, "{file}:{line}:{column}: {what}; {right}")
    }
}

/// Collects problems of one file.
#[derive(Debug)]
pub struct Problems {
    file: String,
    list: Vec<Problem>,
}

impl Problems {
    /// Begins a collection for the file.
    pub fn of_file(file: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            list: Vec::new(),
        }
    }

    /// Notes what is wrong at a place, and what would be right.
    pub fn note(&mut self, place: Place, what: impl Into<String>, right: impl Into<String>) {
        self.add(Weight::Error, place, what.into(), right.into());
    }

    /// Notes what is likely to be a mistake, though nothing is left out.
    pub fn warn(&mut self, place: Place, what: impl Into<String>, right: impl Into<String>) {
        self.add(Weight::Warning, place, what.into(), right.into());
    }

    fn add(&mut self, weight: Weight, place: Place, what: String, right: String) {
        self.list.push(Problem {
            weight,
            file: self.file.clone(),
            line: place.line,
            column: place.column,
            what,
            right,
        });
    }

    /// Returns the problems in the order of the file.
    pub fn into_sorted(mut self) -> Vec<Problem> {
        self.list
            .sort_by_key(|problem| (problem.line, problem.column));
        self.list
    }
}

/// Quotes a word of the file for a message, cleaned and cut.
pub fn quoted(text: &str) -> String {
    format!("`{}`", clean_within(text, 60))
}
