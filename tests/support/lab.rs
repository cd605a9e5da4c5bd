//! Where the lab is, who may use it at a time, and the product's own binary pointed at it.

use std::{
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use serde_json::Value;

use super::{host::Host, registry::Registry};

/// A running lab; tests hold it as long as they use it.
pub struct Lab {
    facts: Arc<Value>,
    _turn: Turn,
}

impl Lab {
    /// The lab, shared with other tests; `None`, noted as left out, where there is none.
    pub fn here() -> Option<Self> {
        facts().map(|facts| Self {
            facts,
            _turn: Turn::take(false),
        })
    }

    /// The lab for this test alone: for those that stop engines or cut networks.
    pub fn alone() -> Option<Self> {
        facts().map(|facts| Self {
            facts,
            _turn: Turn::take(true),
        })
    }

    /// One of `old`, `new`, `ctd26`, `ctd28` (each with an engine) and `bare` (without).
    pub fn host(&self, name: &str) -> Host {
        Host::new(name, &self.facts)
    }

    /// The four hosts that have an engine.
    pub fn hosts(&self) -> Vec<Host> {
        ["old", "new", "ctd26", "ctd28"]
            .map(|name| self.host(name))
            .into()
    }

    /// One of `plain`, `basic`, `token`, `ca`, `selfsigned`, `localhost-old`, `localhost-ctd28`.
    pub fn registry(&self, name: &str) -> Registry {
        Registry::new(name, &self.facts["registries"][name])
    }

    /// A fact of `lab.json`, for instance `ssh_config`, `ca`, `registry_user`, `machine_ip`.
    pub fn fact(&self, name: &str) -> String {
        self.facts[name]
            .as_str()
            .unwrap_or_else(|| panic!("lab.json has no {name}"))
            .to_owned()
    }

    /// Does something to a registry: `stop-registry plain`, or to the network: `cut`, `heal`.
    pub fn fault(&self, host: &str, args: &[&str]) {
        super::host::fault(&self.facts, host, args);
    }

    /// The product with an own empty home, the lab's ssh config and docker's credentials.
    ///
    /// Its configuration names the four hosts and all registries; [`Lab::console_with`] takes another.
    pub fn console(&self, args: &[&str]) -> Command {
        let config = Path::new(&self.fact("dir")).join("config.yaml");
        self.console_with(&config, args)
    }

    pub fn console_with(&self, config: &Path, args: &[&str]) -> Command {
        let home = self.folder("console");
        let mut command = Command::new(env!("CARGO_BIN_EXE_homelab-tui"));
        command
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_STATE_HOME")
            .env_remove("XDG_DATA_HOME")
            .env_remove("XDG_CACHE_HOME")
            .env("HOME", &home)
            .env("DOCKER_CONFIG", Path::new(&self.fact("dir")).join("docker"))
            .arg("-c")
            .arg(config)
            .args(args);
        command
    }

    /// A new folder below the lab's; it goes away with the lab.
    pub fn folder(&self, what: &str) -> PathBuf {
        let folder = Path::new(&self.fact("dir"))
            .join("consoles")
            .join(unique(what));
        fs::create_dir_all(&folder).unwrap();
        folder
    }
}

/// A seed for [`super::Layer::random`] that no other test and no earlier run has used.
pub fn fresh_seed() -> u64 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let count = u64::from(COUNT.fetch_add(1, Ordering::Relaxed));
    (u64::try_from(now.as_micros()).unwrap() << 12) + count
}

/// A name that no other test and no earlier run has used.
pub fn unique(stem: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    // Short, lower case and never ending in a sign: fit for repositories, projects and containers.
    format!(
        "{stem}-{:x}{:x}",
        now.as_millis() & 0xfff_ffff,
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// Notes that the running test was left out, for `tests/run` to tell at its end.
pub fn left_out(reason: &str) {
    let test = thread::current().name().unwrap_or("a test").to_owned();
    eprintln!("left out: {test}: {reason}");
    if let Some(file) = env::var_os("HOMELAB_TUI_SKIPS") {
        let mut file = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(file)
            .unwrap();
        file.write_all(format!("{test}: {reason}\n").as_bytes())
            .unwrap();
    }
}

fn facts() -> Option<Arc<Value>> {
    let Some(dir) = env::var_os("HOMELAB_TUI_LAB") else {
        left_out("no lab is running (HOMELAB_TUI_LAB is not set; tests/run makes one)");
        return None;
    };
    let file = Path::new(&dir).join("lab.json");
    let text =
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    Some(Arc::new(serde_json::from_str(&text).unwrap()))
}

/// A turn with the lab: any number together, or one alone.
struct Turn {
    alone: bool,
}

static TURNS: Mutex<(usize, bool)> = Mutex::new((0, false));
static CHANGED: Condvar = Condvar::new();

impl Turn {
    fn take(alone: bool) -> Self {
        let turns = TURNS.lock().unwrap();
        let mut turns = CHANGED
            .wait_while(turns, |(users, taken)| *taken || (alone && *users > 0))
            .unwrap();
        if alone {
            turns.1 = true;
        } else {
            turns.0 += 1;
        }
        Self { alone }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut turns = TURNS
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if self.alone {
            turns.1 = false;
        } else {
            turns.0 -= 1;
        }
        CHANGED.notify_all();
    }
}
