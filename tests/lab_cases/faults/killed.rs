//! Jobs and hosts that die in the middle.

use super::*;

#[test]
fn a_job_that_is_killed_leaves_neither_its_lock_nor_the_service_behind() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    for (host, moment) in [
        ("old", "@step recreate started"),
        ("new", "@step wait started"),
        ("ctd26", "@step pull started"),
        ("ctd28", "@step recreate started"),
    ] {
        let case = behind(&lab, host);
        let first = running(&case.project, "web");
        let (project, target) = (&case.project, case.target.as_str());
        let outcome = std::thread::scope(|scope| {
            let run = scope.spawn(|| console.run(&["update", target, "--yes", "--json"]));
            wait_for_line(project, &[moment]);
            // The process of the steps and what it started, not the one that watches over it.
            on_host(
                &project.host,
                &format!(
                    "for j in $(jobs_of {}); do read -r pid rest <$j/pid; w=$(pgrep -P $pid | head -n 1); kill -9 $w $(pgrep -P $w); done",
                    project.name
                ),
            );
            run.join().unwrap().outcome().to_owned()
        });
        let told = after(project, "web");
        eprintln!(
            "steps killed on {host} at {moment}: {outcome} ({})",
            told.why
        );
        assert!(told.why.contains("was killed during"), "{told:?}");
        assert_eq!(told.image.as_deref(), Some(first.as_str()));
        let lock = format!("/run/lock/homelab-tui.{}", project.name);
        assert!(
            !project
                .host
                .try_sh(&format!("test -e {lock}"))
                .status
                .success()
        );
    }
}

#[test]
fn a_crash_of_the_host_in_mid_recreation_is_told_and_mended_by_the_next_job() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    for (host, pause) in [
        ("old", "0.2"),
        ("ctd28", "0.4"),
        ("new", "0.6"),
        ("ctd26", "0.3"),
    ] {
        let case = behind(&lab, host);
        let project = &case.project;
        let target = case.target.as_str();
        let lost = std::thread::scope(|scope| {
            let run = scope.spawn(|| console.run(&["update", target, "--yes", "--json"]));
            wait_for_line(project, &["@step recreate started"]);
            // All of the job's session at once, as a power cut would.
            on_host(
                &project.host,
                &format!(
                    "sleep {pause}; for j in $(jobs_of {}); do read -r pid rest <$j/pid; kill -9 $(ps -o pid= -s $(ps -o sid= -p $pid)); done",
                    project.name
                ),
            );
            run.join().unwrap()
        });
        assert_eq!(lost.outcome(), "halted", "{}", lost.text);
        let again = console.run(&["update", target, "--yes", "--json"]);
        assert!(
            ["succeeded", "unchanged"].contains(&again.outcome()),
            "{}",
            again.text
        );
        let told = after(project, "web");
        eprintln!(
            "job lost on {host} after {pause} s of recreating: then {} ({})",
            again.outcome(),
            told.why
        );
        let planned = lost.plan()["to"]["image_id"].as_str();
        assert_eq!(told.image.as_deref(), planned);
        let lines = journal(project, "web");
        let dead: Vec<&Value> = lines
            .iter()
            .filter(|line| line["job"] == lost.plan()["job"])
            .collect();
        assert_eq!(dead.len(), 2, "{dead:?}");
        assert_eq!(dead[1]["outcome"], "halted");
        let why = dead[1]["why"].as_str().unwrap();
        // A quick host may have left the recreation before the blow falls.
        assert!(
            ["recreate", "wait"]
                .iter()
                .any(|step| why.contains(&format!("died during {step}"))),
            "{why}"
        );
        let jobs = fs::read_dir(
            project
                .host
                .dir()
                .join("root/.local/state/homelab-tui/host/jobs"),
        )
        .unwrap();
        let dead = lost.plan()["job"].as_str().unwrap().to_owned();
        let folder = jobs
            .map(|entry| entry.unwrap().path())
            .find(|path| path.ends_with(&dead));
        assert_eq!(
            fs::read_to_string(folder.unwrap().join("rc"))
                .unwrap()
                .trim(),
            "halted"
        );
    }
}
