//! Words to the service manager that started the program: it is up, it lives, it ends.
//!
//! Nothing is sent where nobody listens; a word that cannot be sent is no reason to stop.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

/// The manager's ear, where there is one.
#[derive(Debug)]
pub struct Manager {
    ear: Option<(UnixDatagram, SocketAddr)>,
    /// How often it wants a sign of life.
    every: Option<Duration>,
    last: Instant,
}

impl Manager {
    /// Finds who listens, as `NOTIFY_SOCKET` and `WATCHDOG_USEC` tell.
    pub fn of_environment() -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        // The watchdog may be meant for another process than this one.
        let ours = variable("WATCHDOG_PID")
            .and_then(|pid| pid.parse::<u32>().ok())
            .is_none_or(|pid| pid == std::process::id());
        Self::at(
            variable("NOTIFY_SOCKET").as_deref(),
            variable("WATCHDOG_USEC").filter(|_| ours).as_deref(),
        )
    }

    fn at(socket: Option<&str>, watchdog: Option<&str>) -> Self {
        let ear = socket.and_then(|socket| {
            let address = match socket.strip_prefix('@') {
                Some(name) => SocketAddr::from_abstract_name(name),
                None => SocketAddr::from_pathname(socket),
            };
            let ear = UnixDatagram::unbound().ok()?;
            // A manager that does not listen must not hold the screen up.
            ear.set_nonblocking(true).ok()?;
            Some((ear, address.ok()?))
        });
        let every = watchdog
            .and_then(|every| every.parse::<u64>().ok())
            .filter(|every| *every > 0 && ear.is_some())
            // Three signs within the time, so that one may come late.
            .map(|every| Duration::from_micros(every) / 3);
        Self {
            ear,
            every,
            last: Instant::now(),
        }
    }

    /// Says that the first screen is drawn.
    pub fn ready(&self) {
        self.say("READY=1\nSTATUS=the screen is up");
    }

    /// Says that the program ends.
    pub fn stopping(&self) {
        self.say("STOPPING=1");
    }

    /// Gives a sign of life if one is due.
    pub fn alive(&mut self) {
        if self.every.is_some_and(|every| self.last.elapsed() >= every) {
            self.last = Instant::now();
            self.say("WATCHDOG=1");
        }
    }

    /// Says by when the next sign is due.
    pub fn due(&self) -> Option<Instant> {
        self.every.map(|every| self.last + every)
    }

    fn say(&self, words: &str) {
        if let Some((ear, address)) = &self.ear {
            let _ = ear.send_to_addr(words.as_bytes(), address);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn the_manager_hears_ready_alive_in_time_and_the_end() {
        let name = format!("homelab-tui-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let ear = UnixDatagram::bind_addr(&address).unwrap();
        ear.set_nonblocking(true).unwrap();
        let heard = || {
            let mut piece = [0; 64];
            let count = ear.recv(&mut piece).ok()?;
            Some(String::from_utf8(piece[..count].to_vec()).unwrap())
        };
        let mut manager = Manager::at(Some(&format!("@{name}")), Some("60000"));
        manager.ready();
        assert!(heard().unwrap().starts_with("READY=1\n"));
        manager.alive();
        assert_eq!(heard(), None, "not yet due");
        std::thread::sleep(Duration::from_millis(25));
        assert!(manager.due().unwrap() <= Instant::now());
        manager.alive();
        assert_eq!(heard().unwrap(), "WATCHDOG=1");
        manager.stopping();
        assert_eq!(heard().unwrap(), "STOPPING=1");
    }

    #[test]
    fn without_a_manager_nothing_is_due() {
        for (socket, every) in [
            (None, Some("1000")),
            (Some("/nowhere/x"), None),
            (None, None),
        ] {
            let mut manager = Manager::at(socket, every);
            manager.ready();
            manager.alive();
            assert_eq!(manager.due(), None);
        }
    }
}
