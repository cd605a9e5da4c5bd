//! The links of one host: its tailnet or ssh, its engine, its compose, its projects' files.

use jiff::Timestamp;

use super::{Check, Link, State, check};
use crate::app::model::{HostModel, Model};
use crate::core::age::count;
use crate::core::checkup::Ended;
use crate::core::failure::HostTrouble;
use crate::core::files::FilesState;
use crate::core::host::{Address, HostState};
use crate::core::names::HostName;

/// Tells how the way to a host's engine stands.
pub fn way(host: &HostModel, now: Timestamp) -> Vec<Check> {
    let name = Some(&host.spec.name);
    let by_ssh = matches!(host.spec.address, Address::Ssh { .. });
    let engine =
        |state, detail: String, remedy: &str| check(name, Link::Engine, state, detail, remedy);
    let ssh = |state, detail: String, remedy: &str| check(name, Link::Ssh, state, detail, remedy);
    let mut checks = Vec::new();
    checks.extend(super::tailnet::of_host(host, now));
    let Some(failure) = host.failure() else {
        if host.state() == HostState::Up {
            if by_ssh {
                let took = host
                    .rtt_ms
                    .map_or_else(String::new, |milliseconds| format!(" in {milliseconds} ms"));
                checks.push(ssh(State::Ok, format!("answers{took}"), ""));
            }
            let detail = host.observation.as_ref().map_or_else(
                || "answers".to_owned(),
                |seen| {
                    let engine = &seen.engine;
                    let store = engine.store.word();
                    format!(
                        "docker {}, {store} store, {}",
                        engine.version, engine.platform
                    )
                },
            );
            checks.push(engine(State::Ok, detail, ""));
        } else {
            let link = if by_ssh { Link::Ssh } else { Link::Engine };
            let remedy = "try again, or raise ssh.connect_timeout";
            checks.push(check(
                name,
                link,
                State::Unknown,
                "no answer in time",
                remedy,
            ));
        }
        return checks;
    };
    let not_reached = || engine(State::Unknown, "not reached".to_owned(), "");
    let (what, remedy) = (failure.what.clone(), failure.remedy.as_str());
    match failure.trouble {
        HostTrouble::Offline => {
            // A host that is back a moment ago may still be told as offline; one word at a time.
            checks.retain(|check| check.link != Link::Tailnet);
            checks.push(check(name, Link::Tailnet, State::Failed, what, remedy));
            checks.push(ssh(State::Unknown, "not tried".to_owned(), ""));
            checks.push(not_reached());
        }
        HostTrouble::NoDocker
        | HostTrouble::NoPermission
        | HostTrouble::EngineDown
        | HostTrouble::EngineVersion
        | HostTrouble::BadAnswer => {
            if by_ssh {
                checks.push(ssh(State::Ok, "answers".to_owned(), ""));
            }
            checks.push(engine(State::Failed, what, remedy));
        }
        _ if !by_ssh => checks.push(engine(State::Failed, what, remedy)),
        HostTrouble::NoSuchName
        | HostTrouble::NoConnection
        | HostTrouble::HostKeyUnknown
        | HostTrouble::HostKeyChanged
        | HostTrouble::LoginRefused
        | HostTrouble::LoginWaits => {
            checks.push(ssh(State::Failed, what, remedy));
            checks.push(not_reached());
        }
    }
    checks
}

/// Tells how an engine without an answer ended, in its own last words.
pub fn ended_engine(name: &HostName, ended: &Ended) -> Check {
    let remedy = format!("on {name}: {}", ended.read);
    let remedy = if ended.read.is_empty() { "" } else { &remedy };
    check(
        Some(name),
        Link::Engine,
        State::Failed,
        ended.words(),
        remedy,
    )
}

/// Tells whether the host's compose reads the projects' files.
pub fn compose(model: &Model, host: &HostModel) -> Vec<Check> {
    let name = Some(&host.spec.name);
    if host.state() != HostState::Up {
        return Vec::new();
    }
    let states: Vec<_> = model
        .files
        .iter()
        .filter(|(key, _)| key.host == host.spec.name)
        .filter_map(|(key, files)| Some((&key.project, files.state.as_ref()?)))
        .collect();
    let version = states.iter().find_map(|(_, state)| match state {
        FilesState::Rendered(rendered) => Some(&rendered.compose_version),
        FilesState::Unreadable(_) | FilesState::NoCompose(_) | FilesState::Unknown(_) => None,
    });
    let missing = states.iter().find_map(|(_, state)| match state {
        FilesState::NoCompose(why) => Some(why),
        _ => None,
    });
    let mut checks = vec![match (version.ok_or(missing), states.first()) {
        (Ok(version), _) => check(
            name,
            Link::Compose,
            State::Ok,
            format!("docker compose {version}"),
            "",
        ),
        (Err(Some(why)), _) => {
            let (what, remedy) = why.split_once("; ").unwrap_or((why, ""));
            check(name, Link::Compose, State::Failed, what, remedy)
        }
        (Err(None), Some((_, FilesState::Unknown(why)))) => {
            check(name, Link::Compose, State::Unknown, why.clone(), "")
        }
        (Err(None), Some(_)) => {
            let detail = "no project's files could be read, so it was not seen at work";
            check(name, Link::Compose, State::Unknown, detail, "")
        }
        (Err(None), None) => {
            let detail = "no compose project is there to try it on";
            check(name, Link::Compose, State::Unknown, detail, "")
        }
    }];
    let mut read = 0;
    for (project, state) in states {
        match state {
            FilesState::Rendered(_) => read += 1,
            FilesState::Unreadable(why) => {
                let remedy = format!(
                    "run docker compose config -q in the project's folder on {}",
                    host.spec.name
                );
                checks.push(check(
                    name,
                    Link::Files,
                    State::Failed,
                    format!("{project}: {why}"),
                    &remedy,
                ));
            }
            // Said once above, for the host as a whole.
            FilesState::NoCompose(_) => {}
            FilesState::Unknown(why) => {
                checks.push(check(
                    name,
                    Link::Files,
                    State::Unknown,
                    format!("{project}: {why}"),
                    "",
                ));
            }
        }
    }
    if read > 0 {
        let detail = format!("{} read", count(read, "project"));
        checks.push(check(name, Link::Files, State::Ok, detail, ""));
    }
    checks
}
