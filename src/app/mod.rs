//! The program as one model: messages in, effects out, nothing awaited, no clock read.
//!
//! Invariant: this module uses `core` only. It does not know how effects are carried out or how the model is drawn.

pub mod builds;
pub mod commands;
pub mod effect;
pub mod explain;
pub mod history;
pub mod jobs;
pub mod judge;
pub mod keymap;
pub mod keys;
pub mod logs;
pub mod memo;
pub mod mode;
pub mod model;
pub mod msg;
pub mod offers;
pub mod preview;
pub mod rows;
pub mod screen;
pub mod tailnet;
pub mod targets;
pub mod update;
pub mod wall;
