//! What a build log says: the figures of one build, and what could not be read.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::name::{self, Name};

/// The number of the rules by which figures are made: it grows with each change that tells the same log otherwise.
pub const FIGURES: u32 = 4;

/// How a build ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Status {
    Succeeded,
    Failed,
    Cancelled,
    Running,
}

impl Status {
    /// Returns the word of the contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Running => "running",
        }
    }
}

/// Which builder wrote the log, and in which form.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Format {
    /// BuildKit's `--progress=plain`.
    #[default]
    Plain,
    /// BuildKit's `--progress=rawjson`.
    Rawjson,
    /// The classic builder (`Step 3/8 : COPY`).
    Classic,
}

impl Format {
    /// Returns the word that names the format.
    pub fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Rawjson => "rawjson",
            Self::Classic => "classic",
        }
    }
}

/// Counts of Dockerfile steps.
///
/// `total` also holds the steps that are still open; a step that hit the cache and failed later counts in both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steps {
    pub total: usize,
    pub cached: usize,
    pub executed: usize,
    pub failed: usize,
    pub cancelled: usize,
}

impl Steps {
    /// Returns the share of steps that hit the cache, nothing where there are no steps.
    pub fn hit_rate(&self) -> Option<f64> {
        (self.total > 0).then(|| self.cached as f64 / self.total as f64)
    }
}

/// Counts of all vertices that the log shows, as buildx counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vertices {
    pub total: usize,
    pub cached: usize,
    pub failed: usize,
    pub cancelled: usize,
}

/// The steps of one platform, where the names of the steps tell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformSteps {
    pub platform: String,
    pub steps: Steps,
}

/// How a step came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StepState {
    Cached,
    Executed,
    Failed,
    Cancelled,
    /// Begun, and not ended where the log ends.
    Open,
}

impl StepState {
    /// Returns the word that names the state.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cached => "cached",
            Self::Executed => "executed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Open => "open",
        }
    }
}

/// One Dockerfile step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The number of its vertex, or of the step with the classic builder.
    pub number: u32,
    /// The name as the log gives it, brackets and all.
    pub name: String,
    pub state: StepState,
    /// A program of it wrote something, so it was not taken from a cache.
    pub ran: bool,
    /// What it took, where the log says so.
    pub seconds: Option<f64>,
    /// Bytes fetched for it: layers of the cache, pulled because something needed them.
    pub fetched: u64,
}

impl Step {
    /// Returns the parts of the name.
    pub fn parts(&self) -> Name<'_> {
        name::parse(&self.name)
    }
}

/// A place that the build asked for cached layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheSource {
    pub reference: String,
    /// The refusal; `None` means imported, which is all that the log says even of an empty cache.
    pub error: Option<String>,
}

/// A base image that the build started from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    pub reference: String,
    /// Bytes fetched for it in this build; none where it was there.
    pub fetched: u64,
}

/// One build: one invocation of a builder, be it of one image or of several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Build {
    pub status: Status,
    pub format: Format,
    /// The job, branch or step of the wrapping log that it ran in, where there are several.
    pub job: Option<String>,
    /// The targets or services that one invocation built together.
    pub targets: Vec<String>,
    /// The line of the source that it begins with, from 1.
    pub line: u64,
    pub started: Option<Timestamp>,
    /// From the first line to the last, where the lines tell the time.
    pub seconds: Option<f64>,
    pub steps: Steps,
    /// Nothing for the classic builder, which has no vertices.
    pub vertices: Option<Vertices>,
    pub platforms: Vec<PlatformSteps>,
    /// What the executed steps took, summed up; nothing where the log does not tell.
    pub missed_seconds: Option<f64>,
    /// The index in `step_list` of the first step that missed and so cost the rest.
    pub first_miss: Option<usize>,
    /// Why steps missed, in words, where the log tells it.
    pub why_missed: Option<String>,
    pub cache_sources: Vec<CacheSource>,
    pub bases: Vec<Base>,
    /// Bytes fetched for base images.
    pub fetched_base: u64,
    /// Bytes fetched from caches.
    pub fetched_cache: u64,
    /// Bytes pushed, where the log tells them.
    pub pushed: Option<u64>,
    /// The references that the result was named or pushed as.
    pub images: Vec<String>,
    /// The digest of what was exported: index, else manifest, else image config.
    pub digest: Option<String>,
    pub revision: Option<String>,
    pub warnings: usize,
    pub warning_list: Vec<String>,
    /// Why it failed or was cancelled.
    pub error: Option<String>,
    pub step_list: Vec<Step>,
    /// The beginning of the build is not in the log.
    pub head_missing: bool,
    /// Lines of other builds stood between its own, with the same numbers: who did what is a guess.
    pub interleaved: bool,
    /// Lines inside the build that could not be read.
    pub unread: u64,
    /// Some of them.
    pub unread_sample: Vec<String>,
}

impl Build {
    /// Returns a build of which nothing is known but that it began.
    pub fn begun(started: Option<Timestamp>) -> Self {
        Self {
            status: Status::Running,
            format: Format::Plain,
            job: None,
            targets: Vec::new(),
            line: 0,
            started,
            seconds: None,
            steps: Steps::default(),
            vertices: None,
            platforms: Vec::new(),
            missed_seconds: None,
            first_miss: None,
            why_missed: None,
            cache_sources: Vec::new(),
            bases: Vec::new(),
            fetched_base: 0,
            fetched_cache: 0,
            pushed: None,
            images: Vec::new(),
            digest: None,
            revision: None,
            warnings: 0,
            warning_list: Vec::new(),
            error: None,
            step_list: Vec::new(),
            head_missing: false,
            interleaved: false,
            unread: 0,
            unread_sample: Vec::new(),
        }
    }

    /// Returns the share of steps that hit the cache.
    pub fn hit_rate(&self) -> Option<f64> {
        self.steps.hit_rate()
    }

    /// Returns the step that missed first.
    pub fn first_missed_step(&self) -> Option<&Step> {
        self.step_list.get(self.first_miss?)
    }

    /// Returns the reference that stands for the result.
    pub fn image(&self) -> Option<&str> {
        self.images.first().map(String::as_str)
    }

    /// Tells a build that found nothing in any cache although it had steps.
    pub fn is_cold(&self) -> bool {
        self.steps.total > 0 && self.steps.cached == 0
    }
}

/// A form of log that is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Refused {
    /// The moving screen of `--progress=tty`.
    Tty,
    /// Podman or buildah.
    Podman,
    Kaniko,
    /// A packed file.
    Packed,
}

impl Refused {
    /// Says what is wrong with the log.
    pub fn why(self) -> &'static str {
        match self {
            Self::Tty => {
                "this is the screen of --progress=tty, redrawn many times: steps cannot be counted in it"
            }
            Self::Podman => {
                "this is a log of podman or buildah, which do not name vertices or what they cost"
            }
            Self::Kaniko => "this is a log of kaniko, which does not number its steps",
            Self::Packed => "this is a packed file and no text",
        }
    }

    /// Says what would give a log that can be read.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Tty => "build with --progress=plain, or set BUILDKIT_PROGRESS=plain",
            Self::Podman | Self::Kaniko => "build with docker buildx build --progress=plain",
            Self::Packed => {
                "unpack it first: gunzip -c FILE, unzip -p FILE or zstdcat FILE, then | homelab-tui builds parse -"
            }
        }
    }
}

/// How the reading of one source went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    pub bytes: u64,
    pub lines: u64,
    /// Lines longer than can be held; their ends were not read.
    pub cut: u64,
    /// Lines inside builds that could not be read.
    pub unread: u64,
    /// Some of them, made fit for a screen.
    pub sample: Vec<String>,
    /// Finished builds that nobody took and that had to be dropped.
    pub dropped: u64,
    /// What stands in the source and is not counted.
    pub refused: Vec<Refused>,
}
