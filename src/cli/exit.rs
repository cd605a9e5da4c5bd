//! The exit codes of the program, by meaning.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; `status` could report.
    Done,
    /// `doctor` found a broken link, or an action was put back or halted.
    Broken,
    /// Wrong usage, no such target, or a configuration that cannot be used.
    Usage,
    /// `status --exit-code`: something is neither current nor local.
    Unsettled,
    /// `status --exit-code`: something is unknown. `builds parse`: a log was refused.
    Unknown,
    /// The worst outcome is `refused`, or a target of a dry run is blocked.
    Refused,
}

impl Exit {
    /// Returns the number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Broken => 1,
            Self::Usage => 2,
            Self::Unsettled => 3,
            Self::Unknown => 4,
            Self::Refused => 5,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
