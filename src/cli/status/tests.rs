#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use serde_json::{Value, json};

use super::*;
use crate::cli::samples::{NOW, fleet};
use crate::core::samples::{day, digest};

fn run(model: &Model, target: Option<&str>, wanted: Wanted) -> (Exit, String, String) {
    let target = target.map(|text| parse(text, &model.settings).unwrap());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut output = Output::new(&mut out, &mut err);
    let exit = report(model, target.as_ref(), day(NOW), wanted, &mut output).unwrap();
    (
        exit,
        String::from_utf8(out).unwrap(),
        String::from_utf8(err).unwrap(),
    )
}

fn document(model: &Model, target: Option<&str>) -> Value {
    let wanted = Wanted {
        json: true,
        exit_code: false,
    };
    let (exit, out, err) = run(model, target, wanted);
    assert_eq!((exit, err.as_str()), (Exit::Done, ""));
    serde_json::from_str(&out).unwrap()
}

#[test]
fn the_document_has_the_fields_of_schema_1() {
    let document = document(&fleet(), Some("vps/blog/web"));
    let keys =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(keys(&document), ["schema", "at", "hosts"]);
    assert_eq!(document["schema"], 1);
    assert_eq!(document["at"], "2026-01-13T00:00:00Z");
    let host = &document["hosts"][0];
    assert_eq!(
        keys(host),
        [
            "name",
            "address",
            "state",
            "error",
            "since",
            "observed_at",
            "rtt_ms",
            "could_change",
            "engine",
            "tailscale",
            "projects"
        ]
    );
    assert_eq!(host["state"], "up");
    assert_eq!(host["address"], "ssh://op@vps");
    assert_eq!(host["rtt_ms"], 12);
    assert_eq!(host["could_change"], true);
    assert_eq!(
        host["engine"],
        json!({"version": "28.5.2", "api": "1.51", "image_store": "graph", "platform": "linux/amd64"})
    );
    assert_eq!(host["projects"].as_array().unwrap().len(), 1);
    let project = &host["projects"][0];
    assert_eq!(project["kind"], "compose");
    let service = &project["services"][0];
    assert_eq!(
        keys(service),
        [
            "name",
            "image",
            "working_dir",
            "config_files",
            "environment",
            "environment_from",
            "protect",
            "containers",
            "running",
            "registry",
            "verdict",
            "why",
            "note",
            "last",
            "mixed",
            "builds_behind",
            "fetch_bytes",
            "config",
            "pinned"
        ]
    );
    assert_eq!(service["name"], "web");
    assert_eq!(service["working_dir"], "/opt/blog");
    assert_eq!(service["config_files"], json!(["/opt/blog/compose.yaml"]));
    assert_eq!(service["verdict"], "behind");
    assert_eq!(service["config"], "unreadable");
    assert_eq!(service["fetch_bytes"], 1);
    assert_eq!(
        service["containers"],
        json!([{
            "id": "blog-web-1", "name": "blog-web-1", "state": "running", "health": null,
            "image_id": digest(1), "started": "2026-01-01T00:00:00Z", "restarts": 0
        }])
    );
    assert_eq!(
        service["running"],
        json!({
            "image_id": digest(1), "digests": [digest(0x11)], "manifest": null, "tags": ["r.lan/me/web:latest"],
            "created": "2026-01-02T00:00:00Z", "revision": null, "version": null
        })
    );
    assert_eq!(
        service["registry"],
        json!({
            "reference": "r.lan/me/web:latest", "digest": digest(0x77), "manifest": digest(0x77),
            "created": "2026-01-10T00:00:00Z", "revision": null, "checked_at": "2026-01-11T00:00:00Z", "error": null
        })
    );
}

#[test]
fn what_is_not_known_is_null_and_said() {
    let document = document(&fleet(), None);
    let new = &document["hosts"][2];
    assert_eq!(new["state"], "down");
    for field in [
        "observed_at",
        "rtt_ms",
        "engine",
        "tailscale",
        "could_change",
    ] {
        assert_eq!(new[field], Value::Null, "{field}");
    }
    assert_eq!(new["projects"], json!([]));
    assert!(new["error"].as_str().unwrap().contains("nothing listens"));
    let nas = &document["hosts"][1];
    assert_eq!(nas["observed_at"], "2026-01-01T00:00:00Z");
    let samba = &nas["projects"][0]["services"][0];
    assert_eq!(samba["verdict"], "unknown");
    assert!(
        samba["why"]
            .as_str()
            .unwrap()
            .contains("no route to nas:22")
    );
    let lost = &document["hosts"][0]["projects"][1]["services"][0];
    assert_eq!(lost["name"], "evil\u{1b}[2J\u{202e}");
    assert!(
        lost["registry"]["error"]
            .as_str()
            .unwrap()
            .contains("refused")
    );
}

#[test]
fn the_exit_code_says_the_worst() {
    let model = fleet();
    let code = |target| {
        let wanted = Wanted {
            json: false,
            exit_code: true,
        };
        run(&model, target, wanted).0.code()
    };
    assert_eq!(code(Some("vps/blog/cache")), 0);
    assert_eq!(code(Some("vps/blog")), 3);
    assert_eq!(code(Some("vps")), 4, "a service is unknown");
    assert_eq!(code(Some("nas")), 4, "the host is down");
    assert_eq!(
        code(Some("new")),
        4,
        "the host is down and nothing is known of it"
    );
    assert_eq!(
        code(Some("new/blog/web")),
        4,
        "what a host that is down runs cannot be told"
    );
    assert_eq!(code(None), 4);
    assert_eq!(run(&model, None, Wanted::default()).0, Exit::Done);
}

#[test]
fn a_target_that_matches_nothing_lists_what_there_is() {
    let model = fleet();
    for (target, what, right) in [
        (
            "vps/blog/wbe",
            "vps/blog/wbe matches nothing",
            "did you mean vps/blog/web?",
        ),
        (
            "vps/other",
            "vps/other matches nothing",
            "there is vps/blog/cache, vps/blog/web, vps/-/",
        ),
    ] {
        let (exit, out, err) = run(&model, Some(target), Wanted::default());
        assert_eq!((exit, out.as_str()), (Exit::Usage, ""));
        assert!(err.contains(what) && err.contains(right), "{err}");
        assert!(!err.contains('\u{1b}'), "{err:?}");
    }
    for (target, right) in [
        ("vsp", "did you mean vps?"),
        ("elsewhere/x", "the hosts are vps, nas, new"),
        ("/x", "HOST/PROJECT/SERVICE"),
        ("", "HOST/PROJECT/SERVICE"),
    ] {
        let error = parse(target, &model.settings).unwrap_err().to_string();
        assert!(error.contains(right), "{error}");
    }
}

#[test]
fn the_text_is_a_table_that_cannot_steer_the_terminal() {
    let (_, out, _) = run(&fleet(), None, Wanted::default());
    assert!(!out.contains(['\u{1b}', '\u{202e}']), "{out:?}");
    insta::assert_snapshot!(out);
}

#[test]
fn a_moving_tag_in_production_is_noted_and_not_judged() {
    let mut model = fleet();
    let before = document(&model, Some("vps/blog/web"));
    let service = &before["hosts"][0]["projects"][0]["services"][0];
    assert_eq!(service["note"], Value::Null);
    for project in &mut model.judged[0].projects {
        for service in &mut project.services {
            service.environment = Some("prod".to_owned());
        }
    }
    let after = document(&model, Some("vps/blog"));
    let services = after["hosts"][0]["projects"][0]["services"].clone();
    let of = |name: &str| {
        let mut services = services.as_array().unwrap().iter();
        services.find(|service| service["name"] == name).unwrap()
    };
    let web = of("web");
    assert_eq!(web["note"], "follows :latest, which moves");
    assert_eq!(web["verdict"], service["verdict"]);
}
