//! Digests and Ids made from names, so that a scenario is the same on every machine and every day.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::core::digest::{ConfigDigest, DiffId, Digest, LayerDigest, ManifestDigest, TopDigest};
use crate::core::image::Repository;
use crate::core::platform::Platform;

/// A build of a repository, and how often its index was published again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BuildName {
    pub id: Box<str>,
    pub again: u32,
}

impl FromStr for BuildName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (id, again) = match text.split_once('+') {
            None => (text, 0),
            Some((id, again)) => {
                let again = again.parse();
                (
                    id,
                    again.map_err(|_| format!("{text:?} is no build: after + stands a number"))?,
                )
            }
        };
        Ok(Self {
            id: id.into(),
            again,
        })
    }
}

/// Returns 64 hex digits that follow from the words.
pub fn hex(words: &[&dyn fmt::Display]) -> String {
    let mut hasher = Sha256::new();
    for word in words {
        hasher.update(word.to_string());
        hasher.update([0]);
    }
    hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn digest(words: &[&dyn fmt::Display]) -> Digest {
    match format!("sha256:{}", hex(words)).parse() {
        Ok(digest) => digest,
        Err(error) => unreachable!("64 hex digits are a digest: {error}"),
    }
}

/// Returns what a tag of the build names: an index, or its only manifest.
pub fn top(repository: &Repository, build: &BuildName, single: Option<&Platform>) -> TopDigest {
    match single {
        Some(platform) => manifest(repository, &build.id, platform).as_top(),
        None => TopDigest(digest(&[&"index", repository, &build.id, &build.again])),
    }
}

/// Returns the manifest of a build for a platform; publishing again does not change it.
pub fn manifest(repository: &Repository, build: &str, platform: &Platform) -> ManifestDigest {
    ManifestDigest(digest(&[&"manifest", repository, &build, platform]))
}

/// Returns the config of a build for a platform.
pub fn config(repository: &Repository, build: &str, platform: &Platform) -> ConfigDigest {
    ConfigDigest(digest(&[&"config", repository, &build, platform]))
}

/// Returns a layer, compressed and unpacked, by who first made it.
pub fn layer(maker: &str, number: usize, platform: &Platform) -> (LayerDigest, DiffId) {
    (
        LayerDigest(digest(&[&"layer", &maker, &number, platform])),
        DiffId(digest(&[&"diff", &maker, &number, platform])),
    )
}

/// Returns the digest of an attestation beside a build's manifest.
pub fn attestation(repository: &Repository, build: &BuildName) -> ManifestDigest {
    ManifestDigest(digest(&[
        &"attestation",
        repository,
        &build.id,
        &build.again,
    ]))
}
