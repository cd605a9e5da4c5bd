//! The tailnet's links: this machine's own standing, and how each host is reached through it.

use jiff::Timestamp;

use super::logins::SOON;
use super::{Check, Link, State, check};
use crate::app::model::{HostModel, Model};
use crate::core::age::span;
use crate::core::tailnet::{Own, PeerPath, Standing};

/// Tells how this machine stands in its tailnet, where it has one.
pub fn own(model: &Model) -> Vec<Check> {
    let Some(seen) = &model.tailnet.seen else {
        return Vec::new();
    };
    let row = |state, detail: String, remedy: &str| {
        vec![check(None, Link::Tailnet, state, detail, remedy)]
    };
    if let Some(trouble) = seen.own_trouble() {
        // Where no host needs it, a tailnet that is switched off is nobody's fault.
        let is_needed = model.hosts.iter().any(|host| {
            host.failure()
                .is_some_and(|failure| failure.what == trouble.what)
        });
        let state = if is_needed {
            State::Failed
        } else {
            State::Unknown
        };
        return row(state, trouble.what, &trouble.remedy);
    }
    let place = if seen.suffix.is_empty() {
        "this machine is in its tailnet".to_owned()
    } else {
        format!("this machine is in the tailnet {}", seen.suffix)
    };
    let way = if seen.routed {
        ""
    } else {
        ", reached through tailscaled (userspace)"
    };
    match seen.key_expiry.filter(|_| seen.own == Own::Running) {
        Some(end) => {
            let (words, is_soon) = expiry(end, model.now.wall);
            let remedy = "run `tailscale up --force-reauth`, or switch its key expiry off";
            row(
                State::Ok,
                format!("{place}{way}; its own key {words}"),
                if is_soon { remedy } else { "" },
            )
        }
        None => row(State::Ok, format!("{place}{way}"), ""),
    }
}

/// Tells how the tailnet leads to a host, where it does.
pub fn of_host(host: &HostModel, now: Timestamp) -> Option<Check> {
    let name = Some(&host.spec.name);
    let peer = host.tailnet.peer.as_ref()?;
    let Standing::Online(path) = &peer.standing else {
        return None;
    };
    let mut detail = format!("{}, {}", peer.name, peer.words());
    let mut remedy = match path {
        PeerPath::Relay(_) => {
            format!(
                "slower than a direct path: `tailscale ping {}` shows why (is UDP 41641 let through?)",
                peer.name
            )
        }
        PeerPath::Direct | PeerPath::PeerRelay(_) | PeerPath::Unknown => String::new(),
    };
    if !peer.ssh_host_keys.is_empty() {
        detail.push_str(", Tailscale SSH is on");
    }
    if let Some(end) = peer.key_expiry {
        let (words, is_soon) = expiry(end, now);
        detail.push_str(&format!("; its key {words}"));
        if is_soon {
            remedy = "run `tailscale up --force-reauth` on the host, or switch its key expiry off"
                .to_owned();
        }
    }
    Some(check(name, Link::Tailnet, State::Ok, detail, &remedy))
}

/// Says when a key ends, and whether that is soon.
fn expiry(end: Timestamp, now: Timestamp) -> (String, bool) {
    let left = end.duration_since(now);
    if left.is_negative() {
        return (format!("expired {} ago", span(left.abs())), true);
    }
    (format!("expires in {}", span(left)), left < SOON)
}
