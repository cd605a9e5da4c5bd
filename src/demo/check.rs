//! Checks that a scenario describes all that it names, so that a world can be made of it.

use crate::core::host::Address;
use crate::core::image::{ImageRef, Repository};

use super::mint::BuildName;
use super::scenario::{BadScenario, Happening, HostEntry, ImageEntry, Scenario, ServiceEntry};

/// Checks the names of a scenario.
pub fn check(scenario: &Scenario) -> Result<(), BadScenario> {
    for (name, image) in &scenario.images {
        let place = format!("images: {name}");
        repository(name).map_err(|what| wrong(&place, what))?;
        if let Some(base) = &image.base
            && !scenario.bases.contains_key(base)
        {
            return Err(wrong(&place, format!("there is no base {base:?}")));
        }
        for (tag, names) in &image.tags {
            build(image, names).map_err(|what| wrong(&format!("{place}: tag {tag}"), what))?;
        }
    }
    for host in &scenario.hosts {
        check_host(scenario, host)?;
    }
    for step in &scenario.script {
        check_step(scenario, &step.what).map_err(|what| wrong("script", what))?;
    }
    Ok(())
}

/// Reads a repository as a reference without a tag.
pub fn repository(text: &str) -> Result<Repository, String> {
    text.parse::<ImageRef>()
        .map(|reference| reference.repository)
        .map_err(|error| format!("{text:?} is {error}"))
}

/// Returns the image of a repository, however either is spelled.
pub fn image_of<'a>(scenario: &'a Scenario, wanted: &Repository) -> Option<&'a ImageEntry> {
    scenario
        .images
        .iter()
        .find(|(name, _)| repository(name).as_ref() == Ok(wanted))
        .map(|(_, image)| image)
}

fn check_host(scenario: &Scenario, host: &HostEntry) -> Result<(), BadScenario> {
    let address: Result<Address, _> = host.address.parse();
    address.map_err(|error| wrong(&host.name, error.to_string()))?;
    for (project, entry) in &host.projects {
        for (service, entry) in &entry.services {
            let place = format!("{}/{project}/{service}", host.name);
            check_service(scenario, entry).map_err(|what| wrong(&place, what))?;
        }
    }
    Ok(())
}

fn check_service(scenario: &Scenario, entry: &ServiceEntry) -> Result<(), String> {
    let (before, after) = entry
        .image
        .split_once('@')
        .unwrap_or((entry.image.as_str(), ""));
    let reference: ImageRef = before
        .parse()
        .map_err(|error| format!("{before:?} is {error}"))?;
    let image = image_of(scenario, &reference.repository)
        .ok_or_else(|| format!("there is no image {}", reference.repository))?;
    let pinned = after.strip_prefix('{').and_then(|a| a.strip_suffix('}'));
    if !after.is_empty() && pinned.is_none() {
        return Err(format!("{after:?} should be a build in braces"));
    }
    let copies = entry.copies.iter().filter_map(|copy| copy.runs.as_ref());
    let runs = entry.runs.iter().chain(copies);
    let held = entry.held.iter().filter(|held| *held != "-");
    for name in runs.chain(held) {
        build(image, name)?;
    }
    if let Some(name) = pinned {
        return build(image, name);
    }
    let tagged = reference
        .tag()
        .is_some_and(|tag| image.tags.contains_key(tag));
    if entry.runs.is_none() && !tagged {
        return Err(format!("says not what runs, and {before} names no build"));
    }
    Ok(())
}

fn check_step(scenario: &Scenario, what: &Happening) -> Result<(), String> {
    match what {
        Happening::HostGoes { host, .. } | Happening::HostReturns { host } => {
            let known = scenario.hosts.iter().any(|entry| entry.name == *host);
            known
                .then_some(())
                .ok_or_else(|| format!("there is no host {host:?}"))
        }
        Happening::TagMoves { image, names } => {
            let reference: ImageRef = image
                .parse()
                .map_err(|error| format!("{image:?} is {error}"))?;
            let entry = image_of(scenario, &reference.repository)
                .ok_or_else(|| format!("there is no image {image:?}"))?;
            build(entry, names)
        }
        Happening::RegistryGoes { registry, .. } | Happening::RegistryReturns { registry } => {
            let known = scenario.registries.iter();
            known
                .clone()
                .any(|entry| entry.host == *registry)
                .then_some(())
                .ok_or_else(|| format!("there is no registry {registry:?}"))
        }
        Happening::ServiceTurns { service, .. }
        | Happening::ServicePulled { service }
        | Happening::ImageKept { service, .. }
        | Happening::ServiceRecreated { service, .. } => scenario
            .expectations()
            .any(|(key, _)| key.to_string() == *service)
            .then_some(())
            .ok_or_else(|| format!("there is no service {service:?}")),
    }
}

fn build(image: &ImageEntry, name: &str) -> Result<(), String> {
    let name: BuildName = name.parse()?;
    let known = image.builds.iter().any(|build| *build.id == *name.id);
    known
        .then_some(())
        .ok_or_else(|| format!("there is no build {:?}", name.id))
}

fn wrong(place: &str, what: impl Into<String>) -> BadScenario {
    BadScenario::Meaning {
        place: place.to_owned(),
        what: what.into(),
    }
}
