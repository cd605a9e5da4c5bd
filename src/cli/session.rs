//! Sessions: the console on the terminal, or one observation for a command.

use std::io::{self, IsTerminal};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::arguments::General;
use super::exit::Exit;
use super::output::{Failed, Output};
use super::setup::{self, Setup};
use super::{status, tell};
use crate::adapters::paths::Paths;
use crate::adapters::{log, theme as theme_file};
use crate::app::keymap::Keymap;
use crate::app::mode::{Mode, Observing, Operating};
use crate::app::model::Model;
use crate::app::msg::Msg;
use crate::core::mode;
use crate::core::settings::Settings;
use crate::demo::{Demo, Scenario};
use crate::runtime::clock::Clock;
use crate::runtime::console::{self, Parts};
use crate::runtime::headless;
use crate::runtime::live::Live;
use crate::runtime::world::{DemoWorld, Hands, World};
use crate::ui::glyphs::Glyphs;
use crate::ui::theme::{self, Theme};

/// How long one observation may take beyond the time that a connection is given.
const PATIENCE: Duration = Duration::from_secs(50);

/// Opens the console.
pub fn console(general: &General, paths: &Paths, output: &mut Output<'_>) -> Result<Exit, Failed> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        output.say("the console needs a terminal; `homelab-tui status` does without one");
        return Ok(Exit::Usage);
    }
    let setup = match prepared(general, paths) {
        Ok(setup) => setup,
        Err(error) => {
            output.say(error);
            return Ok(Exit::Usage);
        }
    };
    let (keymap, mut troubles) = Keymap::new(&setup.settings.keys);
    let problems = setup.problems.iter().map(ToString::to_string);
    troubles.splice(0..0, problems);
    let (theme, glyphs) = match dress(general, &setup.settings, paths) {
        Ok(dressed) => dressed,
        Err(error) => {
            output.say(error);
            return Ok(Exit::Usage);
        }
    };
    if let Some(file) = log_file(general, paths)
        && let Err(error) = log::begin(&file)
    {
        troubles.push(error.to_string());
    }
    let dress = (theme, glyphs);
    let read_only = setup.settings.read_only;
    let ran = match (general.demo, read_only) {
        (true, true) => in_runtime(demo::<Observing>(setup.settings, keymap, troubles, dress)),
        (true, false) => in_runtime(demo::<Operating>(setup.settings, keymap, troubles, dress)),
        (false, true) => in_runtime(live::<Observing>(
            setup.settings,
            keymap,
            troubles,
            dress,
            paths,
            None,
        )),
        (false, false) => {
            // The one place where the right to change hosts is given.
            let operating = mode::Operating::by_operator();
            in_runtime(live::<Operating>(
                setup.settings,
                keymap,
                troubles,
                dress,
                paths,
                Some(operating),
            ))
        }
    };
    match ran {
        Ok(()) => Ok(Exit::Done),
        Err(error) => {
            output.say(format!("the console ended: {error}"));
            Ok(Exit::Broken)
        }
    }
}

/// Observes the fleet once and reports it.
pub fn status(
    general: &General,
    paths: &Paths,
    target: Option<&str>,
    wanted: status::Wanted,
    output: &mut Output<'_>,
) -> Result<Exit, Failed> {
    let setup = match prepared(general, paths) {
        Ok(setup) => setup,
        Err(error) => {
            output.say(error);
            return Ok(Exit::Usage);
        }
    };
    tell(&setup, output);
    let target = match target
        .map(|text| status::parse(text, &setup.settings))
        .transpose()
    {
        Ok(target) => target,
        Err(error) => {
            output.say(error);
            return Ok(Exit::Usage);
        }
    };
    let mut settings = setup.settings;
    if let Some(target) = &target {
        // Only what was asked about is contacted, and the hosts that its registries are asked through.
        let vias: Vec<_> = settings
            .registries
            .iter()
            .filter_map(|r| r.via.clone())
            .collect();
        let known = settings.hosts.iter().any(|host| target.on_host(&host.name));
        if known {
            settings
                .hosts
                .retain(|host| target.on_host(&host.name) || vias.contains(&host.name));
        }
    }
    // What a part of the fleet says must not replace what is remembered of all of it.
    let remember = target.is_none();
    let model = in_runtime(observe(settings, general.demo, paths, remember));
    match model {
        Ok(model) => status::report(&model, target.as_ref(), Timestamp::now(), wanted, output),
        Err(error) => {
            output.say(format!("the fleet could not be observed: {error}"));
            Ok(Exit::Usage)
        }
    }
}

/// Reads the settings; the demo brings its own fleet.
fn prepared(general: &General, paths: &Paths) -> Result<Setup, String> {
    if general.demo {
        let mut setup = Setup {
            settings: Demo::new(&Scenario::fleet(), Timestamp::now())
                .settings()
                .clone(),
            problems: Vec::new(),
            file: None,
        };
        setup::flags(&mut setup.settings, general);
        return Ok(setup);
    }
    setup::setup(general, paths).map_err(|error| error.to_string())
}

fn in_runtime<T>(future: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(future);
    // What still waits for the world must not hold up the end.
    runtime.shutdown_timeout(Duration::from_millis(200));
    outcome
}

async fn demo<M: Mode + Hands<DemoWorld>>(
    settings: Settings,
    keymap: Keymap,
    troubles: Vec<String>,
    (theme, glyphs): (Theme, Glyphs),
) -> io::Result<()> {
    let clock = Clock::start();
    let (sender, queue) = mpsc::unbounded_channel();
    let scenario = Scenario::fleet();
    let world = DemoWorld::new(Demo::new(&scenario, clock.now().wall), sender.clone());
    tell_troubles(&sender, troubles);
    console::run::<M, DemoWorld>(Parts {
        model: Model::new(settings, keymap, clock.now()),
        clock,
        world,
        sender,
        queue,
        theme,
        glyphs,
    })
    .await
}

async fn live<M: Mode + Hands<Live>>(
    settings: Settings,
    keymap: Keymap,
    troubles: Vec<String>,
    (theme, glyphs): (Theme, Glyphs),
    paths: &Paths,
    operating: Option<mode::Operating>,
) -> io::Result<()> {
    let clock = Clock::start();
    let (sender, queue) = mpsc::unbounded_channel();
    let world = Live::new(&settings, paths, sender.clone(), operating);
    world.recall();
    tell_troubles(&sender, troubles);
    console::run::<M, Live>(Parts {
        model: Model::new(settings, keymap, clock.now()),
        clock,
        world,
        sender,
        queue,
        theme,
        glyphs,
    })
    .await
}

fn tell_troubles(sender: &mpsc::UnboundedSender<Msg>, troubles: Vec<String>) {
    for trouble in troubles {
        log::note("start", &trouble);
        let _ = sender.send(Msg::Trouble(trouble));
    }
}

async fn observe(
    settings: Settings,
    demo: bool,
    paths: &Paths,
    remember: bool,
) -> io::Result<Model> {
    let clock = Clock::start();
    let (sender, mut queue) = mpsc::unbounded_channel();
    let patience = settings.ssh.connect_timeout + PATIENCE;
    let mut model = Model::new(settings.clone(), Keymap::default(), clock.now());
    if demo {
        let demo = Demo::new(&Scenario::fleet(), clock.now().wall);
        let mut world = DemoWorld::new(demo, sender);
        headless::observe(&mut model, clock, &mut world, &mut queue, patience).await?;
        return Ok(model);
    }
    let mut world = Live::new(&settings, paths, sender, None);
    world.recall();
    let observed = headless::observe(&mut model, clock, &mut world, &mut queue, patience).await;
    if remember && observed.is_ok() {
        world.remember(model.memory());
    }
    world.close().await;
    observed.map(|()| model)
}

fn log_file(general: &General, paths: &Paths) -> Option<std::path::PathBuf> {
    let usual = || {
        paths
            .state
            .as_ref()
            .map(|folder| folder.join("console.log"))
    };
    general.log.clone().or_else(usual)
}

/// Finds the colours and glyphs for this terminal.
fn dress(general: &General, settings: &Settings, paths: &Paths) -> Result<(Theme, Glyphs), String> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let term = variable("TERM");
    let locale = variable("LC_ALL")
        .or_else(|| variable("LC_CTYPE"))
        .or_else(|| variable("LANG"));
    let (name, depth) = theme::choose(
        general.theme.as_deref(),
        &settings.theme,
        variable("NO_COLOR").is_some(),
        term.as_deref(),
        variable("COLORTERM").as_deref(),
    );
    let theme = find_theme(name, paths)?.reduced(depth);
    let glyphs = Glyphs::choose(settings.glyphs, term.as_deref(), locale.as_deref());
    Ok((theme, glyphs))
}

/// Reads a theme: the operator's own from the config folder first, then one of those that come along.
pub fn find_theme(name: &str, paths: &Paths) -> Result<Theme, String> {
    let own = paths
        .config
        .as_ref()
        .filter(|_| !name.contains(['/', '\\']))
        .map(|folder| folder.join("themes").join(format!("{name}.yaml")));
    let text = match own.filter(|path| path.is_file()) {
        Some(path) => std::fs::read_to_string(&path)
            .map_err(|error| format!("failed to read the theme {}: {error}", path.display()))?,
        None => {
            let built_in = theme::BUILT_IN.iter().find(|(own, _)| *own == name);
            let known: Vec<&str> = theme::BUILT_IN.iter().map(|(own, _)| *own).collect();
            built_in
                .map(|(_, text)| (*text).to_owned())
                .ok_or_else(|| {
                    format!("there is no theme {name:?}; there are {}", known.join(", "))
                })?
        }
    };
    let roles = theme_file::parse(name, &text).map_err(|error| error.to_string())?;
    Theme::new(name, &roles).map_err(|error| error.to_string())
}
