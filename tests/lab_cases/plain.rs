//! Containers of no project on real engines: another image in the same clothes, and the former one when that fails.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::acting::Console;
use crate::support::{Host, Image, Lab, Layer, fresh_seed, unique};

const STATE: &str = "/root/.local/state/homelab-tui/host";
const SECRET: &str = "s3cr3t-ü'\"-of-nobody";

/// A container made by hand with all that one can be given; it goes with what belongs to it.
struct Plain {
    host: Host,
    name: String,
    repo: String,
    reference: String,
    target: String,
}

impl Drop for Plain {
    fn drop(&mut self) {
        let name = &self.name;
        self.host.try_sh(&format!(
            "docker ps -aq --filter name={name} | xargs -r docker rm -fv; docker network rm {name}-a {name}-b; docker volume ls -q --filter name={name} | xargs -r docker volume rm; rm -rf /srv/{name}"
        ));
    }
}

fn image(lab: &Lab, version: &str) -> Image {
    Image::busybox(lab)
        .layer(Layer::random(fresh_seed(), 4096))
        .created(&format!("2026-0{version}-01T00:00:00Z"))
        .label("of", version)
        .config("Env", json!([format!("IMG={version}"), "KEEP=same"]))
        .config("ExposedPorts", json!({"80/tcp": {}}))
        .config("Volumes", json!({"/cache": {}}))
        .config("WorkingDir", json!("/tmp"))
        .config("Cmd", json!([format!("version-{version}")]))
}

impl Plain {
    fn new(lab: &Lab, host: &str) -> Self {
        let host = lab.host(host);
        let name = unique("plain");
        let registry = lab.registry("plain");
        registry.push(&name, "latest", &image(lab, "1").build());
        let reference = registry.reference(&name, "latest");
        let subnet = fresh_seed() / 7 % 200;
        host.sh(&format!(
            r#"set -e; mkdir -p /srv/{name}; echo bound >/srv/{name}/file
docker network create --subnet 10.99.{subnet}.0/24 {name}-a; docker network create {name}-b
docker run -d --name {name} --network {name}-a --network-alias first --ip 10.99.{subnet}.9 --mac-address 02:42:aa:bb:cc:{subnet:02x} \
  -p 127.0.0.1::80 -v {name}-data:/data -v /cache -v /srv/{name}:/bound:ro --tmpfs /scratch \
  -e MINE={secret} --label mine=yes --restart unless-stopped --health-cmd 'busybox true' --health-interval 1s \
  --cap-add NET_ADMIN --memory 100m --hostname box --ulimit nofile=1000 --stop-timeout 5 {reference}
docker network connect --alias second {name}-b {name}
docker exec {name} busybox sh -c 'echo kept >/cache/x; echo data >/data/x; echo lost >/written'"#,
            secret = quoted(SECRET)
        ));
        Self {
            target: format!("{}/-/{name}", host.name),
            repo: name.clone(),
            host,
            name,
            reference,
        }
    }

    fn push(&self, lab: &Lab, image: &Image) {
        lab.registry("plain")
            .push(&self.repo, "latest", &image.build());
    }

    fn inspect(&self) -> Value {
        self.host.inspect("container", &self.name)
    }

    /// The only container whose name begins as this one's, and its image.
    fn only(&self) -> String {
        let filter = format!("name={}", self.name);
        let list = self.host.docker(&[
            "ps",
            "-a",
            "--filter",
            &filter,
            "--format",
            "{{.Names}} {{.State}}",
        ]);
        assert_eq!(list, format!("{} running", self.name));
        self.inspect()["Image"].as_str().unwrap().to_owned()
    }

    /// Waits for the end of the last job on it, and gives the journal's last line.
    fn ended(&self) -> Value {
        let begun = Instant::now();
        loop {
            let own = format!("/-/{}\"", self.name);
            let text = self
                .host
                .sh(&format!("grep -F '{own}' {STATE}/journal.jsonl || true"));
            let last = text.lines().last().map(|line| {
                let line: Value = serde_json::from_str(line).unwrap();
                line
            });
            if let Some(last) = last.filter(|line| !line["outcome"].is_null()) {
                return last;
            }
            assert!(begun.elapsed() < Duration::from_secs(90), "no end: {text}");
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    fn says(&self, command: &str) -> String {
        self.host
            .docker(&["exec", &self.name, "busybox", "sh", "-c", command])
    }
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// What was given to a container, without what the engine and the image make of it.
fn given(inspect: &Value) -> Value {
    let id = inspect["Id"].as_str().unwrap();
    let mut config = inspect["Config"].clone();
    let image = ["Image", "Cmd", "Labels", "Env"];
    for key in image {
        config.as_object_mut().unwrap().remove(key);
    }
    config["mine"] = inspect["Config"]["Labels"]["mine"].clone();
    let mut host = inspect["HostConfig"].clone();
    host.as_object_mut().unwrap().remove("Binds");
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut mounts: Vec<String> = list(&inspect["Mounts"])
        .iter()
        .map(|mount| {
            format!(
                "{} {} {}",
                mount["Source"], mount["Destination"], mount["RW"]
            )
        })
        .collect();
    mounts.sort();
    let networks = inspect["NetworkSettings"]["Networks"].as_object().unwrap();
    let networks: Vec<Value> = ["-a", "-b"]
        .iter()
        .map(|end| {
            networks
                .iter()
                .find(|(name, _)| name.ends_with(end))
                .unwrap()
        })
        .map(|(name, own)| {
            let aliases: Vec<Value> = list(&own["Aliases"])
                .into_iter()
                .filter(|alias| !id.starts_with(alias.as_str().unwrap()))
                .collect();
            let fixed = name.ends_with("-a");
            let mac = fixed.then(|| own["MacAddress"].clone());
            let ip = fixed.then(|| own["IPAddress"].clone());
            json!([name, aliases, mac, ip])
        })
        .collect();
    json!({"config": config, "host": host, "mounts": mounts, "networks": networks})
}

fn anew_and_back(host: &str) {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let plain = Plain::new(&lab, host);
    let before = plain.inspect();
    plain.push(&lab, &image(&lab, "2"));

    let dry = console.run(&["update", &plain.target, "--dry-run", "--json"]);
    assert_eq!((dry.code, dry.lines.len()), (0, 1), "{}", dry.text);
    let said = dry.plan()["warnings"].to_string();
    assert!(said.contains("outside of its volumes is lost"), "{said}");
    assert!(!dry.text.contains("s3cr3t"), "{}", dry.text);
    assert_eq!(
        plain.inspect()["Id"],
        before["Id"],
        "a dry run does nothing"
    );

    let update = console.run(&["update", &plain.target, "--yes", "--json"]);
    assert_eq!(
        (update.code, update.outcome()),
        (0, "succeeded"),
        "{}",
        update.text
    );
    let image = plain.only();
    assert_eq!(update.plan()["to"]["image_id"], image.as_str());
    let after = plain.inspect();
    assert_eq!(given(&after), given(&before));
    let environment = after["Config"]["Env"].to_string();
    assert!(environment.contains("IMG=2") && environment.contains("of-nobody"));
    assert_eq!(after["Config"]["Labels"]["of"], "2");
    assert_eq!(after["Config"]["Cmd"], json!(["version-2"]));
    assert_eq!(after["Config"]["Image"], plain.reference.as_str());
    assert_eq!(
        plain.says("cat /cache/x /data/x /bound/file"),
        "kept\ndata\nbound"
    );
    assert_eq!(plain.says("printf %s \"$MINE\""), SECRET);
    let found = plain.host.sh(&format!(
        "grep -rlF s3cr3t {STATE} /tmp /run/lock 2>/dev/null || true"
    ));
    assert_eq!(found, "", "values are in no file");

    let again = console.run(&["update", &plain.target, "--yes", "--json"]);
    assert_eq!(
        (again.code, again.outcome()),
        (0, "unchanged"),
        "{}",
        again.text
    );

    let back = console.run(&["rollback", &plain.target, "--yes", "--json"]);
    assert_eq!(
        (back.code, back.outcome()),
        (0, "succeeded"),
        "{}",
        back.text
    );
    assert!(back.plan()["warnings"].to_string().contains("not pinned"));
    assert_eq!(plain.only(), before["Image"].as_str().unwrap());
    let after = plain.inspect();
    assert_eq!(given(&after), given(&before));
    assert_eq!(after["Config"]["Env"], before["Config"]["Env"]);
    assert_eq!(plain.says("cat /cache/x"), "kept");

    let pin = console.run(&["pin", &plain.target, "--yes", "--json"]);
    assert_eq!((pin.code, pin.outcome()), (5, "refused"), "{}", pin.text);
}

#[test]
fn a_plain_container_is_made_anew_and_rolled_back_on_20_10() {
    anew_and_back("old");
}

#[test]
fn a_plain_container_is_made_anew_and_rolled_back_on_28_5_with_containerd() {
    anew_and_back("ctd28");
}

fn put_back(host: &str) {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let plain = Plain::new(&lab, host);
    let before = plain.inspect();
    let broken = image(&lab, "2").config("Entrypoint", json!(["/bin/busybox", "false"]));
    plain.push(&lab, &broken);
    let update = console.run(&["update", &plain.target, "--yes", "--json"]);
    assert_eq!(
        (update.code, update.outcome()),
        (1, "put-back"),
        "{}",
        update.text
    );
    let after = plain.inspect();
    assert_eq!(after["Id"], before["Id"], "the very container is back");
    assert_eq!(plain.only(), before["Image"].as_str().unwrap());
    assert_eq!(given(&after), given(&before));
    assert_eq!(plain.says("cat /cache/x /written"), "kept\nlost");
    assert_eq!(plain.ended()["outcome"], "put-back");
    // One that cannot even be made touches nothing that runs.
    let nowhere = image(&lab, "3").config("Entrypoint", json!(["/not-there"]));
    plain.push(&lab, &nowhere);
    let update = console.run(&["update", &plain.target, "--yes", "--json"]);
    assert_eq!(
        (update.code, update.outcome()),
        (1, "put-back"),
        "{}",
        update.text
    );
    assert_eq!(plain.inspect()["Id"], before["Id"]);
    assert_eq!(
        plain.inspect()["HostConfig"]["RestartPolicy"],
        before["HostConfig"]["RestartPolicy"]
    );
}

#[test]
fn the_former_container_is_put_back_on_20_10() {
    put_back("old");
}

#[test]
fn the_former_container_is_put_back_on_28_5_with_containerd() {
    put_back("ctd28");
}

#[test]
fn a_console_killed_in_the_middle_leaves_the_job_to_its_end() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let plain = Plain::new(&lab, "ctd28");
    let first = plain.only();
    plain.push(&lab, &image(&lab, "2"));
    let mut child = lab
        .console_with(
            &console.config,
            &["update", &plain.target, "--yes", "--json"],
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let seen = lines
        .by_ref()
        .any(|line| line.unwrap().contains(r#""step":"recreate""#));
    assert!(seen, "the job began to recreate");
    child.kill().unwrap();
    child.wait().unwrap();
    let ended = plain.ended();
    assert_eq!(ended["outcome"], "succeeded", "{ended}");
    assert_ne!(plain.only(), first);
    let jobs = console.run(&["jobs", "ctd28", "--json"]);
    assert!(jobs.text.contains(&plain.target), "{}", jobs.text);
}

/// Waits until the job that works on the container said a word, and returns its folder's name.
fn wait_for(plain: &Plain, word: &str) -> String {
    let jobs = plain.host.dir().join(&STATE[1..]).join("jobs");
    let own = format!("\nSERVICE={}\n", plain.name);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(90) {
        for job in fs::read_dir(&jobs).into_iter().flatten().flatten() {
            let read = |name: &str| fs::read_to_string(job.path().join(name)).unwrap_or_default();
            if read("run").contains(&own) && read("rc").is_empty() && read("out").contains(word) {
                return job.file_name().to_string_lossy().into_owned();
            }
        }
        std::thread::sleep(Duration::from_millis(15));
    }
    panic!("no job said {word}");
}

/// Kills processes of the job that works on the container as soon as it said a word.
fn kill_at(plain: &Plain, word: &str, processes: &str) {
    let folder = wait_for(plain, word);
    plain.host.sh(&format!(
        "for p in /proc/[0-9]*; do if tr '\\0' ' ' <$p/cmdline 2>/dev/null | grep -q '{folder}/[r]un{processes}'; then kill -9 ${{p#/proc/}}; fi; done"
    ));
}

#[test]
fn a_job_killed_in_the_middle_puts_the_former_container_back() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let plain = Plain::new(&lab, "old");
    let before = plain.inspect();
    plain.push(&lab, &image(&lab, "2"));
    let run = console.run(&["update", &plain.target, "--yes", "--json", "--no-wait"]);
    assert_eq!(run.code, 0, "{}", run.text);
    kill_at(&plain, "@step recreate started", " work");
    let ended = plain.ended();
    assert_eq!(ended["outcome"], "put-back", "{ended}");
    assert_eq!(plain.inspect()["Id"], before["Id"]);
    assert_eq!(plain.only(), before["Image"].as_str().unwrap());
    assert_eq!(given(&plain.inspect()), given(&before));

    // With nobody left to put it back, as after a crash of the host, the next job finds what is there.
    let run = console.run(&["recreate", &plain.target, "--yes", "--json", "--no-wait"]);
    assert_eq!(run.code, 0, "{}", run.text);
    kill_at(&plain, "@step recreate started", "");
    let jobs = console.run(&["jobs", "old", "--json"]);
    assert!(jobs.text.contains(&plain.target), "{}", jobs.text);
    let again = console.run(&["recreate", &plain.target, "--yes", "--json"]);
    assert_eq!(
        (again.code, again.outcome()),
        (5, "refused"),
        "{}",
        again.text
    );
    assert!(
        again.why().contains("had died at it or given up"),
        "{}",
        again.why()
    );
    plain.only();
    let again = console.run(&["recreate", &plain.target, "--yes", "--json"]);
    assert_eq!(
        (again.code, again.outcome()),
        (0, "succeeded"),
        "{}",
        again.text
    );
    plain.only();
    assert_eq!(plain.says("cat /cache/x"), "kept");
}

#[test]
fn an_engine_started_anew_in_the_middle_brings_one_of_the_two() {
    let Some(lab) = Lab::alone() else { return };
    let console = Console::new(&lab);
    let plain = Plain::new(&lab, "old");
    let first = plain.only();
    plain.push(&lab, &image(&lab, "2"));
    let run = console.run(&["update", &plain.target, "--yes", "--json", "--no-wait"]);
    assert_eq!(run.code, 0, "{}", run.text);
    wait_for(&plain, "@step recreate started");
    plain.host.fault("stop-engine");
    plain.host.fault("start-engine");
    let ended = plain.ended();
    let image = plain.only();
    match ended["outcome"].as_str().unwrap() {
        "succeeded" => assert_ne!(image, first, "{ended}"),
        "put-back" => assert_eq!(image, first, "{ended}"),
        other => panic!("{other}: {ended}"),
    }
    assert_eq!(plain.says("cat /cache/x"), "kept");
}

#[test]
fn what_cannot_be_made_anew_is_refused_with_the_reason() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let plain = Plain::new(&lab, "ctd28");
    let (name, reference) = (&plain.name, &plain.reference);
    plain.host.sh(&format!(
        "docker run -d --name {name}-side --network container:{name} {reference}; docker run -d --rm --name {name}-rm {reference}"
    ));
    let leaning = console.run(&["recreate", &plain.target, "--dry-run", "--json"]);
    let why = leaning.plan()["blocked"].as_str().unwrap();
    assert_eq!(leaning.code, 5);
    assert!(
        why.starts_with(&format!("{name}-side would be cut off")),
        "{why}"
    );
    let brief = console.run(&[
        "recreate",
        &format!("{}-rm", plain.target),
        "--yes",
        "--json",
    ]);
    assert_eq!(
        (brief.code, brief.outcome()),
        (5, "refused"),
        "{}",
        brief.text
    );
    assert!(brief.why().contains("--rm"), "{}", brief.why());
    // The one that leans on the other can itself be made anew.
    let side = console.run(&[
        "recreate",
        &format!("{}-side", plain.target),
        "--yes",
        "--json",
    ]);
    assert_eq!(
        (side.code, side.outcome()),
        (0, "succeeded"),
        "{}",
        side.text
    );
}
