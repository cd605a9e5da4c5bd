//! Joining what different sources know of one image.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use super::{Candidate, Sources};
use crate::core::age;
use crate::core::digest::{ConfigDigest, Digest, ImageId, ManifestDigest, TopDigest};
use crate::core::engine::{ImageFacts, ImageStore};
use crate::core::former_run::FormerRun;
use crate::core::image::{ImageRef, Pointer, Repository};
use crate::core::layers::predict;
use crate::core::remote::RemoteImage;
use crate::core::tag_family::{Family, families};

/// What names an image; two drafts that share one are one image.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    /// An index or a manifest: where no index stands above it, a manifest is its own top.
    Named(Digest),
    Config(ConfigDigest),
    Image(ImageId),
}

/// What is gathered of one image.
#[derive(Debug, Default)]
struct Draft<'a> {
    tops: Vec<TopDigest>,
    /// The tops that tags of the registry name now.
    tagged: Vec<TopDigest>,
    manifest: Option<ManifestDigest>,
    remote: Option<&'a RemoteImage>,
    facts: Option<&'a ImageFacts>,
    tags: BTreeSet<&'a str>,
    runs: Vec<&'a FormerRun>,
}

impl<'a> Draft<'a> {
    fn absorb(&mut self, other: Self) {
        self.tops.extend(other.tops);
        self.tagged.extend(other.tagged);
        self.manifest = self.manifest.take().or(other.manifest);
        self.remote = self.remote.or(other.remote);
        self.facts = self.facts.or(other.facts);
        self.tags.extend(other.tags);
        self.runs.extend(other.runs);
    }

    /// Returns all names of the image.
    fn keys(&self, store: ImageStore) -> Vec<Key> {
        let named = |digest: &Digest| Key::Named(digest.clone());
        let tops = self.tops.iter().map(|top| named(top.digest()));
        let mut keys: Vec<Key> = tops.collect();
        keys.extend(self.manifest.iter().map(|own| named(own.digest())));
        for run in &self.runs {
            keys.extend(run.manifest.iter().map(|own| named(own.digest())));
            keys.push(Key::Image(run.image_id.clone()));
            if store == ImageStore::Containerd {
                keys.push(named(run.image_id.as_top().digest()));
            }
        }
        keys.extend(self.facts.map(|facts| Key::Image(facts.id.clone())));
        // On a graph store images of one config are one; elsewhere they differ in what is fetched.
        if store == ImageStore::Graph {
            if let Some(remote) = self.remote {
                keys.push(Key::Config(remote.config.clone()));
            }
            if let Some(facts) = self.facts {
                keys.push(Key::Config(facts.id.as_config()));
            }
            let runs = self.runs.iter();
            keys.extend(runs.map(|run| Key::Config(run.image_id.as_config())));
        }
        keys
    }
}

/// Drafts with an index of their names.
struct Drafts<'a> {
    store: ImageStore,
    list: Vec<Option<Draft<'a>>>,
    places: HashMap<Key, usize>,
}

impl<'a> Drafts<'a> {
    fn add(&mut self, mut draft: Draft<'a>) {
        let keys = draft.keys(self.store);
        let hits: BTreeSet<usize> = keys
            .iter()
            .filter_map(|key| self.places.get(key).copied())
            .collect();
        for hit in hits {
            if let Some(other) = self.list[hit].take() {
                let mut whole = other;
                whole.absorb(draft);
                draft = whole;
            }
        }
        let place = self.list.len();
        for key in draft.keys(self.store) {
            self.places.insert(key, place);
        }
        self.list.push(Some(draft));
    }
}

/// Joins all sources, in no order.
pub(super) fn join(sources: &Sources<'_>, families: &BTreeMap<&str, Family>) -> Vec<Candidate> {
    let mut drafts = Drafts {
        store: sources.observation.engine.store,
        list: Vec::new(),
        places: HashMap::new(),
    };
    let platform = sources.platform;
    let remote = |top: &TopDigest| sources.manifests.get(&(top.clone(), platform.clone()));
    for run in sources.runs {
        let tops: Vec<TopDigest> = run.top.iter().cloned().collect();
        drafts.add(Draft {
            remote: tops.iter().find_map(remote),
            manifest: run.manifest.clone(),
            tops,
            runs: vec![run],
            ..Draft::default()
        });
    }
    for image in sources.observation.images.values() {
        if belongs(sources, image) {
            drafts.add(local(sources, families, image));
        }
    }
    let assumed = assumed_tags(sources, families);
    for tag in sources.tags.iter().map(|tag| &**tag) {
        if !families.get(tag).is_some_and(Family::is_offerable) {
            continue;
        }
        match sources.heads.get(tag) {
            Some(top) => {
                let remote = remote(top);
                drafts.add(Draft {
                    tops: vec![top.clone()],
                    tagged: vec![top.clone()],
                    manifest: remote.map(|remote| remote.manifest.clone()),
                    remote,
                    tags: BTreeSet::from([tag]),
                    ..Draft::default()
                });
            }
            None if assumed.contains(tag) => {}
            None => drafts.list.push(Some(Draft {
                tags: BTreeSet::from([tag]),
                ..Draft::default()
            })),
        }
    }
    let drafts = drafts.list.into_iter().flatten();
    drafts
        .map(|draft| finish(sources, families, draft))
        .collect()
}

/// Tells whether a local image has to do with the repository or with what the service ran.
fn belongs(sources: &Sources<'_>, image: &ImageFacts) -> bool {
    // What only a container still holds cannot be started again from this host.
    if image.removed {
        return sources.running == Some(&image.id);
    }
    let in_repository = |repository: &Repository| repository == sources.repository;
    sources.running == Some(&image.id)
        || image.tags.iter().any(|tag| in_repository(&tag.repository))
        || image.digests.iter().any(|(own, _)| in_repository(own))
        || sources.runs.iter().any(|run| {
            let by_id = run.image_id == image.id;
            let by_top = |top: &TopDigest| image.digests.iter().any(|(_, own)| own == top);
            by_id || run.top.as_ref().is_some_and(by_top)
        })
        || sources.observation.engine.store == ImageStore::Containerd
            && sources.heads.values().any(|top| image.id.as_top() == *top)
}

fn local<'a>(
    sources: &Sources<'a>,
    families: &BTreeMap<&str, Family>,
    image: &'a ImageFacts,
) -> Draft<'a> {
    let observation = sources.observation;
    let graph = observation.engine.store == ImageStore::Graph;
    let own = (!graph).then(|| image.id.as_top());
    let digests = image.digests.iter().map(|(_, top)| top.clone());
    let tops: Vec<TopDigest> = own.into_iter().chain(digests).collect();
    let platform = observation.platform_of_image(image);
    let remote = tops
        .iter()
        .filter_map(|top| sources.manifests.get(&(top.clone(), platform.clone())))
        .find(|remote| !graph || remote.config == image.id.as_config());
    let told = observation
        .containers
        .iter()
        .filter(|container| container.image_id == image.id)
        .find_map(|container| container.manifest.clone());
    let tags = image
        .tags
        .iter()
        .filter(|tag| tag.repository == *sources.repository)
        .filter_map(ImageRef::tag)
        // A tag that the registry gives to another image now is no name of this one any more.
        .filter(|tag| match sources.heads.get(*tag) {
            Some(top) => tops.contains(top),
            None => families.get(tag).is_none_or(Family::is_immutable_looking),
        })
        .collect();
    Draft {
        manifest: remote.map(|remote| remote.manifest.clone()).or(told),
        remote,
        tops,
        facts: Some(image),
        tags,
        ..Draft::default()
    }
}

/// Returns unmoving tags that images on the host carry: the registry need not be asked what they name.
fn assumed_tags<'a>(sources: &Sources<'a>, families: &BTreeMap<&str, Family>) -> BTreeSet<&'a str> {
    let unmoving = |tag: &&str| families.get(*tag).is_some_and(Family::is_immutable_looking);
    sources
        .observation
        .images
        .values()
        .flat_map(|image| &image.tags)
        .filter(|tag| tag.repository == *sources.repository)
        .filter_map(ImageRef::tag)
        .filter(unmoving)
        .collect()
}

fn finish(
    sources: &Sources<'_>,
    families_of_list: &BTreeMap<&str, Family>,
    draft: Draft<'_>,
) -> Candidate {
    let family = |tag: &str| {
        let listed = families_of_list.get(tag).cloned();
        listed.or_else(|| families([tag]).remove(tag))
    };
    let mut tags: Vec<&str> = draft.tags.iter().copied().collect();
    // The best name first: one that does not move, and no name of our own before the author's.
    tags.sort_by_key(|tag| match family(tag) {
        Some(Family::Keep) => 2,
        Some(family) if family.is_immutable_looking() => 0,
        _ => 1,
    });
    let kept = tags.iter().any(|tag| family(tag) == Some(Family::Keep));
    let on_host = draft.facts.is_some_and(|facts| !facts.removed);
    let digest = digest(sources, &draft);
    let running = match (sources.running, draft.facts) {
        (Some(running), Some(facts)) => facts.id == *running,
        // The image of the running container may have left the store.
        (Some(running), None) => draft.runs.iter().any(|run| run.image_id == *running),
        (None, _) => false,
    };
    let prediction = draft.remote.map(|remote| predict(sources.holdings, remote));
    let text = |of_remote: fn(&RemoteImage) -> &Option<String>,
                of_facts: fn(&ImageFacts) -> &Option<String>| {
        let remote = draft.remote.and_then(|remote| of_remote(remote).clone());
        remote.or_else(|| draft.facts.and_then(|facts| of_facts(facts).clone()))
    };
    let of_tag = || {
        tags.iter()
            .find_map(|tag| family(tag)?.revision().map(str::to_owned))
    };
    let of_run = || draft.runs.iter().find_map(|run| run.revision.clone());
    let last = draft.runs.iter().max_by_key(|run| run.last_seen);
    let last_seen = last.map(|run| run.last_seen);
    Candidate {
        reference: reference(sources, &draft, tags.first().copied(), digest.as_ref()),
        manifest: draft.manifest.clone(),
        image_id: draft.facts.map(|facts| facts.id.clone()),
        family: tags.first().and_then(|tag| family(tag)),
        created: created(&draft),
        revision: text(|remote| &remote.revision, |facts| &facts.revision)
            .or_else(of_run)
            .or_else(of_tag),
        version: text(|remote| &remote.version, |facts| &facts.version),
        source: text(|remote| &remote.source, |facts| &facts.source),
        first_ran: draft.runs.iter().map(|run| run.first_seen).min(),
        last_ran: if running {
            last_seen.max(Some(sources.observation.at))
        } else {
            last_seen
        },
        put_back: last.is_some_and(|run| run.put_back),
        in_registry: in_registry(sources, families_of_list, &draft),
        fetch_bytes: match &prediction {
            _ if on_host => Some(0),
            Some(prediction) => Some(prediction.fetch_bytes),
            None => None,
        },
        total_bytes: prediction.map(|prediction| prediction.total_bytes),
        tags: tags.into_iter().map(Into::into).collect(),
        digest,
        on_host,
        kept,
        running,
        may_go: false,
    }
}

/// Returns when the image was built; times before 1990 are those of reproducible builds and say nothing.
fn created(draft: &Draft<'_>) -> Option<Timestamp> {
    let remote = draft.remote.and_then(|remote| remote.created);
    let facts = draft.facts.and_then(|facts| facts.created);
    let runs = draft.runs.iter().find_map(|run| run.created);
    let told = remote.or(facts).or(runs);
    told.filter(|created| age::tells(*created))
}

/// Returns the digest by which the image is best asked for.
fn digest(sources: &Sources<'_>, draft: &Draft<'_>) -> Option<TopDigest> {
    let here = draft
        .facts
        .and_then(|facts| facts.digests_in(sources.repository).next().cloned());
    let run = draft.runs.iter().find_map(|run| run.top.clone());
    draft
        .tagged
        .first()
        .cloned()
        .or(here)
        .or(run)
        .or_else(|| draft.tops.first().cloned())
}

fn in_registry(
    sources: &Sources<'_>,
    families: &BTreeMap<&str, Family>,
    draft: &Draft<'_>,
) -> Option<bool> {
    let listed = |tag: &&str| families.contains_key(*tag);
    if !draft.tagged.is_empty() || draft.tags.iter().any(listed) {
        return Some(true);
    }
    let told = |top: &TopDigest| sources.examined.get(top).copied();
    let answers: Vec<bool> = draft.tops.iter().filter_map(told).collect();
    if answers.contains(&true) {
        Some(true)
    } else if answers.is_empty() {
        None
    } else {
        Some(false)
    }
}

fn reference(
    sources: &Sources<'_>,
    draft: &Draft<'_>,
    tag: Option<&str>,
    digest: Option<&TopDigest>,
) -> Option<ImageRef> {
    let by_digest = |repository: &Repository, digest: &TopDigest| ImageRef {
        repository: repository.clone(),
        pointer: Pointer::Digest {
            digest: digest.clone(),
            tag: None,
        },
    };
    if let Some(tag) = tag {
        return Some(ImageRef {
            repository: sources.repository.clone(),
            pointer: Pointer::Tag(tag.into()),
        });
    }
    // A run under another registry's name is asked for there.
    if let Some(run) = draft.runs.first() {
        let top = run.top.as_ref().or(digest);
        return top.map_or_else(
            || Some(run.reference.clone()),
            |top| Some(by_digest(&run.reference.repository, top)),
        );
    }
    let here = draft.facts.and_then(|facts| {
        let (repository, top) = facts.digests.first()?;
        Some(by_digest(repository, top))
    });
    let named = || draft.facts.and_then(|facts| facts.tags.first().cloned());
    match digest {
        Some(digest) if draft.facts.is_none() => Some(by_digest(sources.repository, digest)),
        _ => here.or_else(named),
    }
}
