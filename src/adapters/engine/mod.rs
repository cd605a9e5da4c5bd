//! Docker engines: ways to them, what they hold, what they report, and what they may be asked to do.
//!
//! Requests travel over few kept streams (a socket, tcp, or `docker system dial-stdio` over ssh): questions in batches
//! over one, events and what takes long over others. Looking is
//! [`Observer`]'s, changing is [`Operator`]'s; an observer has no method that changes anything.

mod convert;
mod dial;
mod distribution;
mod events;
mod line;
mod link;
mod logs;
mod observer;
mod operator;
mod pool;
mod preamble;
mod reply;
mod wire;
pub mod words;

pub use dial::{Way, docker_argv};
pub use distribution::{Distribution, refusal};
pub use events::Events;
pub use link::Link;
pub use observer::Observer;
pub use operator::Operator;
