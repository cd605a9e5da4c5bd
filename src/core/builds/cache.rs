//! Caches of builds that lie in a registry under a tag, as their manifests tell of them.

use jiff::Timestamp;
use serde::Deserialize;

use super::super::image::ImageRef;

/// What a cache's manifest tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheFacts {
    /// When its newest layer was made; builders that write no such mark tell nothing.
    pub created: Option<Timestamp>,
    pub bytes: u64,
    pub layers: usize,
}

/// Reads the manifest or the index of a cache.
pub fn read(bytes: &[u8]) -> Option<CacheFacts> {
    #[derive(Deserialize)]
    struct Document {
        layers: Option<Vec<Part>>,
        manifests: Option<Vec<Part>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Part {
        #[serde(default)]
        size: u64,
        #[serde(default)]
        media_type: String,
        annotations: Option<std::collections::BTreeMap<String, String>>,
    }
    let document: Document = serde_json::from_slice(bytes).ok()?;
    let parts = document.layers.or(document.manifests)?;
    let layers = || {
        parts
            .iter()
            .filter(|part| !part.media_type.contains("cacheconfig"))
    };
    let made = |part: &Part| {
        part.annotations
            .as_ref()?
            .get("buildkit/createdat")?
            .parse()
            .ok()
    };
    Some(CacheFacts {
        created: layers().filter_map(made).max(),
        bytes: layers().fold(0, |sum: u64, part| sum.saturating_add(part.size)),
        layers: layers().count(),
    })
}

/// Returns the registry's reference behind a cache source, where it is one: not GitHub's cache, a folder or a bucket.
pub fn reference(source: &str) -> Option<ImageRef> {
    let (registry, _) = source.split_once('/')?;
    let names_registry = registry.contains(['.', ':']) || registry == "localhost";
    if !names_registry || registry.starts_with('.') {
        return None;
    }
    source.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_is_as_old_as_its_newest_layer() {
        let index = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[
            {"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:1","size":100,"annotations":{"buildkit/createdat":"2026-03-14T09:26:50.5Z","containerd.io/uncompressed":"sha256:2"}},
            {"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:3","size":20,"annotations":{"buildkit/createdat":"2026-03-12T09:26:50Z"}},
            {"mediaType":"application/vnd.buildkit.cacheconfig.v0","digest":"sha256:4","size":7}]}"#;
        let facts = read(index);
        assert_eq!(
            facts,
            Some(CacheFacts {
                created: "2026-03-14T09:26:50.5Z".parse().ok(),
                bytes: 120,
                layers: 2
            })
        );
        assert_eq!(read(b"{}"), None);
    }

    #[test]
    fn only_caches_in_registries_are_asked_about() {
        assert!(reference("registry.lan:5000/api:cache").is_some());
        assert!(reference("ghcr.io/me/blog:buildcache").is_some());
        for other in ["gha:123", "/tmp/cache", "local", "bucket/x", "../cache/x"] {
            assert_eq!(reference(other), None, "{other}");
        }
    }
}
