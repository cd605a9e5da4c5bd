//! What one service could go to: tags, images on its host and former runs.

use jiff::Timestamp;

use crate::app::judge::ServiceView;
use crate::app::model::Model;
use crate::app::screen::{Chosen, Overlay};
use crate::core::builds::cache::CacheFacts;
use crate::core::candidates::{
    Anchor, Candidate, Choice, NoChoice, Retention, Sources, behind_by, candidates, choose,
};
use crate::core::image::{ImageRef, Pointer, Repository};
use crate::core::layers::Holdings;
use crate::core::names::ServiceKey;
use crate::core::tag_family::{Family, families};

use super::{CountKey, RepositoryKey, RepositoryModel};

/// A service's ways forward and back.
#[derive(Debug, Clone, PartialEq)]
pub struct TagsView {
    pub service: ServiceKey,
    pub repository: Repository,
    pub candidates: Vec<Candidate>,
    pub builds_behind: Option<u64>,
    /// Caches of builds among the tags, with what is known of each.
    pub caches: Vec<(Box<str>, Option<CacheFacts>)>,
    pub tally: Tally,
    /// When the list of tags was read.
    pub listed_at: Option<Timestamp>,
    /// Whether the list has all tags of the registry.
    pub complete: bool,
    pub asking: bool,
    /// Why the registry could not be asked.
    pub failure: Option<String>,
}

/// How many tags of which kind there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    pub all: usize,
    pub moving: usize,
    pub revisions: usize,
    pub versions: usize,
    /// Signatures, attestations, caches: counted and not shown.
    pub helpers: usize,
    /// Tags of which it is not known what they name.
    pub open: usize,
}

impl TagsView {
    /// Returns the place of the selected candidate.
    pub fn place(&self, selected: Option<&Chosen>) -> usize {
        let list = &self.candidates;
        let found = selected.and_then(|chosen| {
            let by_digest =
                |own: &Candidate| chosen.digest.is_some() && own.digest == chosen.digest;
            let by_id =
                |own: &Candidate| chosen.image_id.is_some() && own.image_id == chosen.image_id;
            let by_tag = |own: &Candidate| {
                chosen
                    .tag
                    .as_ref()
                    .is_some_and(|tag| own.tags.contains(tag))
            };
            let place = |fits: &dyn Fn(&Candidate) -> bool| list.iter().position(fits);
            place(&by_digest)
                .or_else(|| place(&by_id))
                .or_else(|| place(&by_tag))
        });
        let running = || list.iter().position(|candidate| candidate.running);
        found.or_else(running).unwrap_or(0)
    }

    /// Returns the selected candidate.
    pub fn selected(&self, selected: Option<&Chosen>) -> Option<&Candidate> {
        self.candidates.get(self.place(selected))
    }
}

/// Names a candidate, so that it is found again when more is known of it.
pub fn chosen(candidate: &Candidate) -> Chosen {
    Chosen {
        digest: candidate.digest.clone(),
        image_id: candidate.image_id.clone(),
        tag: candidate.tags.first().cloned(),
    }
}

/// Returns what the text in the field for finding names; nothing where there is no text yet.
pub fn found(model: &Model) -> Option<Result<Choice, NoChoice>> {
    let Overlay::Find { input, .. } = &model.screen.overlay else {
        return None;
    };
    let text = input.trim();
    let shown = model.preview.shown.as_ref()?;
    (!text.is_empty()).then(|| choose(text, &shown.candidates))
}

/// Returns the repository whose tags are a service's ways back.
pub fn repository_key(service: &ServiceView) -> Option<RepositoryKey> {
    let question = service.question.as_ref()?;
    Some((
        question.route.clone(),
        question.reference.repository.clone(),
    ))
}

/// Names what is counted between: what a service runs and what its tag names.
pub fn count_key(service: &ServiceView) -> Option<CountKey> {
    Some((
        repository_key(service)?,
        service.running.image_id.clone(),
        service.registry.digest.clone()?,
    ))
}

/// Makes the view.
pub fn view(model: &Model, key: &ServiceKey) -> Option<TagsView> {
    let service = model.service(key)?;
    let repository_key = repository_key(service)?;
    let nothing = RepositoryModel::default();
    let repository = model
        .preview
        .repositories
        .get(&repository_key)
        .unwrap_or(&nothing);
    let candidates = joined(model, service, repository)?;
    let followed = service.question.as_ref()?.reference.tag();
    Some(TagsView {
        service: key.clone(),
        builds_behind: followed.and_then(|tag| behind_by(&candidates, tag)),
        caches: caches(model, &repository_key, repository),
        tally: tally(repository, &candidates),
        candidates,
        listed_at: repository.list.as_ref().map(|list| list.at),
        complete: repository.list.as_ref().is_none_or(|list| list.complete),
        asking: repository.listing || !repository.in_flight.is_empty(),
        failure: repository
            .failure
            .as_ref()
            .map(|(_, failure)| failure.to_string()),
        repository: repository_key.1,
    })
}

/// How many caches of one repository are looked at.
const MOST_CACHES: usize = 3;

/// Returns references to the caches of builds among a repository's tags.
pub fn cache_references(place: &RepositoryKey, repository: &RepositoryModel) -> Vec<ImageRef> {
    let list = repository.list.iter().flat_map(|list| &list.tags);
    let told = families(list.map(|tag| &**tag));
    told.into_iter()
        .filter(|(_, family)| matches!(family, Family::Cache))
        .take(MOST_CACHES)
        .map(|(tag, _)| ImageRef {
            repository: place.1.clone(),
            pointer: Pointer::Tag(tag.into()),
        })
        .collect()
}

fn caches(
    model: &Model,
    place: &RepositoryKey,
    repository: &RepositoryModel,
) -> Vec<(Box<str>, Option<CacheFacts>)> {
    let facts = |reference: &ImageRef| {
        let known = model.builds.caches.get(reference)?;
        known.answer.as_ref()?.as_ref().ok().copied()
    };
    cache_references(place, repository)
        .into_iter()
        .filter_map(|reference| Some((reference.tag()?.into(), facts(&reference))))
        .collect()
}

/// Joins all that is known to candidates.
pub fn joined(
    model: &Model,
    service: &ServiceView,
    repository: &RepositoryModel,
) -> Option<Vec<Candidate>> {
    let question = service.question.as_ref()?;
    let host = &model.hosts[model.host_index(&service.key.host)?];
    let observation = host.observation.as_ref()?;
    let builds = observation.whole.is_some_and(|whole| whole.builds);
    let holdings = Holdings::of(observation, &model.preview.manifests, builds);
    let mut heads = repository.heads.clone();
    // The followed tag was asked about for the verdict; that answer is as good as any.
    if let Some(answer) = model
        .remotes
        .get(question)
        .and_then(|asked| asked.remote.answer.as_ref())
        && let Some(tag) = question.reference.tag()
        && question.reference.digest().is_none()
    {
        heads.insert(tag.into(), answer.top.clone());
    }
    let mut tags = repository
        .list
        .as_ref()
        .map_or_else(Vec::new, |list| list.tags.clone());
    if let Some(tag) = question.reference.tag()
        && heads.contains_key(tag)
        && !tags.iter().any(|own| **own == *tag)
    {
        tags.push(tag.into());
    }
    let none = Vec::new();
    let running = !service.containers.is_empty();
    Some(candidates(&Sources {
        now: model.now.wall,
        repository: &question.reference.repository,
        tags: &tags,
        heads: &heads,
        examined: &repository.examined,
        manifests: &model.preview.manifests,
        platform: &question.platform,
        observation,
        holdings: &holdings,
        running: running.then_some(&service.running.image_id),
        runs: model.preview.runs.get(&service.key).unwrap_or(&none),
        retention: Retention::default(),
    }))
}

/// Returns the tags that name the running image.
pub fn running_tags(candidates: &[Candidate]) -> &[Box<str>] {
    candidates
        .iter()
        .find(|candidate| candidate.running)
        .map_or(&[], |running| &running.tags)
}

/// Returns where looking for tags starts.
pub fn anchor<'a>(service: &'a ServiceView, candidates: &'a [Candidate]) -> Anchor<'a> {
    Anchor {
        followed: service
            .question
            .as_ref()
            .and_then(|question| question.reference.tag()),
        running: running_tags(candidates),
    }
}

fn tally(repository: &RepositoryModel, candidates: &[Candidate]) -> Tally {
    let Some(list) = &repository.list else {
        return Tally::default();
    };
    let mut tally = Tally::default();
    let open = candidates
        .iter()
        .filter(|candidate| candidate.digest.is_none());
    tally.open = open.map(|candidate| candidate.tags.len()).sum();
    for (_, family) in families(list.tags.iter().map(|tag| &**tag)) {
        tally.all += 1;
        match &family {
            Family::Revision { .. } => tally.revisions += 1,
            Family::Version(version) if !version.floating => tally.versions += 1,
            Family::Moving | Family::Branch | Family::Version(_) => tally.moving += 1,
            _ => {}
        }
        tally.helpers += usize::from(!family.is_offerable());
    }
    tally
}
