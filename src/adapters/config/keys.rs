//! The table of configuration keys: the one place from which the reader, its messages, the example, the schema
//! and the README's reference are made.

use super::forms::Form;

/// One key of a map.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    pub name: &'static str,
    pub kind: Kind,
    pub need: Need,
    /// What the key is for, one sentence without its period.
    pub doc: &'static str,
    /// YAML that shows the key in use, for keys whose default is empty.
    pub example: &'static str,
}

/// What happens where a key is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The entry cannot stand without it.
    Required,
    /// This value holds, in YAML.
    Default(&'static str),
    /// Nothing is said by it.
    Optional,
}

/// What a key's value is.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Text(Form),
    Flag,
    Number {
        least: u64,
        most: u64,
    },
    /// A length of time.
    Length,
    OneOf(&'static [&'static str]),
    /// A command: a list of its words, or a text split at spaces.
    Words,
    /// A list of texts.
    Texts(Form),
    Map(&'static Shape),
    List(&'static Shape),
    /// A map from free names to one text or a list of texts.
    TextsByName,
}

/// The keys of a map.
#[derive(Debug)]
pub struct Shape {
    /// What one such map is called in messages.
    pub noun: &'static str,
    pub keys: &'static [Key],
    /// Keys of which exactly one must be given, where there are such.
    pub exactly_one: &'static [&'static str],
}

impl Shape {
    /// Returns the key of that name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// Returns the names of all keys.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.name)
    }
}

impl Kind {
    /// Returns the word of the reference's type column.
    pub fn word(self) -> String {
        match self {
            Self::Text(form) => form.word().to_owned(),
            Self::Flag => "true or false".to_owned(),
            Self::Number { .. } => "number".to_owned(),
            Self::Length => "duration".to_owned(),
            Self::OneOf(words) => words.join(", "),
            Self::Words => "command".to_owned(),
            Self::Texts(form) => format!("list of {}", form.word()),
            Self::Map(_) => "map".to_owned(),
            Self::List(shape) => format!("list of {}", shape.noun),
            Self::TextsByName => "map to text or list".to_owned(),
        }
    }

    /// Returns what is wanted, fit for "expected …".
    pub fn wanted(self) -> String {
        match self {
            Self::Text(form) => form.wanted().to_owned(),
            Self::Flag => "true or false".to_owned(),
            Self::Number { least, most } => format!("a whole number from {least} to {most}"),
            Self::Length => "a duration such as 10s, 30m or 2h".to_owned(),
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
            Self::Words => "a command as a list of words, such as [sudo, docker]".to_owned(),
            Self::Texts(form) => format!("a list, each entry {}", form.wanted()),
            Self::Map(shape) => format!("a map with the keys {}", join(shape)),
            Self::List(shape) => format!("a list, each entry a map with the keys {}", join(shape)),
            Self::TextsByName => "a map such as {refresh: f5, quit: [q, ctrl-c]}".to_owned(),
        }
    }
}

fn join(shape: &Shape) -> String {
    shape.names().collect::<Vec<_>>().join(", ")
}

const fn key(name: &'static str, kind: Kind, need: Need, doc: &'static str) -> Key {
    Key {
        name,
        kind,
        need,
        doc,
        example: "",
    }
}

const fn shown(
    name: &'static str,
    kind: Kind,
    need: Need,
    doc: &'static str,
    example: &'static str,
) -> Key {
    Key {
        name,
        kind,
        need,
        doc,
        example,
    }
}

const fn shape(noun: &'static str, keys: &'static [Key]) -> Shape {
    Shape {
        noun,
        keys,
        exactly_one: &[],
    }
}

use Kind::{Flag, Length, List, Map, Number, OneOf, Text, Texts, TextsByName, Words};
use Need::{Default, Optional, Required};

/// The whole configuration.
pub static ROOT: Shape = shape(
    "configuration",
    &[
        shown(
            "hosts",
            List(&HOST),
            Default("[]"),
            "The machines of the fleet",
            HOSTS_EXAMPLE,
        ),
        shown(
            "registries",
            List(&REGISTRY),
            Default("[]"),
            "Registries that are spoken to in another way than https with public certificates; \
             credentials come from docker's own configuration",
            REGISTRIES_EXAMPLE,
        ),
        shown(
            "environments",
            List(&ENVIRONMENT),
            Default("[]"),
            "Rules that name the environment of services, the first match wins; without one it is told from file, \
             folder, project and service names, else from the host",
            ENVIRONMENTS_EXAMPLE,
        ),
        shown(
            "order",
            Texts(Form::Free),
            Default("[]"),
            "The order in which projects are acted on where dependency does not say it",
            "[networking, blog, travel]",
        ),
        shown(
            "builds",
            List(&BUILD),
            Default("[]"),
            "Where build logs come from",
            BUILDS_EXAMPLE,
        ),
        key(
            "ssh",
            Map(&SSH),
            Default("{}"),
            "How hosts are reached by ssh",
        ),
        key(
            "tailscale",
            Map(&TAILSCALE),
            Default("{}"),
            "How the tailnet is asked, where there is one",
        ),
        key(
            "refresh",
            Map(&REFRESH),
            Default("{}"),
            "How often things are looked at again without cause; on hosts, events are the source",
        ),
        key(
            "rollback",
            Map(&ROLLBACK),
            Default("{}"),
            "How ways back are kept and waited for",
        ),
        key(
            "theme",
            Text(Form::Free),
            Default("dusk"),
            "The colours: a built-in theme, or a file of the themes folder beside this file",
        ),
        key(
            "glyphs",
            OneOf(&["auto", "unicode", "console", "ascii"]),
            Default("auto"),
            "The characters that the screen may use",
        ),
        key("mouse", Flag, Default("false"), "Whether the mouse is used"),
        shown(
            "keys",
            TextsByName,
            Default("{}"),
            "Keys by command, instead of the usual ones; `homelab-tui keys` lists both",
            "refresh: [\"R\", \"f5\"]\nquit: \"q\"",
        ),
    ],
);

static HOST: Shape = shape(
    "host",
    &[
        key(
            "name",
            Text(Form::HostName),
            Required,
            "The name on screen and in targets",
        ),
        key(
            "address",
            Text(Form::Address),
            Required,
            "`local`, `unix:///path`, `tcp://host:port`, or `ssh://[user@]host[:port]`, where the host may be an alias of \
             your ssh config",
        ),
        key(
            "environment",
            Text(Form::Free),
            Optional,
            "The environment (dev, staging, prod …) of its services where nothing nearer tells it",
        ),
        key(
            "protect",
            Flag,
            Default("false"),
            "Whether actions are confirmed by typing the service's name",
        ),
        key(
            "read_only",
            Flag,
            Default("false"),
            "Whether nothing may be changed there",
        ),
        key(
            "docker",
            Map(&DOCKER),
            Default("{}"),
            "How docker is called on that host",
        ),
    ],
);

const HOSTS_EXAMPLE: &str = "\
- name: vps
  address: ssh://deploy@vps.example:22
  environment: prod
  protect: true
- name: nas
  address: ssh://nas
  read_only: true
  docker: {command: [sudo, docker], socket: /run/user/1000/docker.sock}";

static DOCKER: Shape = shape(
    "docker",
    &[
        key(
            "command",
            Words,
            Default("[docker]"),
            "The docker command, with sudo where that is needed",
        ),
        key(
            "socket",
            Text(Form::HostPath),
            Optional,
            "The engine's socket where it is not the usual one",
        ),
    ],
);

static REGISTRY: Shape = shape(
    "registry",
    &[
        key(
            "host",
            Text(Form::Registry),
            Required,
            "The registry, as image references spell it",
        ),
        key(
            "plain_http",
            Flag,
            Default("false"),
            "Whether it is spoken to without TLS",
        ),
        key(
            "ca_file",
            Text(Form::LocalPath),
            Optional,
            "A PEM file with the authority of its certificate",
        ),
        key(
            "fingerprint",
            Text(Form::Fingerprint),
            Optional,
            "The SHA-256 of its own certificate, instead of an authority",
        ),
        key(
            "via",
            Text(Form::KnownHost),
            Optional,
            "The host that it is asked through, where only that one can reach it",
        ),
    ],
);

const REGISTRIES_EXAMPLE: &str = "\
- {host: \"registry.lan:5000\", plain_http: true}
- {host: \"localhost:5000\", plain_http: true, via: vps}
- {host: own.example, ca_file: ~/ca.pem}
- {host: nas.lan, fingerprint: \"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a\"}";

static ENVIRONMENT: Shape = shape(
    "environment",
    &[
        key(
            "match",
            Text(Form::Pattern),
            Required,
            "HOST/PROJECT/SERVICE, where * stands for anything within a part",
        ),
        key("name", Text(Form::Free), Required, "The environment's name"),
        key(
            "protect",
            Flag,
            Optional,
            "Whether actions there are confirmed by typing the service's name",
        ),
    ],
);

const ENVIRONMENTS_EXAMPLE: &str = "\
- {match: \"*/staging-*/*\", name: staging}
- {match: \"vps/*/*-prod\", name: prod, protect: true}";

pub static BUILD: Shape = Shape {
    noun: "build source",
    keys: &[
        key("name", Text(Form::Free), Required, "The name on screen"),
        key(
            "image",
            Text(Form::Image),
            Optional,
            "The image that is built there",
        ),
        key(
            "github",
            Map(&GITHUB),
            Optional,
            "A workflow of GitHub Actions",
        ),
        key(
            "file",
            Text(Form::Free),
            Optional,
            "Log files, by a path in which * stands for anything",
        ),
        key(
            "command",
            Words,
            Optional,
            "A command that prints a build's log",
        ),
        key(
            "buildx",
            Map(&BUILDX),
            Optional,
            "The history of a buildx builder",
        ),
        key(
            "host",
            Text(Form::KnownHost),
            Optional,
            "The host on which `file` or `command` is, instead of this machine",
        ),
        key(
            "deploys",
            List(&DEPLOY),
            Default("[]"),
            "Workflows that deploy what was built",
        ),
    ],
    exactly_one: &["github", "file", "command", "buildx"],
};

const BUILDS_EXAMPLE: &str = "\
- name: blog
  image: ghcr.io/me/blog
  github: {repository: me/homelab, workflow: build.yml, api: \"https://api.github.com\", token_env: GITHUB_TOKEN}
  deploys:
    - {repository: me/deployments, workflow: deploy.yml}
- {name: api, image: \"registry.lan:5000/api\", file: \"/var/log/builds/api*.log\", host: vps}
- {name: tools, command: [cat, build.log]}
- {name: builder, buildx: {host: vps}}";

static GITHUB: Shape = shape(
    "github",
    &[
        key(
            "repository",
            Text(Form::Repository),
            Required,
            "The repository, OWNER/NAME",
        ),
        key(
            "workflow",
            Text(Form::Free),
            Optional,
            "The workflow's file name; without it all workflows count",
        ),
        key(
            "api",
            Text(Form::Url),
            Optional,
            "The API's address where it is not github.com's",
        ),
        key(
            "token_env",
            Text(Form::Variable),
            Optional,
            "The environment variable that holds a token",
        ),
    ],
);

static BUILDX: Shape = shape(
    "buildx",
    &[key(
        "host",
        Text(Form::KnownHost),
        Required,
        "The host whose builder is asked",
    )],
);

static DEPLOY: Shape = shape(
    "deploying workflow",
    &[
        key(
            "repository",
            Text(Form::Repository),
            Optional,
            "The repository, where it is another one",
        ),
        key(
            "workflow",
            Text(Form::Free),
            Required,
            "The workflow's file name",
        ),
    ],
);

static SSH: Shape = shape(
    "ssh",
    &[
        key(
            "config_file",
            Text(Form::LocalPath),
            Optional,
            "Another ssh config than your usual one",
        ),
        key(
            "connect_timeout",
            Length,
            Default("10s"),
            "How long a host may take to answer",
        ),
    ],
);

static TAILSCALE: Shape = shape(
    "tailscale",
    &[
        key(
            "socket",
            Text(Form::LocalPath),
            Optional,
            "The socket of tailscaled where it is not the usual one",
        ),
        key(
            "command",
            Text(Form::Free),
            Default("tailscale"),
            "The tailscale command",
        ),
    ],
);

static REFRESH: Shape = shape(
    "refresh",
    &[
        key("hosts", Length, Default("30m"), "Hosts, as a safety net"),
        key(
            "registry",
            Length,
            Default("10m"),
            "What tags name in their registries",
        ),
    ],
);

static ROLLBACK: Shape = shape(
    "rollback",
    &[
        key(
            "keep",
            Number {
                least: 0,
                most: 1000,
            },
            Default("5"),
            "How many former images of a service are kept on its host",
        ),
        key(
            "settle",
            Length,
            Default("10s"),
            "How long a service without a health check must run to count as well",
        ),
        key(
            "timeout",
            Length,
            Default("120s"),
            "How long a service may take to become healthy",
        ),
    ],
);
