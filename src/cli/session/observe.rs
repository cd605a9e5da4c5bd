//! One observation of a fleet without a screen, and the views that are opened after it.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::adapters::paths::Paths;
use crate::app::builds;
use crate::app::keymap::Keymap;
use crate::app::mode::Observing;
use crate::app::model::Model;
use crate::app::msg::Msg;
use crate::app::screen::View;
use crate::app::update;
use crate::core::settings::Settings;
use crate::demo::Scenario;
use crate::demo::driver::Driver;
use crate::runtime::clock::Clock;
use crate::runtime::headless::Headless;
use crate::runtime::live::Live;
use crate::runtime::world::World;

/// How long one observation may take beyond the time that a connection is given.
const PATIENCE: Duration = Duration::from_secs(50);

/// Observes the fleet, opens what the command wants to see, and remembers what was seen.
pub(super) async fn observe(
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
pub(super) fn observe_demo(
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
