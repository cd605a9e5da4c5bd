//! What may be done to an engine's containers; made only for a session that may change something.

use crate::core::mode::Operating;
use crate::core::names::ContainerId;

/// A handle that can change what an engine runs.
#[derive(Debug, Clone)]
pub struct Operator {
    docker: Vec<String>,
}

impl Operator {
    /// Makes the handle; the token proves that the session may operate.
    pub fn new(_: &Operating, docker: Vec<String>) -> Self {
        Self { docker }
    }

    /// Returns the command that opens a shell in a container, to be run with a terminal on the engine's host.
    ///
    /// The better shell is taken where the image has one.
    pub fn shell_command(&self, container: &ContainerId) -> Vec<String> {
        let mut argv = self.docker.clone();
        argv.extend(["exec", "-it", container.as_str(), "sh", "-c"].map(str::to_owned));
        argv.push("command -v bash >/dev/null && exec bash; exec sh".to_owned());
        argv
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_is_opened_by_the_configured_command() {
        let docker = vec!["sudo".to_owned(), "docker".to_owned()];
        let operator = Operator::new(&Operating::by_operator(), docker);
        let argv = operator.shell_command(&"abc".into());
        assert_eq!(argv[..6], ["sudo", "docker", "exec", "-it", "abc", "sh"]);
    }
}
