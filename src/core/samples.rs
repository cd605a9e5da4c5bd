//! Small facts for tests of the core.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::digest::Digest;
use super::digest::ImageId;
use super::engine::{ContainerFacts, ContainerState, Health, ImageFacts};
use super::image::ImageRef;

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
        labels: BTreeMap::new(),
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
                (
                    reference.repository,
                    super::digest::TopDigest(digest(*byte)),
                )
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
    }
}
