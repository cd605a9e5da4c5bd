//! Changes on a host: the look that a plan needs, and jobs that run there by themselves.
//!
//! | file | subject |
//! |---|---|
//! | `gather` | one look for a plan: files, containers, lock, room, updaters |
//! | `plain` | the same look for a container of no project |
//! | `shape` | compose's and docker's JSON as shapes that can be compared |
//! | `variables` | what only the deploying shell had, told from the running container |
//! | `run` | jobs put on the host, followed, cancelled |
//! | `past` | what jobs left: their folders, and the host's journal |

pub mod gather;
pub mod past;
pub mod plain;
pub mod run;
mod shape;
mod variables;
