//! Caches of builds that lie in a registry: how old they are and how much they fill.

use http::Method;

use crate::core::builds::cache::{self, CacheFacts};
use crate::core::failure::RegistryFailure;
use crate::core::image::ImageRef;
use crate::core::remote::Route;

use super::Registries;

impl Registries {
    /// Tells what a cache's tag names: the age and the size of what lies there.
    pub async fn cache(
        &self,
        route: &Route,
        reference: &ImageRef,
    ) -> Result<CacheFacts, RegistryFailure> {
        let top = self.top(route, reference).await?;
        let purpose = reference.familiar();
        let session = self.session(route, &reference.repository, &purpose)?;
        let digest = top.digest();
        let bytes = match session.blobs.get(digest).await {
            Some(bytes) => bytes,
            None => {
                let path = format!("manifests/{digest}");
                let reply = session.good(session.fetch(Method::GET, &path, None).await?)?;
                session.verified(digest, reply.body).await?
            }
        };
        cache::read(&bytes).ok_or_else(|| session.lied("its cache is no list of layers"))
    }
}
