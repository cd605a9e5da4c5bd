//! What a service ran before, as far as anybody wrote it down: engines forget it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::digest::{ConfigDigest, ImageId, ManifestDigest, TopDigest};
use super::image::ImageRef;

/// One image that a service ran for a while on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerRun {
    /// The reference then; it may lie under another registry's name than today's.
    pub reference: ImageRef,
    pub top: Option<TopDigest>,
    pub manifest: Option<ManifestDigest>,
    /// The Id on that host, which means nothing on another one.
    pub image_id: ImageId,
    pub config: Option<ConfigDigest>,
    pub created: Option<Timestamp>,
    pub revision: Option<String>,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// Whether it failed and the image before it was put back.
    pub put_back: bool,
}
