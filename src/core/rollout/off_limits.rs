//! What is only ever looked at, with the words of the refusal.

use crate::core::host::HostSpec;
use crate::core::inventory::ProjectKind;

/// Refuses every change on a host that the configuration lets only be looked at.
pub const READ_ONLY_HOST: &str = "this host is read-only";
/// Refuses every change of a service that swarm manages.
pub const SWARM: &str = "swarm services are only watched for now";

/// Says why nothing is ever changed there, whatever is asked for, if so.
pub fn off_limits(host: &HostSpec, kind: ProjectKind) -> Option<&'static str> {
    if host.read_only {
        return Some(READ_ONLY_HOST);
    }
    match kind {
        ProjectKind::Swarm => Some(SWARM),
        ProjectKind::Compose | ProjectKind::None => None,
    }
}
