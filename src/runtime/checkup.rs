//! A closer look at the hosts of an observed fleet, over the ways that are open anyway.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use crate::adapters::checkup::{self, Patient};
use crate::adapters::credentials::Credentials;
use crate::adapters::github_token;
use crate::adapters::journal::Journal;
use crate::adapters::paths::{Paths, try_writing};
use crate::adapters::secret::Secret;
use crate::adapters::shell::Place;
use crate::app::model::{HostModel, Model};
use crate::core::age::count;
use crate::core::checkup::{Checkup, Ended, TokenFacts, TokenUse};
use crate::core::failure::{HostTrouble, RegistryTrouble};
use crate::core::host::{Address, HostState};
use crate::core::image::ImageRef;
use crate::core::names::{HostName, RegistryHost};
use crate::core::remote::{QuestionKey, Route};
use crate::core::settings::BuildOrigin;
use crate::core::verdict::Verdict;

use super::live::Live;

/// All that a closer look found.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    pub hosts: BTreeMap<HostName, Checkup>,
    /// Containers that should be a registry which is away, with the host where they lie.
    pub fallen: Vec<(RegistryHost, HostName, Ended)>,
    /// What this machine keeps: each in words, and whether it cannot.
    pub own: Vec<(String, bool)>,
    /// GitHub's tokens of this machine.
    pub tokens: Vec<(TokenUse, Result<TokenFacts, String>)>,
}

/// Tries whether this machine can keep what is to outlive a session, and looks for what was damaged.
pub fn own_places(paths: &Paths) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let places = [
        ("the last observation and caches", &paths.cache),
        ("the journal and the log", &paths.state),
    ];
    for (what, folder) in places {
        let Some(folder) = folder else {
            found.push((
                format!("{what} cannot be kept: this user has no home"),
                true,
            ));
            continue;
        };
        let place = folder.display();
        found.push(match try_writing(folder) {
            Ok(()) => (format!("{what} are kept in {place}"), false),
            Err(error) => {
                let words = format!(
                    "{what} cannot be kept in {place}: {error}; everything works from memory"
                );
                (words, true)
            }
        });
    }
    if let Some(cache) = &paths.cache
        && cache.join("last.broken").exists()
    {
        let words = format!(
            "a broken last observation was set aside as {} and rebuilt",
            cache.join("last.broken").display()
        );
        found.push((words, false));
    }
    if let Some(state) = &paths.state {
        let journal = Journal::in_folder(state);
        match journal.broken_lines() {
            0 => {}
            lines => {
                let words = format!(
                    "{} of {} cannot be read, as a power cut leaves them; the rest counts",
                    count(lines, "line"),
                    journal.path().display()
                );
                found.push((words, false));
            }
        }
    }
    found
}

impl Live {
    /// Looks closer at every host that can be reached at all.
    pub async fn checkup(&self, model: &Model, only: Option<&HostName>) -> Findings {
        let wanted = |host: &&HostModel| only.is_none_or(|name| *name == host.spec.name);
        let hosts = model.hosts.iter().filter(wanted).map(|host| async {
            let found = self.host_checkup(model, host).await?;
            Some((host.spec.name.clone(), found))
        });
        let tokens = self.github_tokens(model);
        let (hosts, fallen, tokens) =
            tokio::join!(join_all(hosts), self.fallen_registries(model), tokens);
        Findings {
            hosts: hosts.into_iter().flatten().collect(),
            fallen,
            tokens,
            own: Vec::new(),
        }
    }

    async fn host_checkup(&self, model: &Model, host: &HostModel) -> Option<Checkup> {
        let name = &host.spec.name;
        if host.state() == HostState::Up {
            let session = self.session(name)?;
            return match session.place() {
                Some(place) => Some(checkup::of_host(place, &patient(model, host)).await),
                None => Some(Checkup {
                    trouble: Some("no command can be run there".to_owned()),
                    ..Checkup::default()
                }),
            };
        }
        let trouble = host.failure()?.trouble;
        if !matches!(
            trouble,
            HostTrouble::EngineDown | HostTrouble::EngineVersion | HostTrouble::BadAnswer
        ) {
            return None;
        }
        // The way was closed, as there is no engine at its end.
        let (place, master) = match host.spec.address {
            Address::Local | Address::Unix(_) => (Place::Here, None),
            Address::Tcp { .. } => return None,
            Address::Ssh { .. } => {
                let master = self.login(&host.spec).await?;
                (Place::There(master.clone()), Some(master))
            }
        };
        let engine = checkup::engine(&place).await;
        if let Some(master) = master {
            master.close().await;
        }
        Some(Checkup {
            engine,
            ..Checkup::default()
        })
    }

    /// Finds the containers that registries without an answer should be.
    async fn fallen_registries(&self, model: &Model) -> Vec<(RegistryHost, HostName, Ended)> {
        let mut away: Vec<(RegistryHost, Route)> = model
            .remotes
            .iter()
            .filter(|(_, known)| {
                let failure = known.remote.failure.as_ref();
                failure.is_some_and(|(_, failure)| {
                    failure.is_registry_away() && failure.trouble != RegistryTrouble::Certificate
                })
            })
            .map(|(key, _)| (key.reference.repository.registry.clone(), key.route.clone()))
            .collect();
        away.sort();
        away.dedup();
        let asked = away.iter().filter_map(|(registry, route)| {
            let (_, port) = registry.as_str().rsplit_once(':')?;
            Some((registry, route, port.parse::<u16>().ok()?))
        });
        let looks = asked.flat_map(|(registry, route, port)| {
            let may_run_it = move |host: &&HostModel| match route {
                Route::Via(via) if registry.is_loopback() => *via == host.spec.name,
                _ => true,
            };
            model
                .hosts
                .iter()
                .filter(may_run_it)
                .map(move |host| async move {
                    let session = self.session(&host.spec.name)?;
                    let found =
                        checkup::fallen(session.place()?, &patient(model, host), port).await;
                    let named = registry.is_loopback() || is_named_by(registry, host);
                    let found = found
                        .into_iter()
                        // Elsewhere only what is a registry by its image may be meant.
                        .filter(|ended| named || is_registry(&ended.image))
                        .map(|ended| (registry.clone(), host.spec.name.clone(), ended));
                    Some(found.collect::<Vec<_>>())
                })
        });
        join_all(looks)
            .await
            .into_iter()
            .flatten()
            .flatten()
            .collect()
    }
}

/// Tells what the checkup of a host has to know: the registries from where its services come.
fn patient(model: &Model, host: &HostModel) -> Patient {
    let mut registries: BTreeMap<RegistryHost, ImageRef> = BTreeMap::new();
    for service in model
        .services()
        .filter(|service| service.key.host == host.spec.name)
    {
        if let Some(question) = &service.question
            && service.verdict != Verdict::Local
        {
            let reference = question.reference.clone();
            let registry = reference.repository.registry.clone();
            registries.entry(registry).or_insert(reference);
        }
    }
    Patient {
        docker: host.spec.docker_command.clone(),
        socket: host.spec.socket.clone(),
        registries: registries.into_iter().collect(),
    }
}

/// Tells whether the registry's name is the host's own.
fn is_named_by(registry: &RegistryHost, host: &HostModel) -> bool {
    let name = registry.bare();
    let destination = host.tailnet.destination.as_deref();
    let peer = host.tailnet.peer.as_ref();
    host.spec.name.as_str() == name
        || destination == Some(name)
        || peer.is_some_and(|peer| {
            peer.name == name
                || peer
                    .addresses
                    .iter()
                    .any(|address| address.to_string() == name)
        })
}

/// Tells whether an image is that of a registry.
fn is_registry(image: &str) -> bool {
    [
        "registry",
        "distribution",
        "zot",
        "harbor",
        "gitea",
        "forgejo",
        "nexus",
    ]
    .iter()
    .any(|part| image.contains(part))
}

impl Live {
    /// Asks GitHub about its tokens that this machine uses: those of build sources, and that of its registry.
    async fn github_tokens(&self, model: &Model) -> Vec<(TokenUse, Result<TokenFacts, String>)> {
        let mut tokens: Vec<(TokenUse, String, Secret)> = Vec::new();
        for source in &model.settings.builds {
            let BuildOrigin::GitHub { api, token_env, .. } = &source.from else {
                continue;
            };
            // A source without the name of a variable sends no token.
            let Some(name) = token_env.as_deref() else {
                continue;
            };
            let api = api.as_deref().unwrap_or(github_token::API);
            let own = TokenUse::Builds(name.to_owned());
            let known = tokens
                .iter()
                .any(|(known, at, _)| *known == own && at == api);
            if let Ok(token) = std::env::var(name)
                && !token.is_empty()
                && !known
            {
                tokens.push((own, api.to_owned(), Secret::new(token)));
            }
        }
        let uses_it = |key: &QuestionKey| {
            key.reference.repository.registry.as_str() == github_token::REGISTRY
        };
        if model.remotes.keys().any(uses_it)
            && let Some(token) = github_token::of_registry(&Credentials::of_user()).await
        {
            tokens.push((TokenUse::Packages, github_token::API.to_owned(), token));
        }
        let asked = tokens.into_iter().map(|(own, api, token)| async move {
            let facts = github_token::ask(&api, &token).await;
            (own, facts)
        });
        join_all(asked).await
    }
}
