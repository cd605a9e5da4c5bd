//! Sessions of commands: what each observes, how far it looks, and who reports it.
//!
//! | file | subject |
//! |---|---|
//! | `console` | the console on the terminal |
//! | `observe` | one observation without a screen |

mod console;
mod observe;

use std::fmt::Display;
use std::io;
use std::time::Duration;

use jiff::Timestamp;

use super::ahead::{self, Journey};
use super::arguments::General;
use super::exit::Exit;
use super::output::{Failed, Output};
use super::setup::{self, Setup};
use super::{discover, doctor, history, status, tell};
use crate::adapters::discover::{self as find, Places};
use crate::adapters::paths::Paths;
use crate::app::builds;
use crate::app::model::Model;
use crate::app::screen::View;
use crate::core::names::{HostName, Target};
use crate::core::settings::Settings;
use crate::demo::{Demo, Scenario};
use crate::runtime::checkup::{Findings, own_places};
use crate::runtime::world::World;

pub use console::open as console;
pub use observe::observe_open;

use observe::{observe, observe_demo};

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
        let mut findings = live.checkup(&model, host.as_ref()).await;
        findings.own = own_places(paths);
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
