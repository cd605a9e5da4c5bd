//! The console's loop: take a message, update, carry out, draw once.

use std::io;
use std::process::Command;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::Backend;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;

use crate::app::effect::{Console, Effect};
use crate::app::jobs;
use crate::app::model::Model;
use crate::app::msg::Msg;
use crate::app::update;
use crate::ui;
use crate::ui::glyphs::Glyphs;
use crate::ui::theme::Theme;

use super::clock::Clock;
use super::notify::Manager;
use super::terminal::Screen;
use super::world::{self, Foreground, Hands, Queue, World};
use super::{browser, clipboard, input, terminal};

/// How many messages are taken in before the screen is drawn.
const BURST: usize = 512;

/// How long the first paint waits for what the last start knew.
const MEMORY_PATIENCE: Duration = Duration::from_millis(12);

/// What an effect leaves to the console itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Local {
    Console(Console),
    Foreground(Foreground),
}

/// All that the loop needs.
pub struct Parts<W> {
    pub model: Model,
    pub clock: Clock,
    pub world: W,
    pub sender: Queue,
    pub queue: UnboundedReceiver<Msg>,
    pub theme: Theme,
    pub glyphs: Glyphs,
}

/// How a console was left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// What the operator should know of what goes on elsewhere.
    pub farewell: Vec<String>,
    /// Whether it is to begin anew at once.
    pub again: bool,
}

/// Runs the console until it is left.
pub async fn run<M, W>(mut parts: Parts<W>) -> io::Result<Left>
where
    W: World,
    M: Hands<W>,
{
    // Listened for before the terminal is taken: a signal in between would leave it as no shell wants it.
    let _signals = Task(tokio::spawn(Signals::listen()?.tell(parts.sender.clone())));
    let mut screen = Screen::take(parts.model.settings.mouse)?;
    let outcome = turn::<M, W>(&mut parts, &mut screen).await;
    // The terminal is given back before connections are closed, so that leaving feels immediate.
    drop(screen);
    parts.world.close().await;
    outcome.map(|again| Left {
        farewell: jobs::farewell(&parts.model),
        again,
    })
}

/// Takes message after message until one ends the program.
async fn turn<M, W>(parts: &mut Parts<W>, screen: &mut Screen) -> io::Result<bool>
where
    W: World,
    M: Hands<W>,
{
    let size = screen.terminal().size()?;
    let resize = Msg::Resize {
        width: size.width,
        height: size.height,
    };
    let mut after = step::<M, W>(parts, resize, screen)?;
    if let Ok(Some(msg)) = tokio::time::timeout(MEMORY_PATIENCE, parts.queue.recv()).await {
        after = step::<M, W>(parts, msg, screen)?;
    }
    let mut manager = Manager::of_environment();
    let mut ready = false;
    let mut reader = Task(tokio::spawn(input::read(parts.sender.clone())));
    loop {
        match after {
            After::End => {
                manager.stopping();
                return Ok(false);
            }
            After::Again => return Ok(true),
            After::Hand(foreground) => {
                // The program in the foreground has the keyboard to itself.
                drop(reader);
                screen.pause();
                let title = foreground.title.clone();
                let program = tokio::task::spawn_blocking(move || run_foreground(&foreground));
                let (ran, then) = behind::<M, W>(parts, screen, &mut manager, program).await?;
                screen.resume()?;
                if let Err(error) = ran {
                    let text = format!("{title}: {error}");
                    let _ = parts.sender.send(Msg::Trouble(text));
                }
                reader = Task(tokio::spawn(input::read(parts.sender.clone())));
                parts.model.dirty = true;
                if !matches!(then, After::GoOn) {
                    after = then;
                    continue;
                }
            }
            After::Stop => {
                // Taking the terminal again asks it where its cursor is: nobody else may read the answer.
                drop(reader);
                screen.pause();
                tokio::task::block_in_place(suspend);
                screen.resume()?;
                reader = Task(tokio::spawn(input::read(parts.sender.clone())));
                parts.model.dirty = true;
            }
            After::GoOn => {}
        }
        if terminal::has_panicked() {
            return Err(io::Error::other("a part of the program failed; see above"));
        }
        if parts.model.dirty {
            draw(parts, screen.terminal())?;
        }
        if !std::mem::replace(&mut ready, true) {
            manager.ready();
        }
        manager.alive();
        let wake = update::next_wake(&parts.model);
        let Some(msg) = next(parts, wake, manager.due()).await else {
            return Ok(false);
        };
        after = step::<M, W>(parts, msg, screen)?;
        let mut burst = 0;
        while burst < BURST
            && matches!(after, After::GoOn)
            && let Ok(more) = parts.queue.try_recv()
        {
            after = step::<M, W>(parts, more, screen)?;
            burst += 1;
        }
    }
}

/// Takes messages in while a program has the terminal, so that they do not pile up; nothing is drawn.
///
/// Returns how the program ended and what has to come after it.
async fn behind<M, W>(
    parts: &mut Parts<W>,
    screen: &mut Screen,
    manager: &mut Manager,
    mut program: JoinHandle<io::Result<()>>,
) -> io::Result<(io::Result<()>, After)>
where
    W: World,
    M: Hands<W>,
{
    let mut then = After::GoOn;
    loop {
        let wake = update::next_wake(&parts.model);
        let msg = tokio::select! {
            ran = &mut program => return Ok((ran.unwrap_or_else(|error| Err(error.into())), then)),
            msg = next(parts, wake, manager.due()) => msg,
        };
        manager.alive();
        let Some(msg) = msg else {
            let ran = program.await.unwrap_or_else(|error| Err(error.into()));
            return Ok((ran, After::End));
        };
        match step::<M, W>(parts, msg, screen)? {
            After::GoOn => {}
            // It comes once the program gives the terminal back.
            after => then = after,
        }
    }
}

/// What comes after a message.
enum After {
    GoOn,
    /// The terminal is handed to a program.
    Hand(Foreground),
    /// The process is stopped until somebody continues it.
    Stop,
    /// It ends, to begin anew.
    Again,
    End,
}

/// A task that ends with its owner.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Waits for what comes next, at most until something is due or a sign of life is.
async fn next<W>(
    parts: &mut Parts<W>,
    wake: Option<Duration>,
    sign: Option<std::time::Instant>,
) -> Option<Msg> {
    let wake = wake.map(|due| parts.clock.instant(due));
    match wake.into_iter().chain(sign).min() {
        None => parts.queue.recv().await,
        Some(due) => {
            tokio::select! {
                msg = parts.queue.recv() => msg,
                () = tokio::time::sleep_until(due.into()) => Some(Msg::Tick),
            }
        }
    }
}

/// Handles one message.
fn step<M, W>(parts: &mut Parts<W>, msg: Msg, screen: &mut Screen) -> io::Result<After>
where
    W: World,
    M: Hands<W>,
{
    let now = parts.clock.now();
    let effects: Vec<Effect<M>> = update::update(&mut parts.model, now, msg);
    let mut after = After::GoOn;
    for effect in effects {
        match world::carry_out(&mut parts.world, effect, &parts.model) {
            None => {}
            Some(Local::Console(Console::Quit)) => after = After::End,
            Some(Local::Console(Console::Remember)) => parts.world.remember(parts.model.memory()),
            Some(Local::Console(Console::Record(events))) => parts.world.record(events),
            Some(Local::Console(Console::Copy(text))) => {
                if let Some(sequence) = clipboard::sequence(&text) {
                    screen.write(&sequence)?;
                }
            }
            Some(Local::Console(Console::Browse(link))) => {
                if let Err(why) = browser::open(&link) {
                    let text = format!("not opened: {why}");
                    let _ = parts.sender.send(Msg::Trouble(text));
                }
            }
            Some(Local::Console(Console::AddHosts(offers))) => parts.world.add_hosts(offers),
            Some(Local::Console(Console::Again)) => after = After::Again,
            Some(Local::Console(Console::Suspend)) => after = After::Stop,
            Some(Local::Foreground(foreground)) => after = After::Hand(foreground),
        }
    }
    Ok(after)
}

fn draw<B: Backend>(parts: &mut Parts<impl World>, terminal: &mut Terminal<B>) -> io::Result<()>
where
    B::Error: Into<io::Error>,
{
    let (model, theme) = (&parts.model, &parts.theme);
    let mut drawn = ui::Drawn::default();
    terminal
        .draw(|frame| {
            let area = frame.area();
            drawn = ui::draw(model, theme, parts.glyphs, area, frame.buffer_mut());
        })
        .map_err(Into::into)?;
    parts.model.screen.scroll_end = drawn.scroll_end;
    parts.model.dirty = false;
    Ok(())
}

/// Stops the process as Ctrl-Z does; returns when it is continued.
fn suspend() {
    // Without job control there is nobody to continue it; then nothing is stopped and the screen comes back.
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TSTP);
}

fn run_foreground(foreground: &Foreground) -> io::Result<()> {
    let (program, arguments) = foreground
        .argv
        .split_first()
        .ok_or_else(|| io::Error::other("there is no command"))?;
    Command::new(program).args(arguments).status().map(|_| ())
}

/// The signals that end the process.
struct Signals {
    terminate: Signal,
    hangup: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes them over from the system, which would end the process at once.
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Turns the first of them into a message.
    async fn tell(mut self, queue: Queue) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        let _ = queue.send(Msg::Terminate);
    }
}
