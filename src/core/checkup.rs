//! What a closer look at a host found: the logins of those who pull there, and the last words of what ended.
//!
//! Names and answers only: no value of a login is ever part of it.

use jiff::Timestamp;

use super::failure::RegistryFailure;
use super::image::ImageRef;
use super::names::RegistryHost;

/// What was found on one host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checkup {
    pub pullers: Vec<Puller>,
    /// The registries that the engine speaks to without TLS, as `insecure-registries` lists them.
    pub insecure: Vec<String>,
    /// Whether the engine's `daemon.json` exists.
    pub has_daemon_file: bool,
    /// How the engine ended, where it does not answer.
    pub engine: Option<Ended>,
    /// Why there was no closer look, where there was none.
    pub trouble: Option<String>,
}

/// A user of the host who pulls there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Puller {
    pub user: String,
    /// Why the user pulls: `ssh`, `sudo`, or the name of a unit.
    pub because: String,
    /// Why the user's logins could not be tested, where they could not.
    pub trouble: Option<String>,
    pub logins: Vec<LoginCheck>,
}

/// One registry as one user pulls from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginCheck {
    pub registry: RegistryHost,
    /// What the engine asked for with the login.
    pub reference: ImageRef,
    pub login: Login,
    /// How it ended; nothing where it was not asked.
    pub answer: Option<Result<(), RegistryFailure>>,
    /// What GitHub says of the token, where it is one of GitHub's.
    pub token: Option<TokenFacts>,
}

/// Where docker's config of a user has the login for a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    None,
    File,
    /// In the store of this credential helper.
    Helper(String),
    /// The helper that the config names is not installed.
    HelperMissing(String),
    /// The helper gave neither a login nor the word that there is none.
    HelperSilent(String),
}

/// What this machine uses one of GitHub's tokens for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenUse {
    /// To read builds; it stands in the environment variable of this name.
    Builds(String),
    /// To pull packages; it is the login for GitHub's registry.
    Packages,
}

/// What GitHub's headers tell of a token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenFacts {
    pub status: u16,
    /// The scopes of a classic token; absent for the fine-grained ones.
    pub scopes: Option<Vec<String>>,
    pub expires: Option<Timestamp>,
}

impl TokenFacts {
    /// Takes a header over, if it tells something of the token.
    pub fn learn(&mut self, name: &str, value: &str) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("x-oauth-scopes") && !value.is_empty() {
            let scopes = value.split(',').map(|scope| scope.trim().to_owned());
            self.scopes = Some(scopes.take(50).collect());
        } else if name.eq_ignore_ascii_case("github-authentication-token-expiration") {
            self.expires = github_time(value);
        }
    }

    /// Tells whether the token may read packages, as far as the scopes tell.
    pub fn reads_packages(&self) -> Option<bool> {
        let scopes = self.scopes.as_ref()?;
        let enough = ["read:packages", "write:packages", "delete:packages"];
        Some(scopes.iter().any(|scope| enough.contains(&scope.as_str())))
    }
}

/// Reads a time as GitHub writes it: `2026-12-01 09:00:00 UTC`, or with an offset in place of the zone.
fn github_time(text: &str) -> Option<Timestamp> {
    let (day, rest) = text.split_once(' ')?;
    let (time, zone) = rest.split_once(' ')?;
    let zone = if zone == "UTC" { "Z" } else { zone };
    format!("{day}T{time}{zone}").parse().ok()
}

/// Something that does not run any more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ended {
    /// `dockerd`, or the container's name.
    pub name: String,
    pub image: String,
    /// The word of who keeps it: `failed`, `exited`, …
    pub state: String,
    pub code: Option<i32>,
    pub out_of_memory: bool,
    /// Its last lines, cleaned.
    pub lines: Vec<String>,
    /// The command that shows more.
    pub read: String,
}

impl Ended {
    /// Says how it ended, with its last words.
    pub fn words(&self) -> String {
        let mut words = match (self.code, self.out_of_memory) {
            (_, true) => format!("{} was killed for want of memory", self.name),
            (Some(code), _) => format!("{} is {} with exit code {code}", self.name, self.state),
            (None, _) if self.state.is_empty() => format!("{} does not run", self.name),
            (None, _) => format!("{} is {}", self.name, self.state),
        };
        if !self.lines.is_empty() {
            words.push_str("; its last lines: ");
            words.push_str(&self.lines.join(" | "));
        }
        words
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a_token_is_told_by_github_s_headers() {
        let mut token = TokenFacts::default();
        token.learn("X-OAuth-Scopes", "repo, read:packages");
        token.learn(
            "Github-Authentication-Token-Expiration",
            "2026-12-01 09:00:00 UTC",
        );
        assert_eq!(token.reads_packages(), Some(true));
        assert_eq!(token.expires, Some("2026-12-01T09:00:00Z".parse().unwrap()));
        token.learn(
            "github-authentication-token-expiration",
            "2026-12-01 09:00:00 -0700",
        );
        assert_eq!(token.expires, Some("2026-12-01T16:00:00Z".parse().unwrap()));
        token.learn("x-oauth-scopes", "repo");
        assert_eq!(token.reads_packages(), Some(false));
        let fine = TokenFacts::default();
        assert_eq!((fine.reads_packages(), github_time("soon")), (None, None));
    }

    #[test]
    fn an_end_is_told_with_its_code_and_last_words() {
        let mut ended = Ended {
            name: "dockerd".to_owned(),
            state: "failed".to_owned(),
            code: Some(1),
            lines: vec!["unable to configure the Docker daemon".to_owned()],
            ..Ended::default()
        };
        assert_eq!(
            ended.words(),
            "dockerd is failed with exit code 1; its last lines: unable to configure the Docker daemon"
        );
        ended.out_of_memory = true;
        assert!(
            ended
                .words()
                .starts_with("dockerd was killed for want of memory")
        );
    }
}
