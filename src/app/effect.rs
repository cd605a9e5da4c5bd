//! What the program wants done, as plain values that a test compares and a log prints.

use crate::core::files::Recipe;
use crate::core::history::Event;
use crate::core::image::{ImageRef, Repository};
use crate::core::names::{ContainerId, HostName, ProjectName, RegistryHost, ServiceKey};
use crate::core::offer::Offer;
use crate::core::remote::{Question, RemoteImage, Route};
use crate::core::rollout::plan::Plan;
use crate::core::trust::Beside;
use crate::core::watch::Scope;

use super::jobs::PlanWish;
use super::mode::Mode;
use super::preview::{ImageKey, RepositoryKey};

/// One thing to do outside of the model.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect<M: Mode> {
    /// Looks at the world and changes nothing in it.
    Look(Look),
    /// Changes something on a host; has no values in an observing session.
    Act(M::Act),
    /// Concerns the console's own machine and terminal only.
    Console(Console),
}

/// Ways of looking.
#[derive(Debug, Clone, PartialEq)]
pub enum Look {
    /// Opens the way to a host's engine and follows its events.
    Connect { host: HostName },
    /// Asks the tailnet how it stands and follows its changes; for the whole session.
    WatchTailnet,
    /// Reads a host's containers and images.
    Observe {
        host: HostName,
        generation: u64,
        scope: Scope,
    },
    /// Lets the host render a project's files.
    Render {
        host: HostName,
        project: ProjectName,
        recipe: Recipe,
    },
    /// Asks a registry.
    Resolve(Question),
    /// Reads the image that a digest names, from the first of these places that holds it.
    Image {
        key: ImageKey,
        places: Vec<RepositoryKey>,
    },
    /// Lists the repositories of a registry.
    Catalog {
        route: Route,
        registry: RegistryHost,
    },
    /// Lists the tags of a repository, first as they were last known.
    Tags {
        route: Route,
        repository: Repository,
    },
    /// Asks what a tag names now, or whether a digest is still there.
    Head {
        /// The repository on whose behalf it is asked.
        asker: RepositoryKey,
        route: Route,
        reference: ImageRef,
        /// Whether the answer holds for ever.
        keep: bool,
    },
    /// Looks for what stands beside an image: attestations, signatures.
    Trust {
        key: ImageKey,
        place: RepositoryKey,
        image: Box<RemoteImage>,
        /// Helper tags of the image, where the whole list of tags is known.
        beside: Option<Beside>,
        /// Whether what was not there before is asked for again.
        anew: bool,
    },
    /// Asks a host how fast it fetched before.
    Pace { host: HostName },
    /// Gives up all questions about tags and marks: the view that asked them was left.
    Cease,
    /// Reads the journal of a host, or the operator's own.
    Journal { host: Option<HostName> },
    /// Gathers hosts that could be added; none of them is contacted.
    Offers,
    /// Tests whether an engine answers at a host on offer.
    Try(Offer),
    /// Tests whether the way to a host still holds, and hangs up where it does not.
    Recheck { host: HostName },
    /// Gathers what a plan needs and makes it; nothing is changed.
    Plan(PlanWish),
    /// Follows the logs of containers, instead of those followed so far.
    Logs {
        number: u64,
        host: HostName,
        containers: Vec<ContainerId>,
    },
    /// Follows no log any more.
    LeaveLogs,
    /// Reads a source of builds and follows it.
    Builds { source: Box<str> },
    /// Asks how old a cache of builds is that lies in a registry.
    BuildCache { route: Route, reference: ImageRef },
    /// Says whether somebody looks at builds, so that their sources are watched closely or left alone.
    WatchBuilds { closely: bool },
}

/// Ways of changing.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Opens a shell in a container, with the terminal handed over to it.
    Shell {
        service: ServiceKey,
        container: ContainerId,
    },
    /// Starts jobs by the plan that was shown, one after another.
    Start(Box<Plan>),
    /// Asks a job to stop where that is safe.
    Cancel { target: ServiceKey, job: String },
}

/// What concerns the console's own machine only.
#[derive(Debug, Clone, PartialEq)]
pub enum Console {
    /// Puts a text into the terminal's clipboard.
    Copy(String),
    /// Opens a link in the operator's browser.
    Browse(String),
    /// Stops the process as Ctrl-Z does, with the terminal restored meanwhile.
    Suspend,
    /// Ends the program.
    Quit,
    /// Writes down what is known, for the next start.
    Remember,
    /// Appends what was seen to the operator's journal.
    Record(Vec<Event>),
    /// Writes hosts into the configuration.
    AddHosts(Vec<Offer>),
    /// Begins anew, with the configuration as it is now.
    Again,
}
