//! Which image of the host a text names.

use std::collections::BTreeMap;

use crate::core::digest::{ImageId, TopDigest};
use crate::core::engine::{ImageFacts, Observation};
use crate::core::image::ImageRef;

/// Finds the image on the host that a text names: a tag, a digest, an Id's beginning, a revision's beginning.
pub fn held<'a>(
    observation: &'a Observation,
    reference: &ImageRef,
    wanted: &str,
) -> Result<Option<&'a ImageFacts>, String> {
    let own: Vec<&ImageFacts> = observation
        .images
        .values()
        .filter(|image| {
            image
                .tags
                .iter()
                .any(|tag| tag.repository == reference.repository)
                || image.digests_in(&reference.repository).next().is_some()
        })
        .collect();
    let by_tag = own
        .iter()
        .find(|image| image.tags.contains(&reference.with_tag(wanted)));
    if let Some(image) = by_tag {
        return Ok(Some(image));
    }
    let hex = wanted.strip_prefix("sha256:").unwrap_or(wanted);
    let begins = |digest: &str| {
        hex.len() >= 7
            && digest
                .strip_prefix("sha256:")
                .is_some_and(|own| own.starts_with(hex))
    };
    let mut matching: BTreeMap<&ImageId, &ImageFacts> = BTreeMap::new();
    for image in own {
        let by_digest = image
            .digests_in(&reference.repository)
            .any(|digest: &TopDigest| begins(digest.digest().as_str()));
        let by_revision = hex.len() >= 4
            && image
                .revision
                .as_deref()
                .is_some_and(|revision| revision.starts_with(hex));
        if by_digest || begins(image.id.digest().as_str()) || by_revision {
            matching.insert(&image.id, image);
        }
    }
    match matching.len() {
        0 => Ok(None),
        1 => Ok(matching.into_values().next()),
        many => Err(format!(
            "{wanted} names {many} images on the host; give more of it"
        )),
    }
}
