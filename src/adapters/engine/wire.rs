//! The engine's JSON as it is, with every field optional: old engines, proxies and half-stored images leave out much.
//!
//! Values of environment variables are not even read.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Version {
    pub version: Option<String>,
    pub os: Option<String>,
    pub arch: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Info {
    pub server_version: Option<String>,
    #[serde(rename = "OSType")]
    pub os_type: Option<String>,
    pub architecture: Option<String>,
    pub driver: Option<String>,
    /// Pairs of words; some engines send none.
    pub driver_status: Option<Vec<Vec<String>>>,
    pub docker_root_dir: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListedContainer {
    pub id: String,
    #[serde(rename = "ImageID")]
    pub image_id: Option<String>,
    pub image: Option<String>,
    pub state: Option<String>,
    pub status: Option<String>,
    pub image_manifest_descriptor: Option<Descriptor>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Descriptor {
    pub digest: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Container {
    pub id: String,
    pub name: Option<String>,
    pub created: Option<String>,
    pub image: Option<String>,
    pub restart_count: Option<u64>,
    pub image_manifest_descriptor: Option<Descriptor>,
    pub state: Option<State>,
    pub config: Option<ContainerConfig>,
    pub host_config: Option<HostConfig>,
    pub network_settings: Option<NetworkSettings>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct State {
    pub status: Option<String>,
    pub exit_code: Option<i64>,
    pub started_at: Option<String>,
    pub health: Option<HealthState>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HealthState {
    pub status: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerConfig {
    pub image: Option<String>,
    pub labels: Option<BTreeMap<String, Option<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HostConfig {
    pub network_mode: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkSettings {
    pub ports: Option<BTreeMap<String, Option<Vec<Binding>>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Binding {
    pub host_ip: Option<String>,
    pub host_port: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListedImage {
    pub id: String,
    pub repo_tags: Option<Vec<String>>,
    pub repo_digests: Option<Vec<String>>,
    pub created: Option<i64>,
    pub size: Option<i64>,
    pub labels: Option<BTreeMap<String, Option<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Image {
    pub id: String,
    pub repo_tags: Option<Vec<String>>,
    pub repo_digests: Option<Vec<String>>,
    pub created: Option<String>,
    pub architecture: Option<String>,
    pub variant: Option<String>,
    pub os: Option<String>,
    pub size: Option<i64>,
    #[serde(rename = "RootFS")]
    pub root_fs: Option<RootFs>,
    pub config: Option<ImageConfig>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RootFs {
    pub layers: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageConfig {
    pub labels: Option<BTreeMap<String, Option<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DiskUsage {
    /// The records themselves are of no interest, only whether there are any.
    pub build_cache: Option<Vec<serde::de::IgnoredAny>>,
}
