//! The engine's JSON turned into facts: pure, and lenient where an engine leaves something out.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::core::digest::{DiffId, ImageId, ManifestDigest, TopDigest};
use crate::core::engine::{
    ContainerFacts, ContainerState, EngineFacts, Health, ImageFacts, ImageStore,
};
use crate::core::image::{ImageRef, Repository};
use crate::core::labels::Labels;
use crate::core::names::ContainerId;
use crate::core::platform::Platform;

use super::wire;

/// The most labels of one container that are kept, and the longest value.
const MOST_LABELS: usize = 512;
const LONGEST_LABEL: usize = 16 * 1024;

/// Joins version and info into the engine's facts.
pub fn engine(api: String, version: wire::Version, info: wire::Info) -> EngineFacts {
    let store = info.driver_status.iter().flatten().any(|pair| {
        matches!(pair.as_slice(), [name, value, ..]
            if name == "driver-type" && value == "io.containerd.snapshotter.v1")
    });
    EngineFacts {
        platform: platform_of(&version, &info),
        version: version.version.or(info.server_version).unwrap_or_default(),
        api,
        store: if store {
            ImageStore::Containerd
        } else {
            ImageStore::Graph
        },
        driver: info.driver.unwrap_or_default(),
        data_root: info.docker_root_dir.filter(|path| !path.is_empty()),
    }
}

/// Tells for which platform the engine pulls: its own build, with the variant of the kernel's machine.
fn platform_of(version: &wire::Version, info: &wire::Info) -> Platform {
    let os = version.os.as_deref().or(info.os_type.as_deref());
    let machine = info.architecture.as_deref().unwrap_or_default();
    let build = version.arch.as_deref().filter(|arch| !arch.is_empty());
    let (arch, variant) = match (build, machine) {
        // A 32-bit engine on a 64-bit kernel pulls 32-bit images.
        (Some("arm"), "aarch64" | "armv8l") => ("arm", Some("v8")),
        (Some("arm"), "armv7l") => ("arm", Some("v7")),
        (Some("arm"), "armv6l") => ("arm", Some("v6")),
        (Some("arm"), "armv5tel" | "armv5tejl") => ("arm", Some("v5")),
        (Some(build), _) => (build, None),
        (None, machine) => (machine, None),
    };
    Platform::new(os.unwrap_or("linux"), arch, variant)
}

/// Turns an inspected container into facts; nothing where it has no image Id.
pub fn container(
    container: wire::Container,
    listed: &wire::ListedContainer,
) -> Option<ContainerFacts> {
    let config = container.config.unwrap_or_default();
    let state = container.state.unwrap_or_default();
    let inspected = container.image.as_deref().and_then(parse_image_id);
    let image_id = inspected.or_else(|| listed.image_id.as_deref().and_then(parse_image_id))?;
    let manifest = container
        .image_manifest_descriptor
        .as_ref()
        .or(listed.image_manifest_descriptor.as_ref())
        .and_then(|descriptor| descriptor.digest.as_deref())
        .and_then(|digest| digest.parse::<ManifestDigest>().ok());
    let word = state.status.or_else(|| listed.state.clone());
    let life = ContainerState::from_word(word.as_deref().unwrap_or_default());
    let ended = matches!(life, ContainerState::Exited | ContainerState::Dead);
    let name = container.name.unwrap_or_default();
    Some(ContainerFacts {
        id: ContainerId::from(container.id),
        name: name.trim_start_matches('/').to_owned(),
        image_id,
        reference: config
            .image
            .or_else(|| listed.image.clone())
            .unwrap_or_default(),
        manifest,
        labels: labels(config.labels),
        state: life,
        health: health(state.health.and_then(|health| health.status).as_deref()),
        exit_code: state.exit_code.filter(|_| ended),
        created: container.created.as_deref().and_then(moment),
        started: state.started_at.as_deref().and_then(moment),
        restarts: container.restart_count.unwrap_or(0),
        ports: ports(container.network_settings.and_then(|network| network.ports)),
        network_mode: container
            .host_config
            .and_then(|host| host.network_mode)
            .unwrap_or_default(),
    })
}

/// Returns what of a listed container shows that its details are others now.
///
/// The words of the status that are ages are left out, as they change by themselves.
pub fn state_class(listed: &wire::ListedContainer) -> String {
    let state = listed.state.as_deref().unwrap_or_default();
    let status = listed.status.as_deref().unwrap_or_default();
    let parts: Vec<&str> = status
        .split('(')
        .skip(1)
        .filter_map(|part| part.split_once(')').map(|(inner, _)| inner))
        .collect();
    format!("{state} {}", parts.join(" "))
}

/// What an image's inspection adds to its entry in the list; none of it ever changes under one Id.
#[derive(Debug, Clone, Default)]
pub struct ImageDetails {
    pub created: Option<Timestamp>,
    pub platform: Option<Platform>,
    pub size: Option<u64>,
    pub labels: Labels,
    pub diff_ids: Vec<DiffId>,
    pub complete: bool,
}

/// Reads an image's inspection.
pub fn image_details(image: wire::Image) -> ImageDetails {
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    let os = filled(image.os);
    let architecture = filled(image.architecture);
    let platform = match (&os, &architecture) {
        (Some(os), Some(arch)) => Some(Platform::new(os, arch, image.variant.as_deref())),
        _ => None,
    };
    let layers = image.root_fs.and_then(|fs| fs.layers).unwrap_or_default();
    let diff_ids: Vec<DiffId> = layers.iter().filter_map(|id| id.parse().ok()).collect();
    ImageDetails {
        created: image.created.as_deref().and_then(moment),
        // Half-stored images answer with empty fields: they are unknown, not empty.
        complete: platform.is_some() && !diff_ids.is_empty() && diff_ids.len() == layers.len(),
        platform,
        size: image.size.and_then(|size| u64::try_from(size).ok()),
        labels: labels(image.config.and_then(|config| config.labels)),
        diff_ids,
    }
}

/// Joins an image's names with its details, if it was inspected.
pub fn image(
    id: ImageId,
    listed: Option<&wire::ListedImage>,
    details: Option<&ImageDetails>,
) -> ImageFacts {
    let list_labels = listed.map(|listed| labels(listed.labels.clone()));
    let label = |name: &str| {
        let own = details.and_then(|details| details.labels.get(name));
        let own = own.or_else(|| list_labels.as_ref().and_then(|labels| labels.get(name)));
        own.filter(|value| !value.is_empty()).map(str::to_owned)
    };
    let list_created = listed
        .and_then(|listed| listed.created)
        .filter(|second| *second > 0)
        .and_then(|second| Timestamp::from_second(second).ok());
    ImageFacts {
        id,
        tags: listed.map_or_else(Vec::new, |listed| tags(listed.repo_tags.as_deref())),
        digests: listed.map_or_else(Vec::new, |listed| digests(listed.repo_digests.as_deref())),
        created: details.and_then(|details| details.created).or(list_created),
        platform: details.and_then(|details| details.platform.clone()),
        size: details.and_then(|details| details.size).or_else(|| {
            let size = listed?.size?;
            u64::try_from(size).ok()
        }),
        revision: label("org.opencontainers.image.revision"),
        version: label("org.opencontainers.image.version"),
        source: label("org.opencontainers.image.source"),
        diff_ids: details.map_or_else(Vec::new, |details| details.diff_ids.clone()),
        complete: details.is_some_and(|details| details.complete),
        removed: listed.is_none(),
    }
}

/// Reads an Id; some engines leave out the algorithm.
pub fn parse_image_id(text: &str) -> Option<ImageId> {
    text.parse()
        .or_else(|_| format!("sha256:{text}").parse())
        .ok()
}

/// Reads tags, without those that are digests in disguise.
pub fn tags(list: Option<&[String]>) -> Vec<ImageRef> {
    list.unwrap_or_default()
        .iter()
        .filter(|tag| !tag.contains('@') && !tag.contains("<none>"))
        .filter_map(|tag| tag.parse().ok())
        .collect()
}

fn digests(list: Option<&[String]>) -> Vec<(Repository, TopDigest)> {
    let pair = |text: &String| {
        let reference: ImageRef = text.parse().ok()?;
        let digest = reference.digest()?.clone();
        Some((reference.repository, digest))
    };
    list.unwrap_or_default().iter().filter_map(pair).collect()
}

fn labels(labels: Option<BTreeMap<String, Option<String>>>) -> Labels {
    labels
        .unwrap_or_default()
        .into_iter()
        .map(|(name, value)| (name, value.unwrap_or_default()))
        .filter(|(name, value)| name.len() <= 1024 && value.len() <= LONGEST_LABEL)
        .take(MOST_LABELS)
        .collect()
}

fn health(word: Option<&str>) -> Health {
    match word {
        Some("starting") => Health::Starting,
        Some("healthy") => Health::Healthy,
        Some("unhealthy") => Health::Unhealthy,
        _ => Health::None,
    }
}

/// Reads a moment; the year 1 stands for never.
fn moment(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>()
        .ok()
        .filter(|at| at.as_second() > 0)
}

/// Writes published ports as `8080->80/tcp`, with the address where it is not every one.
fn ports(ports: Option<BTreeMap<String, Option<Vec<wire::Binding>>>>) -> Vec<String> {
    let mut out = Vec::new();
    for (inner, bindings) in ports.unwrap_or_default() {
        for binding in bindings.unwrap_or_default() {
            let outer = binding.host_port.unwrap_or_default();
            if outer.is_empty() {
                continue;
            }
            let text = match binding.host_ip.as_deref() {
                None | Some("" | "0.0.0.0" | "::") => format!("{outer}->{inner}"),
                Some(address) if address.contains(':') => format!("[{address}]:{outer}->{inner}"),
                Some(address) => format!("{address}:{outer}->{inner}"),
            };
            if !out.contains(&text) {
                out.push(text);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn id(byte: &str) -> String {
        format!("sha256:{}", byte.repeat(32))
    }

    fn engine_of(version: &str, info: &str) -> EngineFacts {
        engine(
            "1.41".to_owned(),
            serde_json::from_str(version).unwrap(),
            serde_json::from_str(info).unwrap(),
        )
    }

    #[test]
    fn the_image_store_is_told_by_the_driver_s_status() {
        let graph = engine_of(
            r#"{"Version":"20.10.24+dfsg1","Os":"linux","Arch":"amd64"}"#,
            r#"{"Driver":"overlay2","DriverStatus":[["Backing Filesystem","extfs"],["userxattr","false"]],"Architecture":"x86_64","DockerRootDir":"/var/lib/docker"}"#,
        );
        assert_eq!(graph.store, ImageStore::Graph);
        assert_eq!(graph.platform.to_string(), "linux/amd64");
        assert_eq!(graph.data_root.as_deref(), Some("/var/lib/docker"));
        let containerd = engine_of(
            r#"{"Version":"28.5.2","Os":"linux","Arch":"arm64"}"#,
            r#"{"Driver":"overlayfs","DriverStatus":[["driver-type","io.containerd.snapshotter.v1"]],"Architecture":"aarch64"}"#,
        );
        assert_eq!(containerd.store, ImageStore::Containerd);
        assert_eq!(containerd.platform.to_string(), "linux/arm64");
        let bare = engine_of("{}", r#"{"DriverStatus":null}"#);
        assert_eq!(bare.store, ImageStore::Graph);
    }

    #[test]
    fn a8_the_engine_s_build_decides_the_platform() {
        for (arch, machine, platform) in [
            ("arm", "aarch64", "linux/arm/v8"),
            ("arm", "armv7l", "linux/arm/v7"),
            ("arm", "armv6l", "linux/arm/v6"),
            ("386", "x86_64", "linux/386"),
            ("", "armv7l", "linux/arm/v7"),
            ("riscv64", "riscv64", "linux/riscv64"),
        ] {
            let version = format!(r#"{{"Os":"linux","Arch":"{arch}"}}"#);
            let info = format!(r#"{{"Architecture":"{machine}"}}"#);
            assert_eq!(engine_of(&version, &info).platform.to_string(), platform);
        }
    }

    #[test]
    fn a_container_keeps_what_matters_and_no_environment() {
        let text = format!(
            r#"{{"Id":"f36b","Name":"/blog-web-1","Created":"2026-11-21T04:18:51.655570396Z","Image":"{}","RestartCount":2,
            "ImageManifestDescriptor":{{"mediaType":"x","digest":"{}","size":1}},
            "State":{{"Status":"exited","ExitCode":137,"StartedAt":"0001-01-01T00:00:00Z","Health":{{"Status":"unhealthy","Log":[]}}}},
            "Config":{{"Image":"me/web:1","Env":["PASSWORD=s3cret"],"Labels":{{"com.docker.compose.project":"blog","odd":null}}}},
            "HostConfig":{{"NetworkMode":"container:abc"}},
            "NetworkSettings":{{"Ports":{{"80/tcp":[{{"HostIp":"0.0.0.0","HostPort":"8080"}},{{"HostIp":"::","HostPort":"8080"}}],
            "443/tcp":[{{"HostIp":"127.0.0.1","HostPort":"8443"}}],"9000/tcp":null}}}}}}"#,
            id("0a"),
            id("0b")
        );
        let wire: wire::Container = serde_json::from_str(&text).unwrap();
        let facts = container(wire, &wire::ListedContainer::default()).unwrap();
        assert_eq!(facts.name, "blog-web-1");
        assert_eq!(facts.exit_code, Some(137));
        assert_eq!(facts.started, None);
        assert_eq!(facts.health, Health::Unhealthy);
        assert_eq!(facts.restarts, 2);
        assert_eq!(facts.ports, ["127.0.0.1:8443->443/tcp", "8080->80/tcp"]);
        assert_eq!(facts.manifest.as_ref().unwrap().to_string(), id("0b"));
        assert_eq!(facts.network_mode, "container:abc");
        assert_eq!(facts.labels.get("odd"), Some(""));
        assert!(!format!("{facts:?}").contains("s3cret"));
    }

    #[test]
    fn ages_in_the_status_are_no_change() {
        let class = |state: &str, status: &str| {
            state_class(&wire::ListedContainer {
                state: Some(state.to_owned()),
                status: Some(status.to_owned()),
                ..Default::default()
            })
        };
        let up = class("running", "Up 3 hours (healthy)");
        assert_eq!(up, class("running", "Up 4 hours (healthy)"));
        assert_ne!(up, class("running", "Up 4 hours (unhealthy)"));
        assert_ne!(
            class("exited", "Exited (0) 3 hours ago"),
            class("exited", "Exited (1) 3 hours ago")
        );
    }

    #[test]
    fn a6_names_that_are_none_are_dropped() {
        let listed: wire::ListedImage = serde_json::from_str(&format!(
            r#"{{"Id":"{0}","RepoTags":["alpine:3","alpine@{0}","<none>:<none>","r.lan:5000/a:b"],
            "RepoDigests":["alpine@{0}","<none>@<none>"],"Created":1795234731,"Size":12,"Labels":null}}"#,
            id("0a")
        ))
        .unwrap();
        let facts = image(id("0a").parse().unwrap(), Some(&listed), None);
        let tags: Vec<String> = facts.tags.iter().map(ToString::to_string).collect();
        assert_eq!(tags, ["docker.io/library/alpine:3", "r.lan:5000/a:b"]);
        assert_eq!(facts.digests.len(), 1);
        assert_eq!(facts.digests[0].0.to_string(), "docker.io/library/alpine");
        assert!(!facts.complete, "what was not inspected is not known");
        let null: wire::ListedImage =
            serde_json::from_str(r#"{"Id":"x","RepoTags":null,"RepoDigests":null}"#).unwrap();
        assert_eq!(tags_of(&null), 0);
    }

    fn tags_of(listed: &wire::ListedImage) -> usize {
        tags(listed.repo_tags.as_deref()).len()
    }

    #[test]
    fn a_half_stored_image_is_not_complete() {
        let half: wire::Image = serde_json::from_str(&format!(
            r#"{{"Id":"{}","Architecture":"","Os":"","RootFS":{{}},"Config":null,"Created":""}}"#,
            id("0a")
        ))
        .unwrap();
        let details = image_details(half);
        assert!(!details.complete && details.platform.is_none() && details.created.is_none());
        let whole: wire::Image = serde_json::from_str(&format!(
            r#"{{"Architecture":"arm","Variant":"v7","Os":"linux","RootFS":{{"Type":"layers","Layers":["{}"]}},
            "Config":{{"Labels":{{"org.opencontainers.image.revision":"abc"}}}}}}"#,
            id("0c")
        ))
        .unwrap();
        let details = image_details(whole);
        assert!(details.complete);
        let facts = image(id("0a").parse().unwrap(), None, Some(&details));
        assert_eq!(facts.revision.as_deref(), Some("abc"));
        assert_eq!(facts.platform.unwrap().to_string(), "linux/arm/v7");
    }
}
