//! Engines, registries and disks that fail under a job.

use super::*;

#[test]
fn an_engine_started_anew_in_between_is_waited_for() {
    let Some(lab) = Lab::alone() else { return };
    let console = Console::new(&lab);
    for (host, moment) in [
        ("old", "@step recreate started"),
        ("new", "@step wait started"),
        ("ctd26", "@step recreate started"),
        ("ctd28", "@step pull started"),
    ] {
        let newer = image(&lab, "newer").created("2026-02-01T00:00:00Z").build();
        let yaml = "services:\n  web: {image: \"IMAGE\", restart: unless-stopped}\n";
        let case = service(&lab, host, yaml, &newer);
        let first = running(&case.project, "web");
        let (host_, target) = (&case.project.host, case.target.as_str());
        let outcome = std::thread::scope(|scope| {
            let run = scope.spawn(|| console.run(&["update", target, "--yes", "--json"]));
            wait_for_line(&case.project, &[moment]);
            host_.fault("stop-engine");
            host_.fault("start-engine");
            run.join().unwrap().outcome().to_owned()
        });
        let after = after(&case.project, "web");
        eprintln!(
            "engine of {host} restarted at {moment}: {outcome} ({})",
            after.why
        );
        after.runs_one_of(&first, &id_of(host_, &newer));
        assert_eq!(after.outcome.as_deref(), Some(outcome.as_str()));
    }
}

/// Kills the registry with what it is sending.
fn kill_registry(lab: &Lab) {
    let file = Path::new(&lab.fact("dir")).join("registries/plain.pid");
    let text = fs::read_to_string(&file).unwrap();
    let pid = text.split(' ').next().unwrap();
    assert!(
        Command::new("kill")
            .args(["-9", pid])
            .status()
            .unwrap()
            .success()
    );
    // Until somebody takes note of its end the number is still there, and would be taken for a running registry.
    fs::write(&file, "").unwrap();
}

#[test]
fn a_registry_that_dies_in_mid_pull_changes_nothing() {
    let Some(lab) = Lab::alone() else { return };
    let console = Console::new(&lab);
    for host in ["old", "ctd28"] {
        let newer = image(&lab, "newer")
            .created("2026-02-01T00:00:00Z")
            .layer(Layer::random(fresh_seed(), 120 << 20))
            .build();
        let case = service(&lab, host, "services:\n  web: {image: \"IMAGE\"}\n", &newer);
        let first = running(&case.project, "web");
        let target = case.target.as_str();
        let ran = std::thread::scope(|scope| {
            let run = scope.spawn(|| console.run(&["update", target, "--yes", "--json"]));
            wait_for_line(&case.project, &["Downloading", "Extracting"]);
            kill_registry(&lab);
            let ran = run.join().unwrap();
            lab.fault("registries", &["start-registry", "plain"]);
            ran
        });
        let after = after(&case.project, "web");
        eprintln!(
            "registry died in mid-pull of {host}: {} ({})",
            ran.outcome(),
            after.why
        );
        assert_eq!(after.outcome.as_deref(), Some("halted"), "{after:?}");
        assert!(after.why.contains("nothing was changed"), "{after:?}");
        assert_eq!(after.image.as_deref(), Some(first.as_str()));
    }
}

#[test]
fn a_full_disk_is_told_and_the_job_s_last_words_still_fit() {
    let Some(lab) = Lab::alone() else { return };
    let console = Console::new(&lab);
    let state = "/root/.local/state/homelab-tui/host";
    let host = lab.host("new");
    host.sh(&format!(
        "mkdir -p {state} && mount -t tmpfs -o size=400k tmpfs {state}"
    ));
    let full = std::panic::catch_unwind(|| {
        let newer = image(&lab, "newer").created("2026-02-01T00:00:00Z").build();
        let case = service(
            &lab,
            "new",
            "services:\n  web: {image: \"IMAGE\"}\n",
            &newer,
        );
        let first = running(&case.project, "web");
        host.sh(&format!(
            "dd if=/dev/zero of={state}/fill bs=4k 2>/dev/null || true"
        ));
        let refused = console.run(&["update", &case.target, "--yes", "--json"]);
        refused.ended(5, "refused");
        assert!(refused.why().contains("No space left"), "{}", refused.why());
        host.sh(&format!("rm {state}/fill"));
        assert_eq!(running(&case.project, "web"), first);
        // The disk fills while the job works.
        let target = case.target.as_str();
        let ran = std::thread::scope(|scope| {
            let run = scope.spawn(|| console.run(&["update", target, "--yes", "--json"]));
            on_host(
                &host,
                &format!(
                    "for n in $(seq 900); do for j in $(jobs_of {}); do if grep -qs '@step keep started' $j/out; then exit 0; fi; done; sleep 0.05; done; exit 1",
                    case.project.name
                ),
            );
            host.sh(&format!(
                "dd if=/dev/zero of={state}/fill bs=1k 2>/dev/null || true"
            ));
            run.join().unwrap()
        });
        let after = after(&case.project, "web");
        eprintln!("job folder filled up: {} ({})", ran.outcome(), after.why);
        after.runs_one_of(&first, &id_of(&host, &newer));
        assert_eq!(after.outcome.as_deref(), Some(ran.outcome()));
    });
    host.sh(&format!("umount -l {state}"));
    full.unwrap();
}

#[test]
fn an_engine_s_disk_that_is_too_small_blocks_or_halts_before_the_service_is_touched() {
    let Some(lab) = Lab::alone() else { return };
    let console = Console::new(&lab);
    for name in ["new", "ctd28"] {
        let host = lab.host(name);
        host.fault("stop-engine");
        host.sh("mount -t tmpfs -o size=64m tmpfs /run/host/data");
        host.fault("start-engine");
        let small = std::panic::catch_unwind(|| {
            let large = image(&lab, "large")
                .created("2026-02-01T00:00:00Z")
                .layer(Layer::random(fresh_seed(), 30 << 20))
                .build();
            let case = service(&lab, name, "services:\n  web: {image: \"IMAGE\"}\n", &large);
            let first = running(&case.project, "web");
            let blocked = console.run(&["update", &case.target, "--dry-run", "--json"]);
            let why = blocked.plan()["blocked"].as_str().unwrap_or_default();
            assert_eq!(blocked.code, 5, "{}", blocked.text);
            assert!(why.contains("free") && why.contains("needs about"), "{why}");
            eprintln!("small disk on {name}: {why}");
            // Room enough when it was planned, and none when it is fetched.
            let fits = image(&lab, "fits")
                .created("2026-03-01T00:00:00Z")
                .layer(Layer::random(fresh_seed(), 12 << 20))
                .build();
            let repo = case
                .reference
                .rsplit_once('/')
                .unwrap()
                .1
                .split(':')
                .next()
                .unwrap();
            lab.registry("plain").push(repo, "latest", &fits);
            let target = case.target.as_str();
            let halted = std::thread::scope(|scope| {
                let run = scope.spawn(|| console.run(&["update", target, "--yes", "--json"]));
                wait_for_line(&case.project, &["@begin"]);
                host.sh("fallocate -l 50m /run/host/data/fill || dd if=/dev/zero of=/run/host/data/fill bs=1M count=50");
                run.join().unwrap()
            });
            host.sh("rm /run/host/data/fill");
            assert_eq!(halted.outcome(), "halted", "{}", halted.text);
            let after = after(&case.project, "web");
            eprintln!("engine's disk full on {name}: {}", after.why);
            assert!(after.why.contains("no space left"), "{after:?}");
            assert_eq!(after.image.as_deref(), Some(first.as_str()));
        });
        host.sh("docker ps -aq | xargs -r docker rm -f");
        host.fault("stop-engine");
        host.sh("umount -l /run/host/data");
        host.fault("start-engine");
        small.unwrap();
    }
}
