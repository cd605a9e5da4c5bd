//! Tests against real engines, registries and sshd: the lab that `tests/lab/up` makes.
//!
//! Without a lab (variable `HOMELAB_TUI_LAB`) every test says that it was left out, and passes.
//! A new test is a function in a module of `lab_cases`; what it may use is told in [`support`].
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    dead_code,
    reason = "tests may panic and speak; not every helper has a user yet"
)]

mod lab_cases;
mod support;
