#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
use super::*;

const ID: &str = "4b9517c18aee57653bf7091635872991085f1591372b2df6b8ea52625e7162af";
const VOLUME: &str = "14fb4980387680901d186f3d5b7502d7b7e3edc4329222e35e99aa599e894b5d";

/// A container with two networks as an engine shows it that lists the short Id as an alias.
fn shown_by_20_10() -> Look {
    Look {
        api: (1, 41),
        host_name: "nas".to_owned(),
        container: json!({
            "Id": ID, "Name": "/web", "Image": format!("sha256:{}", "a".repeat(64)),
            "State": {"Status": "running"}, "SizeRw": 20_480,
            "Config": {
                "Hostname": "4b9517c18aee", "Domainname": "", "User": "", "Tty": false,
                "Env": ["MINE=ü", "IMG=1", "KEEP=same", "PATH=/bin"],
                "Cmd": ["run", "1"], "Entrypoint": ["/sh"], "Image": "r.lan:5000/one:latest",
                "Volumes": {"/cache": {}, "/own": {}}, "WorkingDir": "/tmp", "OnBuild": null,
                "ExposedPorts": {"80/tcp": {}, "81/tcp": {}}, "MacAddress": "02:42:aa:bb:cc:dd",
                "Labels": {"of": "1", "mine": "yes"}, "StopSignal": "SIGKILL", "StopTimeout": 7,
                "Healthcheck": {"Test": ["CMD", "/true"], "Interval": 1_000_000_000}
            },
            "HostConfig": {
                "Binds": ["web-data:/data", "/srv/x:/bound:ro"], "NetworkMode": "one",
                "PortBindings": {"81/tcp": [{"HostIp": "", "HostPort": "8081"}]},
                "RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0},
                "AutoRemove": false, "Links": null, "CapAdd": ["NET_ADMIN"], "Memory": 104_857_600
            },
            "Mounts": [
                {"Type": "volume", "Name": VOLUME, "Destination": "/cache", "Mode": "", "RW": true},
                {"Type": "volume", "Name": "web-data", "Destination": "/data", "RW": true},
                {"Type": "bind", "Source": "/srv/x", "Destination": "/bound", "RW": false}
            ],
            "NetworkSettings": {"Networks": {
                "two": {"IPAMConfig": {}, "Links": null, "Aliases": ["zwei", "4b9517c18aee"], "DriverOpts": {}, "NetworkID": "2"},
                "one": {"IPAMConfig": {"IPv4Address": "10.77.1.9"}, "Aliases": ["al", "4b9517c18aee"], "NetworkID": "1", "MacAddress": "02:42:aa:bb:cc:dd", "DriverOpts": null}
            }}
        }),
        image: json!({"Config": {
            "Env": ["PATH=/bin", "IMG=1", "KEEP=same"], "Cmd": ["run", "1"], "Entrypoint": ["/sh"],
            "Labels": {"of": "1"}, "WorkingDir": "/tmp", "ExposedPorts": {"80/tcp": {}},
            "Volumes": {"/cache": {}}, "StopSignal": "SIGKILL", "User": "",
            "Healthcheck": {"Test": ["CMD", "/true"], "Interval": 2_000_000_000_u64}
        }}),
        ..Look::default()
    }
}

/// The same container as a younger engine shows it.
fn shown_by_28_5() -> Look {
    let mut look = shown_by_20_10();
    look.api = (1, 51);
    look.container["NetworkSettings"]["Networks"] = json!({
        "two": {"IPAMConfig": {}, "Links": null, "Aliases": ["zwei"], "MacAddress": "6e:e6:df:b5:99:32", "DriverOpts": {}, "GwPriority": 5, "DNSNames": ["web", "zwei", "4b9517c18aee"]},
        "one": {"IPAMConfig": {"IPv4Address": "10.77.1.9"}, "Links": null, "Aliases": ["al"], "MacAddress": "02:42:aa:bb:cc:dd", "DriverOpts": null, "GwPriority": 0, "DNSNames": ["web", "al", "4b9517c18aee"]}
    });
    look
}

fn made(look: &Look) -> Vec<Request> {
    requests(look, "r.lan:5000/one:latest", "web.homelab-tui-7-new").unwrap()
}

#[test]
fn what_the_image_had_set_is_left_to_the_new_image() {
    let list = made(&shown_by_20_10());
    assert_eq!(list[0].path, "containers/create?name=web.homelab-tui-7-new");
    let body = &list[0].body;
    assert_eq!(body["Env"], json!(["MINE=ü"]));
    assert_eq!(body["Labels"], json!({"mine": "yes"}));
    assert_eq!(body["ExposedPorts"], json!({"81/tcp": {}}));
    assert_eq!(body["Volumes"], json!({"/own": {}}));
    assert_eq!(body["Healthcheck"], json!({"Interval": 1_000_000_000}));
    assert_eq!(body["Image"], "r.lan:5000/one:latest");
    assert_eq!(body["StopTimeout"], 7);
    for key in [
        "Cmd",
        "Entrypoint",
        "WorkingDir",
        "User",
        "StopSignal",
        "Hostname",
        "OnBuild",
    ] {
        assert_eq!(body.get(key), None, "{key}");
    }
    let host = &body["HostConfig"];
    assert_eq!(host["CapAdd"], json!(["NET_ADMIN"]));
    assert_eq!(host["Memory"], 104_857_600);
    assert_eq!(
        host["Binds"],
        json!([
            "web-data:/data",
            "/srv/x:/bound:ro",
            format!("{VOLUME}:/cache")
        ])
    );
}

#[test]
fn an_older_engine_is_given_one_network_and_joined_to_the_others() {
    let list = made(&shown_by_20_10());
    assert_eq!(
        list[0].body["NetworkingConfig"]["EndpointsConfig"],
        json!({"one": {"IPAMConfig": {"IPv4Address": "10.77.1.9"}, "Aliases": ["al"]}})
    );
    assert_eq!(list[0].body["MacAddress"], "02:42:aa:bb:cc:dd");
    assert_eq!(list.len(), 2);
    assert_eq!(list[1].path, "networks/two/connect");
    assert_eq!(
        list[1].body,
        json!({"Container": "web.homelab-tui-7-new", "EndpointConfig": {"Aliases": ["zwei"]}})
    );
}

#[test]
fn a_younger_engine_is_given_all_networks_at_once() {
    let list = made(&shown_by_28_5());
    assert_eq!(list.len(), 1);
    assert_eq!(list[0].body.get("MacAddress"), None);
    assert_eq!(
        list[0].body["NetworkingConfig"]["EndpointsConfig"],
        json!({
            "one": {"IPAMConfig": {"IPv4Address": "10.77.1.9"}, "Aliases": ["al"], "MacAddress": "02:42:aa:bb:cc:dd"},
            "two": {"Aliases": ["zwei"], "GwPriority": 5}
        })
    );
}

#[test]
fn a_command_and_an_entry_point_of_one_s_own_are_kept() {
    let case = |own: Value, image: Value| {
        let mut look = shown_by_28_5();
        for key in ["Entrypoint", "Cmd"] {
            look.container["Config"][key] = own[key].clone();
            look.image["Config"][key] = image[key].clone();
        }
        let body = made(&look).remove(0).body;
        (body.get("Entrypoint").cloned(), body.get("Cmd").cloned())
    };
    let image = json!({"Entrypoint": ["/e"], "Cmd": ["c"]});
    // A command was given.
    assert_eq!(
        case(
            json!({"Entrypoint": ["/e"], "Cmd": ["mine"]}),
            image.clone()
        ),
        (None, Some(json!(["mine"])))
    );
    // An entry point was given, and no command.
    assert_eq!(
        case(json!({"Entrypoint": ["/mine"], "Cmd": null}), image.clone()),
        (Some(json!(["/mine"])), Some(Value::Null))
    );
    // The image's own entry point was given, which takes its command away.
    assert_eq!(
        case(json!({"Entrypoint": ["/e"], "Cmd": null}), image.clone()),
        (Some(json!(["/e"])), Some(Value::Null))
    );
    // The entry point was taken away, with a command that only looks like the image's.
    assert_eq!(
        case(json!({"Entrypoint": null, "Cmd": ["c"]}), image),
        (Some(json!([""])), Some(json!(["c"])))
    );
    // Neither has any.
    assert_eq!(
        case(
            json!({"Entrypoint": null, "Cmd": ["c"]}),
            json!({"Cmd": ["c"]})
        ),
        (None, None)
    );
}

#[test]
fn the_network_of_another_goes_without_names_ports_and_networks() {
    let mut look = shown_by_28_5();
    look.container["HostConfig"]["NetworkMode"] = json!("container:abc");
    look.container["Config"]["Hostname"] = json!("other");
    let body = made(&look).remove(0).body;
    assert_eq!(body.get("Hostname"), None);
    assert_eq!(body.get("ExposedPorts"), None);
    assert_eq!(body["NetworkingConfig"], json!({"EndpointsConfig": {}}));
    let mut look = shown_by_28_5();
    look.container["HostConfig"]["NetworkMode"] = json!("host");
    look.container["Config"]["Hostname"] = json!("nas");
    assert_eq!(made(&look)[0].body.get("Hostname"), None);
    look.container["Config"]["Hostname"] = json!("mine");
    assert_eq!(made(&look)[0].body["Hostname"], "mine");
}

#[test]
fn networks_that_were_left_are_not_joined_again() {
    let mut look = shown_by_28_5();
    look.container["HostConfig"]["NetworkMode"] = json!("bridge");
    let body = made(&look).remove(0).body;
    assert_eq!(body["HostConfig"]["NetworkMode"], "two");
    look.container["NetworkSettings"]["Networks"] = json!({});
    assert!(requests(&look, "x", "y").is_err());
    // The usual network takes no aliases.
    look.container["NetworkSettings"]["Networks"] =
        json!({"bridge": {"Aliases": ["a", "4b9517c18aee"], "IPAMConfig": null}});
    let body = made(&look).remove(0).body;
    assert_eq!(
        body["NetworkingConfig"]["EndpointsConfig"],
        json!({"bridge": {"MacAddress": "02:42:aa:bb:cc:dd"}})
    );
}

#[test]
fn an_anonymous_volume_of_a_mount_gets_its_name() {
    let mut look = shown_by_28_5();
    look.container["HostConfig"]["Mounts"] =
        json!([{"Type": "volume", "Target": "/cache/"}, {"Type": "tmpfs", "Target": "/t"}]);
    let host = made(&look).remove(0).body["HostConfig"].clone();
    assert_eq!(host["Mounts"][0]["Source"], VOLUME);
    assert_eq!(host["Mounts"][1].get("Source"), None);
    assert_eq!(host["Binds"].as_array().unwrap().len(), 2);
    look.container["Mounts"][0]["RW"] = json!(false);
    look.container["HostConfig"]["Mounts"] = Value::Null;
    look.container["HostConfig"]["Binds"] = Value::Null;
    let binds = made(&look).remove(0).body["HostConfig"]["Binds"].clone();
    assert_eq!(binds[0], format!("{VOLUME}:/cache:ro"));
}

#[test]
fn what_is_handed_over_is_ascii_with_its_length_before_it() {
    let text = handed_over(&made(&shown_by_20_10()));
    let (length, rest) = text.reveal().split_once('\n').unwrap();
    assert_eq!(length.parse::<usize>().unwrap(), rest.len());
    assert!(rest.is_ascii());
    assert_eq!(rest.lines().count(), 2);
    for (line, request) in rest.lines().zip(made(&shown_by_20_10())) {
        let (path, body) = line.split_once(' ').unwrap();
        assert_eq!(path, request.path);
        assert_eq!(serde_json::from_str::<Value>(body).unwrap(), request.body);
    }
    assert_eq!(encoded("a b/ü"), "a%20b%2F%C3%BC");
    assert!(!format!("{:?} {text:?}", shown_by_20_10()).contains("MINE"));
}

#[test]
fn obstacles_are_said() {
    assert_eq!(shown_by_28_5().obstacle(), None);
    let with = |change: &dyn Fn(&mut Look)| {
        let mut look = shown_by_28_5();
        change(&mut look);
        look.obstacle().unwrap_or_default()
    };
    let said = with(&|look| look.container["HostConfig"]["AutoRemove"] = json!(true));
    assert!(said.contains("--rm"), "{said}");
    let said = with(&|look| look.container["State"]["Status"] = json!("exited"));
    assert!(said.contains("exited"), "{said}");
    let said = with(&|look| look.image = Value::Null);
    assert!(said.contains("no longer shows"), "{said}");
    let said = with(&|look| look.api = (1, 38));
    assert!(said.contains("1.38"), "{said}");
    let leaning = |modes: &[&str], links: &[&str]| Other {
        id: "ffff".to_owned(),
        name: "/side".to_owned(),
        modes: modes.iter().map(|mode| (*mode).to_owned()).collect(),
        links: links.iter().map(|link| (*link).to_owned()).collect(),
    };
    for other in [
        leaning(&[&format!("container:{ID}")], &[]),
        leaning(&["", "container:web"], &[]),
        leaning(&[], &["/web:/side/w"]),
    ] {
        let said = with(&|look| look.others = vec![other.clone()]);
        assert!(said.starts_with("side would be cut off"), "{said}");
    }
    let other = leaning(&["container:webby"], &["/webby:/side/web"]);
    assert_eq!(with(&|look| look.others = vec![other.clone()]), "");
}

#[test]
fn an_image_by_its_id_and_the_restart_policy_are_told() {
    let mut look = shown_by_28_5();
    assert!(!look.by_id());
    for own in [
        "aaaaaaaaaaaa".to_owned(),
        format!("sha256:{}", "a".repeat(64)),
    ] {
        look.container["Config"]["Image"] = json!(own);
        assert!(look.by_id(), "{own}");
    }
    assert_eq!(look.restart(), "unless-stopped");
    look.container["HostConfig"]["RestartPolicy"] =
        json!({"Name": "on-failure", "MaximumRetryCount": 3});
    assert_eq!(look.restart(), "on-failure:3");
    look.container["HostConfig"]["RestartPolicy"] = json!({"Name": ""});
    assert_eq!(look.restart(), "no");
    assert!(look.losses()[0].contains("20.5 kB"), "{:?}", look.losses());
    let left = |name: &str| Other {
        name: name.to_owned(),
        ..Other::default()
    };
    look.others = [
        "/web.homelab-tui-7-0",
        "/web.homelab-tui-7-0-new",
        "/webby.homelab-tui-8",
    ]
    .map(left)
    .to_vec();
    let said = look.losses().join("; ");
    assert_eq!(said.matches("died at it").count(), 1, "{said}");
    assert!(said.contains("job 7-0 died"), "{said}");
    // Between its stop and its start it died: the next job has to be let in to bring that to its end.
    look.container["State"]["Status"] = json!("exited");
    assert_eq!(look.obstacle(), None);
    look.others.clear();
    let stopped = look.obstacle().unwrap();
    assert!(stopped.contains("only a container that runs"), "{stopped}");
}
