//! What is known of builds: their sources, their records, and who runs what they made.
//!
//! Records are kept as they were told; [`view`] and [`join`] make of them what is shown.

pub mod join;
pub mod opened;
pub mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::core::builds::cache::{self, CacheFacts};
use crate::core::builds::deploy::DeployRun;
use crate::core::builds::{BuildRecord, RefusedLog, SourceFailure};
use crate::core::failure::RegistryFailure;
use crate::core::image::ImageRef;
use crate::core::names::HostName;
use crate::core::settings::{BuildSource, Settings};

/// How many builds of one source are kept.
const KEPT: usize = 300;

/// All that is known of builds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Builds {
    pub sources: Vec<SourceModel>,
    pub records: BTreeMap<BuildKey, BuildRecord>,
    pub deploys: Vec<DeployRun>,
    /// Caches in registries, by their references.
    pub caches: BTreeMap<ImageRef, CacheModel>,
    /// Whether builds came whose caches may not have been asked about.
    pub caches_due: bool,
    /// How much of the sources this session wants.
    pub wanted: Wanted,
    /// Whether the sources were told that somebody looks.
    pub closely: bool,
}

/// What is known of a cache in a registry.
#[derive(Debug, Clone, PartialEq)]
pub struct CacheModel {
    pub asked: Timestamp,
    /// Nothing while it is being asked.
    pub answer: Option<Result<CacheFacts, RegistryFailure>>,
}

/// A build by its source and its id there.
pub type BuildKey = (Box<str>, Box<str>);

/// How much of the sources a session wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing is read.
    #[default]
    Nothing,
    /// Those whose deploys tell more of what is behind.
    Deploys,
    Everything,
}

/// A source and how it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceModel {
    pub name: Box<str>,
    /// The host that it is read on.
    pub host: Option<HostName>,
    pub has_deploys: bool,
    pub following: bool,
    /// Whether all that was there has been read once.
    pub caught_up: bool,
    pub failure: Option<(Timestamp, SourceFailure)>,
    pub attempts: u32,
    pub due: Duration,
    pub refused: BTreeSet<RefusedLog>,
}

impl SourceModel {
    fn new(source: &BuildSource) -> Self {
        Self {
            name: source.name.as_str().into(),
            host: source.from.host().cloned(),
            has_deploys: !source.deploys.is_empty(),
            following: false,
            caught_up: false,
            failure: None,
            attempts: 0,
            due: Duration::ZERO,
            refused: BTreeSet::new(),
        }
    }
}

impl Builds {
    /// Begins with the sources of the settings and nothing known.
    pub fn new(settings: &Settings) -> Self {
        Self {
            sources: settings.builds.iter().map(SourceModel::new).collect(),
            ..Self::default()
        }
    }

    /// Tells whether a source is read in this session.
    pub fn is_wanted(&self, source: &SourceModel) -> bool {
        match self.wanted {
            Wanted::Nothing => false,
            Wanted::Deploys => source.has_deploys,
            Wanted::Everything => true,
        }
    }

    /// Takes in how a build stands; the oldest of a source that has too many is let go.
    pub fn put(&mut self, record: BuildRecord) {
        let source = record.source.clone();
        self.records
            .insert((source.clone(), record.id.clone()), record);
        let mine = || self.records.iter().filter(|((own, _), _)| *own == source);
        if mine().count() > KEPT {
            let oldest = mine().min_by_key(|(_, record)| (record.when(), record.order));
            if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                self.records.remove(&key);
            }
        }
    }

    /// Returns a build.
    pub fn get(&self, key: &BuildKey) -> Option<&BuildRecord> {
        self.records.get(key)
    }

    /// Returns what a registry told of the cache behind a source's reference.
    pub fn cache(&self, source: &str) -> Option<&CacheFacts> {
        let known = self.caches.get(&cache::reference(source)?)?;
        known.answer.as_ref()?.as_ref().ok()
    }

    /// Returns a source.
    pub fn source(&self, name: &str) -> Option<&SourceModel> {
        self.sources.iter().find(|source| &*source.name == name)
    }

    /// Tells whether nothing is on its way that would still say more.
    pub fn is_settled(&self, host_is_away: impl Fn(&HostName) -> bool) -> bool {
        let asking = self.caches.values().any(|cache| cache.answer.is_none());
        let all = self.sources.iter().all(|source| {
            !self.is_wanted(source)
                || source.caught_up
                || source.failure.is_some()
                || source.host.as_ref().is_some_and(&host_is_away)
        });
        all && !asking
    }
}

/// Returns the key of a record.
pub fn key(record: &BuildRecord) -> BuildKey {
    (record.source.clone(), record.id.clone())
}
