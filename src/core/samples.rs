//! Small facts for tests of the core.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::digest::{
    ConfigDigest, DiffId, Digest, ImageId, LayerDigest, ManifestDigest, TopDigest,
};
use super::engine::{
    ContainerFacts, ContainerState, EngineFacts, Health, ImageFacts, ImageStore, Observation, Whole,
};
use super::image::ImageRef;
use super::labels::Labels;
use super::platform::Platform;
use super::remote::{RemoteImage, RemoteLayer};

/// Makes a digest whose hex digits repeat one byte.
pub fn digest(byte: u8) -> Digest {
    format!("sha256:{}", format!("{byte:02x}").repeat(32))
        .parse()
        .unwrap()
}

/// Makes a moment that many days after the first of January 2026.
pub fn day(number: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + number * 86_400).unwrap()
}

/// Makes a running container of the image `01…`.
pub fn container(name: &str, reference: &str) -> ContainerFacts {
    ContainerFacts {
        id: name.into(),
        name: name.to_owned(),
        image_id: ImageId(digest(1)),
        reference: reference.to_owned(),
        manifest: None,
        labels: Labels::default(),
        state: ContainerState::Running,
        health: Health::None,
        exit_code: None,
        created: Some(day(0)),
        started: Some(day(0)),
        restarts: 0,
        ports: Vec::new(),
        network_mode: "bridge".to_owned(),
    }
}

/// Makes an image with tags and digests in the tags' repositories.
pub fn image(id: u8, tags: &[&str], digests: &[(&str, u8)], created: Option<i64>) -> ImageFacts {
    ImageFacts {
        id: ImageId(digest(id)),
        tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
        digests: digests
            .iter()
            .map(|(name, byte)| {
                let reference: ImageRef = name.parse().unwrap();
                (reference.repository, TopDigest(digest(*byte)))
            })
            .collect(),
        created: created.map(day),
        platform: None,
        size: None,
        revision: None,
        version: None,
        source: None,
        diff_ids: Vec::new(),
        complete: true,
        removed: false,
    }
}

/// Makes an image of a registry: top and manifest `top`, config `config`, layers of (digest, unpacked digest).
///
/// A layer's size is ten times its digest's byte, the config's is one.
pub fn remote_image(top: u8, config: u8, layers: &[(u8, u8)]) -> RemoteImage {
    RemoteImage {
        top: TopDigest(digest(top)),
        indexed: false,
        manifest: ManifestDigest(digest(top)),
        platform: Some(platform()),
        config: ConfigDigest(digest(config)),
        config_size: 1,
        created: None,
        revision: None,
        version: None,
        source: None,
        layers: layers
            .iter()
            .map(|(packed, unpacked)| RemoteLayer {
                digest: LayerDigest(digest(*packed)),
                size: u64::from(*packed) * 10,
                media_type: "application/vnd.oci.image.layer.v1.tar+gzip".to_owned(),
                diff_id: Some(DiffId(digest(*unpacked))),
                created_by: Some(format!("RUN {unpacked}")),
            })
            .collect(),
        attestations: Vec::new(),
    }
}

/// Returns the platform of the sample host.
pub fn platform() -> Platform {
    Platform::new("linux", "amd64", None)
}

/// Makes a look at a host that holds these images and runs these containers.
pub fn observation(
    store: ImageStore,
    images: Vec<ImageFacts>,
    containers: Vec<ContainerFacts>,
) -> Observation {
    Observation {
        at: day(0),
        engine: EngineFacts {
            version: "28.5.2".to_owned(),
            api: "1.51".to_owned(),
            store,
            driver: "overlay2".to_owned(),
            platform: platform(),
            data_root: None,
        },
        containers,
        images: images
            .into_iter()
            .map(|image| (image.id.clone(), image))
            .collect(),
        whole: Some(Whole { builds: false }),
        pulled: BTreeSet::new(),
    }
}
