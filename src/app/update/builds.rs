//! Builds: what their sources said, when these are followed, and the keys of their views.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::core::builds::cache::{self, CacheFacts};
use crate::core::builds::trend::{self, Trend};
use crate::core::builds::{BuildNews, BuildRecord, Lineage};
use crate::core::failure::RegistryFailure;
use crate::core::image::ImageRef;

use super::super::builds::{BuildKey, CacheModel, join, key, opened, view};
use super::super::effect::{Effect, Look};
use super::super::mode::Mode;
use super::super::model::{Link, Model};
use super::super::preview::registry;
use super::super::screen::View;
use super::keys::notice;
use super::views::moved;
use super::{fleet, schedule};

/// How long a source is left alone after its first failure.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// A source said something.
pub fn told(model: &mut Model, name: &str, news: BuildNews) {
    let now = model.now;
    let Some(place) = model
        .builds
        .sources
        .iter()
        .position(|source| &*source.name == name)
    else {
        return;
    };
    model.dirty = true;
    let source = &mut model.builds.sources[place];
    match news {
        BuildNews::Found(records) => {
            for record in records {
                model.builds.put(record);
            }
            model.builds.caches_due = true;
        }
        BuildNews::Gone(ids) => {
            for id in ids {
                model.builds.records.remove(&(name.into(), id));
            }
        }
        BuildNews::Deploys(runs) => {
            model.builds.deploys.retain(|run| *run.source != *name);
            model.builds.deploys.extend(runs);
        }
        BuildNews::Refused(refused) => {
            const MOST: usize = 100;
            if source.refused.len() < MOST {
                source.refused.insert(refused);
            }
        }
        BuildNews::CaughtUp => {
            source.caught_up = true;
            source.failure = None;
            source.attempts = 0;
        }
        BuildNews::Failed(failure) => {
            source.following = false;
            let wait = Duration::from_secs(failure.retry_after.unwrap_or_default());
            let pause = schedule::doubled(FIRST_PAUSE, source.attempts).max(wait);
            source.due = now.since_start + pause;
            source.attempts = source.attempts.saturating_add(1);
            source.failure = Some((now.wall, failure));
        }
    }
    // Deploys tell more of what is behind, and builds tell what was pushed.
    if model.builds.sources[place].has_deploys {
        for index in 0..model.hosts.len() {
            fleet::rejudge(model, index);
        }
    }
}

/// Emits what is due: sources to follow, and whether somebody looks at them.
pub fn run_due<M: Mode>(model: &mut Model, effects: &mut Vec<Effect<M>>) {
    if model.ending {
        return;
    }
    let now = model.now.since_start;
    for place in 0..model.builds.sources.len() {
        let source = &model.builds.sources[place];
        if source.following || !model.builds.is_wanted(source) {
            continue;
        }
        let Some(is_up) = is_reachable(model, place) else {
            continue;
        };
        let source = &mut model.builds.sources[place];
        if !is_up {
            // The host's return is reason enough to read at once.
            source.due = Duration::ZERO;
        } else if source.due <= now {
            source.following = true;
            model.dirty = true;
            let source = source.name.clone();
            effects.push(Effect::Look(Look::Builds { source }));
        }
    }
    let closely = is_open(model);
    if closely && std::mem::take(&mut model.builds.caches_due) {
        ask_caches(model, effects);
    }
    if closely != model.builds.closely {
        model.builds.closely = closely;
        effects.push(Effect::Look(Look::WatchBuilds { closely }));
    }
}

/// Asks about the caches in registries that builds used, each once in the interval of registries.
fn ask_caches<M: Mode>(model: &mut Model, effects: &mut Vec<Effect<M>>) {
    const MOST: usize = 32;
    let now = model.now.wall;
    let fresh = |cache: &CacheModel| {
        let age = Duration::try_from(now.duration_since(cache.asked)).unwrap_or_default();
        cache.answer.is_none() || age < model.settings.refresh.registry
    };
    let records = model.builds.records.values();
    let sources = records.flat_map(|record| &record.build.cache_sources);
    let wanted: BTreeSet<ImageRef> = sources
        .filter_map(|source| cache::reference(&source.reference))
        .filter(|reference| !model.builds.caches.get(reference).is_some_and(fresh))
        .take(MOST)
        .collect();
    for reference in wanted {
        let asked = CacheModel {
            asked: now,
            answer: None,
        };
        model.builds.caches.insert(reference.clone(), asked);
        let (route, _) = registry::catalog_key(model, &reference.repository.registry);
        effects.push(Effect::Look(Look::BuildCache { route, reference }));
    }
}

/// A registry told of a cache, or did not.
pub fn cache_told(
    model: &mut Model,
    reference: ImageRef,
    result: Result<CacheFacts, RegistryFailure>,
) {
    let cache = CacheModel {
        asked: model.now.wall,
        answer: Some(result),
    };
    model.builds.caches.insert(reference, cache);
    model.dirty = true;
    super::preview::mark_view(model);
}

/// Returns when a source is due that waits.
pub fn next_due(model: &Model) -> Option<Duration> {
    let sources = model.builds.sources.iter().enumerate();
    let waits = sources.filter(|(place, source)| {
        !source.following
            && model.builds.is_wanted(source)
            && is_reachable(model, *place) == Some(true)
    });
    waits.map(|(_, source)| source.due).min()
}

/// Tells whether the host of a source is up; nothing where there is no such host.
fn is_reachable(model: &Model, place: usize) -> Option<bool> {
    match &model.builds.sources[place].host {
        None => Some(true),
        Some(host) => {
            let index = model.host_index(host)?;
            Some(model.hosts[index].link == Link::Up)
        }
    }
}

/// Tells whether builds are what the screen is about.
pub fn is_open(model: &Model) -> bool {
    matches!(model.screen.view, View::Builds { .. } | View::Build { .. })
}

/// Shows the builds; coming from a service, that of its image is selected.
pub fn show(model: &mut Model) {
    if matches!(model.screen.view, View::Build { .. }) {
        leave(model);
        return;
    }
    let service = super::super::commands::selected_service(model);
    let build = service.and_then(|service| join::build_of(model, service));
    let selected = build.map(|build| lineage_of(model, build));
    model.builds.caches_due = true;
    super::open(model, View::Builds { selected });
}

/// Opens the selected row's newest build.
pub fn open(model: &mut Model) {
    let View::Builds { selected } = &model.screen.view else {
        return;
    };
    let rows = view::view(model).rows;
    let place = place(&rows, selected.as_ref());
    if let Some(row) = rows.get(place) {
        let build = row.newest.clone();
        super::open(model, View::Build { build, scroll: 0 });
    }
}

/// Leaves the opened build for the row that it stands in.
pub fn leave(model: &mut Model) {
    let selected = match &model.screen.view {
        View::Build { build, .. } => {
            let record = model.builds.get(build);
            record.map(|record| lineage_of(model, record))
        }
        _ => None,
    };
    super::open(model, View::Builds { selected });
}

/// Turns to the build before or after the opened one, within its lineage.
pub fn turn(model: &mut Model, by: isize) {
    let View::Build { build, .. } = &model.screen.view else {
        return;
    };
    let next = with_trend(model, build, |trend, place| {
        let next = place.checked_add_signed(by)?;
        trend.builds.get(next).map(|record| key(record))
    });
    match next.flatten() {
        Some(build) => super::open(model, View::Build { build, scroll: 0 }),
        None if by < 0 => notice(model, "this is the first one known of its kind".to_owned()),
        None => notice(model, "this is the newest one of its kind".to_owned()),
    }
}

/// Moves in the list, or scrolls the opened build.
pub fn move_by(model: &mut Model, by: isize) {
    match &model.screen.view {
        View::Builds { selected } => {
            let rows = view::view(model).rows;
            let next = moved(place(&rows, selected.as_ref()), by, rows.len());
            let selected = rows.get(next).map(|row| row.lineage.clone());
            model.screen.view = View::Builds { selected };
        }
        View::Build { build, scroll } => {
            let lines = opened::opened(model, build).map_or(0, |opened| opened.lines());
            let next = moved(*scroll, by, lines);
            if let View::Build { scroll, .. } = &mut model.screen.view {
                *scroll = next;
            }
        }
        _ => {}
    }
    model.dirty = true;
}

/// Has sources that failed tried again now.
pub fn refresh(model: &mut Model) {
    let now = model.now.since_start;
    for source in &mut model.builds.sources {
        // Who asked to be left alone is left alone, whoever presses keys.
        let asked_for_rest = source
            .failure
            .as_ref()
            .is_some_and(|(_, failure)| failure.retry_after.is_some());
        if !source.following && !asked_for_rest {
            source.due = now;
        }
    }
    notice(
        model,
        "the sources are watched; those that failed are tried again".to_owned(),
    );
}

/// Returns the digest of what the selected build made.
pub fn digest(model: &Model) -> Option<String> {
    selected(model)?.build.digest.clone()
}

/// Returns the link to the selected build's run.
pub fn link(model: &Model) -> Option<String> {
    selected(model)?.run.as_ref()?.url.clone()
}

/// Returns the place of the selected row.
pub fn place(rows: &[view::Row], selected: Option<&Lineage>) -> usize {
    let is = |row: &view::Row| Some(&row.lineage) == selected;
    rows.iter().position(is).unwrap_or(0)
}

fn selected(model: &Model) -> Option<&BuildRecord> {
    match &model.screen.view {
        View::Build { build, .. } => model.builds.get(build),
        View::Builds { selected } => {
            let rows = view::view(model).rows;
            let row = rows.get(place(&rows, selected.as_ref()))?;
            model.builds.get(&row.newest)
        }
        _ => None,
    }
}

/// Returns the lineage of the row in which a build is shown.
fn lineage_of(model: &Model, record: &BuildRecord) -> Lineage {
    let own = with_trend(model, &key(record), |trend, _| trend.lineage.clone());
    own.unwrap_or_else(|| record.lineage())
}

fn with_trend<T>(
    model: &Model,
    build: &BuildKey,
    of: impl FnOnce(&Trend<'_>, usize) -> T,
) -> Option<T> {
    let trends = trend::trends(model.builds.records.values());
    let mut found = trends.iter().filter_map(|trend| {
        let place = trend
            .builds
            .iter()
            .position(|record| key(record) == *build)?;
        Some((trend, place))
    });
    let (trend, place) = found.next()?;
    Some(of(trend, place))
}
