//! The configuration reference of the README.

use std::fmt::Write;

use super::keys::{Kind, Need, ROOT, Shape};

/// Returns the reference as a markdown table.
pub fn reference() -> String {
    let mut out = String::from("| key | type | default | meaning |\n|---|---|---|---|\n");
    rows(&mut out, &ROOT, "");
    out
}

fn rows(out: &mut String, shape: &Shape, above: &str) {
    for key in shape.keys {
        let name = format!("{above}{}", key.name);
        let default = match key.need {
            Need::Required => "required".to_owned(),
            Need::Default("{}" | "[]") | Need::Optional => String::new(),
            Need::Default(value) => format!("`{value}`"),
        };
        let kind = key.kind.word();
        let doc = key.doc.replace('|', "\\|");
        let _ = writeln!(out, "| `{name}` | {kind} | {default} | {doc} |");
        match key.kind {
            Kind::Map(inner) => rows(out, inner, &format!("{name}.")),
            Kind::List(inner) => rows(out, inner, &format!("{name}[].")),
            _ => {}
        }
    }
}
