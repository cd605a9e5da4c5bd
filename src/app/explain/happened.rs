//! The images of what happened, short enough for a row.

use crate::core::history::Event;
use crate::core::rollout::plan::ImageState;

/// Says from what to what it went.
pub fn images(event: &Event) -> String {
    match (&event.from, &event.to) {
        (Some(from), Some(to)) if from.image_id != to.image_id => {
            format!("{} to {}", short(from), short(to))
        }
        (_, Some(to)) => short(to).to_owned(),
        (Some(from), None) => short(from).to_owned(),
        (None, None) => "-".to_owned(),
    }
}

/// Returns the digest by which people know the image.
pub fn short(state: &ImageState) -> &str {
    let digest = state.digest.as_ref().map(|digest| digest.short());
    digest
        .or(state.image_id.as_ref().map(|id| id.short()))
        .unwrap_or("-")
}
