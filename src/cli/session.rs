//! Sessions: the console on the terminal, or one observation for a command.

use std::fmt::Display;
use std::io::{self, IsTerminal};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::ahead::{self, Journey};
use super::arguments::General;
use super::exit::Exit;
use super::output::{Failed, Output};
use super::setup::{self, Place, Setup};
use super::themes::Themes;
use super::{discover, doctor, history, status, tell};
use crate::adapters::discover::{self as find, Places};
use crate::adapters::log;
use crate::adapters::paths::Paths;
use crate::app::builds;
use crate::app::keymap::Keymap;
use crate::app::mode::{Mode, Observing, Operating};
use crate::app::model::Model;
use crate::app::msg::Msg;
use crate::app::screen::View;
use crate::app::update;
use crate::core::mode;
use crate::core::names::{HostName, Target};
use crate::core::settings::Settings;
use crate::demo::driver::Driver;
use crate::demo::{Demo, Scenario};
use crate::runtime::checkup::Findings;
use crate::runtime::clock::Clock;
use crate::runtime::console::{self, Left, Parts};
use crate::runtime::headless::Headless;
use crate::runtime::live::Live;
use crate::runtime::wake;
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
    let dress = (theme, glyphs);
    let read_only = setup.settings.read_only;
    let start = Start {
        paths,
        is_first: setup.file.is_none() && general.hosts.is_empty(),
        config: Place::find(general, paths).path().map(Path::to_owned),
    };
    let ran = match (general.demo, read_only) {
        (true, true) => in_runtime(demo::<Observing>(setup.settings, keymap, troubles, dress)),
        (true, false) => in_runtime(demo::<Operating>(setup.settings, keymap, troubles, dress)),
        (false, true) => in_runtime(live::<Observing>(
            setup.settings,
            keymap,
            troubles,
            dress,
            start,
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
                start,
                Some(operating),
            ))
        }
    };
    match ran {
        Ok(left) => {
            for line in left.farewell {
                output.say(line);
            }
            if left.again {
                output.say(begin_anew());
                return Ok(Exit::Broken);
            }
            Ok(Exit::Done)
        }
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
    let read = |settings: &Settings| target.map(|text| status::parse(text, settings)).transpose();
    let on_host = |target: &Option<Target>, host: &HostName| {
        target.as_ref().is_none_or(|target| target.on_host(host))
    };
    let mut counting = status::Counting::default();
    let way =
        |target: &Option<Target>, model: &mut Model| Ok(counting.next(model, target.as_ref()));
    let wants = builds::Wanted::Deploys;
    match look(general, paths, wants, read, on_host, way, output) {
        Ok((model, target)) => {
            let now = model.now.wall;
            status::report(&model, target.as_ref(), now, wanted, output)
        }
        Err(exit) => Ok(exit),
    }
}

/// Observes the fleet once and reports which links hold.
pub fn doctor(
    general: &General,
    paths: &Paths,
    host: Option<&str>,
    json: bool,
    output: &mut Output<'_>,
) -> Result<Exit, Failed> {
    let read = |settings: &Settings| {
        host.map(|text| status::parse_host(text, settings))
            .transpose()
    };
    let on_host = |wanted: &Option<HostName>, host: &HostName| {
        wanted.as_ref().is_none_or(|wanted| wanted == host)
    };
    if general.demo {
        return match look(
            general,
            paths,
            builds::Wanted::Nothing,
            read,
            on_host,
            nowhere,
            output,
        ) {
            // The invented hosts have nothing below what is shown.
            Ok((model, host)) => {
                doctor::report(&model, &Findings::default(), host.as_ref(), json, output)
            }
            Err(exit) => Ok(exit),
        };
    }
    let (settings, host) = match chosen(general, paths, read, on_host, output) {
        Ok(chosen) => chosen,
        Err(exit) => return Ok(exit),
    };
    let looked = in_runtime(async {
        let (model, mut live, _queue) = observe_open(settings, paths).await?;
        let findings = live.checkup(&model, host.as_ref()).await;
        live.remember(model.memory());
        live.close().await;
        Ok((model, findings))
    });
    match looked {
        Ok((model, findings)) => doctor::report(&model, &findings, host.as_ref(), json, output),
        Err(error) => Ok(usage(
            output,
            format_args!("the fleet could not be observed: {error}"),
        )),
    }
}

/// Observes the fleet, reads the journals and reports what happened.
pub fn history(
    general: &General,
    paths: &Paths,
    target: Option<&str>,
    json: bool,
    output: &mut Output<'_>,
) -> Result<Exit, Failed> {
    let read = |settings: &Settings| target.map(|text| status::parse(text, settings)).transpose();
    let on_host = |target: &Option<Target>, host: &HostName| {
        target.as_ref().is_none_or(|target| target.on_host(host))
    };
    let mut opened = false;
    let way = |_: &Option<Target>, _: &mut Model| {
        let open = !std::mem::replace(&mut opened, true);
        Ok(open.then_some(View::History {
            of: None,
            selected: 0,
        }))
    };
    let wants = builds::Wanted::Nothing;
    match look(general, paths, wants, read, on_host, way, output) {
        Ok((model, target)) => history::report(&model, target.as_ref(), json, output),
        Err(exit) => Ok(exit),
    }
}

/// Looks ahead for one service and reports it.
pub fn ahead(
    general: &General,
    paths: &Paths,
    target: &str,
    begin: impl FnOnce(Target) -> Journey,
    json: bool,
    output: &mut Output<'_>,
) -> Result<Exit, Failed> {
    let read = |settings: &Settings| status::parse(target, settings);
    let on_host = |target: &Target, host: &HostName| target.on_host(host);
    let mut begin = Some(begin);
    let mut journey = None;
    let way = |target: &Target, model: &mut Model| {
        if let Some(begin) = begin.take() {
            journey = Some(begin(target.clone()));
        }
        journey
            .as_mut()
            .map_or(Ok(None), |journey| journey.next(model))
    };
    let wants = builds::Wanted::Nothing;
    match look(general, paths, wants, read, on_host, way, output) {
        Ok((model, _)) => ahead::report(&model, json, output),
        Err(exit) => Ok(exit),
    }
}

/// Lists hosts that could be added; none of them is contacted.
pub fn discover(
    general: &General,
    paths: &Paths,
    json: bool,
    output: &mut Output<'_>,
) -> Result<Exit, Failed> {
    let setup = match prepared(general, paths) {
        Ok(setup) => setup,
        Err(error) => return Ok(usage(output, error)),
    };
    tell(&setup, output);
    let offers = if general.demo {
        // The invented fleet is all there is.
        Ok(Vec::new())
    } else {
        let places = Places::of_user(&setup.settings);
        in_runtime(async { Ok(find::offers(places.as_ref(), &setup.settings).await) })
    };
    match offers {
        Ok(offers) => discover::report(&offers, json, output),
        Err(error) => Ok(usage(
            output,
            format_args!("no hosts could be looked for: {error}"),
        )),
    }
}

/// Browses a registry and reports it; who runs its images is told by the whole fleet.
pub fn registry(
    general: &General,
    paths: &Paths,
    registry: &str,
    json: bool,
    output: &mut Output<'_>,
) -> Result<Exit, Failed> {
    let mut journey = Journey::registry(registry);
    let way = |_: &(), model: &mut Model| journey.next(model);
    let wants = builds::Wanted::Nothing;
    match look(general, paths, wants, |_| Ok(()), |(), _| true, way, output) {
        Ok((model, ())) => ahead::report(&model, json, output),
        Err(exit) => Ok(exit),
    }
}

/// Reads the sources of builds and reports them; who runs what they made is told by the whole fleet.
pub fn builds(
    general: &General,
    paths: &Paths,
    name: Option<&str>,
    json: bool,
    output: &mut Output<'_>,
) -> Result<Exit, Failed> {
    let wants = builds::Wanted::Everything;
    let read = |settings: &Settings| Ok(settings.builds.len());
    // The view of builds asks what only it wants to know: the caches in registries.
    let mut opened = false;
    let way = |_: &usize, _: &mut Model| {
        let view = View::Builds { selected: None };
        Ok((!std::mem::replace(&mut opened, true)).then_some(view))
    };
    match look(general, paths, wants, read, |_, _| true, way, output) {
        Ok((model, sources)) => {
            if sources == 0 {
                output.say("no source of builds is configured; see `builds` in `homelab-tui config example`");
            }
            super::builds::list::report(&model, name, json, output)
        }
        Err(exit) => Ok(exit),
    }
}

/// The way of commands that need no more than the fleet.
fn nowhere<T>(_: &T, _: &mut Model) -> Result<Option<View>, String> {
    Ok(None)
}

/// Observes what a command is about: all hosts, or those that its argument means.
fn look<T>(
    general: &General,
    paths: &Paths,
    wants: builds::Wanted,
    read: impl FnOnce(&Settings) -> Result<T, status::NoTarget>,
    means: impl Fn(&T, &HostName) -> bool,
    mut way: impl FnMut(&T, &mut Model) -> Result<Option<View>, String>,
    output: &mut Output<'_>,
) -> Result<(Model, T), Exit> {
    let (settings, wanted) = chosen(general, paths, read, means, output)?;
    let way = |model: &mut Model| way(&wanted, model);
    let observed = if general.demo {
        Ok(observe_demo(settings, wants, way))
    } else {
        in_runtime(observe(settings, paths, wants, way))
    };
    match observed {
        Ok(Ok(model)) => Ok((model, wanted)),
        Ok(Err(error)) => Err(usage(output, error)),
        Err(error) => Err(usage(
            output,
            format_args!("the fleet could not be observed: {error}"),
        )),
    }
}

/// Reads the settings with the hosts that a command is about, and those that their registries are asked through.
fn chosen<T>(
    general: &General,
    paths: &Paths,
    read: impl FnOnce(&Settings) -> Result<T, status::NoTarget>,
    means: impl Fn(&T, &HostName) -> bool,
    output: &mut Output<'_>,
) -> Result<(Settings, T), Exit> {
    let setup = prepared(general, paths).map_err(|error| usage(output, error))?;
    tell(&setup, output);
    let mut settings = setup.settings;
    let wanted = read(&settings).map_err(|error| usage(output, error))?;
    if settings.hosts.is_empty() {
        output.say("no host is configured; add one with -H NAME=ADDRESS, or see `homelab-tui config example`");
    }
    // Only what was asked about is contacted, and the hosts that its registries are asked through.
    let ways: Vec<HostName> = settings
        .registries
        .iter()
        .filter_map(|registry| registry.via.clone())
        .collect();
    settings
        .hosts
        .retain(|host| means(&wanted, &host.name) || ways.contains(&host.name));
    Ok((settings, wanted))
}

fn usage(output: &mut Output<'_>, error: impl Display) -> Exit {
    output.say(error);
    Exit::Usage
}

/// Reads the settings; the demo brings its own fleet.
pub fn prepared(general: &General, paths: &Paths) -> Result<Setup, String> {
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

pub fn in_runtime<T>(future: impl Future<Output = io::Result<T>>) -> io::Result<T> {
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
) -> io::Result<Left> {
    let clock = Clock::start();
    let (sender, queue) = mpsc::unbounded_channel();
    let scenario = Scenario::fleet();
    let world = DemoWorld::new(Demo::new(&scenario, clock.now().wall), sender.clone());
    console::run::<M, DemoWorld>(Parts {
        model: on_screen(settings, keymap, clock, troubles),
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
    start: Start<'_>,
    operating: Option<mode::Operating>,
) -> io::Result<Left> {
    let clock = Clock::start();
    let (sender, queue) = mpsc::unbounded_channel();
    let world = Live::new(&settings, start.paths, sender.clone(), operating)
        .finding_jobs()
        .configured_by(start.config);
    world.recall();
    if start.is_first {
        // The queue is read once the console runs.
        let _ = sender.send(Msg::FirstStart);
    }
    tokio::spawn(wake::watch(sender.clone()));
    let mut model = on_screen(settings, keymap, clock, troubles);
    if world.has_tailnet() {
        model.watch_tailnet();
    }
    console::run::<M, Live>(Parts {
        model,
        clock,
        world,
        sender,
        queue,
        theme,
        glyphs,
    })
    .await
}

/// What a console of real hosts begins with.
struct Start<'a> {
    paths: &'a Paths,
    /// Whether nothing is configured yet.
    is_first: bool,
    /// The file that hosts may be added to.
    config: Option<PathBuf>,
}

/// Puts a new process of the same command in the place of this one; returns only what went wrong.
fn begin_anew() -> String {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return format!("the console cannot find itself to begin anew: {error}"),
    };
    let error = Command::new(program)
        .args(std::env::args_os().skip(1))
        .exec();
    format!("the console cannot begin anew: {error}")
}

/// Begins a model for a screen: times of day are the operator's own, and what is wrong with the configuration stays
/// on top.
fn on_screen(settings: Settings, keymap: Keymap, clock: Clock, troubles: Vec<String>) -> Model {
    for trouble in &troubles {
        log::note("start", trouble);
    }
    let mut model = Model::new(settings, keymap, clock.now());
    model.zone = jiff::tz::TimeZone::system();
    model.builds.wanted = builds::Wanted::Everything;
    model.problems = troubles;
    model
}

async fn observe(
    settings: Settings,
    paths: &Paths,
    wants: builds::Wanted,
    way: impl FnMut(&mut Model) -> Result<Option<View>, String>,
) -> io::Result<Result<Model, String>> {
    let clock = Clock::start();
    let (sender, mut queue) = mpsc::unbounded_channel();
    let patience = settings.ssh.connect_timeout + PATIENCE;
    let mut model = Model::new(settings.clone(), Keymap::default(), clock.now());
    model.builds.wanted = wants;
    let mut world = Live::new(&settings, paths, sender, None);
    if world.has_tailnet() {
        model.watch_tailnet();
    }
    world.recall();
    let mut headless = Headless::new(clock, &mut world, &mut queue, patience);
    let observed = travel(&mut headless, &mut model, way).await;
    let seen = std::mem::take(&mut headless.seen);
    if observed.is_ok() {
        world.record(seen);
        world.remember(model.memory());
    }
    world.close().await;
    observed.map(|arrived| arrived.map(|()| model))
}

/// Observes the fleet once and leaves the ways to its hosts open, for as long as the queue is kept.
pub async fn observe_open(
    settings: Settings,
    paths: &Paths,
) -> io::Result<(Model, Live, mpsc::UnboundedReceiver<Msg>)> {
    let clock = Clock::start();
    let (sender, mut queue) = mpsc::unbounded_channel();
    let patience = settings.ssh.connect_timeout + PATIENCE;
    let mut model = Model::new(settings.clone(), Keymap::default(), clock.now());
    let mut world = Live::new(&settings, paths, sender, None);
    if world.has_tailnet() {
        model.watch_tailnet();
    }
    world.recall();
    let observed = Headless::new(clock, &mut world, &mut queue, patience)
        .observe(&mut model)
        .await;
    match observed {
        Ok(()) => Ok((model, world, queue)),
        Err(error) => {
            world.close().await;
            Err(error)
        }
    }
}

/// Observes, then opens view after view until the command has all that it needs.
async fn travel<W: World>(
    headless: &mut Headless<'_, W>,
    model: &mut Model,
    mut way: impl FnMut(&mut Model) -> Result<Option<View>, String>,
) -> io::Result<Result<(), String>> {
    headless.observe(model).await?;
    loop {
        match way(model) {
            Ok(Some(view)) => {
                update::open(model, view);
                headless.go_on(model).await?;
            }
            Ok(None) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error)),
        }
    }
}

/// Observes the invented fleet, in simulated time.
fn observe_demo(
    settings: Settings,
    wants: builds::Wanted,
    mut way: impl FnMut(&mut Model) -> Result<Option<View>, String>,
) -> Result<Model, String> {
    let now = Timestamp::now();
    let mut driver: Driver<Observing> = Driver::new(&Scenario::fleet(), now);
    driver.model = Model::new(settings, Keymap::default(), driver.now());
    driver.model.builds.wanted = wants;
    let memory = driver.demo.memory();
    driver.tell(Msg::Restored(Box::new(memory)));
    driver.settle(PATIENCE);
    while let Some(view) = way(&mut driver.model)? {
        update::open(&mut driver.model, view);
        driver.tell(Msg::Tick);
        driver.settle(PATIENCE);
    }
    Ok(driver.model)
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
    let theme = Themes::find(paths).load(name)?.reduced(depth);
    let glyphs = Glyphs::choose(settings.glyphs, term.as_deref(), locale.as_deref());
    Ok((theme, glyphs))
}
