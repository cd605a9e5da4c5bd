//! Image references, normalised so that short and long spellings of one image are equal.
//!
//! This module does not know which registry answers, nor what an engine holds.

mod grammar;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::digest::{Digest, TopDigest};
use super::names::RegistryHost;

/// The registry host that references without one mean.
pub const DOCKER_HUB: &str = "docker.io";

/// A registry and a path in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Repository {
    pub registry: RegistryHost,
    pub path: Arc<str>,
}

impl Repository {
    /// Tells whether the repository lies on Docker Hub.
    pub fn on_docker_hub(&self) -> bool {
        self.registry.as_str() == DOCKER_HUB
    }

    /// Returns the name as people type it: short on Docker Hub.
    pub fn familiar(&self) -> String {
        if self.on_docker_hub() {
            self.path
                .strip_prefix("library/")
                .unwrap_or(&self.path)
                .to_owned()
        } else {
            self.to_string()
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

/// What a reference says after the repository.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Pointer {
    /// A tag, which may move.
    Tag(Arc<str>),
    /// A digest, which decides; a tag beside it is display.
    Digest {
        digest: TopDigest,
        tag: Option<Arc<str>>,
    },
}

/// A whole image reference, normalised.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageRef {
    pub repository: Repository,
    pub pointer: Pointer,
}

/// The reason why a text is no image reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadReference {
    /// The text names an image by its Id, which no registry knows.
    #[error("an image Id, not a reference that a registry knows")]
    ImageId,
    /// The text does not follow the grammar.
    #[error("not an image reference: {0}")]
    Grammar(String),
}

impl ImageRef {
    /// Returns the tag, deciding or displayed.
    pub fn tag(&self) -> Option<&str> {
        match &self.pointer {
            Pointer::Tag(tag) => Some(tag),
            Pointer::Digest { tag, .. } => tag.as_deref(),
        }
    }

    /// Returns the digest if the reference has one.
    pub fn digest(&self) -> Option<&TopDigest> {
        match &self.pointer {
            Pointer::Tag(_) => None,
            Pointer::Digest { digest, .. } => Some(digest),
        }
    }

    /// Returns the same repository under another tag.
    pub fn with_tag(&self, tag: &str) -> Self {
        Self {
            repository: self.repository.clone(),
            pointer: Pointer::Tag(tag.into()),
        }
    }

    /// Returns what follows the repository in a request for the manifest.
    pub fn manifest_key(&self) -> &str {
        match &self.pointer {
            Pointer::Tag(tag) => tag,
            Pointer::Digest { digest, .. } => digest.digest().as_str(),
        }
    }

    /// Tells whether the text, as a person wrote it, names a registry host.
    ///
    /// The rule is docker's: the first part of a path is a host if it has a dot, a colon or a capital, or is `localhost`.
    pub fn names_a_registry(text: &str) -> bool {
        text.split_once('/')
            .is_some_and(|(first, _)| grammar::names_a_host(first))
    }

    /// Returns the reference as people type it: short on Docker Hub.
    pub fn familiar(&self) -> String {
        let mut text = self.repository.familiar();
        if let Some(tag) = self.tag() {
            text.push(':');
            text.push_str(tag);
        }
        if let Some(digest) = self.digest() {
            text.push('@');
            text.push_str(digest.digest().as_str());
        }
        text
    }
}

impl FromStr for ImageRef {
    type Err = BadReference;

    fn from_str(text: &str) -> Result<Self, BadReference> {
        let bare_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if bare_hex || text.parse::<Digest>().is_ok() {
            return Err(BadReference::ImageId);
        }
        let parts = grammar::read(text).map_err(|what| BadReference::Grammar(what.to_owned()))?;
        Self::of_parts(parts)
    }
}

impl ImageRef {
    fn of_parts(parts: grammar::Parts<'_>) -> Result<Self, BadReference> {
        let registry = match parts.registry {
            None | Some("index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com") => {
                DOCKER_HUB
            }
            Some(other) => other,
        };
        let digest = parts.digest.map(str::parse::<TopDigest>).transpose();
        let digest = digest.map_err(|error| BadReference::Grammar(error.to_string()))?;
        let path = if registry == DOCKER_HUB && !parts.path.contains('/') {
            format!("library/{}", parts.path).into()
        } else {
            parts.path.into()
        };
        Ok(Self {
            repository: Repository {
                registry: registry.into(),
                path,
            },
            pointer: match digest {
                Some(digest) => Pointer::Digest {
                    digest,
                    tag: parts.tag.map(Into::into),
                },
                None => Pointer::Tag(parts.tag.unwrap_or("latest").into()),
            },
        })
    }
}

impl TryFrom<String> for ImageRef {
    type Error = BadReference;

    fn try_from(text: String) -> Result<Self, BadReference> {
        text.parse()
    }
}

impl From<ImageRef> for String {
    fn from(reference: ImageRef) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.repository, f)?;
        if let Some(tag) = self.tag() {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = self.digest() {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn spellings_of_one_image_are_equal() {
        for (short, long) in [
            ("redis", "docker.io/library/redis:latest"),
            ("user/x:1", "docker.io/user/x:1"),
            ("docker.io/redis:7", "docker.io/library/redis:7"),
            (
                "index.docker.io/library/redis:7",
                "docker.io/library/redis:7",
            ),
            ("localhost:5000/app", "localhost:5000/app:latest"),
            ("registry.lan:5000/a/b:x", "registry.lan:5000/a/b:x"),
        ] {
            assert_eq!(short.parse::<ImageRef>().unwrap().to_string(), long);
        }
        assert_eq!(
            "docker.io/library/redis:7"
                .parse::<ImageRef>()
                .unwrap()
                .familiar(),
            "redis:7"
        );
    }

    #[test]
    fn an_image_id_is_no_reference() {
        let id = "a".repeat(64);
        assert_eq!(id.parse::<ImageRef>(), Err(BadReference::ImageId));
        assert_eq!(
            format!("sha256:{id}").parse::<ImageRef>(),
            Err(BadReference::ImageId)
        );
        assert!(matches!(
            "UPPER".parse::<ImageRef>(),
            Err(BadReference::Grammar(_))
        ));
        assert!(matches!(
            "x:".parse::<ImageRef>(),
            Err(BadReference::Grammar(_))
        ));
    }

    #[test]
    fn a14_the_digest_decides_beside_a_tag() {
        let text = format!("ghcr.io/me/x:1@sha256:{}", "1".repeat(64));
        let reference: ImageRef = text.parse().unwrap();
        assert_eq!(reference.tag(), Some("1"));
        assert_eq!(reference.manifest_key(), &text["ghcr.io/me/x:1@".len()..]);
        assert_eq!(reference.to_string(), text);
    }

    #[test]
    fn a_registry_is_named_by_docker_s_rule() {
        assert!(ImageRef::names_a_registry("localhost/x"));
        assert!(ImageRef::names_a_registry("r.lan/x"));
        assert!(ImageRef::names_a_registry("pi:5000/x"));
        assert!(!ImageRef::names_a_registry("me/x"));
        assert!(!ImageRef::names_a_registry("redis:7.2"));
    }

    /// Reads a text as the crate of the registry's answers does.
    fn by_the_crate(text: &str) -> Option<ImageRef> {
        let parsed: oci_distribution::Reference = text.parse().ok()?;
        let parts = grammar::Parts {
            registry: Some(parsed.registry()),
            path: parsed.repository(),
            tag: parsed.tag(),
            digest: parsed.digest(),
        };
        ImageRef::of_parts(parts).ok()
    }

    proptest::proptest! {
        #[test]
        fn the_grammar_agrees_with_the_crate_s(
            text in "((localhost|docker\\.io|index\\.docker\\.io|[a-zA-Z0-9-]{0,4}(\\.[a-z0-9-]{0,3}){0,2})?(:[0-9]{0,5})?/)?[a-zA-Z0-9._/-]{0,12}(:[a-zA-Z0-9._-]{0,8})?(@(sha256:([0-9a-f]{64}|[0-9a-fA-F]{0,65})|sha512:[0-9a-f]{128}|[a-z0-9+]{0,6}:[0-9a-f]{64}))?"
        ) {
            // There a host of capitals is taken for a part of the name, which can have none.
            let first = text.split('/').next().unwrap_or_default();
            let capitals = first.bytes().any(|byte| byte.is_ascii_uppercase());
            if !capitals || first.contains(['.', ':']) {
                let own = grammar::read(&text).ok().and_then(|parts| ImageRef::of_parts(parts).ok());
                proptest::prop_assert_eq!(own, by_the_crate(&text));
            }
        }
    }

    #[test]
    fn odd_spellings_are_read_and_what_is_none_is_told() {
        for text in [
            "a__b/c---d:x",
            "[fd00::1]:5000/me/x:1",
            "Registry.LAN:5000/x",
            "xn--n3h.com/x",
            "NAS/x",
        ] {
            let read = text
                .parse::<ImageRef>()
                .unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(read, read.to_string().parse().unwrap());
        }
        for (text, what) in [
            ("UPPER", "lower case"),
            ("me/Upper", "lower case"),
            ("Me/Upper", "lower case"),
            ("x:", "tag"),
            ("x:caf\u{e9}", "tag"),
            ("", "words"),
            ("a___b", "words"),
            ("a..b", "words"),
            ("x@sha256:12", "digest"),
            ("r.lan:port/x", "registry"),
        ] {
            let error = text.parse::<ImageRef>().unwrap_err().to_string();
            assert!(error.contains(what), "{text}: {error}");
        }
        let long = format!("r.lan/{}", "a".repeat(256));
        assert!(
            long.parse::<ImageRef>()
                .unwrap_err()
                .to_string()
                .contains("longer")
        );
    }
}
