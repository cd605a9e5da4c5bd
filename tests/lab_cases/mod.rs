//! The cases, by subject.

mod acting;
mod ahead;
mod builds;
mod doctor;
mod download;
mod hosts;
mod hosts_failing;
mod hosts_files;
mod hosts_ssh;
mod hosts_tcp;
mod is_the_lab;
mod record;
mod registries;
mod road;
mod tailnet;
mod watcher;
mod ways;
