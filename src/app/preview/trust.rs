//! What stands beside images: which of them were looked into, and what was found.

use crate::app::judge::ServiceView;
use crate::app::model::Model;
use crate::core::digest::TopDigest;
use crate::core::trust::Trust;

use super::ImageKey;

/// How far looking for marks of one image is.
#[derive(Debug, Clone, PartialEq)]
pub enum Marks {
    InFlight,
    Known(Box<Trust>),
    /// It was known; somebody wants it looked at anew.
    Stale,
}

/// Returns the marks of an image, if it was looked into.
pub fn of<'a>(model: &'a Model, key: &ImageKey) -> Option<&'a Trust> {
    match model.preview.marks.get(key)? {
        Marks::Known(trust) => Some(trust),
        Marks::InFlight | Marks::Stale => None,
    }
}

/// Returns the marks of an image for the platform of a service.
pub fn of_top<'a>(
    model: &'a Model,
    service: &ServiceView,
    top: Option<&TopDigest>,
) -> Option<&'a Trust> {
    let platform = service.question.as_ref()?.platform.clone();
    of(model, &(top?.clone(), platform))
}

/// Returns the marks of what a service runs.
pub fn of_running<'a>(model: &'a Model, service: &ServiceView) -> Option<&'a Trust> {
    of_top(model, service, service.running.digests.first())
}
