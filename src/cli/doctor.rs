//! `doctor`: each link of the chain from here to a verdict, whether it holds, and what to do where it does not.
//!
//! It looks at nothing of its own: it reads one observation of the fleet, so that it says what `status` lived through.

use std::collections::BTreeMap;

use serde::Serialize;

use super::exit::Exit;
use super::output::{Failed, Output};
use super::table::Table;
use crate::app::model::{HostModel, Model};
use crate::core::age::count;
use crate::core::failure::{HostTrouble, RegistryFailure, RegistryTrouble};
use crate::core::files::FilesState;
use crate::core::host::{Address, HostState};
use crate::core::names::{HostName, RegistryHost};
use crate::core::remote::{Remote, Route};

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
    host: Option<&HostName>,
    json: bool,
    output: &mut Output<'_>,
) -> Result<Exit, Failed> {
    let checks = checks(model, host);
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
pub fn checks(model: &Model, only: Option<&HostName>) -> Vec<Check> {
    let wanted = |host: &&HostModel| only.is_none_or(|name| *name == host.spec.name);
    let mut checks: Vec<Check> = Vec::new();
    for host in model.hosts.iter().filter(wanted) {
        checks.extend(way_to_host(host));
        checks.extend(compose(model, host));
    }
    checks.extend(registries(model, only));
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

fn way_to_host(host: &HostModel) -> Vec<Check> {
    let name = Some(&host.spec.name);
    let by_ssh = matches!(host.spec.address, Address::Ssh { .. });
    let engine =
        |state, detail: String, remedy: &str| check(name, Link::Engine, state, detail, remedy);
    let ssh = |state, detail: String, remedy: &str| check(name, Link::Ssh, state, detail, remedy);
    let mut checks = Vec::new();
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

/// Tells whether the host's compose reads the projects' files.
fn compose(model: &Model, host: &HostModel) -> Vec<Check> {
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
        FilesState::Unreadable(_) | FilesState::Unknown(_) => None,
    });
    let mut checks = vec![match (version, states.first()) {
        (Some(version), _) => check(
            name,
            Link::Compose,
            State::Ok,
            format!("docker compose {version}"),
            "",
        ),
        (None, Some((_, FilesState::Unknown(why)))) => {
            check(name, Link::Compose, State::Unknown, why.clone(), "")
        }
        (None, Some(_)) => {
            let detail = "no project's files could be read, so it was not seen at work";
            check(name, Link::Compose, State::Unknown, detail, "")
        }
        (None, None) => {
            let detail = "no compose project is there to try it on";
            check(name, Link::Compose, State::Unknown, detail, "")
        }
    }];
    let mut read = 0;
    for (project, state) in states {
        match state {
            FilesState::Rendered(_) => read += 1,
            FilesState::Unreadable(why) => {
                let remedy = "put the files back where the project was started from, or start it again from where they are";
                checks.push(check(
                    name,
                    Link::Files,
                    State::Failed,
                    format!("{project}: {why}"),
                    remedy,
                ));
            }
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

/// What was lived through with one registry.
#[derive(Default)]
struct Asked<'a> {
    answered: usize,
    credential: Option<&'a str>,
    failure: Option<&'a RegistryFailure>,
}

fn registries(model: &Model, only: Option<&HostName>) -> Vec<Check> {
    let used = |route: &Route, reference: &crate::core::image::ImageRef| {
        only.is_none_or(|host| {
            *route == Route::Via(host.clone())
                || model.services().any(|service| {
                    service.key.host == *host
                        && service
                            .question
                            .as_ref()
                            .is_some_and(|key| key.reference == *reference)
                })
        })
    };
    let mut found: BTreeMap<(&RegistryHost, &Route), Asked<'_>> = BTreeMap::new();
    for (key, known) in &model.remotes {
        if !used(&key.route, &key.reference) {
            continue;
        }
        let place = (&key.reference.repository.registry, &key.route);
        found.entry(place).or_default().add(&known.remote);
    }
    found
        .into_iter()
        .flat_map(|((registry, route), asked)| asked.checks(registry, route))
        .collect()
}

impl<'a> Asked<'a> {
    fn add(&mut self, remote: &'a Remote) {
        match (&remote.answer, &remote.failure) {
            (_, Some((_, failure))) => {
                // Of several failures the one that concerns the whole registry tells most.
                if self.failure.is_none_or(|known| !known.is_registry_away()) {
                    self.failure = Some(failure);
                }
            }
            (Some(answer), None) => {
                self.answered += 1;
                self.credential = self.credential.or(answer.credential.as_deref());
            }
            (None, None) => {}
        }
    }

    fn checks(self, registry: &RegistryHost, route: &Route) -> Vec<Check> {
        use RegistryTrouble as T;
        let host = match route {
            Route::Here => None,
            Route::Via(host) => Some(host),
        };
        let row = |link, state, detail: String, remedy: &str| {
            check(host, link, state, format!("{registry}: {detail}"), remedy)
        };
        let answers = || format!("answers for {}", count(self.answered, "reference"));
        let as_whom = || match self.credential {
            Some(name) => row(Link::Credentials, State::Ok, format!("asked as {name}"), ""),
            None => row(Link::Credentials, State::Ok, "none needed".to_owned(), ""),
        };
        let Some(failure) = self.failure else {
            return match self.answered {
                0 => vec![row(
                    Link::Registry,
                    State::Unknown,
                    "no answer in time".to_owned(),
                    "try again",
                )],
                _ => vec![as_whom(), row(Link::Registry, State::Ok, answers(), "")],
            };
        };
        let (what, remedy) = (failure.what.clone(), failure.remedy.as_str());
        match failure.trouble {
            T::Unauthorized | T::Denied => vec![
                row(Link::Credentials, State::Failed, what, remedy),
                row(Link::Registry, State::Ok, "answers".to_owned(), ""),
            ],
            // What concerns one reference only says that the registry itself is at work.
            T::Gone | T::NotFound | T::NoPlatform | T::BadReference => {
                vec![row(
                    Link::Registry,
                    State::Ok,
                    format!("answers; {what}"),
                    "",
                )]
            }
            T::NoRoute => vec![row(Link::Registry, State::Unknown, what, remedy)],
            _ => vec![row(Link::Registry, State::Failed, what, remedy)],
        }
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
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::app::msg::Msg;
    use crate::cli::samples::{fleet, tell};
    use crate::core::failure::HostFailure;

    fn shown(checks: &[Check]) -> Vec<String> {
        checks
            .iter()
            .map(|check| {
                let host = check.host.as_deref().unwrap_or("-");
                format!(
                    "{host} {} {:?}: {}",
                    word(check.link),
                    check.state,
                    check.detail
                )
            })
            .collect()
    }

    #[test]
    fn every_link_is_told_with_its_remedy() {
        let model = fleet();
        let checks = checks(&model, None);
        assert_eq!(
            shown(&checks),
            [
                "vps ssh Ok: answers in 12 ms",
                "vps engine Ok: docker 28.5.2, graph store, linux/amd64",
                "vps compose Unknown: no project's files could be read, so it was not seen at work",
                "vps files Failed: blog: /opt/blog/compose.yaml is not there",
                "nas ssh Failed: no route to nas:22",
                "nas engine Unknown: not reached",
                "new engine Failed: nothing listens on 127.0.0.1:1",
                "- credentials Failed: r.lan: r.lan refused the credentials of op",
                "- registry Ok: r.lan: answers",
            ]
        );
        let failed = checks.iter().filter(|check| check.state == State::Failed);
        assert!(failed.clone().all(|check| check.remedy.is_some()));
        assert_eq!(failed.count(), 4);
    }

    #[test]
    fn a_host_alone_has_its_own_links_and_registries() {
        let model = fleet();
        assert_eq!(shown(&checks(&model, Some(&"new".into()))).len(), 1);
        let vps = shown(&checks(&model, Some(&"vps".into())));
        assert_eq!(vps.len(), 6, "{vps:?}");
    }

    #[test]
    fn the_broken_link_is_the_one_that_is_named() {
        use HostTrouble as T;
        for (trouble, expected) in [
            (
                T::Offline,
                &["tailnet Failed", "ssh Unknown", "engine Unknown"][..],
            ),
            (T::NoSuchName, &["ssh Failed", "engine Unknown"]),
            (T::HostKeyChanged, &["ssh Failed", "engine Unknown"]),
            (T::LoginRefused, &["ssh Failed", "engine Unknown"]),
            (T::NoDocker, &["ssh Ok", "engine Failed"]),
            (T::NoPermission, &["ssh Ok", "engine Failed"]),
            (T::EngineDown, &["ssh Ok", "engine Failed"]),
        ] {
            let mut model = fleet();
            let failure = HostFailure::new(trouble, "why", "what to do");
            tell(
                &mut model,
                Msg::Disconnected {
                    host: "nas".into(),
                    failure,
                },
            );
            let checks = checks(&model, Some(&"nas".into()));
            let found: Vec<_> = checks
                .iter()
                .filter(|check| check.link != Link::Registry && check.link != Link::Credentials)
                .map(|check| format!("{} {:?}", word(check.link), check.state))
                .collect();
            assert_eq!(found, expected, "{trouble:?}");
        }
    }

    #[test]
    fn the_document_and_the_exit_code_follow_the_checks() {
        let model = fleet();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut output = Output::new(&mut out, &mut err);
        assert_eq!(
            report(&model, None, true, &mut output).unwrap(),
            Exit::Broken
        );
        let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(document["schema"], 1);
        assert_eq!(
            document["checks"][4],
            serde_json::json!({"host": "nas", "link": "ssh", "state": "failed", "detail": "no route to nas:22", "remedy": "is it switched on?"})
        );
        assert_eq!(document["checks"][7]["host"], serde_json::Value::Null);
    }
}
