//! How many gates of a user run at once, counted without writing anything: by names of sockets that live in memory
//! and end with their process.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

/// How many may run: eight streams of a console each, and a few for others.
pub const SLOTS: usize = 48;

/// The right to run, given back when it is dropped.
#[derive(Debug)]
pub struct Slot(#[expect(dead_code, reason = "held, never used")] UnixListener);

/// Takes a slot of the user; nothing where all are taken.
pub fn take_slot(scope: &str) -> Option<Slot> {
    (0..SLOTS).find_map(|number| {
        let name = format!("homelab-tui-gate-{scope}-{number}");
        let address = SocketAddr::from_abstract_name(name).ok()?;
        UnixListener::bind_addr(&address).ok().map(Slot)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_few_and_come_back() {
        let scope = format!("test-{}", std::process::id());
        let mut slots: Vec<Slot> = (0..SLOTS).filter_map(|_| take_slot(&scope)).collect();
        assert_eq!(slots.len(), SLOTS);
        assert!(take_slot(&scope).is_none());
        assert!(take_slot(&format!("{scope}-other")).is_some());
        slots.pop();
        // A process that another test is just starting may still hold it for a moment.
        let came_back = (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            take_slot(&scope).is_some()
        });
        assert!(came_back);
    }
}
