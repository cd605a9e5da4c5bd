//! The record of how one question was answered: requests, whose credentials, what a person should know.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Method, StatusCode};
use reqwest::Url;

use crate::core::remote::Request;
use crate::core::text::clean_within;

/// A question that needs more requests than this has its first ones on record.
const LONGEST: usize = 200;

/// What is gathered along the way.
#[derive(Default)]
pub(super) struct Trail {
    inner: Mutex<Gathered>,
}

/// What was gathered.
#[derive(Debug, Clone, Default)]
pub(super) struct Gathered {
    pub requests: Vec<Request>,
    pub credential: Option<String>,
    remarks: Vec<String>,
}

impl Trail {
    /// Records an exchange, without the query, where tokens may stand.
    pub(super) fn request(
        &self,
        method: &Method,
        url: &Url,
        status: Option<StatusCode>,
        took: Duration,
    ) {
        let mut inner = self.inner();
        if inner.requests.len() < LONGEST {
            inner.requests.push(Request {
                method: method.to_string(),
                path: clean_within(url.path(), 300),
                status: status.map(|status| status.as_u16()),
                milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            });
        }
    }

    /// Records whose credentials were accepted.
    pub(super) fn credential(&self, name: &str) {
        self.inner().credential = Some(name.to_owned());
    }

    /// Records something that a person should know, once.
    pub(super) fn remark(&self, words: impl Into<String>) {
        let words = words.into();
        let mut inner = self.inner();
        if !inner.remarks.contains(&words) && inner.remarks.len() < 5 {
            inner.remarks.push(words);
        }
    }

    /// Returns what was gathered so far.
    pub(super) fn gathered(&self) -> Gathered {
        self.inner().clone()
    }

    fn inner(&self) -> MutexGuard<'_, Gathered> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gathered {
    /// Returns all remarks as one text.
    pub(super) fn remark(&self) -> Option<String> {
        (!self.remarks.is_empty()).then(|| self.remarks.join("; "))
    }
}
