//! Looking ahead: images behind digests, lists of tags, and what single tags name, kept where that holds for ever.
//!
//! Nothing here is judged; what is asked for and in which order is the caller's.

use jiff::Timestamp;

use super::registry::Registries;
use super::shelf::Shelves;
use crate::core::digest::TopDigest;
use crate::core::failure::{RegistryFailure, RegistryTrouble};
use crate::core::image::{ImageRef, Repository};
use crate::core::names::RegistryHost;
use crate::core::platform::Platform;
use crate::core::remote::{RemoteImage, Route};
use crate::core::shelf::{Shelf, TagList};
use crate::core::trust::{Beside, Mark, Referred, Trust, contradictions};

/// Asks registries and the shelves beside them.
#[derive(Clone)]
pub struct Ahead {
    registries: Registries,
    shelves: Shelves,
}

impl Ahead {
    /// Joins the client of registries with what is kept of them.
    pub fn new(registries: Registries, shelves: Shelves) -> Self {
        Self {
            registries,
            shelves,
        }
    }

    /// Returns the image that a digest names, from the first place that holds it.
    pub async fn image(
        &self,
        (top, platform): &(TopDigest, Platform),
        places: &[(Route, Repository)],
    ) -> Result<RemoteImage, RegistryFailure> {
        let mut failure = RegistryFailure::new(
            RegistryTrouble::BadReference,
            format!("no registry is known to hold {}", top.short()),
            "",
        );
        for (route, repository) in places {
            match self
                .registries
                .image(route, repository, top, platform)
                .await
            {
                Ok(image) => return Ok(image),
                Err(other) => failure = other,
            }
        }
        Err(failure)
    }

    /// Lists the repositories of a registry, and says whether these are all.
    pub async fn catalog(
        &self,
        route: &Route,
        registry: &RegistryHost,
    ) -> Result<(Vec<Box<str>>, bool), RegistryFailure> {
        let listing = self.registries.catalog(route, registry).await?;
        let names = listing.names.into_iter().map(Into::into).collect();
        Ok((names, listing.cut.is_none()))
    }

    /// Returns what was known of a repository's tags at an earlier time.
    pub async fn shelf(&self, (route, repository): &(Route, Repository)) -> Shelf {
        let (shelves, route, repository) =
            (self.shelves.clone(), route.clone(), repository.clone());
        let read = tokio::task::spawn_blocking(move || shelves.load(&route, &repository));
        read.await.unwrap_or_default()
    }

    /// Lists the tags of a repository.
    pub async fn tags(
        &self,
        (route, repository): &(Route, Repository),
    ) -> Result<TagList, RegistryFailure> {
        let listing = self.registries.tags(route, repository).await?;
        let list = TagList {
            at: Timestamp::now(),
            complete: listing.cut.is_none(),
            tags: listing.names.into_iter().map(Into::into).collect(),
        };
        let (shelves, route, repository) =
            (self.shelves.clone(), route.clone(), repository.clone());
        let kept = list.clone();
        // The answer does not wait for the disk.
        tokio::task::spawn_blocking(move || shelves.keep_list(&route, &repository, &kept));
        Ok(list)
    }

    /// Reads what stands beside an image: attestations, signature; what cannot be read is said.
    ///
    /// `anew` asks again whether something refers to it, where nothing did.
    pub async fn trust(
        &self,
        (route, repository): &(Route, Repository),
        image: &RemoteImage,
        beside: Option<Beside>,
        anew: bool,
    ) -> Trust {
        let mut trust = Trust::default();
        let mark = |present| match present {
            true => Mark::Present,
            false => Mark::Absent,
        };
        match self.registries.attested(route, repository, image).await {
            Ok(attested) => {
                trust.provenance = mark(attested.provenance);
                trust.sbom = mark(attested.sbom);
                if let Some(told) = &attested.told {
                    trust.contradictions =
                        contradictions(image.revision.as_deref(), image.source.as_deref(), told);
                }
                trust.told = attested.told;
            }
            Err(failure) => trust.trouble = Some(failure.to_string()),
        }
        match self.referred(route, repository, image, beside, anew).await {
            Ok(found) => {
                trust.signature = mark(found.signature);
                if found.provenance {
                    trust.provenance = Mark::Present;
                }
                if found.sbom {
                    trust.sbom = Mark::Present;
                }
            }
            Err(failure) => trust.trouble = Some(failure.to_string()),
        }
        trust
    }

    async fn referred(
        &self,
        route: &Route,
        repository: &Repository,
        image: &RemoteImage,
        beside: Option<Beside>,
        anew: bool,
    ) -> Result<Referred, RegistryFailure> {
        let now = Timestamp::now();
        let (shelves, way, name, top) = (
            self.shelves.clone(),
            route.clone(),
            repository.clone(),
            image.top.clone(),
        );
        let kept = tokio::task::spawn_blocking(move || shelves.referred(&way, &name, &top, now));
        let kept = kept.await.ok().flatten();
        // A signature's tag that came since outweighs what was kept.
        let newer = beside.is_some_and(|beside| beside.signature);
        if let Some(found) = kept.filter(|found| found.signature || !anew && !newer) {
            return Ok(found);
        }
        let registries = &self.registries;
        let found = registries
            .referred(route, repository, &image.top, beside)
            .await?;
        let (shelves, way, name, top) = (
            self.shelves.clone(),
            route.clone(),
            repository.clone(),
            image.top.clone(),
        );
        tokio::task::spawn_blocking(move || {
            shelves.keep_referred(&way, &name, &top, (now, found));
        });
        Ok(found)
    }

    /// Returns what a reference names now; a kept answer holds for ever.
    pub async fn head(
        &self,
        route: &Route,
        reference: &ImageRef,
        keep: bool,
    ) -> Result<TopDigest, RegistryFailure> {
        let top = self.registries.top(route, reference).await?;
        if let (true, Some(tag)) = (keep, reference.tag()) {
            let (shelves, route, top) = (self.shelves.clone(), route.clone(), top.clone());
            let (repository, tag) = (reference.repository.clone(), tag.to_owned());
            tokio::task::spawn_blocking(move || {
                shelves.keep_head(&route, &repository, &tag, &top);
            });
        }
        Ok(top)
    }
}
