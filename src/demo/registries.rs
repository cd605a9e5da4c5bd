//! The registries of a scenario: what each answers to a question, after how long.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::core::failure::{HostFailure, RegistryFailure, RegistryTrouble};
use crate::core::names::RegistryHost;
use crate::core::remote::{Answer, Examined, Question, QuestionKey, Quota, Request};

use super::catalog::Catalog;
use super::scenario::{RegistryEntry, Scenario};

/// How long a request takes where the scenario does not say.
const USUAL_DELAY: Duration = Duration::from_millis(34);

/// How long a connection is tried.
const GIVES_UP: Duration = Duration::from_secs(3);

/// All registries that need saying anything about.
#[derive(Debug, Clone)]
pub struct Registries {
    list: BTreeMap<RegistryHost, RegistryEntry>,
}

impl Registries {
    /// Takes the registries of a scenario.
    pub fn new(scenario: &Scenario) -> Self {
        let entries = scenario.registries.iter();
        Self {
            list: entries
                .map(|entry| (entry.host.as_str().into(), entry.clone()))
                .collect(),
        }
    }

    /// Lets a registry fail from now on, or answer again.
    pub fn set_failure(&mut self, registry: &str, failure: Option<RegistryFailure>) {
        if let Some(entry) = self.list.get_mut(&RegistryHost::from(registry)) {
            entry.fails = failure;
        }
    }

    /// Answers a question after a delay.
    pub fn resolve(
        &self,
        catalog: &Catalog,
        question: &Question,
        route_fails: Option<&HostFailure>,
        at: Timestamp,
        started_at: Timestamp,
    ) -> (Duration, Result<Answer, RegistryFailure>) {
        let key = &question.key;
        let one = self.delay(&key.reference.repository.registry);
        if let Some(failure) = route_fails {
            return (one, Err(super::no_route(failure)));
        }
        let entry = self.list.get(&key.reference.repository.registry);
        let failure = entry.and_then(|entry| entry.fails.as_ref());
        if let Some(failure) = failure.or_else(|| catalog.failure(&key.reference.repository)) {
            let after = match failure.trouble {
                RegistryTrouble::Away | RegistryTrouble::TimedOut => GIVES_UP,
                _ => one,
            };
            return (after, Err(failure.clone()));
        }
        let mut asked = Asked {
            path: format!("/v2/{}/manifests/", key.reference.repository.path),
            requests: Vec::new(),
            one,
        };
        let result = answer(catalog, question, &mut asked, at, started_at);
        let answer = result.map(|mut answer| {
            answer.credential = entry.and_then(|entry| entry.credential.clone());
            answer.quota = entry.and_then(|entry| entry.quota).map(|quota| Quota {
                remaining: quota.remaining.saturating_sub(asked.counted()),
                ..quota
            });
            answer.requests.clone_from(&asked.requests);
            answer
        });
        let count = u32::try_from(asked.requests.len()).unwrap_or(u32::MAX);
        (one.saturating_mul(count), answer)
    }

    /// Returns what the registry said at an earlier start, whatever it says now.
    pub fn remembered(
        &self,
        catalog: &Catalog,
        key: &QuestionKey,
        at: Timestamp,
        started_at: Timestamp,
    ) -> Option<Answer> {
        let mut asked = Asked {
            path: format!("/v2/{}/manifests/", key.reference.repository.path),
            requests: Vec::new(),
            one: self.delay(&key.reference.repository.registry),
        };
        let question = Question {
            key: key.clone(),
            running: Vec::new(),
            examine: Vec::new(),
        };
        let mut answer = answer(catalog, &question, &mut asked, at, started_at).ok()?;
        let entry = self.list.get(&key.reference.repository.registry);
        answer.quota = entry.and_then(|entry| entry.quota);
        answer.credential = entry.and_then(|entry| entry.credential.clone());
        answer.requests = asked.requests;
        Some(answer)
    }

    /// Returns why the whole registry fails, if it does.
    pub fn failure(&self, registry: &RegistryHost) -> Option<&RegistryFailure> {
        self.list.get(registry)?.fails.as_ref()
    }

    /// Returns how long one request takes.
    pub fn delay(&self, registry: &RegistryHost) -> Duration {
        let entry = self.list.get(registry);
        let delay = entry.and_then(|entry| entry.delay);
        delay.map_or(USUAL_DELAY, |delay| delay.0)
    }
}

/// The requests that a question took.
struct Asked {
    path: String,
    requests: Vec<Request>,
    one: Duration,
}

impl Asked {
    fn request(&mut self, method: &str, what: &str, status: u16) {
        self.requests.push(Request {
            method: method.to_owned(),
            path: format!("{}{what}", self.path),
            status: Some(status),
            milliseconds: u64::try_from(self.one.as_millis()).unwrap_or(u64::MAX),
        });
    }

    /// Returns how many of the requests count against a quota.
    fn counted(&self) -> u64 {
        let gets = self.requests.iter().filter(|asked| asked.method == "GET");
        gets.count().try_into().unwrap_or(u64::MAX)
    }
}

fn answer(
    catalog: &Catalog,
    question: &Question,
    asked: &mut Asked,
    at: Timestamp,
    started_at: Timestamp,
) -> Result<Answer, RegistryFailure> {
    let key = &question.key;
    let repository = &key.reference.repository;
    let named = catalog
        .named_at(&key.reference, at, started_at)
        .filter(|_| catalog.is_pushed(repository));
    let Some((build, top)) = named.and_then(|build| {
        let top = catalog.top(repository, &build)?;
        Some((build, top))
    }) else {
        return Err(does_not_know(catalog, key));
    };
    asked.request("HEAD", key.reference.manifest_key(), 200);
    let image = if question.running.contains(&top) {
        None
    } else {
        asked.request("GET", top.digest().as_str(), 200);
        let image = catalog.remote(repository, &build, &key.platform, started_at);
        let Some(image) = image else {
            let what = format!("the index names no image for {}", key.platform);
            return Err(RegistryFailure::new(
                RegistryTrouble::NoPlatform,
                what,
                "use a tag that is built for this platform",
            ));
        };
        if image.indexed {
            asked.request("GET", image.manifest.digest().as_str(), 200);
        }
        Some(image)
    };
    let examined = question.examine.iter().map(|top| {
        let held = catalog
            .of_top(repository, top)
            .and_then(|build| catalog.remote(repository, &build, &key.platform, started_at));
        let status = if held.is_some() { 200 } else { 404 };
        asked.request("HEAD", top.digest().as_str(), status);
        let examined = held.map_or(Examined::NotHeld, |image| Examined::Held(Box::new(image)));
        (top.clone(), examined)
    });
    Ok(Answer {
        at,
        examined: examined.collect(),
        top,
        image,
        requests: Vec::new(),
        credential: None,
        quota: None,
        remark: None,
    })
}

/// Words a registry's refusal of a tag that it does not have.
fn does_not_know(catalog: &Catalog, key: &QuestionKey) -> RegistryFailure {
    let repository = &key.reference.repository;
    let familiar = key.reference.familiar();
    let pushed = catalog.is_pushed(repository);
    if repository.on_docker_hub() && !pushed {
        let mut failure = RegistryFailure::new(
            RegistryTrouble::Denied,
            format!("asking for {familiar}: denied (it does not exist, or is private)"),
            "docker login on this machine if the repository is private",
        );
        failure.status = Some(401);
        return failure;
    }
    let code = if pushed {
        "MANIFEST_UNKNOWN"
    } else {
        "NAME_UNKNOWN"
    };
    let mut failure = RegistryFailure::new(
        RegistryTrouble::Gone,
        format!("{familiar} is not in the registry (404 {code})"),
        "choose another tag; what runs is still on the host",
    );
    failure.status = Some(404);
    failure
}
