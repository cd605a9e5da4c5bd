//! What is known and how it is judged, without IO, clock or screen.
//!
//! Invariant: nothing here awaits, reads a file, asks the time or knows a foreign wire type.

pub mod age;
pub mod build_log;
pub mod builds;
pub mod candidates;
pub mod checkup;
pub mod digest;
pub mod engine;
pub mod environment;
pub mod failure;
pub mod files;
pub mod former_run;
pub mod gate;
pub mod history;
pub mod host;
pub mod image;
pub mod inventory;
pub mod labels;
pub mod layers;
pub mod leaning;
pub mod links;
pub mod logs;
pub mod memory;
pub mod mode;
pub mod names;
pub mod nearest;
pub mod offer;
pub mod pace;
pub mod pinned;
pub mod platform;
pub mod remote;
pub mod rollout;
#[cfg(test)]
pub mod samples;
pub mod settings;
pub mod shelf;
pub mod tag_family;
pub mod tailnet;
pub mod text;
pub mod trust;
pub mod verdict;
pub mod watch;
