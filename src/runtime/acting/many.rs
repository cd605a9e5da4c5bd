//! Plans of many targets: looked at a few at a time, put into their order, alike for command line and console.

use std::collections::BTreeSet;

use crate::app::model::Model;
use crate::app::targets;
use crate::core::names::{HostName, ServiceKey};
use crate::core::rollout::Action;
use crate::core::rollout::order::{self, Placed};
use crate::core::rollout::plan::{Plan, allow_for_each_other};

use super::{Actor, Order, Prepared, Unprepared};

/// How many targets are looked at at once; each costs its host some commands.
const AT_ONCE: usize = 4;

/// Plans in the order in which they run.
#[derive(Debug)]
pub struct Many {
    pub prepared: Vec<Prepared>,
    /// Targets of which no plan could be made, and why.
    pub unplanned: Vec<(ServiceKey, String)>,
    /// Whether a target names several images, so that the command was not meant well enough.
    pub ambiguous: bool,
    /// By which rules they are ordered, where there are several.
    pub order_why: Option<String>,
}

impl Many {
    /// Returns what is shown of it.
    pub fn plan(&self) -> Plan {
        Plan {
            targets: self.prepared.iter().map(|one| one.plan.clone()).collect(),
            unplanned: self.unplanned.clone(),
            order_why: self.order_why.clone(),
        }
    }
}

impl Actor {
    /// Makes the plans of these services; a job is named after `id` and its place.
    pub async fn prepare_all(
        &self,
        model: &Model,
        keys: &[ServiceKey],
        action: Action,
        order: &Order,
        id: &str,
    ) -> Many {
        let (keys, depends) = targets::in_order(model, keys);
        let (mut prepared, mut unplanned) = (Vec::new(), Vec::new());
        let mut ambiguous = false;
        for (first, some) in keys.chunks(AT_ONCE).enumerate() {
            let looks = some.iter().enumerate().map(|(place, key)| {
                let job = format!("{id}-{}", first * AT_ONCE + place);
                self.prepare(model, key, action, order, job)
            });
            let made = futures_util::future::join_all(looks).await;
            for (key, one) in some.iter().zip(made) {
                match one {
                    Ok(one) => prepared.push(one),
                    Err(why) => {
                        ambiguous |= matches!(why, Unprepared::Ambiguous(_));
                        unplanned.push((key.clone(), why.to_string()));
                    }
                }
            }
        }
        let placed: Vec<Placed<'_>> = prepared
            .iter()
            .map(|one| Placed {
                target: &one.plan.target,
                provides: &one.provides,
                uses: &one.networks,
                depends_on: one.depends_on.as_deref(),
            })
            .collect();
        let ordered = order::of_targets(&placed, &self.settings.order);
        let mut taken: Vec<Option<Prepared>> = prepared.into_iter().map(Some).collect();
        let mut prepared: Vec<Prepared> = ordered
            .places
            .into_iter()
            .filter_map(|place| taken[place].take())
            .collect();
        allow_for_each_other(prepared.iter_mut().map(|one| &mut one.plan));
        let hosts: BTreeSet<&HostName> = prepared.iter().map(|one| &one.plan.target.host).collect();
        let lanes = if order.parallel { 1 } else { hosts.len() };
        Many {
            order_why: order::words(ordered.projects, depends || ordered.depends, lanes),
            prepared,
            unplanned,
            ambiguous,
        }
    }
}
