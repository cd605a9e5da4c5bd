//! From facts to a plan, or to the reason why there is none: one pure function.

use jiff::Timestamp;

use crate::core::digest::ImageId;
use crate::core::engine::{ContainerState, ImageFacts, ImageStore, Observation};
use crate::core::image::ImageRef;
use crate::core::names::ServiceKey;
use crate::core::remote::RemoteImage;
use crate::core::settings::RollbackSettings;

mod beside;
mod blocked;
mod held;
mod plain;
mod warn;

pub use held::{held, of_repository};

use super::Action;
use super::compose_files;
use super::dossier::Dossier;
use super::guard::Difference;
use super::pin;
use super::plan::{ImageState, Patience, Premise, TargetPlan};
use super::steps;
use super::undo;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Wish<'a> {
    pub job: String,
    pub action: Action,
    pub target: ServiceKey,
    pub by: String,
    pub reason: Option<String>,
    pub take_environment: bool,
    pub timeout_seconds: Option<u64>,
    /// The moment, as a pin writes it down.
    pub at: Timestamp,
    /// Where to, for the actions that go somewhere.
    pub goal: Goal<'a>,
}

/// Where an action leads to.
#[derive(Debug, Clone)]
pub enum Goal<'a> {
    /// What the tag names now.
    Tag(Option<&'a RemoteImage>),
    /// An image that the host holds.
    Held(&'a ImageFacts),
    /// An image that only the registry holds.
    Fetched(&'a RemoteImage),
    /// There is none; with the reason.
    Nowhere(String),
}

/// What is known of the service.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    pub observation: &'a Observation,
    pub dossier: &'a Dossier,
    /// The reference that the service follows: what its files ask for, unless a pin of ours stands there.
    pub reference: &'a str,
    pub recipe: Option<&'a crate::core::files::Recipe>,
    /// Whether a pin of it was undone behind our back, as the journal tells.
    pub pin_undone: bool,
    pub compose_label: Option<&'a str>,
    pub config_hash: Option<&'a str>,
    pub running: &'a ImageState,
    pub docker: &'a [String],
    pub fetch_bytes: Option<u64>,
    pub settings: RollbackSettings,
    /// Why nothing is ever changed there, if so.
    pub off_limits: Option<&'static str>,
    /// When and how often the service was changed by others than this console and the host's own timers, in words.
    pub changed_by_others: Option<&'a str>,
}

/// Makes the plan.
pub fn target(wish: &Wish<'_>, known: &Known<'_>) -> TargetPlan {
    let dossier = known.dossier;
    let folder = known
        .recipe
        .map(|recipe| recipe.working_dir.clone())
        .unwrap_or_default();
    let reference = known.reference.parse::<ImageRef>().ok();
    let service_tag = service_tag(reference.as_ref(), known);
    let to = goal_state(wish, known, &service_tag);
    // What runs is in no danger where nothing but another tag is given.
    let keep_tag = (wish.action != Action::Keep)
        .then(|| keep_tag(reference.as_ref(), known.running.image_id.as_ref()))
        .flatten();
    let mut plan = TargetPlan {
        job: wish.job.clone(),
        target: wish.target.clone(),
        action: wish.action,
        by: wish.by.clone(),
        reason: wish.reason.clone(),
        from: known.running.clone(),
        fetch_bytes: match (&wish.goal, wish.action) {
            (Goal::Held(_), _) | (_, Action::Recreate | Action::Unpin) => Some(0),
            _ => known.fetch_bytes,
        },
        folder,
        argv: Vec::new(),
        compose: compose(known, wish.target.project.as_str()),
        docker: known.docker.to_vec(),
        fetch_reference: fetch_reference(wish, reference.as_ref()),
        hold_tag: hold_tag(wish, reference.as_ref(), &to),
        keep_tag,
        service_tag,
        dependents: dossier.dependents.clone(),
        scale: dossier.containers.len().max(1),
        scale_of_files: dossier.rendered.as_ref().and_then(|own| own.scale),
        keep_count: known.settings.keep,
        one_shot: !dossier.containers.is_empty()
            && dossier
                .containers
                .values()
                .all(|container| container.ended_well),
        premise: premise(dossier),
        patience: patience(wish, known),
        pin: None,
        plain: None,
        taken_over: Vec::new(),
        could_take: Vec::new(),
        warnings: Vec::new(),
        undone_by: undone_by(known),
        differences: Vec::new(),
        free_bytes: dossier.free_bytes,
        undo: String::new(),
        blocked: None,
        to,
    };
    if let Some(told) = known.changed_by_others {
        plan.undone_by.push(format!(
            "whoever deploys it from elsewhere, such as CI: {told}; the next such deploy decides what runs then"
        ));
    }
    if let Some(look) = &dossier.plain {
        plain::complete(wish, known, look, &mut plan);
        return plan;
    }
    plan_pin(wish, known, reference.as_ref(), &mut plan);
    plan.argv = steps::argv(&plan, &[]);
    plan.undo = undo(&plan);
    warn::warn(wish, known, &mut plan);
    let differences = blocked::differences(known, &plan);
    plan.differences = differences.iter().map(Difference::words).collect();
    plan.blocked = blocked::blocked(wish, known, &mut plan);
    plan
}

fn compose(known: &Known<'_>, project: &str) -> Vec<String> {
    let mut argv = known.docker.to_vec();
    argv.push("compose".to_owned());
    argv.push("-p".to_owned());
    argv.push(project.to_owned());
    let Some(recipe) = known.recipe else {
        return argv;
    };
    argv.extend(compose_files::arguments(recipe));
    argv
}

/// Returns the tag by which compose finds the service's image on the host.
fn service_tag(reference: Option<&ImageRef>, known: &Known<'_>) -> String {
    let rendered = known
        .dossier
        .rendered
        .as_ref()
        .map(|rendered| rendered.shape.image.as_str());
    let pinned =
        known.dossier.folder.own_override.is_some() || known.dossier.folder.own_pin_file.is_some();
    match rendered {
        // Under a pin the files name the pin; the tag is what the container had.
        Some(image)
            if !pinned
                && !known.dossier.image_is_from_shell()
                && image.parse::<ImageRef>().is_ok() =>
        {
            image.to_owned()
        }
        _ => reference.map_or_else(|| known.reference.to_owned(), ImageRef::familiar),
    }
}

fn keep_tag(reference: Option<&ImageRef>, image: Option<&ImageId>) -> Option<String> {
    let repository = reference?.repository.familiar();
    Some(format!("{repository}:htui-keep-{}", image?.short()))
}

/// Returns the tag that holds the goal's image where nothing else on the host does.
fn hold_tag(wish: &Wish<'_>, reference: Option<&ImageRef>, to: &ImageState) -> Option<String> {
    match wish.action {
        Action::Rollback | Action::Pin | Action::Keep => keep_tag(reference, to.image_id.as_ref()),
        Action::Pull | Action::Recreate | Action::Update | Action::Unpin => None,
    }
}

fn fetch_reference(wish: &Wish<'_>, reference: Option<&ImageRef>) -> Option<String> {
    match &wish.goal {
        Goal::Fetched(image) => Some(format!(
            "{}@{}",
            reference?.repository.familiar(),
            image.top
        )),
        Goal::Tag(_) | Goal::Held(_) | Goal::Nowhere(_) => None,
    }
}

/// Describes the image that the action leads to.
fn goal_state(wish: &Wish<'_>, known: &Known<'_>, service_tag: &str) -> ImageState {
    let reference = known.reference.to_owned();
    match &wish.goal {
        Goal::Tag(Some(image)) | Goal::Fetched(image) => {
            of_remote(reference, image, known.observation.engine.store)
        }
        Goal::Tag(None) => {
            // What the tag names is what runs, or what the host holds under it.
            let held = known.observation.image_named(service_tag);
            match (wish.action, held) {
                (Action::Recreate, Some(held)) => of_held(reference, held, known),
                _ => known.running.clone(),
            }
        }
        Goal::Held(image) => of_held(reference, image, known),
        Goal::Nowhere(_) => ImageState {
            reference,
            digest: None,
            manifest: None,
            image_id: None,
            created: None,
            revision: None,
        },
    }
}

fn of_remote(reference: String, image: &RemoteImage, store: ImageStore) -> ImageState {
    ImageState {
        reference,
        digest: Some(image.top.clone()),
        manifest: Some(image.manifest.clone()),
        image_id: Some(match store {
            ImageStore::Graph => ImageId(image.config.digest().clone()),
            ImageStore::Containerd => ImageId(image.top.digest().clone()),
        }),
        created: image.created,
        revision: image.revision.clone(),
    }
}

fn of_held(reference: String, image: &ImageFacts, known: &Known<'_>) -> ImageState {
    let repository = reference
        .parse::<ImageRef>()
        .map(|reference| reference.repository);
    let digest = repository
        .ok()
        .and_then(|repository| image.digests_in(&repository).next().cloned());
    let running = known.running.image_id.as_ref() == Some(&image.id);
    ImageState {
        reference,
        digest: digest.or_else(|| match known.observation.engine.store {
            ImageStore::Containerd => Some(image.id.as_top()),
            ImageStore::Graph => None,
        }),
        manifest: if running {
            known.running.manifest.clone()
        } else {
            None
        },
        image_id: Some(image.id.clone()),
        created: image.created,
        revision: image.revision.clone(),
    }
}

fn premise(dossier: &Dossier) -> Premise {
    Premise {
        recreated_before: false,
        after: Vec::new(),
        followed: false,
        containers: dossier
            .containers
            .iter()
            .filter_map(|(id, container)| Some((id.clone(), container.image.clone()?)))
            .collect(),
        files: dossier.files.clone(),
        rendering: dossier.rendering.clone(),
    }
}

fn patience(wish: &Wish<'_>, known: &Known<'_>) -> Patience {
    let asked = wish
        .timeout_seconds
        .unwrap_or(known.settings.timeout.as_secs());
    let settle = known.settings.settle.as_secs().max(1);
    // The health check's own time is never cut short.
    let health = known
        .dossier
        .containers
        .values()
        .filter_map(|container| container.health_seconds)
        .max()
        .unwrap_or(0);
    Patience {
        settle_seconds: settle,
        timeout_seconds: asked.max(health).max(settle + 5),
    }
}

/// Tells what would undo the outcome: what works in the folder by itself, and programs that update containers.
fn undone_by(known: &Known<'_>) -> Vec<String> {
    let dossier = known.dossier;
    let mut list: Vec<String> = dossier
        .undoers
        .iter()
        .map(|undoer| undoer.words(dossier.looked_at))
        .collect();
    let labels = dossier.containers.values().map(|own| &own.shape.labels);
    let mut spared = labels.filter_map(|labels| labels.get(undo::SPARED));
    if !spared.any(|word| word.reveal() == "false") {
        let others = known.observation.containers.iter();
        list.extend(
            others
                .filter(|other| other.state == ContainerState::Running)
                .filter_map(|other| {
                    let name = undo::updater(&other.reference)?;
                    Some(format!(
                        "{} ({name}) pulls and recreates containers of this host by itself",
                        other.name
                    ))
                }),
        );
    }
    list
}

/// Chooses how a rollback or pin is held.
fn plan_pin(
    wish: &Wish<'_>,
    known: &Known<'_>,
    reference: Option<&ImageRef>,
    plan: &mut TargetPlan,
) {
    let folder = &known.dossier.folder;
    let service = plan.target.service.as_str();
    match wish.action {
        Action::Rollback | Action::Pin => {
            let image = match (&plan.to.digest, reference, &plan.hold_tag) {
                (Some(digest), Some(reference), _) => {
                    format!("{}@{digest}", reference.repository.familiar())
                }
                (None, _, Some(tag)) => tag.clone(),
                _ => return,
            };
            let entry = pin::Entry {
                service: service.to_owned(),
                image,
                builds: known
                    .dossier
                    .rendered
                    .as_ref()
                    .is_some_and(|rendered| rendered.builds),
                note: Some(pin::Note {
                    by: wish.by.clone(),
                    since: wish.at,
                    follows: known.reference.to_owned(),
                    reason: wish.reason.clone(),
                }),
            };
            match pin::set(folder, entry) {
                Ok(pin) => plan.pin = Some(pin),
                Err(error) if wish.action == Action::Rollback => plan.warnings.push(format!(
                    "not pinned, as {error}: the host's own pull, or CI, undoes it"
                )),
                Err(error) => plan.blocked = Some(format!("it cannot be pinned: {error}")),
            }
        }
        Action::Unpin => match pin::lift(folder, service) {
            Ok(Some(pin)) => plan.pin = Some(pin),
            // Its files are gone already; that it is no longer meant is what remains to be written down.
            Ok(None) if known.pin_undone => plan.warnings.push(
                "the pin was undone already: no file changes, the host's journal says that it is lifted"
                    .to_owned(),
            ),
            Ok(None) => plan.blocked = Some("it is not pinned".to_owned()),
            Err(error) => plan.blocked = Some(error.to_string()),
        },
        Action::Pull | Action::Recreate | Action::Update | Action::Keep => {}
    }
}

fn undo(plan: &TargetPlan) -> String {
    let target = &plan.target;
    match plan.action {
        Action::Pull => "nothing to undo: what runs is untouched".to_owned(),
        Action::Keep => format!(
            "on the host: docker rmi {}",
            plan.hold_tag.as_deref().unwrap_or("the tag")
        ),
        Action::Pin => format!("homelab-tui unpin {target}"),
        Action::Unpin => format!("homelab-tui pin {target}"),
        Action::Recreate | Action::Update => format!(
            "on failure {} is put back and proven; later: homelab-tui rollback {target}",
            plan.from
                .image_id
                .as_ref()
                .map_or("the former image", ImageId::short)
        ),
        Action::Rollback if plan.pin.is_some() => {
            format!("homelab-tui unpin {target}, then homelab-tui update {target}")
        }
        Action::Rollback => format!("homelab-tui update {target}"),
    }
}

#[cfg(test)]
mod tests;
