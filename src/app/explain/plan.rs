//! A plan in words: from what to what, by which commands, how it is proven, what undoes it.

mod many;

use crate::app::jobs::{Dialog, Stage};
use crate::app::model::Model;
use crate::core::age;
use crate::core::names::{HostName, ServiceKey};
use crate::core::pace;
use crate::core::rollout::Action;
use crate::core::rollout::pin::How;
use crate::core::rollout::plan::{ImageState, Plan, TargetPlan};
use crate::core::rollout::script as job;
use crate::core::rollout::steps;

use super::{Explanation, Tone, ago};

/// The numbers of the commands; a plan has fewer.
const NUMBERS: [&str; 12] = [
    "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12",
];

/// Returns the page of a dialog.
pub fn page(model: &Model, dialog: &Dialog) -> Explanation {
    let word = if dialog.wish.only_config {
        "config of"
    } else {
        dialog.action().word()
    };
    let mut page = Explanation::new(&format!("{word} {}", meant(dialog)));
    match &dialog.stage {
        Stage::Looking => {
            let hosts = match dialog.wish.targets.len() {
                1 => "looking at the host; nothing is changed".to_owned(),
                many => format!("looking at {many} services on their hosts; nothing is changed"),
            };
            page.toned("", hosts, Tone::Quiet);
        }
        Stage::Failed(why) => page.toned("", why, Tone::Attention),
        Stage::Ready(plan) => match plan.only() {
            Some(one) if dialog.wish.only_config => config(one, &mut page),
            Some(one) => ready(model, dialog, one, &mut page),
            None => many::page(model, dialog, plan, &mut page),
        },
    }
    page
}

/// Names what the dialog is about: the one service, or how many of what.
fn meant(dialog: &Dialog) -> String {
    let keys: Vec<&ServiceKey> = match dialog.plan() {
        Some(plan) => many::keys(plan).collect(),
        None => dialog.wish.targets.iter().collect(),
    };
    match keys.as_slice() {
        [] => "nothing".to_owned(),
        [one] => format!("{} / {} / {}", one.host, one.project, one.service),
        [first, rest @ ..] => {
            let count = age::count(keys.len(), "service");
            if rest
                .iter()
                .all(|key| key.host == first.host && key.project == first.project)
            {
                format!("{count} of {} / {}", first.host, first.project)
            } else {
                let mut hosts: Vec<&HostName> = keys.iter().map(|key| &key.host).collect();
                hosts.sort();
                hosts.dedup();
                match hosts.as_slice() {
                    [one] => format!("{count} on {one}"),
                    several => format!("{count} on {}", age::count(several.len(), "host")),
                }
            }
        }
    }
}

/// Lists what the files would change beside the image, by key.
fn config(plan: &TargetPlan, page: &mut Explanation) {
    if plan.differences.is_empty() {
        match &plan.blocked {
            Some(why) => page.toned("", why, Tone::Attention),
            None => page.add("", "a recreation would change the image alone, or nothing"),
        }
    } else {
        page.add("", "beside the image a recreation would change:");
        for difference in &plan.differences {
            page.toned("", difference, Tone::Attention);
        }
    }
    if !plan.could_take.is_empty() {
        let names = plan.could_take.join(", ");
        page.gap();
        page.add(
            "from",
            format!("{names}: given by whoever deployed, and not on this host"),
        );
    }
    page.gap();
    page.add("in", format!("{} on {}", plan.folder, plan.target.host));
}

fn ready(model: &Model, dialog: &Dialog, plan: &TargetPlan, page: &mut Explanation) {
    if let Some(why) = &plan.blocked {
        page.toned("blocked", why, Tone::Danger);
        if dialog.offers_variables() {
            let names = plan.could_take.join(", ");
            page.add("", format!("t takes over {names} for this job"));
        }
        page.gap();
    }
    course(model, plan, page);
}

/// Writes from what to what, by which commands, what restarts with it and what would undo it.
fn course(model: &Model, plan: &TargetPlan, page: &mut Explanation) {
    page.add("from", image(model, &plan.from));
    page.add("to", goal(model, plan));
    if let Some(free) = plan.free_bytes {
        let mut text = format!(
            "{} free where {} keeps images",
            age::bytes(free),
            plan.target.host
        );
        if let Some(needed) = plan.needed_bytes().filter(|bytes| *bytes > 0) {
            text.push_str(&format!(
                ", about {} needed with what is unpacked",
                age::bytes(needed)
            ));
        }
        page.add("disk", text);
    }
    // Above the commands: on a small screen nobody reads what has to be scrolled to.
    for difference in &plan.differences {
        page.toned("config", difference, Tone::Attention);
    }
    for warning in &plan.warnings {
        page.toned("!", warning, Tone::Attention);
    }
    for by in &plan.undone_by {
        page.toned("!", format!("undone by {by}"), Tone::Attention);
    }
    page.gap();
    for (argv, number) in plan.argv.iter().zip(NUMBERS) {
        page.add(number, job::command_line(argv));
    }
    if plan.argv.len() > NUMBERS.len() {
        page.toned("", "and more; the job's script has all", Tone::Quiet);
    }
    if plan.recreates() {
        page.add("wait", wait(plan));
        page.add("prove", prove(plan));
    }
    page.gap();
    page.add("in", place(plan));
    if let Some(pin) = &plan.pin {
        let how = match pin.how {
            How::Override => "by an override file beside the project's own",
            How::Env => "by a file and a block in .env",
        };
        let word = match plan.action {
            Action::Unpin => "lifted",
            _ => "held",
        };
        page.add("pin", format!("{word} {how}"));
    }
    if !plan.taken_over.is_empty() {
        let names = plan.taken_over.join(", ");
        page.add(
            "takes",
            format!("{names} from the running container, into the job's environment only"),
        );
    }
    if !plan.undo.is_empty() {
        page.add("undo", &plan.undo);
    }
    at_need(plan, page);
}

/// Writes the commands that are run only where they are needed, below what makes them needed.
fn at_need(plan: &TargetPlan, page: &mut Explanation) {
    let commands = steps::at_need(plan);
    if !commands.is_empty() {
        page.gap();
    }
    let mut before = "";
    for command in commands {
        if command.when != before {
            page.toned("if", command.when, Tone::Quiet);
            before = command.when;
        }
        page.toned("", job::command_line(&command.argv), Tone::Quiet);
    }
}

fn image(model: &Model, image: &ImageState) -> String {
    let digest = image
        .digest
        .as_ref()
        .map(|digest| digest.short())
        .or(image.image_id.as_ref().map(|id| id.short()))
        .unwrap_or("-");
    let mut text = format!("{digest}  {}", image.reference);
    if let Some(revision) = &image.revision {
        let short: String = revision.chars().take(12).collect();
        text.push_str(&format!("  {short}"));
    }
    if let Some(created) = image.created {
        text.push_str(&format!("  built {}", ago(model.now.wall, created)));
    }
    text
}

fn goal(model: &Model, plan: &TargetPlan) -> String {
    if plan.same_image() {
        return "the same image".to_owned();
    }
    let fetch = match plan.fetch_bytes {
        Some(0) => "nothing to fetch".to_owned(),
        Some(bytes) => {
            let host = &plan.target.host;
            format!("{} to fetch{}", age::bytes(bytes), time(model, host, bytes))
        }
        None => "how much is to be fetched is not known".to_owned(),
    };
    format!("{} · {fetch}", image(model, &plan.to))
}

fn wait(plan: &TargetPlan) -> String {
    if plan.one_shot {
        return format!(
            "until it has ended well, at most {} s",
            plan.patience.timeout_seconds
        );
    }
    format!(
        "until healthy, or {} s without a restart; at most {} s",
        plan.patience.settle_seconds, plan.patience.timeout_seconds
    )
}

fn prove(plan: &TargetPlan) -> String {
    let id = |image: &ImageState| {
        let id = image.image_id.as_ref().map(|id| id.short().to_owned());
        id.unwrap_or_else(|| "what was fetched".to_owned())
    };
    format!(
        "the running image is {}; else {} is put back and proven",
        id(&plan.to),
        id(&plan.from)
    )
}

fn place(plan: &TargetPlan) -> String {
    let others = match plan.dependents.as_slice() {
        [] => "nothing else restarts".to_owned(),
        others => format!("restarts with it: {}", others.join(", ")),
    };
    let restarts = if plan.recreates() {
        others
    } else {
        "nothing restarts".to_owned()
    };
    if plan.plain.is_some() {
        return format!("{} · {restarts}", plan.target.host);
    }
    format!("{} on {} · {restarts}", plan.folder, plan.target.host)
}

/// Says how long the host takes to fetch so much, by what it fetched before, if that is known.
fn time(model: &Model, host: &HostName, bytes: u64) -> String {
    let former = model.preview.paces.get(host).and_then(Option::as_ref);
    let seconds = former.and_then(|former| pace::seconds_for(bytes, former));
    match seconds.filter(|seconds| *seconds > 0) {
        Some(seconds) => format!(", about {} on {host}", age::duration(seconds)),
        None => String::new(),
    }
}

/// Returns the script of a plan's jobs, line by line.
pub fn script(plan: &Plan) -> Explanation {
    let title = match plan.only() {
        Some(one) => format!("the script of job {}", one.job),
        None => format!("the scripts of {}", age::count(plan.targets.len(), "job")),
    };
    let mut page = Explanation::new(&title);
    for one in &plan.targets {
        if plan.only().is_none() {
            page.gap();
            page.toned("", format!("{}: job {}", one.target, one.job), Tone::Accent);
        }
        for line in job::script(one).lines() {
            page.add("", line);
        }
    }
    page
}
