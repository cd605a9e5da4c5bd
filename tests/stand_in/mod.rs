//! A registry inside the test: faithful where it matters, lying where it is told to, and it logs what it was asked.
//!
//! It speaks HTTP/1.1 by hand on a loopback port, so that every byte of a bad answer is under control.

pub mod images;
mod rules;
mod wire;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::net::TcpListener;

use self::images::Blob;
pub use self::rules::{Auth, Fault, Head, Paging, Tokens};

/// One request as it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub authorization: Option<String>,
    pub accept: Option<String>,
    pub if_none_match: Option<String>,
    pub body: String,
    pub status: u16,
}

impl Asked {
    /// Joins method and path, for lists in assertions.
    pub fn line(&self) -> String {
        let path = self.target.split('?').next().unwrap();
        format!("{} {path} {}", self.method, self.status)
    }
}

/// What one repository holds.
#[derive(Default, Clone)]
pub struct Repo {
    pub tags: BTreeMap<String, String>,
    /// Media type and bytes by digest.
    pub manifests: BTreeMap<String, (String, Vec<u8>)>,
    pub blobs: BTreeMap<String, Vec<u8>>,
    /// Only these users may read; everybody if there are none.
    pub readers: Vec<String>,
}

/// All that can be set.
#[derive(Default)]
pub struct State {
    pub repos: BTreeMap<String, Repo>,
    pub auth: Auth,
    pub head: Head,
    pub paging: Paging,
    pub etags: bool,
    /// Faults by a part of the target; the first that fits.
    pub faults: Vec<(String, Fault)>,
    /// Manifests that may still be fetched and the limit, as Docker Hub counts.
    pub quota: Option<(u64, u64)>,
    pub log: Vec<Asked>,
    pub tokens_given: u64,
    pub open_now: usize,
    pub open_most: usize,
    pub connections: usize,
    /// What each answer waits for, as the way to a registry takes time.
    pub delay: Duration,
}

/// A running registry.
#[derive(Clone)]
pub struct StandIn {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl StandIn {
    /// Starts a registry that asks for nothing.
    pub async fn start() -> Self {
        Self::listen(None).await
    }

    /// Starts a registry that speaks TLS with a certificate of its own.
    pub async fn start_tls() -> Self {
        Self::listen(Some(wire::acceptor())).await
    }

    async fn listen(tls: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let this = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::default(),
        };
        // A moment in which requests can be seen beside each other.
        this.set().delay = Duration::from_millis(2);
        let state = this.state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                state.lock().unwrap().connections += 1;
                tokio::spawn(wire::serve(stream, tls.clone(), state.clone()));
            }
        });
        this
    }

    /// Returns host and port, as references spell them.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Returns all that can be set.
    pub fn set(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Returns what was asked since the last time.
    pub fn take_log(&self) -> Vec<Asked> {
        std::mem::take(&mut self.set().log)
    }

    /// Returns what was asked since the last time, as short lines.
    pub fn take_lines(&self) -> Vec<String> {
        self.take_log().iter().map(Asked::line).collect()
    }

    /// Stores a document with everything below it and lets a tag name it; returns its digest.
    pub fn push(&self, repo: &str, tag: Option<&str>, blob: &Blob) -> String {
        let mut state = self.set();
        let repo = state.repos.entry(repo.to_owned()).or_default();
        blob.store(repo);
        if let Some(tag) = tag {
            repo.tags.insert(tag.to_owned(), blob.digest.clone());
        }
        blob.digest.clone()
    }

    /// Adds a fault for targets that contain the text.
    pub fn break_at(&self, part: &str, fault: Fault) {
        self.set().faults.push((part.to_owned(), fault));
    }
}
