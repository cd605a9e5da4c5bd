//! Hosts: the ways to them, what is read over these, and the tailnet that some of them lie in.

use std::sync::Arc;

use futures_util::StreamExt;

use crate::adapters::hosts::HostSession;
use crate::adapters::jobs::past;
use crate::adapters::ssh::Master;
use crate::app::msg::Msg;
use crate::core::failure::{HostFailure, HostTrouble};
use crate::core::files::{FilesState, Recipe};
use crate::core::host::HostSpec;
use crate::core::names::{ContainerId, HostName, ProjectName};
use crate::core::watch::Scope;

use crate::runtime::jobs::Jobs;
use crate::runtime::logs;
use crate::runtime::sessions::Sessions;
use crate::runtime::world::Queue;

use super::Live;

impl Live {
    /// Returns the open way to a host.
    pub(in crate::runtime) fn session(&self, host: &HostName) -> Option<HostSession> {
        self.sessions.get(host)
    }

    /// Logs in to a host whose engine does not answer; nothing where that fails too.
    pub(in crate::runtime) async fn login(&self, spec: &HostSpec) -> Option<Arc<Master>> {
        // Whoever asks for more than one word of a host has heard already that a login waits.
        self.hosts.login(spec, &|_| {}).await.ok()
    }

    /// Finds out what the hosts' addresses mean, then follows the tailnet.
    pub(super) fn watch_tailnet(&self) {
        let Some(road) = self.road.clone() else {
            return;
        };
        let (hosts, settings, queue) = (
            self.hosts.clone(),
            self.settings.clone(),
            self.queue.clone(),
        );
        tokio::spawn(async move {
            let resolve = settings.hosts.iter().map(|spec| async {
                let resolved = hosts.resolve(&spec.address).await?;
                let name = Some(resolved.host).filter(|_| !resolved.proxied);
                let host = spec.name.clone();
                let _ = queue.send(Msg::Destination { host, name });
                Some(())
            });
            futures_util::future::join_all(resolve).await;
            road.follow(|tailnet| {
                let _ = queue.send(Msg::Tailnet(Box::new(tailnet)));
            })
            .await;
        });
    }

    /// Opens the way to a host and announces what happens on it until it is lost.
    pub(super) fn connect(&self, host: HostName) {
        let Some(spec) = self.settings.host(&host).cloned() else {
            return;
        };
        let (hosts, queue, sessions, road) = (
            self.hosts.clone(),
            self.queue.clone(),
            self.sessions.clone(),
            self.road.clone(),
        );
        let jobs = self.finds_jobs.then(|| self.jobs.clone());
        tokio::spawn(async move {
            let waits = {
                let (host, queue) = (host.clone(), queue.clone());
                move |failure: HostFailure| {
                    let host = host.clone();
                    let _ = queue.send(Msg::Waiting { host, failure });
                }
            };
            let failure = match hosts.connect(&spec, &waits).await {
                Ok(session) => {
                    if let Some(road) = &road {
                        // The path to a peer is chosen once somebody talks to it.
                        road.look_again();
                    }
                    follow(&host, session, &sessions, &queue, jobs).await
                }
                Err(failure) => failure,
            };
            let _ = queue.send(Msg::Disconnected { host, failure });
        });
    }

    /// Reads a host's containers and images.
    pub(super) fn observe(&self, host: HostName, generation: u64, scope: Scope) {
        let (session, queue) = (self.session(&host), self.queue.clone());
        tokio::spawn(async move {
            let result = match session {
                Some(session) => session.observe(&scope).await.map(Box::new),
                None => Err(lost()),
            };
            let _ = queue.send(Msg::Observed {
                host,
                generation,
                result,
            });
        });
    }

    /// Lets a host render a project's files.
    pub(super) fn render(&self, host: HostName, project: ProjectName, recipe: Recipe) {
        let (session, queue) = (self.session(&host), self.queue.clone());
        tokio::spawn(async move {
            let state = match session {
                Some(session) => session.render(&recipe, &project).await,
                None => FilesState::Unknown("the host is not connected".to_owned()),
            };
            let _ = queue.send(Msg::Rendered {
                host,
                project,
                recipe,
                state,
            });
        });
    }

    /// Tests whether the way to a host still holds.
    pub(super) fn recheck(&self, host: &HostName) {
        if let Some(session) = self.session(host) {
            tokio::spawn(async move { session.recheck().await });
        }
    }

    /// Asks a host how fast it fetched before.
    pub(super) fn pace(&self, host: HostName) {
        let (session, queue) = (self.session(&host), self.queue.clone());
        tokio::spawn(async move {
            let place = session.and_then(|session| session.place().cloned());
            // A host without a shell, or one that cannot be asked, has told nothing.
            let pulls = match place {
                Some(place) => past::pulls(&place).await.unwrap_or_default(),
                None => Vec::new(),
            };
            let _ = queue.send(Msg::Paced { host, pulls });
        });
    }

    /// Reads the journal of a host, or the operator's own, with all that this session has written into it.
    pub(super) fn journal(&self, host: Option<HostName>) {
        let (actor, queue) = (self.actor(), self.queue.clone());
        let recorded = self.records.written();
        tokio::spawn(async move {
            recorded.await;
            let result = match &host {
                Some(host) => actor.journal(host).await,
                None => Ok(actor.own_journal().await),
            };
            let _ = queue.send(Msg::Journal { host, result });
        });
    }

    /// Follows the logs of containers, instead of those followed so far.
    pub(super) fn follow_logs(
        &mut self,
        number: u64,
        host: &HostName,
        containers: Vec<ContainerId>,
    ) {
        self.logs.cease();
        let Some(session) = self.session(host) else {
            return;
        };
        for (place, id) in containers.into_iter().enumerate() {
            let (session, queue) = (session.clone(), self.queue.clone());
            let task = logs::follow(session, id, place, number, queue);
            self.logs.push(tokio::spawn(task));
        }
    }
}

/// Announces an open way and passes its events on until it is lost.
async fn follow(
    host: &HostName,
    session: HostSession,
    sessions: &Sessions,
    queue: &Queue,
    jobs: Option<Jobs>,
) -> HostFailure {
    sessions.put(host.clone(), session.clone());
    let mut events = session.events();
    let _ = queue.send(Msg::Connected {
        host: host.clone(),
        rtt_ms: u64::try_from(session.rtt().as_millis()).unwrap_or(u64::MAX),
        could_change: session.could_change(),
    });
    if let Some(jobs) = jobs {
        let name = host.clone();
        tokio::spawn(async move { jobs.find(&name).await });
    }
    let failure = loop {
        let next = tokio::select! {
            next = events.next() => next,
            failure = session.ended() => break failure,
        };
        match next {
            Some(Ok(event)) => {
                let host = host.clone();
                if queue.send(Msg::Event { host, event }).is_err() {
                    break lost();
                }
            }
            Some(Err(failure)) => break failure,
            None => break lost(),
        }
    };
    let _ = sessions.take(host);
    session.close().await;
    failure
}

fn lost() -> HostFailure {
    HostFailure::new(
        HostTrouble::NoConnection,
        "the connection was lost",
        "dialled again by itself",
    )
}
