//! The script as a plain shell reads it: whole, quoted, and with the files of a pin given back byte by byte.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
use super::*;
use crate::core::rollout::plan::{Plain, sample};
use crate::core::rollout::{Action, Step};

#[test]
fn every_step_of_the_script_is_known_by_its_word() {
    for step in Step::ALL {
        assert_eq!(Step::from_word(step.word()), Some(step));
    }
    let mut met = 0;
    for line in [LIBRARY, PLAIN].iter().flat_map(|text| text.lines()) {
        let mut words = line.split_whitespace().skip_while(|word| *word != "step");
        let (Some("step"), Some(word), Some("started")) =
            (words.next(), words.next(), words.next())
        else {
            continue;
        };
        assert!(Step::from_word(word).is_some(), "{line}");
        met += 1;
    }
    assert!(met >= Step::ALL.len(), "{met}");
    let (well, out) = sh(
        &[
            "-c",
            &format!(
                "{}\nfor step in keep pull recreate wait prove put-back ''; do if changes_the_service \"$step\"; then printf '%s ' \"$step\"; fi; done",
                script(&sample(Action::Update))
                    .lines()
                    .find(|line| line.starts_with("changes_the_service"))
                    .unwrap()
            ),
        ],
        "",
    );
    assert!(well);
    assert_eq!(out.trim(), "recreate wait prove put-back");
}

fn sh(arguments: &[&str], input: &str) -> (bool, String) {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let mut child = Command::new("sh")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (
        output.status.success(),
        text + &String::from_utf8_lossy(&output.stderr),
    )
}

#[test]
fn every_script_is_whole_for_a_plain_shell() {
    for action in [
        Action::Pull,
        Action::Recreate,
        Action::Update,
        Action::Rollback,
        Action::Pin,
        Action::Unpin,
        Action::Keep,
    ] {
        let mut plan = sample(action);
        plan.target.service = "it's $(touch /tmp/x) `id`".into();
        plan.reason = Some("'; rm -rf / #".to_owned());
        let (good, words) = sh(&["-n"], &script(&plan));
        assert!(good, "{action:?}: {words}");
        plan.plain = Some(Plain {
            container: "it's $(id)".into(),
            restart: "on-failure:3".to_owned(),
            stop_seconds: Some(7),
            api: "1.41".to_owned(),
            reference: "`id`".to_owned(),
        });
        let (good, words) = sh(&["-n"], &script(&plan));
        assert!(good, "{action:?} of a plain container: {words}");
    }
}

#[test]
fn a_quoted_word_comes_back_as_it_was() {
    for word in [
        "", "a b", "it's", "$(id)", "`id`", "a\\b", "\"", "*", "a\nb", "-n",
    ] {
        let (good, words) = sh(&["-s"], &format!("printf %s {}", quote(word)));
        assert!(good);
        assert_eq!(words, word);
    }
}

#[test]
fn lifting_a_block_gives_every_byte_back() {
    use crate::core::rollout::pin::{Entry, EnvFile, Folder, set};
    let folder = std::env::temp_dir().join(format!("homelab-tui-pin-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let env = folder.join(".env");
    let library = LIBRARY.split("\nsame_file()").next().unwrap();
    let library = &library[library.find("# The operator's .env").unwrap()..];
    for before in [
        None,
        Some(&b""[..]),
        Some(b"A=1\n"),
        Some(b"A=1"),
        Some(b"# set by the deploy script\nIMAGE_TAG=main-abc1234\nOTHER=\"a b\""),
        Some(b"\r\nA=1\r\n"),
        Some(b"\xff\xfe odd bytes\n\n\n"),
    ] {
        let _ = std::fs::remove_file(&env);
        if let Some(bytes) = before {
            std::fs::write(&env, bytes).unwrap();
        }
        let project = Folder {
            config_files: vec![
                "compose.yaml".to_owned(),
                "compose.override.yaml".to_owned(),
            ],
            user_override: Some("compose.override.yaml".to_owned()),
            env_file: before.map(|bytes| EnvFile {
                open_end: !bytes.is_empty() && !bytes.ends_with(b"\n"),
                ..EnvFile::default()
            }),
            ..Folder::default()
        };
        let entry = Entry {
            service: "web".to_owned(),
            image: "x:1".to_owned(),
            builds: false,
            note: None,
        };
        let mut plan = sample(Action::Pin);
        plan.pin = Some(set(&project, entry).unwrap());
        let mut functions = String::new();
        pin_files::functions(&plan, &mut functions);
        let place = quote(folder.to_str().unwrap());
        let program = format!(
            "{functions}\n{library}\ncd {place}\npin_is_new && pin_write && has_block && cat .env && pin_undo && ! has_block && echo undone"
        );
        let (good, words) = sh(&["-s"], &program);
        assert!(good && words.contains("undone"), "{before:?}: {words}");
        let line = "COMPOSE_FILE=compose.yaml:compose.override.yaml:homelab-tui.pin.yaml";
        assert!(words.contains(line), "{words}");
        assert_eq!(std::fs::read(&env).ok().as_deref(), before, "{before:?}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_a_plain_container_is_made_from_arrives_whole_or_not_at_all() {
    let folder = std::env::temp_dir().join(format!("homelab-tui-body-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let case = |said: &str| {
        let program = format!(
            "J={}\nfinish() {{ echo \"refused: $2\"; exit; }}\n{PLAIN}\nrm -f \"$J/body\"; mkfifo \"$J/body\"; ( printf %s {} >\"$J/body\" ) &\ntake_body\nprintf '<%s>' \"$BODY\"; [ -e \"$J/body\" ] || echo gone",
            folder.display(),
            quote(said)
        );
        sh(&["-s"], &program).1
    };
    assert_eq!(case("7\na b\nc d"), "<a b\nc d>gone\n");
    assert!(case("9\na b\nc d").starts_with("refused"));
    assert!(case("").starts_with("refused"));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn json_in_the_host_s_journal_stays_json() {
    let library = LIBRARY.split("\njournal()").next().unwrap();
    for text in [
        "plain",
        "",
        "a \"b\" \\ c",
        "line\nbreak\ttab",
        "\u{1b}[31m",
    ] {
        let program = format!("{library}\njson {}", quote(text));
        let (_, words) = sh(&["-s"], &program);
        let parsed: Result<String, _> = serde_json::from_str(words.trim());
        assert!(parsed.is_ok(), "{text:?} became {words:?}");
    }
}
