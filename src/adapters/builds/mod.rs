//! Sources of build logs: files, commands, a builder's history, GitHub Actions. Each tells news in one shape.
//!
//! A source reads what is there once, then only what is new. While somebody looks it is watched closely; else it is
//! looked at in the interval of registries. What was read is remembered, so that a lost connection costs nothing again.
//!
//! Another kind of source begins as a variant of [`BuildOrigin`]; the compiler then asks for its host there and for its
//! state here, and its own file says how it is read. Its key in the configuration is a row of `BUILD` in
//! `adapters::config::keys`, read by `adapters::config::convert`.

mod answers;
mod buildx;
mod collect;
mod command;
mod files;
mod github;
mod github_api;
mod kept;
mod listing;
mod watch;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch::Receiver};

use crate::core::builds::{BuildNews, SourceFailure};
use crate::core::settings::{BuildOrigin, BuildSource};

use super::shell::{Place, ScriptError};

/// How many of the last builds of a source are read.
pub const LAST: usize = 60;

/// Where news goes.
pub type Report = Arc<dyn Fn(BuildNews) + Send + Sync>;

/// One source with what was read of it.
pub struct Source {
    spec: Arc<BuildSource>,
    state: Mutex<State>,
}

/// What a source needs of the world while it is followed.
#[derive(Clone)]
pub struct Site {
    /// Where its files or commands are.
    pub place: Place,
    /// The docker command there.
    pub docker: Vec<String>,
    /// Whether somebody looks.
    pub closely: Receiver<bool>,
    /// How often it is looked at while nobody does.
    pub pause: Duration,
    pub report: Report,
}

enum State {
    Files(files::Files),
    Command(command::Command),
    Buildx(buildx::History),
    GitHub(Box<github::GitHub>),
}

impl Source {
    /// Prepares a source, with the folder of caches; nothing is read yet.
    pub fn new(spec: BuildSource, cache: Option<&Path>) -> Self {
        let spec = Arc::new(spec);
        let state = match &spec.from {
            BuildOrigin::File { pattern, .. } => State::Files(files::Files::new(pattern)),
            BuildOrigin::Command { argv, .. } => State::Command(command::Command::new(argv)),
            BuildOrigin::Buildx { .. } => State::Buildx(buildx::History::default()),
            BuildOrigin::GitHub { .. } => {
                State::GitHub(Box::new(github::GitHub::new(&spec, cache)))
            }
        };
        Self {
            spec,
            state: Mutex::new(state),
        }
    }

    /// Reads the source and follows it until it cannot be read any longer.
    pub async fn follow(&self, site: &Site) -> SourceFailure {
        // Who followed it before has ended, or is about to.
        let mut state = self.state.lock().await;
        match &mut *state {
            State::Files(files) => listing::follow(files, &self.spec, site).await,
            State::Command(command) => command.follow(&self.spec, site).await,
            State::Buildx(history) => listing::follow(history, &self.spec, site).await,
            State::GitHub(github) => github.follow(&self.spec, site).await,
        }
    }

    /// Returns how many bytes of logs were read so far.
    pub async fn bytes_read(&self) -> u64 {
        match &*self.state.lock().await {
            State::Files(files) => files.bytes_read(),
            State::Command(_) | State::Buildx(_) | State::GitHub(_) => 0,
        }
    }
}

impl Site {
    fn tell(&self, news: BuildNews) {
        (self.report)(news);
    }

    /// Waits until it is time to look again: the pause is over, or somebody begins to look.
    async fn rest(&mut self) {
        if *self.closely.borrow_and_update() {
            return;
        }
        let begins = self.closely.wait_for(|closely| *closely);
        // A watch whose other end is gone means that the session ends.
        let _ = tokio::time::timeout(self.pause, begins).await;
    }
}

fn unreadable(what: &str, error: &ScriptError) -> SourceFailure {
    SourceFailure::new(format!("{what}: {error}"), "tried again by itself")
}
