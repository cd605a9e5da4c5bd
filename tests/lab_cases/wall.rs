//! The wall through what happens to a fleet in months: names that are gone, keys that change, hosts that move.

use std::process::Command;

use super::at_the_screen::Terminal;
use crate::support::Lab;

/// A console on the wall whose only host is reached as the lines of its ssh configuration say.
struct Wall<'a> {
    lab: &'a Lab,
    ssh: std::path::PathBuf,
    terminal: Terminal,
}

impl<'a> Wall<'a> {
    fn of(lab: &'a Lab, lines: &str) -> Self {
        let folder = lab.folder("wall");
        let ssh = folder.join("ssh_config");
        write(lab, &ssh, lines);
        let config = folder.join("config.yaml");
        let text = format!(
            "hosts:\n  - {{name: garage, address: \"ssh://garage\"}}\nssh: {{config_file: \"{}\"}}\n",
            ssh.display()
        );
        std::fs::write(&config, text).unwrap();
        let terminal = Terminal::of(&lab.console_with(&config, &["--wall", "--read-only"]));
        Self { lab, ssh, terminal }
    }

    /// From now on the host is reached so, and the way that was open is cut.
    fn becomes(&self, lines: &str) {
        write(self.lab, &self.ssh, lines);
        let masters = Command::new("pgrep")
            .args(["-P", &self.terminal.pid(), "-x", "ssh"])
            .output()
            .unwrap();
        for pid in String::from_utf8(masters.stdout).unwrap().lines() {
            let _ = Command::new("kill").arg(pid).status();
        }
    }

    /// Has it dialled at once: `R` on its row.
    fn refresh(&self) {
        self.terminal.types("1gR0");
    }
}

fn write(lab: &Lab, file: &std::path::Path, lines: &str) {
    let text = format!(
        "Host garage\n{lines}\nMatch all\nInclude {}\n",
        lab.fact("ssh_config")
    );
    std::fs::write(file, text).unwrap();
}

#[test]
fn a_running_wall_says_what_became_of_a_host_and_finds_it_where_it_moved() {
    let Some(lab) = Lab::here() else { return };
    let at = |host: &str| format!("HostName {}", lab.host(host).ip);
    let wall = Wall::of(&lab, &at("new"));
    wall.terminal.waits_for("1 of 1 host up");
    wall.terminal.waits_for("hosts read");

    wall.becomes("HostName no-such.invalid");
    wall.terminal.waits_for("garage is down since ");
    wall.terminal.waits_for("0 of 1 host up");
    wall.terminal.waits_for("does not resolve");
    // What was seen last is kept and counted.
    assert!(!wall.terminal.screen().contains("never seen"));

    // The host moved, and nobody pressed a key.
    wall.becomes(&at("ctd26"));
    wall.terminal.waits_for("1 of 1 host up");

    // Somebody else answers there, or it was set up anew.
    let key = lab.folder("key").join("id");
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]);
    assert!(keygen.arg(&key).status().unwrap().success());
    let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
    let known = lab.folder("known").join("hosts");
    std::fs::write(&known, format!("garage {public}")).unwrap();
    let strange = format!(
        "{}\nHostKeyAlias garage\nUserKnownHostsFile {}",
        at("ctd26"),
        known.display()
    );
    wall.becomes(&strange);
    wall.terminal.waits_for("garage: the host key");
    assert!(wall.terminal.screen().contains("0 of 1 host up"));

    // Once it is known again one key is enough.
    wall.becomes(&at("ctd26"));
    wall.refresh();
    wall.terminal.waits_for("1 of 1 host up");
    wall.terminal.types("q");
}
