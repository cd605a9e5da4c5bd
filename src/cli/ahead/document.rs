//! The JSON documents of `layers` and `tags`, schema 1.

use jiff::Timestamp;
use serde::Serialize;

use crate::app::model::Model;
use crate::app::preview::layers::{LayersState, LayersView};
use crate::app::preview::tags::TagsView;
use crate::app::preview::trust;
use crate::core::candidates::{Candidate, Whereabouts, growth};
use crate::core::digest::Digest;
use crate::core::layers::{LayerPart, Prediction};
use crate::core::platform::Platform;
use crate::core::text::clean_within;
use crate::core::trust::Trust;

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
    /// By what the host fetched before; null where it never fetched for long enough to tell.
    fetch_seconds: Option<u64>,
    trust: Option<Marks<'a>>,
    running_trust: Option<Marks<'a>>,
}

/// What stands beside an image: nothing of it is verified.
#[derive(Debug, Serialize)]
struct Marks<'a> {
    provenance: &'static str,
    sbom: &'static str,
    signature: &'static str,
    source: Option<&'a str>,
    commit: Option<&'a str>,
    /// Whether the working copy had changes that no commit holds; absent where no provenance tells.
    dirty: Option<bool>,
    workflow: Option<&'a str>,
    builder: Option<&'a str>,
    contradictions: &'a [String],
    /// Why a mark is unknown.
    error: Option<&'a str>,
}

fn marks(trust: &Trust) -> Marks<'_> {
    let told = trust.told.as_ref();
    Marks {
        provenance: trust.provenance.word(),
        sbom: trust.sbom.word(),
        signature: trust.signature.word(),
        source: told.and_then(|told| told.source.as_deref()),
        commit: told.and_then(|told| told.commit.as_deref()),
        dirty: told.map(|told| told.dirty),
        workflow: told.and_then(|told| told.workflow.as_deref()),
        builder: told.and_then(|told| told.builder.as_deref()),
        contradictions: &trust.contradictions,
        error: trust.trouble.as_deref(),
    }
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
            fetch_seconds: view.fetch_seconds,
            trust: view.trust.as_ref().map(marks),
            running_trust: view.running_trust.as_ref().map(marks),
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
    /// Caches of builds among the tags.
    caches: Vec<Cache<'a>>,
}

#[derive(Debug, Serialize)]
struct Cache<'a> {
    tag: &'a str,
    created: Option<Timestamp>,
    bytes: Option<u64>,
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
    /// All layers and the config, each once.
    total_bytes: Option<u64>,
    /// Against the build before it in the same line of tags.
    growth_bytes: Option<i64>,
    running: bool,
    may_go: bool,
    /// Absent where nobody looked: only for what runs and what the tag names.
    trust: Option<Marks<'a>>,
}

impl<'a> Tags<'a> {
    /// Makes the document.
    pub fn of(model: &'a Model, view: &'a TagsView) -> Self {
        let trust = |own: &Candidate| {
            let service = model.service(&view.service)?;
            trust::of_top(model, service, own.digest.as_ref())
        };
        let all = view.candidates.iter();
        Self {
            schema: 1,
            target: view.service.to_string(),
            caches: view
                .caches
                .iter()
                .map(|(tag, facts)| Cache {
                    tag,
                    created: facts.and_then(|facts| facts.created),
                    bytes: facts.map(|facts| facts.bytes),
                })
                .collect(),
            candidates: all
                .enumerate()
                .map(|(place, own)| Way {
                    growth_bytes: growth(&view.candidates, place).map(|grown| grown.bytes),
                    ..way(own, trust(own))
                })
                .collect(),
        }
    }
}

fn way<'a>(candidate: &'a Candidate, trust: Option<&'a Trust>) -> Way<'a> {
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
        total_bytes: candidate.total_bytes,
        growth_bytes: None,
        running: candidate.running,
        may_go: candidate.may_go,
        trust: trust.map(marks),
    }
}
