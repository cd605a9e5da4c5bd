//! Holds the arrows between modules: what each part may use, and nothing else.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module with the modules of this crate that it may use.
const ARROWS: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("app", &["core"]),
    ("ui", &["app", "core"]),
    ("adapters", &["core"]),
    ("demo", &["app", "core"]),
    ("runtime", &["adapters", "app", "core", "demo", "ui"]),
    ("cli", &["adapters", "app", "core", "demo", "runtime", "ui"]),
];

/// Foreign crates that stay on their side of the house.
const FOREIGN: &[(&str, &[&str])] = &[
    (
        "core",
        &[
            "tokio",
            "ratatui",
            "crossterm",
            "bollard",
            "openssh",
            "reqwest",
            "hyper",
            "serde_yaml",
            "clap",
        ],
    ),
    (
        "app",
        &[
            "tokio",
            "ratatui",
            "crossterm",
            "bollard",
            "openssh",
            "reqwest",
            "hyper",
            "serde_yaml",
            "clap",
        ],
    ),
    (
        "ui",
        &[
            "tokio",
            "crossterm",
            "bollard",
            "openssh",
            "reqwest",
            "hyper",
            "serde_yaml",
            "clap",
        ],
    ),
    ("adapters", &["ratatui", "crossterm", "clap"]),
    (
        "runtime",
        &[
            "bollard",
            "openssh",
            "reqwest",
            "hyper",
            "serde_yaml",
            "clap",
        ],
    ),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// Returns the code without comments and without its unit tests, which may use fixtures of other parts.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let body = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let lines = body
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the first path segments after `prefix`, also within braces.
fn mentions(code: &str, prefix: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        let word = |text: &str| -> String {
            text.trim_start()
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        };
        match rest.strip_prefix('{') {
            Some(list) => {
                let mut depth = 0;
                let mut start = 0;
                for (index, c) in list.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => {
                            found.insert(word(&list[start..index]));
                            break;
                        }
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            found.insert(word(&list[start..index]));
                            start = index + 1;
                        }
                        _ => {}
                    }
                }
            }
            None => {
                found.insert(word(rest));
            }
        }
    }
    found.remove("");
    found
}

#[test]
fn no_arrow_points_back() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let known: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (module, allowed) in ARROWS {
        let folder = root.join(module);
        if !folder.is_dir() {
            continue;
        }
        for path in sources(&folder) {
            let code = code(&path);
            for used in mentions(&code, "crate::") {
                if !known.contains(used.as_str()) {
                    continue;
                }
                seen += 1;
                if used != *module && !allowed.contains(&used.as_str()) {
                    wrong.push(format!("{} uses crate::{used}", path.display()));
                }
            }
            for (_, foreign) in FOREIGN.iter().filter(|(name, _)| name == module) {
                for name in *foreign {
                    if mentions(&code, &format!("{name}::"))
                        .iter()
                        .next()
                        .is_some()
                    {
                        wrong.push(format!("{} uses {name}", path.display()));
                    }
                }
            }
        }
    }
    assert!(
        seen > 15,
        "the test found only {seen} uses: does it still read the code?"
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_test_sees_an_arrow_that_points_back() {
    let code = "use crate::{core::x, ui::{a, b}};\nlet y = crate::runtime::z();";
    let found: Vec<String> = mentions(code, "crate::").into_iter().collect();
    assert_eq!(found, ["core", "runtime", "ui"]);
}
