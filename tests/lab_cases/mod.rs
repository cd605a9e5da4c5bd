//! The cases, by subject.

mod acting;
mod ahead;
mod at_the_screen;
mod builds;
mod deployments;
mod doctor;
mod download;
mod dry_run;
mod faults;
mod faults_at_random;
mod gate;
mod hosts;
mod hosts_failing;
mod hosts_files;
mod hosts_ssh;
mod hosts_tcp;
mod is_the_lab;
mod many;
mod read_only;
mod record;
mod registries;
mod road;
mod tailnet;
mod watcher;
mod ways;
mod ways_back;
