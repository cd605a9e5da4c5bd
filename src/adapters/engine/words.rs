//! Why an engine could not be used, from what docker, sudo, shells, sockets and proxies say.
//!
//! Pure text in, value out.

use std::io;

use crate::core::failure::{HostFailure, HostTrouble};
use crate::core::text::clean_within;

const SHOWN: usize = 160;

/// Reads why a command on a host ended before the engine answered.
///
/// `program` is the command's first word; `ran` tells whether our script began there at all.
pub fn command_failure(errors: &str, code: Option<i32>, program: &str, ran: bool) -> HostFailure {
    let text = errors.to_lowercase();
    let has = |part: &str| text.contains(part);
    if has("a password is required") || has("a terminal is required") {
        return HostFailure::new(
            HostTrouble::NoPermission,
            "sudo asks for a password on the host",
            "allow docker without one in sudoers (NOPASSWD), or put the user into the group docker",
        );
    }
    if has("not in the sudoers") || has("is not allowed to execute") {
        return HostFailure::new(
            HostTrouble::NoPermission,
            "the user may not use sudo for docker on the host",
            "allow it in sudoers (NOPASSWD), or put the user into the group docker",
        );
    }
    if has("permission denied") && (has("dial unix") || has("docker daemon") || has(".sock")) {
        return HostFailure::new(
            HostTrouble::NoPermission,
            "the user may not use the engine's socket",
            "run `sudo usermod -aG docker USER` on the host, or set docker: {command: [sudo, docker]}",
        );
    }
    if has("account is currently not available") || has("nologin") {
        return HostFailure::new(
            HostTrouble::LoginRefused,
            "the user has no shell on the host",
            "give the user a shell there, or log in as another one",
        );
    }
    if program != "docker" && has(&format!("{}: not found", program.to_lowercase())) {
        let program = clean_within(program, SHOWN);
        return HostFailure::new(
            HostTrouble::NoDocker,
            format!("there is no {program} command on the host"),
            "install it there, or change the host's docker: {command: [...]}",
        );
    }
    if code == Some(127) || has("command not found") || has(": not found") {
        return HostFailure::new(
            HostTrouble::NoDocker,
            "there is no docker command on the host",
            "install docker there, or name it: docker: {command: [/path/to/docker]}",
        );
    }
    if has("dial unix") && has("no such file or directory") {
        return HostFailure::new(
            HostTrouble::EngineDown,
            match socket_in(errors) {
                Some(socket) => format!("the engine's socket {socket} is not there"),
                None => "the engine's socket is not there".to_owned(),
            },
            "start it (`sudo systemctl start docker`), or name its socket: docker: {socket: /path}",
        );
    }
    if has("cannot connect to the docker daemon") || has("connection refused") {
        return HostFailure::new(
            HostTrouble::EngineDown,
            "the engine is not running on the host",
            "start it there: `sudo systemctl start docker`",
        );
    }
    if has("is not a docker command") || has("unknown command") || has("unknown shorthand flag") {
        return HostFailure::new(
            HostTrouble::EngineVersion,
            "docker on the host is too old to be reached over ssh",
            "18.09 is the first that can; install a newer one",
        );
    }
    let last = errors.lines().rev().find(|line| !line.trim().is_empty());
    if !ran && let Some(code) = code {
        return not_ours(last, code);
    }
    HostFailure::new(
        HostTrouble::BadAnswer,
        match (last, code) {
            (Some(line), _) => format!(
                "docker on the host ended: {}",
                clean_within(line.trim(), SHOWN)
            ),
            (None, Some(code)) => format!("docker on the host ended with {code} and no answer"),
            (None, None) => "the stream to the engine ended without an answer".to_owned(),
        },
        "try `docker version` on the host",
    )
}

/// Says that a login ran something else than what it was asked for.
fn not_ours(said: Option<&str>, code: i32) -> HostFailure {
    match said {
        Some(line) => HostFailure::new(
            HostTrouble::LoginRefused,
            format!(
                "the login runs a command of its own: {}",
                clean_within(line.trim(), SHOWN)
            ),
            "log in as another user, or let this key's command (ForceCommand) be `docker system dial-stdio`",
        ),
        None => HostFailure::new(
            HostTrouble::LoginRefused,
            format!("the user has no shell on the host that runs commands (it ended with {code})"),
            "give the user a shell there, or log in as another one",
        ),
    }
}

/// Reads why a socket or address could not be opened.
pub fn socket_failure(error: &io::Error, place: &str) -> HostFailure {
    if let Some(failure) = inner_failure(error) {
        return failure;
    }
    let over_tcp = place.starts_with("tcp://");
    match error.kind() {
        io::ErrorKind::PermissionDenied => HostFailure::new(
            HostTrouble::NoPermission,
            format!("this user may not use {place}"),
            "run `sudo usermod -aG docker $USER` and log in again",
        ),
        io::ErrorKind::NotFound => HostFailure::new(
            HostTrouble::EngineDown,
            format!("there is no engine at {place}"),
            "start it (`sudo systemctl start docker`), or name its socket",
        ),
        io::ErrorKind::ConnectionRefused if over_tcp => HostFailure::new(
            HostTrouble::NoConnection,
            format!("{place} refuses the connection"),
            "is the proxy or engine running, and on this port?",
        ),
        io::ErrorKind::ConnectionRefused => HostFailure::new(
            HostTrouble::EngineDown,
            format!("nothing listens at {place}"),
            "start the engine: `sudo systemctl start docker`",
        ),
        _ if error.to_string().contains("lookup address") => HostFailure::new(
            HostTrouble::NoSuchName,
            format!("the name in {place} does not resolve"),
            "check the address and the name service",
        ),
        _ => HostFailure::new(
            HostTrouble::NoConnection,
            format!(
                "cannot open {place}: {}",
                clean_within(&error.to_string(), SHOWN)
            ),
            "check the address and the network",
        ),
    }
}

/// Reads what an answer with an error status means.
pub fn status_failure(status: u16, message: &str, asked: &str) -> HostFailure {
    let said = clean_within(message.trim(), SHOWN);
    let lower = message.to_lowercase();
    if status == 400 && lower.contains("client version") {
        return HostFailure::new(
            HostTrouble::EngineVersion,
            format!("the engine does not speak our version: {said}"),
            "engines from 20.10 (API 1.41) on are supported",
        );
    }
    match status {
        401 | 403 => HostFailure::new(
            HostTrouble::NoPermission,
            format!("the engine's proxy does not allow {asked}"),
            "allow CONTAINERS, IMAGES, INFO, VERSION, PING and EVENTS in the socket proxy",
        ),
        500..=599 => HostFailure::new(
            HostTrouble::EngineDown,
            format!("the engine failed at {asked}: {said}"),
            "see the engine's log on the host: `journalctl -u docker`",
        ),
        _ => HostFailure::new(
            HostTrouble::BadAnswer,
            format!("the engine answered {status} to {asked}: {said}"),
            "is this a docker engine?",
        ),
    }
}

/// Says that an answer could not be read.
pub fn bad_answer(asked: &str, why: &str) -> HostFailure {
    HostFailure::new(
        HostTrouble::BadAnswer,
        format!(
            "the answer to {asked} cannot be read: {}",
            clean_within(why, SHOWN)
        ),
        "is this a docker engine?",
    )
}

/// Says that no answer came in time.
pub fn slow(asked: &str, seconds: u64) -> HostFailure {
    HostFailure::new(
        HostTrouble::EngineDown,
        format!("the engine did not answer {asked} within {seconds} s"),
        "is the host overloaded? `docker version` there shows whether the engine lives",
    )
}

/// Returns the failure that travelled inside of an error.
pub fn inner_failure(error: &io::Error) -> Option<HostFailure> {
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<HostFailure>())
        .cloned()
}

fn socket_in(errors: &str) -> Option<String> {
    let (_, after) = errors.split_once("dial unix ")?;
    let (path, _) = after.split_once(": ")?;
    Some(clean_within(path, SHOWN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d4_each_text_of_the_way_has_its_trouble() {
        use HostTrouble::*;
        for (code, text, trouble) in [
            (127, "sh: 1: exec: docker: not found", NoDocker),
            (127, "bash: line 1: exec: docker: not found", NoDocker),
            (127, "sudo: docker: command not found", NoDocker),
            (1, "sudo: docker: command not found", NoDocker),
            (
                1,
                "WARNING: Error loading config file: open /root/.docker/config.json: permission denied\nfailed to open the raw stream connection: dial unix /var/run/docker.sock: connect: permission denied",
                NoPermission,
            ),
            (
                1,
                "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
                NoPermission,
            ),
            (1, "sudo: a password is required", NoPermission),
            (
                1,
                "sudo: a terminal is required to read the password; either use the -S option",
                NoPermission,
            ),
            (1, "deploy is not in the sudoers file.", NoPermission),
            (
                1,
                "failed to open the raw stream connection: dial unix /var/run/docker.sock: connect: no such file or directory",
                EngineDown,
            ),
            (
                1,
                "failed to open the raw stream connection: dial unix /var/run/docker.sock: connect: connection refused",
                EngineDown,
            ),
            (
                1,
                "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
                EngineDown,
            ),
            (
                1,
                "docker: 'dial-stdio' is not a docker command.",
                EngineVersion,
            ),
            (
                1,
                "This account is currently not available.\n\n",
                LoginRefused,
            ),
            (1, "something else", BadAnswer),
            (0, "", BadAnswer),
        ] {
            let failure = command_failure(text, Some(code), "docker", true);
            assert_eq!(failure.trouble, trouble, "{text}");
            assert!(!failure.remedy.is_empty());
        }
        let gone = command_failure(
            "dial unix /run/x.sock: connect: no such file or directory",
            Some(1),
            "docker",
            true,
        );
        assert!(gone.what.contains("/run/x.sock"));
        let doas = command_failure("sh: 1: exec: doas: not found", Some(127), "doas", true);
        assert_eq!(doas.what, "there is no doas command on the host");
        let inner = command_failure("sudo: docker: command not found", Some(1), "sudo", true);
        assert_eq!(inner.what, "there is no docker command on the host");
    }

    #[test]
    fn d4_what_ran_instead_of_our_script_is_said() {
        let forced = command_failure("Only \u{1b}[2Jbackups here\n", Some(0), "docker", false);
        assert_eq!(forced.trouble, HostTrouble::LoginRefused);
        assert!(
            forced.what.ends_with("of its own: Only ^[[2Jbackups here"),
            "{forced}"
        );
        assert!(forced.remedy.contains("docker system dial-stdio"));
        let falsy = command_failure("\n", Some(1), "docker", false);
        assert!(falsy.what.contains("no shell"), "{falsy}");
        // A gate runs docker itself, whose words are known.
        let gate = command_failure(
            "Cannot connect to the Docker daemon",
            Some(1),
            "docker",
            false,
        );
        assert_eq!(gate.trouble, HostTrouble::EngineDown);
        // A lost stream proves nothing.
        let lost = command_failure("", None, "docker", false);
        assert_eq!(lost.trouble, HostTrouble::BadAnswer);
    }

    #[test]
    fn statuses_tell_proxies_from_engines() {
        use HostTrouble::*;
        let old = "client version 1.51 is too new. Maximum supported API version is 1.41";
        assert_eq!(
            status_failure(400, old, "the version").trouble,
            EngineVersion
        );
        assert_eq!(status_failure(403, "", "the version").trouble, NoPermission);
        assert_eq!(status_failure(500, "x", "the version").trouble, EngineDown);
        assert_eq!(status_failure(418, "x", "the version").trouble, BadAnswer);
    }
}
