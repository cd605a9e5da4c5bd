//! The console for docker compose services on one's own machines.
//!
//! # The map
//!
//! | module | is for | may use |
//! |---|---|---|
//! | [`core`] | facts, verdicts, plans: pure values and functions | nothing of this crate |
//! | [`app`] | the one model, messages, effects, commands, `update` | `core` |
//! | [`ui`] | views: pure functions from the model to cells | `app`, `core` |
//! | [`adapters`] | engines, ssh, registries, files; foreign types end there | `core` |
//! | [`demo`] | a fleet from a scenario file, in place of the adapters | `app`, `core` |
//! | [`runtime`] | the queue, the effect runner, the terminal, signals | all of the above |
//! | [`cli`] | the same core without a screen | all of the above |
//!
//! No arrow points back; `tests/arrows.rs` holds them. Read-only is a type: see [`app::mode`].

pub mod adapters;
pub mod app;
pub mod cli;
pub mod core;
pub mod demo;
pub mod runtime;
pub mod ui;
