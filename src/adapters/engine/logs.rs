//! A container's output, as the engine keeps it and as it goes on.

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::{Stream, StreamExt};

use crate::core::failure::HostFailure;
use crate::core::names::ContainerId;

use super::events::failure;
use super::observer::Observer;

/// How many lines of the past are wanted.
const LAST: &str = "200";

impl Observer {
    /// Follows a container's output from its last lines on; each piece says whether it is from standard error.
    pub fn logs(
        &self,
        container: &ContainerId,
    ) -> impl Stream<Item = Result<(bool, bytes::Bytes), HostFailure>> + Send + 'static {
        let options = LogsOptionsBuilder::new()
            .follow(true)
            .stdout(true)
            .stderr(true)
            .tail(LAST)
            .build();
        let pieces = self.link.docker().logs(container.as_str(), Some(options));
        pieces.map(|piece| {
            piece.map_err(failure).map(|piece| {
                let error = matches!(piece, LogOutput::StdErr { .. });
                (error, piece.into_bytes())
            })
        })
    }
}
