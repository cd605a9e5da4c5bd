//! One look at a container of no project and at its host, for a plan.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::hosts::HostSession;
use super::super::shell::{join, quote};
use super::gather::{BEGINNING, fill_host, host_script, read};
use super::shape;
use crate::core::names::ContainerId;
use crate::core::rollout::dossier::Dossier;
use crate::core::rollout::plain::{Look, Other};
use crate::core::rollout::script::FACTS_OF;
use crate::core::rollout::undo::{Found, Kind};
use crate::core::text::clean_within;

/// Looks at a container of no project.
///
/// # Errors
/// Says why the host could not be looked at.
pub async fn dossier(
    session: &HostSession,
    docker: &[String],
    container: &ContainerId,
    name: &str,
) -> Result<Dossier, String> {
    let Some(place) = session.place() else {
        return Err(
            "scripts cannot be run on this host: it is reached by its engine alone".to_owned(),
        );
    };
    let sections = read(place, &script(docker, container, name)).await?;
    let mut dossier = Dossier::default();
    fill_host(&mut dossier, &sections);
    let look = look(&sections, &dossier.found, name);
    let id = look.id();
    if id.is_empty() {
        return Err("the engine does not show the container any more".to_owned());
    }
    let running = shape::running(&look.container, Some(&look.image));
    dossier.containers.insert(ContainerId::from(id), running);
    dossier.plain = Some(look);
    Ok(dossier)
}

fn script(docker: &[String], container: &ContainerId, name: &str) -> String {
    let docker = join(docker);
    let own = quote(container.as_str());
    let host = host_script(&docker, &quote(&format!("-.{name}")));
    format!(
        r##"{BEGINNING}docker_() {{ {docker} "$@"; }}
N api; docker_ version -f '{{{{.Client.APIVersion}}}}'
N hostname; docker_ info -f '{{{{.Name}}}}' 2>/dev/null
N container; docker_ inspect -s --type container {own}
N image; docker_ image inspect "$(docker_ inspect --type container -f '{{{{.Image}}}}' {own})" 2>/dev/null
N others; ids=$(docker_ ps -aq --no-trunc); [ -z "$ids" ] || docker_ inspect --type container -f '{{{{.Id}}}} {{{{.Name}}}} {{{{json .HostConfig.NetworkMode}}}} {{{{json .HostConfig.PidMode}}}} {{{{json .HostConfig.IpcMode}}}} {{{{json .HostConfig.Links}}}}' $ids 2>/dev/null
{FACTS_OF}N facts; facts_of {own} | sha256sum | cut -d' ' -f1
{host}N end
"##
    )
}

fn look(sections: &BTreeMap<String, String>, found: &[Found], name: &str) -> Look {
    let section = |name: &str| sections.get(name).map_or("", String::as_str).trim();
    let first = |name: &str| match serde_json::from_str::<Value>(section(name)) {
        Ok(Value::Array(mut list)) if !list.is_empty() => list.swap_remove(0),
        _ => Value::Null,
    };
    let hash = section("facts");
    Look {
        container: first("container"),
        image: first("image"),
        api: version(section("api")),
        host_name: section("hostname").to_owned(),
        others: section("others").lines().filter_map(other).collect(),
        facts: (hash.len() == 64).then(|| hash.to_owned()),
        units: found
            .iter()
            .filter(|found| found.kind == Kind::Service && names_it(&found.text, name))
            .map(|found| clean_within(&found.name, 120))
            .collect(),
    }
}

fn version(text: &str) -> (u32, u32) {
    let mut numbers = text.split('.').map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn other(line: &str) -> Option<Other> {
    let mut words = line.splitn(6, ' ');
    let (id, name) = (words.next()?, words.next()?);
    let modes = words.by_ref().take(3);
    let modes: Vec<String> = modes
        .filter_map(|word| serde_json::from_str(word).ok())
        .collect();
    let links = words
        .next()
        .and_then(|links| serde_json::from_str::<Option<Vec<String>>>(links).ok());
    Some(Other {
        id: id.to_owned(),
        name: name.to_owned(),
        modes,
        links: links.flatten().unwrap_or_default(),
    })
}

/// Tells whether a unit's commands speak of docker and of the container by its name.
fn names_it(text: &str, name: &str) -> bool {
    text.lines()
        .filter(|line| line.contains("docker"))
        .any(|line| {
            line.split(|c: char| c.is_whitespace() || "='\"".contains(c))
                .any(|word| word == name)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_container_s_ties_are_read() {
        let line = r#"abc /side "container:def" "" "private" ["/web:/side/w"]"#;
        let wanted = Other {
            id: "abc".to_owned(),
            name: "/side".to_owned(),
            modes: ["container:def", "", "private"].map(str::to_owned).to_vec(),
            links: vec!["/web:/side/w".to_owned()],
        };
        assert_eq!(other(line), Some(wanted));
        assert_eq!(
            other(r#"abc /x "bridge" "" "private" null"#).map(|other| other.links),
            Some(Vec::new())
        );
    }

    #[test]
    fn units_that_run_the_container_are_told_from_others() {
        let unit = "ExecStart=/usr/bin/docker start -a web\nUser=root\n";
        assert!(names_it(unit, "web"));
        assert!(names_it("ExecStart=docker run --name=web x", "web"));
        assert!(!names_it(unit, "we"));
        assert!(!names_it("ExecStart=/usr/bin/web", "web"));
    }
}
