//! What was done and seen, as far as the journals were read; and what each service was last seen to run.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::digest::ImageId;
use crate::core::history::{Entry, Event, Seen, former_runs, join};
use crate::core::names::{HostName, ServiceKey};

use super::jobs::Job;
use super::model::Model;
use super::screen::{RowId, View};

/// The journals and what follows from them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// The operator's own journal.
    pub own: Source,
    pub hosts: BTreeMap<HostName, Source>,
    /// All journals joined, newest first.
    pub entries: Vec<Entry>,
    /// What each service was last seen to run.
    pub seen: BTreeMap<ServiceKey, Seen>,
    /// What was seen and is not in the operator's journal yet.
    pub unrecorded: Vec<Event>,
    /// Whether the needs of the open view have to be worked out again.
    pub due: bool,
    /// Whether a verdict hangs on the operator's own journal.
    pub for_verdicts: bool,
    /// Images that were pulled, as the journals tell; which image is on which host.
    pulled: BTreeSet<(HostName, ImageId)>,
}

/// One journal.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Source {
    pub events: Vec<Event>,
    pub asked: bool,
    pub in_flight: bool,
    /// Why it could not be read.
    pub error: Option<String>,
}

impl History {
    /// Joins the journals anew.
    pub fn rejoin(&mut self) {
        let hosts: Vec<Event> = self
            .hosts
            .values()
            .flat_map(|source| source.events.iter().cloned())
            .collect();
        self.entries = join(&self.own.events, &hosts);
        self.pulled = self
            .entries
            .iter()
            .filter_map(|entry| entry.event.pulled())
            .collect();
    }

    /// Tells whether a journal knows of a pull of an image onto a host.
    pub fn knows_pull(&self, host: &HostName, image: &ImageId) -> bool {
        // Asked for each service at each look: an empty set answers without a copy of the names.
        !self.pulled.is_empty() && self.pulled.contains(&(host.clone(), image.clone()))
    }

    /// Tells whether no journal is being read.
    pub fn is_settled(&self) -> bool {
        !self.own.in_flight && self.hosts.values().all(|source| !source.in_flight)
    }

    /// Returns what each service ran, by its target.
    pub fn runs(&self) -> BTreeMap<ServiceKey, Vec<crate::core::former_run::FormerRun>> {
        let mut by_target: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
        for entry in &self.entries {
            by_target
                .entry(&entry.event.target)
                .or_default()
                .push(entry);
        }
        by_target
            .into_iter()
            .filter_map(|(target, entries)| {
                let key = key_of(target)?;
                Some((key, former_runs(entries, target)))
            })
            .collect()
    }
}

fn key_of(target: &str) -> Option<ServiceKey> {
    let mut parts = target.splitn(3, '/');
    Some(ServiceKey {
        host: parts.next()?.into(),
        project: parts.next()?.into(),
        service: parts.next()?.into(),
    })
}

/// What the history view lists: jobs first, then what was.
#[derive(Debug, Clone)]
pub struct HistoryView<'a> {
    /// What it is limited to, in words.
    pub of: String,
    pub jobs: Vec<&'a Job>,
    pub entries: Vec<&'a Entry>,
    pub asking: bool,
    /// Journals that could not be read, with the reason.
    pub errors: Vec<String>,
}

impl HistoryView<'_> {
    /// Returns how many rows it has.
    pub fn len(&self) -> usize {
        self.jobs.len() + self.entries.len()
    }

    /// Tells whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Makes the view.
pub fn view<'a>(model: &'a Model, of: Option<&RowId>) -> HistoryView<'a> {
    let prefix = match of {
        None | Some(RowId::Group(_)) => String::new(),
        Some(RowId::Host(host)) => format!("{host}/"),
        Some(RowId::Project(host, project)) => format!("{host}/{project}/"),
        Some(RowId::Service(key)) => key.to_string(),
    };
    let exact = matches!(of, Some(RowId::Service(_)));
    let covers = |target: &str| {
        if exact {
            target == prefix
        } else {
            target.starts_with(&prefix)
        }
    };
    let mut jobs: Vec<&Job> = model
        .jobs
        .iter()
        .filter(|job| covers(&job.target.to_string()))
        .collect();
    jobs.sort_by_key(|job| !job.runs());
    let shown = |entry: &&Entry| {
        covers(&entry.event.target)
            // A job that is listed on top is not listed again.
            && !jobs.iter().any(|job| entry.event.job.as_deref() == Some(job.id.as_str()))
    };
    HistoryView {
        of: prefix.trim_end_matches('/').to_owned(),
        entries: model.history.entries.iter().filter(shown).collect(),
        jobs,
        asking: !model.history.is_settled(),
        errors: model
            .history
            .hosts
            .iter()
            .filter_map(|(host, source)| Some(format!("{host}: {}", source.error.as_ref()?)))
            .collect(),
    }
}

/// Returns the hosts whose journals the open view is about.
pub fn wanted(model: &Model) -> Vec<HostName> {
    match &model.screen.view {
        View::History { .. } => model
            .hosts
            .iter()
            .map(|host| host.spec.name.clone())
            .collect(),
        View::Tags { service, .. } => vec![service.host.clone()],
        _ => Vec::new(),
    }
}
