//! Why something could not be had: what was being done, the cause, and what to try.
//!
//! Every failure is a value; the words that a person reads are made where it is created, and nowhere guessed.

use std::fmt;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::remote::Request;

/// What stands between the console and a host's engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostTrouble {
    /// The tailnet says that the host is offline.
    Offline,
    /// The host's name does not resolve.
    NoSuchName,
    /// Nothing answers, or the connection was lost.
    NoConnection,
    /// The host key is not known yet.
    HostKeyUnknown,
    /// The host key is another than the known one.
    HostKeyChanged,
    /// The login was refused.
    LoginRefused,
    /// The login waits for a person (check mode, second factor, passphrase).
    LoginWaits,
    /// There is no docker command on the host.
    NoDocker,
    /// The user may not use the engine's socket.
    NoPermission,
    /// The host answers, its engine does not.
    EngineDown,
    /// The engine is too old or too new to talk to.
    EngineVersion,
    /// The answer could not be understood.
    BadAnswer,
}

impl HostTrouble {
    /// Tells whether the host was reached and something there stops us.
    pub fn is_denied(self) -> bool {
        matches!(
            self,
            Self::HostKeyUnknown
                | Self::HostKeyChanged
                | Self::LoginRefused
                | Self::LoginWaits
                | Self::NoDocker
                | Self::NoPermission
        )
    }
}

/// A failure on the way to a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFailure {
    pub trouble: HostTrouble,
    /// What happened, short enough for a row.
    pub what: String,
    /// What to run or change.
    pub remedy: String,
}

impl HostFailure {
    /// Joins the three parts.
    pub fn new(trouble: HostTrouble, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            trouble,
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    /// Returns the web address that a person has to open, where that is what to try.
    pub fn link(&self) -> Option<&str> {
        let link = self.remedy.strip_prefix("open ")?;
        let is_web = link.starts_with("https://") || link.starts_with("http://");
        // One that was too long is cut and leads nowhere.
        let is_whole = link.chars().all(|c| c.is_ascii_graphic());
        (is_web && is_whole).then_some(link)
    }
}

impl fmt::Display for HostFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        if !self.remedy.is_empty() {
            write!(f, "; {}", self.remedy)?;
        }
        Ok(())
    }
}

impl std::error::Error for HostFailure {}

/// What a registry's refusal or silence means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegistryTrouble {
    /// The registry itself says that tag or repository do not exist, and it would know.
    Gone,
    /// 401: no credentials, or wrong ones.
    Unauthorized,
    /// 403, or a token that does not reach this repository.
    Denied,
    /// 404 without the registry's own error body, or where missing and private look alike.
    NotFound,
    /// 429.
    RateLimited,
    /// 5xx.
    ServerError,
    /// No answer in time.
    TimedOut,
    /// No connection.
    Away,
    /// The certificate is not trusted.
    Certificate,
    /// Plain http was answered where https was asked.
    PlainHttp,
    /// The answer contradicts itself: bytes that do not match their digest, no digest, wrong type.
    Lied,
    /// The answer is larger than the bound.
    TooLarge,
    /// A redirect or link to another place than allowed.
    Elsewhere,
    /// The tag has no image for this platform.
    NoPlatform,
    /// The host through which the registry is asked is not connected.
    NoRoute,
    /// The reference cannot be asked for anywhere.
    BadReference,
}

/// A failed question to a registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryFailure {
    pub trouble: RegistryTrouble,
    pub status: Option<u16>,
    /// What was tried and how it ended, with the credential's name but never its value.
    pub what: String,
    /// What to try.
    pub remedy: String,
    /// How long the registry asked to be left alone.
    pub retry_after: Option<SignedDuration>,
    /// What was asked until then; apart, as failures travel as results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Box<Asked>>,
}

/// What was asked before a question failed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Asked {
    pub requests: Vec<Request>,
    /// Whose credentials were used, by name.
    pub credential: Option<String>,
}

impl RegistryFailure {
    /// Joins cause and remedy.
    pub fn new(
        trouble: RegistryTrouble,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            trouble,
            status: None,
            what: what.into(),
            remedy: remedy.into(),
            retry_after: None,
            asked: None,
        }
    }

    /// Tells whether the registry as a whole is away, rather than this one reference.
    pub fn is_registry_away(&self) -> bool {
        use RegistryTrouble as T;
        matches!(
            self.trouble,
            T::TimedOut | T::Away | T::ServerError | T::Certificate | T::PlainHttp
        )
    }
}

impl fmt::Display for RegistryFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if !self.remedy.is_empty() {
            write!(f, "; {}", self.remedy)?;
        }
        Ok(())
    }
}

impl std::error::Error for RegistryFailure {}
