//! The example configuration: every key with its meaning, the defaults in force, everything else to be uncommented.
//!
//! Lines that begin with `# ` and a word are prose; other lines that begin with `#` are YAML that is switched off.

use std::fmt::Write;

use super::keys::{Key, Kind, Need, ROOT, Shape};

const WIDTH: usize = 100;

/// Returns the example as YAML.
pub fn example() -> String {
    let mut out = String::from(
        "# The configuration of homelab-tui. Everything in it is optional.\n\
         # Lines that begin with \"#\" and are indented, or begin with \"#\" and a key, are examples: remove the \"#\".\n\
         # Durations are written 10s, 30m, 2h. A path may begin with ~.\n",
    );
    for key in ROOT.keys {
        out.push('\n');
        prose(&mut out, "# ", &format!("{}.", key.doc));
        match key.kind {
            Kind::Map(shape) => section(&mut out, key, shape),
            Kind::List(shape) => {
                describe(&mut out, shape, "");
                off(&mut out, key);
            }
            Kind::Texts(_) if key.example.is_empty() => {}
            Kind::Texts(_) | Kind::TextsByName => off(&mut out, key),
            _ => {
                choices(&mut out, "# ", key);
                line(&mut out, "", key);
            }
        }
    }
    out
}

/// Writes a map whose keys have their defaults.
fn section(out: &mut String, key: &Key, shape: &Shape) {
    let _ = writeln!(out, "{}:", key.name);
    for key in shape.keys {
        prose(out, "  # ", &format!("{}.", key.doc));
        choices(out, "  # ", key);
        line(out, "  ", key);
    }
}

fn line(out: &mut String, indent: &str, key: &Key) {
    let value = match key.need {
        Need::Default(value) => value,
        Need::Required | Need::Optional => "null",
    };
    let _ = writeln!(out, "{indent}{}: {value}", key.name);
}

/// Writes a key that is switched off, with its example below it.
fn off(out: &mut String, key: &Key) {
    if key.example.lines().count() == 1 {
        let _ = writeln!(out, "#{}: {}", key.name, key.example);
        return;
    }
    let _ = writeln!(out, "#{}:", key.name);
    for line in key.example.lines() {
        let _ = writeln!(out, "#  {line}");
    }
}

/// Describes the keys of an entry as prose.
fn describe(out: &mut String, shape: &Shape, above: &str) {
    for key in shape.keys {
        let name = format!("{above}{}", key.name);
        let need = match key.need {
            Need::Required => ", required".to_owned(),
            Need::Default(value) if !matches!(value, "{}" | "[]") => format!(", else {value}"),
            Need::Default(_) | Need::Optional => String::new(),
        };
        prose(
            out,
            "# ",
            &format!("{name} ({}{need}): {}.", key.kind.word(), key.doc),
        );
        if let Kind::Map(inner) | Kind::List(inner) = key.kind {
            describe(out, inner, &format!("{name}."));
        }
    }
    if !shape.exactly_one.is_empty() {
        prose(
            out,
            "# ",
            &format!("Exactly one of {} is given.", shape.exactly_one.join(", ")),
        );
    }
}

fn choices(out: &mut String, start: &str, key: &Key) {
    if let Kind::OneOf(words) = key.kind {
        prose(out, start, &format!("One of {}.", words.join(", ")));
    }
}

/// Writes text broken into lines.
fn prose(out: &mut String, start: &str, text: &str) {
    let mut line = start.to_owned();
    for word in text.split(' ') {
        if line.len() + word.len() >= WIDTH && line.len() > start.len() {
            let _ = writeln!(out, "{}", line.trim_end());
            line = start.to_owned();
        }
        line.push_str(word);
        line.push(' ');
    }
    let _ = writeln!(out, "{}", line.trim_end());
}
