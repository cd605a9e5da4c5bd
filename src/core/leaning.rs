//! Containers that share the network of another container, and lose it with that one.
//!
//! An engine writes such a network down as the other container's Id. That container's restart makes its network anew:
//! who leans on it keeps the former one, in which nothing but `lo` is left, and looks healthy all the while.

use super::engine::{ContainerFacts, ContainerState};

const CONTAINER: &str = "container:";

/// How short an Id may be cut that still names its container.
const SHORT_ID: usize = 12;

/// Tells whether a mode, of a network, ipc or pid namespace, is that of the container with this Id and name.
pub fn is_of(mode: &str, id: &str, name: &str) -> bool {
    mode.strip_prefix(CONTAINER)
        .is_some_and(|whom| whom == name || (whom.len() >= SHORT_ID && id.starts_with(whom)))
}

/// Tells whether it shares the network of exactly this other one.
pub fn leans(container: &ContainerFacts, other: &ContainerFacts) -> bool {
    is_of(&container.network_mode, other.id.as_str(), &other.name)
}

/// Says how a running container lost the network that it shared; nothing where it has it or shares none.
pub fn cut_off(container: &ContainerFacts, all: &[ContainerFacts]) -> Option<String> {
    let leans_on_one = container.network_mode.starts_with(CONTAINER);
    if !leans_on_one || container.state != ContainerState::Running {
        return None;
    }
    let Some(other) = all.iter().find(|other| leans(container, other)) else {
        return Some("cut off: the container whose network it shares is gone".to_owned());
    };
    if other.state != ContainerState::Running {
        return Some(format!(
            "cut off: {}, whose network it shares, does not run",
            other.name
        ));
    }
    let later = other
        .started
        .zip(container.started)
        .is_some_and(|(a, b)| a > b);
    later.then(|| {
        format!(
            "cut off: {}, whose network it shares, was started anew after it",
            other.name
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::core::samples::{container, day};

    #[test]
    fn who_leans_on_a_container_that_is_gone_stopped_or_started_anew_is_cut_off() {
        let mut vpn = container("vpn", "vpn:1");
        vpn.started = Some(day(1));
        let mut own = container("torrent", "torrent:1");
        own.started = Some(day(2));
        let words = |own: &ContainerFacts, vpn: &ContainerFacts| {
            cut_off(own, &[own.clone(), vpn.clone()]).unwrap_or_default()
        };
        assert_eq!(words(&own, &vpn), "");
        own.network_mode = format!("container:{}", vpn.name);
        assert!(leans(&own, &vpn) && !leans(&vpn, &own));
        assert_eq!(words(&own, &vpn), "");
        vpn.started = Some(day(3));
        assert!(words(&own, &vpn).ends_with("was started anew after it"));
        vpn.state = ContainerState::Exited;
        assert!(words(&own, &vpn).ends_with("does not run"));
        assert!(cut_off(&own, std::slice::from_ref(&own)).is_some());
        own.state = ContainerState::Exited;
        assert_eq!(cut_off(&own, std::slice::from_ref(&own)), None);
    }
}
