//! Holds the README equal to what the program's own tables say.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::Path;

use homelab_tui::cli::reference;
use homelab_tui::core::host::Address;

/// With `WRITE_README=1` in the environment the README is written anew instead.
#[test]
fn readme_is_generated() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let filled = reference::fill(&readme).unwrap();
    if std::env::var_os("WRITE_README").is_some() {
        std::fs::write(&path, filled).unwrap();
        return;
    }
    for form in Address::FORMS.replace(" or ", ", ").split(", ") {
        let told = readme.matches(&format!("`{form}`")).count();
        assert!(told > 0, "the README does not tell {form}");
    }
    assert!(
        readme == filled,
        "README.md differs from the program's tables; run WRITE_README=1 cargo test --test readme"
    );
}
