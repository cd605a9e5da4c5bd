//! One entry of the history in words: who, what, why, by which commands, and what proved it.

use crate::app::history;
use crate::app::jobs::Job;
use crate::app::model::Model;
use crate::app::screen::View;
use crate::core::age;
use crate::core::history::Entry;
use crate::core::rollout::Outcome;
use crate::core::rollout::plan::ImageState;
use crate::core::rollout::script::command_line;

use super::{Explanation, Tone, ago, happened};

/// Returns the page of the entry that is selected in the history.
pub fn entry(model: &Model) -> Option<Explanation> {
    let View::History { of, selected } = &model.screen.view else {
        return None;
    };
    let view = history::view(model, of.as_ref());
    let selected = (*selected).min(view.len().checked_sub(1)?);
    Some(match view.jobs.get(selected) {
        Some(job) => running(model, job),
        None => past(model, view.entries[selected - view.jobs.len()]),
    })
}

fn running(model: &Model, job: &Job) -> Explanation {
    let mut page = Explanation::new(&job.title());
    page.add("job", &job.id);
    page.add("by", &job.by);
    page.add("began", ago(model.now.wall, job.began));
    page.add("now", job.word());
    if !job.detail.is_empty() {
        page.add("", &job.detail);
    }
    if let Some((_, why)) = &job.ended {
        page.toned("why", why, Tone::Attention);
    }
    page
}

fn past(model: &Model, entry: &Entry) -> Explanation {
    let event = &entry.event;
    let mut page = Explanation::new(&format!("{} {}", event.action, event.target));
    let when = event.at.to_zoned(model.zone.clone());
    let at = when.strftime("%Y-%m-%d %H:%M:%S");
    page.add("at", format!("{at}, {}", ago(model.now.wall, event.at)));
    page.add("by", &event.by);
    if let Some(job) = &event.job {
        page.add("job", job);
        let took = event.at.duration_since(entry.began);
        if event.outcome.is_some() && took.is_positive() {
            let seconds = took.as_secs();
            let text = match seconds {
                0..120 => format!("{seconds} s"),
                _ => age::span(took),
            };
            page.add("took", text);
        }
    }
    if entry.times > 1 {
        let times = age::count(entry.times, "time");
        let first = ago(model.now.wall, entry.began);
        page.add("seen", format!("{times}, first {first}"));
    }
    if let Some(from) = &event.from {
        page.add("from", image(from));
    }
    if let Some(to) = &event.to {
        page.add("to", image(to));
    }
    if event.is_recreation() {
        page.toned("", "made anew with the same image", Tone::Quiet);
    }
    if let Some(reason) = &event.reason {
        page.add("reason", reason);
    }
    page.gap();
    for (number, argv) in event.argv.iter().enumerate() {
        let label = if number == 0 { "ran" } else { "" };
        page.add(label, command_line(argv));
    }
    if let Some(pin) = &event.pin {
        let how = match (event.action.as_str(), pin.as_str()) {
            ("unpin", _) => "lifted",
            (_, "env") => "held by a file and a block in .env",
            (_, _) => "held by an override file",
        };
        page.add("pin", how);
    }
    match (&event.outcome, &event.job) {
        (Some(outcome), _) => {
            let tone = match Outcome::from_word(outcome) {
                Some(Outcome::Succeeded | Outcome::Unchanged) => Tone::Good,
                Some(Outcome::PutBack | Outcome::Halted) => Tone::Danger,
                Some(Outcome::Refused) | None => Tone::Attention,
            };
            page.toned("outcome", outcome, tone);
        }
        (None, Some(_)) => page.toned(
            "outcome",
            "no end is on record: it may still run, or its host ended it",
            Tone::Attention,
        ),
        (None, None) => page.toned(
            "",
            "seen, not done by this program: the host's own commands, a timer, or CI",
            Tone::Quiet,
        ),
    }
    if let Some(why) = &event.why {
        page.add("why", why);
    }
    if let Some(proof) = &event.proof {
        page.add("proof", proof);
    }
    page
}

fn image(state: &ImageState) -> String {
    let mut text = format!("{}  {}", happened::short(state), state.reference);
    if let Some(revision) = &state.revision {
        let short: String = revision.chars().take(12).collect();
        text.push_str(&format!("  {short}"));
    }
    text
}
