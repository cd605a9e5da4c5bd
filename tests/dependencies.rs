//! Holds what the program is made of: licences that may be passed on, and no crate that nobody uses.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Licences under which a crate may be part of the program.
const ALLOWED: [&str; 9] = [
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-3-Clause",
    "BSL-1.0",
    "ISC",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates under a licence that covers their own files only, allowed by name.
const BY_NAME: [(&str, &str); 1] = [("option-ext", "MPL-2.0")];

/// Reads what this platform's build is made of, without a network.
fn metadata() -> Value {
    let rustc = Command::new("rustc").arg("-vV").output().unwrap();
    let rustc = String::from_utf8(rustc.stdout).unwrap();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: "));
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--locked", "--format-version", "1"])
        .args(["--filter-platform", host.unwrap()])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{words}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Tells whether an expression leaves a choice that is allowed: one side of `OR`, both of `AND`.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.trim();
    let split = |word: &str| {
        let mut depth = 0;
        let mut parts = Vec::new();
        let mut begin = 0;
        for (at, c) in expression.char_indices() {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ if depth == 0 && expression[at..].starts_with(word) => {
                    parts.push(&expression[begin..at]);
                    begin = at + word.len();
                }
                _ => {}
            }
        }
        parts.push(&expression[begin..]);
        parts
    };
    // The slash is how `OR` was written once.
    for or in [" OR ", " / ", "/"] {
        let parts = split(or);
        if parts.len() > 1 {
            return parts.into_iter().any(is_allowed);
        }
    }
    let parts = split(" AND ");
    if parts.len() > 1 {
        return parts.into_iter().all(is_allowed);
    }
    match expression
        .strip_prefix('(')
        .and_then(|inner| inner.strip_suffix(')'))
    {
        Some(inner) => is_allowed(inner),
        None => ALLOWED.contains(&expression),
    }
}

#[test]
fn every_crate_has_a_licence_that_may_be_passed_on() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100, "{} crates", packages.len());
    let refused: Vec<String> = packages
        .iter()
        .filter_map(|package| {
            let name = package["name"].as_str().unwrap();
            let licence = package["license"].as_str().unwrap_or("none told");
            let good = is_allowed(licence) || BY_NAME.contains(&(name, licence));
            (!good).then(|| format!("{name}: {licence}"))
        })
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

#[test]
fn an_expression_is_read_as_it_is_meant() {
    for good in [
        "MIT",
        "GPL-3.0 OR MIT",
        "MIT/Apache-2.0",
        "(MIT OR GPL-3.0) AND Unicode-3.0",
    ] {
        assert!(is_allowed(good), "{good}");
    }
    for bad in [
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "none told",
        "(GPL-3.0 OR AGPL-3.0) AND MIT",
        "",
    ] {
        assert!(!is_allowed(bad), "{bad}");
    }
}

#[test]
fn every_direct_dependency_is_used() {
    let metadata = metadata();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = |folders: &[&str]| {
        let mut all = String::new();
        for folder in folders {
            gather(&root.join(folder), &mut all);
        }
        all
    };
    let (product, tests) = (
        text(&["src"]),
        text(&["src", "tests", "benches", "examples"]),
    );
    let packages = metadata["packages"].as_array().unwrap();
    let own = packages
        .iter()
        .find(|package| package["name"] == env!("CARGO_PKG_NAME"));
    let mut checked = 0;
    for dependency in own.unwrap()["dependencies"].as_array().unwrap() {
        let renamed = dependency["rename"].as_str();
        let name = renamed
            .unwrap_or(dependency["name"].as_str().unwrap())
            .replace('-', "_");
        let place = if dependency["kind"].is_null() {
            &product
        } else {
            &tests
        };
        // `name` stands before `::`, or alone in a `use`.
        let used = [format!("{name}::"), format!("use {name};")];
        assert!(
            used.iter().any(|used| place.contains(used)),
            "nobody uses {name}"
        );
        checked += 1;
    }
    assert!(checked > 20, "{checked}");
}

#[test]
fn the_licences_lie_beside_the_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert_eq!(env!("CARGO_PKG_LICENSE"), "MIT OR Apache-2.0");
    for (file, words) in [
        ("LICENSE-MIT", "MIT License"),
        ("LICENSE-APACHE", "Apache License"),
    ] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        assert!(text.contains(words), "{file}");
    }
}

fn gather(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            gather(&path, all);
        } else if path.extension().is_some_and(|end| end == "rs") {
            all.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}
