//! Images and indexes, made blob by blob: layers, packing, dates, labels and media types are as the
//! test says, and the same input gives the same digests.

use std::fs;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    archive::{Entry, gzip, tar, zstd},
    dice::Dice,
    lab::Lab,
};

/// How a layer travels.
#[derive(Debug, Clone, Copy)]
pub enum Packing {
    Tar,
    /// The number makes other bytes (another digest) for the same content.
    Gzip(u32),
    Zstd,
}

/// A layer: what it unpacks to and how it is packed.
#[derive(Clone)]
pub struct Layer {
    tar: Vec<u8>,
    packing: Packing,
}

impl Layer {
    pub fn of(entries: &[Entry<'_>]) -> Self {
        Self {
            tar: tar(entries),
            packing: Packing::Gzip(0),
        }
    }

    /// A layer with one file of this many bytes that no compression would shrink.
    pub fn random(seed: u64, size: usize) -> Self {
        let mut dice = Dice::new(seed);
        let mut content = Vec::with_capacity(size + 8);
        while content.len() < size {
            content.extend_from_slice(&dice.number().to_le_bytes());
        }
        content.truncate(size);
        Self::of(&[Entry::File(
            &format!("random-{seed}-{size}"),
            0o644,
            &content,
        )])
    }

    #[must_use]
    pub fn packed(mut self, packing: Packing) -> Self {
        self.packing = packing;
        self
    }

    pub fn diff_id(&self) -> String {
        digest_of(&self.tar)
    }
}

/// Bytes with their digest and media type.
#[derive(Clone)]
pub struct Blob {
    pub media: String,
    pub digest: String,
    pub bytes: Vec<u8>,
}

impl Blob {
    pub fn new(media: &str, bytes: Vec<u8>) -> Self {
        Self {
            media: media.to_owned(),
            digest: digest_of(&bytes),
            bytes,
        }
    }

    pub fn descriptor(&self) -> Value {
        json!({"mediaType": self.media, "digest": self.digest, "size": self.bytes.len()})
    }
}

/// A finished image: its manifest, config and layers.
#[derive(Clone)]
pub struct Built {
    pub manifest: Blob,
    pub config: Blob,
    pub layers: Vec<Blob>,
    pub diff_ids: Vec<String>,
    pub platform: Value,
}

/// A finished index and the images that it names.
#[derive(Clone)]
pub struct BuiltIndex {
    pub manifest: Blob,
    pub images: Vec<Built>,
}

/// An image in the making; what is not said is Docker's own media types, linux/amd64, a fixed date.
#[derive(Clone)]
pub struct Image {
    layers: Vec<Layer>,
    config: Value,
    created: String,
    platform: Value,
    oci: bool,
    annotations: Value,
}

impl Image {
    pub fn empty() -> Self {
        Self {
            layers: Vec::new(),
            config: json!({}),
            created: "2026-01-01T00:00:00Z".to_owned(),
            platform: json!({"os": "linux", "architecture": "amd64"}),
            oci: false,
            annotations: Value::Null,
        }
    }

    /// An image that runs: a static busybox, and a shell that waits and ends at once on TERM.
    pub fn busybox(lab: &Lab) -> Self {
        let busybox = fs::read(lab.fact("busybox")).unwrap();
        let base = Layer::of(&[
            Entry::Folder("bin/"),
            Entry::File("bin/busybox", 0o755, &busybox),
            Entry::Link("bin/sh", "busybox"),
            Entry::Folder("tmp/"),
        ]);
        Self::empty()
            .layer(base)
            .platform("linux", machine(), None)
            .config(
                "Entrypoint",
                json!([
                    "/bin/sh",
                    "-c",
                    "trap 'exit 0' TERM INT; while :; do busybox sleep 3600 & wait; done"
                ]),
            )
    }

    #[must_use]
    pub fn layer(mut self, layer: Layer) -> Self {
        self.layers.push(layer);
        self
    }

    #[must_use]
    pub fn created(mut self, date: &str) -> Self {
        date.clone_into(&mut self.created);
        self
    }

    /// A field of the image's configuration: `Cmd`, `Env`, `Healthcheck`, `StopSignal`, ...
    #[must_use]
    pub fn config(mut self, field: &str, value: Value) -> Self {
        self.config[field] = value;
        self
    }

    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.config["Labels"][name] = value.into();
        self
    }

    #[must_use]
    pub fn platform(mut self, os: &str, architecture: &str, variant: Option<&str>) -> Self {
        self.platform = json!({"os": os, "architecture": architecture});
        if let Some(variant) = variant {
            self.platform["variant"] = variant.into();
        }
        self
    }

    /// OCI media types in place of Docker's; zstd layers need them.
    #[must_use]
    pub fn oci(mut self) -> Self {
        self.oci = true;
        self
    }

    #[must_use]
    pub fn annotation(mut self, name: &str, value: &str) -> Self {
        self.annotations[name] = value.into();
        self
    }

    pub fn build(&self) -> Built {
        let diff_ids: Vec<String> = self.layers.iter().map(Layer::diff_id).collect();
        let layers: Vec<Blob> = self.layers.iter().map(|layer| self.pack(layer)).collect();
        let mut config = self.platform.clone();
        config["created"] = self.created.clone().into();
        config["config"] = self.config.clone();
        config["rootfs"] = json!({"type": "layers", "diff_ids": diff_ids});
        config["history"] = self
            .layers
            .iter()
            .map(|_| json!({"created": self.created}))
            .collect();
        let (config_media, manifest_media) = if self.oci {
            (
                "application/vnd.oci.image.config.v1+json",
                "application/vnd.oci.image.manifest.v1+json",
            )
        } else {
            (
                "application/vnd.docker.container.image.v1+json",
                "application/vnd.docker.distribution.manifest.v2+json",
            )
        };
        let config = Blob::new(config_media, config.to_string().into_bytes());
        let mut manifest = json!({
            "schemaVersion": 2, "mediaType": manifest_media, "config": config.descriptor(),
            "layers": layers.iter().map(Blob::descriptor).collect::<Vec<_>>(),
        });
        if !self.annotations.is_null() {
            manifest["annotations"] = self.annotations.clone();
        }
        let manifest = Blob::new(manifest_media, manifest.to_string().into_bytes());
        Built {
            manifest,
            config,
            layers,
            diff_ids,
            platform: self.platform.clone(),
        }
    }

    fn pack(&self, layer: &Layer) -> Blob {
        let oci = "application/vnd.oci.image.layer.v1.tar";
        let docker = "application/vnd.docker.image.rootfs.diff.tar";
        let stem = if self.oci { oci } else { docker };
        match layer.packing {
            Packing::Tar => Blob::new(stem, layer.tar.clone()),
            Packing::Gzip(time) if self.oci => {
                Blob::new(&format!("{oci}+gzip"), gzip(&layer.tar, time))
            }
            Packing::Gzip(time) => Blob::new(&format!("{docker}.gzip"), gzip(&layer.tar, time)),
            Packing::Zstd => Blob::new(&format!("{oci}+zstd"), zstd(&layer.tar)),
        }
    }
}

/// An index in the making (a manifest list with [`Index::docker`]).
#[derive(Clone)]
pub struct Index {
    entries: Vec<(Value, Option<Built>)>,
    annotations: Value,
    media: &'static str,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            annotations: Value::Null,
            media: "application/vnd.oci.image.index.v1+json",
        }
    }
}

impl Index {
    pub fn of(images: &[&Built]) -> Self {
        images
            .iter()
            .fold(Self::default(), |index, image| index.image(image))
    }

    #[must_use]
    pub fn docker(mut self) -> Self {
        self.media = "application/vnd.docker.distribution.manifest.list.v2+json";
        self
    }

    #[must_use]
    pub fn image(mut self, image: &Built) -> Self {
        let mut entry = image.manifest.descriptor();
        entry["platform"] = image.platform.clone();
        self.entries.push((entry, Some(image.clone())));
        self
    }

    /// What BuildKit adds beside an image: a manifest for `unknown/unknown` that names it.
    #[must_use]
    pub fn attestation(mut self, image: &Built, text: &str) -> Self {
        let statement = json!({"_type": "https://in-toto.io/Statement/v0.1", "predicate": text});
        let statement = Blob::new(
            "application/vnd.in-toto+json",
            statement.to_string().into_bytes(),
        );
        let config = json!({"architecture": "unknown", "os": "unknown", "config": {},
            "rootfs": {"type": "layers", "diff_ids": [statement.digest]}});
        let config = Blob::new(
            "application/vnd.oci.image.config.v1+json",
            config.to_string().into_bytes(),
        );
        let media = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({"schemaVersion": 2, "mediaType": media,
            "config": config.descriptor(), "layers": [statement.descriptor()]});
        let manifest = Blob::new(media, manifest.to_string().into_bytes());
        let platform = json!({"os": "unknown", "architecture": "unknown"});
        let mut entry = manifest.descriptor();
        entry["platform"] = platform.clone();
        entry["annotations"] = json!({
            "vnd.docker.reference.digest": image.manifest.digest,
            "vnd.docker.reference.type": "attestation-manifest",
        });
        let layers = vec![statement];
        self.entries.push((
            entry,
            Some(Built {
                manifest,
                config,
                layers,
                diff_ids: Vec::new(),
                platform,
            }),
        ));
        self
    }

    /// Any entry, for instance one whose manifest the registry does not have.
    #[must_use]
    pub fn entry(mut self, entry: Value) -> Self {
        self.entries.push((entry, None));
        self
    }

    #[must_use]
    pub fn annotation(mut self, name: &str, value: &str) -> Self {
        self.annotations[name] = value.into();
        self
    }

    pub fn build(&self) -> BuiltIndex {
        let mut index = json!({
            "schemaVersion": 2, "mediaType": self.media,
            "manifests": self.entries.iter().map(|(entry, _)| entry).collect::<Vec<_>>(),
        });
        if !self.annotations.is_null() {
            index["annotations"] = self.annotations.clone();
        }
        let images = self
            .entries
            .iter()
            .filter_map(|(_, image)| image.clone())
            .collect();
        BuiltIndex {
            manifest: Blob::new(self.media, index.to_string().into_bytes()),
            images,
        }
    }
}

pub fn digest_of(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{hex}")
}

/// This machine's architecture in the words of image platforms.
pub fn machine() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
