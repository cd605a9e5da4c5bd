//! What a report adds to one observation where that costs little: the manifests of what runs, and by how many builds
//! services are behind, from a list of tags and a few of its names.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::Selection;
use crate::app::judge::ServiceView;
use crate::app::model::Model;
use crate::app::preview::CountKey;
use crate::app::preview::tags;
use crate::app::screen::View;
use crate::core::names::Target;
use crate::core::verdict::Verdict;

/// For how many pairs of images one report counts; what was counted stays known from then on.
const MOST: usize = 12;

/// How long a report waits for counting.
const PATIENCE: Duration = Duration::from_secs(5);

/// Finds what is still to be counted, one after the other.
#[derive(Debug, Default)]
pub struct Counting {
    begun: Option<Instant>,
    tried: BTreeSet<CountKey>,
}

impl Counting {
    /// Returns the view that asks next, if there is anything left and time for it.
    pub fn next(&mut self, model: &mut Model, target: Option<&Target>) -> Option<View> {
        let Some(begun) = self.begun else {
            self.begun = Some(Instant::now());
            model.preview.sparing = true;
            let names = model.hosts.iter().map(|host| host.spec.name.clone());
            model.preview.due.extend(names.collect::<Vec<_>>());
            return Some(View::Fleet);
        };
        if self.tried.len() >= MOST || begun.elapsed() > PATIENCE {
            return None;
        }
        let selection = match target {
            None => Selection::everything(model),
            Some(target) => Selection::of_target(model, target).ok()?,
        };
        for service in selection.services().filter(|service| is_open(service)) {
            let Some(key) = tags::count_key(service) else {
                continue;
            };
            if self.tried.insert(key) {
                return Some(View::Tags {
                    service: service.key.clone(),
                    selected: None,
                });
            }
        }
        None
    }
}

/// Tells whether builds lie between that nobody counted.
fn is_open(service: &ServiceView) -> bool {
    let waits = matches!(service.verdict, Verdict::Behind | Verdict::Pulled);
    waits && service.builds_behind.is_none()
}
