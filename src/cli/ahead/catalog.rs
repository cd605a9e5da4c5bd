//! `registry`: what a private registry holds, as a document and for people.

use jiff::Timestamp;
use serde::Serialize;

use crate::app::preview::registry::{RegistryView, RepositoryRow};
use crate::cli::table::Table;
use crate::core::age::{age, bytes};

/// The JSON document, schema 1.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: u32,
    registry: &'a str,
    repositories: Vec<Repository<'a>>,
}

#[derive(Debug, Serialize)]
struct Repository<'a> {
    name: &'a str,
    tags: &'a [Box<str>],
    /// When the newest image that was read was built.
    newest: Option<Timestamp>,
    newest_tag: Option<&'a str>,
    bytes: Option<u64>,
    runs_on: Vec<String>,
}

impl<'a> Document<'a> {
    /// Makes the document.
    pub fn of(view: &'a RegistryView) -> Self {
        Self {
            schema: 1,
            registry: view.registry.as_str(),
            repositories: view.repositories.iter().map(repository).collect(),
        }
    }
}

fn repository(row: &RepositoryRow) -> Repository<'_> {
    Repository {
        name: &row.repository.path,
        tags: &row.tags,
        newest: row.newest.as_ref().map(|(at, _)| *at),
        newest_tag: row.newest.as_ref().map(|(_, tag)| &**tag),
        bytes: row.bytes,
        runs_on: row.runs_on.iter().map(ToString::to_string).collect(),
    }
}

/// Tells it for people.
pub fn text(view: &RegistryView, now: Timestamp) -> String {
    let mut table = Table::new(["REPOSITORY", "TAGS", "NEWEST", "SIZE", "RUNS ON"]);
    for row in &view.repositories {
        let newest = row.newest.as_ref();
        table.row([
            row.repository.path.to_string(),
            row.tags.len().to_string(),
            newest.map_or_else(
                || "-".to_owned(),
                |(at, tag)| format!("{} {tag}", age(now, *at)),
            ),
            row.bytes.map_or_else(|| "-".to_owned(), bytes),
            match (&row.failure, row.runs_on.as_slice()) {
                (Some(failure), _) => failure.clone(),
                (None, []) => "nowhere".to_owned(),
                (None, list) => {
                    let names: Vec<String> = list.iter().map(ToString::to_string).collect();
                    names.join(", ")
                }
            },
        ]);
    }
    let mut out = table.render();
    if !view.complete {
        out.push_str("the registry has more repositories than are read\n");
    }
    out
}
