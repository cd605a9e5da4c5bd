//! A build as a person reads it.

use std::io::{self, Write};

use crate::core::age;
use crate::core::build_log::Build;
use crate::core::text::{clean, clean_within};

/// Writes a build as a person reads it.
pub(super) fn describe(build: &Build, name: &str, id: &str, out: &mut dyn Write) -> io::Result<()> {
    let steps = &build.steps;
    let rate = match steps.hit_rate() {
        Some(rate) => format!(
            "{:.0} % hit ({} of {})",
            rate * 100.0,
            steps.cached,
            age::count(steps.total, "step")
        ),
        None => "no steps".to_string(),
    };
    write!(out, "{}  {}  {rate}", clean(name), build.status.word())?;
    if let Some(seconds) = build.seconds {
        write!(out, "  {}", duration(seconds))?;
    }
    writeln!(out, "  {}", clean(id))?;
    let mut counts = Vec::new();
    for (count, word) in [
        (steps.executed, "executed"),
        (steps.failed, "failed"),
        (steps.cancelled, "cancelled"),
    ] {
        if count > 0 {
            counts.push(format!("{count} {word}"));
        }
    }
    if let Some(seconds) = build.missed_seconds.filter(|seconds| *seconds > 0.0) {
        counts.push(format!("{} in missed steps", duration(seconds)));
    }
    if let Some(vertices) = build.vertices {
        counts.push(format!(
            "{} of {} vertices cached",
            vertices.cached, vertices.total
        ));
    }
    field(out, "steps", &counts.join(", "))?;
    if let Some(step) = build.first_missed_step() {
        field(out, "first miss", &step.name)?;
    }
    if let Some(why) = &build.why_missed {
        field(out, "why", why)?;
    }
    for source in &build.cache_sources {
        let state = source
            .error
            .as_ref()
            .map_or("imported".to_string(), |error| format!("failed: {error}"));
        field(out, "cache", &format!("{} {state}", source.reference))?;
    }
    for platform in &build.platforms {
        let text = format!(
            "{} {} of {} cached",
            platform.platform, platform.steps.cached, platform.steps.total
        );
        field(out, "platform", &text)?;
    }
    for (what, count) in [
        ("base images", build.fetched_base),
        ("caches", build.fetched_cache),
    ] {
        if count > 0 {
            field(
                out,
                "fetched",
                &format!("{} from {what}", age::bytes(count)),
            )?;
        }
    }
    for image in &build.images {
        field(out, "image", image)?;
    }
    if let Some(error) = &build.error {
        field(out, "error", error)?;
    }
    if build.warnings > 0 {
        field(out, "warnings", &build.warnings.to_string())?;
    }
    let notes = [
        (
            build.head_missing,
            "the beginning of the build is not in the log",
        ),
        (
            build.interleaved,
            "lines of another build stood between: who did what is a guess",
        ),
    ];
    for (_, note) in notes.iter().filter(|(applies, _)| *applies) {
        field(out, "note", note)?;
    }
    Ok(())
}

fn field(out: &mut dyn Write, label: &str, text: &str) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    writeln!(out, "  {label:<11} {}", clean_within(text, 160))
}

pub(super) fn duration(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    if whole < 3600 {
        format!("{} min {} s", whole / 60, whole % 60)
    } else {
        format!("{} h {} min", whole / 3600, whole % 3600 / 60)
    }
}
