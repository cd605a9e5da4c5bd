//! The body that makes a container anew: what it was given, without what its image had set.

use serde_json::{Map, Value, json};

use super::look::Look;
use super::{list, object, says_nothing, text};

/// From this version on all networks can be given when a container is made, each with its MAC address.
const ALL_NETWORKS: (u32, u32) = (1, 44);
/// How many characters of an Id stand for the whole.
const SHORT: usize = 12;
/// Fields of a configuration that are one value, taken from the image where nobody gives another.
const SINGLE: [&str; 5] = ["WorkingDir", "User", "StopSignal", "Shell", "ArgsEscaped"];

/// A network by its name, with what the container was given on it.
type Joined = (String, Map<String, Value>);

/// What the engine is asked for.
pub(super) struct Made {
    pub create: Value,
    /// Networks that are joined before the start, where the engine takes only one at first.
    pub connect: Vec<(String, Value)>,
}

/// Works out the bodies of the requests.
pub(super) fn make(look: &Look, reference: &str) -> Result<Made, String> {
    let (Some(own), Some(host)) = (look.config().as_object(), look.host().as_object()) else {
        return Err("the engine does not show how the container was made".to_owned());
    };
    let Some(image) = object(&look.image, "Config") else {
        return Err("the engine does not show what the running image had set".to_owned());
    };
    let mut body = config(look, own, image);
    body.insert("Image".to_owned(), json!(reference));
    let mut host = host.clone();
    volumes(look, &mut host);
    let networks = networks(look, &mut host)?;
    let mut networks = networks.into_iter();
    let mut first: Map<String, Value> = Map::new();
    let mut connect = Vec::new();
    let mac = body.get("MacAddress").cloned();
    if says_nothing(mac.as_ref()) || look.api >= ALL_NETWORKS {
        body.remove("MacAddress");
    }
    if let Some((name, mut endpoint)) = networks.next() {
        // The address is the one on the network of its mode, which it may have left since.
        let stayed = host.get("NetworkMode") == look.host().get("NetworkMode");
        if let Some(mac) = mac.filter(|_| stayed && look.api >= ALL_NETWORKS)
            && !says_nothing(Some(&mac))
        {
            endpoint.insert("MacAddress".to_owned(), mac);
        }
        first.insert(name, Value::Object(endpoint));
    }
    for (name, endpoint) in networks {
        let endpoint = Value::Object(endpoint);
        if look.api >= ALL_NETWORKS {
            first.insert(name, endpoint);
        } else {
            connect.push((name, endpoint));
        }
    }
    body.insert("HostConfig".to_owned(), Value::Object(host));
    body.insert(
        "NetworkingConfig".to_owned(),
        json!({"EndpointsConfig": first}),
    );
    Ok(Made {
        create: Value::Object(body),
        connect,
    })
}

/// Returns the configuration without what equals the image's own.
fn config(look: &Look, own: &Map<String, Value>, image: &Map<String, Value>) -> Map<String, Value> {
    let mut out = own.clone();
    // What runs at the build of another image is none of a container's.
    out.remove("OnBuild");
    command(own, image, &mut out);
    for key in SINGLE {
        if own.get(key) == image.get(key) || says_nothing(own.get(key)) {
            out.remove(key);
        }
    }
    if let (Some(Value::Array(own)), Some(Value::Array(brought))) =
        (own.get("Env"), image.get("Env"))
    {
        let given = own.iter().filter(|entry| !brought.contains(entry));
        out.insert("Env".to_owned(), given.cloned().collect());
    }
    for key in ["Labels", "ExposedPorts", "Volumes"] {
        let (Some(Value::Object(own)), Some(Value::Object(brought))) =
            (own.get(key), image.get(key))
        else {
            continue;
        };
        let given = own
            .iter()
            .filter(|(name, value)| brought.get(*name) != Some(*value));
        let given: Map<String, Value> = given
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        out.insert(key.to_owned(), Value::Object(given));
    }
    if let (Some(Value::Object(own)), Some(Value::Object(brought))) =
        (own.get("Healthcheck"), image.get("Healthcheck"))
    {
        // Given piece by piece: an interval of one's own goes with the image's command.
        let given: Map<String, Value> = own
            .iter()
            .filter(|(name, value)| brought.get(*name) != Some(*value))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if given.is_empty() {
            out.remove("Healthcheck");
        } else {
            out.insert("Healthcheck".to_owned(), Value::Object(given));
        }
    }
    names(look, &mut out);
    out
}

/// Drops the command and the entry point where they are the image's.
fn command(own: &Map<String, Value>, image: &Map<String, Value>, out: &mut Map<String, Value>) {
    let nothing = |map: &Map<String, Value>, key: &str| says_nothing(map.get(key));
    let same =
        |key: &str| own.get(key) == image.get(key) || (nothing(own, key) && nothing(image, key));
    let cleared = nothing(own, "Cmd") && !nothing(image, "Cmd");
    if nothing(own, "Entrypoint") && !nothing(image, "Entrypoint") {
        // Somebody took the entry point away; the engine writes that as one empty word.
        out.insert("Entrypoint".to_owned(), json!([""]));
        return;
    }
    // An entry point that is given keeps the image's command away, and shows so by its absence.
    if !same("Entrypoint") || cleared {
        return;
    }
    out.remove("Entrypoint");
    if same("Cmd") {
        out.remove("Cmd");
    }
}

/// Drops names that the engine gave, and what does not go with the network of another.
fn names(look: &Look, out: &mut Map<String, Value>) {
    let host = look.host();
    let mode = text(host, "NetworkMode");
    let own = out
        .get("Hostname")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let by_engine = own.len() >= SHORT && look.id().starts_with(&own);
    let of_host = (mode == "host" || text(host, "UTSMode") == "host") && own == look.host_name;
    let of_other = mode.starts_with("container:");
    if by_engine || of_host || of_other || text(host, "UTSMode") == "host" {
        out.remove("Hostname");
    }
    if of_other {
        out.remove("ExposedPorts");
        out.remove("Domainname");
    }
}

/// Lists anonymous volumes as name, place, and whether they are written to.
pub(super) fn anonymous(look: &Look) -> Vec<(&str, &str, bool)> {
    let host = look.host();
    let trimmed = |path: &str| path.trim_end_matches('/').to_owned();
    let mut named: Vec<String> = list(host, "Binds")
        .iter()
        .filter_map(|bind| bind.as_str()?.split(':').nth(1).map(trimmed))
        .collect();
    named.extend(
        list(host, "Mounts")
            .iter()
            .filter(|mount| !text(mount, "Source").is_empty())
            .map(|mount| trimmed(text(mount, "Target"))),
    );
    list(&look.container, "Mounts")
        .iter()
        .filter(|mount| text(mount, "Type") == "volume" && !text(mount, "Name").is_empty())
        .map(|mount| {
            let writable = mount.get("RW").and_then(Value::as_bool).unwrap_or(true);
            (text(mount, "Name"), text(mount, "Destination"), writable)
        })
        .filter(|(_, target, _)| !named.contains(&trimmed(target)))
        .collect()
}

/// Gives volumes without a name of their own to the new container by the name that the engine gave.
fn volumes(look: &Look, host: &mut Map<String, Value>) {
    for (name, target, writable) in anonymous(look) {
        let mounts = host.get_mut("Mounts").and_then(Value::as_array_mut);
        let asked = mounts.and_then(|mounts| {
            mounts.iter_mut().find(|mount| {
                text(mount, "Target").trim_end_matches('/') == target.trim_end_matches('/')
                    && text(mount, "Type") == "volume"
            })
        });
        if let Some(Value::Object(mount)) = asked {
            mount.insert("Source".to_owned(), json!(name));
            continue;
        }
        let mode = if writable { "" } else { ":ro" };
        let bind = json!(format!("{name}:{target}{mode}"));
        match host.get_mut("Binds") {
            Some(Value::Array(binds)) => binds.push(bind),
            _ => {
                host.insert("Binds".to_owned(), json!([bind]));
            }
        }
    }
}

/// Lists the networks with what the container has on each, the one of its mode first.
fn networks(look: &Look, host: &mut Map<String, Value>) -> Result<Vec<Joined>, String> {
    let mode = text(look.host(), "NetworkMode").to_owned();
    if mode == "host" || mode == "none" || mode.starts_with("container:") {
        return Ok(Vec::new());
    }
    let settings = look.container.get("NetworkSettings");
    let networks = settings.and_then(|settings| object(settings, "Networks"));
    let Some(networks) = networks.filter(|networks| !networks.is_empty()) else {
        return Err("it was taken off all its networks since it was made".to_owned());
    };
    let is_default = matches!(mode.as_str(), "" | "default" | "bridge");
    let is_main = |name: &str, endpoint: &Value| {
        name == mode
            || (is_default && name == "bridge")
            || (!mode.is_empty() && text(endpoint, "NetworkID") == mode)
    };
    let mut list: Vec<Joined> = Vec::new();
    let mut has_main = false;
    for (name, endpoint) in networks {
        let own = endpoint_of(look, name, endpoint);
        if is_main(name, endpoint) {
            has_main = true;
            list.insert(0, (name.clone(), own));
        } else {
            list.push((name.clone(), own));
        }
    }
    if !has_main && let Some((name, _)) = list.first() {
        // It has left the network of its mode; another one takes that place.
        host.insert("NetworkMode".to_owned(), json!(name));
    }
    Ok(list)
}

/// Returns what the container was given on one network.
fn endpoint_of(look: &Look, network: &str, shown: &Value) -> Map<String, Value> {
    let mut out = Map::new();
    if let Some(addresses) = object(shown, "IPAMConfig") {
        let given: Map<String, Value> = addresses
            .iter()
            .filter(|(_, value)| !says_nothing(Some(value)))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if !given.is_empty() {
            out.insert("IPAMConfig".to_owned(), Value::Object(given));
        }
    }
    // Older engines list the container's own short Id as an alias.
    let short: String = look.id().chars().take(SHORT).collect();
    let aliases: Vec<Value> = list(shown, "Aliases")
        .iter()
        .filter(|alias| alias.as_str() != Some(&short))
        .cloned()
        .collect();
    if !aliases.is_empty() && network != "bridge" {
        out.insert("Aliases".to_owned(), Value::Array(aliases));
    }
    for key in ["Links", "DriverOpts"] {
        if let Some(value) = shown.get(key).filter(|value| !says_nothing(Some(value))) {
            out.insert(key.to_owned(), value.clone());
        }
    }
    let priority = shown.get("GwPriority").and_then(Value::as_i64);
    if let Some(priority) = priority.filter(|priority| *priority != 0) {
        out.insert("GwPriority".to_owned(), json!(priority));
    }
    out
}
