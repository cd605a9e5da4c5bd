//! Who else decides what a service runs: workflows that deploy it, and whoever was seen to change it.

use jiff::{SignedDuration, Timestamp};

use crate::app::judge::ServiceView;
use crate::core::age::count;
use crate::core::builds::repository;
use crate::core::history::Entry;
use crate::core::rollout::Action;
use crate::core::rollout::dossier::Dossier;
use crate::core::settings::{BuildOrigin, BuildSource};

use super::Actor;

/// How far back changes are counted.
const DAYS: i64 = 90;
/// How many changes of the image are a habit of somebody.
const HABIT: usize = 2;

impl Actor {
    /// Says who would undo that a service is held at an image, where that is planned and somebody would.
    pub(super) async fn others(
        &self,
        service: &ServiceView,
        action: Action,
        dossier: &Dossier,
    ) -> Option<String> {
        if !matches!(action, Action::Rollback | Action::Pin) {
            return None;
        }
        let mut told = workflows(&self.settings.builds, &service.reference);
        // The host's own timers are told by their names.
        if dossier.undoers.is_empty() {
            // A journal that cannot be read is told where a way back is looked for in it.
            let entries = self.history(&service.key.host).await.unwrap_or_default();
            told.extend(changes(
                &entries,
                &service.key.to_string(),
                Timestamp::now(),
            ));
        }
        (!told.is_empty()).then(|| told.join(", "))
    }
}

/// Names the workflows that deploy an image by the configuration.
fn workflows(builds: &[BuildSource], reference: &str) -> Vec<String> {
    let of_image = |source: &&BuildSource| {
        let image = source.image.as_deref();
        image.is_some_and(|image| repository(image) == repository(reference))
    };
    builds
        .iter()
        .filter(of_image)
        .flat_map(|source| {
            source.deploys.iter().map(move |deploy| {
                let own = match &source.from {
                    BuildOrigin::GitHub { repository, .. } => Some(repository),
                    BuildOrigin::File { .. }
                    | BuildOrigin::Command { .. }
                    | BuildOrigin::Buildx { .. } => None,
                };
                match deploy.repository.as_ref().or(own) {
                    Some(repository) => format!("{} of {repository} deploys it", deploy.workflow),
                    None => format!("{} deploys it", deploy.workflow),
                }
            })
        })
        .collect()
}

/// Counts the changes of a service's image that were seen and not ours, where they are a habit.
fn changes(entries: &[Entry], target: &str, now: Timestamp) -> Option<String> {
    let since = now - SignedDuration::from_hours(DAYS * 24);
    let id = |image: &Option<crate::core::rollout::plan::ImageState>| {
        image.as_ref().and_then(|image| image.image_id.clone())
    };
    let seen: Vec<&Entry> = entries
        .iter()
        .filter(|entry| entry.event.is_seen() && entry.event.target == target)
        .filter(|entry| entry.event.at >= since && id(&entry.event.from) != id(&entry.event.to))
        .collect();
    let times: usize = seen.iter().map(|entry| entry.times.max(1)).sum();
    let last = seen.iter().map(|entry| entry.event.at).max()?;
    (times >= HABIT).then(|| {
        format!(
            "{} of its image seen in {DAYS} days that were not ours, the last on {}",
            count(times, "change"),
            last.strftime("%d %b %Y")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::history::Event;
    use crate::core::rollout::plan::sample;
    use crate::core::settings::DeploySource;

    fn seen(day: i64, action: &str, changed: bool) -> Entry {
        let plan = sample(Action::Update);
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(day * 24);
        let event = Event {
            at,
            by: String::new(),
            action: action.to_owned(),
            target: "vps/blog/web".to_owned(),
            to: Some(if changed {
                plan.to.clone()
            } else {
                plan.from.clone()
            }),
            from: Some(plan.from),
            outcome: None,
            why: None,
            reason: None,
            job: None,
            pin: None,
            argv: Vec::new(),
            proof: None,
        };
        Entry {
            event,
            began: at,
            times: 1,
        }
    }

    #[test]
    fn a_habit_of_others_is_told_and_a_single_change_is_not() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1000 * 24);
        let told = |entries: &[Entry]| changes(entries, "vps/blog/web", now);
        let (one, two) = (seen(990, "changed", true), seen(995, "changed", true));
        assert_eq!(told(std::slice::from_ref(&one)), None);
        let words = told(&[one.clone(), two.clone()]).unwrap_or_default();
        assert!(words.starts_with("2 changes of its image"), "{words}");
        let none = [
            one,
            seen(10, "changed", true),
            seen(996, "changed", false),
            seen(997, "update", true),
        ];
        assert_eq!(told(&none), None);
    }

    #[test]
    fn a_workflow_that_deploys_the_image_is_named() {
        let source = |image: &str| BuildSource {
            name: "blog".to_owned(),
            image: Some(image.to_owned()),
            from: BuildOrigin::GitHub {
                repository: "me/blog".to_owned(),
                workflow: None,
                api: None,
                token_env: None,
            },
            deploys: vec![
                DeploySource {
                    repository: None,
                    workflow: "deploy.yml".to_owned(),
                },
                DeploySource {
                    repository: Some("me/homelab".to_owned()),
                    workflow: "roll.yml".to_owned(),
                },
            ],
        };
        let builds = [source("ghcr.io/me/blog"), source("ghcr.io/me/other")];
        assert_eq!(
            workflows(&builds, "ghcr.io/me/blog:latest"),
            [
                "deploy.yml of me/blog deploys it",
                "roll.yml of me/homelab deploys it"
            ]
        );
    }
}
