//! Images and indexes made byte by byte.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Repo;

pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// A document with all that it refers to.
#[derive(Clone)]
pub struct Blob {
    pub digest: String,
    pub media_type: String,
    pub bytes: Vec<u8>,
    pub config_digest: Option<String>,
    platform: Option<Value>,
    children: Vec<Blob>,
    blobs: Vec<(String, Vec<u8>)>,
}

impl Blob {
    /// Puts the document and all below it into a repository.
    pub fn store(&self, repo: &mut Repo) {
        repo.manifests.insert(
            self.digest.clone(),
            (self.media_type.clone(), self.bytes.clone()),
        );
        for child in &self.children {
            child.store(repo);
        }
        repo.blobs.extend(self.blobs.iter().cloned());
    }

    /// Makes a document of any JSON.
    pub fn of(media_type: &str, value: &Value) -> Self {
        let bytes = serde_json::to_vec_pretty(value).unwrap();
        Self {
            digest: digest(&bytes),
            media_type: media_type.to_owned(),
            bytes,
            config_digest: None,
            platform: None,
            children: Vec::new(),
            blobs: Vec::new(),
        }
    }
}

/// Computes a digest.
pub fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{hex}")
}

/// An image to be made.
pub struct Image<'a> {
    pub platform: &'a str,
    pub created: &'a str,
    pub revision: &'a str,
    pub docker: bool,
}

impl Default for Image<'_> {
    fn default() -> Self {
        Self {
            platform: "linux/amd64",
            created: "2026-01-02T03:04:05Z",
            revision: "0123abc",
            docker: false,
        }
    }
}

/// Makes an image of one platform with two layers.
pub fn image(of: &Image<'_>) -> Blob {
    let mut parts = of.platform.split('/');
    let os = parts.next().unwrap();
    let arch = parts.next().unwrap();
    let mut platform = json!({"os": os, "architecture": arch});
    if let Some(variant) = parts.next() {
        platform["variant"] = json!(variant);
    }
    let layers: Vec<Vec<u8>> = ["base", "app"]
        .iter()
        .map(|name| format!("{name} {} {}", of.platform, of.revision).into_bytes())
        .collect();
    let mut config = platform.clone();
    config["created"] = json!(of.created);
    config["config"] = json!({"Labels": {
        "org.opencontainers.image.revision": of.revision,
        "org.opencontainers.image.version": "1.2.3",
        "org.opencontainers.image.source": "https://example.invalid/src",
    }});
    config["rootfs"] = json!({"type": "layers", "diff_ids":
        layers.iter().map(|layer| digest(&[layer, &b"unpacked"[..]].concat())).collect::<Vec<_>>()});
    config["history"] = json!([
        {"created_by": "ADD base /"},
        {"created_by": "ENV A=b", "empty_layer": true},
        {"created_by": "COPY app /"},
    ]);
    let config = serde_json::to_vec(&config).unwrap();
    let (kind, config_kind) = if of.docker {
        (
            DOCKER_MANIFEST,
            "application/vnd.docker.container.image.v1+json",
        )
    } else {
        (OCI_MANIFEST, "application/vnd.oci.image.config.v1+json")
    };
    let described: Vec<Value> = layers
        .iter()
        .map(|layer| {
            json!({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                   "digest": digest(layer), "size": layer.len()})
        })
        .collect();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": kind,
        "config": {"mediaType": config_kind, "digest": digest(&config), "size": config.len()},
        "layers": described,
    });
    let mut made = Blob::of(kind, &manifest);
    made.platform = Some(platform);
    made.config_digest = Some(digest(&config));
    made.blobs.push((digest(&config), config));
    made.blobs
        .extend(layers.into_iter().map(|layer| (digest(&layer), layer)));
    made
}

/// Makes a manifest of attestations about an image.
pub fn attestation(about: &Blob) -> Blob {
    let statement = format!("{{\"about\":\"{}\"}}", about.digest).into_bytes();
    let config = b"{}".to_vec();
    let layer = json!({"mediaType": "application/vnd.in-toto+json", "digest": digest(&statement),
        "size": statement.len(),
        "annotations": {"in-toto.io/predicate-type": "https://slsa.dev/provenance/v1"}});
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                   "digest": digest(&config), "size": config.len()},
        "layers": [layer],
    });
    let mut made = Blob::of(OCI_MANIFEST, &manifest);
    made.blobs = vec![(digest(&config), config), (digest(&statement), statement)];
    made
}

/// Makes an index of images and indexes, with an attestation for each image if wanted.
pub fn index(children: &[Blob], attested: bool) -> Blob {
    let mut entries: Vec<Value> = children
        .iter()
        .map(|child| {
            let mut entry = json!({"mediaType": child.media_type, "digest": child.digest,
                                   "size": child.bytes.len()});
            if let Some(platform) = &child.platform {
                entry["platform"] = platform.clone();
            }
            entry
        })
        .collect();
    let mut all = children.to_vec();
    if attested {
        for child in children {
            let own = attestation(child);
            entries.push(json!({"mediaType": OCI_MANIFEST, "digest": own.digest,
                "size": own.bytes.len(),
                "platform": {"os": "unknown", "architecture": "unknown"},
                "annotations": {"vnd.docker.reference.type": "attestation-manifest",
                                "vnd.docker.reference.digest": child.digest}}));
            all.push(own);
        }
    }
    let mut made = Blob::of(
        OCI_INDEX,
        &json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}),
    );
    made.children = all;
    made
}

/// Takes the platform off a document, so that an index does not tell it.
pub fn without_platform(mut blob: Blob) -> Blob {
    blob.platform = None;
    blob
}
