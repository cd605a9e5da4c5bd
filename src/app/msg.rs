//! Everything that can happen, in one closed list, handled one at a time.

use jiff::Timestamp;

use crate::core::builds::BuildNews;
use crate::core::builds::cache::CacheFacts;
use crate::core::digest::TopDigest;
use crate::core::engine::Observation;
use crate::core::failure::{HostFailure, RegistryFailure};
use crate::core::files::{FilesState, Recipe};
use crate::core::history::Event;
use crate::core::host::Address;
use crate::core::image::ImageRef;
use crate::core::logs::LogNews;
use crate::core::memory::Memory;
use crate::core::names::{HostName, ProjectName};
use crate::core::offer::Offer;
use crate::core::pace::Pull;
use crate::core::remote::{Answer, QuestionKey, RemoteImage};
use crate::core::rollout::job::{Progress, StepState};
use crate::core::rollout::plan::{Plan, TargetPlan};
use crate::core::rollout::{Outcome, Step};
use crate::core::shelf::{Shelf, TagList};
use crate::core::tailnet::Tailnet;
use crate::core::trust::Trust;
use crate::core::watch::EngineEvent;

use super::keys::Key;
use super::offers::Ending;
use super::preview::registry::CatalogKey;
use super::preview::{ImageKey, RepositoryKey};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Msg {
    /// Time went on; something may be due.
    Tick,
    Key(Key),
    /// Text came as one piece, as from a paste.
    Paste(String),
    Resize {
        width: u16,
        height: u16,
    },
    /// Nothing is configured yet: hosts are to be offered.
    FirstStart,
    /// Hosts that could be added.
    Offered(Vec<Offer>),
    /// A test of a host on offer ended, or waits for a person.
    Tried {
        address: Address,
        result: Result<String, HostFailure>,
    },
    /// What came of writing hosts into the configuration.
    HostsWritten(Ending),
    /// This machine slept: no open way can be trusted.
    Woke,
    /// The last start's knowledge was read.
    Restored(Box<Memory>),
    /// What a host's address leads to; nothing where that is not for the tailnet to know.
    Destination {
        host: HostName,
        name: Option<String>,
    },
    /// How the tailnet stands now.
    Tailnet(Box<Tailnet>),
    /// The way to a host's engine is open.
    Connected {
        host: HostName,
        rtt_ms: u64,
        /// Whether the connection would let changes through.
        could_change: bool,
    },
    /// A dial goes on but waits for a person.
    Waiting {
        host: HostName,
        failure: HostFailure,
    },
    /// A dial failed, or an open way was lost.
    Disconnected {
        host: HostName,
        failure: HostFailure,
    },
    Event {
        host: HostName,
        event: EngineEvent,
    },
    Observed {
        host: HostName,
        generation: u64,
        result: Result<Box<Observation>, HostFailure>,
    },
    Rendered {
        host: HostName,
        project: ProjectName,
        recipe: Recipe,
        state: FilesState,
    },
    Resolved {
        key: QuestionKey,
        result: Result<Box<Answer>, RegistryFailure>,
    },
    Imaged {
        key: ImageKey,
        result: Result<Box<RemoteImage>, RegistryFailure>,
    },
    /// What a host fetched before.
    Paced {
        host: HostName,
        pulls: Vec<Pull>,
    },
    /// What stands beside an image.
    Trusted {
        key: ImageKey,
        trust: Box<Trust>,
    },
    /// What an earlier session knew of a repository's tags.
    Shelved {
        key: RepositoryKey,
        shelf: Box<Shelf>,
    },
    /// The repositories of a registry, and whether these are all.
    Cataloged {
        key: CatalogKey,
        result: Result<(Vec<Box<str>>, bool), RegistryFailure>,
    },
    Listed {
        key: RepositoryKey,
        result: Result<TagList, RegistryFailure>,
    },
    Headed {
        asker: RepositoryKey,
        reference: ImageRef,
        result: Result<TopDigest, RegistryFailure>,
    },
    /// What came of following the log that was asked for under this number.
    Logs {
        number: u64,
        news: LogNews,
    },
    /// A source of builds has something to say.
    Builds {
        source: Box<str>,
        news: BuildNews,
    },
    /// The journal of a host, or the operator's own, was read.
    Journal {
        host: Option<HostName>,
        result: Result<Vec<Event>, String>,
    },
    /// A registry told of a cache of builds.
    BuildCache {
        reference: ImageRef,
        result: Result<CacheFacts, RegistryFailure>,
    },
    /// The plan that was asked for under this number, or why there is none.
    Planned {
        number: u64,
        result: Result<Box<Plan>, String>,
    },
    /// Jobs that have not ended were found on a host.
    JobsFound {
        plans: Vec<TargetPlan>,
    },
    /// The turn of a job came that waited for the one before it.
    JobBegun {
        job: String,
    },
    JobStep {
        job: String,
        step: Step,
        state: StepState,
        detail: String,
    },
    JobProgress {
        job: String,
        layers: Vec<Progress>,
    },
    JobEnded {
        job: String,
        outcome: Outcome,
        why: String,
    },
    /// Something went wrong on the console's own machine that a person should know.
    Trouble(String),
    /// What is to outlive the session was written down, or could not be.
    Kept {
        what: Kept,
        result: Result<(), String>,
    },
    /// The process was asked to end.
    Terminate,
}

/// What is written down on the console's own machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kept {
    LastObservation,
    Journal,
}

/// The moment at which a message is handled.
///
/// Wall time is for people and may jump; everything that is due goes by the time since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    pub wall: Timestamp,
    pub since_start: std::time::Duration,
}
