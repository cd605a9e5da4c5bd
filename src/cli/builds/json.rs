//! A build as JSON, in the shape that the README promises.

use serde_json::{Value, json};

use crate::core::build_log::{Build, Step, Steps};

/// Returns the build as the contract's object.
pub fn to_json(build: &Build, name: &str, source: &str, id: &str) -> Value {
    let vertices = build.vertices.map(|of| {
        json!({"total": of.total, "cached": of.cached, "failed": of.failed, "cancelled": of.cancelled})
    });
    let steps = |of: &Steps| {
        json!({"total": of.total, "cached": of.cached, "executed": of.executed, "failed": of.failed,
            "cancelled": of.cancelled})
    };
    let sources: Vec<Value> = build
        .cache_sources
        .iter()
        .map(|of| {
            let state = if of.error.is_none() {
                "imported"
            } else {
                "failed"
            };
            json!({"ref": of.reference, "state": state, "error": of.error})
        })
        .collect();
    let platforms: Vec<Value> = build
        .platforms
        .iter()
        .map(|of| json!({"platform": of.platform, "steps": steps(&of.steps), "hit_rate": of.steps.hit_rate()}))
        .collect();
    let bases: Vec<Value> = build
        .bases
        .iter()
        .map(|of| json!({"reference": of.reference, "fetched_bytes": of.fetched}))
        .collect();
    json!({
        "name": name,
        "source": source,
        "id": id,
        "status": build.status.word(),
        "started": build.started.map(|at| at.to_string()),
        "seconds": build.seconds,
        "steps": steps(&build.steps),
        "vertices": vertices,
        "hit_rate": build.hit_rate(),
        "missed_seconds": build.missed_seconds,
        "first_miss": build.first_missed_step().map(|step| &step.name),
        "cache_sources": sources,
        "image": build.image(),
        "revision": build.revision,
        "error": build.error,
        "format": build.format.word(),
        "job": build.job,
        "targets": build.targets,
        "line": build.line,
        "why_missed": build.why_missed,
        "platforms": platforms,
        "images": build.images,
        "digest": build.digest,
        "bases": bases,
        "fetched_bytes": {"base": build.fetched_base, "cache": build.fetched_cache},
        "pushed_bytes": build.pushed,
        "warnings": build.warnings,
        "warning_list": build.warning_list,
        "head_missing": build.head_missing,
        "interleaved": build.interleaved,
        "unread": build.unread,
        "unread_sample": build.unread_sample,
        "step_list": build.step_list.iter().map(step_json).collect::<Vec<_>>(),
    })
}

fn step_json(step: &Step) -> Value {
    let parts = step.parts();
    json!({
        "number": step.number,
        "name": step.name,
        "target": parts.target,
        "platform": parts.target_platform(),
        "stage": parts.stage,
        "instruction": parts.instruction,
        "state": step.state.word(),
        "seconds": step.seconds,
        "fetched_bytes": step.fetched,
    })
}
