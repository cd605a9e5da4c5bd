//! Adapters against stand-ins on the loopback: needs no root, no engine, no network.
#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "a failed unwrap is a failed test; not every helper has a user yet"
)]

mod github;
mod registry;
#[path = "../stand_in/mod.rs"]
mod stand_in;
