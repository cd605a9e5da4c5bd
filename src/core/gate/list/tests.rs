#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
use proptest::prelude::*;

use super::*;
use crate::core::gate::read_head;

fn ask(method: &str, target: &str) -> Result<Allowed, Refused> {
    let text = format!("{method} {target} HTTP/1.1\r\nHost: docker\r\n\r\n");
    let head = read_head(text.as_bytes()).map_err(|error| Refused(error.to_string()))?;
    judge(&head.unwrap().0)
}

/// Every request of the engine's API, 1.24 to 1.51, with `{x}` for a name; `+` marks those on the list.
const API: &str = "
+ GET /containers/json
  POST /containers/create
+ GET /containers/{x}/json
  GET /containers/{x}/top
+ GET /containers/{x}/logs
  GET /containers/{x}/changes
  GET /containers/{x}/export
  GET /containers/{x}/stats
  POST /containers/{x}/resize
  POST /containers/{x}/start
  POST /containers/{x}/stop
  POST /containers/{x}/restart
  POST /containers/{x}/kill
  POST /containers/{x}/update
  POST /containers/{x}/rename
  POST /containers/{x}/pause
  POST /containers/{x}/unpause
  POST /containers/{x}/attach
  GET /containers/{x}/attach/ws
  POST /containers/{x}/wait
  DELETE /containers/{x}
  HEAD /containers/{x}/archive
  GET /containers/{x}/archive
  PUT /containers/{x}/archive
  POST /containers/{x}/copy
  POST /containers/prune
  POST /containers/{x}/checkpoints
  GET /containers/{x}/checkpoints
  DELETE /containers/{x}/checkpoints/{x}
+ GET /images/json
  POST /build
  POST /build/prune
  POST /build/cancel
  POST /images/create
+ GET /images/{x}/json
  GET /images/{x}/history
  POST /images/{x}/push
  POST /images/{x}/tag
  DELETE /images/{x}
  GET /images/search
  POST /images/prune
  POST /auth
+ GET /info
+ GET /version
+ GET /_ping
+ HEAD /_ping
  POST /commit
  GET /events
  GET /system/df
  GET /images/{x}/get
  GET /images/get
  POST /images/load
  POST /containers/{x}/exec
  POST /exec/{x}/start
  POST /exec/{x}/resize
  GET /exec/{x}/json
  GET /volumes
  POST /volumes/create
  GET /volumes/{x}
  PUT /volumes/{x}
  DELETE /volumes/{x}
  POST /volumes/prune
  GET /networks
  GET /networks/{x}
  DELETE /networks/{x}
  POST /networks/create
  POST /networks/{x}/connect
  POST /networks/{x}/disconnect
  POST /networks/prune
  GET /plugins
  GET /plugins/privileges
  POST /plugins/pull
  GET /plugins/{x}/json
  DELETE /plugins/{x}
  POST /plugins/{x}/enable
  POST /plugins/{x}/disable
  POST /plugins/{x}/upgrade
  POST /plugins/create
  POST /plugins/{x}/push
  POST /plugins/{x}/set
  GET /nodes
  GET /nodes/{x}
  DELETE /nodes/{x}
  POST /nodes/{x}/update
  GET /swarm
  POST /swarm/init
  POST /swarm/join
  POST /swarm/leave
  POST /swarm/update
  GET /swarm/unlockkey
  POST /swarm/unlock
  GET /services
  POST /services/create
  GET /services/{x}
  DELETE /services/{x}
  POST /services/{x}/update
  GET /services/{x}/logs
  GET /tasks
  GET /tasks/{x}
  GET /tasks/{x}/logs
  GET /secrets
  POST /secrets/create
  GET /secrets/{x}
  DELETE /secrets/{x}
  POST /secrets/{x}/update
  GET /configs
  POST /configs/create
  GET /configs/{x}
  DELETE /configs/{x}
  POST /configs/{x}/update
+ GET /distribution/{x}/json
  POST /session
  POST /grpc
  GET /debug/vars
  GET /debug/pprof/
  GET /metrics
";

fn api() -> Vec<(bool, String, String)> {
    let entries = API.lines().filter(|line| !line.trim().is_empty());
    entries
        .map(|line| {
            let (method, path) = line[2..].split_once(' ').unwrap();
            (line.starts_with('+'), method.to_owned(), path.to_owned())
        })
        .collect()
}

#[test]
fn every_request_of_the_engine_s_api_that_is_not_on_the_list_is_refused() {
    let api = api();
    assert_eq!(api.len(), 116);
    assert_eq!(api.iter().filter(|(listed, ..)| *listed).count(), 10);
    let methods = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT",
    ];
    let listed = |method: &str, path: &str| {
        api.iter()
            .any(|(listed, one, known)| *listed && one == method && known == path)
    };
    for (_, _, path) in &api {
        for name in ["web", "3fa1c2d09e41", "sha256:3fa1c2d09e41", "a/b", ".."] {
            for version in ["", "/v1.24", "/v1.41", "/v1.51", "/v9.99"] {
                // Each path by each method, not only by those that it has.
                for method in methods {
                    let target = format!("{version}{}", path.replace("{x}", name));
                    let answer = ask(method, &target);
                    // A name with a slash, or of another kind, is none of a container's.
                    let strange = name == ".."
                        || (name.contains(['/', ':']) && path.starts_with("/containers/{x}"));
                    // `/images/json/json` asks for an image of that name.
                    let expected = listed(method, path) && !(strange && path.contains("{x}"));
                    assert_eq!(answer.is_ok(), expected, "{method} {target}: {answer:?}");
                    if let Ok(allowed) = answer {
                        assert_eq!((allowed.method, &allowed.target), (method, &target));
                    }
                }
            }
        }
    }
}

#[test]
fn inspections_are_blanked_and_streams_may_last() {
    let allowed = |target: &str| ask("GET", target).unwrap();
    assert!(allowed("/v1.41/containers/web/json").blanked);
    assert!(allowed("/images/ghcr.io/me/blog:latest/json").blanked);
    assert!(allowed("/images/redis@sha256:00ff/json").blanked);
    assert!(!allowed("/containers/json?all=1").blanked);
    assert!(allowed("/containers/web/logs?follow=1&stdout=1&tail=20").endless);
    assert!(!allowed("/containers/web/logs?stdout=1&tail=20").endless);
}

#[test]
fn events_need_filters_that_name_only_containers_and_images() {
    for (filters, passes) in [
        (r#"{"type":["container","image"]}"#, true),
        (r#"{"type":{"container":true}}"#, true),
        (r#"{"type":["image"],"event":["pull"]}"#, true),
        (r#"{}"#, false),
        (r#"{"type":[]}"#, false),
        (r#"{"type":{}}"#, false),
        (r#"{"type":["container","network"]}"#, false),
        (r#"{"type":["container",1]}"#, false),
        (r#"{"type":"container"}"#, false),
        (r#"{"Type":["container"]}"#, false),
        (r#"{"event":["pull"]}"#, false),
        (r#"["type"]"#, false),
        (r#"{"type":["secret"]}"#, false),
    ] {
        let answer = ask("GET", &format!("/v1.41/events?filters={}", encode(filters)));
        assert_eq!(answer.is_ok(), passes, "{filters}");
        assert!(answer.is_err() || answer.unwrap().endless);
    }
    assert!(ask("GET", "/events").is_err());
    assert!(ask("GET", "/events?since=0").is_err());
    // Of a key that stands twice the engine gets the one that was judged.
    let twice = encode(r#"{"type":["volume"],"type":["image"]}"#);
    let target = ask("GET", &format!("/events?filters={twice}"))
        .unwrap()
        .target;
    assert!(!decode(&target).unwrap().contains("volume"), "{target}");
}

#[test]
fn paths_and_queries_with_two_readings_are_refused() {
    for target in [
        "/containers//json",
        "//containers/json",
        "/containers/json/",
        "/containers/./json",
        "/containers/../json",
        "/containers/web/../../images/json",
        "/containers/%2e%2e/json",
        "/containers/web%2fjson",
        "/containers/web/%6ason",
        "/Containers/json",
        "/containers/web;x/json",
        "/containers/web/json#x",
        "/containers/web\\json",
        "/containers/-web/json",
        "/images/../containers/web/export/json",
        "/images/a/../b/json",
        "/images/a//b/json",
        "/images/.a/json",
        "/v1.41/v1.41/info",
        "/v1.41//info",
        "/v1/info",
        "/v1.4.1/info",
        "/v1.41x/info",
        "/v1.1234/info",
        "/v-1.41/info",
        "/info?x=1",
        "/_ping?",
        "/containers/json?all=1&all=0",
        "/containers/json?ALL=1",
        "/containers/json?size=1",
        "/containers/json?a%6cl=1",
        "/containers/json?all=1;limit=2",
        "/containers/json?filters=x",
        "/containers/json?filters=%7",
        "/containers/web/json?size=1",
        "/containers/web/logs?details=1&stdout=1",
        "/containers/web/logs?stdout=1&tail=%0d%0aGET",
        "/system/df?type=volume",
        "/system/df?type=build-cache&type=volume",
        "/distribution/x/json?y=z",
    ] {
        let answer = ask("GET", target);
        if target == "/_ping?" {
            assert_eq!(answer.unwrap().target, "/_ping");
            continue;
        }
        if target.contains("%0d") {
            // Encoded line ends stay encoded, within one value of one request.
            assert!(answer.unwrap().target.ends_with("%0d%0aGET"));
            continue;
        }
        assert!(answer.is_err(), "{target}: {answer:?}");
    }
    assert!(ask("GET", "/system/df?type=build-cache").is_ok());
}

#[test]
fn a_body_or_an_upgrade_is_refused_even_where_the_path_is_listed() {
    for field in [
        "Content-Length: 1",
        "Transfer-Encoding: chunked",
        "Upgrade: h2c",
    ] {
        let text = format!("GET /info HTTP/1.1\r\n{field}\r\n\r\n");
        let (head, _) = read_head(text.as_bytes()).unwrap().unwrap();
        assert!(judge(&head).is_err(), "{field}");
    }
}

proptest! {
    /// Whatever path comes, what is let through is one of the list's, in one line, without anything to decode in it.
    #[test]
    fn what_passes_is_of_the_list(
        method in prop_oneof![Just("GET"), Just("HEAD"), Just("POST"), Just("DELETE")],
        parts in proptest::collection::vec(prop_oneof![
            Just("containers"), Just("images"), Just("json"), Just("logs"), Just("export"), Just("get"),
            Just("archive"), Just("exec"), Just("start"), Just(".."), Just("%2e%2e"), Just(""), Just("v1.41"),
            Just("events"), Just("info"), Just("_ping"), Just("web"), Just("a:b"), Just("attach"), Just("ws"),
        ], 0..6),
        query in "(\\?[a-z=&%0-9{}\":]{0,20})?",
    ) {
        let target = format!("/{}{query}", parts.join("/"));
        if let Ok(allowed) = ask(method, &target) {
            let path = allowed.target.split('?').next().unwrap();
            let (_, bare) = split_version(path);
            prop_assert!(["GET", "HEAD"].contains(&allowed.method));
            prop_assert!(LIST.iter().any(|entry| entry.matches(bare)));
            prop_assert!(!path.contains(['%', '\r', '\n', ' ']) && !path.contains("..") && !path.contains("//"));
            for ending in ["/export", "/get", "/archive", "/exec", "/start", "/ws", "/attach"] {
                prop_assert!(!path.ends_with(ending), "{}", path);
            }
        }
    }
}
