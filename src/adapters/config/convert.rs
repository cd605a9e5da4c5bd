//! Checked values made into settings, with the checks that need more than one value: names that are taken,
//! names that must exist, keys that exclude each other.

use std::collections::BTreeMap;
use std::path::Path;

use super::check::{Fields, Named};
use super::forms;
use super::keys::BUILD;
use super::problem::{Problems, quoted};
use super::tree::Place;
use crate::core::host::{Address, HostSpec};
use crate::core::names::{HostName, RegistryHost};
use crate::core::nearest::nearest;
use crate::core::settings::{
    BuildOrigin, BuildSource, DeploySource, EnvironmentRule, Glyphs, Refresh, RegistrySpec,
    RollbackSettings, Settings, SshSettings, TailscaleSettings,
};

/// What the rest of the program knows by name, so that the file can be checked against it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Vocabulary<'a> {
    /// Commands that keys can be given to; empty where that is not checked.
    pub commands: &'a [&'a str],
    /// Built-in and own themes; empty where that is not checked.
    pub themes: &'a [String],
    /// Says what is wrong with the name of a key.
    pub bad_key: Option<fn(&str) -> Option<String>>,
}

/// Where paths of the file begin.
#[derive(Debug, Clone, Copy, Default)]
pub struct Base<'a> {
    /// The file's own folder, for relative paths.
    pub folder: Option<&'a Path>,
    pub home: Option<&'a Path>,
}

/// Makes the settings out of checked values; what cannot stand is noted and left out.
pub struct Converter<'a> {
    pub extra_hosts: &'a [HostSpec],
    pub vocabulary: Vocabulary<'a>,
    pub base: Base<'a>,
    pub problems: &'a mut Problems,
}

impl Converter<'_> {
    /// Converts the whole configuration.
    pub fn settings(&mut self, root: &Fields) -> Settings {
        let usual = Settings::default();
        let hosts = self.hosts(root.list("hosts"));
        let names: Vec<HostName> = hosts.iter().map(|host| host.name.clone()).collect();
        let ssh = root.map("ssh");
        let tailscale = root.map("tailscale");
        let refresh = root.map("refresh");
        let rollback = root.map("rollback");
        Settings {
            registries: self.registries(root.list("registries"), &names),
            environments: root.list("environments").iter().filter_map(rule).collect(),
            order: root.texts("order").unwrap_or_default(),
            builds: self.builds(root.list("builds"), &names),
            ssh: SshSettings {
                config_file: self.local(&ssh, "config_file"),
                connect_timeout: ssh
                    .length("connect_timeout")
                    .unwrap_or(usual.ssh.connect_timeout),
            },
            tailscale: TailscaleSettings {
                socket: self.local(&tailscale, "socket"),
                command: tailscale
                    .owned("command")
                    .unwrap_or(usual.tailscale.command),
            },
            refresh: Refresh {
                hosts: refresh.length("hosts").unwrap_or(usual.refresh.hosts),
                registry: refresh.length("registry").unwrap_or(usual.refresh.registry),
            },
            rollback: RollbackSettings {
                keep: rollback
                    .number("keep")
                    .and_then(|keep| usize::try_from(keep).ok())
                    .unwrap_or(usual.rollback.keep),
                settle: rollback.length("settle").unwrap_or(usual.rollback.settle),
                timeout: rollback.length("timeout").unwrap_or(usual.rollback.timeout),
            },
            theme: self.theme(root).unwrap_or(usual.theme),
            glyphs: root.text("glyphs").and_then(glyphs).unwrap_or(usual.glyphs),
            mouse: root.flag("mouse").unwrap_or(usual.mouse),
            keys: self.keys(root),
            read_only: false,
            wall: false,
            hosts,
        }
    }

    fn hosts(&mut self, entries: &[Fields]) -> Vec<HostSpec> {
        let mut hosts: Vec<HostSpec> = Vec::new();
        let mut places: Vec<Place> = Vec::new();
        for entry in entries {
            let Some(host) = host(entry) else { continue };
            match hosts.iter().position(|known| known.name == host.name) {
                Some(index) => self.problems.note(
                    entry.place_of("name"),
                    format!("the host {} is given twice", quoted(host.name.as_str())),
                    format!(
                        "give it another name; the first is on line {}",
                        places[index].line
                    ),
                ),
                None => {
                    hosts.push(host);
                    places.push(entry.place_of("name"));
                }
            }
        }
        for extra in self.extra_hosts {
            match hosts.iter_mut().find(|host| host.name == extra.name) {
                // What protects a name stays with it; how docker is called belongs to the machine.
                Some(host) => {
                    *host = HostSpec {
                        environment: host.environment.take(),
                        protect: host.protect,
                        read_only: host.read_only,
                        ..extra.clone()
                    }
                }
                None => hosts.push(extra.clone()),
            }
        }
        hosts
    }

    fn registries(&mut self, entries: &[Fields], hosts: &[HostName]) -> Vec<RegistrySpec> {
        let mut registries: Vec<RegistrySpec> = Vec::new();
        for entry in entries {
            let Some(host) = entry.text("host").map(RegistryHost::from) else {
                continue;
            };
            let plain_http = entry.flag("plain_http").unwrap_or(false);
            let with_tls = ["ca_file", "fingerprint"]
                .into_iter()
                .find(|name| entry.has(name));
            if let (true, Some(name)) = (plain_http, with_tls) {
                self.problems.note(
                    entry.place_of(name),
                    format!("`{name}` together with `plain_http: true`"),
                    "keep one: plain http has no certificate",
                );
                continue;
            }
            if registries.iter().any(|known| known.host == host) {
                self.problems.note(
                    entry.place_of("host"),
                    format!("the registry {} is given twice", quoted(host.as_str())),
                    "keep one",
                );
                continue;
            }
            let Ok(via) = self.via(entry, hosts) else {
                continue;
            };
            registries.push(RegistrySpec {
                host,
                plain_http,
                ca_file: self.local(entry, "ca_file"),
                fingerprint: entry.text("fingerprint").and_then(forms::fingerprint),
                via,
            });
        }
        registries
    }

    fn builds(&mut self, entries: &[Fields], hosts: &[HostName]) -> Vec<BuildSource> {
        let mut builds: Vec<BuildSource> = Vec::new();
        for entry in entries {
            let Some(name) = entry.owned("name") else {
                continue;
            };
            if builds.iter().any(|known| known.name == name) {
                self.problems.note(
                    entry.place_of("name"),
                    format!("the build source {} is given twice", quoted(&name)),
                    "give it another name",
                );
                continue;
            }
            let Some(from) = self.origin(entry, hosts) else {
                continue;
            };
            builds.push(BuildSource {
                name,
                image: entry.owned("image"),
                from,
                deploys: entry.list("deploys").iter().filter_map(deploy).collect(),
            });
        }
        builds
    }

    fn origin(&mut self, entry: &Fields, hosts: &[HostName]) -> Option<BuildOrigin> {
        let host = self.build_host(entry, hosts);
        let mut kinds = BUILD.exactly_one.iter().copied();
        let kind = kinds.find(|name| entry.has(name))?;
        if host.is_some() && !matches!(kind, "file" | "command") {
            self.problems.note(
                entry.place_of("host"),
                format!("`host` beside `{kind}`"),
                "`host` belongs to `file` and `command`; remove it",
            );
            return None;
        }
        match kind {
            "github" => {
                let github = entry.map("github");
                Some(BuildOrigin::GitHub {
                    repository: github.owned("repository")?,
                    workflow: github.owned("workflow"),
                    api: github.owned("api"),
                    token_env: github.owned("token_env"),
                })
            }
            "buildx" => {
                let host = self.build_host(&entry.map("buildx"), hosts)?;
                Some(BuildOrigin::Buildx { host })
            }
            "command" => {
                let argv = entry.texts("command")?;
                Some(BuildOrigin::Command { argv, host })
            }
            "file" => {
                let pattern = match host {
                    Some(_) => entry.owned("file"),
                    None => self.local(entry, "file"),
                };
                let pattern = pattern?;
                Some(BuildOrigin::File { pattern, host })
            }
            // A key that is allowed and not read here must not vanish without a word.
            other => {
                self.problems.note(
                    entry.place_of(other),
                    format!("`{other}` is a source that this version cannot read"),
                    "remove the entry, and report it",
                );
                None
            }
        }
    }

    /// Returns the host that a build source names; it is warned where there is none of that name.
    ///
    /// The source is kept: it may be there when another start gives that host on the command line.
    fn build_host(&mut self, entry: &Fields, hosts: &[HostName]) -> Option<HostName> {
        let name = HostName::from(entry.text("host")?);
        if let Some((what, right)) = unknown_host(&name, "host", hosts) {
            self.problems.warn(entry.place_of("host"), what, right);
        }
        Some(name)
    }

    /// Returns the host that a registry is asked through; an error where there is no such host.
    fn via(&mut self, entry: &Fields, hosts: &[HostName]) -> Result<Option<HostName>, ()> {
        let Some(name) = entry.text("via").map(HostName::from) else {
            return Ok(None);
        };
        match unknown_host(&name, "via", hosts) {
            None => Ok(Some(name)),
            Some((what, right)) => {
                self.problems.note(entry.place_of("via"), what, right);
                Err(())
            }
        }
    }

    fn theme(&mut self, root: &Fields) -> Option<String> {
        let theme = root.text("theme")?;
        let themes = self.vocabulary.themes;
        if themes.is_empty() || themes.iter().any(|known| known == theme) {
            return Some(theme.to_owned());
        }
        let right = match nearest(theme, themes.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("expected one of {}", themes.join(", ")),
        };
        let what = format!("there is no theme {}", quoted(theme));
        self.problems.note(root.place_of("theme"), what, right);
        None
    }

    fn keys(&mut self, root: &Fields) -> BTreeMap<String, Vec<String>> {
        let mut found = BTreeMap::new();
        for Named {
            place,
            name: command,
            texts: keys,
        } in root.by_name("keys")
        {
            let commands = self.vocabulary.commands;
            if !commands.is_empty() && !commands.contains(&command.as_str()) {
                let right = match nearest(command, commands.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "`homelab-tui keys` lists the commands".to_owned(),
                };
                let what = format!("there is no command {}", quoted(command));
                // A file may be shared with another version, which has it.
                self.problems.warn(*place, what, right);
                continue;
            }
            let mut good = Vec::new();
            for (place, key) in keys {
                match self.vocabulary.bad_key.and_then(|bad| bad(key)) {
                    Some(right) => {
                        let what = format!("there is no key {}", quoted(key));
                        self.problems.note(*place, what, right);
                    }
                    None => good.push(key.clone()),
                }
            }
            // A command whose keys are all wrong keeps its usual ones.
            if !good.is_empty() || keys.is_empty() {
                found.insert(command.clone(), good);
            }
        }
        found
    }

    /// Returns a path of this machine, `~` and relative ones resolved.
    fn local(&self, entry: &Fields, key: &str) -> Option<String> {
        let text = entry.text(key)?;
        let from = |folder: Option<&Path>, rest: &str| {
            folder.map(|folder| folder.join(rest).to_string_lossy().into_owned())
        };
        let resolved = match text.strip_prefix("~/") {
            Some(rest) => from(self.base.home, rest),
            None if text.starts_with('/') => None,
            None => from(self.base.folder, text),
        };
        Some(resolved.unwrap_or_else(|| text.to_owned()))
    }
}

/// Says what is wrong with the name of a host that is not configured, and what would be right.
fn unknown_host(name: &HostName, key: &str, hosts: &[HostName]) -> Option<(String, String)> {
    if hosts.contains(name) {
        return None;
    }
    let names = || hosts.iter().map(HostName::as_str);
    let right = match nearest(name.as_str(), names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if hosts.is_empty() => "add that host under `hosts`".to_owned(),
        None => {
            let names: Vec<_> = names().collect();
            format!("expected a host under `hosts`: {}", names.join(", "))
        }
    };
    let name = quoted(name.as_str());
    let what = format!("`{key}` names the host {name}, which is not configured");
    Some((what, right))
}

fn host(entry: &Fields) -> Option<HostSpec> {
    let address: Address = entry.text("address")?.parse().ok()?;
    let mut host = HostSpec::new(entry.text("name")?.into(), address);
    host.environment = entry.owned("environment");
    host.protect = entry.flag("protect").unwrap_or(false);
    host.read_only = entry.flag("read_only").unwrap_or(false);
    let docker = entry.map("docker");
    if let Some(command) = docker.texts("command") {
        host.docker_command = command;
    }
    host.socket = docker.owned("socket");
    Some(host)
}

fn rule(entry: &Fields) -> Option<EnvironmentRule> {
    Some(EnvironmentRule {
        pattern: entry.owned("match")?,
        name: entry.owned("name")?,
        protect: entry.flag("protect"),
    })
}

fn deploy(entry: &Fields) -> Option<DeploySource> {
    Some(DeploySource {
        repository: entry.owned("repository"),
        workflow: entry.owned("workflow")?,
    })
}

fn glyphs(word: &str) -> Option<Glyphs> {
    Some(match word {
        "auto" => Glyphs::Auto,
        "unicode" => Glyphs::Unicode,
        "console" => Glyphs::Console,
        "ascii" => Glyphs::Ascii,
        _ => return None,
    })
}
