//! A plan that is only shown: nothing is written on the host, in the registry or in a journal.

use std::fs;
use std::path::{Path, PathBuf};

use super::acting::{Console, behind, running};
use crate::support::Lab;

fn tree(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            tree(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn c10_a_dry_run_writes_nothing() {
    // Alone, as what others do on the host would be seen too.
    let Some(lab) = Lab::alone() else { return };
    let console = Console::new(&lab);
    for name in ["old", "new", "ctd26", "ctd28"] {
        let case = behind(&lab, name);
        let (host, first) = (&case.project.host, running(&case.project, "web"));
        let registry = lab.registry("plain");
        let mark = registry.mark();
        let since = host.sh("touch /tmp/stamp; sleep 1.1; date +%s");
        let runs: [&[&str]; 6] = [
            &["update"],
            &["pull"],
            &["recreate"],
            &["rollback", "--to", "latest"],
            &["pin"],
            &["unpin"],
        ];
        for words in runs {
            let mut words = words.to_vec();
            words.extend([case.target.as_str(), "--dry-run", "--json"]);
            let mut command = lab.console_with(&console.config, &words);
            let home = command
                .get_envs()
                .find_map(|(key, value)| (key == "HOME").then(|| PathBuf::from(value.unwrap())))
                .unwrap();
            let output = command.output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(text.lines().count(), 1, "{text}");
            let mut kept = Vec::new();
            tree(&home, &mut kept);
            assert!(
                !kept.iter().any(|path| path.ends_with("journal.jsonl")),
                "{kept:?}"
            );
        }
        let asked = registry.asked_since(mark);
        assert!(
            asked
                .iter()
                .all(|request| ["GET", "HEAD"].contains(&request.method.as_str())),
            "{asked:?}"
        );
        assert!(
            !asked
                .iter()
                .any(|request| request.agent.contains("docker/")),
            "the engine was not made to ask: {asked:?}"
        );
        let events = host.sh(&format!(
            "docker events --since {since} --until $(date +%s) --format '{{{{.Type}}}} {{{{.Action}}}}' | grep -v '^container exec' || true"
        ));
        assert_eq!(events, "", "{name}");
        let written = host.sh(
            "find /srv /root /home /etc /usr/local /run/lock /var/lib /tmp -xdev -newer /tmp/stamp -type f 2>/dev/null | grep -v '^/run/host' || true",
        );
        assert_eq!(written, "", "{name}");
        assert_eq!(running(&case.project, "web"), first);
    }
}
