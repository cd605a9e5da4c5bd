//! Where the pure parts meet the world: the queue, the carrying out of effects, the terminal, signals.
//!
//! Everything that happens is put into one queue and handled in its order; nothing here decides.

pub mod acting;
pub mod browser;
mod builds;
pub mod checkup;
pub mod clipboard;
pub mod clock;
pub mod console;
pub mod follow;
pub mod headless;
pub mod input;
pub mod jobs;
pub mod live;
mod logs;
pub mod notify;
mod records;
mod sessions;
pub mod terminal;
pub mod wake;
pub mod world;
