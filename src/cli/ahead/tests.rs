#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::app::mode::Observing;
use crate::app::msg::Msg;
use crate::app::update;
use crate::core::samples::day;
use crate::demo::Scenario;
use crate::demo::driver::Driver;

/// Travels on the demo fleet and reports.
fn travel(mut journey: Journey, json: bool) -> Result<(Exit, String, String), String> {
    let mut driver: Driver<Observing> = Driver::started(&Scenario::fleet(), day(0));
    driver.settle(Duration::from_secs(20));
    while let Some(view) = journey.next(&driver.model)? {
        update::open(&mut driver.model, view);
        driver.tell(Msg::Tick);
        assert!(driver.settle(Duration::from_secs(20)));
    }
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = report(&driver.model, json, &mut Output::new(&mut out, &mut err)).unwrap();
    Ok((
        exit,
        String::from_utf8(out).unwrap(),
        String::from_utf8(err).unwrap(),
    ))
}

fn target(text: &str) -> Target {
    Target::parse(text).unwrap()
}

fn layers_to(to: Option<&str>) -> Result<(Exit, Value), String> {
    let journey = Journey::layers(target("vps/blog/blog"), to.map(str::to_owned));
    let (exit, out, _) = travel(journey, true)?;
    Ok((exit, serde_json::from_str(&out).unwrap()))
}

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn a_download_has_the_fields_of_schema_1() {
    let (exit, document) = layers_to(None).unwrap();
    assert_eq!(exit, Exit::Done);
    assert_eq!(
        keys(&document),
        [
            "schema",
            "target",
            "reference",
            "digest",
            "manifest",
            "platform",
            "estimate",
            "why",
            "fetch_bytes",
            "total_bytes",
            "config",
            "layers",
            "warnings",
            "fetch_seconds",
            "trust",
            "running_trust"
        ]
    );
    assert_eq!(document["estimate"], "exact");
    assert_eq!(document["platform"], "linux/amd64");
    assert_eq!(keys(&document["config"]), ["digest", "size", "state"]);
    let layers = document["layers"].as_array().unwrap();
    assert_eq!(
        keys(&layers[0]),
        ["digest", "size", "diff_id", "state", "created_by"]
    );
    let state = |state: &'static str| layers.iter().filter(move |layer| layer["state"] == state);
    assert_eq!((state("present").count(), state("fetch").count()), (5, 2));
    let fetched: u64 = state("fetch")
        .map(|layer| layer["size"].as_u64().unwrap())
        .sum();
    let config = document["config"]["size"].as_u64().unwrap();
    assert_eq!(document["fetch_bytes"], fetched + config);
    let trust = &document["trust"];
    assert_eq!(trust["provenance"], "present");
    assert_eq!(trust["sbom"], "absent");
    assert_eq!(trust["commit"], "b81f0aa");
    assert_eq!(document["running_trust"]["signature"], "present");
}

#[test]
fn another_image_is_meant_by_tag_digest_or_revision() {
    let (_, by_tag) = layers_to(Some("sha-77d1e0c")).unwrap();
    let digest = by_tag["digest"].as_str().unwrap();
    for text in [digest, "77d1e", "ghcr.io/me/homelab/blog:sha-77d1e0c"] {
        let (exit, document) = layers_to(Some(text)).unwrap();
        assert_eq!(exit, Exit::Done, "{text}");
        assert_eq!(document["digest"], digest, "{text}");
    }
    // What runs is here already.
    let (_, running) = layers_to(Some("9c1e2d4")).unwrap();
    assert_eq!(running["fetch_bytes"], 0);
}

#[test]
fn what_is_not_there_is_said() {
    let (exit, document) = layers_to(Some("nope")).unwrap();
    assert_eq!(exit, Exit::Broken);
    assert_eq!(document["fetch_bytes"], Value::Null);
    assert!(
        document["why"]
            .as_str()
            .unwrap()
            .contains("MANIFEST_UNKNOWN")
    );
    let error = layers_to(Some("feed")).unwrap_err();
    assert_eq!(error, "--to feed: no tag, digest or revision of it");
}

#[test]
fn more_than_one_service_is_wrong_usage_that_names_them() {
    let error = travel(Journey::tags(target("vps/blog")), true).unwrap_err();
    assert_eq!(
        error,
        "vps/blog matches 2 services, name one of: vps/blog/blog, vps/blog/cache"
    );
}

#[test]
fn ways_back_have_the_fields_of_schema_1() {
    let (exit, out, err) = travel(Journey::tags(target("vps/blog/blog")), true).unwrap();
    assert_eq!((exit, err.as_str()), (Exit::Done, ""));
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        keys(&document),
        ["schema", "target", "candidates", "caches"]
    );
    let candidates = document["candidates"].as_array().unwrap();
    for field in [
        "reference",
        "digest",
        "manifest",
        "tags",
        "family",
        "created",
        "revision",
        "last_ran",
        "where",
        "fetch_bytes",
        "running",
        "may_go",
        "trust",
    ] {
        assert!(keys(&candidates[0]).contains(&field), "{field}");
    }
    let running: Vec<&Value> = candidates
        .iter()
        .filter(|way| way["running"] == true)
        .collect();
    assert_eq!(running.len(), 1);
    assert_eq!(running[0]["tags"][0], "sha-9c1e2d4");
    assert_eq!(running[0]["where"][0], "host");
}

#[test]
fn the_texts_are_tables() {
    let (_, out, _) = travel(Journey::layers(target("vps/blog/blog"), None), false).unwrap();
    assert!(
        out.contains("RUN pip install -r requirements.txt  (the first change)"),
        "{out}"
    );
    assert!(out.contains("fetch 18.4 MB of 64.7 MB, exact"), "{out}");
    let (_, out, _) = travel(Journey::tags(target("vps/blog/blog")), false).unwrap();
    assert!(out.contains("behind by 2 builds"), "{out}");
    assert!(out.contains("runs now"), "{out}");
}

#[test]
fn a_registry_is_browsed_with_who_runs_it() {
    let (exit, out, err) = travel(Journey::registry("registry.lan:5000"), true).unwrap();
    assert_eq!((exit, err.as_str()), (Exit::Done, ""));
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(keys(&document), ["schema", "registry", "repositories"]);
    let api = &document["repositories"][0];
    for field in ["name", "tags", "newest", "bytes", "runs_on"] {
        assert!(keys(api).contains(&field), "{field}");
    }
    assert_eq!(api["name"], "api");
    assert_eq!(api["newest_tag"], "dev");
    let runs_on = api["runs_on"].as_array().unwrap();
    assert!(
        runs_on.contains(&Value::from("vps/api-prod/api")),
        "{runs_on:?}"
    );
    let (_, one, _) = travel(Journey::registry("registry.lan:5000/jobs"), true).unwrap();
    let one: Value = serde_json::from_str(&one).unwrap();
    assert_eq!(one["repositories"].as_array().unwrap().len(), 1);
    let (exit, _, err) = travel(Journey::registry("images.example"), false).unwrap();
    assert_eq!(exit, Exit::Broken);
    assert!(err.contains("connection refused"), "{err}");
}
