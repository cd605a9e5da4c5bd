//! The real world: hosts over their own connections, registries, the notes for the next start.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;

use crate::adapters::hosts::{self, HostSession};
use crate::adapters::memory;
use crate::adapters::registry::Registry;
use crate::app::effect::{Act, Look, Scope};
use crate::app::mode::Operating;
use crate::app::msg::{EngineEvent, Msg, Now};
use crate::core::failure::{HostFailure, HostTrouble};
use crate::core::memory::Memory;
use crate::core::names::HostName;
use crate::core::settings::Settings;

use super::world::{Foreground, Hands, Queue, World};

/// How long the end waits for connections to be closed.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// The open ways to hosts.
type Sessions = Arc<Mutex<HashMap<HostName, Arc<HostSession>>>>;

/// The machines and registries of the settings.
pub struct Live {
    settings: Arc<Settings>,
    queue: Queue,
    sessions: Sessions,
    registry: Arc<Registry>,
}

impl Live {
    /// Prepares to look; nothing is contacted yet.
    pub fn new(settings: Settings, queue: Queue) -> Self {
        let sessions = Sessions::default();
        let settings = Arc::new(settings);
        let registry = Registry::new(&settings, Arc::new(Ways(sessions.clone())));
        Self {
            settings,
            queue,
            sessions,
            registry: Arc::new(registry),
        }
    }

    /// Reads what the last start left, in the background.
    pub fn recall(&self) {
        let queue = self.queue.clone();
        tokio::task::spawn_blocking(move || {
            let memory = memory::load();
            let _ = queue.send(Msg::Restored(Box::new(memory)));
        });
    }

    fn session(&self, host: &HostName) -> Option<Arc<HostSession>> {
        get(&self.sessions, host)
    }

    fn connect(&self, host: HostName) {
        let Some(spec) = self.settings.host(&host).cloned() else {
            return;
        };
        let (settings, queue, sessions) =
            (self.settings.clone(), self.queue.clone(), self.sessions.clone());
        tokio::spawn(async move {
            let failure = match hosts::connect(&spec, &settings).await {
                Ok(session) => {
                    let session = Arc::new(session);
                    follow(&host, session, &sessions, &queue).await
                }
                Err(failure) => failure,
            };
            let _ = queue.send(Msg::Disconnected { host, failure });
        });
    }
}

/// Announces an open way and passes its events on until it is lost.
async fn follow(
    host: &HostName,
    session: Arc<HostSession>,
    sessions: &Sessions,
    queue: &Queue,
) -> HostFailure {
    // Events are subscribed to before the first reading, so that no change falls in between.
    let mut events = match session.events().await {
        Ok(events) => events,
        Err(failure) => return failure,
    };
    put(sessions, host.clone(), session.clone());
    let _ = queue.send(Msg::Connected {
        host: host.clone(),
        rtt_ms: session.rtt_ms(),
        could_change: session.could_change(),
    });
    let failure = loop {
        match events.next().await {
            Some(Ok(event)) => {
                let event = match event {
                    hosts::Event::Container(id) => EngineEvent::Container(id),
                    hosts::Event::Image => EngineEvent::Image,
                };
                let host = host.clone();
                if queue.send(Msg::Event { host, event }).is_err() {
                    break lost();
                }
            }
            Some(Err(failure)) => break failure,
            None => break lost(),
        }
    };
    take(sessions, host);
    session.close().await;
    failure
}

fn lost() -> HostFailure {
    HostFailure::new(HostTrouble::NoConnection, "the connection was lost", "")
}

impl World for Live {
    fn look(&mut self, look: Look, _: Now) {
        match look {
            Look::Connect { host } => self.connect(host),
            Look::Observe {
                host,
                generation,
                scope,
            } => {
                let (session, queue) = (self.session(&host), self.queue.clone());
                tokio::spawn(async move {
                    let result = match session {
                        Some(session) => {
                            let only = match scope {
                                Scope::All => None,
                                Scope::Containers(ids) => Some(ids),
                            };
                            session.observe(only.as_ref()).await.map(Box::new)
                        }
                        None => Err(lost()),
                    };
                    let _ = queue.send(Msg::Observed {
                        host,
                        generation,
                        result,
                    });
                });
            }
            Look::Render {
                host,
                project,
                recipe,
            } => {
                let (session, queue) = (self.session(&host), self.queue.clone());
                tokio::spawn(async move {
                    // Without a session nothing is said: the loss itself is on its way.
                    let Some(session) = session else { return };
                    let state = session.render(&project, &recipe).await;
                    let _ = queue.send(Msg::Rendered {
                        host,
                        project,
                        recipe,
                        state,
                    });
                });
            }
            Look::Resolve(question) => {
                let (registry, queue) = (self.registry.clone(), self.queue.clone());
                tokio::spawn(async move {
                    let result = registry.ask(&question).await.map(Box::new);
                    let _ = queue.send(Msg::Resolved {
                        key: question.key,
                        result,
                    });
                });
            }
        }
    }

    fn remember(&mut self, memory: Memory) {
        let queue = self.queue.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = memory::save(&memory) {
                let _ = queue.send(Msg::Trouble(format!("cannot write down what is known: {error}")));
            }
        });
    }

    async fn close(&mut self) {
        let open: Vec<Arc<HostSession>> = self
            .sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain()
            .map(|(_, session)| session)
            .collect();
        let closing = open.iter().map(|session| session.close());
        let all = futures_util::future::join_all(closing);
        // A connection that does not close in time is ended with the process that holds it.
        let _ = tokio::time::timeout(CLOSE_PATIENCE, all).await;
    }
}

impl Hands<Live> for Operating {
    fn act(world: &mut Live, act: Act, _: Now) -> Option<Foreground> {
        match act {
            Act::Shell { service, container } => {
                let session = world.session(&service.host)?;
                Some(Foreground {
                    title: format!("shell in {service}"),
                    argv: session.shell_command(&container),
                })
            }
        }
    }
}

/// The ways that a registry can be asked through.
struct Ways(Sessions);

fn get(sessions: &Sessions, host: &HostName) -> Option<Arc<HostSession>> {
    sessions
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(host)
        .cloned()
}

fn put(sessions: &Sessions, host: HostName, session: Arc<HostSession>) {
    sessions
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(host, session);
}

fn take(sessions: &Sessions, host: &HostName) {
    sessions
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(host);
}
