//! From a question to its answer: what the tag names, which image that is for the platform, what was examined.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use oci_distribution::manifest::OciImageManifest;

use super::EngineAuth;
use super::Registries;
use super::endpoint::{Endpoint, Follow};
use super::errand::{Errand, Outcome};
use super::manifest::{self, Document, Entry, EntryKind, Found};
use super::trail::Trail;
use crate::adapters::blobs::{self, BlobStore};
use crate::adapters::credentials::Lookup;
use crate::core::digest::{Digest, ManifestDigest, TopDigest};
use crate::core::failure::{Asked, RegistryFailure, RegistryTrouble as Trouble};
use crate::core::image::{ImageRef, Repository};
use crate::core::platform::Platform;
use crate::core::remote::{Answer, Attestation, Examined, Question, RemoteImage, Route};

/// All four kinds in one header: without any of them a registry converts, or says 404.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.docker.distribution.manifest.v2+json";
const DIGEST_HEADER: &str = "docker-content-digest";
const MANIFEST_LIMIT: usize = 4 << 20;
const CONFIG_LIMIT: usize = 8 << 20;
/// Indexes within indexes are opened to this depth, and so many in all.
const DEPTH: usize = 3;
const OPENED: usize = 8;
/// Entries that do not tell their platform are looked into, so many.
const LOOKED_INTO: usize = 4;

impl Registries {
    /// Answers a question; the tag is always asked for anew, everything below it once in a lifetime.
    pub async fn ask(&self, question: &Question) -> Result<Answer, RegistryFailure> {
        let key = &question.key;
        let purpose = key.reference.familiar();
        let session = self.session(&key.route, &key.reference.repository, &purpose)?;
        let answer = self.ask_within(question, &session).await;
        answer.map_err(|failure| session.on_record(failure))
    }

    async fn ask_within(
        &self,
        question: &Question,
        session: &Session<'_>,
    ) -> Result<Answer, RegistryFailure> {
        let key = &question.key;
        let top = match session.top(&key.reference).await {
            Ok(top) => top,
            Err(failure) if session.endpoint.is_closed() => {
                return self.ask_engine(question, failure).await;
            }
            Err(failure) => return Err(failure),
        };
        // Several services may share the question: only where all of them run what the tag
        // names is there nothing to read.
        let runs = question.running.contains(&top);
        let all_run_it = runs && question.running.iter().all(|running| *running == top);
        let image = if all_run_it {
            None
        } else {
            match session.image(&top, &key.platform).await {
                Ok(image) => Some(image),
                Err(failure) if runs => {
                    session
                        .trail
                        .remark(format!("its manifest could not be read: {}", failure.what));
                    None
                }
                Err(failure) => return Err(failure),
            }
        };
        let mut examined: Vec<(TopDigest, Examined)> = Vec::new();
        for digest in &question.examine {
            if examined.iter().any(|(own, _)| own == digest) {
                continue;
            }
            let found = match &image {
                Some(image) if *digest == top => Examined::Held(Box::new(image.clone())),
                _ => session.examine(digest, &key.platform).await,
            };
            examined.push((digest.clone(), found));
        }
        let gathered = session.trail.gathered();
        Ok(Answer {
            at: Timestamp::now(),
            top,
            image,
            examined,
            remark: gathered.remark(),
            requests: gathered.requests,
            credential: gathered.credential,
            quota: session.endpoint.limits.quota(),
        })
    }

    /// Returns the image that a digest names for a platform.
    pub async fn image(
        &self,
        route: &Route,
        repository: &Repository,
        top: &TopDigest,
        platform: &Platform,
    ) -> Result<RemoteImage, RegistryFailure> {
        let purpose = format!("{}@{}", repository.familiar(), top.short());
        let session = self.session(route, repository, &purpose)?;
        session.image(top, platform).await
    }

    /// Returns the digest that a reference names now.
    pub async fn top(
        &self,
        route: &Route,
        reference: &ImageRef,
    ) -> Result<TopDigest, RegistryFailure> {
        let purpose = reference.familiar();
        let session = self.session(route, &reference.repository, &purpose)?;
        session.top(reference).await
    }

    /// Tells what an attestation manifest holds.
    pub async fn attestation(
        &self,
        route: &Route,
        repository: &Repository,
        digest: &ManifestDigest,
    ) -> Result<Vec<Attestation>, RegistryFailure> {
        let purpose = format!("{}@{}", repository.familiar(), digest.short());
        let session = self.session(route, repository, &purpose)?;
        match session.document(digest.digest()).await? {
            Document::Manifest(manifest) => Ok(manifest::attestation_kinds(&manifest)),
            Document::Index(_) => Err(session.lied("its attestation is an index")),
        }
    }

    /// Asks the host's engine where the host lets no connection through; its answer is a digest alone.
    async fn ask_engine(
        &self,
        question: &Question,
        failure: RegistryFailure,
    ) -> Result<Answer, RegistryFailure> {
        let key = &question.key;
        let (Some(engines), Route::Via(host)) = (&self.inner.options.engines, &key.route) else {
            return Err(failure);
        };
        let auth = self.engine_auth(&key.reference).await;
        let told = engines
            .distribution(host, &key.reference, auth.as_ref())
            .await
            .map_err(|mut failure| {
                failure.asked = Some(Box::new(Asked {
                    requests: Vec::new(),
                    credential: auth.as_ref().map(|auth| auth.name.clone()),
                }));
                failure
            })?;
        let runs = question.running.contains(&told.top);
        let offered = &told.platforms;
        if !runs && !offered.is_empty() && key.platform.choose(offered, |own| Some(own)).is_none() {
            let purpose = key.reference.familiar();
            let session = self.session(&key.route, &key.reference.repository, &purpose)?;
            return Err(session
                .endpoint
                .asked(&purpose)
                .no_platform(&key.platform.to_string(), &list(offered.iter())));
        }
        Ok(Answer {
            at: Timestamp::now(),
            top: told.top,
            image: None,
            examined: Vec::new(),
            requests: Vec::new(),
            credential: auth.map(|auth| auth.name),
            quota: None,
            remark: Some(format!(
                "asked by the engine of {host}, which tells the digest alone"
            )),
        })
    }

    /// Returns this machine's credential for the registry in the shape that engines take.
    async fn engine_auth(&self, reference: &ImageRef) -> Option<EngineAuth> {
        let registry = &reference.repository.registry;
        match self.inner.options.credentials.lookup(registry).await {
            Lookup::Found(credential) => Some(EngineAuth::new(&credential, registry)),
            Lookup::None | Lookup::Failed(_) => None,
        }
    }

    pub(super) fn session<'a>(
        &'a self,
        route: &Route,
        repository: &'a Repository,
        purpose: &'a str,
    ) -> Result<Session<'a>, RegistryFailure> {
        let endpoint = self.endpoint(route, &repository.registry, purpose)?;
        let origin = match route {
            Route::Here => repository.to_string(),
            Route::Via(host) => format!("{host} {repository}"),
        };
        Ok(Session {
            endpoint,
            blobs: &self.inner.options.blobs,
            trail: Trail::default(),
            repository,
            origin,
            purpose,
        })
    }
}

/// One repository asked for one purpose.
pub(super) struct Session<'a> {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) blobs: &'a BlobStore,
    trail: Trail,
    repository: &'a Repository,
    /// The repository as the store of blobs remembers it: on another way it may be another one.
    origin: String,
    purpose: &'a str,
}

impl Session<'_> {
    /// Puts what was asked beside how it failed.
    fn on_record(&self, mut failure: RegistryFailure) -> RegistryFailure {
        let gathered = self.trail.gathered();
        let engine = failure.asked.take().and_then(|asked| asked.credential);
        failure.asked = Some(Box::new(Asked {
            requests: gathered.requests,
            credential: gathered.credential.or(engine),
        }));
        failure
    }

    /// Returns the digest that the reference names.
    async fn top(&self, reference: &ImageRef) -> Result<TopDigest, RegistryFailure> {
        let key = reference.manifest_key();
        let head = self
            .fetch(Method::HEAD, &format!("manifests/{key}"), None)
            .await?;
        let told = head.reply.status.is_success().then(|| {
            let digest = head.reply.header(DIGEST_HEADER)?.trim();
            digest.parse::<Digest>().ok()
        });
        let digest = match told.flatten() {
            Some(digest) => digest,
            // A registry that does not tell has to be read, and the reason of a 404 stands in a body.
            None => self.top_by_reading(key).await?,
        };
        if let Some(wanted) = reference.digest()
            && *wanted.digest() != digest
        {
            return Err(self.lied("it names another digest than the one asked for"));
        }
        self.blobs.mark_origin(&self.origin, &digest).await;
        Ok(TopDigest(digest))
    }

    async fn top_by_reading(&self, key: &str) -> Result<Digest, RegistryFailure> {
        let path = format!("manifests/{key}");
        let known = self.endpoint.etag(&self.origin, &path);
        let unless = known.as_ref().map(|(etag, _)| etag.clone());
        let outcome = self.fetch(Method::GET, &path, unless).await?;
        if let (StatusCode::NOT_MODIFIED, Some((_, digest))) = (outcome.reply.status, known) {
            return Ok(digest);
        }
        let reply = self.good(outcome)?;
        // The registry may have computed its own digest in another algorithm.
        let digest = match key.parse::<Digest>() {
            Ok(wanted) if blobs::matches(&wanted, &reply.body) => wanted,
            Ok(_) => return Err(self.lied("the bytes do not match the digest asked for")),
            Err(_) => blobs::sha256_of(&reply.body),
        };
        if let Some(told) = reply.header(DIGEST_HEADER)
            && !told
                .trim()
                .parse::<Digest>()
                .is_ok_and(|told| blobs::matches(&told, &reply.body))
        {
            return Err(self.lied("the bytes do not match the digest that it tells with them"));
        }
        manifest::read_document(&reply.body).map_err(|how| self.lied(&how))?;
        self.blobs.put(&digest, &reply.body).await;
        if let Some(etag) = reply.headers.get(http::header::ETAG) {
            self.endpoint
                .keep_etag(&self.origin, &path, etag.clone(), digest.clone());
        }
        Ok(digest)
    }

    /// Finds out whether the registry holds, or held, a digest and what it is.
    async fn examine(&self, top: &TopDigest, platform: &Platform) -> Examined {
        let digest = top.digest();
        let here = self.blobs.get(digest).await.is_some();
        if here && !self.blobs.came_from(&self.origin, digest).await {
            // The bytes may have come from elsewhere: this repository has to say itself.
            let head = self
                .fetch(Method::HEAD, &format!("manifests/{digest}"), None)
                .await;
            match head {
                Ok(head) if head.reply.status.is_success() => {
                    self.blobs.mark_origin(&self.origin, digest).await;
                }
                Ok(_) => {
                    if let Err(failure) = self.fetch_manifest(digest).await {
                        return absent(failure);
                    }
                }
                Err(failure) => return absent(failure),
            }
        } else if !here && let Err(failure) = self.fetch_manifest(digest).await {
            return absent(failure);
        }
        match self.image(top, platform).await {
            Ok(image) => Examined::Held(Box::new(image)),
            Err(failure) => Examined::Unknown(failure),
        }
    }

    /// Returns the image that a digest names for the platform.
    async fn image(
        &self,
        top: &TopDigest,
        platform: &Platform,
    ) -> Result<RemoteImage, RegistryFailure> {
        let entries = match self.document(top.digest()).await? {
            Document::Index(entries) => entries,
            Document::Manifest(manifest) => {
                let found = Found {
                    top: top.clone(),
                    indexed: false,
                    manifest: top.as_manifest(),
                    platform: None,
                    attestations: Vec::new(),
                };
                return self.finish(found, &manifest).await;
            }
        };
        let (offers, attestations) = self.offers(entries, platform).await?;
        let chosen = match platform.choose(&offers, |offer| offer.platform.as_ref()) {
            Some(offer) => offer.clone(),
            None => self.look_into(&offers, platform).await?,
        };
        let manifest = self.child(&chosen).await?;
        let found = Found {
            top: top.clone(),
            indexed: true,
            attestations: attestations
                .into_iter()
                .filter(|(_, about)| about.as_ref().is_none_or(|about| *about == chosen.digest))
                .map(|(digest, _)| digest)
                .collect(),
            manifest: chosen.digest,
            platform: chosen.platform,
        };
        self.finish(found, &manifest).await
    }

    /// Gathers what an index offers, with the indexes in it, as far as that is needed.
    async fn offers(
        &self,
        entries: Vec<Entry>,
        platform: &Platform,
    ) -> Result<Offers, RegistryFailure> {
        let mut offers: Vec<Entry> = Vec::new();
        let mut attestations = Vec::new();
        let mut opened = 0;
        let mut waiting = VecDeque::from([(entries, 0)]);
        while let Some((entries, depth)) = waiting.pop_front() {
            let mut nested = Vec::new();
            for entry in entries {
                match &entry.kind {
                    EntryKind::Image => offers.push(entry),
                    EntryKind::Index => nested.push(entry),
                    EntryKind::Attestation(about) => {
                        attestations.push((entry.digest, about.clone()));
                    }
                }
            }
            let exact = |offer: &Entry| offer.platform.as_ref() == Some(platform);
            if offers.iter().any(exact) {
                break;
            }
            for entry in nested {
                opened += 1;
                if depth >= DEPTH || opened > OPENED {
                    return Err(self.lied("it nests indexes deeper or wider than any real image"));
                }
                match self.held(&entry.digest).await? {
                    Document::Index(entries) => waiting.push_back((entries, depth + 1)),
                    Document::Manifest(_) => offers.push(entry),
                }
            }
        }
        Ok((offers, attestations))
    }

    /// Looks into entries that do not tell their platform, for want of one that does.
    async fn look_into(
        &self,
        offers: &[Entry],
        platform: &Platform,
    ) -> Result<Entry, RegistryFailure> {
        let mut seen: Vec<Entry> = Vec::new();
        let silent = offers.iter().filter(|offer| offer.platform.is_none());
        for offer in silent.take(LOOKED_INTO) {
            let manifest = self.child(offer).await?;
            let config = self.config(&manifest).await?;
            seen.push(Entry {
                platform: config.platform().cloned(),
                ..offer.clone()
            });
        }
        match platform.choose(&seen, |offer| offer.platform.as_ref()) {
            Some(offer) => Ok(offer.clone()),
            None => {
                let platforms = offers.iter().chain(&seen);
                let offered = list(platforms.filter_map(|offer| offer.platform.as_ref()));
                Err(self
                    .endpoint
                    .asked(self.purpose)
                    .no_platform(&platform.to_string(), &offered))
            }
        }
    }

    /// Adds what only the config tells.
    async fn finish(
        &self,
        found: Found,
        manifest: &OciImageManifest,
    ) -> Result<RemoteImage, RegistryFailure> {
        let config = self.config(manifest).await?;
        manifest::image(found, manifest, &config).map_err(|how| self.lied(&how))
    }

    async fn config(
        &self,
        manifest: &OciImageManifest,
    ) -> Result<manifest::Config, RegistryFailure> {
        let digest = manifest::config_digest(manifest).map_err(|how| self.lied(&how))?;
        let digest = digest.digest();
        let bytes = match self.blobs.get(digest).await {
            Some(bytes) => bytes,
            None => {
                let path = format!("blobs/{digest}");
                let outcome = self.fetch(Method::GET, &path, None).await?;
                let reply = self
                    .good(outcome)
                    .map_err(|failure| self.not_held(failure, "config", digest))?;
                self.verified(digest, reply.body).await?
            }
        };
        manifest::read_config(&bytes).map_err(|how| self.lied(&format!("its config {how}")))
    }

    async fn child(&self, entry: &Entry) -> Result<Box<OciImageManifest>, RegistryFailure> {
        match self.held(&entry.digest).await? {
            Document::Manifest(manifest) => Ok(manifest),
            Document::Index(_) => Err(self.lied("it lists an index as an image")),
        }
    }

    /// Returns a document that an index lists; an index that lists what is not there contradicts itself.
    async fn held(&self, digest: &ManifestDigest) -> Result<Document, RegistryFailure> {
        self.document(digest.digest())
            .await
            .map_err(|failure| self.not_held(failure, "manifest", digest.digest()))
    }

    fn not_held(&self, failure: RegistryFailure, what: &str, digest: &Digest) -> RegistryFailure {
        match failure.trouble {
            Trouble::Gone | Trouble::NotFound => self.lied(&format!(
                "it lists the {what} {}, which it does not hold",
                digest.short()
            )),
            _ => failure,
        }
    }

    pub(super) async fn document(&self, digest: &Digest) -> Result<Document, RegistryFailure> {
        let bytes = match self.blobs.get(digest).await {
            Some(bytes) => bytes,
            None => self.fetch_manifest(digest).await?,
        };
        manifest::read_document(&bytes)
            .map_err(|how| self.lied(&format!("{} {how}", digest.short())))
    }

    async fn fetch_manifest(&self, digest: &Digest) -> Result<Bytes, RegistryFailure> {
        let path = format!("manifests/{digest}");
        let outcome = self.fetch(Method::GET, &path, None).await?;
        let reply = self.good(outcome)?;
        let bytes = self.verified(digest, reply.body).await?;
        self.blobs.mark_origin(&self.origin, digest).await;
        Ok(bytes)
    }

    pub(super) async fn verified(
        &self,
        digest: &Digest,
        bytes: Bytes,
    ) -> Result<Bytes, RegistryFailure> {
        if !blobs::matches(digest, &bytes) {
            return Err(self.lied(&format!(
                "the bytes that it sends for {} do not match that digest",
                digest.short()
            )));
        }
        self.blobs.put(digest, &bytes).await;
        Ok(bytes)
    }

    pub(super) async fn fetch(
        &self,
        method: Method,
        what: &str,
        unless: Option<HeaderValue>,
    ) -> Result<Outcome, RegistryFailure> {
        let blob = what.starts_with("blobs/");
        let errand = Errand {
            method,
            path: format!("/v2/{}/{what}", self.repository.path),
            accept: (!blob).then_some(MANIFESTS),
            scope: format!("repository:{}:pull", self.repository.path),
            limit: if blob { CONFIG_LIMIT } else { MANIFEST_LIMIT },
            // A manifest is an answer of the registry itself.
            follow: if blob {
                Follow::Anywhere
            } else {
                Follow::SameOrigin
            },
            purpose: self.purpose,
            unless,
        };
        self.endpoint.run(&self.trail, &errand).await
    }

    pub(super) fn good(
        &self,
        outcome: Outcome,
    ) -> Result<super::transport::Reply, RegistryFailure> {
        let asked = self.endpoint.asked(self.purpose);
        match outcome.reply.status {
            status if status.is_success() => Ok(outcome.reply),
            StatusCode::NOT_FOUND => Err(asked.not_found(&outcome.standing, &outcome.reply.body)),
            _ => Err(asked.unexpected(&outcome.reply)),
        }
    }

    pub(super) fn lied(&self, how: &str) -> RegistryFailure {
        self.endpoint.asked(self.purpose).lied(how)
    }
}

/// What an index offers, and its attestations with what they speak of.
type Offers = (Vec<Entry>, Vec<(ManifestDigest, Option<ManifestDigest>)>);

fn absent(failure: RegistryFailure) -> Examined {
    match failure.trouble {
        Trouble::Gone => Examined::NotHeld,
        _ => Examined::Unknown(failure),
    }
}

fn list<'a>(platforms: impl Iterator<Item = &'a Platform>) -> String {
    let mut words: Vec<String> = platforms.map(ToString::to_string).collect();
    words.dedup();
    match words.len() {
        0 => "none".to_owned(),
        count if count > 12 => {
            words.truncate(12);
            format!("{} and {} more", words.join(", "), count - 12)
        }
        _ => words.join(", "),
    }
}
