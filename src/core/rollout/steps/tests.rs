//! Jobs run for real by `sh`, with a docker that only writes down what it is asked: all of it is in the plan.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::core::digest::ImageId;
use crate::core::rollout::plan::sample;
use crate::core::rollout::script::{quote, script};
use crate::core::samples::digest;

/// A docker of one service; its images are files that hold an Id, named by their references.
const DOCKER: &str = r#"#!/bin/sh
W=$(dirname "$0")
case $1 in tag|pull|rm|rmi|rename|start|stop|update) printf '%s\n' "$*" >>"$W/log" ;; esac
case "$1 $*" in "compose "*" pull "*|"compose "*" up "*) printf '%s\n' "$*" >>"$W/log" ;; esac
name() { printf %s "$1" | tr '/:@' '___'; }
named() { case $1 in sha256:*) [ -e "$W/images/$(name "$1")" ] && printf '%s\n' "$1" ;; *) cat "$W/images/$(name "$1")" ;; esac; }
case "$*" in
  "version "*) echo 28.5 ;;
  tag\ *) id=$(named "$2") || exit 1; printf '%s\n' "$id" >"$W/images/$(name "$3")" ;;
  rmi\ *) rm "$W/images/$(name "$2")" ;;
  rm\ *) rm -f "$W/left" ;;
  pull\ *|*" pull web") cat "$W/to" >"$W/images/$(name "$(cat "$W/to")")"; cat "$W/to" >"$W/images/$(name "$(cat "$W/tag")")" ;;
  *" up "*" side") cat "$W/images/$(name "$(cat "$W/tag")")" >"$W/side" ;;
  *" up "*)
    if [ -e "$W/bad" ]; then rm "$W/bad"; echo sha256:other >"$W/runs"
    elif [ -e compose.override.yaml ]; then cat "$W/to" >"$W/runs"
    else cat "$W/images/$(name "$(cat "$W/tag")")" >"$W/runs"; fi ;;
  *" config --hash "*) echo "web 11" ;;
  "ps "*"service=web "*) echo "c1 running "; [ ! -e "$W/left" ] || echo "$(cat "$W/left") created web $(cat "$W/left_name" 2>/dev/null || echo c1_web)" ;;
  "ps "*"service=side "*) [ ! -e "$W/side" ] || echo "s1 running " ;;
  "ps "*) ;;
  "inspect -f {{.Config.Image}} {{.Image}} s1") printf '%s %s\n' "$(cat "$W/tag")" "$(cat "$W/side")" ;;
  "inspect -f {{.Image}} s1") cat "$W/side" ;;
  "inspect -f {{.ID}} {{.Image}} c1") printf 'c1 %s\n' "$(cat "$W/runs")" ;;
  "inspect -f {{.Image}} {{.State.Status}} "*) printf '%s running healthy\n' "$(cat "$W/runs")" ;;
  "inspect -f {{.State.Running}} "*) echo true ;;
  "inspect -f {{.ID}} {{.State.Status}} "*) for id; do case $id in ?1) echo "$id running healthy 0 0 no" ;; esac; done ;;
  "image inspect "*) for last; do :; done; named "$last" ;;
esac 2>/dev/null
"#;

/// A folder in which one job runs.
struct Ground {
    folder: PathBuf,
    plan: TargetPlan,
}

impl Ground {
    fn new(name: &str, action: Action) -> Self {
        let own = format!("homelab-tui-steps-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(&own);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("images")).unwrap();
        std::fs::create_dir_all(folder.join("project")).unwrap();
        let mut plan = sample(action);
        plan.target.project = own.as_str().into();
        let docker = folder.join("docker");
        std::fs::write(&docker, DOCKER).unwrap();
        let shell = ["sh".to_owned(), docker.to_str().unwrap().to_owned()];
        plan.docker = shell.to_vec();
        plan.compose = words(&plan.docker, &["compose"]);
        plan.folder = folder.join("project").to_str().unwrap().to_owned();
        let (from, to) = (ImageId(digest(1)), ImageId(digest(5)));
        plan.premise.containers = [("c1".into(), from.clone())].into();
        let ground = Self { folder, plan };
        ground.write("to", to.digest().as_str());
        ground.write("tag", &ground.plan.service_tag);
        ground.write("runs", from.digest().as_str());
        ground.image(from.digest().as_str(), &from);
        let tag = ground.plan.service_tag.clone();
        ground.image(&tag, &from);
        ground
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.join(name), format!("{text}\n")).unwrap();
    }

    fn image(&self, reference: &str, id: &ImageId) {
        let name = reference.replace(['/', ':', '@'], "_");
        self.write(&format!("images/{name}"), id.digest().as_str());
    }

    /// Gives the host the image that is gone to.
    fn holding(self) -> Self {
        let to = ImageId(digest(5));
        self.image(to.digest().as_str(), &to);
        self
    }

    /// Runs the job and returns how it ended, and what docker was asked to change.
    fn run(&mut self) -> (String, Vec<String>) {
        self.plan.argv = argv(&self.plan, &[]);
        let job = self.folder.join("state/jobs/7c1");
        std::fs::create_dir_all(&job).unwrap();
        for file in ["out", "err"] {
            std::fs::write(job.join(file), "").unwrap();
        }
        std::fs::write(job.join("run"), script(&self.plan)).unwrap();
        let ran = Command::new("sh").arg(job.join("run")).status().unwrap();
        let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        let told = format!("{}{}", read(&job.join("out")), read(&job.join("err")));
        assert!(ran.success(), "{told}");
        let end = read(&job.join("rc")).trim().to_owned();
        assert!(!end.is_empty(), "{told}");
        let log = read(&self.folder.join("log"));
        (end, log.lines().map(str::to_owned).collect())
    }

    /// Returns the plan's commands as docker is asked them.
    fn shown(&self) -> Vec<String> {
        let base = self.plan.docker.len();
        let shown = self.plan.argv.iter();
        shown.map(|argv| argv[base..].join(" ")).collect()
    }

    fn is_shown(&self, asked: &str) -> bool {
        let base = self.plan.docker.len();
        let known = |word: &str| !word.chars().all(|c| c.is_ascii_uppercase());
        let at_need = at_need(&self.plan);
        self.shown().iter().any(|shown| shown == asked)
            || at_need.iter().any(|command| {
                let asked: Vec<&str> = asked.split(' ').collect();
                let argv = &command.argv[base..];
                asked.len() == argv.len()
                    && std::iter::zip(asked, argv).all(|(own, word)| !known(word) || own == word)
            })
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn pinned(plan: &mut TargetPlan) {
    use crate::core::rollout::pin::{Entry, Folder, set};
    let project = Folder {
        config_files: vec!["compose.yaml".to_owned()],
        ..Folder::default()
    };
    let entry = Entry {
        service: "web".to_owned(),
        image: "registry.lan:5000/blog@sha256:05".to_owned(),
        builds: false,
        note: None,
    };
    plan.pin = Some(set(&project, entry).unwrap());
}

#[test]
fn a_job_runs_what_the_plan_shows_in_its_order() {
    let held = Some("registry.lan:5000/blog:htui-keep-050505050505".to_owned());
    for action in [
        Action::Pull,
        Action::Update,
        Action::Recreate,
        Action::Rollback,
        Action::Pin,
        Action::Keep,
    ] {
        let mut ground = Ground::new(action.word(), action);
        match action {
            Action::Recreate => {
                ground = ground.holding();
                let tag = ground.plan.service_tag.clone();
                ground.image(&tag, &ImageId(digest(5)));
            }
            Action::Pin => pinned(&mut ground.plan),
            _ => {}
        }
        if matches!(action, Action::Rollback | Action::Pin | Action::Keep) {
            ground.plan.hold_tag.clone_from(&held);
            ground.plan.fetch_reference = Some("registry.lan:5000/blog@sha256:05".to_owned());
        }
        ground.plan.scale = 2;
        let (end, asked) = ground.run();
        assert_eq!(end, "succeeded", "{action:?}: {asked:#?}");
        assert_eq!(asked, ground.shown(), "{action:?}");
        assert!(!asked.is_empty(), "{action:?}");
    }
}

#[test]
fn what_a_job_does_at_need_is_in_the_plan_too() {
    let mut ground = Ground::new("at-need", Action::Update);
    ground.write("left", "c9");
    ground.write("bad", "");
    let (end, asked) = ground.run();
    assert_eq!(end, "put-back", "{asked:#?}");
    for one in &asked {
        assert!(ground.is_shown(one), "{one}: {asked:#?}");
    }
    assert!(asked.contains(&"rm c9".to_owned()));
    let tag = format!(
        "tag {} {}",
        ground.plan.keep_tag.as_ref().unwrap(),
        ground.plan.service_tag
    );
    assert!(asked.contains(&tag), "{asked:#?}");
}

#[test]
fn what_has_taken_the_place_of_the_former_is_not_removed_for_it_holds_its_volumes() {
    let mut ground = Ground::new("heir", Action::Update);
    ground.write("left", "c9");
    for (name, removed) in [("web", false), ("c8_web", false), ("c1_web", true)] {
        ground.write("left_name", name);
        let (end, asked) = ground.run();
        assert_eq!(end, "succeeded", "{asked:#?}");
        let is_removed = asked.iter().any(|one| one == "rm c9");
        assert_eq!(is_removed, removed, "{name}: {asked:#?}");
        ground.write("runs", ImageId(digest(1)).digest().as_str());
        let tag = ground.plan.service_tag.clone();
        ground.image(&tag, &ImageId(digest(1)));
        std::fs::remove_file(ground.folder.join("log")).unwrap();
        let _ = std::fs::remove_file(ground.folder.join("state/jobs/7c1/rc"));
    }
}

#[test]
fn who_shares_the_network_restarts_with_the_image_that_it_runs() {
    let ids = [1, 5, 7].map(|byte| ImageId(digest(byte)));
    for (name, bad, runs, end) in [
        ("beside", false, &ids[0], "succeeded"),
        ("beside-bad", true, &ids[0], "put-back"),
        ("beside-older", false, &ids[2], "succeeded"),
    ] {
        let mut ground = Ground::new(name, Action::Update);
        ground.plan.dependents = vec!["side".to_owned()];
        ground.write("side", runs.digest().as_str());
        ground.image(runs.digest().as_str(), runs);
        if bad {
            ground.write("bad", "");
        }
        let (ended, asked) = ground.run();
        assert_eq!(ended, end, "{asked:#?}");
        let read = |file: &str| std::fs::read_to_string(ground.folder.join(file)).unwrap();
        assert_eq!(read("side").trim(), runs.digest().as_str(), "{asked:#?}");
        // The tag names what the update or the put-back of the service itself left.
        let tag = ground.plan.service_tag.replace(['/', ':'], "_");
        let named = if bad { &ids[0] } else { &ids[1] };
        assert_eq!(
            read(&format!("images/{tag}")).trim(),
            named.digest().as_str()
        );
        let left = asked.iter().filter(|one| one.contains("htui-aside-"));
        assert!(left.count() % 3 == 0, "{asked:#?}");
        assert!(!ground.folder.join("state/jobs/7c1/lent").exists());
        for one in &asked {
            assert!(ground.is_shown(one), "{one}: {asked:#?}");
        }
    }
}

#[test]
fn who_shares_the_network_and_whose_image_is_gone_stops_the_job_before_it_begins() {
    let mut ground = Ground::new("beside-gone", Action::Update);
    ground.plan.dependents = vec!["side".to_owned()];
    ground.write("side", ImageId(digest(9)).digest().as_str());
    let (end, asked) = ground.run();
    assert_eq!(end, "refused");
    assert_eq!(asked, Vec::<String>::new());
}

#[test]
fn a_pin_to_a_newer_image_is_no_rollback_and_what_runs_is_kept_once() {
    use crate::core::samples::day;
    let end = |from, to| {
        let mut plan = sample(Action::Pin);
        pinned(&mut plan);
        (plan.from.created, plan.to.created) = (from, to);
        match parts(&plan).last() {
            Some(Part::End(words)) => words.split(',').next().unwrap(),
            _ => "",
        }
    };
    assert_eq!(end(Some(day(1)), Some(day(2))), "recreated and pinned");
    assert_eq!(end(None, Some(day(2))), "recreated and pinned");
    assert_eq!(end(Some(day(2)), Some(day(1))), "rolled back and pinned");
    let mut plan = sample(Action::Pin);
    plan.to = plan.from.clone();
    plan.hold_tag.clone_from(&plan.keep_tag);
    let argv = argv(&plan, &[]);
    assert_eq!(argv.len(), 1, "{argv:?}");
}

#[test]
fn ways_back_that_are_let_go_are_in_the_plan_too() {
    let mut ground = Ground::new("tidy", Action::Update);
    let old: Vec<String> = (1..9)
        .map(|day| format!("2026-01-0{day}T00:00:00Z blog:htui-keep-{day} PLACE"))
        .collect();
    let place = format!("{}/web", ground.plan.target.project);
    std::fs::create_dir_all(ground.folder.join("state")).unwrap();
    ground.write("state/keeps", &old.join("\n").replace("PLACE", &place));
    let (end, asked) = ground.run();
    assert_eq!(end, "succeeded", "{asked:#?}");
    let gone = asked.iter().filter(|one| one.starts_with("rmi "));
    assert_eq!(gone.count(), 9 - ground.plan.keep_count);
    for one in &asked {
        assert!(ground.is_shown(one), "{one}: {asked:#?}");
    }
}

#[test]
fn a_script_s_words_are_those_of_its_parts() {
    let plan = sample(Action::Update);
    let whole = script(&plan);
    for part in parts(&plan) {
        assert!(whole.contains(&part.script()), "{part:?}");
    }
    assert_eq!(quote("web"), plan.target.service.as_str());
}
