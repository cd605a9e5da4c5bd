//! Platforms and the documented order in which an engine falls back to another variant.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// An operating system, architecture and variant, normalised.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Platform {
    pub os: Arc<str>,
    pub arch: Arc<str>,
    pub variant: Option<Arc<str>>,
}

impl Platform {
    /// Normalises the three words as manifests, images and kernels spell them.
    pub fn new(os: &str, arch: &str, variant: Option<&str>) -> Self {
        let variant = variant.filter(|variant| !variant.is_empty());
        let (arch, variant) = match (arch, variant) {
            ("x86_64" | "x86-64" | "amd64", None | Some("v1")) => ("amd64", None),
            ("x86_64" | "x86-64", variant) => ("amd64", variant),
            ("aarch64" | "arm64", None | Some("v8" | "8")) => ("arm64", None),
            ("aarch64", variant) => ("arm64", variant),
            ("armhf" | "armv7l" | "armv7", _) => ("arm", Some("v7")),
            ("armel" | "armv6l" | "armv6", _) => ("arm", Some("v6")),
            ("armv8l", _) => ("arm", Some("v8")),
            ("arm", None | Some("7")) => ("arm", Some("v7")),
            ("arm", Some("5")) => ("arm", Some("v5")),
            ("arm", Some("6")) => ("arm", Some("v6")),
            ("arm", Some("8")) => ("arm", Some("v8")),
            ("i386" | "i686", _) => ("386", None),
            (arch, variant) => (arch, variant),
        };
        Self {
            os: os.to_ascii_lowercase().into(),
            arch: arch.into(),
            variant: variant.map(Into::into),
        }
    }

    /// Tells whether the words are those of an attestation, which is no platform.
    pub fn is_attestation(os: &str, arch: &str) -> bool {
        os == "unknown" && arch == "unknown"
    }

    /// Returns this platform and those an engine takes in its place, best first.
    ///
    /// The order is containerd's: lower variants of the same architecture, then the 32-bit one it can run.
    pub fn accepted(&self) -> Vec<Self> {
        let with = |arch: &str, variant: Option<&str>| Self {
            os: self.os.clone(),
            arch: arch.into(),
            variant: variant.map(Into::into),
        };
        let arm = ["v8", "v7", "v6", "v5"];
        let mut list = vec![self.clone()];
        match (&*self.arch, self.variant.as_deref()) {
            ("arm", Some(own)) => {
                let below = arm.iter().skip_while(|variant| **variant != own).skip(1);
                list.extend(below.map(|variant| with("arm", Some(variant))));
            }
            ("arm64", variant) => {
                if variant.is_some() {
                    list.push(with("arm64", None));
                }
                list.extend(arm.iter().map(|variant| with("arm", Some(variant))));
            }
            ("amd64", variant) => {
                let levels = ["v4", "v3", "v2"];
                if let Some(own) = variant {
                    let below = levels.iter().skip_while(|level| **level != own).skip(1);
                    list.extend(below.map(|level| with("amd64", Some(level))));
                    list.push(with("amd64", None));
                }
                list.push(with("386", None));
            }
            _ => {}
        }
        list
    }

    /// Chooses among offered platforms the one an engine of this platform takes.
    pub fn choose<'a, T>(
        &self,
        offers: &'a [T],
        platform_of: impl Fn(&T) -> Option<&Self>,
    ) -> Option<&'a T> {
        self.accepted().iter().find_map(|accepted| {
            offers
                .iter()
                .find(|offer| platform_of(offer) == Some(accepted))
        })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.arch)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> Self {
        platform.to_string()
    }
}

impl TryFrom<String> for Platform {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let mut parts = text.split('/');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(os), Some(arch), variant, None) => Ok(Self::new(os, arch, variant)),
            _ => Err("a platform is os/arch or os/arch/variant"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linux(arch: &str, variant: Option<&str>) -> Platform {
        Platform::new("linux", arch, variant)
    }

    #[test]
    fn a8_the_exact_variant_wins_then_the_documented_order() {
        let offers = [
            linux("amd64", None),
            linux("arm", Some("v5")),
            linux("arm", Some("v7")),
            linux("arm", Some("v6")),
            linux("arm64", Some("v8")),
        ];
        let choose = |platform: &Platform| platform.choose(&offers, |offer| Some(offer)).cloned();
        assert_eq!(
            choose(&linux("armv6l", None)),
            Some(linux("arm", Some("v6")))
        );
        assert_eq!(choose(&linux("arm", None)), Some(linux("arm", Some("v7"))));
        assert_eq!(choose(&linux("aarch64", None)), Some(linux("arm64", None)));
        assert_eq!(choose(&linux("riscv64", None)), None);
        let old = [linux("arm", Some("v5")), linux("arm", Some("v6"))];
        assert_eq!(
            linux("armv7l", None).choose(&old, |o| Some(o)),
            Some(&old[1])
        );
    }

    #[test]
    fn spellings_of_one_platform_are_equal() {
        assert_eq!(linux("aarch64", Some("v8")), linux("arm64", None));
        assert_eq!(linux("x86_64", None), linux("amd64", None));
        assert_eq!(linux("arm", Some("v7")).to_string(), "linux/arm/v7");
    }
}
