//! Which image of the host a text names.

use std::collections::BTreeMap;

use crate::core::digest::{ImageId, TopDigest};
use crate::core::engine::{ImageFacts, Observation};
use crate::core::image::ImageRef;

/// Returns the images of a repository that the host holds.
pub fn of_repository<'a>(
    observation: &'a Observation,
    reference: &ImageRef,
) -> impl Iterator<Item = &'a ImageFacts> {
    let repository = reference.repository.clone();
    observation.images.values().filter(move |image| {
        let tagged = |tag: &ImageRef| tag.repository == repository;
        !image.removed
            && (image.tags.iter().any(tagged) || image.digests_in(&repository).next().is_some())
    })
}

/// Finds the image on the host that a text names: a tag, a digest, the beginning of a digest or an Id.
///
/// # Errors
/// If several begin so; with their names.
pub fn held<'a>(
    observation: &'a Observation,
    reference: &ImageRef,
    wanted: &str,
) -> Result<Option<&'a ImageFacts>, String> {
    let own: Vec<&ImageFacts> = of_repository(observation, reference).collect();
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
        if by_digest || begins(image.id.digest().as_str()) {
            matching.insert(&image.id, image);
        }
    }
    match matching.len() {
        0 => Ok(None),
        1 => Ok(matching.into_values().next()),
        _ => {
            let names: Vec<&str> = matching.keys().map(|id| id.short()).collect();
            Err(format!(
                "{wanted} is the beginning of several images on the host: {}",
                names.join(", ")
            ))
        }
    }
}
