//! Containers that share the network of another container, and lose it with that one.
//!
//! An engine writes such a network down as the other container's Id. That container's restart makes its network anew:
//! who leans on it keeps the former one, in which nothing but `lo` is left, and looks healthy all the while.

use super::engine::{ContainerFacts, ContainerState};

const CONTAINER: &str = "container:";

/// Returns the Id or name of the container whose network it shares, if it does.
pub fn leans_on(container: &ContainerFacts) -> Option<&str> {
    container.network_mode.strip_prefix(CONTAINER)
}

/// Tells whether it shares the network of exactly this other one.
pub fn leans(container: &ContainerFacts, other: &ContainerFacts) -> bool {
    leans_on(container).is_some_and(|whom| is(other, whom))
}

fn is(container: &ContainerFacts, named: &str) -> bool {
    container.id.as_str() == named || container.name == named
}

/// Says how a running container lost the network that it shared; nothing where it has it or shares none.
pub fn cut_off(container: &ContainerFacts, all: &[ContainerFacts]) -> Option<String> {
    let whom = leans_on(container)?;
    if container.state != ContainerState::Running {
        return None;
    }
    let Some(other) = all.iter().find(|other| is(other, whom)) else {
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
        own.network_mode = format!("container:{}", vpn.id);
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
