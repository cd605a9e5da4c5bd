//! Which environment (dev, staging, prod …) a service belongs to, and by what that is told.

use serde::Serialize;

use super::host::HostSpec;
use super::inventory::ComposeLabels;
use super::names::ServiceKey;
use super::settings::EnvironmentRule;

/// By what an environment is told, nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EnvironmentFrom {
    Rule,
    File,
    Folder,
    Project,
    Service,
    Host,
}

impl EnvironmentFrom {
    /// Returns the word of the JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::File => "file",
            Self::Folder => "folder",
            Self::Project => "project",
            Self::Service => "service",
            Self::Host => "host",
        }
    }
}

/// A service's environment with its source, and whether actions there must be confirmed by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment {
    pub name: Option<String>,
    pub from: Option<EnvironmentFrom>,
    pub protect: bool,
}

/// Tells the environment of a service.
pub fn tell(
    rules: &[EnvironmentRule],
    host: &HostSpec,
    key: &ServiceKey,
    compose: Option<&ComposeLabels>,
) -> Environment {
    if let Some(rule) = rules.iter().find(|rule| matches(&rule.pattern, key)) {
        return Environment {
            name: Some(rule.name.clone()),
            from: Some(EnvironmentFrom::Rule),
            protect: rule.protect.unwrap_or(host.protect),
        };
    }
    let found = told_by_names(key, compose)
        .map(|(name, from)| (name.to_owned(), from))
        .or_else(|| Some((host.environment.clone()?, EnvironmentFrom::Host)));
    let Some((name, from)) = found else {
        return Environment {
            protect: host.protect,
            ..Environment::default()
        };
    };
    let protected_elsewhere = rules
        .iter()
        .any(|rule| rule.name == name && rule.protect == Some(true));
    Environment {
        protect: host.protect || protected_elsewhere,
        name: Some(name),
        from: Some(from),
    }
}

/// Returns the name without an environment's word at its edges: `blog` for `staging-blog` and `blog_prod`.
pub fn without_word(name: &str) -> &str {
    const BETWEEN: [char; 3] = ['-', '_', '.'];
    let behind = name
        .split_once(BETWEEN)
        .filter(|(first, rest)| !rest.is_empty() && known(first).is_some());
    let name = behind.map_or(name, |(_, rest)| rest);
    let before = name
        .rsplit_once(BETWEEN)
        .filter(|(rest, last)| !rest.is_empty() && known(last).is_some());
    before.map_or(name, |(rest, _)| rest)
}

fn told_by_names(
    key: &ServiceKey,
    compose: Option<&ComposeLabels>,
) -> Option<(&'static str, EnvironmentFrom)> {
    if let Some(compose) = compose {
        // The last `-f` file is the nearest.
        let files = compose.recipe.config_files.iter().rev();
        if let Some(name) = files.filter_map(|file| of_words(last_part(file))).next() {
            return Some((name, EnvironmentFrom::File));
        }
        if let Some(name) = of_folder(&compose.recipe.working_dir) {
            return Some((name, EnvironmentFrom::Folder));
        }
    }
    if !key.project.is_none()
        && let Some(name) = of_edges(key.project.as_str())
    {
        return Some((name, EnvironmentFrom::Project));
    }
    let suffix = key.service.as_str().rsplit(['-', '_', '.']).next();
    let suffix = suffix.filter(|suffix| suffix.len() < key.service.as_str().len());
    suffix
        .and_then(known)
        .map(|name| (name, EnvironmentFrom::Service))
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Finds an environment's word anywhere among the parts of a file's name.
fn of_words(name: &str) -> Option<&'static str> {
    name.split(['-', '_', '.']).rev().find_map(known)
}

/// Finds an environment's word at the beginning or the end of a name.
fn of_edges(name: &str) -> Option<&'static str> {
    let mut words = name.split(['-', '_', '.']);
    let first = words.next();
    words
        .next_back()
        .or(first)
        .and_then(known)
        .or_else(|| first.and_then(known))
}

fn of_folder(folder: &str) -> Option<&'static str> {
    let mut parts = folder.rsplit('/').filter(|part| !part.is_empty());
    let own = parts.next().and_then(of_edges);
    // A folder `dev` above many projects is where people keep sources, whatever runs from it.
    own.or_else(|| parts.next().and_then(known).filter(|name| *name != "dev"))
}

/// Tells whether an environment's name, as a rule or a host may spell it, is that of production.
pub fn is_production(name: &str) -> bool {
    known(name) == Some("prod")
}

/// Returns the common short form of an environment's word.
fn known(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_lowercase().as_str() {
        "dev" | "develop" | "development" => "dev",
        "test" | "testing" => "test",
        "qa" => "qa",
        "preview" => "preview",
        "stage" | "staging" | "stg" => "staging",
        "prod" | "production" | "live" => "prod",
        _ => return None,
    })
}

/// Matches `HOST/PROJECT/SERVICE` part by part, `*` within a part; missing parts match all.
fn matches(pattern: &str, key: &ServiceKey) -> bool {
    let parts = [
        key.host.as_str(),
        key.project.as_str(),
        key.service.as_str(),
    ];
    let patterns: Vec<&str> = pattern.splitn(3, '/').collect();
    patterns
        .iter()
        .zip(parts)
        .all(|(pattern, part)| glob(pattern.as_bytes(), part.as_bytes()))
}

/// Matches a text against a pattern in which `*` stands for anything.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    // The place after the last star and the text it was tried at; going back there is enough.
    let (mut p, mut t, mut back) = (0, 0, None);
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            back = Some((p + 1, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((star, at)) = back {
            back = Some((star, at + 1));
            (p, t) = (star, at + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::files::Recipe;
    use crate::core::host::Address;

    fn told(
        key: (&str, &str, &str),
        folder: &str,
        files: &[&str],
        rules: &[EnvironmentRule],
    ) -> (Option<String>, Option<EnvironmentFrom>, bool) {
        let mut host = HostSpec::new(key.0.into(), Address::Local);
        host.environment = Some("home".to_owned());
        let key = ServiceKey {
            host: key.0.into(),
            project: key.1.into(),
            service: key.2.into(),
        };
        let compose = ComposeLabels {
            recipe: Recipe {
                working_dir: folder.to_owned(),
                config_files: files.iter().map(|file| (*file).to_owned()).collect(),
                environment_files: Vec::new(),
            },
            version: "2.26.1".to_owned(),
            config_hash: None,
            depends_on: Vec::new(),
            several_recipes: false,
        };
        let found = tell(rules, &host, &key, Some(&compose));
        (found.name, found.from, found.protect)
    }

    #[test]
    fn the_nearest_source_tells_the_environment() {
        use EnvironmentFrom as F;
        let overlay = [
            "/o/blog/docker-compose.yml",
            "/o/blog/docker-compose.prod.yml",
        ];
        let plain = ["/o/blog/docker-compose.yml"];
        let some = |name: &str, from| (Some(name.to_owned()), Some(from), false);
        for (key, folder, files, expected) in [
            (
                ("vps", "blog", "web"),
                "/o/blog",
                &overlay[..],
                some("prod", F::File),
            ),
            (
                ("vps", "blog", "web"),
                "/o/staging/blog",
                &plain[..],
                some("staging", F::Folder),
            ),
            (
                ("vps", "blog", "web"),
                "/home/me/dev/blog",
                &plain[..],
                some("home", F::Host),
            ),
            (
                ("vps", "staging-blog", "web"),
                "/o/blog",
                &plain[..],
                some("staging", F::Project),
            ),
            (
                ("vps", "homelab-prod", "web"),
                "/o/x",
                &plain[..],
                some("prod", F::Project),
            ),
            (
                ("vps", "apps", "api-prod"),
                "/o/x",
                &plain[..],
                some("prod", F::Service),
            ),
            (
                ("vps", "apps", "prod"),
                "/o/x",
                &plain[..],
                some("home", F::Host),
            ),
            (
                ("vps", "products", "live-tv"),
                "/o/x",
                &plain[..],
                some("home", F::Host),
            ),
        ] {
            assert_eq!(told(key, folder, files, &[]), expected, "{key:?} {folder}");
        }
    }

    #[test]
    fn the_first_matching_rule_wins_and_brings_protection() {
        let rule = |pattern: &str, name: &str, protect| EnvironmentRule {
            pattern: pattern.to_owned(),
            name: name.to_owned(),
            protect,
        };
        let rules = [
            rule("*/staging-*/*", "staging", None),
            rule("vps/*/*-prod", "prod", Some(true)),
        ];
        let files = ["/o/docker-compose.yml"];
        assert_eq!(
            told(("vps", "x", "api-prod"), "/o", &files, &rules),
            (Some("prod".to_owned()), Some(EnvironmentFrom::Rule), true)
        );
        assert_eq!(
            told(("nas", "x", "api-prod"), "/o", &files, &rules),
            (
                Some("prod".to_owned()),
                Some(EnvironmentFrom::Service),
                true
            )
        );
        assert_eq!(
            told(("nas", "staging-b", "x-prod"), "/o", &files, &rules)
                .0
                .as_deref(),
            Some("staging")
        );
    }
}
