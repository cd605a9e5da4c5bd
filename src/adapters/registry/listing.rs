//! Lists that a registry pages: tags of a repository, repositories of a registry.
//!
//! Pages are followed on the same server only, and no list is longer than the bounds, whatever is served.

use std::collections::HashSet;
use std::sync::Arc;

use http::header::LINK;
use http::{Method, StatusCode};
use reqwest::Url;
use serde::Deserialize;

use super::Registries;
use super::endpoint::{Endpoint, Follow};
use super::errand::Errand;
use super::trail::Trail;
use crate::core::failure::RegistryFailure;
use crate::core::image::{ImageRef, Repository};
use crate::core::names::RegistryHost;
use crate::core::remote::Route;

const PAGE_LIMIT: usize = 4 << 20;
const PAGES: usize = 200;
const NAMES: usize = 20_000;

/// A list, as far as it was read; the order is the registry's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    pub names: Vec<String>,
    /// Why the list ends before its end, if it does.
    pub cut: Option<String>,
    /// Names that are no names and were left out.
    pub left_out: usize,
}

impl Registries {
    /// Lists the tags of a repository; dropping the future ends the paging.
    pub async fn tags(
        &self,
        route: &Route,
        repository: &Repository,
    ) -> Result<Listing, RegistryFailure> {
        let purpose = format!("the tags of {}", repository.familiar());
        let paging = Paging {
            endpoint: self.endpoint(route, &repository.registry, &purpose)?,
            scope: format!("repository:{}:pull", repository.path),
            purpose: &purpose,
        };
        let first = format!("/v2/{}/tags/list", repository.path);
        paging.all(first, |page| page.tags, is_tag).await
    }

    /// Lists the repositories of a private registry.
    pub async fn catalog(
        &self,
        route: &Route,
        registry: &RegistryHost,
    ) -> Result<Listing, RegistryFailure> {
        let purpose = "its repositories".to_owned();
        let paging = Paging {
            endpoint: self.endpoint(route, registry, &purpose)?,
            scope: "registry:catalog:*".to_owned(),
            purpose: &purpose,
        };
        let good = |name: &str| {
            format!("{registry}/{name}")
                .parse::<ImageRef>()
                .is_ok_and(|reference| *reference.repository.path == *name)
        };
        let first = "/v2/_catalog?n=100".to_owned();
        paging.all(first, |page| page.repositories, good).await
    }
}

#[derive(Deserialize)]
struct Page {
    // A repository without tags answers null.
    tags: Option<Vec<String>>,
    repositories: Option<Vec<String>>,
}

struct Paging<'a> {
    endpoint: Arc<Endpoint>,
    scope: String,
    purpose: &'a str,
}

impl Paging<'_> {
    async fn all(
        &self,
        first: String,
        pick: impl Fn(Page) -> Option<Vec<String>>,
        good: impl Fn(&str) -> bool,
    ) -> Result<Listing, RegistryFailure> {
        let asked = self.endpoint.asked(self.purpose);
        let trail = Trail::default();
        let mut listing = Listing::default();
        let mut seen: HashSet<String> = HashSet::new();
        let mut visited: HashSet<String> = HashSet::new();
        let mut next = Some(first);
        while let Some(path) = next.take() {
            if !visited.insert(path.clone()) {
                return Err(asked.lied("its pages lead in a circle"));
            }
            let errand = Errand {
                method: Method::GET,
                path,
                accept: None,
                scope: self.scope.clone(),
                limit: PAGE_LIMIT,
                follow: Follow::SameOrigin,
                purpose: self.purpose,
                unless: None,
            };
            let outcome = self.endpoint.run(&trail, &errand).await?;
            let reply = &outcome.reply;
            match reply.status {
                status if status.is_success() => {}
                StatusCode::NOT_FOUND => {
                    return Err(asked.not_found(&outcome.standing, &reply.body));
                }
                _ => return Err(asked.unexpected(reply)),
            }
            let page: Page = serde_json::from_slice(&reply.body)
                .map_err(|_| asked.lied("it answers with something that is no list"))?;
            for name in pick(page).unwrap_or_default() {
                if !good(&name) {
                    listing.left_out += 1;
                } else if seen.insert(name.clone()) {
                    listing.names.push(name);
                }
            }
            let link = reply.header(LINK.as_str()).and_then(next_link);
            next = match link.map(|link| outcome.url.join(link)) {
                None => None,
                Some(Ok(url)) if url.origin() == outcome.url.origin() => Some(path_of(&url)),
                Some(_) => return Err(asked.elsewhere("its next page lies on another server")),
            };
            if next.is_some() && (visited.len() >= PAGES || listing.names.len() >= NAMES) {
                listing.cut = Some(format!(
                    "stopped after {} names on {} pages; the registry offers more",
                    listing.names.len(),
                    visited.len()
                ));
                next = None;
            }
        }
        listing.names.truncate(NAMES);
        Ok(listing)
    }
}

fn path_of(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

/// Finds the target of `rel="next"` in a `Link` header.
fn next_link(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some((_, after)) = rest.split_once('<') {
        let (target, after) = after.split_once('>')?;
        let end = after.find('<').unwrap_or(after.len());
        let (params, left) = after.split_at_checked(end)?;
        let is_next = params.split([';', ',']).any(|param| {
            let param: String = param.chars().filter(|c| !matches!(c, ' ' | '"')).collect();
            param.eq_ignore_ascii_case("rel=next")
        });
        if is_next {
            return Some(target);
        }
        rest = left;
    }
    None
}

fn is_tag(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first = bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let rest = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    first && text.len() <= 128 && bytes.all(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_a_registry_sends_is_read_to_its_end(text in "[<>;, a-z=\"é]{0,80}") {
            let _ = next_link(&text);
            prop_assert!(!is_tag(&text) || text.is_ascii());
        }
    }

    #[test]
    fn the_next_page_is_found_among_links() {
        for (header, expected) in [
            (
                r#"</v2/x/tags/list?last=b&n=2>; rel="next""#,
                Some("/v2/x/tags/list?last=b&n=2"),
            ),
            ("<a>; rel=prev, <b>; rel=next", Some("b")),
            (r#"<a>; title="x"; rel="prev""#, None),
            ("<broken", None),
            ("", None),
        ] {
            assert_eq!(next_link(header), expected, "{header}");
        }
    }

    #[test]
    fn only_tags_are_tags() {
        for (text, expected) in [
            ("1.0.0-99-7b368146", true),
            ("_x", true),
            ("", false),
            (".x", false),
            ("a/b", false),
            ("a\u{1b}[31m", false),
        ] {
            assert_eq!(is_tag(text), expected, "{text:?}");
        }
        assert!(!is_tag(&"a".repeat(129)));
    }
}
