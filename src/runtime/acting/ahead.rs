//! What an action would fetch, where nobody looked before: the host's images in detail and the manifests that bear
//! on the download are asked for now.

use jiff::Timestamp;

use crate::adapters::jobs::past;
use crate::app::model::{HostModel, Model};
use crate::core::engine::Observation;
use crate::core::layers::{Holdings, needed, predict};
use crate::core::pace;
use crate::core::remote::RemoteImage;
use crate::core::watch::Scope;

use super::Actor;

/// How many manifests are read for one prediction.
const MOST: usize = 16;

impl Actor {
    /// Foretells how many bytes the host would fetch for an image.
    pub(super) async fn foretell(
        &self,
        model: &Model,
        host: &HostModel,
        observation: &Observation,
        image: &RemoteImage,
    ) -> Option<u64> {
        let seen = match observation.whole {
            Some(_) => observation.clone(),
            None => {
                let session = self.sessions.get(&host.spec.name)?;
                let looked = session.observer().observe(&Scope::Whole, Timestamp::now());
                let mut seen = looked.await.ok()?;
                seen.remember(Some(observation));
                seen
            }
        };
        let mut manifests = model.preview.manifests.clone();
        let open = needed(&seen, image)
            .into_iter()
            .filter(|needed| {
                let key = (needed.top.clone(), needed.platform.clone());
                !manifests.contains_key(&key)
            })
            .take(MOST);
        let reads = open.map(|needed| async move {
            for repository in &needed.repositories {
                let route = model.route(&repository.registry, &host.spec);
                let read = self
                    .registries
                    .image(&route, repository, &needed.top, &needed.platform);
                if let Ok(image) = read.await {
                    return Some(((needed.top, needed.platform), image));
                }
            }
            None
        });
        let read = futures_util::future::join_all(reads).await;
        manifests.extend(read.into_iter().flatten());
        let builds = seen.whole?.builds;
        let holdings = Holdings::of(&seen, &manifests, builds);
        Some(predict(&holdings, image).fetch_bytes)
    }

    /// Returns how many seconds the host will take to fetch so much, by what it fetched before.
    pub(super) async fn seconds(&self, host: &HostModel, bytes: Option<u64>) -> Option<u64> {
        let bytes = bytes.filter(|bytes| *bytes > 0)?;
        let session = self.sessions.get(&host.spec.name)?;
        let former = past::pulls(session.place()?).await.ok()?;
        pace::seconds_for(bytes, &former)
    }
}
