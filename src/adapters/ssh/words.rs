//! What ssh says on its standard error, read into a trouble, its words and its remedy.
//!
//! Pure text in, value out. The texts are OpenSSH's, Tailscale's and those of common proxy commands.

use crate::core::failure::{HostFailure, HostTrouble};
use crate::core::text::clean_within;

use super::Destination;

/// The longest piece of foreign text that is shown.
const SHOWN: usize = 200;

/// Reads why ssh ended, or why it did not get through in time.
pub fn failure(lines: &[String], destination: &Destination, timed_out: bool) -> HostFailure {
    let text = lines.join("\n");
    let has = |part: &str| text.contains(part);
    let by_hand = destination.typed();
    let host = clean_within(&destination.host, SHOWN);

    if has("REMOTE HOST IDENTIFICATION HAS CHANGED") {
        return HostFailure::new(
            HostTrouble::HostKeyChanged,
            format!("the host key of {host} is not the known one"),
            format!(
                "if the host was reinstalled, run `{}` and then `{by_hand}` once; else somebody may stand in between",
                forget_command(lines, destination)
            ),
        );
    }
    if has("Host key verification failed") || has("you have requested strict checking") {
        return HostFailure::new(
            HostTrouble::HostKeyUnknown,
            format!("the host key of {host} is not known yet"),
            format!("run `{by_hand}` once by hand, compare the fingerprint and accept it"),
        );
    }
    if has("tailnet policy does not permit") {
        return HostFailure::new(
            HostTrouble::LoginRefused,
            quote(lines, "tailnet policy"),
            "allow this user in the ssh section of the tailnet's policy",
        );
    }
    if let Some(failure) = login_trouble(lines, destination) {
        return failure;
    }
    if has("Could not resolve hostname") || has("resolve failure") {
        // The name that ssh looked for may be another than the address's, as that of a jump host.
        let name = between(lines, "Could not resolve hostname ", ":").unwrap_or(host);
        return HostFailure::new(
            HostTrouble::NoSuchName,
            format!("the name {name} does not resolve"),
            "check the address, the ssh configuration and the name service",
        );
    }
    if let Some(failure) = configuration_trouble(lines) {
        return failure;
    }
    connection_trouble(lines, destination, timed_out)
}

/// Reads from a line whether the login waits for a person.
pub fn waiting(line: &str, destination: &Destination) -> Option<HostFailure> {
    if let Some((_, url)) = line.split_once("To authenticate, visit:") {
        return Some(HostFailure::new(
            HostTrouble::LoginWaits,
            "the tailnet asks for a check of this login",
            format!("open {}", clean_within(url.trim(), SHOWN)),
        ));
    }
    if line.contains("Confirm user presence for key") {
        return Some(HostFailure::new(
            HostTrouble::LoginWaits,
            "the login waits for a security key",
            format!("touch the key that {} uses", destination.typed()),
        ));
    }
    None
}

/// Tells whether the line is only ssh's talk about itself.
pub fn is_chatter(line: &str) -> bool {
    [
        "Authenticated to ",
        "Transferred: ",
        "Bytes per second: ",
        "Warning: Permanently added ",
        "debug1: ",
    ]
    .iter()
    .any(|start| line.starts_with(start))
}

fn login_trouble(lines: &[String], destination: &Destination) -> Option<HostFailure> {
    let text = lines.join("\n");
    let by_hand = destination.typed();
    if text.contains("partial success") {
        return Some(HostFailure::new(
            HostTrouble::LoginWaits,
            "the host wants a second factor, which a console cannot give",
            format!(
                "allow a key alone for this user there, or a multiplexed login; try `{by_hand}`"
            ),
        ));
    }
    if text.contains("Too many authentication failures") {
        return Some(HostFailure::new(
            HostTrouble::LoginRefused,
            "the host refused the login after too many keys",
            "name the key: IdentityFile and IdentitiesOnly yes in the ssh configuration",
        ));
    }
    if text.contains("UNPROTECTED PRIVATE KEY FILE") {
        return Some(HostFailure::new(
            HostTrouble::LoginRefused,
            "ssh ignores the private key, since others may read it",
            "chmod 600 the key file",
        ));
    }
    if text.contains("incorrect passphrase") || text.contains("Enter passphrase") {
        return Some(HostFailure::new(
            HostTrouble::LoginWaits,
            "the key has a passphrase",
            "load it into the agent with `ssh-add`",
        ));
    }
    let refusal = lines
        .iter()
        .find(|line| line.contains("Permission denied ("))?;
    let what = match refusal.split_once(": Permission denied (") {
        Some((who, methods)) => format!(
            "{} was refused; the host takes {}",
            clean_within(who.trim(), SHOWN),
            clean_within(methods.trim_end_matches([')', '.']), SHOWN)
        ),
        None => "the login was refused".to_owned(),
    };
    Some(HostFailure::new(
        HostTrouble::LoginRefused,
        what,
        format!("is the key loaded (`ssh-add -l`) and does the host list it? try `{by_hand}`"),
    ))
}

fn configuration_trouble(lines: &[String]) -> Option<HostFailure> {
    let marks = [
        "Bad configuration option",
        "Can't open user config file",
        "Bad owner or permissions on",
        "no argument after keyword",
        "missing argument",
        "keyword bind extra arguments",
    ];
    let line = lines
        .iter()
        .find(|line| marks.iter().any(|mark| line.contains(mark)))?;
    Some(HostFailure::new(
        HostTrouble::NoConnection,
        format!(
            "ssh cannot read its configuration: {}",
            clean_within(line.trim(), SHOWN)
        ),
        "correct that line of the ssh configuration",
    ))
}

fn connection_trouble(lines: &[String], destination: &Destination, timed_out: bool) -> HostFailure {
    let text = lines.join("\n").to_lowercase();
    let has = |part: &str| text.contains(part);
    let place = match destination.port {
        Some(port) => format!("{} port {port}", clean_within(&destination.host, SHOWN)),
        None => clean_within(&destination.host, SHOWN),
    };
    let (what, remedy) = if let Some(failure) = jump_trouble(lines) {
        failure
    } else if has("connection refused") || has("connection was refused") {
        (
            format!("{place} refuses the connection"),
            "is sshd running there, and on this port?".to_owned(),
        )
    } else if has("no route to host") || has("network is unreachable") {
        (
            format!("there is no route to {place}"),
            "check the network, VPN or tailnet of this machine".to_owned(),
        )
    } else if has("not responding") {
        (
            format!("{place} stopped answering"),
            "dialled again by itself".to_owned(),
        )
    } else if has("timed out") {
        (
            format!("{place} does not answer"),
            match is_led(lines) {
                true => "is the machine on, and what leads to it (a jump host, the tailnet)?",
                false => "is the machine on, and is the port open in its firewall?",
            }
            .to_owned(),
        )
    } else if has("unable to negotiate") {
        (
            clean_within(find(lines, "nable to negotiate"), SHOWN),
            "the host's ssh is too old or too strict for this one; see HostKeyAlgorithms and KexAlgorithms".to_owned(),
        )
    } else if has("connection closed") || has("connection reset") || has("kex_exchange") {
        (
            format!("{place} closed the connection before the login"),
            "too many logins at once (MaxStartups), a ban, or a proxy that failed; try it by hand"
                .to_owned(),
        )
    } else {
        match lines.iter().rev().find(|line| !is_chatter(line)) {
            Some(line) => (
                format!("ssh to {place} ended: {}", clean_within(line.trim(), SHOWN)),
                format!("try `{}`", destination.typed()),
            ),
            None if timed_out => (
                format!("{place} does not answer"),
                format!("the login took too long; try `{}`", destination.typed()),
            ),
            None => (
                format!("the connection to {place} ended"),
                "dialled again by itself".to_owned(),
            ),
        }
    };
    HostFailure::new(HostTrouble::NoConnection, what, remedy)
}

/// Tells whether ssh went through another program or machine.
fn is_led(lines: &[String]) -> bool {
    lines.iter().any(|line| line.contains("UNKNOWN port 65535"))
}

/// Says what is wrong with the machine that leads to the host, where the way ends there.
fn jump_trouble(lines: &[String]) -> Option<(String, String)> {
    // Of the host itself a jump host speaks in other words.
    let place = is_led(lines).then(|| between(lines, "ssh: connect to host ", ": "))??;
    let line = find(lines, "ssh: connect to host ").to_lowercase();
    let what = if line.contains("refused") {
        format!("the jump host {place} refuses the connection")
    } else if line.contains("timed out") {
        format!("the jump host {place} does not answer")
    } else {
        format!("there is no way to the jump host {place}")
    };
    Some((
        what,
        "is it on, and does sshd run on this port there?".to_owned(),
    ))
}

/// Returns what stands between two texts in a line.
fn between(lines: &[String], start: &str, end: &str) -> Option<String> {
    let found = lines.iter().find_map(|line| {
        let (_, rest) = line.split_once(start)?;
        Some(rest.split_once(end)?.0)
    })?;
    Some(clean_within(found.trim(), SHOWN))
}

/// Returns the command that forgets the old key, as ssh itself proposes it where it does.
fn forget_command(lines: &[String], destination: &Destination) -> String {
    lines
        .iter()
        .map(|line| line.trim())
        .find(|line| line.starts_with("ssh-keygen -f ") && line.contains(" -R "))
        .map_or_else(
            || format!("ssh-keygen -R '{}'", destination.known_as()),
            |line| clean_within(line, SHOWN),
        )
}

fn find<'a>(lines: &'a [String], part: &str) -> &'a str {
    lines
        .iter()
        .find(|line| line.contains(part))
        .map_or("", |line| line.trim())
}

fn quote(lines: &[String], part: &str) -> String {
    clean_within(find(lines, part), SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination() -> Destination {
        Destination {
            user: Some("deploy".to_owned()),
            host: "vps.example".to_owned(),
            port: Some(2222),
            config_file: None,
        }
    }

    fn read(text: &str) -> HostFailure {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        failure(&lines, &destination(), false)
    }

    #[test]
    fn d3_each_text_of_ssh_has_its_trouble() {
        use HostTrouble::*;
        for (text, trouble) in [
            ("Host key verification failed.", HostKeyUnknown),
            (
                "No ED25519 host key is known for x and you have requested strict checking.\nHost key verification failed.",
                HostKeyUnknown,
            ),
            (
                "Host key verification failed.\nkex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535",
                HostKeyUnknown,
            ),
            (
                "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.",
                HostKeyChanged,
            ),
            (
                "deploy@vps.example: Permission denied (publickey,keyboard-interactive).",
                LoginRefused,
            ),
            (
                "Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures\nDisconnected from 10.0.0.1 port 22",
                LoginRefused,
            ),
            (
                "Authenticated using \"publickey\" with partial success.\ndeploy@x: Permission denied (keyboard-interactive).",
                LoginWaits,
            ),
            (
                "tailscale: tailnet policy does not permit you to SSH as user \"root\"",
                LoginRefused,
            ),
            (
                "ssh: Could not resolve hostname no-such.invalid: Name or service not known",
                NoSuchName,
            ),
            (
                "502 Bad Gateway, resolve failure: no such host\nkex_exchange_identification: Connection closed by remote host",
                NoSuchName,
            ),
            (
                "502 Bad Gateway, dial failure: dial tcp: connection was refused\nConnection closed by UNKNOWN port 65535",
                NoConnection,
            ),
            (
                "ssh: connect to host 127.0.0.1 port 2298: Connection refused",
                NoConnection,
            ),
            (
                "Connection timed out during banner exchange\nConnection to 10.255.255.1 port 22 timed out",
                NoConnection,
            ),
            ("Timeout, server vps.example not responding.", NoConnection),
            (
                "/home/me/.ssh/config: line 2: Bad configuration option: foo\n/home/me/.ssh/config: terminating, 1 bad configuration options",
                NoConnection,
            ),
            (
                "kex_exchange_identification: read: Connection reset by peer",
                NoConnection,
            ),
            ("", NoConnection),
        ] {
            let failure = read(text);
            assert_eq!(failure.trouble, trouble, "{text}");
            assert!(
                !failure.what.is_empty() && !failure.remedy.is_empty(),
                "{text}"
            );
            assert!(failure.what.len() < 120, "{}", failure.what);
        }
    }

    #[test]
    fn d3_the_remedies_name_the_command() {
        let changed = read(
            "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n  remove with:\n  ssh-keygen -f \"/root/.ssh/known_hosts\" -R \"[vps.example]:2222\"\n",
        );
        assert!(
            changed
                .remedy
                .contains("ssh-keygen -f \"/root/.ssh/known_hosts\" -R")
        );
        let bare = read("REMOTE HOST IDENTIFICATION HAS CHANGED");
        assert!(
            bare.remedy.contains("ssh-keygen -R '[vps.example]:2222'"),
            "{}",
            bare.remedy
        );
        assert!(
            read("Host key verification failed.")
                .remedy
                .contains("ssh -p 2222 deploy@vps.example")
        );
    }

    #[test]
    fn d6_a_jump_host_is_told_from_the_host_behind_it() {
        let closed = "kex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535";
        for (text, what) in [
            (
                format!("ssh: connect to host 10.0.0.9 port 9: Connection refused\n{closed}"),
                "the jump host 10.0.0.9 port 9 refuses the connection",
            ),
            (
                format!("ssh: Could not resolve hostname gate.lan: Name or service not known\n{closed}"),
                "the name gate.lan does not resolve",
            ),
            (
                format!("channel 0: open failed: connect failed: Connection refused\nstdio forwarding failed\n{closed}"),
                "vps.example port 2222 refuses the connection",
            ),
            (
                "Connection timed out during banner exchange\nConnection to UNKNOWN port 65535 timed out".to_owned(),
                "vps.example port 2222 does not answer",
            ),
        ] {
            assert_eq!(read(&text).what, what);
        }
        let silent = read(
            "Connection timed out during banner exchange\nConnection to UNKNOWN port 65535 timed out",
        );
        assert!(silent.remedy.contains("jump host"), "{silent}");
    }

    #[test]
    fn d12_the_url_of_a_check_is_told() {
        let line = "# To authenticate, visit: https://login.tailscale.com/a/1dd5c8f2";
        let failure = waiting(line, &destination()).map(|failure| failure.remedy);
        assert_eq!(
            failure.as_deref(),
            Some("open https://login.tailscale.com/a/1dd5c8f2")
        );
        assert_eq!(
            waiting(
                "# Tailscale SSH requires an additional check.",
                &destination()
            ),
            None
        );
    }

    #[test]
    fn e1_foreign_words_cannot_steer_the_screen() {
        let failure = read("\u{1b}[2Jgo away\u{202e}");
        assert!(failure.what.contains("^[[2Jgo away?"), "{}", failure.what);
    }
}
