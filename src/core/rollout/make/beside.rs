//! The services that share the network of the one that is planned, and are made anew with it.

use crate::core::engine::ContainerFacts;
use crate::core::inventory;
use crate::core::rollout::plan::TargetPlan;

use super::Known;

/// Returns the containers of another service of the same project.
pub(super) fn containers<'a>(
    known: &Known<'a>,
    plan: &TargetPlan,
    service: &str,
) -> Vec<&'a ContainerFacts> {
    let place = (plan.target.project.clone(), service.into());
    let all = known.observation.containers.iter();
    all.filter(|one| inventory::compose_place(one).as_ref() == Some(&place))
        .collect()
}

/// Returns the image that the service's tag names by now, where that is not the one it runs.
pub(super) fn named_by_its_tag(
    known: &Known<'_>,
    plan: &TargetPlan,
    service: &str,
) -> Option<String> {
    let own = containers(known, plan, service);
    let first = own.first()?;
    let named = known.observation.image_named(&first.reference)?;
    (named.id != first.image_id).then(|| named.id.short().to_owned())
}

/// Says why one of them could not be made anew with the image that it runs.
pub(super) fn blocked(known: &Known<'_>, plan: &TargetPlan) -> Option<String> {
    plan.dependents.iter().find_map(|service| {
        let own = containers(known, plan, service);
        let first = own.first()?;
        let way = format!(
            "{service} hangs on its container and is made anew with it: recreate {service} by itself first"
        );
        if own.iter().any(|one| one.image_id != first.image_id) {
            return Some(format!("the replicas of {service} run several images; {way}"));
        }
        let image = known.observation.images.get(&first.image_id);
        if image.is_none_or(|image| image.removed) {
            return Some(format!(
                "{service} hangs on its container and is made anew with it, but runs {}, which the host no longer holds, and would get another image: recreate {service} first by `docker compose up -d {service}` on the host",
                first.image_id.short()
            ));
        }
        let asked = known.dossier.dependent_images.get(service)?;
        let named = known.observation.image_named(asked);
        if *asked == first.reference || named.is_some_and(|image| image.id == first.image_id) {
            return None;
        }
        Some(format!(
            "{service} runs {}, and its files name {asked} by now; {way}",
            first.reference
        ))
    })
}
