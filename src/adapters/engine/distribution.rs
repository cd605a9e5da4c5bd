//! What a registry says of a reference, asked by the engine: for registries that only the host can reach.
//!
//! The engine tells the digest behind the reference and its platforms, and nothing of their images.

use serde::Deserialize;

use crate::adapters::secret::Secret;
use crate::core::digest::TopDigest;
use crate::core::failure::{HostFailure, RegistryFailure, RegistryTrouble};
use crate::core::image::ImageRef;
use crate::core::platform::Platform;
use crate::core::text::clean_within;

use super::observer::Observer;

/// What an engine learned from a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    pub top: TopDigest,
    pub platforms: Vec<Platform>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Told {
    descriptor: Option<Descriptor>,
    platforms: Option<Vec<ToldPlatform>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Descriptor {
    digest: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ToldPlatform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

impl Observer {
    /// Lets the engine ask the registry of a reference; the credential goes along in the request's header alone.
    pub async fn distribution(
        &self,
        reference: &ImageRef,
        auth: Option<&Secret>,
    ) -> Result<Distribution, RegistryFailure> {
        let path = format!("/distribution/{reference}/json");
        let route = |failure: HostFailure| {
            RegistryFailure::new(
                RegistryTrouble::NoRoute,
                format!("the host's engine could not be asked: {}", failure.what),
                failure.remedy,
            )
        };
        let answer = self.link.ask_apart(&path, auth).await.map_err(route)?;
        if !(200..300).contains(&answer.status) {
            return Err(refusal(
                answer.status,
                &answer.words(),
                reference,
                auth.is_some(),
            ));
        }
        let told: Told = answer.document().map_err(route)?;
        let digest = told.descriptor.and_then(|descriptor| descriptor.digest);
        let top = digest
            .and_then(|digest| digest.parse().ok())
            .ok_or_else(|| {
                RegistryFailure::new(
                    RegistryTrouble::Lied,
                    format!(
                        "the host's engine names no digest for {}",
                        reference.familiar()
                    ),
                    "try `docker manifest inspect` on the host",
                )
            })?;
        let platforms = told.platforms.unwrap_or_default();
        Ok(Distribution {
            top,
            platforms: platforms
                .iter()
                .filter(|told| !told.os.is_empty() && !told.architecture.is_empty())
                .filter(|told| !Platform::is_attestation(&told.os, &told.architecture))
                .map(|told| Platform::new(&told.os, &told.architecture, told.variant.as_deref()))
                .collect(),
        })
    }
}

/// Reads what an engine says when a registry did not tell.
pub fn refusal(
    status: u16,
    message: &str,
    reference: &ImageRef,
    with_credentials: bool,
) -> RegistryFailure {
    use RegistryTrouble as T;
    let text = message.to_lowercase();
    let has = |part: &str| text.contains(part);
    let (trouble, remedy) = if has("manifest unknown") || has("name unknown") {
        (T::Gone, "the tag or repository was removed or never pushed")
    } else if has("toomanyrequests") || has("too many requests") || has("rate limit") {
        (T::RateLimited, "wait, or log in for a higher limit")
    } else if has("no basic auth credentials") || has("authorization failed") || has("unauthorized")
    {
        (
            T::Unauthorized,
            if with_credentials {
                "log in again with `docker login` here"
            } else {
                "log in with `docker login` here"
            },
        )
    } else if has("http response to https client") {
        (
            T::PlainHttp,
            "add the registry to insecure-registries of the host's engine",
        )
    } else if has("x509") || has("certificate") {
        (
            T::Certificate,
            "give the host's engine the registry's CA file below /etc/docker/certs.d",
        )
    } else if has("denied") || has("403 forbidden") {
        (T::Denied, "the repository is private, or not there")
    } else if has("timeout") || has("deadline exceeded") {
        (T::TimedOut, "is the registry reachable from the host?")
    } else if has("connection refused") || has("no such host") || has("no route to host") {
        (
            T::Away,
            "is the registry running, and reachable from the host?",
        )
    } else if has("not found") {
        (T::NotFound, "check the reference")
    } else {
        (T::ServerError, "try `docker manifest inspect` on the host")
    };
    let mut failure = RegistryFailure::new(
        trouble,
        format!(
            "the host's engine asked for {}: {}",
            reference.familiar(),
            clean_within(message.trim(), 160)
        ),
        remedy,
    );
    // The engine's own status tells little: it answers 500 to most of what a registry refuses.
    failure.status = matches!(status, 401 | 403 | 404 | 429).then_some(status);
    failure
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a9_each_refusal_has_its_trouble() {
        use RegistryTrouble as T;
        let reference: ImageRef = "r.lan:5000/app:1".parse().unwrap();
        for (message, trouble) in [
            ("manifest unknown: manifest unknown", T::Gone),
            (
                "errors:\ndenied: requested access to the resource is denied\nunauthorized: authentication required",
                T::Unauthorized,
            ),
            ("denied: denied", T::Denied),
            (
                "Get \"https://r.lan:5000/v2/\": http: server gave HTTP response to HTTPS client",
                T::PlainHttp,
            ),
            (
                "Get \"https://r.lan:5000/v2/\": dial tcp 127.0.0.1:5000: connect: connection refused",
                T::Away,
            ),
            (
                "toomanyrequests: You have reached your pull rate limit.",
                T::RateLimited,
            ),
            (
                "Get \"https://r.lan/v2/\": tls: failed to verify certificate: x509: unknown authority",
                T::Certificate,
            ),
            (
                "net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
                T::TimedOut,
            ),
            (
                "failed to resolve reference \"r.lan/app:1\": r.lan/app:1: not found",
                T::NotFound,
            ),
            ("what", T::ServerError),
        ] {
            assert_eq!(
                refusal(500, message, &reference, false).trouble,
                trouble,
                "{message}"
            );
        }
    }
}
