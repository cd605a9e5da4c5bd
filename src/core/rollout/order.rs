//! The order of services: what others depend on comes first.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::names::ServiceName;

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
}
