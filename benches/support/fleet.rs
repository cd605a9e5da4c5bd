//! An invented fleet of any size, as observations and answers.

use std::collections::{BTreeMap, BTreeSet};

use homelab_tui::core::digest::{ConfigDigest, Digest, ImageId, ManifestDigest, TopDigest};
use homelab_tui::core::engine::{
    ContainerFacts, ContainerState, EngineFacts, Health, ImageFacts, ImageStore, Observation, Whole,
};
use homelab_tui::core::image::ImageRef;
use homelab_tui::core::labels::{Labels, Texts};
use homelab_tui::core::platform::Platform;
use homelab_tui::core::remote::{Answer, RemoteImage};
use jiff::Timestamp;

/// How many services a host has.
pub const SERVICES: usize = 20;

fn digest(kind: u64, number: usize, more: usize) -> Digest {
    format!("sha256:{kind:016x}{number:016x}{more:016x}{:016x}", 7)
        .parse()
        .unwrap()
}

pub fn at() -> Timestamp {
    "2026-09-05T14:02:10Z".parse().unwrap()
}

/// References are shared by about ten hosts, as they are among people's machines.
fn application(host: usize, service: usize) -> usize {
    (host / 10) * SERVICES + service
}

pub fn reference(host: usize, service: usize) -> String {
    format!(
        "ghcr.io/me/app{}:1.{}",
        application(host, service),
        service % 5
    )
}

/// One host with twenty services in four projects.
pub fn observation(host: usize) -> Observation {
    let mut containers = Vec::new();
    let mut texts = Texts::default();
    let mut images = BTreeMap::new();
    for service in 0..SERVICES {
        let project = format!("project{}", service / 5);
        let image = ImageId(digest(1, application(host, service), service));
        let labels = [
            ("project", project.clone()),
            ("service", format!("service{service}")),
            ("oneoff", "False".to_owned()),
            ("version", "2.40.3".to_owned()),
            ("container-number", "1".to_owned()),
            ("config-hash", format!("{:064x}", service)),
            ("project.working_dir", format!("/opt/{project}")),
            (
                "project.config_files",
                format!("/opt/{project}/compose.yaml"),
            ),
        ];
        let mut labels: Labels = labels
            .into_iter()
            .map(|(name, value)| (format!("com.docker.compose.{name}"), value))
            .collect();
        // As whoever asks an engine does.
        labels.share(&mut texts);
        containers.push(ContainerFacts {
            id: format!("{host:032x}{service:032x}").as_str().into(),
            name: format!("{project}-service{service}-1"),
            image_id: image.clone(),
            reference: reference(host, service),
            manifest: None,
            labels,
            state: ContainerState::Running,
            health: Health::Healthy,
            exit_code: None,
            created: Some(at()),
            started: Some(at()),
            restarts: 0,
            ports: vec![format!("0.0.0.0:{}->80/tcp", 8000 + service)],
            network_mode: format!("{project}_default"),
        });
        let named: ImageRef = reference(host, service).parse().unwrap();
        let top = TopDigest(digest(2, application(host, service), 0));
        images.insert(
            image.clone(),
            ImageFacts {
                id: image,
                tags: vec![named.clone()],
                digests: vec![(named.repository, top)],
                created: Some(at()),
                platform: Some(platform()),
                size: Some(80 << 20),
                revision: Some("4be91c07d2".to_owned()),
                version: None,
                source: Some("https://example.org/me/app".to_owned()),
                diff_ids: Vec::new(),
                complete: true,
                removed: false,
            },
        );
    }
    Observation {
        at: at(),
        engine: EngineFacts {
            version: "28.5.2".to_owned(),
            api: "1.51".to_owned(),
            store: ImageStore::Graph,
            driver: "overlay2".to_owned(),
            platform: platform(),
            data_root: None,
        },
        containers,
        images,
        whole: Some(Whole { builds: false }),
        pulled: BTreeSet::new(),
    }
}

fn platform() -> Platform {
    Platform::new("linux", "amd64", None)
}

/// What the registry says of a reference: every third one has moved on.
pub fn answer(reference: &ImageRef) -> Answer {
    let number: usize = reference
        .repository
        .path
        .rsplit("app")
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let newer = number.is_multiple_of(3);
    let top = TopDigest(digest(2, number, usize::from(newer)));
    let image = newer.then(|| RemoteImage {
        top: top.clone(),
        indexed: true,
        manifest: ManifestDigest(digest(3, number, 1)),
        platform: Some(platform()),
        config: ConfigDigest(digest(4, number, 1)),
        config_size: 2000,
        created: Some("2026-09-06T00:00:00Z".parse().unwrap()),
        revision: Some("91c07d2aaa".to_owned()),
        version: None,
        source: None,
        layers: Vec::new(),
        attestations: Vec::new(),
    });
    Answer {
        at: at(),
        top,
        image,
        examined: Vec::new(),
        requests: Vec::new(),
        credential: None,
        quota: None,
        remark: None,
    }
}
