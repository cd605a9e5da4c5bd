//! What a recreation would change apart from the image, so that nothing is changed unseen.
//!
//! Both sides are shapes without wire types. Values of variables are compared and never shown: only names leave here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A value that is compared but never printed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hidden(String);

impl Hidden {
    /// Hides a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// Gives the value to the one who hands it over to a job.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// What decides how a container runs, from either side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shape {
    pub image: String,
    pub environment: BTreeMap<String, Hidden>,
    /// The command, where the service sets one.
    pub command: Option<Vec<String>>,
    pub entrypoint: Option<Vec<String>>,
    /// Published ports as `address:host->container/protocol`.
    pub ports: BTreeSet<String>,
    /// Mounts as `source->target[:ro]`.
    pub mounts: BTreeSet<String>,
    pub networks: BTreeSet<String>,
    pub network_mode: Option<String>,
    pub restart: Option<String>,
    pub user: Option<String>,
    pub hostname: Option<String>,
    pub labels: BTreeMap<String, Hidden>,
}

/// What the image itself brings, so that it is not taken for the service's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImageDefaults {
    pub environment: BTreeMap<String, Hidden>,
    pub labels: BTreeMap<String, Hidden>,
    pub user: Option<String>,
}

/// One difference, by its key; values are left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    pub key: String,
    pub how: How,
}

/// How a key differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// The files give another value than the container has.
    Changed,
    /// The files give it an empty value.
    Emptied,
    /// The container has it, the files do not.
    Dropped,
    /// The files have it, the container does not.
    Added,
}

impl Difference {
    fn new(key: impl Into<String>, how: How) -> Self {
        Self {
            key: key.into(),
            how,
        }
    }

    /// Says the difference in words, without any value.
    pub fn words(&self) -> String {
        let key = &self.key;
        match self.how {
            How::Changed => format!("{key} would change"),
            How::Emptied => format!("{key} would be blank"),
            How::Dropped => format!("{key} would be dropped"),
            How::Added => format!("{key} would be added"),
        }
    }
}

/// Compares what runs with what the files render to; an image differing by its tag or digest alone is no difference.
pub fn differences(running: &Shape, rendered: &Shape, image: &ImageDefaults) -> Vec<Difference> {
    let mut found = Vec::new();
    environment(running, rendered, image, &mut found);
    if repository(&running.image) != repository(&rendered.image) {
        let how = if repository(&rendered.image).is_empty() || rendered.image.starts_with('/') {
            How::Emptied
        } else {
            How::Changed
        };
        found.push(Difference::new("image", how));
    }
    let lists = [
        ("ports", &running.ports, &rendered.ports),
        ("volumes", &running.mounts, &rendered.mounts),
        ("networks", &running.networks, &rendered.networks),
    ];
    for (key, then, now) in lists {
        for gone in then.difference(now) {
            found.push(Difference::new(format!("{key} {gone}"), How::Dropped));
        }
        for new in now.difference(then) {
            found.push(Difference::new(format!("{key} {new}"), How::Added));
        }
    }
    let mut single = |key: &str, then: &Option<String>, now: &Option<String>| {
        if now.is_some() && then != now {
            found.push(Difference::new(key, How::Changed));
        }
    };
    single(
        "network_mode",
        &running.network_mode,
        &rendered.network_mode,
    );
    single("restart", &running.restart, &rendered.restart);
    single("user", &running.user, &rendered.user);
    single("hostname", &running.hostname, &rendered.hostname);
    if rendered.command.is_some() && rendered.command != running.command {
        found.push(Difference::new("command", How::Changed));
    }
    if rendered.entrypoint.is_some() && rendered.entrypoint != running.entrypoint {
        found.push(Difference::new("entrypoint", How::Changed));
    }
    for (key, value) in &rendered.labels {
        match running.labels.get(key) {
            None => found.push(Difference::new(format!("label {key}"), How::Added)),
            Some(own) if own != value => {
                found.push(Difference::new(format!("label {key}"), How::Changed));
            }
            Some(_) => {}
        }
    }
    for (key, value) in &running.labels {
        let from_image = image.labels.get(key) == Some(value);
        if !key.starts_with("com.docker.compose.")
            && !from_image
            && !rendered.labels.contains_key(key)
        {
            found.push(Difference::new(format!("label {key}"), How::Dropped));
        }
    }
    found
}

fn environment(
    running: &Shape,
    rendered: &Shape,
    image: &ImageDefaults,
    found: &mut Vec<Difference>,
) {
    for (key, value) in &rendered.environment {
        match running.environment.get(key) {
            Some(own) if own == value => {}
            Some(_) if value.reveal().is_empty() => {
                found.push(Difference::new(key, How::Emptied));
            }
            Some(_) => found.push(Difference::new(key, How::Changed)),
            None => found.push(Difference::new(key, How::Added)),
        }
    }
    for (key, value) in &running.environment {
        let from_image = image.environment.get(key) == Some(value);
        if !from_image && !rendered.environment.contains_key(key) {
            found.push(Difference::new(key, How::Dropped));
        }
    }
}

/// Returns the reference without tag and digest, empty where nothing is left.
fn repository(reference: &str) -> String {
    match reference.parse::<crate::core::image::ImageRef>() {
        Ok(reference) => reference.repository.to_string(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(image: &str, environment: &[(&str, &str)]) -> Shape {
        Shape {
            image: image.to_owned(),
            environment: environment
                .iter()
                .map(|(key, value)| ((*key).to_owned(), Hidden::new(*value)))
                .collect(),
            ..Shape::default()
        }
    }

    #[test]
    fn c4_variables_of_the_deploying_shell_are_named_and_never_shown() {
        let running = shape(
            "registry.lan:5000/api:prod",
            &[
                ("DB_PASSWORD", "s3cret"),
                ("DB_USER", "app"),
                ("PATH", "/bin"),
            ],
        );
        let rendered = shape("/api:prod", &[("DB_PASSWORD", ""), ("DB_USER", "")]);
        let mut defaults = ImageDefaults::default();
        defaults
            .environment
            .insert("PATH".to_owned(), Hidden::new("/bin"));
        let found = differences(&running, &rendered, &defaults);
        let words: Vec<String> = found.iter().map(Difference::words).collect();
        assert_eq!(
            words,
            [
                "DB_PASSWORD would be blank",
                "DB_USER would be blank",
                "image would be blank"
            ]
        );
        assert!(!format!("{running:?}{found:?}").contains("s3cret"));
    }

    #[test]
    fn another_tag_alone_is_no_difference() {
        let running = shape("ghcr.io/me/x:1", &[("A", "1")]);
        let rendered = shape("ghcr.io/me/x:latest", &[("A", "1")]);
        assert_eq!(
            differences(&running, &rendered, &ImageDefaults::default()),
            []
        );
    }

    #[test]
    fn dropped_and_added_mounts_and_ports_are_told() {
        let mut running = shape("x:1", &[]);
        running.mounts.insert("data->/data".to_owned());
        let mut rendered = shape("x:1", &[]);
        rendered.ports.insert("0.0.0.0:80->80/tcp".to_owned());
        let found = differences(&running, &rendered, &ImageDefaults::default());
        assert_eq!(
            found,
            [
                Difference::new("ports 0.0.0.0:80->80/tcp", How::Added),
                Difference::new("volumes data->/data", How::Dropped)
            ]
        );
    }
}
