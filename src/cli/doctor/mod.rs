//! `doctor`: each link of the chain from here to a verdict, whether it holds, and what to do where it does not.
//!
//! It reads one observation of the fleet, so that it says what `status` lived through, and what a closer look at the
//! hosts found.

mod hosts;
mod logins;
mod registries;
mod services;
mod tailnet;

use serde::Serialize;

use super::exit::Exit;
use super::output::{Failed, Output};
use super::table::Table;
use crate::app::model::{HostModel, Model};
use crate::core::checkup::TokenUse;
use crate::core::names::HostName;
use crate::runtime::checkup::Findings;

/// A part of the way from the operator to a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Link {
    Tailnet,
    Ssh,
    Engine,
    Compose,
    Files,
    Credentials,
    Registry,
}

/// Whether a link holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Ok,
    Failed,
    /// It could not be tried.
    Unknown,
}

/// What was found out about one link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The host; absent where the link begins on this machine.
    pub host: Option<String>,
    pub link: Link,
    pub state: State,
    pub detail: String,
    pub remedy: Option<String>,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    checks: &'a [Check],
}

/// Reports every link of the fleet, or those of one host.
pub fn report(
    model: &Model,
    findings: &Findings,
    host: Option<&HostName>,
    json: bool,
    output: &mut Output<'_>,
) -> Result<Exit, Failed> {
    let checks = checks(model, findings, host);
    if json {
        output.json(&Document {
            schema: 1,
            checks: &checks,
        })?;
    } else {
        output.text(&text(&checks))?;
    }
    let broken = checks.iter().any(|check| check.state == State::Failed);
    Ok(if broken { Exit::Broken } else { Exit::Done })
}

/// Tells how every link stands.
pub fn checks(model: &Model, findings: &Findings, only: Option<&HostName>) -> Vec<Check> {
    let wanted = |host: &&HostModel| only.is_none_or(|name| *name == host.spec.name);
    let now = model.now.wall;
    let mut checks: Vec<Check> = tailnet::own(model);
    for host in model.hosts.iter().filter(wanted) {
        let name = &host.spec.name;
        checks.extend(hosts::way(host, now));
        let found = findings.hosts.get(name);
        if let Some(ended) = found.and_then(|found| found.engine.as_ref()) {
            checks.push(hosts::ended_engine(name, ended));
        }
        checks.extend(hosts::compose(model, host));
        if let Some(found) = found {
            checks.extend(logins::of_host(name, found, now));
        }
    }
    checks.extend(registries::all(model, only));
    for (registry, host, ended) in &findings.fallen {
        checks.push(registries::fallen(registry, host, ended));
    }
    for (used, token) in &findings.tokens {
        let (name, for_packages) = match used {
            TokenUse::Builds(variable) => (variable.as_str(), false),
            TokenUse::Packages => ("the login for ghcr.io", true),
        };
        checks.push(match token {
            Ok(token) => logins::of_token(None, name, token, for_packages, now),
            Err(why) => check(
                None,
                Link::Credentials,
                State::Unknown,
                format!("{name}: {why}"),
                "",
            ),
        });
    }
    checks.extend(services::all(model, only));
    checks.extend(findings.own.iter().map(|(words, cannot)| {
        let (state, remedy) = match cannot {
            true => (
                State::Failed,
                "free space there, or let this user write there",
            ),
            false => (State::Ok, ""),
        };
        check(None, Link::Files, state, words, remedy)
    }));
    checks
}

fn check(
    host: Option<&HostName>,
    link: Link,
    state: State,
    detail: impl Into<String>,
    remedy: &str,
) -> Check {
    Check {
        host: host.map(ToString::to_string),
        link,
        state,
        detail: detail.into(),
        remedy: (!remedy.is_empty()).then(|| remedy.to_owned()),
    }
}

fn text(checks: &[Check]) -> String {
    let mut table = Table::new(["HOST", "LINK", "STATE", "WHAT"]);
    for check in checks {
        let mut what = check.detail.clone();
        if let Some(remedy) = &check.remedy {
            what.push_str("; ");
            what.push_str(remedy);
        }
        table.row([
            check.host.clone().unwrap_or_else(|| "-".to_owned()),
            word(check.link).to_owned(),
            match check.state {
                State::Ok => "ok",
                State::Failed => "failed",
                State::Unknown => "unknown",
            }
            .to_owned(),
            what,
        ]);
    }
    table.render()
}

fn word(link: Link) -> &'static str {
    match link {
        Link::Tailnet => "tailnet",
        Link::Ssh => "ssh",
        Link::Engine => "engine",
        Link::Compose => "compose",
        Link::Files => "files",
        Link::Credentials => "credentials",
        Link::Registry => "registry",
    }
}

#[cfg(test)]
mod tests;
