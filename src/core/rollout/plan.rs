//! The plan of one target: from what to what, by which commands, and how it is put back.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::core::digest::{ImageId, ManifestDigest, TopDigest};
use crate::core::names::{ContainerId, ServiceKey};

use super::Action;
use super::pin::{self, PinPlan};

/// How much room a fetch takes: what is fetched, and about twice as much once it is unpacked.
pub const UNPACKED: u64 = 3;

/// What stands between a container's name and the job that has to do with it, while that is not done.
pub const MARKED: &str = ".homelab-tui-";

/// An image as a plan and a journal name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageState {
    pub reference: String,
    pub digest: Option<TopDigest>,
    pub manifest: Option<ManifestDigest>,
    pub image_id: Option<ImageId>,
    pub created: Option<Timestamp>,
    pub revision: Option<String>,
}

/// What must still be true when the job begins.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Premise {
    /// The containers of the service with the image each runs.
    pub containers: BTreeMap<ContainerId, ImageId>,
    /// SHA-256 of each file that the rendering read, by path; absent files are told as such.
    pub files: BTreeMap<String, Option<String>>,
    /// SHA-256 of what the host renders the project to, which also holds what those files bring in.
    #[serde(default)]
    pub rendering: Option<String>,
    /// Whether a target before it makes its containers anew with the same images, as they hang on its network.
    #[serde(default)]
    pub recreated_before: bool,
    /// The jobs of targets before it that write pins into the same project: what they left its files as is no surprise.
    #[serde(default)]
    pub after: Vec<String>,
    /// Whether a target after it counts on what it leaves.
    #[serde(default)]
    pub followed: bool,
}

/// How long a job waits before it calls a service well, or gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patience {
    /// How long a container without health check must run without a restart.
    pub settle_seconds: u64,
    pub timeout_seconds: u64,
}

/// What replaces a container of no project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plain {
    /// The container that is replaced.
    pub container: ContainerId,
    /// Its restart policy, as `docker update` takes it.
    pub restart: String,
    /// How long it may take to stop, where that was given to it.
    pub stop_seconds: Option<u64>,
    /// The API's version in which it was read and is made anew.
    pub api: String,
    /// The reference that the new container is made with.
    pub reference: String,
}

/// The plan of one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetPlan {
    pub job: String,
    pub target: ServiceKey,
    pub action: Action,
    /// Who asked for it, as `user@machine`.
    pub by: String,
    pub reason: Option<String>,
    pub from: ImageState,
    pub to: ImageState,
    pub fetch_bytes: Option<u64>,
    /// The folder in which the commands run.
    pub folder: String,
    /// The exact commands, in their order.
    pub argv: Vec<Vec<String>>,
    /// `docker compose` with the project's files, to which the job adds its verbs.
    pub compose: Vec<String>,
    pub docker: Vec<String>,
    /// What is fetched by name where compose's own pull would fetch another image.
    pub fetch_reference: Option<String>,
    /// The tag that holds the image gone to, where nothing else on the host may name it.
    pub hold_tag: Option<String>,
    /// The tag that holds the former image.
    pub keep_tag: Option<String>,
    /// The tag that the service runs by, to which a put-back gives the former image again.
    pub service_tag: String,
    /// Services that are cut off by the recreation and are recreated after it.
    pub dependents: Vec<String>,
    /// The number of containers that the service has.
    pub scale: usize,
    /// The number that its files ask for, where they do.
    #[serde(default)]
    pub scale_of_files: Option<usize>,
    /// How many former images stay held by a tag.
    pub keep_count: usize,
    /// Whether the service's container ends by itself, with success, as a job does.
    pub one_shot: bool,
    pub premise: Premise,
    pub patience: Patience,
    pub pin: Option<PinPlan>,
    /// What is replaced, where the service is a container of no project.
    #[serde(default)]
    pub plain: Option<Plain>,
    /// Names of variables taken over from the running container; their values are in no plan.
    pub taken_over: Vec<String>,
    /// What a recreation would change beside the image: keys with how they differ, never their values.
    #[serde(default)]
    pub differences: Vec<String>,
    /// Free bytes where the engine keeps its data.
    #[serde(default)]
    pub free_bytes: Option<u64>,
    /// Names of variables that could be taken over, where only that would let the plan run.
    #[serde(default)]
    pub could_take: Vec<String>,
    pub warnings: Vec<String>,
    /// What would undo the outcome, in words.
    pub undone_by: Vec<String>,
    /// How one comes back from it, in words.
    pub undo: String,
    /// Why it may not run, if so.
    pub blocked: Option<String>,
}

impl ImageState {
    /// Makes one of which only the name is known, and the digest where the name has one.
    pub fn named_only(reference: &str) -> Self {
        let digest = reference.split_once('@').map(|(_, digest)| digest);
        Self {
            reference: reference.to_owned(),
            digest: digest.and_then(|digest| digest.parse().ok()),
            manifest: None,
            image_id: None,
            created: None,
            revision: None,
        }
    }

    /// Returns the most lasting name of the image: by digest where it has one.
    pub fn named(&self) -> String {
        match &self.digest {
            Some(digest) => {
                let repository = self.reference.parse::<crate::core::image::ImageRef>();
                repository.map_or_else(
                    |_| digest.to_string(),
                    |reference| format!("{}@{digest}", reference.repository.familiar()),
                )
            }
            None => self.reference.clone(),
        }
    }
}

impl TargetPlan {
    /// Says why it may not run, with the way out that the command line has.
    pub fn blocked_with_way_out(&self) -> Option<String> {
        let why = self.blocked.clone()?;
        Some(if self.could_take.is_empty() {
            why
        } else {
            format!("{why}; --take-environment takes them over from the running container")
        })
    }

    /// Returns what its fetch needs on the disk, with what is unpacked.
    pub fn needed_bytes(&self) -> Option<u64> {
        self.fetch_bytes.map(|bytes| bytes.saturating_mul(UNPACKED))
    }

    /// Returns the number of containers that compose has to be told, as it would make another.
    pub fn scale_to_tell(&self) -> Option<usize> {
        let as_files = self.scale_of_files.unwrap_or(1) == self.scale;
        (self.scale > 1 || !as_files).then_some(self.scale)
    }

    /// Tells whether the job is handed what it makes a container from.
    pub fn hands_over(&self) -> bool {
        self.plain.is_some() && self.recreates()
    }

    /// Returns the name under which a new container of no project is made.
    pub fn new_name(&self) -> String {
        format!("{}-new", self.former_name())
    }

    /// Returns the name of the former container while the new one is not proven.
    pub fn former_name(&self) -> String {
        format!("{}{MARKED}{}", self.target.service, self.job)
    }

    /// Tells whether both ends are the same image for this platform, however its index was published.
    pub fn same_image(&self) -> bool {
        self.from.manifest.is_some() && self.from.manifest == self.to.manifest
    }

    /// Tells whether the job makes the container anew.
    pub fn recreates(&self) -> bool {
        match self.action {
            Action::Recreate | Action::Update | Action::Rollback => true,
            Action::Pin => self.from.image_id != self.to.image_id,
            Action::Pull | Action::Unpin | Action::Keep => false,
        }
    }
}

/// One plan for one or many targets, in the order in which they run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub targets: Vec<TargetPlan>,
    /// Targets of which no plan could be made, and why.
    pub unplanned: Vec<(ServiceKey, String)>,
    /// By which rules the targets are ordered, where there are several.
    pub order_why: Option<String>,
}

impl Plan {
    /// Makes a plan of one target.
    pub fn of_one(plan: TargetPlan) -> Self {
        Self {
            targets: vec![plan],
            unplanned: Vec::new(),
            order_why: None,
        }
    }

    /// Returns the plan of the only target, if there is but one.
    pub fn only(&self) -> Option<&TargetPlan> {
        match (self.targets.as_slice(), self.unplanned.is_empty()) {
            ([one], true) => Some(one),
            _ => None,
        }
    }

    /// Tells whether all of it may run; what is blocked holds up the rest.
    pub fn may_run(&self) -> bool {
        let free = |plan: &TargetPlan| plan.blocked.is_none();
        self.unplanned.is_empty() && !self.targets.is_empty() && self.targets.iter().all(free)
    }

    /// Returns how many targets hold it up.
    pub fn in_the_way(&self) -> usize {
        let blocked = self.targets.iter().filter(|plan| plan.blocked.is_some());
        blocked.count() + self.unplanned.len()
    }

    /// Leaves out what is in the way.
    pub fn without_blocked(mut self) -> Self {
        self.targets.retain(|plan| plan.blocked.is_none());
        self.unplanned.clear();
        self
    }
}

/// Returns what has to be typed for protected services: their names, in the order of the plan.
pub fn confirmation<'a>(protected: impl Iterator<Item = &'a ServiceKey>) -> String {
    let names: Vec<&str> = protected.map(|key| key.service.as_str()).collect();
    names.join(" ")
}

/// Lets the premises allow for what targets do to those after them: whoever hangs on another one's network is
/// made anew with it, and pins of one project stand in one file.
pub fn allow_for_each_other<'a>(plans: impl Iterator<Item = &'a mut TargetPlan>) {
    let mut plans: Vec<&mut TargetPlan> = plans.collect();
    let mut anew: Vec<ServiceKey> = Vec::new();
    for at in 0..plans.len() {
        let (before, rest) = plans.split_at_mut(at);
        let Some(plan) = rest.first_mut() else {
            continue;
        };
        let same = |other: &TargetPlan| {
            other.target.host == plan.target.host
                && other.target.project == plan.target.project
                && other.folder == plan.folder
                && other.blocked.is_none()
        };
        let writers = before
            .iter_mut()
            .filter(|other| other.pin.is_some() && same(other));
        let mut last = None;
        let mut after = Vec::new();
        for writer in writers {
            writer.premise.followed = true;
            after.push(writer.job.clone());
            last.clone_from(&writer.pin);
        }
        plan.premise.after = after;
        if let (Some(own), Some(last)) = (&plan.pin, &last) {
            match pin::follow(own, plan.target.service.as_str(), last) {
                Ok(pin) => plan.pin = Some(pin),
                Err(error) => plan.blocked = Some(format!("it cannot be pinned: {error}")),
            }
        }
        plan.premise.recreated_before = anew.contains(&plan.target);
        if plan.recreates() {
            anew.extend(plan.dependents.iter().map(|service| ServiceKey {
                service: service.as_str().into(),
                ..plan.target.clone()
            }));
        }
    }
}

/// Says why a target was not begun after another one's end.
pub fn not_begun(after: &ServiceKey, how: &str) -> String {
    format!("not begun, as {after} {how}")
}

/// Makes a plan for tests.
#[cfg(test)]
pub fn sample(action: Action) -> TargetPlan {
    use crate::core::samples::digest;
    let state = |byte| ImageState {
        reference: "registry.lan:5000/blog:latest".to_owned(),
        digest: Some(TopDigest(digest(byte))),
        manifest: Some(ManifestDigest(digest(byte + 1))),
        image_id: Some(ImageId(digest(byte))),
        created: None,
        revision: None,
    };
    TargetPlan {
        job: "7c1".to_owned(),
        target: ServiceKey {
            host: "vps".into(),
            project: "blog".into(),
            service: "web".into(),
        },
        action,
        by: "op@laptop".to_owned(),
        reason: None,
        from: state(1),
        to: state(5),
        fetch_bytes: Some(18_400_000),
        folder: "/srv/blog".to_owned(),
        argv: Vec::new(),
        compose: vec!["docker".to_owned(), "compose".to_owned()],
        docker: vec!["docker".to_owned()],
        fetch_reference: None,
        hold_tag: None,
        keep_tag: Some("registry.lan:5000/blog:htui-keep-010101010101".to_owned()),
        service_tag: "registry.lan:5000/blog:latest".to_owned(),
        dependents: Vec::new(),
        scale: 1,
        scale_of_files: None,
        keep_count: 5,
        one_shot: false,
        premise: Premise::default(),
        patience: Patience {
            settle_seconds: 1,
            timeout_seconds: 10,
        },
        pin: None,
        plain: None,
        taken_over: Vec::new(),
        differences: Vec::new(),
        free_bytes: None,
        could_take: Vec::new(),
        warnings: Vec::new(),
        undone_by: Vec::new(),
        undo: String::new(),
        blocked: None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn whoever_hangs_on_the_network_of_one_before_may_have_been_made_anew() {
        let mut vpn = sample(Action::Update);
        vpn.dependents = vec!["torrent".to_owned()];
        let named = |name: &str| {
            let mut plan = sample(Action::Update);
            plan.target.service = name.into();
            plan
        };
        let allowed = |plans: &mut [TargetPlan]| -> Vec<bool> {
            allow_for_each_other(plans.iter_mut());
            plans
                .iter()
                .map(|plan| plan.premise.recreated_before)
                .collect()
        };
        let mut plans = [vpn.clone(), named("torrent"), named("blog")];
        assert_eq!(allowed(&mut plans), [false, true, false]);
        let mut plans = [named("torrent"), vpn.clone()];
        assert_eq!(allowed(&mut plans), [false, false], "it comes before");
        vpn.action = Action::Pull;
        assert_eq!(allowed(&mut [vpn, named("torrent")]), [false, false]);
    }

    #[test]
    fn pins_of_one_project_are_written_one_after_the_other_into_one_file() {
        let folder = pin::Folder {
            config_files: vec!["compose.yaml".to_owned()],
            ..pin::Folder::default()
        };
        let entry = |name: &str| pin::Entry {
            service: name.to_owned(),
            image: format!("r.lan/{name}@sha256:{}", "a".repeat(64)),
            builds: false,
            note: None,
        };
        let rollback = |name: &str| {
            let mut plan = sample(Action::Rollback);
            plan.job = format!("job-{name}");
            plan.target.service = name.into();
            plan.pin = Some(pin::set(&folder, entry(name)).unwrap());
            plan
        };
        let texts = |plan: &TargetPlan| match &plan.pin.as_ref().unwrap().changes[..] {
            [pin::FileChange::Own { before, after, .. }] => (before.clone(), after.clone()),
            other => panic!("{other:?}"),
        };
        let mut plans = [rollback("x"), rollback("y"), rollback("z")];
        allow_for_each_other(plans.iter_mut());
        let [x, y, z] = plans.each_ref().map(texts);
        assert_eq!((x.0.as_ref(), &x.1, &y.1), (None, &y.0, &z.0));
        let pinned = pin::entries(z.1.as_ref().unwrap());
        let names: Vec<&str> = pinned.iter().map(|entry| entry.service.as_str()).collect();
        assert_eq!(names, ["x", "y", "z"]);
        assert_eq!(plans[2].premise.after, ["job-x", "job-y"]);
        assert_eq!(
            plans.each_ref().map(|plan| plan.premise.followed),
            [true, true, false]
        );

        // And all of them are let go again; the last one takes the file away.
        let pinned = pin::Folder {
            own_override: z.1.clone(),
            ..folder.clone()
        };
        let unpin = |name: &str| {
            let mut plan = sample(Action::Unpin);
            plan.target.service = name.into();
            plan.pin = pin::lift(&pinned, name).unwrap();
            plan
        };
        let mut plans = [unpin("z"), unpin("x"), unpin("y")];
        allow_for_each_other(plans.iter_mut());
        let [first, second, third] = plans.each_ref().map(texts);
        assert_eq!((&first.1, &second.1), (&second.0, &third.0));
        assert_eq!((first.0, third.1), (z.1, None));

        // Another project's files are its own.
        let mut other = rollback("y");
        other.target.project = "other".into();
        let mut plans = [rollback("x"), other];
        allow_for_each_other(plans.iter_mut());
        assert_eq!(texts(&plans[1]).0, None);
        assert!(plans[1].premise.after.is_empty());
    }
}
