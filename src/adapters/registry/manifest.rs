//! Manifests, indexes and configs as the wire has them, read into the core's terms.
//!
//! Everything here is pure: bytes in, facts or a complaint out. Digests were verified before.

use std::collections::BTreeMap;

use jiff::Timestamp;
use oci_distribution::manifest::{ImageIndexEntry, OciImageIndex, OciImageManifest};
use serde::Deserialize;

use crate::core::digest::{ConfigDigest, DiffId, LayerDigest, ManifestDigest};
use crate::core::platform::Platform;
use crate::core::remote::{Attestation, RemoteImage, RemoteLayer};
use crate::core::text::clean_within;

const LABEL_LENGTH: usize = 256;
const INSTRUCTION_LENGTH: usize = 2000;

/// What the bytes behind a digest turned out to be.
pub(super) enum Document {
    Index(Vec<Entry>),
    Manifest(Box<OciImageManifest>),
}

/// One entry of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub digest: ManifestDigest,
    pub kind: EntryKind,
    pub platform: Option<Platform>,
}

/// What an entry of an index stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EntryKind {
    Image,
    Index,
    /// An attestation, with the manifest that it speaks of.
    Attestation(Option<ManifestDigest>),
}

/// The members by which the kinds of documents are told apart.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    schema_version: Option<serde::de::IgnoredAny>,
    media_type: Option<String>,
    manifests: Option<serde::de::IgnoredAny>,
    layers: Option<serde::de::IgnoredAny>,
    fs_layers: Option<serde::de::IgnoredAny>,
}

/// Reads the bytes of a manifest or an index.
pub(super) fn read_document(bytes: &[u8]) -> Result<Document, String> {
    let bad = |error: serde_json::Error| format!("is no manifest: {}", json_words(&error));
    let shape: Shape = serde_json::from_slice(bytes).map_err(bad)?;
    if shape.fs_layers.is_some() {
        return Err("is a manifest of schema 1, which no engine here records".to_owned());
    }
    let says_index = shape
        .media_type
        .as_deref()
        .is_some_and(|kind| kind.contains("index") || kind.contains("manifest.list"));
    let says_manifest = shape.media_type.is_some() && !says_index;
    match (shape.manifests.is_some(), shape.layers.is_some()) {
        (true, false) if !says_manifest => {
            let index: OciImageIndex = serde_json::from_slice(bytes).map_err(bad)?;
            let entries: Result<Vec<Entry>, String> = index.manifests.iter().map(entry).collect();
            entries.map(Document::Index)
        }
        (false, true) if !says_index && shape.schema_version.is_some() => {
            let manifest = serde_json::from_slice(bytes).map_err(bad)?;
            Ok(Document::Manifest(Box::new(manifest)))
        }
        // The same bytes read as two things is a known way to deceive.
        _ => Err("is neither clearly a manifest nor clearly an index".to_owned()),
    }
}

fn entry(wire: &ImageIndexEntry) -> Result<Entry, String> {
    let digest: ManifestDigest = wire
        .digest
        .parse()
        .map_err(|error| format!("lists a bad digest: {error}"))?;
    let annotation = |name: &str| wire.annotations.as_ref().and_then(|all| all.get(name));
    let words = wire
        .platform
        .as_ref()
        .map(|own| (own.os.to_string(), own.architecture.to_string()));
    let unknown = words
        .as_ref()
        .is_some_and(|(os, arch)| Platform::is_attestation(os, arch));
    let kind = if unknown || annotation("vnd.docker.reference.type").is_some() {
        let about = annotation("vnd.docker.reference.digest");
        EntryKind::Attestation(about.and_then(|digest| digest.parse().ok()))
    } else if wire.media_type.contains("index") || wire.media_type.contains("manifest.list") {
        EntryKind::Index
    } else {
        EntryKind::Image
    };
    let variant = wire
        .platform
        .as_ref()
        .and_then(|own| own.variant.as_deref());
    let platform = words
        .filter(|(os, arch)| !unknown && !os.is_empty() && !arch.is_empty())
        .map(|(os, arch)| {
            Platform::new(
                &clean_within(&os, 32),
                &clean_within(&arch, 32),
                variant.map(|text| clean_within(text, 32)).as_deref(),
            )
        });
    Ok(Entry {
        digest,
        kind,
        platform,
    })
}

/// An image's config, as far as it matters here; a member of the wrong type is as good as absent.
pub(super) struct Config {
    platform: Option<Platform>,
    created: Option<Timestamp>,
    labels: BTreeMap<String, String>,
    /// Instructions of the history that made a layer, in order.
    instructions: Vec<Option<String>>,
    diff_ids: Vec<Option<DiffId>>,
}

/// Reads the bytes of a config.
pub(super) fn read_config(bytes: &[u8]) -> Result<Config, String> {
    let config: serde_json::Value = serde_json::from_slice(bytes)
        .map_err(|error| format!("is no config: {}", json_words(&error)))?;
    let text = |name: &str| config.get(name).and_then(|value| value.as_str());
    let platform = match (text("os"), text("architecture")) {
        (Some(os), Some(arch)) if !os.is_empty() && !arch.is_empty() => Some(Platform::new(
            &clean_within(os, 32),
            &clean_within(arch, 32),
            text("variant")
                .map(|text| clean_within(text, 32))
                .as_deref(),
        )),
        _ => None,
    };
    let labels = config
        .pointer("/config/Labels")
        .and_then(|labels| labels.as_object())
        .map(|labels| {
            labels
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
                .collect()
        })
        .unwrap_or_default();
    let list = |path: &str| {
        config
            .pointer(path)
            .and_then(|list| list.as_array())
            .map(Vec::as_slice)
            .unwrap_or_default()
    };
    let instructions = list("/history")
        .iter()
        .filter(|step| step.get("empty_layer").and_then(|empty| empty.as_bool()) != Some(true))
        .map(|step| {
            let words = step.get("created_by")?.as_str()?;
            (!words.is_empty()).then(|| clean_within(words, INSTRUCTION_LENGTH))
        })
        .collect();
    let diff_ids = list("/rootfs/diff_ids")
        .iter()
        .map(|id| id.as_str()?.parse().ok())
        .collect();
    Ok(Config {
        platform,
        created: text("created").and_then(|text| text.parse().ok()),
        labels,
        instructions,
        diff_ids,
    })
}

/// Puts manifest and config together.
pub(super) fn image(
    found: Found,
    manifest: &OciImageManifest,
    config: &Config,
) -> Result<RemoteImage, String> {
    // A history that does not fit the layers would name wrong instructions.
    let instructions = if config.instructions.len() == manifest.layers.len() {
        config.instructions.as_slice()
    } else {
        &[]
    };
    let diff_ids = if config.diff_ids.len() == manifest.layers.len() {
        config.diff_ids.as_slice()
    } else {
        &[]
    };
    let layers: Result<Vec<RemoteLayer>, String> = manifest
        .layers
        .iter()
        .enumerate()
        .map(|(at, layer)| {
            Ok(RemoteLayer {
                digest: LayerDigest(digest_of(&layer.digest)?),
                size: size_of(layer.size)?,
                media_type: clean_within(&layer.media_type, LABEL_LENGTH),
                diff_id: diff_ids.get(at).cloned().flatten(),
                created_by: instructions.get(at).cloned().flatten(),
            })
        })
        .collect();
    let label = |name: &str| {
        let name = format!("org.opencontainers.image.{name}");
        let annotations = manifest.annotations.as_ref();
        config
            .labels
            .get(&name)
            .or_else(|| annotations.and_then(|all| all.get(&name)))
            .filter(|value| !value.is_empty())
            .map(|value| clean_within(value, LABEL_LENGTH))
    };
    Ok(RemoteImage {
        top: found.top,
        indexed: found.indexed,
        manifest: found.manifest,
        platform: found.platform.or_else(|| config.platform.clone()),
        config: config_digest(manifest)?,
        config_size: size_of(manifest.config.size)?,
        created: config.created,
        revision: label("revision"),
        version: label("version"),
        source: label("source"),
        layers: layers?,
        attestations: found.attestations,
    })
}

/// Where a manifest was found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub top: crate::core::digest::TopDigest,
    pub indexed: bool,
    pub manifest: ManifestDigest,
    pub platform: Option<Platform>,
    pub attestations: Vec<ManifestDigest>,
}

/// Returns the config's digest of a manifest.
pub(super) fn config_digest(manifest: &OciImageManifest) -> Result<ConfigDigest, String> {
    digest_of(&manifest.config.digest).map(ConfigDigest)
}

/// Tells what an attestation manifest holds, by the predicate types of its layers.
pub(super) fn attestation_kinds(manifest: &OciImageManifest) -> Vec<Attestation> {
    let mut kinds: Vec<Attestation> = manifest
        .layers
        .iter()
        .map(|layer| {
            let predicate = layer
                .annotations
                .as_ref()
                .and_then(|all| all.get("in-toto.io/predicate-type"))
                .map(String::as_str)
                .unwrap_or_default();
            if predicate.contains("slsa.dev/provenance") {
                Attestation::Provenance
            } else if predicate.contains("spdx.dev") || predicate.contains("cyclonedx") {
                Attestation::Sbom
            } else {
                Attestation::Other
            }
        })
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

impl Config {
    /// Returns the platform that the config names.
    pub(super) fn platform(&self) -> Option<&Platform> {
        self.platform.as_ref()
    }
}

fn digest_of(text: &str) -> Result<crate::core::digest::Digest, String> {
    text.parse()
        .map_err(|error| format!("lists a bad digest: {error}"))
}

fn size_of(size: i64) -> Result<u64, String> {
    u64::try_from(size).map_err(|_| "lists a negative size".to_owned())
}

/// Says where JSON is wrong without repeating what it holds.
fn json_words(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let what = match error.classify() {
        Category::Eof => "it ends too early",
        Category::Syntax => "it is not JSON or too deep",
        Category::Data => "a member is missing or of the wrong type",
        Category::Io => "it cannot be read",
    };
    format!("{what} (line {}, column {})", error.line(), error.column())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn b4_bytes_that_read_as_two_things_are_refused() {
        for text in [
            r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#,
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","manifests":[]}"#,
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","layers":[]}"#,
            r#"{"schemaVersion":1,"fsLayers":[],"history":[]}"#,
            r#"{"schemaVersion":2}"#,
            "[]",
            "",
        ] {
            assert!(read_document(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn b4_deep_json_is_refused_not_followed() {
        let bomb = format!(
            r#"{{"schemaVersion":2,"layers":{}{}}}"#,
            "[".repeat(200_000),
            "]".repeat(200_000)
        );
        assert!(read_document(bomb.as_bytes()).is_err());
        assert!(read_config(bomb.as_bytes()).is_err());
    }

    #[test]
    fn instructions_stand_beside_the_layers_that_they_made() {
        let config = read_config(
            br#"{"os":"linux","architecture":"arm","variant":"v7","created":"2026-01-02T03:04:05.678Z",
                "history":[{"created_by":"ADD x"},{"created_by":"ENV a","empty_layer":true},{"created_by":"RUN \u001b[31mb"}],
                "rootfs":{"diff_ids":["sha256:no",7]}, "config":{"Labels":{"a":"b","c":7}}}"#,
        )
        .unwrap();
        assert_eq!(
            config.instructions,
            [Some("ADD x".to_owned()), Some("RUN ^[[31mb".to_owned())]
        );
        assert_eq!(config.diff_ids, [None, None]);
        assert_eq!(config.platform.unwrap().to_string(), "linux/arm/v7");
        assert_eq!(config.labels.len(), 1);
        assert!(config.created.is_some());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_document(&bytes);
            let _ = read_config(&bytes);
        }
    }
}
