//! Hosts that have hardly more than docker: no GNU tools, no bash, no systemd, as on Alpine or a NAS; and what works there by itself.

use super::acting::{Console, behind, files, running};
use super::hosts::config_with;
use super::hosts_ssh::{Sshd, another_sshd};
use crate::support::{Host, Lab, unique};

/// Makes a root that holds a busybox, docker with its compose, and nothing else; the folders of the host's state are its own.
const SMALL_ROOT: &str = r#"
mkdir -p $R/bin $R/etc $R/usr/bin $R/root $R/tmp $R/var/spool/cron $R/etc/periodic/daily $R/usr/local/lib/docker/cli-plugins
cp /bin/busybox $R/bin/busybox
for a in $(busybox --list); do [ $a = busybox ] || ln -s busybox $R/bin/$a; done
# The login shell of the lab's users.
printf '#!/bin/ash\nexec /bin/ash "$@"\n' >$R/bin/bash; chmod 755 $R/bin/bash
with_libraries() { cp -L "$1" "$2"; for l in $(ldd "$1" | grep -o '/[^ ]*'); do mkdir -p "$R${l%/*}"; cp -L $l $R$l; done; }
with_libraries "$(command -v docker)" $R/usr/bin/docker
for p in /usr/local/lib/docker/cli-plugins/*; do with_libraries $p $R/usr/local/lib/docker/cli-plugins/${p##*/}; done
cp /etc/passwd /etc/group /etc/hosts $R/etc/
ln -s /run $R/var/run
for m in proc dev run srv; do mkdir -p $R/$m; mount --rbind /$m $R/$m; mount --make-rslave $R/$m; done
"#;

/// A second face of a host, behind an sshd of its own; gone when it is dropped.
struct Small {
    host: Host,
    root: String,
    port: u16,
    _sshd: Sshd,
}

impl Small {
    fn new(host: &Host) -> Self {
        let root = format!("/opt/{}", unique("small"));
        host.sh(&format!("set -e; R={root}; {SMALL_ROOT}"));
        let (port, sshd) = another_sshd(host, &format!("ChrootDirectory {root}"));
        Self {
            host: host.clone(),
            root,
            port,
            _sshd: sshd,
        }
    }

    /// Puts a file there that may be run.
    fn script(&self, path: &str, text: &str) {
        let path = format!("{}{path}", self.root);
        self.host.sh(&format!(
            "cat >{path} <<'END'\n{text}\nEND\nchmod 755 {path}"
        ));
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let root = &self.root;
        // Nothing is removed through a mount that is still there.
        self.host.try_sh(&format!(
            "for m in proc dev run srv; do umount -l {root}/$m; done; grep -q ' {root}/' /proc/self/mounts || rm -rf {root}"
        ));
    }
}

#[test]
fn a_host_with_a_busybox_and_docker_alone_is_read_changed_and_brought_back() {
    let Some(lab) = Lab::here() else { return };
    let (host, registry) = (lab.host("ctd28"), lab.registry("plain"));
    let small = Small::new(&host);
    let mut console = Console::new(&lab);
    let ssh = config_with(
        &lab,
        &format!(
            "Host small\n  HostName {}\n  Port {}\n  HostKeyAlias ctd28",
            host.ip, small.port
        ),
    );
    let config = lab.folder("small").join("config.yaml");
    let text = format!(
        "hosts:\n  - {{name: small, address: \"ssh://small\"}}\nregistries:\n  - {{host: \"{}\", plain_http: true}}\nssh: {{config_file: \"{ssh}\"}}\nrollback: {{settle: 1s, timeout: 20s}}\n",
        registry.address
    );
    std::fs::write(&config, text).unwrap();
    console.config = config;

    let case = behind(&lab, "ctd28");
    let target = case.target.replacen("ctd28", "small", 1);
    let first = running(&case.project, "web");
    let seen = console.service(&target);
    assert_eq!(
        (&seen["verdict"], &seen["config"]),
        (&"behind".into(), &"same".into()),
        "{seen}"
    );

    // What would undo it: a daily script, and a table whose line starts one that goes over all folders.
    small.script(
        "/etc/periodic/daily/update",
        &format!(
            "#!/bin/sh\ncd /srv/{}\ndocker compose pull",
            case.project.name
        ),
    );
    small.script("/root/all.sh", "#!/bin/sh\nfor d in /srv/*/; do\n  cd \"$d\" && docker compose pull && docker compose up -d\ndone");
    small.script(
        "/var/spool/cron/root",
        "# docker compose down\n17 4 * * * /root/all.sh >/dev/null",
    );
    let plan = console.run(&["update", &target, "--dry-run", "--json"]);
    let warnings = plan.plan()["warnings"].to_string();
    for told in [
        "/etc/periodic/daily/update pulls this project",
        "/root/all.sh pulls and recreates this project (17 4 * * *)",
    ] {
        assert!(warnings.contains(told), "{told}: {warnings}");
    }

    let before = files(&case.project);
    console
        .run(&["update", &target, "--yes", "--json"])
        .ended(0, "succeeded");
    assert_eq!(console.service(&target)["verdict"], "current");
    console
        .run(&["rollback", &target, "--yes", "--json"])
        .ended(0, "succeeded");
    assert_eq!(running(&case.project, "web"), first);
    assert!(console.service(&target)["pinned"].is_object());
    console
        .run(&["unpin", &target, "--yes", "--json"])
        .ended(0, "succeeded");
    assert_eq!(files(&case.project), before);
    let jobs = console.run(&["jobs", "small", "--json"]).document()["jobs"].clone();
    assert_eq!(jobs.as_array().unwrap().len(), 3, "{jobs}");
}
