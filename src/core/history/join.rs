//! Lines of several journals become entries: begun and ended together, seen and done told apart, repetitions folded.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Entry, Event, image_id};

/// Clocks of two machines differ, and an engine makes a container a moment before its job says so.
const SLACK: SignedDuration = SignedDuration::from_secs(15);
/// How long a job without an end explains what was seen.
const LONGEST_JOB: SignedDuration = SignedDuration::from_hours(1);

/// Joins the operator's own lines with those of hosts, newest first.
pub fn join(own: &[Event], hosts: &[Event]) -> Vec<Entry> {
    let mut jobs: BTreeMap<(&str, &str), Job<'_>> = BTreeMap::new();
    let mut entries: Vec<Entry> = Vec::new();
    let mut seen: Vec<&Event> = Vec::new();
    for (event, of_host) in own
        .iter()
        .map(|event| (event, false))
        .chain(hosts.iter().map(|event| (event, true)))
    {
        match &event.job {
            _ if event.is_seen() => seen.push(event),
            Some(job) => jobs
                .entry((job, &event.target))
                .or_default()
                .add(event, of_host),
            None => entries.push(Entry {
                event: event.clone(),
                began: event.at,
                times: 1,
            }),
        }
    }
    let jobs: Vec<Entry> = jobs.into_values().filter_map(Job::entry).collect();
    seen.sort_by_key(|event| (event.at, &event.target));
    seen.dedup_by(|a, b| {
        a.at == b.at && a.target == b.target && image_id(&a.to) == image_id(&b.to)
    });
    seen.retain(|event| !jobs.iter().any(|job| explains(job, event)));
    entries.extend(jobs);
    entries.extend(seen.into_iter().map(|event| Entry {
        event: event.clone(),
        began: event.at,
        times: 1,
    }));
    entries.sort_by_key(|entry| entry.event.at);
    let mut folded = fold(entries);
    folded.sort_by_key(|entry| std::cmp::Reverse(entry.event.at));
    folded
}

/// The lines of one job on one target.
#[derive(Default)]
struct Job<'a> {
    began: Option<&'a Event>,
    ended: Option<&'a Event>,
    /// The operator's own lines know more of the images, the commands and the proof.
    rich: Option<&'a Event>,
    times: Vec<Timestamp>,
    host_times: Vec<Timestamp>,
}

impl<'a> Job<'a> {
    fn add(&mut self, event: &'a Event, of_host: bool) {
        let own_times = if of_host {
            &mut self.host_times
        } else {
            self.rich = Some(event);
            &mut self.times
        };
        own_times.push(event.at);
        if event.outcome.is_none() {
            self.began.get_or_insert(event);
        } else if of_host || self.ended.is_none() {
            // How it ended is best known where it ran.
            self.ended = Some(event);
        }
    }

    fn entry(self) -> Option<Entry> {
        let last = self.ended.or(self.began)?;
        let mut event = last.clone();
        let rich = self.rich.unwrap_or(last);
        event.from = rich.from.clone().or(event.from);
        event.to = rich.to.clone().or(event.to);
        event.reason = event.reason.or_else(|| rich.reason.clone());
        event.pin = event.pin.or_else(|| rich.pin.clone());
        if event.argv.is_empty() {
            event.argv.clone_from(&rich.argv);
        }
        event.proof = event.proof.or_else(|| rich.proof.clone());
        let times = if self.host_times.is_empty() {
            &self.times
        } else {
            &self.host_times
        };
        let began = times.iter().min().copied().unwrap_or(event.at);
        if let Some(ended) = times.iter().max().filter(|_| self.ended.is_some()) {
            event.at = *ended;
        }
        Some(Entry {
            event,
            began,
            times: 1,
        })
    }
}

/// Tells whether a job is what was seen.
fn explains(job: &Entry, seen: &Event) -> bool {
    let ended = match job.event.outcome {
        Some(_) => job.event.at,
        None => job.began.saturating_add(LONGEST_JOB).unwrap_or(job.began),
    };
    let since = job.began.saturating_sub(SLACK).unwrap_or(job.began);
    let until = ended.saturating_add(SLACK).unwrap_or(ended);
    let ran =
        |outcome: &Option<String>| !matches!(outcome.as_deref(), Some("refused" | "unchanged"));
    let fell_back = job.event.outcome.as_deref() != Some("succeeded");
    let its = image_id(&seen.to).is_some_and(|id| {
        image_id(&job.event.to) == Some(id) || fell_back && image_id(&job.event.from) == Some(id)
    });
    // Services that hang on another one's network are recreated with it.
    let place = |target: &str| target.rsplit_once('/').map(|(place, _)| place.to_owned());
    let beside = seen.is_recreation() && place(&job.event.target) == place(&seen.target);
    (beside || its && job.event.target == seen.target)
        && ran(&job.event.outcome)
        && (since..=until).contains(&seen.at)
}

/// Folds recreations with the same image that follow one another.
fn fold(entries: Vec<Entry>) -> Vec<Entry> {
    let mut folded: Vec<Entry> = Vec::new();
    let mut last: BTreeMap<String, usize> = BTreeMap::new();
    for entry in entries {
        if entry.event.is_recreation()
            && let Some(index) = last.get(&entry.event.target)
            && folded[*index].event.is_recreation()
            && image_id(&folded[*index].event.to) == image_id(&entry.event.to)
        {
            let before = &mut folded[*index];
            before.times += entry.times;
            before.event.at = entry.event.at;
            continue;
        }
        last.insert(entry.event.target.clone(), folded.len());
        folded.push(entry);
    }
    folded
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::core::digest::ImageId;
    use crate::core::rollout::plan::ImageState;
    use crate::core::samples::digest;

    pub fn image(byte: u8) -> ImageState {
        ImageState {
            reference: "registry.lan:5000/blog:latest".to_owned(),
            digest: None,
            manifest: None,
            image_id: Some(ImageId(digest(byte))),
            created: None,
            revision: None,
        }
    }

    pub fn event(second: i64, action: &str, from: u8, to: u8) -> Event {
        Event {
            at: Timestamp::from_second(second).unwrap_or_default(),
            by: super::super::NOT_BY_US.to_owned(),
            action: action.to_owned(),
            target: "vps/blog/web".to_owned(),
            from: Some(image(from)),
            to: Some(image(to)),
            outcome: None,
            why: None,
            reason: None,
            job: None,
            pin: None,
            argv: Vec::new(),
            proof: None,
        }
    }

    pub fn job(
        second: i64,
        action: &str,
        from: u8,
        to: u8,
        id: &str,
        outcome: Option<&str>,
    ) -> Event {
        Event {
            job: Some(id.to_owned()),
            outcome: outcome.map(str::to_owned),
            ..event(second, action, from, to)
        }
    }

    #[test]
    fn a_job_is_told_once_and_what_it_did_is_not_told_again() {
        let own = [
            job(100, "update", 1, 2, "j", None),
            event(104, "changed", 1, 2),
            event(104, "changed", 1, 2),
            event(900, "changed", 2, 3),
        ];
        let host = [
            job(101, "update", 1, 2, "j", None),
            job(109, "update", 1, 2, "j", Some("succeeded")),
        ];
        let entries = join(&own, &host);
        let told: Vec<_> = entries
            .iter()
            .map(|entry| (entry.event.action.as_str(), entry.event.outcome.as_deref()))
            .collect();
        assert_eq!(told, [("changed", None), ("update", Some("succeeded"))]);
        assert_eq!(entries[1].began.as_second(), 101);
        assert_eq!(entries[1].event.at.as_second(), 109);
    }

    #[test]
    fn a_change_that_no_job_made_is_told_even_beside_one() {
        let host = [
            job(101, "update", 1, 2, "j", None),
            job(109, "update", 1, 2, "j", Some("unchanged")),
        ];
        // Another image than the job's, and a job that changed nothing.
        let own = [event(105, "changed", 1, 9), event(106, "changed", 1, 2)];
        assert_eq!(join(&own, &host).len(), 3);
    }

    #[test]
    fn hourly_recreations_are_folded_until_something_else_happens() {
        let own: Vec<Event> = (0..24)
            .map(|hour| event(hour * 3600, "changed", 1, 1))
            .chain([
                event(90_000, "changed", 1, 2),
                event(93_600, "changed", 2, 2),
            ])
            .collect();
        let entries = join(&own, &[]);
        let told: Vec<usize> = entries.iter().map(|entry| entry.times).collect();
        assert_eq!(told, [1, 1, 24]);
        assert_eq!(entries[2].began.as_second(), 0);
        assert_eq!(entries[2].event.at.as_second(), 23 * 3600);
    }
}
