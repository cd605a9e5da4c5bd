//! What stands beside an image: attestations in its index, signatures and referrers that name it.
//!
//! What has a digest is read once in a lifetime, like everything else here. Who signed is not checked: that needs keys
//! and a policy, which are the operator's.

use http::{Method, StatusCode};

use super::Registries;
use super::manifest::Document;
use super::resolve::Session;
use crate::core::digest::{ManifestDigest, TopDigest};
use crate::core::failure::RegistryFailure;
use crate::core::image::Repository;
use crate::core::remote::{RemoteImage, Route};
use crate::core::trust::{self, Beside, Part, Predicate, Provenance, Referred, Statement};

/// How many attestation manifests of one image are read; builders write one.
const MOST_ATTESTATIONS: usize = 3;
/// No provenance statement that is read fills more; a bill of materials is never read.
const STATEMENT: u64 = 2 << 20;

/// What the attestations in an image's index say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attested {
    pub provenance: bool,
    pub sbom: bool,
    pub told: Option<Provenance>,
}

impl Registries {
    /// Reads the attestations that an image's index holds.
    pub async fn attested(
        &self,
        route: &Route,
        repository: &Repository,
        image: &RemoteImage,
    ) -> Result<Attested, RegistryFailure> {
        let purpose = format!("the attestations of {}", repository.familiar());
        let session = self.session(route, repository, &purpose)?;
        let mut found = Attested::default();
        for digest in image.attestations.iter().take(MOST_ATTESTATIONS) {
            let parts = session.parts(digest).await?;
            for part in parts {
                match part.predicate {
                    Predicate::Sbom => found.sbom = true,
                    Predicate::Provenance => {
                        found.provenance = true;
                        if found.told.is_none() && part.size <= STATEMENT {
                            found.told = session.provenance(&part).await?;
                        }
                    }
                    Predicate::Other => {}
                }
            }
        }
        Ok(found)
    }

    /// Asks what refers to an image: a signature's tag, or the list of its referrers.
    ///
    /// Where the whole list of tags is known no tag has to be asked for.
    pub async fn referred(
        &self,
        route: &Route,
        repository: &Repository,
        top: &TopDigest,
        beside: Option<Beside>,
    ) -> Result<Referred, RegistryFailure> {
        let purpose = format!("the signature of {}", repository.familiar());
        let session = self.session(route, repository, &purpose)?;
        let name = trust::helper(top.digest());
        let signature = match beside {
            Some(beside) => beside.signature,
            None => session.has(&format!("manifests/{name}.sig")).await?,
        };
        let mut found = match session.referrers(&format!("referrers/{top}")).await? {
            Some(found) => found,
            // Where the registry keeps no such list, a tag may hold it.
            None if beside.is_none_or(|beside| beside.referrers) => session
                .referrers(&format!("manifests/{name}"))
                .await?
                .unwrap_or_default(),
            None => Referred::default(),
        };
        found.signature |= signature;
        found.sbom |= beside.is_some_and(|beside| beside.sbom);
        Ok(found)
    }
}

impl Session<'_> {
    async fn parts(&self, digest: &ManifestDigest) -> Result<Vec<Part>, RegistryFailure> {
        // Read as a manifest first: what it is decides whether its bytes are looked into again.
        match self.document(digest.digest()).await? {
            Document::Manifest(manifest) => {
                let bytes = serde_json::to_vec(&manifest)
                    .map_err(|error| self.lied(&format!("its attestation: {error}")))?;
                trust::parts(&bytes).map_err(|error| self.lied(&error.to_string()))
            }
            Document::Index(_) => Err(self.lied("its attestation is an index")),
        }
    }

    async fn provenance(&self, part: &Part) -> Result<Option<Provenance>, RegistryFailure> {
        let bytes = match self.blobs.get(&part.digest).await {
            Some(bytes) => bytes,
            None => {
                let path = format!("blobs/{}", part.digest);
                let reply = self.good(self.fetch(Method::GET, &path, None).await?)?;
                self.verified(&part.digest, reply.body).await?
            }
        };
        // What cannot be read is present all the same.
        Ok(match trust::statement(&bytes) {
            Ok(Statement::Provenance(told)) => Some(*told),
            Ok(Statement::Sbom | Statement::Other(_)) | Err(_) => None,
        })
    }

    async fn has(&self, path: &str) -> Result<bool, RegistryFailure> {
        let outcome = self.fetch(Method::HEAD, path, None).await?;
        Ok(outcome.reply.status.is_success())
    }

    /// Reads a list of referrers; absent where the registry has none.
    async fn referrers(&self, path: &str) -> Result<Option<Referred>, RegistryFailure> {
        let outcome = self.fetch(Method::GET, path, None).await?;
        match outcome.reply.status {
            StatusCode::OK => Ok(trust::referrers(&outcome.reply.body).ok()),
            _ => Ok(None),
        }
    }
}
