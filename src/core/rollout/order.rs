//! The order of services: what others depend on comes first.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::names::{HostName, ServiceKey, ServiceName};

/// Orders services so that each comes after those it depends on; a circle is broken by name.
pub fn by_dependency(depends_on: &BTreeMap<ServiceName, Vec<ServiceName>>) -> Vec<ServiceName> {
    let mut ordered = Vec::new();
    let mut placed: BTreeSet<&ServiceName> = BTreeSet::new();
    let mut open: BTreeSet<&ServiceName> = depends_on.keys().collect();
    while !open.is_empty() {
        let ready = open.iter().copied().find(|name| {
            depends_on[*name]
                .iter()
                .all(|other| placed.contains(other) || !open.contains(other) || other == *name)
        });
        // Compose refuses circles; labels of several deployments can still form one.
        let Some(next) = ready.or_else(|| open.first().copied()) else {
            break;
        };
        open.remove(next);
        placed.insert(next);
        ordered.push(next.clone());
    }
    ordered
}

/// How projects of one host are ordered, and by which rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectOrder {
    pub projects: Vec<String>,
    pub why: String,
}

/// Orders projects: by the configured list, else who provides a shared external network first.
pub fn of_projects(
    projects: &BTreeSet<String>,
    configured: &[String],
    provides: &BTreeMap<String, BTreeSet<String>>,
    needs: &BTreeMap<String, BTreeSet<String>>,
) -> ProjectOrder {
    let rank = |project: &String| configured.iter().position(|own| own == project);
    if projects.iter().any(|project| rank(project).is_some()) {
        let mut list: Vec<String> = projects.iter().cloned().collect();
        list.sort_by_key(|project| rank(project).unwrap_or(usize::MAX));
        return ProjectOrder {
            projects: list,
            why: "as `order` of the configuration says".to_owned(),
        };
    }
    let depends: BTreeMap<ServiceName, Vec<ServiceName>> = projects
        .iter()
        .map(|project| {
            let wanted = needs.get(project);
            let providers = projects
                .iter()
                .filter(|other| {
                    *other != project
                        && wanted.is_some_and(|wanted| {
                            provides
                                .get(*other)
                                .is_some_and(|own| !own.is_disjoint(wanted))
                        })
                })
                .map(|other| ServiceName::from(other.as_str()))
                .collect();
            (ServiceName::from(project.as_str()), providers)
        })
        .collect();
    let found = depends
        .values()
        .any(|list: &Vec<ServiceName>| !list.is_empty());
    ProjectOrder {
        projects: by_dependency(&depends)
            .iter()
            .map(ToString::to_string)
            .collect(),
        why: if found {
            "who provides a shared network comes first".to_owned()
        } else {
            "by name: neither the configuration nor a shared network says otherwise".to_owned()
        },
    }
}

/// A target with what places it among others.
#[derive(Debug, Clone, Copy)]
pub struct Placed<'a> {
    pub target: &'a ServiceKey,
    /// The networks that its project makes.
    pub provides: &'a BTreeSet<String>,
    /// The networks that its containers are on.
    pub uses: &'a BTreeSet<String>,
    /// The services that it depends on, where its files could be read.
    pub depends_on: Option<&'a [ServiceName]>,
}

/// Targets in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered {
    pub places: Vec<usize>,
    /// By which rule the projects are ordered, where there are several on a host.
    pub projects: Option<String>,
    /// Whether the files of one say that it depends on another.
    pub depends: bool,
}

/// Orders targets by their projects and, where the files of all in a project could be read, by what they depend on.
///
/// Hosts keep their order, and so do services of which less is known.
pub fn of_targets(targets: &[Placed<'_>], configured: &[String]) -> Ordered {
    let mut hosts: Vec<&HostName> = Vec::new();
    for placed in targets {
        if !hosts.contains(&&placed.target.host) {
            hosts.push(&placed.target.host);
        }
    }
    let mut place = BTreeMap::new();
    let mut words: Vec<String> = Vec::new();
    for host in &hosts {
        let mut projects = BTreeSet::new();
        let mut provides: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut needs = provides.clone();
        for own in targets.iter().filter(|own| own.target.host == **host) {
            let project = own.target.project.to_string();
            let made = provides.entry(project.clone()).or_default();
            made.extend(own.provides.iter().cloned());
            let used = needs.entry(project.clone()).or_default();
            used.extend(own.uses.difference(own.provides).cloned());
            projects.insert(project);
        }
        if projects.len() < 2 {
            continue;
        }
        let order = of_projects(&projects, configured, &provides, &needs);
        for (index, project) in order.projects.into_iter().enumerate() {
            place.insert((*host, project), index);
        }
        if !words.contains(&order.why) {
            words.push(order.why);
        }
    }
    let mut order: Vec<usize> = (0..targets.len()).collect();
    order.sort_by_key(|own| {
        let target = targets[*own].target;
        let host = hosts.iter().position(|name| **name == target.host);
        let key = (&target.host, target.project.to_string());
        (host, place.get(&key).copied())
    });
    let depends = within_projects(targets, &mut order);
    Ordered {
        places: order,
        projects: (!words.is_empty()).then(|| words.join("; ")),
        depends,
    }
}

/// Orders the services of each project among the places that they have; tells whether any depends on another.
fn within_projects(targets: &[Placed<'_>], order: &mut [usize]) -> bool {
    let place = |index: usize| (&targets[index].target.host, &targets[index].target.project);
    let mut depends = false;
    for own in order.chunk_by_mut(|a, b| place(*a) == place(*b)) {
        let told = own.iter().map(|index| {
            let placed = &targets[*index];
            Some((placed.target.service.clone(), placed.depends_on?.to_vec()))
        });
        let Some(graph) = told.collect::<Option<BTreeMap<_, _>>>() else {
            continue;
        };
        let any = |(name, others): (&ServiceName, &Vec<ServiceName>)| {
            others
                .iter()
                .any(|other| other != name && graph.contains_key(other))
        };
        if graph.iter().any(any) {
            depends = true;
            let sorted = by_dependency(&graph);
            own.sort_by_key(|index| {
                let service = &targets[*index].target.service;
                sorted.iter().position(|name| name == service)
            });
        }
    }
    depends
}

/// Names all rules by which targets are ordered, where there are several targets.
pub fn words(projects: Option<String>, depends: bool, hosts: usize) -> Option<String> {
    let mut words: Vec<String> = projects.into_iter().collect();
    if depends {
        words.push("services after those they depend on".to_owned());
    }
    if hosts > 1 {
        words.push("hosts one after another".to_owned());
    }
    (!words.is_empty()).then(|| words.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(list: &[(&str, &[&str])]) -> BTreeMap<ServiceName, Vec<ServiceName>> {
        list.iter()
            .map(|(name, others)| {
                (
                    (*name).into(),
                    others.iter().map(|other| (*other).into()).collect(),
                )
            })
            .collect()
    }

    fn names(list: &[ServiceName]) -> Vec<&str> {
        list.iter().map(ServiceName::as_str).collect()
    }

    #[test]
    fn what_others_depend_on_comes_first() {
        let order = by_dependency(&graph(&[
            ("api", &["db", "cache"]),
            ("cache", &[]),
            ("db", &["volumes-elsewhere"]),
            ("web", &["api"]),
        ]));
        assert_eq!(names(&order), ["cache", "db", "api", "web"]);
    }

    #[test]
    fn a_circle_ends_and_keeps_everybody() {
        let order = by_dependency(&graph(&[("a", &["b"]), ("b", &["a"]), ("c", &["c"])]));
        assert_eq!(order.len(), 3);
    }

    #[test]
    fn projects_follow_the_configuration_then_the_network() {
        let set = |list: &[&str]| -> BTreeSet<String> {
            list.iter().map(|name| (*name).to_owned()).collect()
        };
        let projects = set(&["blog", "networking", "travel"]);
        let none = BTreeMap::new();
        let configured = ["networking".to_owned(), "travel".to_owned()];
        let order = of_projects(&projects, &configured, &none, &none);
        assert_eq!(order.projects, ["networking", "travel", "blog"]);
        let provides = BTreeMap::from([("networking".to_owned(), set(&["web"]))]);
        let needs = BTreeMap::from([
            ("blog".to_owned(), set(&["web"])),
            ("travel".to_owned(), set(&["web"])),
        ]);
        let order = of_projects(&projects, &[], &provides, &needs);
        assert_eq!(order.projects[0], "networking");
        assert!(order.why.contains("network"));
    }

    #[test]
    fn targets_keep_hosts_and_services_in_their_order_while_projects_change_places() {
        let set = |list: &[&str]| -> BTreeSet<String> {
            list.iter().map(|name| (*name).to_owned()).collect()
        };
        let key = |host: &str, project: &str, service: &str| ServiceKey {
            host: host.into(),
            project: project.into(),
            service: service.into(),
        };
        // The provider's network has a name that says nothing of its project.
        let (own, shared) = (set(&["edge"]), set(&["edge"]));
        let none = BTreeSet::new();
        let keys = [
            key("vps", "blog", "db"),
            key("vps", "blog", "api"),
            key("pi", "zoo", "one"),
            key("vps", "proxy", "caddy"),
        ];
        let placed: Vec<Placed<'_>> = keys
            .iter()
            .map(|target| Placed {
                target,
                provides: if target.project.as_str() == "proxy" {
                    &own
                } else {
                    &none
                },
                uses: &shared,
                depends_on: None,
            })
            .collect();
        let ordered = of_targets(&placed, &[]);
        assert_eq!(ordered.places, [3, 0, 1, 2]);
        assert!(ordered.projects.is_some_and(|why| why.contains("network")));
        let ordered = of_targets(&placed, &["blog".to_owned()]);
        assert_eq!(ordered.places, [0, 1, 3, 2]);
        assert!(ordered.projects.is_some_and(|why| why.contains("`order`")));
        let ordered = of_targets(&placed[..3], &[]);
        assert_eq!(ordered.places, [0, 1, 2]);
        assert_eq!((ordered.projects, ordered.depends), (None, false));
        // The files of all of them say it, whatever the labels said.
        let on_api = ["api".into()];
        let with = |known: bool| {
            let mut placed = placed.clone();
            placed[0].depends_on = Some(&on_api);
            placed[1].depends_on = known.then_some(&[]);
            let ordered = of_targets(&placed, &["blog".to_owned()]);
            (ordered.places, ordered.depends)
        };
        assert_eq!(with(true), (vec![1, 0, 3, 2], true));
        assert_eq!(with(false), (vec![0, 1, 3, 2], false));
        assert_eq!(words(None, false, 1), None);
        let words = words(None, true, 2).unwrap_or_default();
        assert!(words.contains("depend") && words.contains("hosts"));
    }
}
