//! The program as the shell sees it: what it prints where, and its exit codes.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A home of a test's own, so that nobody's configuration is read.
struct Home(PathBuf);

impl Home {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("homelab-tui-cli-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_homelab-tui"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", &self.0)
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn wrong_usage_is_2_and_says_so_on_standard_error() {
    let home = Home::new("usage");
    for arguments in [
        &["bogus"][..],
        &["--bogus"],
        &["config"],
        &["config", "bogus"],
        &["-H", "nonsense", "keys"],
        &["-H", "a=http://x", "keys"],
        &["--glyphs", "pretty", "keys"],
        &["--ascii", "--glyphs", "unicode", "keys"],
        &["completions", "tcsh"],
        &["-c", "/nonexistent.yaml", "keys"],
        &["-c", "/nonexistent.yaml", "config", "check"],
    ] {
        let output = home.run(arguments);
        assert_eq!(
            (code(&output), out(&output).as_str()),
            (2, ""),
            "{arguments:?}"
        );
        assert!(!err(&output).is_empty(), "{arguments:?}");
    }
    for arguments in [&["--help"][..], &["--version"], &["config", "--help"]] {
        let output = home.run(arguments);
        assert_eq!(
            (code(&output), err(&output).as_str()),
            (0, ""),
            "{arguments:?}"
        );
    }
}

#[test]
fn the_configuration_s_place_is_flag_over_environment_over_home() {
    let home = Home::new("place");
    let path = |command: &mut Command| out(&command.output().unwrap()).trim_end().to_owned();
    let usual = home.0.join(".config/homelab-tui/config.yaml");
    assert_eq!(
        Path::new(&path(&mut home.command(&["config", "path"]))),
        usual
    );
    let environment = |arguments| {
        let mut command = home.command(arguments);
        command.env("HOMELAB_TUI_CONFIG", "/env.yaml");
        path(&mut command)
    };
    assert_eq!(environment(&["config", "path"]), "/env.yaml");
    assert_eq!(
        environment(&["-c", "/flag.yaml", "config", "path"]),
        "/flag.yaml"
    );
    assert_eq!(
        environment(&["config", "path", "-c", "/flag.yaml"]),
        "/flag.yaml"
    );
}

#[test]
fn config_check_names_the_place_and_ends_with_2() {
    let home = Home::new("check");
    let output = home.run(&["config", "check"]);
    assert_eq!(code(&output), 0, "no configuration is no error");

    home.file(".config/homelab-tui/config.yaml", "hosts: []\nthem: dawn\n");
    let output = home.run(&["config", "check"]);
    assert_eq!(code(&output), 2);
    let text = out(&output);
    assert!(
        text.contains("config.yaml:2:1: unknown key `them`; did you mean `theme`?"),
        "{text}"
    );

    let broken = home.file("broken.yaml", "hosts: [\n");
    let output = home.run(&["config", "check", "-c", broken.to_str().unwrap()]);
    assert_eq!(code(&output), 2);
    assert!(out(&output).contains("broken.yaml:"), "{}", out(&output));

    let example = home.file("example.yaml", &out(&home.run(&["config", "example"])));
    let output = home.run(&["config", "check", "-c", example.to_str().unwrap()]);
    assert_eq!(
        (code(&output), err(&output).as_str()),
        (0, ""),
        "{}",
        out(&output)
    );
    assert!(out(&output).contains("is right"), "{}", out(&output));
}

#[test]
fn elsewhere_a_bad_entry_is_a_warning_and_the_rest_works() {
    let home = Home::new("warning");
    home.file(
        ".config/homelab-tui/config.yaml",
        "mouse: perhaps\nkeys: {quit: x, refresh: hyper-r}\n",
    );
    let output = home.run(&["keys"]);
    assert_eq!(code(&output), 0);
    assert!(
        err(&output).contains("config.yaml:1:8: `mouse` cannot be `perhaps`"),
        "{}",
        err(&output)
    );
    assert!(
        err(&output).contains("there is no key `hyper-r`"),
        "{}",
        err(&output)
    );
    let quit = out(&output)
        .lines()
        .find(|line| line.starts_with("quit "))
        .unwrap()
        .to_owned();
    assert!(quit.contains(" x "), "{quit}");
}

#[test]
fn a_user_without_a_home_is_no_error() {
    let home = Home::new("homeless");
    let mut command = home.command(&["keys"]);
    command.env_remove("HOME");
    assert_eq!(code(&command.output().unwrap()), 0);
}

#[test]
fn completions_and_manual_are_made_for_every_shell() {
    let home = Home::new("manual");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = home.run(&["completions", shell]);
        assert_eq!(code(&output), 0);
        assert!(out(&output).contains("homelab-tui"), "{shell}");
    }
    let output = home.run(&["man"]);
    assert!(out(&output).contains(".TH homelab-tui 1"));
}

#[test]
fn the_schema_is_json() {
    let home = Home::new("schema");
    let schema: serde_json::Value =
        serde_json::from_slice(&home.run(&["config", "schema"]).stdout).unwrap();
    assert_eq!(schema["type"], "object");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let home = Home::new("pipe");
    let mut child = home
        .command(&["config", "schema"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), err(&output).as_str()), (0, ""));
}

#[test]
fn discover_offers_what_the_files_name_and_contacts_nobody() {
    let home = Home::new("discover");
    home.file(
        ".ssh/config",
        "Include more\nHost vps *.lan\nHostName 192.0.2.1\nHost github.com\nUser git\n",
    );
    home.file(".ssh/more", "Host nas");
    home.file(
        ".docker/contexts/meta/0a/meta.json",
        r#"{"Name":"box","Endpoints":{"docker":{"Host":"ssh://ops@box"}}}"#,
    );
    let config = home.file(
        "c.yaml",
        "hosts: [{name: n, address: ssh://nas}]\ntailscale: {socket: /nowhere, command: nothing}\n",
    );
    let output = home.run(&["-c", config.to_str().unwrap(), "discover", "--json"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    let document: serde_json::Value = serde_json::from_str(&out(&output)).unwrap();
    let offer = |name: &str, address: &str, source: &str| serde_json::json!({"name": name, "address": address, "source": source, "online": null});
    assert_eq!(document["schema"], 1);
    assert_eq!(
        document["offers"],
        serde_json::json!([
            offer("vps", "ssh://vps", "ssh"),
            offer("box", "ssh://ops@box", "context")
        ])
    );
}
