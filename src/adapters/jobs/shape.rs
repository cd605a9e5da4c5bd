//! Compose's rendering and docker's inspection as shapes without wire types.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::core::names::ServiceName;
use crate::core::rollout::dossier::{Rendered, RunningContainer};
use crate::core::rollout::guard::{Hidden, ImageDefaults, Shape};
use crate::core::text::clean_within;

/// Reads one service of a rendered project.
pub fn rendered(config: &Value, service: &str) -> Option<Rendered> {
    let own = config.get("services")?.get(service)?;
    let mut shape = Shape {
        image: text(own, "image").unwrap_or_default(),
        environment: pairs(own.get("environment")),
        command: words(own.get("command")),
        entrypoint: words(own.get("entrypoint")),
        labels: pairs(own.get("labels")),
        restart: text(own, "restart"),
        user: text(own, "user"),
        hostname: text(own, "hostname"),
        network_mode: text(own, "network_mode").filter(|mode| !mode.contains(':')),
        ..Shape::default()
    };
    for port in list(own.get("ports")) {
        let target = port.get("target").and_then(Value::as_u64).unwrap_or(0);
        let published = scalar(port.get("published")).unwrap_or_default();
        let address = text(port, "host_ip").unwrap_or_default();
        let protocol = text(port, "protocol").unwrap_or_else(|| "tcp".to_owned());
        // A port without a published one gets another number with each start.
        if !published.is_empty() && !published.contains('-') {
            shape.ports.insert(port_words(
                &address,
                &published,
                &format!("{target}/{protocol}"),
            ));
        }
    }
    for volume in list(own.get("volumes")) {
        let Some(target) = text(volume, "target") else {
            continue;
        };
        let source = text(volume, "source");
        let read_only = volume
            .get("read_only")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        let source = match (text(volume, "type").as_deref(), source) {
            (Some("volume"), Some(name)) => Some(named(config, "volumes", &name).unwrap_or(name)),
            (Some("bind"), Some(path)) => Some(path),
            // Anonymous volumes and memory have no name that could differ.
            _ => None,
        };
        if let Some(source) = source {
            shape
                .mounts
                .insert(mount_words(&source, &target, read_only));
        }
    }
    for (kind, folder) in [("secrets", "/run/secrets/"), ("configs", "/")] {
        for entry in list(own.get(kind)) {
            shape.mounts.extend(file_mount(config, kind, folder, entry));
        }
    }
    if text(own, "network_mode").is_none() {
        let names: Vec<String> = match own.get("networks") {
            Some(Value::Object(map)) => map.keys().cloned().collect(),
            Some(Value::Array(list)) => list
                .iter()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect(),
            _ => vec!["default".to_owned()],
        };
        for name in names {
            shape
                .networks
                .insert(named(config, "networks", &name).unwrap_or(name));
        }
    }
    let scale = own
        .get("deploy")
        .and_then(|deploy| deploy.get("replicas"))
        .or_else(|| own.get("scale"))
        .and_then(Value::as_u64)
        .and_then(|count| usize::try_from(count).ok());
    Some(Rendered {
        builds: own.get("build").is_some_and(|build| !build.is_null()),
        pull_policy: text(own, "pull_policy"),
        scale,
        depends_on: depends_on(own),
        variables: Vec::new(),
        shape,
    })
}

/// Lists the services that one depends on, in either spelling.
fn depends_on(own: &Value) -> Vec<ServiceName> {
    let others = own.get("depends_on");
    let named = others.and_then(Value::as_object).into_iter();
    let listed = others.and_then(Value::as_array).into_iter().flatten();
    let listed = listed.filter_map(Value::as_str);
    let names = named
        .flat_map(|map| map.keys().map(String::as_str))
        .chain(listed);
    names
        .map(|name| clean_within(name, 256).as_str().into())
        .collect()
}

/// Says how a secret or a config that is a file is mounted; others are copied into the container, where no mount shows.
fn file_mount(config: &Value, kind: &str, folder: &str, entry: &Value) -> Option<String> {
    let name = entry
        .as_str()
        .map(str::to_owned)
        .or_else(|| text(entry, "source"))?;
    let file = text(config.get(kind)?.get(&name)?, "file")?;
    let target = text(entry, "target").unwrap_or_else(|| name.clone());
    let target = match target.starts_with('/') {
        true => target,
        false => format!("{folder}{target}"),
    };
    Some(mount_words(&file, &target, true))
}

/// Takes back what compose does to every `$` that it prints, so that its output could be rendered again.
pub fn unescape(config: &mut Value) {
    match config {
        Value::String(text) if text.contains("$$") => *text = text.replace("$$", "$"),
        Value::Array(list) => list.iter_mut().for_each(unescape),
        Value::Object(map) => map.values_mut().for_each(unescape),
        _ => {}
    }
}

/// Tells whether a service has this very file as an `env_file`, by what the files say before env files are read.
pub fn reads_env_file(raw: &Value, file: &str) -> bool {
    let services = raw.get("services").and_then(Value::as_object);
    services
        .into_iter()
        .flat_map(|map| map.values())
        .any(|own| {
            list(own.get("env_file")).into_iter().any(|entry| {
                let path = entry.as_str().map(str::to_owned);
                path.or_else(|| text(entry, "path")).as_deref() == Some(file)
            })
        })
}

/// Returns the services whose network, ipc or pid namespace or whose volumes are those of the service's container.
pub fn dependents(config: &Value, service: &str) -> Vec<String> {
    let Some(services) = config.get("services").and_then(Value::as_object) else {
        return Vec::new();
    };
    let named = services
        .get(service)
        .and_then(|own| text(own, "container_name"));
    let leans = |mode: &str| match mode.split_once(':') {
        Some(("service", whom)) => whom == service,
        Some(("container", whom)) => named.as_deref() == Some(whom),
        _ => false,
    };
    services
        .iter()
        .filter(|(_, own)| {
            let shared = ["network_mode", "ipc", "pid"].map(|kind| text(own, kind));
            let volumes = list(own.get("volumes_from")).into_iter();
            let volumes = volumes
                .filter_map(Value::as_str)
                .map(|from| match from.strip_prefix("container:") {
                    Some(_) => from.to_owned(),
                    None => format!("service:{from}"),
                })
                // Behind it may stand how they are mounted.
                .map(|from| from.splitn(3, ':').take(2).collect::<Vec<_>>().join(":"));
            shared
                .into_iter()
                .flatten()
                .chain(volumes)
                .any(|mode| leans(&mode))
        })
        .map(|(name, _)| name.clone())
        .collect()
}

/// Returns the services whose `depends_on` asks for a restart whenever the service is made anew.
pub fn ask_for_a_restart(config: &Value, service: &str) -> Vec<String> {
    let services = config.get("services").and_then(Value::as_object);
    let asks = |own: &Value| {
        let on = own.get("depends_on").and_then(|all| all.get(service));
        on.and_then(|on| on.get("restart")) == Some(&Value::Bool(true))
    };
    let asking = services.into_iter().flatten().filter(|(_, own)| asks(own));
    asking.map(|(name, _)| name.clone()).collect()
}

/// Reads one container as inspect shows it, with what its image brings.
pub fn running(container: &Value, image: Option<&Value>) -> RunningContainer {
    let config = container.get("Config").unwrap_or(&Value::Null);
    let host = container.get("HostConfig").unwrap_or(&Value::Null);
    let state = container.get("State").unwrap_or(&Value::Null);
    let mut shape = Shape {
        image: text(config, "Image").unwrap_or_default(),
        environment: pairs(config.get("Env")),
        command: words(config.get("Cmd")),
        entrypoint: words(config.get("Entrypoint")),
        labels: pairs(config.get("Labels")),
        restart: host.get("RestartPolicy").map(restart),
        user: text(config, "User"),
        hostname: text(config, "Hostname"),
        network_mode: text(host, "NetworkMode").filter(|mode| mode == "host" || mode == "none"),
        ..Shape::default()
    };
    if let Some(ports) = host.get("PortBindings").and_then(Value::as_object) {
        for (inner, bindings) in ports {
            for binding in list(Some(bindings)) {
                let published = text(binding, "HostPort").unwrap_or_default();
                let address = text(binding, "HostIp").unwrap_or_default();
                if !published.is_empty() {
                    shape.ports.insert(port_words(&address, &published, inner));
                }
            }
        }
    }
    let mut data = BTreeSet::new();
    for mount in list(container.get("Mounts")) {
        let Some(target) = text(mount, "Destination") else {
            continue;
        };
        let writable = mount.get("RW").and_then(Value::as_bool).unwrap_or(true);
        let name = text(mount, "Name").filter(|name| !is_anonymous(name));
        let source = match text(mount, "Type").as_deref() {
            Some("volume") => name,
            Some("bind") => text(mount, "Source"),
            _ => None,
        };
        if let Some(source) = source {
            if writable {
                data.insert(source.clone());
            }
            shape
                .mounts
                .insert(mount_words(&source, &target, !writable));
        }
    }
    let mode = text(host, "NetworkMode").unwrap_or_default();
    if !mode.starts_with("container:")
        && mode != "host"
        && mode != "none"
        && let Some(networks) = container
            .get("NetworkSettings")
            .and_then(|settings| settings.get("Networks"))
            .and_then(Value::as_object)
    {
        shape.networks = networks.keys().cloned().collect();
    }
    let image_config = image
        .and_then(|image| image.get("Config"))
        .unwrap_or(&Value::Null);
    let code = state.get("ExitCode").and_then(Value::as_i64);
    RunningContainer {
        image: text(container, "Image").and_then(|id| id.parse().ok()),
        defaults: ImageDefaults {
            environment: pairs(image_config.get("Env")),
            labels: pairs(image_config.get("Labels")),
            user: text(image_config, "User"),
        },
        health_seconds: config.get("Healthcheck").and_then(health_seconds),
        ended_well: text(state, "Status").as_deref() == Some("exited") && code == Some(0),
        data: data.into_iter().collect(),
        shape,
    }
}

/// Returns how long a health check takes at worst: start period and all retries.
fn health_seconds(check: &Value) -> Option<u64> {
    let number = |key: &str| check.get(key).and_then(Value::as_u64).unwrap_or(0);
    let test = list(check.get("Test"));
    if test.is_empty() || test.first().and_then(|word| word.as_str()) == Some("NONE") {
        return None;
    }
    // The engine's own defaults stand where the check says nothing.
    let or = |value: u64, usual: u64| if value == 0 { usual } else { value };
    let second = 1_000_000_000;
    let interval = or(number("Interval"), 30 * second);
    let timeout = or(number("Timeout"), 30 * second);
    let retries = or(number("Retries"), 3);
    let whole = number("StartPeriod").saturating_add((interval + timeout).saturating_mul(retries));
    Some(whole.div_ceil(second).saturating_add(5))
}

fn restart(policy: &Value) -> String {
    let name = text(policy, "Name").unwrap_or_default();
    let most = policy
        .get("MaximumRetryCount")
        .and_then(Value::as_u64)
        .unwrap_or(0);
    match (name.as_str(), most) {
        ("", _) => "no".to_owned(),
        ("on-failure", most) if most > 0 => format!("on-failure:{most}"),
        _ => name,
    }
}

fn port_words(address: &str, published: &str, inner: &str) -> String {
    let address = match address {
        "" | "0.0.0.0" | "::" => "*",
        other => other,
    };
    format!("{address}:{published}->{inner}")
}

fn mount_words(source: &str, target: &str, read_only: bool) -> String {
    let mode = if read_only { ":ro" } else { "" };
    format!("{}->{}{mode}", trimmed(source), trimmed(target))
}

fn trimmed(path: &str) -> &str {
    if path.len() > 1 {
        path.trim_end_matches('/')
    } else {
        path
    }
}

fn is_anonymous(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn named(config: &Value, kind: &str, name: &str) -> Option<String> {
    text(config.get(kind)?.get(name)?, "name")
}

fn text(value: &Value, key: &str) -> Option<String> {
    value
        .get(key)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

fn scalar(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn list(value: Option<&Value>) -> Vec<&Value> {
    value
        .and_then(Value::as_array)
        .map(|list| list.iter().collect())
        .unwrap_or_default()
}

fn words(value: Option<&Value>) -> Option<Vec<String>> {
    match value? {
        Value::Array(list) => Some(list.iter().filter_map(|word| scalar(Some(word))).collect()),
        Value::String(text) => Some(vec![text.clone()]),
        _ => None,
    }
}

/// Reads `{"A": "1"}` or `["A=1"]`; a name without a value is none.
pub fn pairs(value: Option<&Value>) -> BTreeMap<String, Hidden> {
    match value {
        Some(Value::Object(map)) => map
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), Hidden::new(scalar(Some(value))?))))
            .collect(),
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(|entry| entry.as_str()?.split_once('='))
            .map(|(key, value)| (key.to_owned(), Hidden::new(value)))
            .collect(),
        _ => BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::core::rollout::guard::differences;
    use serde_json::json;

    #[test]
    fn what_a_service_depends_on_is_told_in_either_spelling() {
        let config = json!({"services": {
            "api": {"depends_on": {"db": {"condition": "service_started"}, "cache": {}}},
            "web": {"depends_on": ["api"]},
            "db": {"depends_on": null}
        }});
        let of = |service: &str| {
            let list = rendered(&config, service).unwrap().depends_on;
            list.iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(["api", "web", "db"].map(of), ["db cache", "api", ""]);
    }

    #[test]
    fn who_shares_a_network_names_the_service_or_its_container() {
        let config = json!({"services": {
            "vpn": {"container_name": "tunnel"},
            "app": {"network_mode": "service:vpn"},
            "named": {"network_mode": "container:tunnel"},
            "other": {"network_mode": "container:vpn"},
            "host": {"network_mode": "host", "ipc": "shareable"},
            "memory": {"ipc": "service:vpn"},
            "saver": {"volumes_from": ["vpn:ro"]},
            "saver2": {"volumes_from": ["container:tunnel:ro", "other"]},
            "tracer": {"pid": "container:tunnel"}
        }});
        let mut found = dependents(&config, "vpn");
        found.sort();
        assert_eq!(
            found,
            ["app", "memory", "named", "saver", "saver2", "tracer"]
        );
        assert_eq!(dependents(&config, "app"), Vec::<String>::new());
    }

    #[test]
    fn who_asks_for_a_restart_with_a_service_is_told() {
        let config = json!({"services": {
            "db": {},
            "api": {"depends_on": {"db": {"condition": "service_started", "restart": true}}},
            "web": {"depends_on": {"db": {"condition": "service_healthy", "required": true}, "api": {"restart": true}}}
        }});
        assert_eq!(ask_for_a_restart(&config, "db"), ["api"]);
        assert_eq!(ask_for_a_restart(&config, "api"), ["web"]);
        assert_eq!(ask_for_a_restart(&config, "web"), Vec::<String>::new());
    }

    #[test]
    fn both_sides_of_an_unchanged_service_are_equal() {
        let config = json!({
            "services": {"web": {
                "image": "x:1", "command": null, "entrypoint": null, "restart": "unless-stopped",
                "environment": {"A": "1", "PORT": 80},
                "ports": [{"mode": "ingress", "target": 80, "published": "8080", "protocol": "tcp"}],
                "volumes": [
                    {"type": "volume", "source": "data", "target": "/data"},
                    {"type": "bind", "source": "/srv/x", "target": "/x/", "read_only": true}
                ],
                "secrets": [{"source": "key"}, {"source": "told", "target": "/run/secrets/told"}],
                "configs": [{"source": "main", "target": "/etc/main.conf"}, {"source": "short"}],
                "networks": {"default": null}
            }, "side": {"network_mode": "service:web"}},
            "secrets": {"key": {"file": "/srv/key.txt"}, "told": {"environment": "TOLD"}},
            "configs": {"main": {"file": "/srv/main"}, "short": {"file": "/srv/short"}},
            "networks": {"default": {"name": "p_default"}},
            "volumes": {"data": {"name": "p_data"}}
        });
        let inspect = json!({
            "Image": format!("sha256:{}", "a".repeat(64)),
            "State": {"Status": "running", "ExitCode": 0},
            "Config": {
                "Image": "x:1", "Env": ["A=1", "PORT=80", "PATH=/bin"], "Cmd": ["run"],
                "Labels": {"com.docker.compose.project": "p", "from": "image"}
            },
            "HostConfig": {
                "NetworkMode": "p_default", "RestartPolicy": {"Name": "unless-stopped"},
                "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}
            },
            "Mounts": [
                {"Type": "volume", "Name": "p_data", "Destination": "/data", "RW": true},
                {"Type": "volume", "Name": "b".repeat(64), "Destination": "/cache", "RW": true},
                {"Type": "bind", "Source": "/srv/x", "Destination": "/x", "RW": false},
                {"Type": "bind", "Source": "/srv/key.txt", "Destination": "/run/secrets/key", "RW": false},
                {"Type": "bind", "Source": "/srv/main", "Destination": "/etc/main.conf", "RW": false},
                {"Type": "bind", "Source": "/srv/short", "Destination": "/short", "RW": false}
            ],
            "NetworkSettings": {"Networks": {"p_default": {}}}
        });
        let image = json!({"Config": {"Env": ["PATH=/bin"], "Labels": {"from": "image"}}});
        let container = running(&inspect, Some(&image));
        let rendered = rendered(&config, "web").unwrap();
        assert_eq!(
            differences(&container.shape, &rendered.shape, &container.defaults),
            []
        );
        assert_eq!(container.data, ["p_data"]);
        assert_eq!(dependents(&config, "web"), ["side"]);
    }

    #[test]
    fn a_dollar_that_compose_doubles_in_its_output_is_one() {
        let mut config = json!({"services": {"web": {"image": "x:1", "environment": {"A": "$$x"}, "command": ["echo", "$$$$"]}}});
        unescape(&mut config);
        let own = rendered(&config, "web").unwrap();
        assert_eq!(own.shape.environment["A"].reveal(), "$x");
        assert_eq!(own.shape.command.unwrap()[1], "$$");
    }

    #[test]
    fn a_service_that_takes_the_project_s_own_env_file_is_seen() {
        let raw = |files: Value| json!({"services": {"web": {"env_file": files}, "db": {}}});
        let reads = |files: Value| reads_env_file(&raw(files), "/srv/x/.env");
        assert!(reads(json!([{"path": "/srv/x/.env", "required": false}])));
        assert!(reads(json!(["/srv/x/a.env", "/srv/x/.env"])));
        assert!(!reads(json!([{"path": "/srv/y/.env"}])) && !reads(Value::Null));
    }

    #[test]
    fn a_health_check_s_own_time_is_known() {
        let check = json!({"Test": ["CMD", "true"], "Interval": 2_000_000_000_u64, "Timeout": 1_000_000_000_u64, "Retries": 3, "StartPeriod": 60_000_000_000_u64});
        assert_eq!(health_seconds(&check), Some(60 + 9 + 5));
        assert_eq!(health_seconds(&json!({"Test": ["NONE"]})), None);
    }
}
