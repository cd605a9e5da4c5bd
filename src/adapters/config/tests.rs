#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::time::Duration;

use super::keys::{BUILD, Kind, ROOT, Shape};
use super::tree::{Content, Node};
use super::*;
use crate::core::settings::BuildOrigin;

fn read_text(text: &str) -> Loaded {
    read(
        "config.yaml",
        text,
        Base::default(),
        &[],
        Vocabulary::default(),
    )
    .unwrap()
}

fn said(loaded: &Loaded) -> Vec<String> {
    loaded.problems.iter().map(Problem::to_string).collect()
}

#[test]
fn the_example_is_the_defaults() {
    let loaded = read_text(&example::example());
    assert_eq!(said(&loaded), Vec::<String>::new());
    assert_eq!(loaded.settings, Settings::default());
}

/// Switches on what the example has switched off.
fn uncommented() -> String {
    let prose = |line: &str| {
        let mut after = line.trim_start().chars();
        after.next() == Some('#') && after.next() == Some(' ') && after.next() != Some(' ')
    };
    example::example()
        .lines()
        .filter(|line| !prose(line))
        .map(|line| line.strip_prefix('#').unwrap_or(line).to_owned() + "\n")
        .collect()
}

#[test]
fn the_example_stays_right_when_it_is_switched_on() {
    let loaded = read_text(&uncommented());
    assert_eq!(said(&loaded), Vec::<String>::new(), "{}", uncommented());
    assert_eq!(loaded.settings.hosts.len(), 2);
    // Each kind of source has its entry there, and each entry is read.
    for kind in BUILD.exactly_one {
        assert!(uncommented().contains(&format!("{kind}: ")), "{kind}");
    }
    assert_eq!(loaded.settings.builds.len(), BUILD.exactly_one.len());
}

#[test]
fn the_example_shows_every_key() {
    fn used(node: &Node, shape: &Shape, above: &str, seen: &mut Vec<String>) {
        match &node.content {
            Content::List(nodes) => nodes.iter().for_each(|node| used(node, shape, above, seen)),
            Content::Map(pairs) => {
                for (name, value) in pairs {
                    let Content::Scalar(name) = &name.content else {
                        continue;
                    };
                    let Some(key) = shape.key(name) else { continue };
                    let name = format!("{above}{name}");
                    if let Kind::Map(inner) | Kind::List(inner) = key.kind {
                        used(value, inner, &format!("{name}."), seen);
                    }
                    seen.push(name);
                }
            }
            Content::Nothing | Content::Scalar(_) => {}
        }
    }
    fn all(shape: &Shape, above: &str, names: &mut Vec<String>) {
        for key in shape.keys {
            let name = format!("{above}{}", key.name);
            if let Kind::Map(inner) | Kind::List(inner) = key.kind {
                all(inner, &format!("{name}."), names);
            }
            names.push(name);
        }
    }
    let (mut seen, mut names) = (Vec::new(), Vec::new());
    used(&tree::parse(&uncommented()).unwrap(), &ROOT, "", &mut seen);
    all(&ROOT, "", &mut names);
    names.retain(|name| !seen.contains(name));
    assert_eq!(
        names,
        Vec::<String>::new(),
        "keys that the example does not show"
    );
}

#[test]
fn the_contract_s_example_is_read_whole() {
    let text = include_str!("../../../tests/config/valid/contract.yaml");
    let loaded = read_text(text);
    // The example names a host that it does not have; that is worth a word and leaves nothing out.
    assert!(
        loaded
            .problems
            .iter()
            .all(|problem| problem.weight == Weight::Warning && problem.what.contains("`builder`"))
    );
    assert_eq!(loaded.problems.len(), 2);
    let settings = &loaded.settings;
    assert_eq!(settings.hosts.len(), 1);
    assert_eq!(settings.hosts[0].docker_command, ["sudo", "docker"]);
    assert_eq!(settings.registries.len(), 2);
    assert_eq!(settings.registries[1].via, Some("vps".into()));
    assert_eq!(settings.environments.len(), 2);
    assert_eq!(settings.order, ["networking", "blog", "travel"]);
    assert_eq!(settings.builds.len(), 3);
    assert_eq!(settings.rollback.timeout, Duration::from_secs(120));
    assert_eq!(settings.keys["quit"], ["q", "ctrl-c"]);
    assert_eq!(settings.keys["rollback"], ["b"]);
}

#[test]
fn a_bad_entry_takes_only_itself_down() {
    let loaded = read_text(
        "hosts:\n\
         \x20 - {name: a, address: local}\n\
         \x20 - {name: b, adress: local}\n\
         \x20 - {name: c, address: ssh://c, protect: maybe}\n\
         \x20 - {name: a, address: ssh://a}\n\
         \x20 - {name: d, address: ssh://d}\n\
         refresh: {hosts: often, registry: 5m}\n\
         mouse: true\n",
    );
    assert_eq!(
        said(&loaded),
        [
            "config.yaml:3:15: unknown key `adress`; did you mean `address`?",
            "config.yaml:4:42: `protect` cannot be `maybe`; expected true or false",
            "config.yaml:5:12: the host `a` is given twice; give it another name; the first is on line 2",
            "config.yaml:7:18: `hosts` cannot be `often`; expected a duration such as 10s, 30m or 2h",
        ]
    );
    let names: Vec<_> = loaded
        .settings
        .hosts
        .iter()
        .map(|host| host.name.as_str())
        .collect();
    assert_eq!(names, ["a", "d"]);
    assert!(loaded.settings.mouse);
    assert_eq!(loaded.settings.refresh.registry, Duration::from_secs(300));
    assert_eq!(loaded.settings.refresh.hosts, Duration::from_secs(1800));
}

#[test]
fn hosts_of_the_command_line_replace_the_address_and_keep_the_protection() {
    let host = |name: &str, address: &str| HostSpec::new(name.into(), address.parse().unwrap());
    let extra = [host("vps", "local"), host("pi", "ssh://pi")];
    let text = "hosts:\n  - {name: vps, address: ssh://vps, protect: true, docker: {command: sudo docker}}\n\
                registries:\n  - {host: localhost:5000, via: pi}\n";
    let loaded = read("c", text, Base::default(), &extra, Vocabulary::default()).unwrap();
    assert_eq!(said(&loaded), Vec::<String>::new());
    let hosts = &loaded.settings.hosts;
    assert_eq!(hosts.len(), 2);
    assert_eq!(hosts[0].address.to_string(), "local");
    assert!(hosts[0].protect);
    assert_eq!(hosts[0].docker_command, ["docker"]);
    assert_eq!(hosts[1], extra[1]);
}

#[test]
fn paths_of_this_machine_are_resolved() {
    let base = Base {
        folder: Some(Path::new("/etc/htui")),
        home: Some(Path::new("/home/op")),
    };
    let text = "ssh: {config_file: ~/.ssh/lab}\n\
                hosts: [{name: h, address: local}]\n\
                registries: [{host: r, ca_file: ca.pem}]\n\
                builds:\n  - {name: a, file: logs/*.log}\n  - {name: b, file: logs/*.log, host: h}\n";
    let settings = read("c", text, base, &[], Vocabulary::default())
        .unwrap()
        .settings;
    assert_eq!(
        settings.ssh.config_file.as_deref(),
        Some("/home/op/.ssh/lab")
    );
    assert_eq!(
        settings.registries[0].ca_file.as_deref(),
        Some("/etc/htui/ca.pem")
    );
    let patterns: Vec<_> = settings
        .builds
        .iter()
        .map(|build| match &build.from {
            BuildOrigin::File { pattern, .. } => pattern.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(patterns, ["/etc/htui/logs/*.log", "logs/*.log"]);
}

#[test]
fn commands_themes_and_keys_are_checked_against_what_there_is() {
    fn bad_key(key: &str) -> Option<String> {
        (key.chars().count() > 1 && !key.starts_with("ctrl-"))
            .then(|| "expected a key such as b".to_owned())
    }
    let themes = ["dusk".to_owned(), "dawn".to_owned()];
    let vocabulary = Vocabulary {
        commands: &["rollback", "quit"],
        themes: &themes,
        bad_key: Some(bad_key),
    };
    let text = "theme: dask\nkeys:\n  rolback: b\n  rollback: [hyperspace, B]\n  quit: [nope]\n";
    let loaded = read("c", text, Base::default(), &[], vocabulary).unwrap();
    assert_eq!(
        said(&loaded),
        [
            "c:1:8: there is no theme `dask`; did you mean `dusk`?",
            "c:3:3: there is no command `rolback`; did you mean `rollback`?",
            "c:4:14: there is no key `hyperspace`; expected a key such as b",
            "c:5:10: there is no key `nope`; expected a key such as b",
        ]
    );
    assert_eq!(loaded.settings.theme, "dusk");
    assert_eq!(loaded.settings.keys.len(), 1);
    assert_eq!(loaded.settings.keys["rollback"], ["B"]);
}

#[test]
fn every_file_of_the_valid_folder_is_right() {
    for (path, text) in files("valid", "yaml") {
        if path.ends_with("contract.yaml") {
            continue;
        }
        assert_eq!(
            said(&read_text(&text)),
            Vec::<String>::new(),
            "{}",
            path.display()
        );
    }
}

/// Each `NAME.yaml` has its messages in `NAME.expected`; `UPDATE_EXPECTED=1` writes them anew.
#[test]
fn every_file_of_the_invalid_folder_says_what_would_be_right() {
    let files = files("invalid", "yaml");
    assert!(files.len() >= 20, "the folder was found");
    for (path, text) in files {
        let found = match read(
            "config.yaml",
            &text,
            Base::default(),
            &[],
            Vocabulary::default(),
        ) {
            Ok(loaded) => said(&loaded).join("\n"),
            Err(error) => error.to_string(),
        } + "\n";
        let expected = path.with_extension("expected");
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            std::fs::write(&expected, &found).unwrap();
        }
        assert_eq!(
            found,
            std::fs::read_to_string(&expected).unwrap(),
            "{}",
            path.display()
        );
        assert!(found.len() > 1, "{} has nothing wrong", path.display());
    }
}

fn files(folder: &str, extension: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/config")
        .join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|own| own == extension))
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_file_that_cannot_be_read_says_what_to_try() {
    let absent = load(
        Path::new("/nonexistent/config.yaml"),
        &[],
        Vocabulary::default(),
    );
    let error = absent.unwrap_err().to_string();
    assert!(
        error.contains("/nonexistent/config.yaml") && error.contains("-c"),
        "{error}"
    );

    let scratch = crate::adapters::paths::scratch::Scratch::create();
    let file = scratch.path().join("c.yaml");
    std::fs::write(&file, b"theme: dusk\nmouse: \xff\n").unwrap();
    let error = load(&file, &[], Vocabulary::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("c.yaml:2:8: this is not UTF-8 text"),
        "{error}"
    );
    std::fs::write(&file, vec![b'#'; 1 + (1 << 20)]).unwrap();
    let error = load(&file, &[], Vocabulary::default())
        .unwrap_err()
        .to_string();
    assert!(error.contains("larger than 1 MB"), "{error}");
}

#[test]
fn the_schema_names_every_key_of_the_root() {
    let schema = schema::schema();
    for key in ROOT.keys {
        let property = &schema["properties"][key.name];
        assert_eq!(property["description"], key.doc, "{}", key.name);
    }
    assert_eq!(
        schema["properties"]["builds"]["items"]["oneOf"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
    assert_eq!(
        schema["properties"]["rollback"]["properties"]["keep"]["default"],
        5
    );
}

/// Reads a text and makes sure that every problem lies in it.
/// Reads what may be no configuration at all; returns how many mistakes were named.
fn survives(text: &str) -> usize {
    let name = "c.yaml";
    let problems = match read(name, text, Base::default(), &[], Vocabulary::default()) {
        Ok(loaded) => loaded.problems,
        Err(Unreadable::NotYaml(problem)) => vec![problem],
        Err(other) => panic!("{other}"),
    };
    let lines = text.lines().count() + 1;
    for problem in &problems {
        assert!((1..=lines).contains(&problem.line), "{problem}\n{text}");
        assert!(problem.column >= 1, "{problem}");
        let shown = problem.to_string();
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
    }
    problems.len()
}

#[test]
fn deep_and_endless_documents_are_refused() {
    for text in [
        "[".repeat(100_000),
        "{a: ".repeat(50_000),
        "- ".repeat(50_000),
        format!("hosts: {}{}", "[".repeat(200), "]".repeat(200)),
        "a".repeat(1 << 20),
    ] {
        assert!(survives(&text) > 0, "{:.20}", text);
    }
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in "\\PC{0,200}") {
        survives(&text);
    }

    #[test]
    fn no_damage_to_a_right_file_breaks_the_reader(at in 0_usize..6000, cut in 0_usize..40, put in "[\\PC\n\t]{0,8}") {
        let mut text: Vec<char> = uncommented().chars().collect();
        let at = at % text.len();
        let end = (at + cut).min(text.len());
        text.splice(at..end, put.chars());
        survives(&text.into_iter().collect::<String>());
    }
}
