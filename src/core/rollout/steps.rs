//! The steps of a job in their order: of each the part of the script that does it, and the commands which that part runs.
//!
//! What the plan shows and what the host runs are both made from this list, so neither has a command that the other
//! lacks. Another step is another [`Part`] with its word in [`super::Step`], and says there whether it changes the service;
//! what the parts call stands in the files of `script/`, and for containers of no project in `script/plain.sh`; how it is
//! called while it runs in `app::jobs`, and what the plan says of it in `app::explain::plan`.

use serde::Serialize;

use crate::core::age;

use super::Action;
use super::plan::TargetPlan;

/// One part of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The running image gets a tag, so that it stays.
    Keep,
    Fetch,
    /// Fetched only where the host lost the image since the plan was made.
    FetchMissing,
    /// The tag still names what the plan says.
    ExpectTag,
    /// It ends here where nothing new came.
    EndIfHeld,
    /// It ends here where what runs is what was fetched.
    EndIfSame,
    /// The image gone to gets a tag, so that it stays.
    Hold,
    /// As `Hold`, and that is all there is to prove.
    HoldAlone,
    WritePin,
    LiftPin,
    /// The service's tag is given to the image gone to.
    Retag,
    Recreate,
    /// Recreated though nothing differs.
    RecreateAnyway,
    /// The containers run the planned image.
    Prove,
    /// The containers run what was fetched.
    ProveFetched,
    /// The oldest ways back are let go, and what a replaced container left.
    Tidy,
    /// It succeeded; with the words of the outcome.
    End(&'static str),
}

/// A command that is run only where it is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AtNeed {
    pub when: &'static str,
    /// Words in capitals stand for what only the host knows then.
    pub argv: Vec<String>,
}

/// Returns the parts of a plan's job, in their order.
pub fn parts(plan: &TargetPlan) -> Vec<Part> {
    use Part as P;
    match plan.action {
        Action::Pull => vec![
            P::Keep,
            P::Fetch,
            P::ExpectTag,
            P::EndIfHeld,
            P::End("fetched; nothing was recreated"),
        ],
        Action::Recreate => vec![
            P::Keep,
            P::ExpectTag,
            P::RecreateAnyway,
            P::Prove,
            P::Tidy,
            P::End("recreated, proven by digest and health"),
        ],
        Action::Update => vec![
            P::Keep,
            P::Fetch,
            P::ExpectTag,
            P::EndIfSame,
            P::Recreate,
            P::ProveFetched,
            P::Tidy,
            P::End("updated, proven by digest and health"),
        ],
        Action::Rollback => rollback(plan),
        Action::Pin if plan.recreates() => rollback(plan),
        Action::Pin => vec![
            P::Keep,
            P::Hold,
            P::WritePin,
            P::End("pinned; nothing was recreated"),
        ],
        Action::Unpin if plan.pin.is_none() => vec![P::End(
            "the pin had been undone already and is lifted now; no file was changed",
        )],
        Action::Unpin => vec![
            P::LiftPin,
            P::End("the pin is gone; the service follows its tag from the next recreation on"),
        ],
        Action::Keep => vec![
            P::FetchMissing,
            P::HoldAlone,
            P::End("kept on the host as $HOLD_TAG"),
        ],
    }
}

fn rollback(plan: &TargetPlan) -> Vec<Part> {
    use Part as P;
    // A container of no project that runs by digest is made anew from that; there is no tag to give.
    let (named, words) = match (&plan.plain, &plan.pin) {
        (Some(_), _) => (
            has_tag(plan).then_some(P::Retag),
            "rolled back, proven by digest and health; not pinned: the next pull and recreation undo it",
        ),
        (None, Some(_)) if plan.action == Action::Pin && !leads_back(plan) => (
            Some(P::WritePin),
            "recreated and pinned, proven by digest and health",
        ),
        (None, Some(_)) => (
            Some(P::WritePin),
            "rolled back and pinned, proven by digest and health",
        ),
        (None, None) => (
            Some(P::Retag),
            "rolled back, proven by digest and health; not pinned: the next pull undoes it",
        ),
    };
    [P::Keep, P::FetchMissing, P::Hold]
        .into_iter()
        .chain(named)
        .chain([P::Recreate, P::Prove, P::Tidy, P::End(words)])
        .collect()
}

impl Part {
    /// Returns its part of the script.
    pub fn script(self) -> String {
        match self {
            Self::Keep => "keep",
            Self::Fetch => "pull_service",
            Self::FetchMissing => r#"if [ -z "$(id_of "$TO_ID")" ]; then pull_service; fi"#,
            Self::ExpectTag => "expect_tag",
            Self::EndIfHeld => {
                r#"if [ "$NAMED" = "$FROM_ID" ]; then drop_keep; finish unchanged "the host already held what the tag names"; fi"#
            }
            Self::EndIfSame => {
                r#"if { [ "$NAMED" = "$FROM_ID" ] || [ -n "$SAME_IMAGE" ]; } && lives; then [ "$NAMED" = "$FROM_ID" ] && drop_keep; finish unchanged "what runs is what the tag names"; fi"#
            }
            Self::Hold => "hold",
            Self::HoldAlone => {
                r#"step keep started
hold
[ "$(id_of "$HOLD_TAG")" = "$TO_ID" ] || finish halted "$HOLD_TAG does not name $TO_ID; what runs is untouched"
step keep done"#
            }
            Self::WritePin => {
                r#"pin_is_new || finish refused "the files of the pin changed since the plan was made"
before=$(other_services)
: >"$J/pinning"
pin_write || { pin_undo; finish halted "the pin could not be written; nothing was changed"; }
after=$(other_services)
if [ "$before" != "$after" ] || [ -z "$(rendered --hash "$SERVICE" 2>>"$J/err")" ]; then
  pin_undo
  finish halted "with the pin's file the project would render differently beyond $SERVICE; it was taken back and nothing was changed"
fi
leave"#
            }
            Self::LiftPin => {
                r#"[ -n "$PIN" ] || finish unchanged "it is not pinned"
pin_is_new || finish refused "the files of the pin changed since the plan was made"
: >"$J/pinning"
pin_write || { pin_undo; finish halted "the pin could not be taken back; its files are as they were"; }
leave"#
            }
            Self::Retag => {
                r#"docker_ tag "$TO_ID" "$SERVICE_TAG" || finish halted "the image could not be given the tag $SERVICE_TAG: $(last_words)""#
            }
            Self::Recreate => "recreate",
            Self::RecreateAnyway => "recreate --force-recreate",
            Self::Prove => r#"prove "$TO_ID" || put_back "$WHY""#,
            Self::ProveFetched => r#"prove "$NAMED" || put_back "$WHY""#,
            Self::Tidy => "tidy",
            Self::End(words) => return format!("finish succeeded \"{words}\"\n"),
        }
        .to_owned()
            + "\n"
    }

    /// Lists the commands that it runs where all goes well.
    ///
    /// The requests are those that make a container of no project anew.
    fn commands(self, plan: &TargetPlan, requests: &[Vec<String>]) -> Vec<Vec<String>> {
        let docker = |rest: &[&str]| words(&plan.docker, rest);
        let to = plan.to.image_id.as_ref().map(|id| id.digest().as_str());
        let one = |command: Option<Vec<String>>| command.into_iter().collect();
        match self {
            Self::Keep => {
                let from = plan.from.image_id.as_ref().map(|id| id.digest().as_str());
                let pair = from.zip(plan.keep_tag.as_deref());
                one(pair.map(|(from, keep)| docker(&["tag", from, keep])))
            }
            Self::Fetch => vec![fetch(plan)],
            Self::FetchMissing => one(plan.fetch_reference.as_ref().map(|_| fetch(plan))),
            Self::Hold | Self::HoldAlone => {
                // What runs has that very tag already.
                let tag = plan.hold_tag.as_deref();
                let pair = to.zip(tag.filter(|tag| Some(*tag) != plan.keep_tag.as_deref()));
                one(pair.map(|(to, hold)| docker(&["tag", to, hold])))
            }
            Self::Retag => one(to.map(|to| docker(&["tag", to, &plan.service_tag]))),
            Self::Recreate | Self::RecreateAnyway if plan.plain.is_some() => {
                replace(plan, requests)
            }
            Self::Recreate => up(plan, false),
            Self::RecreateAnyway => up(plan, true),
            Self::Tidy if plan.plain.is_some() => {
                let former = plan.former_name();
                vec![docker(&["stop", &former]), docker(&["rm", &former])]
            }
            Self::ExpectTag
            | Self::EndIfHeld
            | Self::EndIfSame
            | Self::WritePin
            | Self::LiftPin
            | Self::Prove
            | Self::ProveFetched
            | Self::Tidy
            | Self::End(_) => Vec::new(),
        }
    }

    /// Lists the commands that it runs only where they are needed.
    fn at_need(self, plan: &TargetPlan) -> Vec<AtNeed> {
        let docker = |when, rest: &[&str]| AtNeed {
            when,
            argv: words(&plan.docker, rest),
        };
        let keep = plan.keep_tag.as_deref();
        match self {
            Self::EndIfHeld | Self::EndIfSame => keep
                .map(|keep| docker("nothing new came", &["rmi", keep]))
                .into_iter()
                .collect(),
            Self::Recreate | Self::RecreateAnyway if plan.plain.is_none() => {
                let mut list = vec![docker(
                    "an interrupted recreation left a container",
                    &["rm", "CONTAINER"],
                )];
                if !plan.dependents.is_empty() {
                    let lent = "the tag of what restarts with it names another image than it runs: it is lent meanwhile";
                    for rest in [
                        ["tag", "RUNNING", "KEEP"].as_slice(),
                        &["tag", "NAMED", "ASIDE"],
                        &["tag", "RUNNING", "TAG"],
                        &["tag", "ASIDE", "TAG"],
                        &["rmi", "ASIDE"],
                    ] {
                        list.push(docker(lent, rest));
                    }
                }
                list
            }
            Self::Prove | Self::ProveFetched => put_back(plan),
            Self::Tidy => keep
                .map(|_| docker("there are more ways back than are kept", &["rmi", "OLDEST"]))
                .into_iter()
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// Lists the commands of a plan's job as they are run where all goes well.
pub fn argv(plan: &TargetPlan, requests: &[Vec<String>]) -> Vec<Vec<String>> {
    let parts = parts(plan).into_iter();
    parts
        .flat_map(|part| part.commands(plan, requests))
        .collect()
}

/// Lists the commands of a plan's job that are run only where they are needed.
pub fn at_need(plan: &TargetPlan) -> Vec<AtNeed> {
    let parts = parts(plan).into_iter();
    parts.flat_map(|part| part.at_need(plan)).collect()
}

fn words(base: &[String], rest: &[&str]) -> Vec<String> {
    let rest = rest.iter().map(|word| (*word).to_owned());
    base.iter().cloned().chain(rest).collect()
}

/// Tells whether the image gone to is known to be the older one.
fn leads_back(plan: &TargetPlan) -> bool {
    let telling = |time: Option<jiff::Timestamp>| time.filter(|time| age::tells(*time));
    let times = telling(plan.to.created).zip(telling(plan.from.created));
    times.is_some_and(|(to, from)| to < from)
}

/// Tells whether the service runs by a tag that can be given to an image.
fn has_tag(plan: &TargetPlan) -> bool {
    !plan.service_tag.contains('@') && !plan.service_tag.starts_with("sha256:")
}

fn fetch(plan: &TargetPlan) -> Vec<String> {
    match (&plan.fetch_reference, &plan.plain) {
        (Some(reference), _) => words(&plan.docker, &["pull", reference]),
        (None, Some(_)) => words(&plan.docker, &["pull", &plan.service_tag]),
        (None, None) => {
            let service = plan.target.service.as_str();
            words(&plan.compose, &["--progress", "plain", "pull", service])
        }
    }
}

fn up(plan: &TargetPlan, anyway: bool) -> Vec<Vec<String>> {
    let service = plan.target.service.as_str();
    let mut first = words(&plan.compose, &["up", "-d", "--no-deps", "--pull", "never"]);
    if anyway {
        first.push("--force-recreate".to_owned());
    }
    if let Some(scale) = plan.scale_to_tell() {
        first.push("--scale".to_owned());
        first.push(format!("{service}={scale}"));
    }
    first.push(service.to_owned());
    let dependents = plan.dependents.iter().map(|dependent| {
        let rest = [
            "up",
            "-d",
            "--no-deps",
            "--force-recreate",
            "--pull",
            "never",
            dependent,
        ];
        words(&plan.compose, &rest)
    });
    std::iter::once(first).chain(dependents).collect()
}

/// Lists how a container of no project is replaced; the former one stays until the new one is proven.
fn replace(plan: &TargetPlan, requests: &[Vec<String>]) -> Vec<Vec<String>> {
    let Some(plain) = &plan.plain else {
        return Vec::new();
    };
    let name = plan.target.service.as_str();
    let (new, former) = (plan.new_name(), plan.former_name());
    let restarts = plain.restart != "no";
    let seconds = plain.stop_seconds.map(|seconds| seconds.to_string());
    let mut list = requests.to_vec();
    let mut docker = |rest: &[&str]| list.push(words(&plan.docker, rest));
    if restarts {
        docker(&["update", "--restart=always", name]);
    }
    match &seconds {
        Some(seconds) => docker(&["stop", "-t", seconds, name]),
        None => docker(&["stop", name]),
    }
    docker(&["rename", name, &former]);
    docker(&["rename", &new, name]);
    docker(&["start", name]);
    if restarts {
        docker(&["update", "--restart=no", &former]);
    }
    list
}

/// Lists how the former image is brought back where the new one does not live or cannot be proven.
fn put_back(plan: &TargetPlan) -> Vec<AtNeed> {
    let when = "the new one does not live: the former is put back";
    let mut list = Vec::new();
    if let Some(keep) = plan.keep_tag.as_deref().filter(|_| has_tag(plan)) {
        list.push(words(&plan.docker, &["tag", keep, &plan.service_tag]));
    }
    match &plan.plain {
        None => list.extend(up(plan, true)),
        Some(plain) => {
            let name = plan.target.service.as_str();
            let restarts = plain.restart != "no";
            let policy = format!("--restart={}", plain.restart);
            let mut docker = |rest: &[&str]| list.push(words(&plan.docker, rest));
            if restarts {
                docker(&["update", "--restart=always", &plan.former_name()]);
            }
            docker(&["rm", "-f", name]);
            docker(&["rename", &plan.former_name(), name]);
            docker(&["start", name]);
            if restarts && plain.restart != "always" {
                docker(&["update", &policy, name]);
            }
        }
    }
    list.into_iter().map(|argv| AtNeed { when, argv }).collect()
}

#[cfg(test)]
mod tests;
