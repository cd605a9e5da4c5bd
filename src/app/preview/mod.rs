//! What is known for looking ahead: images behind digests, tags of repositories, and what was asked of them.
//!
//! The facts stand here; [`layers`] and [`tags`] make views of them, and `update::preview` has the missing ones
//! asked for. Nothing here is judged or predicted: that is the core's.

pub mod layers;
pub mod registry;
pub mod tags;
pub mod trust;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::core::digest::{ImageId, TopDigest};
use crate::core::failure::RegistryFailure;
use crate::core::former_run::FormerRun;
use crate::core::image::{ImageRef, Repository};
use crate::core::layers::Manifests;
use crate::core::memory::Counted;
use crate::core::names::{HostName, RegistryHost, ServiceKey};
use crate::core::pace::Pull;
use crate::core::platform::Platform;
use crate::core::remote::Route;
use crate::core::shelf::TagList;

/// Facts for looking ahead.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Preview {
    /// Images as registries or the cache told them.
    pub manifests: Manifests,
    pub lookups: BTreeMap<ImageKey, Lookup>,
    pub repositories: BTreeMap<RepositoryKey, RepositoryModel>,
    pub catalogs: BTreeMap<registry::CatalogKey, registry::CatalogModel>,
    /// What stands beside images, as far as somebody looked.
    pub marks: BTreeMap<ImageKey, trust::Marks>,
    /// What hosts fetched before; absent while nobody asked, or while the answer is on its way.
    pub paces: BTreeMap<HostName, Option<Vec<Pull>>>,
    /// How many builds lie between two images of a repository, where that was counted.
    pub counted: BTreeMap<CountKey, u64>,
    /// Whether nobody looks at lists of tags: only what counts builds is asked for, and little of that.
    pub sparing: bool,
    /// Whether a view was left whose questions nobody waits for any more.
    pub left: bool,
    /// What services ran before, as far as it was recorded.
    pub runs: BTreeMap<ServiceKey, Vec<FormerRun>>,
    /// The open list of tags as it was last joined; joining it for each key would be felt.
    pub shown: Option<tags::TagsView>,
    /// Hosts whose open needs have to be worked out again.
    pub due: BTreeSet<HostName>,
    /// Whether the needs of the view of a registry have to be worked out again.
    pub registry_due: bool,
    /// The connection over which every image of a host was asked for in detail already.
    pub whole_asked: BTreeMap<HostName, u64>,
    /// Hosts whose needs wait until fewer images are on their way.
    pub blocked: BTreeSet<HostName>,
}

/// An image by what names it and for which platform.
pub type ImageKey = (TopDigest, Platform);

/// A repository and the way to its registry.
pub type RepositoryKey = (Route, Repository);

/// What runs and what the tag names, in one repository.
pub type CountKey = (RepositoryKey, ImageId, TopDigest);

/// An image that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Lookup {
    /// On its way.
    InFlight {
        /// The hosts that wait for it.
        hosts: BTreeSet<HostName>,
        /// The registries that are asked.
        registries: BTreeSet<(Route, RegistryHost)>,
    },
    /// It could not be read.
    Failed {
        failure: RegistryFailure,
        /// Registries whose next good answer is a reason to try again; none where the failure is for good.
        again: BTreeSet<(Route, RegistryHost)>,
    },
}

/// What is known of a repository's tags.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RepositoryModel {
    pub list: Option<TagList>,
    /// Whether the list was read in this session, rather than kept from an earlier one.
    pub fresh: bool,
    pub listing: bool,
    pub failure: Option<(Timestamp, RegistryFailure)>,
    pub heads: BTreeMap<Box<str>, TopDigest>,
    /// Digests that the registry was asked about: whether it holds them.
    pub examined: BTreeMap<TopDigest, bool>,
    /// What was asked about: tags and digests, as they stand in a request.
    pub in_flight: BTreeSet<Box<str>>,
    pub failed: BTreeMap<Box<str>, RegistryFailure>,
    /// Tags to ask about, the next one last.
    pub queue: Vec<Box<str>>,
    /// For whom and from which list the queue was made.
    pub queued: Option<(ServiceKey, Timestamp)>,
    /// How many answers came since all candidates were last looked through.
    pub answers: usize,
}

impl Lookup {
    /// Tells whether the answer has still to come.
    pub fn is_in_flight(&self) -> bool {
        matches!(self, Self::InFlight { .. })
    }
}

impl Preview {
    /// Tells whether nothing is on its way that would still say more.
    pub fn is_settled(&self) -> bool {
        let looks = self.lookups.values();
        let repositories = self.repositories.values();
        self.due.is_empty()
            && !self.registry_due
            && self.paces.values().all(Option::is_some)
            && self
                .marks
                .values()
                .all(|marks| !matches!(marks, trust::Marks::InFlight))
            && self.catalogs.values().all(|catalog| !catalog.listing)
            && looks.into_iter().all(|lookup| !lookup.is_in_flight())
            && repositories
                .into_iter()
                .all(|repository| !repository.listing && repository.in_flight.is_empty())
    }

    /// Forgets failures and what may have moved, so that everything is asked for anew.
    pub fn refresh(&mut self, key: &RepositoryKey) {
        self.lookups.retain(|_, lookup| lookup.is_in_flight());
        for marks in self.marks.values_mut() {
            if matches!(marks, trust::Marks::Known(_)) {
                *marks = trust::Marks::Stale;
            }
        }
        if let Some(repository) = self.repositories.get_mut(key) {
            repository.fresh = false;
            repository.failure = None;
            repository.heads.clear();
            repository.examined.clear();
            repository.failed.clear();
            repository.queue.clear();
            repository.queued = None;
        }
    }

    /// Returns what was counted, for the next start.
    pub fn counts(&self) -> Vec<Counted> {
        let counted = self.counted.iter();
        counted
            .map(|(((route, repository), running, named), builds)| Counted {
                route: route.clone(),
                repository: repository.clone(),
                running: running.clone(),
                named: named.clone(),
                builds: *builds,
            })
            .collect()
    }

    /// Takes up what an earlier start counted.
    pub fn recall(&mut self, counted: Vec<Counted>) {
        for own in counted {
            let key = ((own.route, own.repository), own.running, own.named);
            self.counted.entry(key).or_insert(own.builds);
        }
    }

    /// Returns what the reference names, as far as that is known here.
    pub fn top_of<'a>(&'a self, route: &Route, reference: &'a ImageRef) -> Option<&'a TopDigest> {
        if let Some(digest) = reference.digest() {
            return Some(digest);
        }
        let key = (route.clone(), reference.repository.clone());
        self.repositories.get(&key)?.heads.get(reference.tag()?)
    }
}
