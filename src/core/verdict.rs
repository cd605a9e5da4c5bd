//! The one place that judges how a running image stands to the tag that it was started from.
//!
//! Judging is a pure function of facts. It never guesses: what the facts do not prove is `unknown`, with the reason.

mod kinds;

use jiff::Timestamp;

use super::age;
use super::digest::{ManifestDigest, TopDigest};
use super::engine::{ContainerFacts, ImageFacts, ImageStore};
use super::failure::{RegistryFailure, RegistryTrouble};
use super::image::{BadReference, ImageRef};
use super::remote::{Answer, Examined, Remote, RemoteImage};

pub use kinds::{Entry, Fetch, Seat, Standing, Symptom, Verdict};

/// All that a verdict is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub container: &'a ContainerFacts,
    pub store: ImageStore,
    /// The container's own image; the engine may have lost it.
    pub image: Option<&'a ImageFacts>,
    /// The reference to judge against: the container's own, or the one recorded when it was pinned.
    pub reference: Result<&'a ImageRef, &'a BadReference>,
    /// Whether that reference, as written, names a registry host.
    pub names_registry: bool,
    /// The image that the tag names on the host.
    pub tag_image: Option<&'a ImageFacts>,
    /// What is known from the registry; absent where it was not asked yet.
    pub remote: Option<&'a Remote>,
    /// Whether the project's files build the service; absent where they could not be read.
    pub builds_here: Option<bool>,
    /// Whether a pull of the running image is on record.
    pub pulled_before: bool,
    /// Why the host cannot be observed now, if so: its facts are then old.
    pub away: Option<&'a str>,
}

/// A verdict with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    pub verdict: Verdict,
    pub why: String,
    pub note: Option<String>,
    /// The last verdict that could be told, where it cannot be told now.
    pub last: Option<(Verdict, Timestamp)>,
}

impl Assessment {
    fn new(verdict: Verdict, why: impl Into<String>) -> Self {
        Self {
            verdict,
            why: why.into(),
            note: None,
            last: None,
        }
    }

    fn noted(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

/// Judges one container.
pub fn assess(facts: &Facts<'_>) -> Assessment {
    let reference = match facts.reference {
        Ok(reference) => reference,
        Err(error) => {
            return Assessment::new(
                Verdict::Unknown,
                format!("the container was created from {error}"),
            );
        }
    };
    let answer = facts.remote.and_then(|remote| remote.answer.as_ref());
    let failure = facts.remote.and_then(|remote| remote.failure.as_ref());
    let judged = answer.map(|answer| (judge(facts, reference, answer), answer.at));
    if let Some(away) = facts.away {
        let mut assessment = Assessment::new(Verdict::Unknown, away);
        assessment.last = last_of(judged);
        return assessment;
    }
    match (failure, judged) {
        (Some((_, failure)), judged) => judge_failure(facts, reference, failure, last_of(judged)),
        (None, Some((assessment, _))) => assessment,
        (None, None) => Assessment::new(Verdict::Unknown, "the registry has not answered yet"),
    }
}

fn last_of(judged: Option<(Assessment, Timestamp)>) -> Option<(Verdict, Timestamp)> {
    judged
        .map(|(assessment, at)| (assessment.verdict, at))
        .filter(|(verdict, _)| verdict.is_told())
}

/// Judges without an answer: what the registry's refusal proves, if anything.
fn judge_failure(
    facts: &Facts<'_>,
    reference: &ImageRef,
    failure: &RegistryFailure,
    last: Option<(Verdict, Timestamp)>,
) -> Assessment {
    use RegistryTrouble as T;
    if let Some(assessment) = local_without_registry(facts) {
        return assessment;
    }
    // Refused credentials or a 404 of something in between say nothing about the image.
    let does_not_know = matches!(failure.trouble, T::Gone | T::Denied);
    if facts.store == ImageStore::Containerd && !facts.names_registry {
        if facts.builds_here == Some(true) {
            return Assessment::new(Verdict::Local, "built here: the project's files build it");
        }
        if does_not_know && reference.repository.on_docker_hub() && last.is_none() {
            return Assessment::new(
                Verdict::Local,
                "no registry is named, and Docker Hub denies or does not know it",
            )
            .noted(format!("Docker Hub: {}", failure.what));
        }
    }
    if failure.trouble == T::Gone {
        if facts.builds_here == Some(true) {
            return Assessment::new(Verdict::Local, "built here, never in the registry");
        }
        return Assessment::new(Verdict::Gone, failure.what.clone());
    }
    let mut assessment = Assessment::new(Verdict::Unknown, failure.to_string());
    assessment.last = last;
    assessment
}

/// Judges with the registry's answer.
fn judge(facts: &Facts<'_>, reference: &ImageRef, answer: &Answer) -> Assessment {
    let shown = shown(reference);
    if names_running(facts, reference, &answer.top) {
        let short = answer.top.short();
        return Assessment::new(
            Verdict::Current,
            format!("runs {short}, which {shown} names"),
        );
    }
    if let Some(image) = &answer.image
        && let Some(assessment) = same_below_the_top(facts, reference, answer, image)
    {
        return assessment;
    }
    if let Some(assessment) = held_but_not_run(facts, reference, answer) {
        return assessment;
    }
    if let Some(assessment) = local_without_registry(facts) {
        return assessment;
    }
    if facts.builds_here == Some(true) {
        match running_in_registry(facts, reference, answer) {
            Presence::Held => {}
            Presence::NotHeld => {
                return Assessment::new(Verdict::Local, "built here, never in the registry").noted(
                    format!(
                        "the registry's {shown} names {}, another image",
                        answer.top.short()
                    ),
                );
            }
            Presence::Unknown(why) => {
                return Assessment::new(
                    Verdict::Unknown,
                    format!(
                        "the project builds this image and whether it came from the registry cannot be told: {why}"
                    ),
                );
            }
        }
    }
    match &answer.image {
        Some(image) => another_image(facts, answer, image, &shown),
        None => Assessment::new(
            Verdict::Unknown,
            format!(
                "{shown} names {}, whose manifest was not read yet",
                answer.top.short()
            ),
        ),
    }
}

/// Tells whether the top digest is one of the running image's own.
fn names_running(facts: &Facts<'_>, reference: &ImageRef, top: &TopDigest) -> bool {
    running_tops(facts, reference).contains(top)
}

/// Returns the digests under which the running image is known in the reference's repository.
pub fn running_tops(facts: &Facts<'_>, reference: &ImageRef) -> Vec<TopDigest> {
    let mut tops: Vec<TopDigest> = facts
        .image
        .into_iter()
        .flat_map(|image| image.digests_in(&reference.repository))
        .cloned()
        .collect();
    // On a graph store the Id is a config's digest, which no tag can name.
    if facts.store == ImageStore::Containerd {
        let own = facts.container.image_id.as_top();
        if !tops.contains(&own) {
            tops.push(own);
        }
    }
    tops
}

/// Tells whether another top digest leads to the very image that runs.
fn same_below_the_top(
    facts: &Facts<'_>,
    reference: &ImageRef,
    answer: &Answer,
    image: &RemoteImage,
) -> Option<Assessment> {
    let shown = shown(reference);
    let platform = image.platform.as_ref();
    let republished = |proof: &str| {
        let place = platform
            .map(|platform| format!(" for {platform}"))
            .unwrap_or_default();
        let what = if image.indexed { "index" } else { "manifest" };
        Assessment::new(
            Verdict::Current,
            format!("{shown} names {} by another {what}", proof),
        )
        .noted(format!("{what} re-published, same image{place}"))
    };
    if facts.store == ImageStore::Graph && facts.container.image_id.as_config() == image.config {
        return Some(republished(&format!(
            "the running config {}",
            image.config.short()
        )));
    }
    let manifest = &image.manifest;
    if names_running(facts, reference, &manifest.as_top()) {
        return Some(
            Assessment::new(
                Verdict::Current,
                format!(
                    "runs {}, the image of {shown} for this platform",
                    manifest.short()
                ),
            )
            .noted("the tag names an index above it"),
        );
    }
    if running_manifest(facts, reference, answer).as_ref() == Some(manifest) {
        return Some(republished(&format!(
            "the running manifest {}",
            manifest.short()
        )));
    }
    None
}

/// Finds the platform manifest of the running image, from the engine or the registry.
fn running_manifest(
    facts: &Facts<'_>,
    reference: &ImageRef,
    answer: &Answer,
) -> Option<ManifestDigest> {
    if let Some(manifest) = &facts.container.manifest {
        return Some(manifest.clone());
    }
    running_tops(facts, reference)
        .iter()
        .find_map(|top| match answer.examined(top)? {
            Examined::Held(image) => Some(image.manifest.clone()),
            Examined::NotHeld | Examined::Unknown(_) => None,
        })
}

/// Tells whether the host holds the tag's image while the container runs another.
fn held_but_not_run(
    facts: &Facts<'_>,
    reference: &ImageRef,
    answer: &Answer,
) -> Option<Assessment> {
    let held = facts.tag_image?;
    if held.id == facts.container.image_id {
        return None;
    }
    let by_config = facts.store == ImageStore::Graph
        && answer
            .image
            .as_ref()
            .is_some_and(|image| held.id.as_config() == image.config);
    let by_top = held
        .digests_in(&reference.repository)
        .any(|digest| *digest == answer.top)
        || (facts.store == ImageStore::Containerd && held.id.as_top() == answer.top);
    if !by_config && !by_top {
        return None;
    }
    let assessment = Assessment::new(
        Verdict::Pulled,
        format!(
            "the host holds {} already, the container still runs {}",
            answer.top.short(),
            facts.container.image_id.short()
        ),
    );
    let remote_created = answer.image.as_ref().and_then(|image| image.created);
    let direction = direction(
        running_created(facts, reference, answer),
        remote_created.or(held.created),
    );
    Some(match direction {
        Direction::Older => assessment.noted("the held image was built before the running one"),
        Direction::Later | Direction::Same | Direction::Unproven => assessment,
    })
}

/// Judges `local` where the graph store proves it without any registry.
fn local_without_registry(facts: &Facts<'_>) -> Option<Assessment> {
    let image = facts.image?;
    let never_in_registry =
        facts.store == ImageStore::Graph && image.digests.is_empty() && !facts.pulled_before;
    never_in_registry.then(|| {
        Assessment::new(
            Verdict::Local,
            "built or loaded on this host: the image has no registry digest",
        )
    })
}

/// Whether the registry holds what runs.
enum Presence<'a> {
    Held,
    NotHeld,
    Unknown(&'a str),
}

fn running_in_registry<'a>(
    facts: &'a Facts<'_>,
    reference: &'a ImageRef,
    answer: &'a Answer,
) -> Presence<'a> {
    let mut presence = Presence::Unknown("it was not asked for the running digest");
    for top in running_tops(facts, reference) {
        match answer.examined(&top) {
            Some(Examined::Held(_)) => return Presence::Held,
            Some(Examined::NotHeld) => presence = Presence::NotHeld,
            Some(Examined::Unknown(failure)) => return Presence::Unknown(&failure.what),
            None => {}
        }
    }
    presence
}

/// Judges the direction once it is certain that the tag names another image.
fn another_image(
    facts: &Facts<'_>,
    answer: &Answer,
    image: &RemoteImage,
    shown: &str,
) -> Assessment {
    let Ok(reference) = facts.reference else {
        return Assessment::new(Verdict::Unknown, "the reference cannot be read");
    };
    if facts.store == ImageStore::Containerd
        && running_manifest(facts, reference, answer).is_none()
        && !provably_another(facts, image)
    {
        return Assessment::new(
            Verdict::Unknown,
            format!(
                "{shown} names {}; whether its image for this platform is the running one cannot be told, \
                 as neither engine nor registry still has the manifest of {}",
                answer.top.short(),
                facts.container.image_id.short()
            ),
        );
    }
    let running = running_created(facts, reference, answer);
    let names = format!("{shown} names {}", answer.top.short());
    match direction(running, image.created) {
        Direction::Older => Assessment::new(
            Verdict::Moved,
            format!("{names}, built before the running image"),
        ),
        Direction::Later => Assessment::new(
            Verdict::Behind,
            format!("{names}, built later than the running image"),
        ),
        Direction::Same => Assessment::new(
            Verdict::Behind,
            format!("{names}, another manifest of an image that was built at the same moment"),
        ),
        Direction::Unproven => Assessment::new(Verdict::Behind, format!("{names}, another image"))
            .noted("a build time is missing or before 1990, so which is newer is not proven"),
    }
}

/// Tells whether the engine's own facts show that the image is another one.
fn provably_another(facts: &Facts<'_>, image: &RemoteImage) -> bool {
    let Some(own) = facts.image.filter(|own| own.complete) else {
        return false;
    };
    let remote: Vec<_> = image
        .layers
        .iter()
        .filter_map(|layer| layer.diff_id.as_ref())
        .collect();
    let other_layers = remote.len() == image.layers.len()
        && !own.diff_ids.is_empty()
        && !own.diff_ids.iter().eq(remote);
    let other_time = matches!((own.created, image.created), (Some(a), Some(b)) if a != b);
    other_layers || other_time
}

fn running_created(facts: &Facts<'_>, reference: &ImageRef, answer: &Answer) -> Option<Timestamp> {
    let own = facts.image.and_then(|image| image.created);
    own.or_else(|| {
        running_tops(facts, reference)
            .iter()
            .find_map(|top| match answer.examined(top)? {
                Examined::Held(image) => image.created,
                Examined::NotHeld | Examined::Unknown(_) => None,
            })
    })
}

/// How the tag's image stands to the running one in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Older,
    Same,
    Later,
    Unproven,
}

fn direction(running: Option<Timestamp>, remote: Option<Timestamp>) -> Direction {
    let telling = |time: Option<Timestamp>| time.filter(|time| age::tells(*time));
    match (telling(running), telling(remote)) {
        (Some(running), Some(remote)) if remote < running => Direction::Older,
        (Some(running), Some(remote)) if remote == running => Direction::Same,
        (Some(_), Some(_)) => Direction::Later,
        _ => Direction::Unproven,
    }
}

fn shown(reference: &ImageRef) -> String {
    match (reference.digest(), reference.tag()) {
        (Some(digest), _) => format!("@{}", digest.short()),
        (None, Some(tag)) => format!(":{tag}"),
        (None, None) => reference.familiar(),
    }
}

#[cfg(test)]
mod tests;
