//! `gate`: the forced command that lets others look at this machine's engine, and what to put where for it.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::timeout;

use super::arguments::{GateCommand, General};
use super::exit::Exit;
use super::output::{Failed, Output};
use super::setup;
use crate::adapters::gate::{Patience, decline, serve, take_slot};
use crate::adapters::paths::Paths;
use crate::core::host::Address;

/// Where the engine listens if nobody says otherwise.
const USUAL: &str = "/var/run/docker.sock";
const CONNECT: Duration = Duration::from_secs(10);
/// The longest file that is taken for a public key.
const MOST_KEY: u64 = 16 * 1024;

/// Carries out the command.
pub fn run(
    socket: Option<&Path>,
    command: Option<&GateCommand>,
    general: &General,
    paths: &Paths,
    output: &mut Output<'_>,
) -> Result<Exit, Failed> {
    match command {
        Some(GateCommand::Install { host, key }) => install(host, key, general, paths, output),
        None => stand(socket, output),
    }
}

/// Stands before the engine until the client goes.
fn stand(socket: Option<&Path>, output: &mut Output<'_>) -> Result<Exit, Failed> {
    let socket = match engine_socket(socket, std::env::var("DOCKER_HOST").ok().as_deref()) {
        Ok(socket) => socket,
        Err(why) => {
            output.say(why);
            return Ok(Exit::Usage);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return Ok(failed(output, format!("cannot start: {error}"))),
    };
    let done = runtime.block_on(pass(&socket));
    // A read of standard input that still waits must not hold the end up.
    runtime.shutdown_background();
    Ok(match done {
        Ok(()) => Exit::Done,
        Err(why) => failed(output, why),
    })
}

fn failed(output: &mut Output<'_>, why: impl Display) -> Exit {
    output.say(why);
    Exit::Broken
}

async fn pass(socket: &Path) -> Result<(), String> {
    let user = rustix::process::getuid().as_raw();
    let Some(_slot) = take_slot(&user.to_string()) else {
        let why = "too many gates of this user are open; try again later";
        // Whoever asks hears it as an answer, the log of sshd as words.
        let _ = decline(tokio::io::stdout(), why).await;
        return Err(why.to_owned());
    };
    let shown = socket.display();
    let engine = match timeout(CONNECT, UnixStream::connect(socket)).await {
        Ok(Ok(engine)) => engine,
        Ok(Err(error)) => {
            let why = match error.kind() {
                io::ErrorKind::NotFound => "no such file or directory".to_owned(),
                io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
                io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
                _ => error.to_string(),
            };
            // Worded as docker words it, for whoever reads the reason on the other side.
            return Err(format!(
                "cannot reach the engine: dial unix {shown}: connect: {why}"
            ));
        }
        Err(_) => {
            return Err(format!(
                "cannot reach the engine: {shown} accepts nobody for {} s",
                CONNECT.as_secs()
            ));
        }
    };
    let (client, out) = (tokio::io::stdin(), tokio::io::stdout());
    match serve(client, out, engine, Patience::default()).await {
        // The client's own end is no failure of the gate.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(format!("the stream ended early: {error}")),
        Ok(()) => Ok(()),
    }
}

/// Finds the engine's socket: as told, else by DOCKER_HOST, else the usual one.
fn engine_socket(told: Option<&Path>, environment: Option<&str>) -> Result<PathBuf, String> {
    if let Some(socket) = told {
        return Ok(socket.to_owned());
    }
    match environment.filter(|host| !host.is_empty()) {
        None => Ok(PathBuf::from(USUAL)),
        Some(host) => match host.strip_prefix("unix://") {
            Some(path) if path.starts_with('/') => Ok(PathBuf::from(path)),
            _ => Err(format!(
                "the gate stands before a socket of this machine, and DOCKER_HOST={host} names none; try --socket PATH"
            )),
        },
    }
}

/// Prints what to put where; contacts nobody and changes nothing.
fn install(
    host: &str,
    key: &Path,
    general: &General,
    paths: &Paths,
    output: &mut Output<'_>,
) -> Result<Exit, Failed> {
    let public = match public_key(key) {
        Ok(public) => public,
        Err(why) => {
            output.say(why);
            return Ok(Exit::Usage);
        }
    };
    let address = match address_of(host, general, paths) {
        Ok(address) => address,
        Err(why) => {
            output.say(why);
            return Ok(Exit::Usage);
        }
    };
    let Address::Ssh {
        user,
        destination: name,
        port,
    } = &address
    else {
        output.say(format!(
            "{host} is reached as {address}; a gate stands behind ssh, so give an ssh:// address or a host that has one"
        ));
        return Ok(Exit::Usage);
    };
    let login = match user {
        Some(user) => format!("{user}@{name}"),
        None => name.clone(),
    };
    let (ssh_port, scp_port) = match port {
        Some(port) => (format!(" -p {port}"), format!(" -P {port}")),
        None => (String::new(), String::new()),
    };
    let alias = format!("{}-gate", if host.contains("://") { name } else { host });
    let identity = key.display().to_string();
    let identity = identity.strip_suffix(".pub").unwrap_or(&identity);
    output.text(&format!(
        "# Nothing has been changed. For {login}, by hand, in this order:

# 1. the program on the host (of the host's own kind of processor; a package does it as well)
scp{scp_port} \"$(command -v homelab-tui)\" {login}:homelab-tui
ssh{ssh_port} {login} sudo install -m 755 homelab-tui /usr/local/bin/homelab-tui

# 2. this line at the end of ~/.ssh/authorized_keys there, for a user who may use docker
restrict,command=\"homelab-tui gate\" {public}

# 3. here, in ~/.ssh/config, so that this key and no other is offered
Host {alias}
    HostName {name}
{}{}    IdentityFile {identity}
    IdentitiesOnly yes

# 4. in homelab-tui's configuration
hosts:
  - {{name: {}, address: \"ssh://{alias}\"}}

# 5. the proof: the first answers, the second is refused
DOCKER_HOST=ssh://{alias} docker ps
DOCKER_HOST=ssh://{alias} docker run --rm hello-world
",
        user.as_ref()
            .map_or_else(String::new, |user| format!("    User {user}\n")),
        port.map_or_else(String::new, |port| format!("    Port {port}\n")),
        if host.contains("://") { name } else { host },
    ))?;
    Ok(Exit::Done)
}

/// Returns the address of a host of the configuration, or the one that was given.
fn address_of(host: &str, general: &General, paths: &Paths) -> Result<Address, String> {
    if let Ok(address) = host.parse() {
        return Ok(address);
    }
    let setup = setup::setup(general, paths).map_err(|error| error.to_string())?;
    let hosts = &setup.settings.hosts;
    let known = hosts.iter().find(|spec| spec.name.as_str() == host);
    if let Some(spec) = known {
        return Ok(spec.address.clone());
    }
    format!("ssh://{host}").parse().map_err(|_| {
        format!("no host is named {host:?}; give a name of the configuration or ssh://USER@HOST")
    })
}

/// Reads a public key: the type and the key, as they stand in `authorized_keys`.
fn public_key(file: &Path) -> Result<String, String> {
    let shown = file.display();
    let mut text = String::new();
    File::open(file)
        .and_then(|file| file.take(MOST_KEY).read_to_string(&mut text))
        .map_err(|error| format!("cannot read {shown}: {error}"))?;
    if text.contains("PRIVATE KEY") {
        return Err(format!(
            "{shown} is a private key, which stays where it is; give {shown}.pub"
        ));
    }
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let (line, more) = (lines.next().unwrap_or_default().trim(), lines.next());
    let kind = line.split(' ').next().unwrap_or_default();
    let known = kind.starts_with("ssh-") || kind.starts_with("ecdsa-") || kind.starts_with("sk-");
    let plain = line.chars().all(|char| !char.is_control()) && !line.contains('"');
    match known && plain && more.is_none() && line.split(' ').nth(1).is_some_and(is_base64) {
        true => Ok(line.to_owned()),
        false => Err(format!(
            "{shown} is no public key; `ssh-keygen -t ed25519 -f FILE` makes FILE and FILE.pub"
        )),
    }
}

fn is_base64(text: &str) -> bool {
    text.len() > 30
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn the_engine_s_socket_is_told_or_by_environment_or_the_usual_one() {
        let socket = |told: Option<&str>, environment| {
            engine_socket(told.map(Path::new), environment).map(|path| path.display().to_string())
        };
        assert_eq!(socket(Some("/a"), Some("unix:///b")).unwrap(), "/a");
        assert_eq!(socket(None, Some("unix:///b")).unwrap(), "/b");
        assert_eq!(socket(None, Some("")).unwrap(), USUAL);
        assert_eq!(socket(None, None).unwrap(), USUAL);
        for other in ["tcp://127.0.0.1:2375", "ssh://x", "unix://relative", "/b"] {
            assert!(socket(None, Some(other)).unwrap_err().contains(other));
        }
    }
}
