//! The new image or its surroundings fail: the former one comes back.

use super::*;

#[test]
fn c8_an_image_that_does_not_live_is_put_back() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let exits = json!(["sh", "-c", "exit 3"]);
    let plain = "services:\n  web: {image: \"IMAGE\"}\n";
    let looping = "services:\n  web: {image: \"IMAGE\", restart: unless-stopped}\n";
    let check = json!({"Test": ["CMD", "/bin/busybox", "false"], "Interval": 1_000_000_000_u64, "Retries": 2});
    let never = json!({"Test": ["CMD", "/bin/busybox", "false"], "Interval": 1_000_000_000_u64,
        "Retries": 1, "StartPeriod": 3_000_000_000_u64});
    let cases: [(&str, &str, &str, Value, &str); 4] = [
        ("ctd26", plain, "Entrypoint", exits.clone(), "exited (3)"),
        ("old", looping, "Entrypoint", exits, "again and again"),
        ("new", plain, "Healthcheck", check, "unhealthy"),
        ("ctd28", plain, "Healthcheck", never, "unhealthy"),
    ];
    for (host, yaml, field, value, told) in cases {
        let bad = image(&lab, "bad")
            .created("2026-02-01T00:00:00Z")
            .config(field, value)
            .build();
        let case = service(&lab, host, yaml, &bad);
        let first = running(&case.project, "web");
        let update = console.run(&["update", &case.target, "--yes", "--json"]);
        update.ended(1, "put-back");
        let after = after(&case.project, "web");
        assert!(after.why.contains(told), "{host}: {after:?}");
        assert_eq!(after.image.as_deref(), Some(first.as_str()));
    }
}

#[test]
fn a_longer_health_check_of_the_new_image_is_waited_for() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    // Healthy after 25 s, with a limit of 20 s in the configuration and none in the former image.
    let check = json!({"Test": ["CMD", "/bin/sh", "-c", "[ $(busybox cut -d. -f1 /proc/uptime) -gt $(busybox cat /tmp/until) ]"],
        "Interval": 2_000_000_000_u64, "Retries": 1, "StartPeriod": 40_000_000_000_u64});
    let slow = image(&lab, "slow")
        .created("2026-02-01T00:00:00Z")
        .config("Healthcheck", check)
        .config("Entrypoint", json!(["/bin/sh", "-c", "busybox expr $(busybox cut -d. -f1 /proc/uptime) + 25 >/tmp/until; trap 'exit 0' TERM; while :; do busybox sleep 60 & wait; done"]))
        .build();
    let case = service(&lab, "new", "services:\n  web: {image: \"IMAGE\"}\n", &slow);
    let begun = Instant::now();
    let update = console.run(&["update", &case.target, "--yes", "--json"]);
    assert_eq!(update.outcome(), "succeeded", "{}", update.text);
    assert!(begun.elapsed() > Duration::from_secs(24));
}

#[test]
fn a_port_that_somebody_takes_meanwhile_does_not_keep_the_service_down() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    for (host, port) in [("old", 28_081), ("ctd28", 28_082)] {
        let newer = image(&lab, "newer").created("2026-02-01T00:00:00Z").build();
        let yaml = format!("services:\n  web: {{image: \"IMAGE\", ports: [\"{port}:80\"]}}\n");
        let case = service(&lab, host, &yaml, &newer);
        let first = running(&case.project, "web");
        // It gets the port in the moment in which the old container lets it go, and keeps it for 4 s.
        case.project.host.sh(&format!(
            "(n=0; until timeout 4 busybox nc -l -p {port} -s 0.0.0.0; [ $? = 124 ] || [ $((n += 1)) -gt 1500 ]; do sleep 0.02; done) >/dev/null 2>&1 </dev/null &"
        ));
        let update = console.run(&["update", &case.target, "--yes", "--json"]);
        let after = after(&case.project, "web");
        eprintln!("port taken on {host}: {} ({})", update.outcome(), after.why);
        after.runs_one_of(&first, &id_of(&case.project.host, &newer));
        assert!(update.outcome() != "halted", "{}", update.text);
    }
}
