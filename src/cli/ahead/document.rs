//! The JSON documents of `layers` and `tags`, schema 1.

use jiff::Timestamp;
use serde::Serialize;

use crate::app::preview::layers::{LayersState, LayersView};
use crate::app::preview::tags::TagsView;
use crate::core::candidates::{Candidate, Whereabouts};
use crate::core::digest::Digest;
use crate::core::layers::{LayerPart, Prediction};
use crate::core::platform::Platform;
use crate::core::text::clean_within;

/// The longest instruction that is written down.
const INSTRUCTION: usize = 2_000;

/// What a pull would fetch.
#[derive(Debug, Serialize)]
pub struct Layers<'a> {
    schema: u32,
    target: String,
    reference: String,
    digest: Option<&'a Digest>,
    manifest: Option<&'a Digest>,
    platform: &'a Platform,
    estimate: Option<&'static str>,
    why: &'a str,
    fetch_bytes: Option<u64>,
    total_bytes: Option<u64>,
    config: Option<Config<'a>>,
    layers: Vec<Layer<'a>>,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Config<'a> {
    digest: &'a Digest,
    size: u64,
    state: &'static str,
}

#[derive(Debug, Serialize)]
struct Layer<'a> {
    digest: &'a Digest,
    size: u64,
    diff_id: Option<&'a Digest>,
    state: &'static str,
    created_by: Option<String>,
}

impl<'a> Layers<'a> {
    /// Makes the document.
    pub fn of(view: &'a LayersView) -> Self {
        let (prediction, why): (Option<&Prediction>, &str) = match &view.state {
            LayersState::Ready(prediction) => (Some(prediction), &prediction.why),
            LayersState::Waiting(what) => (None, what),
            LayersState::Failed(why) => (None, why),
        };
        Self {
            schema: 1,
            target: view.service.to_string(),
            reference: view.named().to_string(),
            digest: view.digest.as_ref().map(|top| top.digest()),
            manifest: view.manifest.as_ref().map(|manifest| manifest.digest()),
            platform: &view.platform,
            estimate: prediction.map(|prediction| prediction.estimate.word()),
            why,
            fetch_bytes: prediction.map(|prediction| prediction.fetch_bytes),
            total_bytes: prediction.map(|prediction| prediction.total_bytes),
            config: prediction.map(|prediction| Config {
                digest: prediction.config.digest.digest(),
                size: prediction.config.size,
                state: prediction.config.state.word(),
            }),
            layers: prediction.map_or_else(Vec::new, |prediction| {
                prediction.layers.iter().map(layer).collect()
            }),
            warnings: prediction.map_or_else(Vec::new, |prediction| {
                prediction
                    .warnings
                    .iter()
                    .map(ToString::to_string)
                    .collect()
            }),
        }
    }
}

fn layer(part: &LayerPart) -> Layer<'_> {
    Layer {
        digest: part.digest.digest(),
        size: part.size,
        diff_id: part.diff_id.as_ref().map(|diff_id| diff_id.digest()),
        state: part.state.word(),
        created_by: part
            .created_by
            .as_deref()
            .map(|text| clean_within(text, INSTRUCTION)),
    }
}

/// What a service could go to.
#[derive(Debug, Serialize)]
pub struct Tags<'a> {
    schema: u32,
    target: String,
    candidates: Vec<Way<'a>>,
}

#[derive(Debug, Serialize)]
struct Way<'a> {
    reference: Option<String>,
    digest: Option<&'a Digest>,
    manifest: Option<&'a Digest>,
    tags: &'a [Box<str>],
    family: Option<&'static str>,
    created: Option<Timestamp>,
    revision: Option<&'a str>,
    version: Option<&'a str>,
    source: Option<&'a str>,
    last_ran: Option<Timestamp>,
    r#where: Vec<&'static str>,
    fetch_bytes: Option<u64>,
    running: bool,
    may_go: bool,
}

impl<'a> Tags<'a> {
    /// Makes the document.
    pub fn of(view: &'a TagsView) -> Self {
        Self {
            schema: 1,
            target: view.service.to_string(),
            candidates: view.candidates.iter().map(way).collect(),
        }
    }
}

fn way(candidate: &Candidate) -> Way<'_> {
    let places = candidate.whereabouts().into_iter();
    Way {
        reference: candidate.reference.as_ref().map(ToString::to_string),
        digest: candidate.digest.as_ref().map(|top| top.digest()),
        manifest: candidate
            .manifest
            .as_ref()
            .map(|manifest| manifest.digest()),
        tags: &candidate.tags,
        family: candidate.family.as_ref().map(|family| family.word()),
        created: candidate.created,
        revision: candidate.revision.as_deref(),
        version: candidate.version.as_deref(),
        source: candidate.source.as_deref(),
        last_ran: candidate.last_ran,
        r#where: places.map(Whereabouts::word).collect(),
        fetch_bytes: candidate.fetch_bytes,
        running: candidate.running,
        may_go: candidate.may_go,
    }
}
