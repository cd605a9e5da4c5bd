//! What a look at a container of no project brought: the engine's own words, and who depends on it.

use std::fmt;

use serde_json::Value;

use super::{flag, list, object, says_nothing, text};
use crate::core::age;
use crate::core::leaning;
use crate::core::rollout::off_limits;
use crate::core::rollout::plan::MARKED;
use crate::core::text::clean_within;

/// The first version of the API that every docker has which can pass requests on.
const OLDEST: (u32, u32) = (1, 39);
/// The label of a swarm's task.
const SWARM: &str = "com.docker.swarm.service.name";

/// The container, its image and its surroundings, as the engine showed them.
#[derive(Clone, Default)]
pub struct Look {
    pub container: Value,
    pub image: Value,
    /// The API's version in which they were shown.
    pub api: (u32, u32),
    /// The name that the host's engine has for its host.
    pub host_name: String,
    /// The other containers of the host.
    pub others: Vec<Other>,
    /// SHA-256 of what the container is made of.
    pub facts: Option<String>,
    /// Units of the host that name the container in a docker command.
    pub units: Vec<String>,
}

impl fmt::Debug for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// Another container, as far as it may lean on this one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Other {
    pub id: String,
    pub name: String,
    /// Its modes of network, processes and memory: some name another container.
    pub modes: Vec<String>,
    /// Its links, as `/other:/own/alias`.
    pub links: Vec<String>,
}

impl Look {
    /// Returns the container's Id.
    pub fn id(&self) -> &str {
        text(&self.container, "Id")
    }

    /// Returns the container's name.
    pub fn name(&self) -> &str {
        text(&self.container, "Name").trim_start_matches('/')
    }

    pub(super) fn config(&self) -> &Value {
        self.container.get("Config").unwrap_or(&Value::Null)
    }

    pub(super) fn host(&self) -> &Value {
        self.container.get("HostConfig").unwrap_or(&Value::Null)
    }

    /// Returns the reference that it was made with.
    pub fn reference(&self) -> &str {
        text(self.config(), "Image")
    }

    /// Tells whether it was made from an image's Id, which nothing follows.
    pub fn by_id(&self) -> bool {
        let image = text(&self.container, "Image");
        let hexadecimal = image.trim_start_matches("sha256:");
        let own = self.reference();
        let own = own.strip_prefix("sha256:").unwrap_or(own);
        own.len() >= 6 && hexadecimal.starts_with(own)
    }

    /// Returns the restart policy as `docker update` takes it.
    pub fn restart(&self) -> String {
        let policy = self.host().get("RestartPolicy").unwrap_or(&Value::Null);
        let most = policy
            .get("MaximumRetryCount")
            .and_then(Value::as_u64)
            .unwrap_or(0);
        match (text(policy, "Name"), most) {
            ("on-failure", most) if most > 0 => format!("on-failure:{most}"),
            (name @ ("always" | "unless-stopped" | "on-failure"), _) => name.to_owned(),
            _ => "no".to_owned(),
        }
    }

    /// Returns how long it may take to stop, where that was given to it.
    pub fn stop_seconds(&self) -> Option<u64> {
        self.config().get("StopTimeout").and_then(Value::as_u64)
    }

    /// Returns the API's version as paths have it.
    pub fn version(&self) -> String {
        format!("{}.{}", self.api.0, self.api.1)
    }

    /// Returns where anonymous volumes are, which are taken over by their names.
    pub fn anonymous_volumes(&self) -> Vec<&str> {
        super::body::anonymous(self)
            .into_iter()
            .map(|(_, target, _)| target)
            .collect()
    }

    /// Says what is lost or will be other with a new container.
    pub fn losses(&self) -> Vec<String> {
        let mut said = Vec::new();
        let written = self.container.get("SizeRw").and_then(Value::as_u64);
        if let Some(bytes) = written.filter(|bytes| *bytes > 0) {
            said.push(format!(
                "what it wrote outside of its volumes is lost: {}",
                age::bytes(bytes)
            ));
        }
        let by_chance: Vec<&str> = object(self.host(), "PortBindings")
            .into_iter()
            .flatten()
            .filter(|(_, bindings)| {
                let own = bindings.as_array().map_or(&[][..], Vec::as_slice);
                own.iter()
                    .any(|binding| matches!(text(binding, "HostPort"), "" | "0"))
            })
            .map(|(port, _)| port.as_str())
            .collect();
        if !by_chance.is_empty() || flag(self.host(), "PublishAllPorts") {
            let ports = if by_chance.is_empty() {
                "all ports".to_owned()
            } else {
                by_chance.join(", ")
            };
            said.push(format!(
                "{ports} may be published under another number, as the engine chooses it"
            ));
        }
        let volumes = self.anonymous_volumes();
        if !volumes.is_empty() {
            said.push(format!(
                "anonymous volumes are taken over with their data, by name, and outlive `docker rm -v` then: {}",
                volumes.join(", ")
            ));
        }
        for job in self.dead_jobs() {
            said.push(format!(
                "job {job} died at it: what that began is brought to its end first, and then this has to be asked for again"
            ));
        }
        for unit in &self.units {
            said.push(format!(
                "{unit} of the host names this container in its commands: it may start or make it by itself"
            ));
        }
        said
    }

    /// Says why it cannot be made anew, if so.
    pub fn obstacle(&self) -> Option<String> {
        if object(&self.container, "Config").is_none() {
            return Some("the engine does not show the container any more".to_owned());
        }
        if self.api < OLDEST {
            return Some(format!(
                "the host's docker speaks version {} of the engine's API; 1.39 (docker 18.09) or later is needed",
                self.version()
            ));
        }
        let state = self.container.get("State").unwrap_or(&Value::Null);
        match text(state, "Status") {
            "running" | "restarting" => {}
            // A job that died between its stop and its start left it so, and the next one brings that to its end first.
            "exited" | "created" if !self.dead_jobs().is_empty() => {}
            other => {
                return Some(format!(
                    "it is {}: only a container that runs is replaced, as only then it shows what works; start it first",
                    clean_within(other, 20)
                ));
            }
        }
        if flag(self.host(), "AutoRemove") {
            return Some(
                "it was started with --rm: the engine would remove it as soon as it is stopped, and the way back with it; whoever started it has to start it anew".to_owned(),
            );
        }
        if object(self.config(), "Labels").is_some_and(|labels| labels.contains_key(SWARM)) {
            return Some(off_limits::SWARM.to_owned());
        }
        if says_nothing(self.image.get("Config")) {
            return Some(
                "the engine no longer shows what the running image had set itself, so that cannot be told from what the container was given"
                    .to_owned(),
            );
        }
        let leaning = self.leaning();
        (!leaning.is_empty()).then(|| {
            format!(
                "{} would be cut off by it, as {} on this very container: recreate {} by hand",
                leaning.join(", "),
                if leaning.len() == 1 {
                    "it leans"
                } else {
                    "they lean"
                },
                if leaning.len() == 1 { "both" } else { "all" }
            )
        })
    }

    /// Returns the containers that lean on this very container: its network, its processes, a link.
    fn leaning(&self) -> Vec<String> {
        let (id, name) = (self.id(), self.name());
        let means = |mode: &String| leaning::is_of(mode, id, name);
        let links = |link: &String| {
            let whom = link.split(':').next().unwrap_or_default();
            whom.trim_start_matches('/') == name
        };
        self.others
            .iter()
            .filter(|other| other.id != id)
            .filter(|other| other.modes.iter().any(means) || other.links.iter().any(links))
            .map(|other| clean_within(other.name.trim_start_matches('/'), 80))
            .collect()
    }

    /// Returns the jobs that left a container of it under another name.
    fn dead_jobs(&self) -> Vec<String> {
        let own = self.name().split(MARKED).next().unwrap_or_default();
        let mut jobs: Vec<String> = self
            .others
            .iter()
            .filter_map(|other| {
                let (name, job) = other.name.trim_start_matches('/').split_once(MARKED)?;
                let job = job.strip_suffix("-new").unwrap_or(job);
                (name == own).then(|| clean_within(job, 64))
            })
            .collect();
        jobs.sort();
        jobs.dedup();
        jobs
    }

    /// Returns the volumes and folders that it writes to, for what is said of data.
    pub fn written_volumes(&self) -> Vec<String> {
        list(&self.container, "Mounts")
            .iter()
            .filter(|mount| flag(mount, "RW"))
            .map(|mount| clean_within(text(mount, "Destination"), 120))
            .collect()
    }
}
