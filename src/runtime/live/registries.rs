//! Registries: what is asked of them, each question in the background.

use crate::app::msg::Msg;
use crate::app::preview::{ImageKey, RepositoryKey};
use crate::core::image::{ImageRef, Repository};
use crate::core::names::RegistryHost;
use crate::core::remote::{Question, RemoteImage, Route};
use crate::core::trust::Beside;

use super::Live;

impl Live {
    /// Asks what a reference names now.
    pub(super) fn resolve(&self, question: Question) {
        let (registries, queue) = (self.registries.clone(), self.queue.clone());
        tokio::spawn(async move {
            let result = registries.ask(&question).await.map(Box::new);
            let _ = queue.send(Msg::Resolved {
                key: question.key,
                result,
            });
        });
    }

    /// Reads the image that a digest names, from the first of these places that holds it.
    pub(super) fn image(&self, key: ImageKey, places: Vec<RepositoryKey>) {
        let (ahead, queue) = (self.ahead.clone(), self.queue.clone());
        tokio::spawn(async move {
            let result = ahead.image(&key, &places).await.map(Box::new);
            let _ = queue.send(Msg::Imaged { key, result });
        });
    }

    /// Lists the repositories of a registry.
    pub(super) fn catalog(&mut self, route: Route, registry: RegistryHost) {
        let (ahead, queue) = (self.ahead.clone(), self.queue.clone());
        self.asking.push(tokio::spawn(async move {
            let result = ahead.catalog(&route, &registry).await;
            let key = (route, registry);
            let _ = queue.send(Msg::Cataloged { key, result });
        }));
    }

    /// Lists the tags of a repository, first as they were last known.
    pub(super) fn tags(&mut self, route: Route, repository: Repository) {
        let (ahead, queue) = (self.ahead.clone(), self.queue.clone());
        self.asking.push(tokio::spawn(async move {
            let key = (route, repository);
            let shelf = ahead.shelf(&key).await;
            let _ = queue.send(Msg::Shelved {
                key: key.clone(),
                shelf: Box::new(shelf),
            });
            let result = ahead.tags(&key).await;
            let _ = queue.send(Msg::Listed { key, result });
        }));
    }

    /// Asks what a tag names now, or whether a digest is still there.
    pub(super) fn head(
        &mut self,
        asker: RepositoryKey,
        route: Route,
        reference: ImageRef,
        keep: bool,
    ) {
        let (ahead, queue) = (self.ahead.clone(), self.queue.clone());
        self.asking.push(tokio::spawn(async move {
            let result = ahead.head(&route, &reference, keep).await;
            let _ = queue.send(Msg::Headed {
                asker,
                reference,
                result,
            });
        }));
    }

    /// Looks for what stands beside an image.
    pub(super) fn trust(
        &mut self,
        key: ImageKey,
        place: RepositoryKey,
        image: Box<RemoteImage>,
        beside: Option<Beside>,
        anew: bool,
    ) {
        let (ahead, queue) = (self.ahead.clone(), self.queue.clone());
        self.asking.push(tokio::spawn(async move {
            let trust = ahead.trust(&place, &image, beside, anew).await;
            let trust = Box::new(trust);
            let _ = queue.send(Msg::Trusted { key, trust });
        }));
    }

    /// Asks how old a cache of builds is that lies in a registry.
    pub(super) fn build_cache(&self, route: Route, reference: ImageRef) {
        let (registries, queue) = (self.registries.clone(), self.queue.clone());
        tokio::spawn(async move {
            let result = registries.cache(&route, &reference).await;
            let _ = queue.send(Msg::BuildCache { reference, result });
        });
    }
}
