//! The terminal, taken over and given back on every way out.

use std::io::{self, Stdout, Write, stdout};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Position, Rect};

/// Whether the terminal is taken over, for the panic hook.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Whether some task of the program panicked.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// Tells whether some task of the program panicked; the screen is then given back already.
pub fn has_panicked() -> bool {
    PANICKED.load(Ordering::SeqCst)
}

/// A taken terminal; dropping it gives it back.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    mouse: bool,
}

impl Screen {
    /// Takes the terminal over.
    pub fn take(mouse: bool) -> io::Result<Self> {
        restore_on_panic();
        enter(mouse)?;
        let taken = Terminal::new(CrosstermBackend::new(stdout())).and_then(|mut terminal| {
            wipe(&mut terminal)?;
            Ok(Self { terminal, mouse })
        });
        taken.inspect_err(|_| leave())
    }

    /// Returns the terminal to draw on.
    pub fn terminal(&mut self) -> &mut Terminal<CrosstermBackend<Stdout>> {
        &mut self.terminal
    }

    /// Writes a control sequence of our own, such as one that copies.
    pub fn write(&mut self, sequence: &str) -> io::Result<()> {
        let mut out = stdout();
        out.write_all(sequence.as_bytes())?;
        out.flush()
    }

    /// Gives the terminal back for a while.
    pub fn pause(&mut self) {
        leave();
    }

    /// Takes the terminal again after a pause.
    pub fn resume(&mut self) -> io::Result<()> {
        enter(self.mouse)?;
        wipe(&mut self.terminal)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

/// Clears the screen and has the next paint draw every cell.
///
/// A Linux console has no alternate screen: old text would shine through cells that stay blank. The library's own way
/// to clear first asks the terminal where its cursor is, and fails where a serial line or a recorder never answers.
fn wipe(terminal: &mut Terminal<CrosstermBackend<Stdout>>) -> io::Result<()> {
    let size = terminal.size()?;
    terminal.resize(Rect::from((Position::ORIGIN, size)))
}

fn enter(mouse: bool) -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    let entered = execute!(
        stdout(),
        EnterAlternateScreen,
        EnableBracketedPaste,
        cursor::Hide
    );
    if mouse && entered.is_ok() {
        execute!(stdout(), EnableMouseCapture)?;
    }
    if entered.is_err() {
        leave();
    }
    entered
}

/// Gives the terminal back; nothing is left to do about errors, as the terminal may be gone.
fn leave() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let _ = execute!(
        stdout(),
        DisableMouseCapture,
        DisableBracketedPaste,
        Clear(ClearType::All),
        cursor::MoveTo(0, 0),
        LeaveAlternateScreen,
        cursor::Show
    );
    let _ = disable_raw_mode();
}

fn restore_on_panic() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICKED.store(true, Ordering::SeqCst);
            leave();
            usual(info);
        }));
    });
}
