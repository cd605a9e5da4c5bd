//! Projects of the shapes that people really deploy, each started as its owner starts it: what must hold when the
//! console acts on them.

use std::fs;

use serde_json::{Value, json};

use super::acting::{Console, files, push, running};
use crate::support::{Host, Lab, Project, Registry, unique};

/// A repository with an older image under a tag.
struct Repo {
    registry: Registry,
    name: String,
}

impl Repo {
    fn new(lab: &Lab, tag: &str) -> Self {
        let registry = lab.registry("plain");
        let name = unique("deploy");
        push(lab, &registry, &name, tag, "2026-01-01T00:00:00Z");
        Self { registry, name }
    }

    fn reference(&self, tag: &str) -> String {
        self.registry.reference(&self.name, tag)
    }

    fn moves_on(&self, lab: &Lab, tag: &str) {
        push(lab, &self.registry, &self.name, tag, "2026-02-01T00:00:00Z");
    }
}

/// A project whose first file has another name than the usual one.
fn project(host: &Host, file: &str, yaml: &str) -> Project {
    let project = host.project(&unique("deploy"), "");
    fs::remove_file(project.folder.join("compose.yaml")).unwrap();
    project.file(file, yaml);
    project
}

fn in_folder(project: &Project, command: &str) -> String {
    let text = format!("cd /srv/{} && {command} 2>&1", project.name);
    project.host.sh(&text)
}

fn container_of(host: &Host, project: &str, service: &str) -> Value {
    let id = host.docker(&[
        "ps",
        "-q",
        "--filter",
        &format!("label=com.docker.compose.project={project}"),
        "--filter",
        &format!("label=com.docker.compose.service={service}"),
    ]);
    host.inspect("container", &id)
}

fn environment(container: &Value) -> Vec<String> {
    let list = container["Config"]["Env"].as_array().unwrap();
    let mut list: Vec<String> = list
        .iter()
        .map(|pair| pair.as_str().unwrap().to_owned())
        .collect();
    list.sort();
    list
}

#[test]
fn overlays_with_staging_beside_production() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let host = lab.host("ctd28");
    let repo = Repo::new(&lab, "latest");
    push(
        &lab,
        &repo.registry,
        &repo.name,
        "sha-1234567",
        "2025-12-01T00:00:00Z",
    );
    let web = unique("web");
    host.docker(&["network", "create", &web]);
    let image = repo
        .reference("latest")
        .replace(":latest", ":${STAGING_IMAGE_TAG:-latest}");
    let base = format!(
        "services:\n  blog:\n    image: {image}\n    restart: unless-stopped\n    networks: [web]\nnetworks:\n  web: {{external: true, name: {web}}}\n"
    );
    let project = project(&host, "docker-compose.yml", &base);
    let (prod, staging) = (project.name.clone(), format!("staging-{}", project.name));
    project.file(
        "docker-compose.prod.yml",
        &format!("services:\n  blog: {{container_name: {prod}-blog}}\n"),
    );
    project.file(
        "docker-compose.staging.yml",
        &format!("services:\n  blog: {{container_name: {staging}-blog}}\n"),
    );
    in_folder(
        &project,
        "docker compose -f docker-compose.yml -f docker-compose.prod.yml up -d",
    );
    in_folder(
        &project,
        &format!(
            "STAGING_IMAGE_TAG=sha-1234567 docker compose -p {staging} -f docker-compose.yml -f docker-compose.staging.yml up -d"
        ),
    );
    let of_staging = container_of(&host, &staging, "blog");
    let first = container_of(&host, &prod, "blog")["Image"].clone();
    repo.moves_on(&lab, "latest");

    let (target, other) = (
        format!("ctd28/{prod}/blog"),
        format!("ctd28/{staging}/blog"),
    );
    assert_eq!(console.service(&target)["environment"], "prod");
    assert_eq!(console.service(&other)["environment"], "staging");
    let before = files(&project);
    let update = console.run(&["update", &target, "--yes", "--json"]);
    assert_eq!(update.outcome(), "succeeded", "{}", update.text);
    let argv = update.plan()["argv"].to_string();
    assert!(
        argv.contains(r#""-f","docker-compose.yml","-f","docker-compose.prod.yml""#),
        "{argv}"
    );
    let back = console.run(&["rollback", &target, "--yes", "--json"]);
    assert_eq!(back.outcome(), "succeeded", "{}", back.text);
    assert_eq!(container_of(&host, &prod, "blog")["Image"], first);
    let warnings = back.plan()["warnings"].to_string();
    assert!(warnings.contains("or CI, undoes it"), "{warnings}");
    assert_eq!(
        container_of(&host, &staging, "blog")["Id"],
        of_staging["Id"],
        "staging is left alone"
    );

    // The staging tag is nowhere on the host: nothing moves it to `latest` unasked.
    let refused = console.run(&["update", &other, "--yes", "--json"]);
    refused.ended(5, "refused");
    assert!(
        refused.why().contains("STAGING_IMAGE_TAG"),
        "{}",
        refused.why()
    );
    let again = console.run(&["recreate", &other, "--yes", "--json", "--take-environment"]);
    assert_eq!(again.outcome(), "succeeded", "{}", again.text);
    let now = container_of(&host, &staging, "blog");
    assert_eq!(now["Image"], of_staging["Image"]);
    assert_eq!(now["Config"]["Image"], repo.reference("sha-1234567"));
    assert_eq!(files(&project), before);
    host.sh(&format!(
        "docker rm -f {staging}-blog {prod}-blog && docker network rm {web}"
    ));
}

/// What systemd's own command prints, for a host that has no systemd.
const SYSTEMCTL: &str = r#"#!/bin/sh
now=$(date +%s)
case "$*" in
  list-timers*json*) printf '[{"next":%s000000,"left":1,"last":%s000000,"passed":1,"unit":"UNIT.timer","activates":"UNIT.service"}]\n' $((now + 750)) $((now - 2850)) ;;
  show*Result*) echo Result=exit-code ;;
esac
"#;

#[test]
fn an_hourly_update_timer_is_told_and_a_pin_outlives_it() {
    // The host's units and its systemctl are seen by every other test of that host.
    let Some(lab) = Lab::alone() else { return };
    let console = Console::new(&lab);
    for name in ["old", "ctd28"] {
        let host = lab.host(name);
        let repo = Repo::new(&lab, "latest");
        let yaml = format!(
            "version: '3.8'\n\nservices:\n  game:\n    image: {}\n    pull_policy: always # always the newest\n    restart: on-failure\n    environment:\n      - MEMORY_MAX=${{MEMORY_MAX:-2G}}\n    volumes:\n      - ./data:/data\n    stdin_open: true\n    tty: true\n",
            repo.reference("latest")
        );
        let project = project(&host, "docker-compose.yml", &yaml);
        let unit = project.name.clone();
        let folder = format!("/srv/{unit}");
        project.compose(&["up", "-d"]);
        let first = running(&project, "game");
        repo.moves_on(&lab, "latest");
        let pull = format!("cd {folder} && /usr/local/bin/docker compose pull");
        let up = format!("cd {folder} && /usr/local/bin/docker compose up -d --force-recreate");
        host.sh(&format!(
            "mkdir -p /etc/systemd/system && printf '%s\\n' '[Service]' Type=oneshot WorkingDirectory={folder} \"ExecStart=/bin/sh -c '{pull}'\" \"ExecStart=/bin/sh -c '{up}'\" User=pi >/etc/systemd/system/{unit}.service && printf '%s\\n' '[Timer]' OnBootSec=5min OnUnitActiveSec=1h >/etc/systemd/system/{unit}.timer"
        ));
        let systemctl = host.dir().join("local/bin/systemctl");
        fs::write(&systemctl, SYSTEMCTL.replace("UNIT", &unit)).unwrap();
        host.sh("chmod 755 /usr/local/bin/systemctl");
        let target = format!("{name}/{unit}/game");
        let plan = console.run(&["update", &target, "--dry-run", "--json"]);
        host.sh(&format!(
            "rm /usr/local/bin/systemctl /etc/systemd/system/{unit}.*"
        ));
        let warnings = plan.plan()["warnings"].to_string();
        for told in [
            "pulls and recreates this project, even where nothing changed",
            "OnUnitActiveSec=1h",
            "runs next in 12 min",
            "last run, 47 min ago, ended badly (exit-code)",
            "pull_policy: always",
        ] {
            assert!(warnings.contains(told), "{told}: {warnings}");
        }
        let before = files(&project);
        let update = console.run(&["update", &target, "--yes", "--json"]);
        assert_eq!(update.outcome(), "succeeded", "{}", update.text);
        let back = console.run(&["rollback", &target, "--yes", "--json"]);
        assert_eq!(back.outcome(), "succeeded", "{}", back.text);
        let warnings = back.plan()["warnings"].to_string();
        assert!(
            warnings.contains(&format!("stays as the newer image left it: {folder}/data")),
            "{warnings}"
        );
        for _ in 0..2 {
            host.sh(&format!("({pull}) && ({up})"));
            assert_eq!(
                running(&project, "game"),
                first,
                "the pin outlives the timer"
            );
        }
        let unpin = console.run(&["unpin", &target, "--yes", "--json"]);
        assert_eq!(unpin.outcome(), "succeeded", "{}", unpin.text);
        assert_eq!(files(&project), before, "every byte is as it was");
    }
}

#[test]
fn variables_only_in_the_deploying_shell() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    for name in ["old", "ctd26"] {
        let repo = Repo::new(&lab, "prod");
        let address = repo.registry.address.clone();
        let secret = unique("pass-word");
        let service = |own: &str, more: &str| {
            format!(
                "  {own}:\n    image: ${{REGISTRY}}/{}:prod\n    restart: unless-stopped\n{more}    networks: [app]\n",
                repo.name
            )
        };
        let yaml = format!(
            "services:\n{}{}{}networks:\n  app: {{driver: bridge}}\nvolumes:\n  data:\n",
            service("front-prod", "    depends_on: [api-prod]\n"),
            service(
                "api-prod",
                "    environment:\n      - NODE_ENV=production\n      - DB_USER=${POSTGRES_USER}\n      - DB_PASSWORD=${POSTGRES_PASSWORD}\n    depends_on: [postgres-prod]\n    deploy: {resources: {limits: {memory: 256M}}}\n"
            ),
            service(
                "postgres-prod",
                "    environment:\n      - POSTGRES_PASSWORD=${POSTGRES_PASSWORD}\n    volumes: [data:/var/lib/data]\n"
            ),
        );
        let host = lab.host(name);
        let project = project(&host, "docker-compose.prod.yml", &yaml);
        in_folder(
            &project,
            &format!(
                "REGISTRY={address} POSTGRES_USER=app POSTGRES_PASSWORD={secret} docker compose -f docker-compose.prod.yml up -d"
            ),
        );
        let before = environment(&container_of(&host, &project.name, "api-prod"));
        let database = container_of(&host, &project.name, "postgres-prod")["Id"].clone();
        repo.moves_on(&lab, "prod");
        let target = format!("{name}/{}/api-prod", project.name);
        let refused = console.run(&["update", &target, "--yes", "--json"]);
        refused.ended(5, "refused");
        let differing = refused.plan()["differences"].to_string();
        for key in [
            "DB_PASSWORD would be blank",
            "DB_USER would be blank",
            "image would be blank",
        ] {
            assert!(differing.contains(key), "{differing}");
        }
        // Every command line of the host is looked at while the job runs.
        let watch = r#"for n in $(seq 2000); do
[ -e "/tmp/$2.end" ] && exit 0
for f in /proc/[0-9]*/cmdline; do
words=; while IFS= read -r -d '' word; do words="$words $word"; done <"$f"
case $words in *docker*"$1"*) echo "$words" >>/tmp/seen ;; esac
done 2>/dev/null
sleep 0.02
done"#;
        fs::write(host.dir().join("srv/watch.sh"), watch).unwrap();
        let half = secret.split_at(secret.len() / 2);
        host.sh(&format!(
            "rm -f /tmp/seen; (set -- '{}''{}' {}; . /srv/watch.sh) >/dev/null 2>&1 </dev/null &",
            half.0, half.1, project.name
        ));
        let taken = console.run(&["update", &target, "--yes", "--json", "--take-environment"]);
        host.sh(&format!("touch /tmp/{}.end", project.name));
        assert_eq!(taken.outcome(), "succeeded", "{}", taken.text);
        assert_eq!(
            taken.plan()["taken_over"],
            json!(["POSTGRES_PASSWORD", "POSTGRES_USER", "REGISTRY"])
        );
        assert_eq!(
            environment(&container_of(&host, &project.name, "api-prod")),
            before
        );
        assert_eq!(
            container_of(&host, &project.name, "postgres-prod")["Id"],
            database
        );
        assert!(
            !(refused.text + &taken.text).contains(&secret),
            "no value is shown"
        );
        let on_disk = host.sh(&format!(
            "grep -rlF {secret} /root/.local/state/homelab-tui /srv/{} || true",
            project.name
        ));
        assert_eq!(on_disk, "", "no value is on disk");
        assert_eq!(
            host.sh("cat /tmp/seen 2>/dev/null || true"),
            "",
            "no value is in argv"
        );
        host.sh(&format!("rm -f /tmp/{}.end /srv/watch.sh", project.name));
    }
}

#[test]
fn a_tag_by_variable_is_judged_and_pinned_beside_an_untouched_env() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let host = lab.host("new");
    let repo = Repo::new(&lab, "main-abc1234");
    push(
        &lab,
        &repo.registry,
        &repo.name,
        "latest",
        "2026-03-01T00:00:00Z",
    );
    let image = repo
        .reference("latest")
        .replace(":latest", ":${IMAGE_TAG:-latest}");
    let project = host.project(
        &unique("deploy"),
        &format!("services:\n  app:\n    image: {image}\n    restart: unless-stopped\n"),
    );
    project.file(
        ".env",
        "# set by the deploy script\nIMAGE_TAG=main-abc1234\nOTHER=\"a b\"",
    );
    project.compose(&["up", "-d"]);
    let target = format!("new/{}/app", project.name);
    let first = running(&project, "app");
    let seen = console.service(&target);
    assert_eq!(
        (&seen["verdict"], &seen["image"]),
        (&json!("current"), &json!(repo.reference("main-abc1234"))),
        "{seen}"
    );
    repo.moves_on(&lab, "main-abc1234");
    assert_eq!(console.service(&target)["verdict"], "behind");
    let before = files(&project);
    let update = console.run(&["update", &target, "--yes", "--json"]);
    assert_eq!(update.outcome(), "succeeded", "{}", update.text);
    let second = running(&project, "app");
    let back = console.run(&["rollback", &target, "--yes", "--json"]);
    assert_eq!(back.outcome(), "succeeded", "{}", back.text);
    assert_eq!(running(&project, "app"), first);
    assert_eq!(
        fs::read(project.folder.join(".env")).unwrap(),
        before.iter().find(|(name, _)| name == ".env").unwrap().1
    );
    project.compose(&["pull"]);
    project.compose(&["up", "-d"]);
    assert_eq!(running(&project, "app"), first);
    let unpin = console.run(&["unpin", &target, "--yes", "--json"]);
    assert_eq!(unpin.outcome(), "succeeded", "{}", unpin.text);
    assert_eq!(files(&project), before);
    // The deploy script writes another tag: that is what the host itself has, and an update follows it.
    project.file(
        ".env",
        "# set by the deploy script\nIMAGE_TAG=latest\nOTHER=\"a b\"",
    );
    let update = console.run(&["update", &target, "--yes", "--json"]);
    assert_eq!(update.outcome(), "succeeded", "{}", update.text);
    let third = running(&project, "app");
    assert!(third != first && third != second);
}

#[test]
fn a_shared_namespace_is_whole_again_after_its_owner_was_recreated() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    for name in ["new", "ctd26"] {
        let repo = Repo::new(&lab, "latest");
        let image = repo.reference("latest");
        let yaml = format!(
            "services:\n  vpn:\n    image: {image}\n    restart: unless-stopped\n  app:\n    image: {image}\n    network_mode: service:vpn\n    depends_on: [vpn]\n    healthcheck: {{test: [CMD, /bin/busybox, \"true\"], interval: 2s}}\n  worker:\n    image: {image}\n    depends_on: {{app: {{condition: service_healthy}}}}\n"
        );
        let project = lab.host(name).project(&unique("deploy"), &yaml);
        project.compose(&["up", "-d"]);
        let worker = project.container("worker");
        repo.moves_on(&lab, "latest");
        let update = console.run(&[
            "update",
            &format!("{name}/{}/vpn", project.name),
            "--yes",
            "--json",
        ]);
        assert_eq!(update.outcome(), "succeeded", "{}", update.text);
        assert_eq!(update.plan()["dependents"], json!(["app"]));
        let app = project.host.inspect("container", &project.container("app"));
        assert_eq!(
            app["HostConfig"]["NetworkMode"],
            format!("container:{}", project.container("vpn"))
        );
        assert_eq!(app["State"]["Health"]["Status"], "healthy");
        let links = project.host.docker(&[
            "exec",
            &project.container("app"),
            "/bin/busybox",
            "ip",
            "link",
        ]);
        assert!(links.contains("eth0"), "{links}");
        assert_eq!(project.container("worker"), worker);
    }
}

#[test]
fn an_updater_on_the_host_is_told() {
    let Some(lab) = Lab::alone() else { return };
    let console = Console::new(&lab);
    let host = lab.host("new");
    let repo = Repo::new(&lab, "latest");
    let project = host.project(
        &unique("deploy"),
        &format!(
            "services:\n  web: {{image: \"{}\"}}\n",
            repo.reference("latest")
        ),
    );
    project.compose(&["up", "-d"]);
    repo.moves_on(&lab, "latest");
    let name = unique("tower");
    host.docker(&[
        "tag",
        &repo.reference("latest"),
        "containrrr/watchtower:latest",
    ]);
    host.docker(&["run", "-d", "--name", &name, "containrrr/watchtower:latest"]);
    let plan = console.run(&[
        "update",
        &format!("new/{}/web", project.name),
        "--dry-run",
        "--json",
    ]);
    host.docker(&["rm", "-f", &name]);
    host.docker(&["rmi", "containrrr/watchtower:latest"]);
    let warnings = plan.plan()["warnings"].to_string();
    assert!(warnings.contains("watchtower"), "{warnings}");
}

#[test]
fn a_host_that_ends_a_login_s_processes_gets_its_jobs_as_units_or_none() {
    let Some(lab) = Lab::alone() else { return };
    let console = Console::new(&lab);
    let host = lab.host("new");
    let repo = Repo::new(&lab, "latest");
    let yaml = format!(
        "services:\n  web: {{image: \"{}\"}}\n",
        repo.reference("latest")
    );
    let project = host.project(&unique("deploy"), &yaml);
    project.compose(&["up", "-d"]);
    repo.moves_on(&lab, "latest");
    let target = format!("new/{}/web", project.name);
    let conf = "/etc/systemd/logind.conf.d/99-lab.conf";
    host.sh(&format!("mkdir -p /etc/systemd/logind.conf.d && printf '[Login]\\nKillUserProcesses=yes\\nKillExcludeUsers=\\n' >{conf}"));
    let refused = console.run(&["update", &target, "--yes", "--json"]);
    // As systemd does it: a unit of its own, with nothing of the caller's environment but what is named.
    let unit = host.dir().join("local/bin/systemd-run");
    fs::write(&unit, "#!/bin/sh\necho \"$*\" >/tmp/unit\nset -- \"$@\"\nwhile case $1 in --*) true ;; *) false ;; esac; do shift; done\nexec setsid env -i HOME=\"$HOME\" PATH=\"$PATH\" \"$@\" >/dev/null 2>&1 </dev/null &\n").unwrap();
    host.sh("chmod 755 /usr/local/bin/systemd-run && mkdir -p /run/systemd/system");
    let update = console.run(&["update", &target, "--yes", "--json"]);
    let words =
        host.sh("cat /tmp/unit; rm -rf /usr/local/bin/systemd-run /run/systemd/system /tmp/unit");
    host.sh(&format!("rm {conf}"));
    refused.ended(5, "refused");
    assert!(
        refused.why().contains("KillUserProcesses"),
        "{}",
        refused.why()
    );
    assert_eq!(update.outcome(), "succeeded", "{}", update.text);
    assert!(
        words.starts_with("--quiet --collect --setenv=HOME --setenv=PATH sh "),
        "{words}"
    );
}

#[test]
fn a_service_of_a_profile_is_updated_and_its_unused_neighbour_stays_away() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    for host in ["new", "ctd26"] {
        let repo = Repo::new(&lab, "latest");
        let image = repo.reference("latest");
        let yaml = format!(
            "services:\n  web: {{image: \"{image}\", profiles: [extra]}}\n  side: {{image: \"{image}\", profiles: [never], network_mode: \"service:web\"}}\n"
        );
        let project = lab.host(host).project(&unique("profile"), &yaml);
        project.compose(&["--profile", "extra", "up", "-d"]);
        let first = running(&project, "web");
        repo.moves_on(&lab, "latest");
        let target = format!("{host}/{}/web", project.name);
        let update = console.run(&["update", &target, "--yes", "--json"]);
        update.ended(0, "succeeded");
        assert_ne!(running(&project, "web"), first);
        let side = format!(
            "docker ps -aq --filter label=com.docker.compose.project={} --filter label=com.docker.compose.service=side",
            project.name
        );
        assert_eq!(project.host.sh(&side), "", "it was never started");
    }
}
