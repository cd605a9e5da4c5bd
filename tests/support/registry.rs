//! A registry of the lab: filling it through its door, and reading what it was asked.

use std::{fs, path::PathBuf};

use serde_json::Value;

use super::{
    http::{Answer, request},
    image::{Blob, Built, BuiltIndex},
};

/// A registry. Its door is plain http without auth to the same storage, beside the access log.
#[derive(Clone)]
pub struct Registry {
    pub name: String,
    /// As image references name it.
    pub address: String,
    pub door: String,
    log: PathBuf,
}

/// What can be pushed.
pub trait Push {
    fn push_to(&self, registry: &Registry, repo: &str, reference: &str);
    fn digest(&self) -> &str;
}

/// A line of the access log.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub client: String,
    pub method: String,
    pub path: String,
    pub status: u16,
    pub bytes: u64,
    pub agent: String,
}

impl Registry {
    pub(super) fn new(name: &str, facts: &Value) -> Self {
        let text = |field: &str| {
            facts[field]
                .as_str()
                .unwrap_or_else(|| panic!("no registry is named {name}"))
                .to_owned()
        };
        Self {
            name: name.to_owned(),
            address: text("address"),
            door: text("door"),
            log: text("log").into(),
        }
    }

    pub fn reference(&self, repo: &str, tag: &str) -> String {
        format!("{}/{repo}:{tag}", self.address)
    }

    /// Pushes an image or an index with all its blobs and lets the tag name it; gives its digest.
    pub fn push(&self, repo: &str, tag: &str, what: &impl Push) -> String {
        what.push_to(self, repo, tag);
        what.digest().to_owned()
    }

    pub fn put_blob(&self, repo: &str, blob: &Blob) {
        let path = format!("/v2/{repo}/blobs/{}", blob.digest);
        if self.ask("HEAD", &path).status == 200 {
            return;
        }
        let start = self.ask("POST", &format!("/v2/{repo}/blobs/uploads/"));
        let location = start.header("location").expect("an upload has a location");
        let path = location
            .split_once("//")
            .map_or(location, |(_, rest)| &rest[rest.find('/').unwrap_or(0)..]);
        let path = format!(
            "{path}{}digest={}",
            if path.contains('?') { '&' } else { '?' },
            blob.digest
        );
        let headers = [("Content-Type", "application/octet-stream")];
        let answer = request(&self.door, "PUT", &path, &headers, &blob.bytes);
        assert_eq!(answer.status, 201, "blob of {repo}: {}", answer.text());
    }

    pub fn put_manifest(&self, repo: &str, reference: &str, manifest: &Blob) {
        let path = format!("/v2/{repo}/manifests/{reference}");
        let answer = request(
            &self.door,
            "PUT",
            &path,
            &[("Content-Type", &manifest.media)],
            &manifest.bytes,
        );
        assert_eq!(answer.status, 201, "{repo}:{reference}: {}", answer.text());
    }

    /// Deletes a manifest and with it all its tags.
    pub fn delete(&self, repo: &str, digest: &str) {
        let answer = self.ask("DELETE", &format!("/v2/{repo}/manifests/{digest}"));
        assert_eq!(answer.status, 202, "{repo}@{digest}: {}", answer.text());
    }

    /// A request through the door.
    pub fn ask(&self, method: &str, path: &str) -> Answer {
        request(&self.door, method, path, &[], &[])
    }

    /// A place in the access log, for [`Registry::asked_since`].
    pub fn mark(&self) -> u64 {
        fs::metadata(&self.log).map_or(0, |file| file.len())
    }

    /// What was asked since the mark, in order, doors and pings of `/v2/` left out.
    pub fn asked_since(&self, mark: u64) -> Vec<Request> {
        let text = fs::read(&self.log).unwrap_or_default();
        let from = usize::try_from(mark).unwrap().min(text.len());
        let text = String::from_utf8_lossy(&text[from..]);
        text.lines()
            .filter_map(parse)
            .filter(|request| request.path != "/v2/")
            .collect()
    }
}

impl Push for Built {
    fn push_to(&self, registry: &Registry, repo: &str, reference: &str) {
        for blob in self.layers.iter().chain([&self.config]) {
            registry.put_blob(repo, blob);
        }
        registry.put_manifest(repo, reference, &self.manifest);
    }

    fn digest(&self) -> &str {
        &self.manifest.digest
    }
}

impl Push for BuiltIndex {
    fn push_to(&self, registry: &Registry, repo: &str, reference: &str) {
        for image in &self.images {
            image.push_to(registry, repo, &image.manifest.digest);
        }
        registry.put_manifest(repo, reference, &self.manifest);
    }

    fn digest(&self) -> &str {
        &self.manifest.digest
    }
}

/// Reads a line such as `IP - - [DATE] "GET /v2/ HTTP/1.1" 200 2 "" "docker/28"`.
fn parse(line: &str) -> Option<Request> {
    let parts: Vec<&str> = line.split('"').collect();
    let [head, request, status, _, _, agent, ..] = parts[..] else {
        return None;
    };
    let mut request = request.split(' ');
    let mut status = status.split_whitespace();
    Some(Request {
        client: head.split(' ').next()?.to_owned(),
        method: request.next()?.to_owned(),
        path: request.next()?.to_owned(),
        status: status.next()?.parse().ok()?,
        bytes: status.next()?.parse().ok()?,
        agent: agent.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_line_of_the_access_log_is_read() {
        let line = r#"10.0.0.1 - - [21/Nov/2026:04:23:55 +0000] "GET /v2/a/blobs/sha256:1 HTTP/1.1" 200 65 "" "docker/28.5""#;
        let request = parse(line).unwrap();
        assert_eq!(
            (request.client.as_str(), request.status, request.bytes),
            ("10.0.0.1", 200, 65)
        );
        assert_eq!(
            (request.path.as_str(), request.agent.as_str()),
            ("/v2/a/blobs/sha256:1", "docker/28.5")
        );
        assert_eq!(parse("something else"), None);
    }
}
