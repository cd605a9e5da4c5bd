//! Looking ahead in a demo: images behind digests, tags, and what tags name.

use std::time::Duration;

use crate::app::msg::{Msg, Now};
use crate::app::preview::{ImageKey, RepositoryKey};
use crate::core::digest::TopDigest;
use crate::core::failure::{RegistryFailure, RegistryTrouble};
use crate::core::image::{ImageRef, Repository};
use crate::core::names::{HostName, RegistryHost};
use crate::core::pace::Pull;
use crate::core::remote::{RemoteImage, Route};
use crate::core::shelf::TagList;
use crate::core::trust::{Mark, Provenance, Trust};

use super::{Demo, no_route};

impl Demo {
    /// Reads an image from the first place that holds it.
    pub(super) fn image(&self, key: &ImageKey, places: &[RepositoryKey]) -> (Duration, Msg) {
        let (top, platform) = key;
        let mut result = Err(absent("no registry is known to hold it"));
        for (route, repository) in places {
            result = self
                .ways_to(route, repository)
                .and_then(|()| self.held(repository, top, platform));
            if result.is_ok() {
                break;
            }
        }
        let after = places.first().map_or(Duration::ZERO, |(_, repository)| {
            self.registries.delay(&repository.registry)
        });
        let msg = Msg::Imaged {
            key: key.clone(),
            result: result.map(Box::new),
        };
        // The manifest, then the config.
        (after * 2, msg)
    }

    fn held(
        &self,
        repository: &Repository,
        top: &TopDigest,
        platform: &crate::core::platform::Platform,
    ) -> Result<RemoteImage, RegistryFailure> {
        let build = self.catalog.of_top(repository, top);
        build
            .and_then(|build| {
                self.catalog
                    .remote(repository, &build, platform, self.started_at)
            })
            .ok_or_else(|| absent("the registry does not hold it any more"))
    }

    /// Tells what a host fetched before.
    pub(super) fn pace(&self, host: &HostName) -> (Duration, Msg) {
        let pulls = vec![
            Pull {
                bytes: 41_000_000,
                seconds: 7,
            },
            Pull {
                bytes: 18_000_000,
                seconds: 3,
            },
        ];
        let msg = Msg::Paced {
            host: host.clone(),
            pulls,
        };
        (Duration::from_millis(90), msg)
    }

    /// Tells what stands beside an image: whoever builds with attestations also signs here.
    pub(super) fn trust(&self, key: &ImageKey, image: &RemoteImage) -> (Duration, Msg) {
        let attested = !image.attestations.is_empty();
        let mark = |present| match present {
            true => Mark::Present,
            false => Mark::Absent,
        };
        let told = attested.then(|| Provenance {
            source: image.source.clone(),
            commit: image.revision.clone(),
            dirty: false,
            workflow: Some(".github/workflows/build.yml".to_owned()),
            builder: None,
        });
        let signed = image.source.as_deref();
        let signed = signed.is_some_and(|source| source.contains("github.com"));
        let trust = Trust {
            provenance: mark(attested),
            sbom: Mark::Absent,
            signature: mark(attested && signed),
            told,
            ..Trust::default()
        };
        let msg = Msg::Trusted {
            key: key.clone(),
            trust: Box::new(trust),
        };
        (Duration::from_millis(60), msg)
    }

    /// Lists the repositories of a registry.
    pub(super) fn catalog(&self, route: &Route, registry: &RegistryHost) -> (Duration, Msg) {
        let names = self.catalog.repositories(registry);
        let result = match self.registries.failure(registry) {
            Some(failure) => Err(failure.clone()),
            None => Ok((names, true)),
        };
        let msg = Msg::Cataloged {
            key: (route.clone(), registry.clone()),
            result,
        };
        (self.registries.delay(registry), msg)
    }

    /// Lists the tags of a repository.
    pub(super) fn tags(&self, route: &Route, repository: &Repository, now: Now) -> (Duration, Msg) {
        let result = self.ways_to(route, repository).and_then(|()| {
            let tags = self.catalog.tags(repository);
            if tags.is_empty() {
                return Err(absent("the registry has no such repository"));
            }
            Ok(TagList {
                at: now.wall,
                tags,
                complete: true,
            })
        });
        let msg = Msg::Listed {
            key: (route.clone(), repository.clone()),
            result,
        };
        (self.registries.delay(&repository.registry), msg)
    }

    /// Tells what a tag names, or whether a digest is still there.
    pub(super) fn head(
        &self,
        asker: &RepositoryKey,
        route: &Route,
        reference: &ImageRef,
    ) -> (Duration, Msg) {
        let repository = &reference.repository;
        let result = self.ways_to(route, repository).and_then(|()| {
            let build = self.catalog.named(reference);
            build
                .and_then(|build| self.catalog.top(repository, &build))
                .ok_or_else(|| absent("the registry does not hold it any more"))
        });
        let msg = Msg::Headed {
            asker: asker.clone(),
            reference: reference.clone(),
            result,
        };
        (self.registries.delay(&repository.registry), msg)
    }

    /// Fails where the registry or the host in between does.
    fn ways_to(&self, route: &Route, repository: &Repository) -> Result<(), RegistryFailure> {
        if let Route::Via(host) = route
            && let Some(failure) = self.host(host).and_then(|host| host.failure.as_ref())
        {
            return Err(no_route(failure));
        }
        let failure = self.registries.failure(&repository.registry);
        match failure.or_else(|| self.catalog.failure(repository)) {
            Some(failure) => Err(failure.clone()),
            None => Ok(()),
        }
    }
}

fn absent(what: &str) -> RegistryFailure {
    let mut failure = RegistryFailure::new(
        RegistryTrouble::Gone,
        format!("{what} (404 MANIFEST_UNKNOWN)"),
        "choose another image",
    );
    failure.status = Some(404);
    failure
}
