//! What piles up while the console runs for months: it is forgotten once nothing that is shown comes from it.
//!
//! Bounds grow with the fleet, so that a large one is not asked for again what it still needs.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::core::digest::TopDigest;
use crate::core::names::ServiceKey;

use super::super::model::Model;
use super::super::preview::{CountKey, Lookup, tags, trust};

/// How long it is remembered what a service ran that is not there any more.
const SEEN_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How much may pile up beside what the fleet needs.
const SPARE: usize = 400;

/// Forgets what is not needed any more, where much of it has piled up.
pub fn run(model: &mut Model) {
    let services = model.services().count();
    let most = SPARE + 4 * services;
    forget_services(model);
    if model.remotes.len() > most {
        let used: BTreeSet<_> = model.questions_in_use().into_iter().cloned().collect();
        model
            .remotes
            .retain(|key, remote| remote.in_flight || used.contains(key));
    }
    if model.preview.counted.len() > most {
        let used: BTreeSet<CountKey> = model.services().filter_map(tags::count_key).collect();
        model.preview.counted.retain(|key, _| used.contains(key));
    }
    if model.preview.manifests.len() > most {
        let named = model
            .services()
            .filter_map(|service| service.registry.digest.clone());
        let named: BTreeSet<TopDigest> = named.collect();
        let preview = &mut model.preview;
        preview.manifests.retain(|(top, _), _| named.contains(top));
        // Whatever else is needed is taken from the cache again.
        let hosts = model.hosts.iter().map(|host| host.spec.name.clone());
        preview.due.extend(hosts);
    }
    let preview = &mut model.preview;
    if preview.lookups.len() > most {
        preview
            .lookups
            .retain(|_, own: &mut Lookup| own.is_in_flight());
    }
    if preview.marks.len() > most {
        preview
            .marks
            .retain(|_, marks| matches!(marks, trust::Marks::InFlight));
    }
}

/// Forgets services that went away long ago, such as containers that were made for one errand.
fn forget_services(model: &mut Model) {
    let since = model.now.wall.checked_sub(SEEN_FOR);
    let since = since.unwrap_or(Timestamp::MIN);
    if model.history.seen.values().all(|seen| seen.at >= since) {
        return;
    }
    let there: BTreeSet<ServiceKey> = model
        .services()
        .map(|service| service.key.clone())
        .collect();
    model
        .history
        .seen
        .retain(|key, seen| seen.at >= since || there.contains(key));
}
