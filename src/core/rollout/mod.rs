//! Changes as values: what would be done, whether it may be, how it is undone, how it ended.
//!
//! Nothing here runs anything. A plan is made from facts by a pure function; what is shown is what runs.

pub mod compose_files;
pub mod dossier;
pub mod guard;
pub mod job;
pub mod make;
pub mod off_limits;
pub mod order;
pub mod pin;
pub mod plain;
pub mod plan;
pub mod script;
pub mod steps;
pub mod undo;

use serde::{Deserialize, Serialize};

/// What an operator can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Fetches only.
    Pull,
    /// Recreates with what the host holds.
    Recreate,
    /// Pulls, and recreates if the image differs.
    Update,
    /// Goes back to another image, pinned where that can hold.
    Rollback,
    /// Holds the service at an image.
    Pin,
    /// Lets the service follow its tag again.
    Unpin,
    /// Holds another image on the host by a tag of ours, so that it stays when the registry lets it go.
    Keep,
}

impl Action {
    /// Returns the word of the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Recreate => "recreate",
            Self::Update => "update",
            Self::Rollback => "rollback",
            Self::Pin => "pin",
            Self::Unpin => "unpin",
            Self::Keep => "keep",
        }
    }
}

/// How a job ended, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// There was nothing to do.
    Unchanged,
    /// Done and proven by digest and health.
    Succeeded,
    /// Nothing was touched.
    Refused,
    /// It failed; the former image runs again, proven.
    PutBack,
    /// It stopped in a known state; the undo is offered.
    Halted,
}

impl Outcome {
    /// Returns the word of the contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Succeeded => "succeeded",
            Self::Refused => "refused",
            Self::PutBack => "put-back",
            Self::Halted => "halted",
        }
    }

    /// Reads the word of the contract.
    pub fn from_word(word: &str) -> Option<Self> {
        [
            Self::Unchanged,
            Self::Succeeded,
            Self::Refused,
            Self::PutBack,
            Self::Halted,
        ]
        .into_iter()
        .find(|outcome| outcome.word() == word)
    }
}

/// The steps of a job, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Gives the running image a tag that keeps it.
    Keep,
    /// Fetches.
    Pull,
    /// Lets compose make the container anew.
    Recreate,
    /// Waits for health, or for the settle time.
    Wait,
    /// Compares what runs with what was planned.
    Prove,
    /// Brings the former image back.
    PutBack,
}

impl Step {
    /// All of them, in their order; a test holds the job's script to these words.
    pub const ALL: [Self; 6] = [
        Self::Keep,
        Self::Pull,
        Self::Recreate,
        Self::Wait,
        Self::Prove,
        Self::PutBack,
    ];

    /// Returns the word of the contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Pull => "pull",
            Self::Recreate => "recreate",
            Self::Wait => "wait",
            Self::Prove => "prove",
            Self::PutBack => "put-back",
        }
    }

    /// Reads the word of the contract.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.word() == word)
    }

    /// Tells whether the service may be changed once the step has begun, so that a job that ends there puts it back.
    pub fn changes_the_service(self) -> bool {
        match self {
            Self::Keep | Self::Pull => false,
            Self::Recreate | Self::Wait | Self::Prove | Self::PutBack => true,
        }
    }
}
