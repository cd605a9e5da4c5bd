//! Sources of builds while a session runs: who follows them, and whether somebody looks.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch::{Sender, channel};

use crate::adapters::builds::{Site, Source};
use crate::adapters::engine::docker_argv;
use crate::adapters::hosts::HostSession;
use crate::adapters::shell::Place;
use crate::app::msg::Msg;
use crate::core::builds::{BuildNews, SourceFailure};
use crate::core::settings::{BuildSource, Settings};

use super::sessions::Sessions;
use super::world::Queue;

/// The sources of the settings.
pub struct Builds {
    sources: HashMap<Box<str>, (BuildSource, Arc<Source>)>,
    closely: Sender<bool>,
}

impl Builds {
    /// Prepares the sources, with the folder of caches; nothing is read yet.
    pub fn new(settings: &Settings, cache: Option<&Path>) -> Self {
        let sources = settings.builds.iter().map(|spec| {
            let source = Arc::new(Source::new(spec.clone(), cache));
            (spec.name.as_str().into(), (spec.clone(), source))
        });
        Self {
            sources: sources.collect(),
            closely: channel(false).0,
        }
    }

    /// Says whether somebody looks.
    pub fn watch(&self, closely: bool) {
        self.closely.send_replace(closely);
    }

    /// Follows a source in the background until it fails.
    pub fn follow(&self, name: Box<str>, settings: &Settings, sessions: &Sessions, queue: &Queue) {
        let Some((spec, source)) = self.sources.get(&name) else {
            return;
        };
        let queue = queue.clone();
        let tell = {
            let (name, queue) = (name.clone(), queue.clone());
            move |news| {
                let _ = queue.send(Msg::Builds {
                    source: name.clone(),
                    news,
                });
            }
        };
        let place = place(spec, sessions);
        let (place, docker) = match place {
            Ok(place) => place,
            Err(failure) => {
                tell(BuildNews::Failed(failure));
                return;
            }
        };
        let site = Site {
            place,
            docker,
            closely: self.closely.subscribe(),
            pause: settings.refresh.registry,
            report: Arc::new(tell),
        };
        let source = source.clone();
        tokio::spawn(async move {
            let failure = tokio::select! {
                failure = source.follow(&site) => failure,
                // Nobody listens any more.
                () = queue.closed() => return,
            };
            (site.report)(BuildNews::Failed(failure));
        });
    }
}

/// Finds where a source is read, and the docker command there.
fn place(spec: &BuildSource, sessions: &Sessions) -> Result<(Place, Vec<String>), SourceFailure> {
    let Some(host) = spec.from.host() else {
        return Ok((Place::Here, vec!["docker".to_owned()]));
    };
    let session = sessions
        .get(host)
        .ok_or_else(|| SourceFailure::new(format!("{host} is not connected"), "read once it is"))?;
    let place = session.place().cloned().ok_or_else(|| {
        SourceFailure::new(
            format!("on {host} only the engine can be spoken to, so no logs can be read"),
            "give the host an ssh address with a login that may run commands",
        )
    })?;
    Ok((place, docker(&session)))
}

fn docker(session: &HostSession) -> Vec<String> {
    let spec = session.spec();
    docker_argv(&spec.docker_command, spec.socket.as_deref())
}
