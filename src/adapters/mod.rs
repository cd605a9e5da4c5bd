//! The ways to the world: engines, ssh, registries, files. Foreign types enter here and do not leave.

pub mod ahead;
pub mod blobs;
pub mod builds;
pub mod checkup;
pub mod compose;
pub mod config;
pub mod credentials;
pub mod discover;
pub mod engine;
pub mod files;
pub mod gate;
pub mod github_token;
pub mod hosts;
pub mod jobs;
pub mod journal;
pub mod log;
pub mod memory;
pub mod paths;
pub mod process;
pub mod registry;
pub mod secret;
pub mod shelf;
pub mod shell;
pub mod ssh;
pub mod tailscale;
pub mod theme;
