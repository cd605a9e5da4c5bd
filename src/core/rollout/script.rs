//! The script of a job: POSIX sh, run detached on the host, that does all steps with nobody watching.
//!
//! The text is made by a pure function, so what the plan dialog shows is what runs. The script writes marks to its
//! `out` file (see `job`), the commands' own words to `err`, and its end to `rc`. It holds no secret: values that are
//! taken over come through its environment.

use super::Step;
use super::compose_files::ALL_PROFILES;
use super::pin::{BLOCK_BEGIN, BLOCK_END, Block, FileChange, How, NO_FILE, NO_LINE_END};
use super::plan::{Plain, TargetPlan};
use super::steps;

/// Makes the whole script of a plan.
pub fn script(plan: &TargetPlan) -> String {
    let mut text = String::new();
    head(plan, &mut text);
    text.push_str(LIBRARY);
    text.push_str(OTHERS_AT_WORK);
    if plan.plain.is_some() {
        text.push_str(FACTS_OF);
        text.push_str(PLAIN);
    }
    text.push_str("\nwork() {\n");
    if plan.hands_over() {
        text.push_str("take_body\n");
    }
    text.push_str("begin\n");
    for part in steps::parts(plan) {
        text.push_str(&part.script());
    }
    text.push_str("}\nsupervise \"$@\"\n");
    text
}

fn changing_steps() -> Vec<&'static str> {
    let changing = Step::ALL
        .into_iter()
        .filter(|step| step.changes_the_service());
    changing.map(Step::word).collect()
}

/// Quotes a word for sh, so that it is one word whatever it holds.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "%+,-./:=@_".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Joins words into a command line that sh reads back as the same words.
pub fn command_line(argv: &[String]) -> String {
    argv.iter()
        .map(|word| quote(word))
        .collect::<Vec<_>>()
        .join(" ")
}

fn head(plan: &TargetPlan, text: &mut String) {
    let mut set = |name: &str, value: &str| {
        text.push_str(name);
        text.push('=');
        text.push_str(&quote(value));
        text.push('\n');
    };
    let target = plan.target.to_string();
    set("JOB", &plan.job);
    set("ACTION", plan.action.word());
    set("TARGET", &target);
    set("PROJECT", plan.target.project.as_str());
    set("SERVICE", plan.target.service.as_str());
    set("FOLDER", &plan.folder);
    set("BY", &plan.by);
    set("REASON", plan.reason.as_deref().unwrap_or_default());
    set("FROM_ID", id_of(plan.from.image_id.as_ref()));
    set("TO_ID", id_of(plan.to.image_id.as_ref()));
    set("FROM_REF", plan.from.named().as_str());
    set("TO_REF", plan.to.named().as_str());
    set(
        "FETCH_REF",
        plan.fetch_reference.as_deref().unwrap_or_default(),
    );
    set("KEEP_TAG", plan.keep_tag.as_deref().unwrap_or_default());
    set("HOLD_TAG", plan.hold_tag.as_deref().unwrap_or_default());
    set("SERVICE_TAG", &plan.service_tag);
    let cut_off = plan.recreates().then(|| plan.dependents.join(" "));
    set("DEPENDENTS", &cut_off.unwrap_or_default());
    let scale = plan.scale_to_tell().map(|scale| scale.to_string());
    set("SCALE", &scale.unwrap_or_default());
    set("SETTLE", &plan.patience.settle_seconds.to_string());
    set("TIMEOUT", &plan.patience.timeout_seconds.to_string());
    set("KEEP", &plan.keep_count.to_string());
    set("SAME_IMAGE", if plan.same_image() { "yes" } else { "" });
    set("ONE_SHOT", if plan.one_shot { "yes" } else { "" });
    let anew = plan.premise.recreated_before;
    set("RECREATED_BEFORE", if anew { "yes" } else { "" });
    // Values that are taken over are in the job's rendering and were not in the plan's.
    let rendering = plan.premise.rendering.as_deref();
    set(
        "RENDERING",
        rendering
            .filter(|_| plan.taken_over.is_empty())
            .unwrap_or_default(),
    );
    if let Some(plain) = &plan.plain {
        plain_settings(plan, plain, text);
    }
    text.push_str(&format!(
        "docker_() {{ {} \"$@\"; }}\n",
        command_line(&plan.docker)
    ));
    text.push_str(&format!(
        "compose() {{ {} \"$@\"; }}\n",
        command_line(&plan.compose)
    ));
    text.push_str(&format!(
        "changes_the_service() {{ case $1 in {}) ;; *) return 1 ;; esac; }}\n",
        changing_steps().join("|")
    ));
    let profiles = ALL_PROFILES.map(str::to_owned);
    text.push_str(&format!(
        "rendered() {{ {} {} config \"$@\"; }}\n",
        command_line(&plan.compose),
        command_line(&profiles)
    ));
    text.push_str("premise_containers() { cat <<'HTUI_END'\n");
    for (container, image) in &plan.premise.containers {
        text.push_str(&format!("{container} {image}\n"));
    }
    text.push_str("HTUI_END\n}\n");
    text.push_str(&format!("AFTER={}\n", quote(&plan.premise.after.join(" "))));
    let followed = plan.premise.followed && plan.pin.is_some();
    text.push_str(if followed {
        "FOLLOWED=yes\n"
    } else {
        "FOLLOWED=\n"
    });
    text.push_str("premise_files() { :\n");
    for (path, hash) in &plan.premise.files {
        let hash = hash.as_deref().unwrap_or("absent");
        text.push_str(&format!("same_file {} {}\n", quote(path), quote(hash)));
    }
    text.push_str("}\nleft_files() { :\n");
    for path in plan.premise.files.keys() {
        text.push_str(&format!("left_file {}\n", quote(path)));
    }
    text.push_str("}\n");
    pin_functions(plan, text);
}

fn plain_settings(plan: &TargetPlan, plain: &Plain, text: &mut String) {
    let stop = plain.stop_seconds.map(|seconds| seconds.to_string());
    for (name, value) in [
        ("CONTAINER", plain.container.as_str()),
        ("POLICY", &plain.restart),
        ("API", &plain.api),
        ("STOP_SECONDS", stop.as_deref().unwrap_or_default()),
        ("NEW_NAME", &plan.new_name()),
        ("FORMER_NAME", &plan.former_name()),
    ] {
        text.push_str(&format!("{name}={}\n", quote(value)));
    }
}

fn id_of(id: Option<&crate::core::digest::ImageId>) -> &str {
    id.map_or("", |id| id.digest().as_str())
}

/// Writes the functions that set and take back the files of a pin, byte by byte.
fn pin_functions(plan: &TargetPlan, text: &mut String) {
    let changes: &[FileChange] = plan.pin.as_ref().map_or(&[], |pin| pin.changes.as_slice());
    text.push_str("pin_is_new() { :\n");
    for change in changes {
        match change {
            FileChange::Own {
                name, before: None, ..
            } => text.push_str(&format!("[ ! -e {} ] || return 1\n", quote(name))),
            FileChange::Own {
                name,
                before: Some(before),
                ..
            } => text.push_str(&format!(
                "[ \"$(cat {}; printf x)\" = {} ] || return 1\n",
                quote(name),
                quote(&format!("{before}x"))
            )),
            FileChange::AddBlock(_) => text.push_str("! has_block || return 1\n"),
            FileChange::RemoveBlock => text.push_str("has_block || return 1\n"),
        }
    }
    text.push_str("}\npin_write() { :\n");
    for change in changes {
        match change {
            FileChange::Own {
                name,
                before,
                after,
            } => write_file(name, before.is_none(), after.as_deref(), text),
            FileChange::AddBlock(block) => add_block(block, text),
            FileChange::RemoveBlock => text.push_str("remove_block || return 1\n"),
        }
    }
    text.push_str("}\npin_undo() { :\n");
    for change in changes.iter().rev() {
        match change {
            FileChange::Own { name, before, .. } => {
                write_file(name, false, before.as_deref(), text);
            }
            FileChange::AddBlock(_) => {
                text.push_str("if has_block; then remove_block || return 1; fi\n");
            }
            // Only an unpin takes it out, and what follows there cannot fail.
            FileChange::RemoveBlock => {}
        }
    }
    text.push_str("}\n");
    let how = plan.pin.as_ref().map_or("", |pin| match pin.how {
        How::Override => "override",
        How::Env => "env",
    });
    text.push_str(&format!("PIN={how}\n"));
    text.push_str(&format!(
        "BLOCK_BEGIN={}\nBLOCK_END={}\nNO_LINE_END={}\nNO_FILE={}\n",
        quote(BLOCK_BEGIN),
        quote(BLOCK_END),
        quote(NO_LINE_END),
        quote(NO_FILE)
    ));
}

fn add_block(block: &Block, text: &mut String) {
    let line_end = if block.line_end { "yes" } else { "" };
    text.push_str(&format!(
        "add_block {} \"{line_end}\" || return 1\n",
        quote(&block.text)
    ));
}

fn write_file(name: &str, exclusive: bool, content: Option<&str>, text: &mut String) {
    let name = quote(name);
    match content {
        None => text.push_str(&format!("rm -f {name} || return 1\n")),
        Some(content) => {
            let exclusive = if exclusive { "yes" } else { "" };
            text.push_str(&format!(
                "write_file {name} {} \"{exclusive}\" || return 1\n",
                quote(content)
            ));
        }
    }
}

/// What every job has in common.
const LIBRARY: &str = include_str!("script/library.sh");

/// A shell function that tells of somebody else's compose at work on a project in the present folder.
///
/// Where processes of others do not show their folder, their words have to name it.
pub const OTHERS_AT_WORK: &str = include_str!("script/others_at_work.sh");

/// A shell function that prints what a container is made of; it wants `docker_`.
pub const FACTS_OF: &str = include_str!("script/facts_of.sh");

/// What is other for a container of no project.
const PLAIN: &str = include_str!("script/plain.sh");

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::core::rollout::Action;
    use crate::core::rollout::plan::sample;

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
            pin_functions(&plan, &mut functions);
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
}
