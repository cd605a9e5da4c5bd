//! A closer look at a host: whose logins its pulls use, whether they work, and what ended engines and containers said.
//!
//! It runs short scripts there and changes nothing. Secrets are read, used and forgotten by the host's own shell.

mod read;

use std::time::Duration;

use crate::adapters::github_token;
use crate::core::checkup::{Checkup, Ended, Puller};
use crate::core::image::ImageRef;
use crate::core::names::RegistryHost;
use crate::core::text::clean_within;

use super::engine::docker_argv;
use super::shell::{Limits, Place, join, quote};

const FLATTEN: &str = include_str!("flatten.awk");
const LOGINS: &str = include_str!("logins.sh");
const HOST: &str = include_str!("host.sh");
const FALLEN: &str = include_str!("fallen.sh");
const ENGINE: &str = include_str!("engine.sh");

/// The most registries that are tried for each user.
const MOST_REGISTRIES: usize = 8;
/// The most users of a host.
const MOST_USERS: usize = 6;
const BYTES: usize = 256 * 1024;

/// What the look at a host needs to know.
#[derive(Debug, Clone)]
pub struct Patient {
    pub docker: Vec<String>,
    pub socket: Option<String>,
    /// A reference for each registry that the services there come from.
    pub registries: Vec<(RegistryHost, ImageRef)>,
}

impl Patient {
    fn by_sudo(&self) -> bool {
        self.docker.first().is_some_and(|word| word == "sudo")
    }

    /// Returns the head of a script that calls docker, as this user or as the one whom sudo makes.
    fn head(&self, with_sudo: bool) -> String {
        let mut words = self.docker.as_slice();
        while !with_sudo && words.len() > 1 && (words[0] == "sudo" || words[0].starts_with('-')) {
            words = &words[1..];
        }
        let argv = docker_argv(words, self.socket.as_deref());
        format!("limit=\ndock() {{ $limit {} \"$@\"; }}\n", join(&argv))
    }
}

/// Looks at a host whose engine answers.
pub async fn of_host(place: &Place, patient: &Patient) -> Checkup {
    let script = format!("{}{HOST}", patient.head(true));
    let told = match run(place, &script, 15).await {
        Ok((text, _)) => read::host(&text),
        Err(why) => {
            return Checkup {
                trouble: Some(why),
                ..Checkup::default()
            };
        }
    };
    let mut users: Vec<(String, String, Option<String>)> = Vec::new();
    let first = if patient.by_sudo() {
        ("root".to_owned(), "sudo".to_owned(), None)
    } else {
        (told.user.clone(), "ssh".to_owned(), None)
    };
    users.push(first);
    for unit in &told.units {
        let known = |(user, because, config): &(String, String, Option<String>)| {
            *user == unit.user && (*config == unit.config || because == "sudo")
        };
        if !users.iter().any(known) && users.len() < MOST_USERS {
            users.push((unit.user.clone(), unit.name.clone(), unit.config.clone()));
        }
    }
    let own = told.user.as_str();
    let looks = users.into_iter().map(|(user, because, config)| async move {
        let config = config.as_deref();
        logins(
            place,
            patient,
            (own, user, because),
            config,
            github_token::API,
        )
        .await
    });
    Checkup {
        pullers: futures_util::future::join_all(looks).await,
        insecure: told.insecure,
        has_daemon_file: told.has_daemon_file,
        engine: None,
        trouble: None,
    }
}

/// Tests what one user's docker config holds.
async fn logins(
    place: &Place,
    patient: &Patient,
    (own, user, because): (&str, String, String),
    config: Option<&str>,
    github: &str,
) -> Puller {
    let mut puller = Puller {
        user,
        because,
        trouble: None,
        logins: Vec::new(),
    };
    let registries = patient.registries.iter().take(MOST_REGISTRIES);
    let registries: Vec<_> = registries
        .filter(|(name, _)| is_plain(name.as_str()))
        .collect();
    let mut script = format!(
        "{}config={}\ngithub={}\nflatten={}\n{LOGINS}\n",
        patient.head(false),
        quote(config.unwrap_or_default()),
        quote(github),
        quote(FLATTEN),
    );
    for (registry, reference) in &registries {
        let words = [registry.as_str(), &reference.to_string()].map(quote);
        script.push_str(&format!("check {} {}\n", words[0], words[1]));
    }
    let script = as_user(own, &puller.user, &script);
    match run(place, &script, 60).await {
        Ok((text, errors)) => read::logins(&text, &errors, &registries, &mut puller),
        Err(why) => puller.trouble = Some(why),
    }
    puller
}

/// Wraps a script so that it runs as a user, where the present one may do so.
fn as_user(own: &str, user: &str, script: &str) -> String {
    if own == user {
        return script.to_owned();
    }
    let (user, script) = (quote(user), quote(script));
    if own == "root" {
        format!("cd /; su -s /bin/sh {user} -c {script}\n")
    } else {
        format!("cd /; sudo -n -H -u {user} sh -c {script}\n")
    }
}

/// Looks for containers that should publish a port and do not run.
pub async fn fallen(place: &Place, patient: &Patient, port: u16) -> Vec<Ended> {
    let script = format!("{}port={port}\n{FALLEN}", patient.head(true));
    match run(place, &script, 20).await {
        Ok((text, _)) => read::fallen(&text),
        Err(_) => Vec::new(),
    }
}

/// Reads how the host's engine ended.
pub async fn engine(place: &Place) -> Option<Ended> {
    let (text, _) = run(place, ENGINE, 15).await.ok()?;
    read::engine(&text)
}

async fn run(place: &Place, script: &str, seconds: u64) -> Result<(String, String), String> {
    let limits = Limits {
        time: Duration::from_secs(seconds),
        bytes: BYTES,
    };
    match place.run(script, limits).await {
        Ok(outcome) => Ok((
            String::from_utf8_lossy(&outcome.stdout).into_owned(),
            outcome.stderr,
        )),
        Err(error) => Err(clean_within(&error.to_string(), 200)),
    }
}

/// Tells whether a registry's name can stand in a script's word and in a pattern as it is.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".:-_[]".contains(c);
    name.chars().all(plain)
}

#[cfg(test)]
mod tests;
