//! Opening a link in the operator's own browser, where the machine has a desktop.

use std::process::Stdio;

use crate::core::links;

/// Opens the link and does not wait for what opens it.
///
/// # Errors
/// In words, if there is no desktop or nothing that opens links.
pub fn open(link: &str) -> Result<(), String> {
    // Checked again here: this is where a stranger's text would become an argument.
    let link = links::address(link).ok_or("it is no web address")?;
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else {
        let desktop = ["DISPLAY", "WAYLAND_DISPLAY"];
        if desktop.iter().all(|name| std::env::var_os(name).is_none()) {
            return Err("there is no desktop here; o copies the link".to_owned());
        }
        "xdg-open"
    };
    let mut child = tokio::process::Command::new(opener)
        .arg(link)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{opener} could not be started: {error}"))?;
    tokio::spawn(async move {
        let _ = child.wait().await;
    });
    Ok(())
}
