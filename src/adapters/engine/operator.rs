//! What may be done to an engine's containers; made only for a session that may change something.

use crate::adapters::shell::{PREPARE, join};
use crate::core::mode::Operating;
use crate::core::names::ContainerId;

/// A handle that can change what an engine runs.
#[derive(Debug, Clone)]
pub struct Operator {
    docker: Vec<String>,
    /// The command that runs a command line on the engine's host with a terminal, where that is not this machine.
    terminal: Option<Vec<String>>,
}

impl Operator {
    /// Makes the handle; the token proves that the session may operate.
    pub fn new(_: &Operating, docker: Vec<String>, terminal: Option<Vec<String>>) -> Self {
        Self { docker, terminal }
    }

    /// Returns the command, to be run here with a terminal, that opens a shell in a container.
    ///
    /// The better shell is taken where the image has one.
    pub fn shell_command(&self, container: &ContainerId) -> Vec<String> {
        let mut argv = self.docker.clone();
        argv.extend(["exec", "-it", container.as_str(), "sh", "-c"].map(str::to_owned));
        argv.push("command -v bash >/dev/null && exec bash; exec sh".to_owned());
        let Some(terminal) = &self.terminal else {
            return argv;
        };
        let script = format!("{PREPARE}; exec {}", join(&argv));
        let mut remote = terminal.clone();
        // One word for ssh, split by the login shell there.
        remote.push(join(&["sh", "-c", &script]));
        remote
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_shell_is_opened_by_the_configured_command() {
        let docker = words(&["sudo", "docker"]);
        let operator = Operator::new(&Operating::by_operator(), docker, None);
        let argv = operator.shell_command(&"abc".into());
        assert_eq!(argv[..6], ["sudo", "docker", "exec", "-it", "abc", "sh"]);
    }

    #[test]
    fn a_far_shell_is_quoted_once_for_each_shell_on_the_way() {
        // The far command line is run by a shell here, with a docker that shows its words.
        let docker = words(&["printf", "%s|"]);
        let terminal = Some(words(&["sh", "-c"]));
        let operator = Operator::new(&Operating::by_operator(), docker, terminal);
        let argv = operator.shell_command(&"abc".into());
        let output = std::process::Command::new(&argv[0])
            .args(&argv[1..])
            .output();
        assert_eq!(
            String::from_utf8(output.unwrap().stdout).unwrap(),
            "exec|-it|abc|sh|-c|command -v bash >/dev/null && exec bash; exec sh|"
        );
    }
}
