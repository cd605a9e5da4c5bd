//! `layers` and `tags`: what one service's download would be, and what the service could go to.
//!
//! Each is the console's view without a screen: the view is opened, everything that it wants is waited for.

mod catalog;
mod document;
#[cfg(test)]
mod tests;
mod text;

use super::exit::Exit;
use super::output::{Failed, Output};
use super::status::{NoTarget, Selection};
use crate::app::judge::ServiceView;
use crate::app::model::Model;
use crate::app::preview::layers::{self, LayersState, LayersView};
use crate::app::preview::{registry, tags};
use crate::app::screen::View;
use crate::core::age::count;
use crate::core::candidates::{NoChoice, choose};
use crate::core::digest::TopDigest;
use crate::core::image::{ImageRef, Pointer};
use crate::core::names::{RegistryHost, ServiceKey, Target};

/// How many matches a message lists at most.
const MOST_LISTED: usize = 40;

/// Finds its way to one view: what has to be looked at next, until everything is there.
#[derive(Debug)]
pub enum Journey {
    Tags {
        target: Target,
        opened: bool,
    },
    Registry {
        registry: RegistryHost,
        repository: Option<Box<str>>,
        opened: bool,
    },
    Layers {
        target: Target,
        to: Option<String>,
        stage: Stage,
    },
}

/// How far the way to a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Begin,
    /// The text was tried as a tag or a whole reference.
    Tried,
    /// The tags were looked through for a revision.
    Listed,
    Done,
}

impl Journey {
    /// Begins `tags`.
    pub fn tags(target: Target) -> Self {
        Self::Tags {
            target,
            opened: false,
        }
    }

    /// Begins `registry`, from `HOST` or `HOST/REPOSITORY`.
    pub fn registry(text: &str) -> Self {
        let (registry, repository) = match text.split_once('/') {
            Some((registry, path)) if !path.is_empty() => (registry, Some(path.into())),
            _ => (text.trim_end_matches('/'), None),
        };
        Self::Registry {
            registry: registry.into(),
            repository,
            opened: false,
        }
    }

    /// Begins `layers`.
    pub fn layers(target: Target, to: Option<String>) -> Self {
        Self::Layers {
            target,
            to,
            stage: Stage::Begin,
        }
    }

    /// Returns the view that has to be opened next, if one has to be.
    ///
    /// # Errors
    /// If the target is not exactly one service, or there is nothing of that name to go to.
    pub fn next(&mut self, model: &Model) -> Result<Option<View>, String> {
        match self {
            Self::Tags { target, opened } => {
                let service = one(model, target)?.key.clone();
                Ok((!std::mem::replace(opened, true)).then_some(View::Tags {
                    service,
                    selected: None,
                }))
            }
            Self::Registry {
                registry,
                repository,
                opened,
            } => Ok((!std::mem::replace(opened, true)).then(|| View::Registry {
                registry: registry.clone(),
                repository: repository.clone(),
                selected: 0,
            })),
            Self::Layers { target, to, stage } => {
                let service = one(model, target)?;
                let (next, view) = layers_step(model, service, to.as_deref(), *stage)?;
                *stage = next;
                Ok(view)
            }
        }
    }
}

fn layers_step(
    model: &Model,
    service: &ServiceView,
    to: Option<&str>,
    stage: Stage,
) -> Result<(Stage, Option<View>), String> {
    let view = |to: Option<ImageRef>| View::Layers {
        service: service.key.clone(),
        to,
        selected: 0,
    };
    let list = || View::Tags {
        service: service.key.clone(),
        selected: None,
    };
    let Some(text) = to else {
        let open = (stage == Stage::Begin).then(|| view(None));
        return Ok((Stage::Done, open));
    };
    match stage {
        Stage::Begin if text == "previous" => Ok((Stage::Listed, Some(list()))),
        Stage::Begin => match reference(service, text) {
            Some(reference) => Ok((Stage::Tried, Some(view(Some(reference))))),
            None => Ok((Stage::Listed, Some(list()))),
        },
        Stage::Tried => {
            let reference = reference(service, text);
            let shown = layers::view(model, &service.key, reference.as_ref());
            let failed = shown.is_some_and(|shown| {
                matches!(shown.state, LayersState::Failed(_)) && shown.digest.is_none()
            });
            let digest = text.contains('/') || text.parse::<TopDigest>().is_ok();
            match failed && !digest {
                true => Ok((Stage::Listed, Some(list()))),
                false => Ok((Stage::Done, None)),
            }
        }
        Stage::Listed => {
            let listed = tags::view(model, &service.key);
            let listed = listed.ok_or_else(|| not_one(text, &NoChoice::Nothing))?;
            let choice = match choose(text, &listed.candidates) {
                Ok(choice) => choice,
                // What the registry said of such a tag is told, or why it said nothing.
                Err(NoChoice::Nothing) if listed.failure.is_some() || !may_be_revision(text) => {
                    let reference = reference(service, text);
                    return Ok((Stage::Done, Some(view(reference))));
                }
                Err(why) => return Err(not_one(text, &why)),
            };
            let reference = listed.candidates[choice.index].exact_reference();
            let reference = reference.ok_or_else(|| format!("{text} has no name to pull it by"))?;
            Ok((Stage::Done, Some(view(Some(reference)))))
        }
        Stage::Done => Ok((Stage::Done, None)),
    }
}

/// Tells whether a text could be the beginning of a revision, bare or after a word of tags.
fn may_be_revision(text: &str) -> bool {
    let last = text.rsplit(['-', '_', '.']).next().unwrap_or(text);
    last.len() >= 4 && last.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn not_one(text: &str, why: &NoChoice) -> String {
    format!("--to {text}: {why}")
}

/// Reads a tag, a digest or a whole reference; a text that is none of these may still be a revision.
fn reference(service: &ServiceView, text: &str) -> Option<ImageRef> {
    let repository = &service.question.as_ref()?.reference.repository;
    if let Ok(digest) = text.parse::<TopDigest>() {
        return Some(ImageRef {
            repository: repository.clone(),
            pointer: Pointer::Digest { digest, tag: None },
        });
    }
    if text.contains('/') {
        return text.parse().ok();
    }
    format!("{repository}:{text}").parse().ok()
}

/// Finds the one service that the target means.
fn one<'a>(model: &'a Model, target: &Target) -> Result<&'a ServiceView, String> {
    let selection =
        Selection::of_target(model, target).map_err(|error: NoTarget| error.to_string())?;
    let mut services = selection.services();
    match (services.next(), services.next()) {
        (Some(service), None) => Ok(service),
        (None, _) => {
            let host = selection.hosts.first().map(|selected| selected.host);
            let why = host.and_then(|host| Some(host.failure()?.to_string()));
            Err(match why {
                Some(why) => format!("{target}: the host does not answer: {why}"),
                None => format!("{target} matches no service"),
            })
        }
        (Some(_), Some(_)) => {
            let names: Vec<String> = selection
                .services()
                .map(|service| service.key.to_string())
                .collect();
            let shown = names[..names.len().min(MOST_LISTED)].join(", ");
            let more = match names.len().saturating_sub(MOST_LISTED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let all = count(names.len(), "service");
            Err(format!(
                "{target} matches {all}, name one of: {shown}{more}"
            ))
        }
    }
}

/// Reports the view that the journey led to.
pub fn report(model: &Model, json: bool, output: &mut Output<'_>) -> Result<Exit, Failed> {
    match &model.screen.view {
        View::Layers { service, to, .. } => {
            report_layers(model, service, to.as_ref(), json, output)
        }
        View::Tags { service, .. } => report_tags(model, service, json, output),
        View::Registry {
            registry,
            repository,
            ..
        } => report_registry(model, registry, repository.as_deref(), json, output),
        View::Builds { .. }
        | View::Build { .. }
        | View::History { .. }
        | View::Wall { .. }
        | View::Logs { .. }
        | View::Fleet => Ok(Exit::Usage),
    }
}

fn report_layers(
    model: &Model,
    service: &ServiceKey,
    to: Option<&ImageRef>,
    json: bool,
    output: &mut Output<'_>,
) -> Result<Exit, Failed> {
    let Some(view) = layers::view(model, service, to) else {
        output.say(format!(
            "{service} runs from no reference that a registry knows: there is nothing to pull"
        ));
        return Ok(Exit::Broken);
    };
    if json {
        output.json(&document::Layers::of(&view))?;
    } else {
        output.text(&text::layers(&view))?;
    }
    Ok(known(&view))
}

fn known(view: &LayersView) -> Exit {
    match view.state {
        LayersState::Ready(_) => Exit::Done,
        LayersState::Waiting(_) | LayersState::Failed(_) => Exit::Broken,
    }
}

fn report_registry(
    model: &Model,
    registry: &RegistryHost,
    repository: Option<&str>,
    json: bool,
    output: &mut Output<'_>,
) -> Result<Exit, Failed> {
    let view = registry::view(model, registry, repository);
    if let Some(failure) = &view.failure {
        output.say(format!("{registry} could not be listed: {failure}"));
    }
    if json {
        output.json(&catalog::Document::of(&view))?;
    } else {
        output.text(&catalog::text(&view, model.now.wall))?;
    }
    Ok(match view.failure {
        Some(_) => Exit::Broken,
        None => Exit::Done,
    })
}

fn report_tags(
    model: &Model,
    service: &ServiceKey,
    json: bool,
    output: &mut Output<'_>,
) -> Result<Exit, Failed> {
    let Some(view) = tags::view(model, service) else {
        output.say(format!(
            "{service} runs from no reference that a registry knows: there is nothing to go to"
        ));
        return Ok(Exit::Broken);
    };
    if let Some(failure) = &view.failure {
        output.say(format!("the tags could not be listed: {failure}"));
    }
    if json {
        output.json(&document::Tags::of(model, &view))?;
    } else {
        output.text(&text::tags(&view, model.now.wall))?;
    }
    Ok(Exit::Done)
}
