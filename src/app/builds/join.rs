//! Who runs what a build made, who waits for it, and which builds a service comes from.

use crate::core::builds::deploy::{self, Deployment};
use crate::core::builds::{BuildRecord, repository};
use crate::core::names::ServiceKey;

use super::super::judge::ServiceView;
use super::super::model::Model;

/// How a service stands to what a build made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It runs it.
    Runs,
    /// Its tag names it, and it runs something else.
    Pending,
}

/// Returns the services that run or wait for what the build made.
pub fn places(model: &Model, record: &BuildRecord) -> Vec<(ServiceKey, Standing)> {
    let mut found: Vec<(ServiceKey, Standing)> = model
        .services()
        .filter_map(|service| Some((service.key.clone(), standing(service, record)?)))
        .collect();
    found.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
    found
}

/// Says in a few words where the build runs and where it is pending.
pub fn place_words(places: &[(ServiceKey, Standing)]) -> String {
    let of = |wanted: Standing| {
        let mut names: Vec<String> = places
            .iter()
            .filter(|(_, standing)| *standing == wanted)
            .map(|(key, _)| format!("{}/{}", key.host, key.service))
            .collect();
        names.dedup();
        match names.len() {
            0..=2 => names.join(", "),
            more => format!("{} and {} more", names[0], more - 1),
        }
    };
    match (of(Standing::Runs), of(Standing::Pending)) {
        (runs, pending) if runs.is_empty() && pending.is_empty() => "-".to_owned(),
        (runs, pending) if pending.is_empty() => runs,
        (runs, pending) if runs.is_empty() => format!("pending on {pending}"),
        (runs, pending) => format!("{runs}; pending on {pending}"),
    }
}

/// Returns the builds that made what a service may run, the newest last.
pub fn builds_of<'a>(model: &'a Model, service: &ServiceView) -> Vec<&'a BuildRecord> {
    let mut found: Vec<&BuildRecord> = model
        .builds
        .records
        .values()
        .filter(|record| is_about(model, service, record))
        .collect();
    found.sort_by_key(|record| (record.when(), record.order));
    found
}

/// Returns the build that made what the service runs; else the newest build of its image.
pub fn build_of<'a>(model: &'a Model, service: &ServiceView) -> Option<&'a BuildRecord> {
    let builds = builds_of(model, service);
    let runs = |record: &&&BuildRecord| standing(service, record) == Some(Standing::Runs);
    builds.iter().rev().find(runs).or(builds.last()).copied()
}

/// Judges what became of the build that the service waits for: the one place where deploys are told apart.
pub fn deployment(model: &Model, service: &ServiceView) -> Option<Deployment> {
    let builds = builds_of(model, service);
    let waits = |record: &&&BuildRecord| standing(service, record) == Some(Standing::Pending);
    let build = builds.iter().rev().find(waits)?;
    let source = model.builds.source(&build.source)?;
    deploy::judge(
        build,
        &model.builds.deploys,
        source.has_deploys && source.caught_up,
    )
}

/// Tells how the service stands to the build: by digest, else by the revision of the same image.
pub fn standing(service: &ServiceView, record: &BuildRecord) -> Option<Standing> {
    let running = &service.running;
    if let Some(digest) = record.build.digest.as_deref() {
        let runs = running
            .digests
            .iter()
            .any(|own| own.digest().as_str() == digest)
            || running
                .manifest
                .as_ref()
                .is_some_and(|own| own.digest().as_str() == digest)
            || running.image_id.digest().as_str() == digest;
        if runs {
            return Some(Standing::Runs);
        }
        let registry = &service.registry;
        let named = registry
            .digest
            .as_ref()
            .is_some_and(|own| own.digest().as_str() == digest)
            || registry
                .manifest
                .as_ref()
                .is_some_and(|own| own.digest().as_str() == digest);
        if named {
            return Some(Standing::Pending);
        }
    }
    // A revision is built into more than one image.
    let revision = record.revision()?;
    if !is_image(service, record) {
        return None;
    }
    let same = |own: &Option<String>| own.as_deref().is_some_and(|own| is_same(own, revision));
    if same(&running.revision) {
        return Some(Standing::Runs);
    }
    same(&service.registry.revision).then_some(Standing::Pending)
}

/// Tells whether the build is of the service's image, by what it made or by what its source is for.
fn is_about(model: &Model, service: &ServiceView, record: &BuildRecord) -> bool {
    if standing(service, record).is_some() || is_image(service, record) {
        return true;
    }
    let mut sources = model.settings.builds.iter();
    let source = sources.find(|source| source.name == *record.source);
    let image = source.and_then(|source| source.image.as_deref());
    record.build.images.is_empty()
        && image.is_some_and(|image| repository(image) == repository(&service.reference))
}

/// Tells whether the build named what it made as the service's image is named.
fn is_image(service: &ServiceView, record: &BuildRecord) -> bool {
    let wanted = repository(&service.reference);
    let mut images = record.build.images.iter();
    images.any(|image| repository(image) == wanted) || repository(&record.name) == wanted
}

/// Tells whether two revisions are one, of which one may be shortened.
fn is_same(a: &str, b: &str) -> bool {
    const SHORTEST: usize = 7;
    a.len() >= SHORTEST && b.len() >= SHORTEST && (a.starts_with(b) || b.starts_with(a))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_may_be_shortened() {
        assert!(is_same(
            "b81f0aa",
            "b81f0aa5555555555555555555555555555555555"
        ));
        assert!(!is_same("b81f0", "b81f0aa"));
        assert!(!is_same("b81f0aa", "b81f0ab"));
    }
}
