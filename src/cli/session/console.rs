//! The console on the terminal: dressed for it, over the invented fleet or the real one.

use std::io::{self, IsTerminal};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tokio::sync::mpsc;

use super::super::arguments::General;
use super::super::exit::Exit;
use super::super::output::{Failed, Output};
use super::super::setup::Place;
use super::super::themes::Themes;
use super::{in_runtime, prepared};
use crate::adapters::log;
use crate::adapters::paths::Paths;
use crate::app::builds;
use crate::app::keymap::Keymap;
use crate::app::mode::{Mode, Observing, Operating};
use crate::app::model::Model;
use crate::app::msg::Msg;
use crate::core::mode;
use crate::core::settings::Settings;
use crate::demo::{Demo, Scenario};
use crate::runtime::clock::Clock;
use crate::runtime::console::{self, Left, Parts};
use crate::runtime::live::Live;
use crate::runtime::wake;
use crate::runtime::world::{DemoWorld, Hands};
use crate::ui::glyphs::Glyphs;
use crate::ui::theme::{self, Theme};

/// Opens the console.
pub fn open(general: &General, paths: &Paths, output: &mut Output<'_>) -> Result<Exit, Failed> {
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
    world.try_places();
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
