//! What a project's files on its host say of a service, against what runs.

use jiff::Timestamp;

use crate::core::engine::ContainerFacts;
use crate::core::files::{ConfigState, RenderedService, same_release};
use crate::core::image::ImageRef;
use crate::core::inventory::Service;

/// What the files say of one service.
pub(super) enum Files<'a> {
    Rendered {
        version: &'a str,
        service: Option<&'a RenderedService>,
        /// When that was, and why it could not be looked at again since; absent where it could.
        failed: Option<(Timestamp, &'a str)>,
    },
    Unreadable(&'a str),
    Unknown(&'a str),
}

impl Files<'_> {
    /// Tells whether the files build the service.
    pub(super) fn builds(&self) -> Option<bool> {
        match self {
            Self::Rendered { service, .. } => service.map(|service| service.builds),
            Self::Unreadable(_) | Self::Unknown(_) => None,
        }
    }

    /// Returns the image that the files ask for, if it is another than the container's reference.
    pub(super) fn other_image(&self, reference: &str) -> Option<&str> {
        let Self::Rendered {
            service: Some(service),
            ..
        } = self
        else {
            return None;
        };
        let asked = service.image.as_deref()?;
        let same = match (asked.parse::<ImageRef>(), reference.parse::<ImageRef>()) {
            (Ok(asked), Ok(running)) => asked == running,
            _ => asked == reference,
        };
        (!same).then_some(asked)
    }
}

/// Tells whether the files still render to what runs, and why not.
pub(super) fn config(
    container: &ContainerFacts,
    service: &Service,
    files: Option<&Files<'_>>,
) -> (ConfigState, Option<String>) {
    let (state, why) = told(container, service, files);
    match files {
        // What was seen once is no word on how it is.
        Some(Files::Rendered {
            failed: Some((at, failure)),
            ..
        }) => {
            let last = format!("{failure}; it was {} when last read, at {at}", state.word());
            (ConfigState::Unknown, Some(last))
        }
        _ => (state, why),
    }
}

fn told(
    container: &ContainerFacts,
    service: &Service,
    files: Option<&Files<'_>>,
) -> (ConfigState, Option<String>) {
    let Some(compose) = &service.compose else {
        return (ConfigState::Unknown, Some("no compose project".to_owned()));
    };
    match files {
        None => (
            ConfigState::Unknown,
            Some("the files have not been read yet".to_owned()),
        ),
        Some(Files::Unreadable(why)) => (ConfigState::Unreadable, Some((*why).to_owned())),
        Some(Files::Unknown(why)) => (ConfigState::Unknown, Some((*why).to_owned())),
        Some(Files::Rendered { service: None, .. }) => (
            ConfigState::Changed,
            Some("the files no longer have this service".to_owned()),
        ),
        Some(
            files @ Files::Rendered {
                version,
                service: Some(rendered),
                ..
            },
        ) => {
            if let Some(asked) = files.other_image(&container.reference) {
                return (
                    ConfigState::Changed,
                    Some(format!("the files ask for {asked}")),
                );
            }
            match (&rendered.hash, &compose.config_hash) {
                (_, Some(then)) if rendered.has_hash(then) => (ConfigState::Same, None),
                (Some(_), Some(_)) if same_release(version, &compose.version) => (
                    ConfigState::Changed,
                    Some("the files render to other settings than the container has".to_owned()),
                ),
                (Some(_), Some(_)) => (
                    ConfigState::Unknown,
                    Some(format!(
                        "started by compose {}, the host has {version}: their hashes cannot be compared",
                        compose.version
                    )),
                ),
                _ => (
                    ConfigState::Unknown,
                    Some("there is no hash to compare".to_owned()),
                ),
            }
        }
    }
}
