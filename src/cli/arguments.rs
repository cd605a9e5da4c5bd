//! The command line as types.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::act::{ActArguments, GoArguments};
use super::jobs::JobsCommand;
use crate::adapters::config::is_host_name;
use crate::core::host::{Address, HostSpec};
use crate::core::settings::Glyphs;

/// A console for docker compose services on your own machines.
///
/// Without a command the console opens. Hosts come from the configuration and from -H; with neither, the engine of
/// this machine is shown, if there is one.
#[derive(Debug, Parser)]
#[command(name = "homelab-tui", version, max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    pub general: General,

    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What goes with every command.
#[derive(Debug, Args)]
pub struct General {
    /// Read this configuration file
    #[arg(
        short = 'c',
        long = "config",
        value_name = "FILE",
        global = true,
        env = "HOMELAB_TUI_CONFIG",
        hide_env_values = true
    )]
    pub config: Option<PathBuf>,

    /// Add a host, or give another address to one of the configuration; can be repeated
    #[arg(short = 'H', long = "host", value_name = "NAME=ADDRESS", global = true)]
    pub hosts: Vec<HostArgument>,

    /// Change nothing anywhere
    #[arg(long, global = true)]
    pub read_only: bool,

    /// Show an invented fleet; nothing is contacted
    #[arg(long, global = true)]
    pub demo: bool,

    /// Begin with the view for a screen on the wall, and return to it a minute after the last key
    #[arg(long, global = true)]
    pub wall: bool,

    /// Draw in these colours; `homelab-tui themes` lists them
    #[arg(long, value_name = "NAME", global = true)]
    pub theme: Option<String>,

    /// Draw with these characters
    #[arg(long, value_name = "SET", global = true)]
    pub glyphs: Option<GlyphsArgument>,

    /// Draw in plain ASCII, as --glyphs ascii does
    #[arg(long, global = true, conflicts_with = "glyphs")]
    pub ascii: bool,

    /// Write the log to this file
    #[arg(long, value_name = "FILE", global = true)]
    pub log: Option<PathBuf>,
}

impl General {
    /// Returns the glyphs that the flags choose.
    pub fn glyphs(&self) -> Option<Glyphs> {
        if self.ascii {
            return Some(Glyphs::Ascii);
        }
        self.glyphs.map(|glyphs| match glyphs {
            GlyphsArgument::Auto => Glyphs::Auto,
            GlyphsArgument::Unicode => Glyphs::Unicode,
            GlyphsArgument::Console => Glyphs::Console,
            GlyphsArgument::Ascii => Glyphs::Ascii,
        })
    }
}

/// A set of characters to draw with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GlyphsArgument {
    Auto,
    Unicode,
    Console,
    Ascii,
}

/// A host given as `NAME=ADDRESS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostArgument(pub HostSpec);

impl FromStr for HostArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, address) = text
            .split_once('=')
            .ok_or("expected NAME=ADDRESS, such as vps=ssh://deploy@vps.example")?;
        if !is_host_name(name) {
            return Err(format!(
                "{name:?} cannot name a host: expected letters, digits, `.`, `_` and `-`"
            ));
        }
        let address: Address = address
            .parse()
            .map_err(|error: crate::core::host::BadAddress| error.to_string())?;
        Ok(Self(HostSpec::new(name.into(), address)))
    }
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Observe the whole fleet once and say how everything stands
    Status {
        /// HOST, HOST/PROJECT or HOST/PROJECT/SERVICE
        target: Option<String>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
        /// End with 3 if something is neither current nor local, with 4 if something is unknown
        #[arg(long)]
        exit_code: bool,
    },
    /// Say what a pull of a service would really fetch, layer by layer
    Layers {
        /// HOST/PROJECT/SERVICE, or less where that is one service
        target: String,
        /// Another image than the followed tag's: a tag, a digest, a revision, `previous` or a whole reference
        #[arg(long, value_name = "REF")]
        to: Option<String>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// List what a service could go to: tags, images on its host, former runs
    Tags {
        /// HOST/PROJECT/SERVICE, or less where that is one service
        target: String,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Fetch what the tag names; nothing is recreated
    Pull(ActArguments),
    /// Recreate with what the host holds
    Recreate(ActArguments),
    /// Pull, recreate if the image differs, prove it, or put the former image back
    Update(ActArguments),
    /// Go back to another image, pinned where that can hold
    Rollback(GoArguments),
    /// Hold a service at an image
    Pin(GoArguments),
    /// Let a service follow its tag again
    Unpin(ActArguments),
    /// Keep another image on the host, fetched if need be, so that it stays when the registry lets it go
    Keep(GoArguments),
    /// List jobs that run on the hosts, and those that ended
    #[command(args_conflicts_with_subcommands = true)]
    Jobs {
        /// Follow one of them
        #[command(subcommand)]
        follow: Option<JobsCommand>,
        /// The host; without it all
        host: Option<String>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Tell what was done to services and what was seen to happen to them
    History {
        /// HOST, HOST/PROJECT or HOST/PROJECT/SERVICE
        target: Option<String>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Browse a private registry: repositories, tags, what is newest, who runs it
    Registry {
        /// HOST or HOST/REPOSITORY, as references spell it
        #[arg(value_name = "HOST[/REPOSITORY]")]
        registry: String,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Try every link from here to a verdict, and say what to do where one is broken
    Doctor {
        /// The host; without it all
        host: Option<String>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// List hosts that ssh's configuration, docker's contexts and the tailnet know; nothing is contacted
    Discover {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Read, check and explain the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Show cache statistics of the configured sources of builds
    Builds(BuildsArguments),
    /// Stand before this machine's engine as a forced command of ssh: who comes can look and change nothing
    #[command(args_conflicts_with_subcommands = true)]
    Gate {
        /// The engine's socket, where it is not DOCKER_HOST's or the usual one
        #[arg(long, value_name = "PATH")]
        socket: Option<PathBuf>,
        #[command(subcommand)]
        command: Option<GateCommand>,
    },
    /// List the themes
    Themes,
    /// List the console's keys and commands
    Keys,
    /// Print completions for a shell
    Completions {
        /// The shell to complete in
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// What can be done with the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum ConfigCommand {
    /// Name every mistake in the configuration with its place and what would be right
    Check,
    /// Print where the configuration is read from
    Path,
    /// Print a commented example
    Example,
    /// Print the JSON schema, for editors
    Schema,
}

/// Which builds are told of.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BuildsArguments {
    /// A source of the configuration, or what is built; without it all
    pub name: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,

    #[command(subcommand)]
    pub command: Option<BuildsCommand>,
}

/// What can be done about gates.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum GateCommand {
    /// Print what to put where so that a key can only look; changes nothing
    Install {
        /// A host of the configuration, or ssh://USER@HOST
        host: String,
        /// The public key that will be let in
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
}

/// What can be done with build logs.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum BuildsCommand {
    /// Read build logs: what hit the cache, what missed first and what that cost
    Parse {
        /// The logs, `-` for standard input
        #[arg(value_name = "FILE", default_value = "-")]
        files: Vec<PathBuf>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn general_flags_stand_before_and_behind_the_command() {
        for line in [
            ["x", "-H", "a=local", "--ascii", "keys"],
            ["x", "keys", "-H", "a=local", "--ascii"],
        ] {
            let arguments = Arguments::try_parse_from(line).unwrap();
            assert_eq!(arguments.general.hosts[0].0.name.as_str(), "a");
            assert_eq!(arguments.general.glyphs(), Some(Glyphs::Ascii));
        }
    }

    #[test]
    fn wrong_hosts_are_wrong_usage() {
        for host in [
            "a",
            "a=",
            "=local",
            "a/b=local",
            "-x=local",
            "a=vps",
            "a=tcp://x",
        ] {
            let error = Arguments::try_parse_from(["x", &format!("-H{host}"), "keys"]).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{host}");
        }
        assert!("vps=ssh://a=b@c".parse::<HostArgument>().is_ok());
    }
}
