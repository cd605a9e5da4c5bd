//! Runs that deploy what was built: whether what is behind was never deployed, is being deployed, or failed to be.

use jiff::Timestamp;

use super::BuildRecord;

/// A run of a workflow that deploys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployRun {
    /// The name of the build source whose results it deploys.
    pub source: Box<str>,
    pub repository: String,
    pub workflow: String,
    pub number: u64,
    pub state: DeployState,
    /// Whether it is of the repository that was built, so that revisions can be compared.
    pub same_repository: bool,
    pub revision: Option<String>,
    pub created: Timestamp,
    pub ended: Option<Timestamp>,
    pub url: Option<String>,
}

/// How a run that deploys stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeployState {
    Waiting,
    Running,
    Succeeded,
    /// It ended otherwise; the word is the service's own.
    Failed(String),
}

/// How a pushed image stands to the runs that should deploy it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deployment {
    /// No run began since.
    Never,
    Running(String),
    Failed(String),
    /// One ended well, though the service does not run the image.
    Done(String),
}

impl Deployment {
    /// Says it in a few words for the note beside a verdict.
    pub fn words(&self) -> String {
        match self {
            Self::Never => "pushed, not deployed yet".to_owned(),
            Self::Running(run) => format!("being deployed by {run}"),
            Self::Failed(run) => format!("deploy failed: {run}"),
            Self::Done(run) => format!("deployed by {run}, yet it does not run here"),
        }
    }
}

/// Judges how what a build pushed stands to the runs that deploy; nothing where no workflow deploys it.
///
/// `has_deploys` tells whether such a workflow is configured and its runs are known.
pub fn judge(build: &BuildRecord, runs: &[DeployRun], has_deploys: bool) -> Option<Deployment> {
    if !has_deploys {
        return None;
    }
    let pushed = build.heard.or(build.build.started);
    let of_build = |run: &&DeployRun| {
        if run.source != build.source {
            return false;
        }
        let by_revision = run.same_repository
            && run.revision.is_some()
            && run.revision.as_deref() == build.revision();
        // A run that began before the push deployed something older; one by revision may begin with the build.
        by_revision || pushed.is_some_and(|pushed| run.created >= pushed)
    };
    let newest = runs
        .iter()
        .filter(of_build)
        .max_by_key(|run| (run.created, run.number));
    let Some(run) = newest else {
        return Some(Deployment::Never);
    };
    let name = format!("{} #{} of {}", run.workflow, run.number, run.repository);
    Some(match &run.state {
        DeployState::Waiting | DeployState::Running => Deployment::Running(name),
        DeployState::Succeeded => Deployment::Done(name),
        DeployState::Failed(how) => Deployment::Failed(format!("{name} ended as {how}")),
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples::{build, record};
    use super::*;

    fn run(second: i64, state: DeployState) -> DeployRun {
        DeployRun {
            source: "blog".into(),
            repository: "me/deployments".to_owned(),
            workflow: "deploy.yml".to_owned(),
            number: 7,
            state,
            same_repository: false,
            revision: None,
            created: Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH),
            ended: None,
            url: None,
        }
    }

    #[test]
    fn pushed_running_and_failed_are_told_apart() {
        let pushed = record(100, build("alpine", &[("RUN a", true, 0.0)]));
        let told = |runs: &[DeployRun]| judge(&pushed, runs, true).map(|told| told.words());
        assert_eq!(told(&[]).as_deref(), Some("pushed, not deployed yet"));
        assert_eq!(
            told(&[run(50, DeployState::Succeeded)]).as_deref(),
            Some("pushed, not deployed yet")
        );
        assert_eq!(
            told(&[
                run(50, DeployState::Succeeded),
                run(101, DeployState::Running)
            ])
            .as_deref(),
            Some("being deployed by deploy.yml #7 of me/deployments")
        );
        assert_eq!(
            told(&[run(120, DeployState::Failed("failure".to_owned()))]).as_deref(),
            Some("deploy failed: deploy.yml #7 of me/deployments ended as failure")
        );
        assert_eq!(judge(&pushed, &[], false), None);
        let mut other = run(120, DeployState::Running);
        other.source = "api".into();
        assert_eq!(told(&[other]).as_deref(), Some("pushed, not deployed yet"));
    }

    #[test]
    fn a_run_of_the_same_revision_counts_even_if_it_began_with_the_build() {
        let mut pushed = record(100, build("alpine", &[("RUN a", true, 0.0)]));
        pushed.build.revision = Some("abc".to_owned());
        let mut same = run(90, DeployState::Running);
        same.same_repository = true;
        same.revision = Some("abc".to_owned());
        assert!(matches!(
            judge(&pushed, &[same], true),
            Some(Deployment::Running(_))
        ));
    }
}
