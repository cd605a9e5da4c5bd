//! Digests, each typed by what it names, so that unlike digests cannot be compared by accident.
//!
//! This module knows the text form only; it does not compute digests and does not know where they came from.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A validated `algorithm:hex` digest that does not say what it names.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(Arc<str>);

/// The reason why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a digest: expected sha256: followed by 64 hex digits")]
pub struct BadDigest;

impl Digest {
    /// Returns the whole text, `sha256:…`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the hex digits without the algorithm.
    pub fn hex(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, hex)| hex)
    }

    /// Returns the first 12 hex digits, the form shown to people.
    pub fn short(&self) -> &str {
        let hex = self.hex();
        hex.get(..12).unwrap_or(hex)
    }
}

impl FromStr for Digest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Self, BadDigest> {
        let (algorithm, hex) = text.split_once(':').ok_or(BadDigest)?;
        let length = match algorithm {
            "sha256" => 64,
            "sha512" => 128,
            _ => return Err(BadDigest),
        };
        let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if hex.len() == length && hex.bytes().all(lower) {
            Ok(Self(text.into()))
        } else {
            Err(BadDigest)
        }
    }
}

impl TryFrom<String> for Digest {
    type Error = BadDigest;

    fn try_from(text: String) -> Result<Self, BadDigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.as_str().to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! digest_types {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Digest);

        impl $name {
            /// Returns the digest without its meaning, for display and for the wire.
            pub fn digest(&self) -> &Digest {
                &self.0
            }

            /// Returns the first 12 hex digits.
            pub fn short(&self) -> &str {
                self.0.short()
            }
        }

        impl FromStr for $name {
            type Err = BadDigest;

            fn from_str(text: &str) -> Result<Self, BadDigest> {
                text.parse().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    )*};
}

digest_types! {
    /// What a tag or a RepoDigest names: an index, or a manifest where there is no index.
    TopDigest;
    /// The manifest of one platform.
    ManifestDigest;
    /// The config of one image.
    ConfigDigest;
    /// A compressed layer, as the registry stores it.
    LayerDigest;
    /// An unpacked layer, as a config lists it.
    DiffId;
    /// The Id that one engine gives an image; its meaning depends on that engine's image store.
    ImageId;
}

impl ImageId {
    /// Reads the Id as a config digest, which it is on a graph store only.
    pub fn as_config(&self) -> ConfigDigest {
        ConfigDigest(self.0.clone())
    }

    /// Reads the Id as what the tag pointed to, which it is on a containerd store only.
    pub fn as_top(&self) -> TopDigest {
        TopDigest(self.0.clone())
    }
}

impl ManifestDigest {
    /// Reads the manifest as the top of a reference that names it without an index.
    pub fn as_top(&self) -> TopDigest {
        TopDigest(self.0.clone())
    }
}

impl TopDigest {
    /// Reads the top digest as a platform manifest, which it is where no index stands above it.
    pub fn as_manifest(&self) -> ManifestDigest {
        ManifestDigest(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn only_whole_lower_case_digests_are_accepted() {
        let good = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(good.parse::<Digest>().unwrap().short(), "0a0a0a0a0a0a");
        for bad in [
            "",
            "sha256:",
            "sha256:abc",
            "md5:00",
            &good.to_uppercase(),
            &good[..70],
            "latest",
        ] {
            assert_eq!(bad.parse::<Digest>(), Err(BadDigest), "{bad}");
        }
    }
}
