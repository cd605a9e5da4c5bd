//! What the scripts of a checkup print, read into values; every text is bounded and cleaned.

use serde::Deserialize;
use std::collections::BTreeMap;

use crate::adapters::engine::refusal;
use crate::core::checkup::{Ended, Login, LoginCheck, Puller, TokenFacts};
use crate::core::failure::{RegistryFailure, RegistryTrouble};
use crate::core::image::ImageRef;
use crate::core::names::RegistryHost;
use crate::core::text::clean_within;

/// The longest line that is shown.
const SHOWN: usize = 160;
/// The most lines that are shown.
const LINES: usize = 3;
const MOST: usize = 200;

/// What `host.sh` told.
#[derive(Debug, Default)]
pub struct Told {
    pub user: String,
    pub units: Vec<Unit>,
    pub insecure: Vec<String>,
    pub has_daemon_file: bool,
}

/// A unit that pulls.
#[derive(Debug, PartialEq, Eq)]
pub struct Unit {
    pub name: String,
    pub user: String,
    /// Its own folder of docker's config.
    pub config: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RegistryConfig {
    #[serde(rename = "InsecureRegistryCIDRs")]
    networks: Option<Vec<String>>,
    index_configs: Option<BTreeMap<String, IndexConfig>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct IndexConfig {
    secure: Option<bool>,
}

/// Reads what `host.sh` printed.
pub fn host(text: &str) -> Told {
    let mut told = Told::default();
    for (kind, rest) in marked(text) {
        match kind {
            "user" => told.user = clean_within(rest, 64),
            "unit" => told.units.extend(unit(rest)),
            "daemon" => told.has_daemon_file = true,
            "registries" => told.insecure = insecure(rest),
            _ => {}
        }
    }
    told
}

fn unit(rest: &str) -> Option<Unit> {
    let mut words = rest.split(' ');
    let name = clean_within(words.next()?, 100);
    let user = words.next()?.to_owned();
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    // A user that a template makes is known to systemd alone.
    let known = !user.is_empty() && !user.starts_with('-') && user.chars().all(plain);
    let config = words.next().filter(|folder| folder.starts_with('/'));
    known.then(|| Unit {
        name,
        user,
        config: config.map(str::to_owned),
    })
}

fn insecure(text: &str) -> Vec<String> {
    let config: RegistryConfig = serde_json::from_str(text).unwrap_or_default();
    // The host's own addresses are always there and need no line.
    let networks = config.networks.unwrap_or_default();
    let networks = networks
        .into_iter()
        .filter(|net| net != "127.0.0.0/8" && net != "::1/128");
    let names = config.index_configs.unwrap_or_default();
    let names = names
        .into_iter()
        .filter(|(_, index)| index.secure == Some(false));
    let all = names.map(|(name, _)| name).chain(networks);
    all.take(MOST)
        .map(|name| clean_within(&name, SHOWN))
        .collect()
}

/// Reads what `logins.sh` printed for one user.
pub fn logins(
    text: &str,
    errors: &str,
    registries: &[&(RegistryHost, ImageRef)],
    puller: &mut Puller,
) {
    let mut heard = false;
    for (kind, rest) in marked(text) {
        match kind {
            "user" => heard = true,
            "cannot" => puller.trouble = Some(clean_within(rest, SHOWN)),
            "login" => puller.logins.extend(login(rest, registries)),
            "answer" | "body" => answer(kind == "answer", rest, puller),
            "github" => {
                if let Some(last) = puller.logins.last_mut() {
                    let status = rest.trim().parse().unwrap_or_default();
                    last.token = Some(TokenFacts {
                        status,
                        ..TokenFacts::default()
                    });
                }
            }
            "header" => {
                let token = puller
                    .logins
                    .last_mut()
                    .and_then(|last| last.token.as_mut());
                if let (Some(token), Some((name, value))) = (token, rest.split_once(':')) {
                    token.learn(name, &clean_within(value, SHOWN));
                }
            }
            _ => {}
        }
    }
    if !heard && puller.trouble.is_none() {
        let last = errors.lines().rev().find(|line| !line.trim().is_empty());
        puller.trouble = Some(clean_within(last.unwrap_or("no answer").trim(), SHOWN));
    }
}

fn login(rest: &str, registries: &[&(RegistryHost, ImageRef)]) -> Option<LoginCheck> {
    let mut words = rest.split(' ');
    let name = words.next()?;
    let (registry, reference) = registries
        .iter()
        .find(|(registry, _)| registry.as_str() == name)?;
    let kind = words.next()?;
    let mut helper = || clean_within(words.next().unwrap_or_default(), 64);
    let login = match kind {
        "file" => Login::File,
        "helper" => Login::Helper(helper()),
        "missing" => Login::HelperMissing(helper()),
        "silent" => Login::HelperSilent(helper()),
        _ => Login::None,
    };
    Some(LoginCheck {
        registry: registry.clone(),
        reference: reference.clone(),
        login,
        answer: None,
        token: None,
    })
}

fn answer(is_head: bool, rest: &str, puller: &mut Puller) {
    let Some((name, text)) = rest.split_once(' ') else {
        return;
    };
    let Some(check) = puller
        .logins
        .iter_mut()
        .rev()
        .find(|check| check.registry.as_str() == name)
    else {
        return;
    };
    if is_head {
        let status = text
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.split(' ').nth(1));
        check.answer = match status.and_then(|status| status.parse::<u16>().ok()) {
            Some(status) if (200..300).contains(&status) => Some(Ok(())),
            Some(status) => Some(Err(refusal(status, "", &check.reference, false))),
            None => {
                // Without a status it is docker that speaks, and the user who may not use it.
                puller.trouble = Some(clean_within(text, SHOWN));
                None
            }
        };
    } else if let Some(Err(failure)) = &mut check.answer {
        let told: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        let message = told["message"].as_str().unwrap_or(text);
        let mut known = refusal(
            failure.status.unwrap_or(500),
            message,
            &check.reference,
            false,
        );
        if known.trouble == RegistryTrouble::ServerError && failure.status == Some(401) {
            known.trouble = RegistryTrouble::Unauthorized;
        }
        *failure = RegistryFailure {
            status: failure.status,
            ..known
        };
    }
}

/// Reads what `fallen.sh` printed.
pub fn fallen(text: &str) -> Vec<Ended> {
    let mut all: Vec<Ended> = Vec::new();
    for (kind, rest) in marked(text) {
        match kind {
            "fallen" => {
                let words: Vec<&str> = rest.splitn(5, ' ').collect();
                let [state, code, memory, name, image] = words[..] else {
                    continue;
                };
                let name = clean_within(name, 100);
                all.push(Ended {
                    read: format!("docker logs --tail 50 {name}"),
                    name,
                    image: clean_within(image, SHOWN),
                    state: clean_within(state, 32),
                    code: code.parse().ok(),
                    out_of_memory: memory == "true",
                    lines: Vec::new(),
                });
            }
            "line" => {
                if let Some(last) = all.last_mut() {
                    last.lines.extend(line(rest));
                }
            }
            _ => {}
        }
    }
    all.iter_mut().for_each(|ended| keep_last(&mut ended.lines));
    all
}

/// Reads what `engine.sh` printed; nothing where it told nothing, or the engine runs.
pub fn engine(text: &str) -> Option<Ended> {
    let mut ended = Ended {
        name: "dockerd".to_owned(),
        ..Ended::default()
    };
    for (kind, rest) in marked(text) {
        match (kind, rest.split_once('=')) {
            ("manager", _) => {
                ended.read = match rest.strip_prefix("systemd ") {
                    Some("docker") => "sudo journalctl -u docker -n 50",
                    Some(_) => "journalctl --user -u docker -n 50",
                    None => "its log, as /var/log/docker.log",
                }
                .to_owned();
            }
            ("file", _) => ended.read = format!("tail -n 50 {}", clean_within(rest, 100)),
            ("state", Some(("ActiveState", state))) => ended.state = clean_within(state, 32),
            ("state", Some(("ExecMainStatus", code))) => ended.code = code.parse().ok(),
            // A unit that never ran, or was ended on purpose, has no code worth telling.
            ("state", Some(("Result", "success"))) => ended.code = None,
            ("runs", _) => ended.state = "running, and does not answer".to_owned(),
            ("line", _) => ended.lines.extend(line(rest)),
            _ => {}
        }
    }
    if ended.state == "inactive" {
        ended.code = None;
    }
    keep_last(&mut ended.lines);
    let knows = !ended.state.is_empty() || !ended.lines.is_empty() || !ended.read.is_empty();
    knows.then_some(ended)
}

fn line(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| clean_within(text, SHOWN))
}

fn keep_last(lines: &mut Vec<String>) {
    let surplus = lines.len().saturating_sub(LINES);
    lines.drain(..surplus);
}

/// Returns the lines that the scripts mark, each as its mark and the rest.
fn marked(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| {
        let line = line.strip_prefix('@')?;
        Some(line.split_once(' ').unwrap_or((line, "")))
    })
}
