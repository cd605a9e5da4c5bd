//! A plan in words: from what to what, by which commands, how it is proven, what undoes it.

use crate::app::jobs::{Dialog, Stage};
use crate::app::model::Model;
use crate::core::age;
use crate::core::rollout::Action;
use crate::core::rollout::pin::How;
use crate::core::rollout::plan::{ImageState, TargetPlan};
use crate::core::rollout::script as job;

use super::{Explanation, Tone, ago};

/// The numbers of the commands; a plan has fewer.
const NUMBERS: [&str; 9] = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// Returns the page of a dialog.
pub fn page(model: &Model, dialog: &Dialog) -> Explanation {
    let target = &dialog.wish.target;
    let word = if dialog.wish.only_config {
        "config of"
    } else {
        dialog.action().word()
    };
    let title = format!(
        "{word} {} / {} / {}",
        target.host, target.project, target.service
    );
    let mut page = Explanation::new(&title);
    match &dialog.stage {
        Stage::Looking => page.toned("", "looking at the host; nothing is changed", Tone::Quiet),
        Stage::Failed(why) => page.toned("", why, Tone::Attention),
        Stage::Ready(plan) if dialog.wish.only_config => config(plan, &mut page),
        Stage::Ready(plan) => ready(model, dialog, plan, &mut page),
    }
    page
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
    page.add("from", image(model, &plan.from));
    page.add("to", goal(model, plan));
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
    for difference in &plan.differences {
        page.toned("config", difference, Tone::Attention);
    }
    for warning in &plan.warnings {
        page.toned("!", warning, Tone::Attention);
    }
    for by in &plan.undone_by {
        page.toned("!", format!("undone by {by}"), Tone::Attention);
    }
    if !plan.undo.is_empty() {
        page.add("undo", &plan.undo);
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
        Some(bytes) => format!("{} to fetch", age::bytes(bytes)),
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
    format!("{} on {} · {restarts}", plan.folder, plan.target.host)
}

/// Returns the script of a plan's job, line by line.
pub fn script(plan: &TargetPlan) -> Explanation {
    let mut page = Explanation::new(&format!("the script of job {}", plan.job));
    for line in job::script(plan).lines() {
        page.add("", line);
    }
    page
}
