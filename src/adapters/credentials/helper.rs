//! Docker's credential helpers: programs that are told a server and answer with user and secret.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

use super::{Lookup, of_parts};
use crate::adapters::secret::Secret;
use crate::core::text::clean_within;

/// No secret is larger.
const LARGEST: u64 = 64 << 10;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

/// Asks a helper by its short name for the credential of a server.
pub(super) async fn get(
    name: &str,
    folder: Option<&Path>,
    server: &str,
    patience: Duration,
) -> Lookup {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.chars().all(plain) {
        return Lookup::Failed(format!(
            "docker's config names the credential helper {:?}, which is no program's name",
            clean_within(name, 64)
        ));
    }
    let program = format!("docker-credential-{name}");
    let path = folder
        .map(|folder| folder.join(&program))
        .filter(|path| path.is_file())
        .unwrap_or_else(|| PathBuf::from(&program));
    match timeout(patience, run(&program, &path, server)).await {
        Ok(Ok(lookup)) => lookup,
        Ok(Err(why)) => Lookup::Failed(format!("{program} {why}")),
        Err(_) => Lookup::Failed(format!(
            "{program} gave no answer within {} s (is its store locked?)",
            patience.as_secs()
        )),
    }
}

async fn run(program: &str, path: &Path, server: &str) -> Result<Lookup, String> {
    // A helper that wants to ask a person finds no terminal on its input.
    let mut child = Command::new(path)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("cannot be run: {error}"))?;
    let mut stdin = child.stdin.take().ok_or("has no input")?;
    let stdout = child.stdout.take().ok_or("has no output")?;
    // A helper that does not read its input may still answer.
    let _ = stdin.write_all(format!("{server}\n").as_bytes()).await;
    drop(stdin);
    let mut output = Vec::new();
    stdout
        .take(LARGEST + 1)
        .read_to_end(&mut output)
        .await
        .map_err(|error| format!("broke off: {error}"))?;
    if output.len() as u64 > LARGEST {
        return Err("answered with more than any credential needs".to_owned());
    }
    let status = child
        .wait()
        .await
        .map_err(|error| format!("broke off: {error}"))?;
    if !status.success() {
        // The protocol has errors on standard output, this one in just these words.
        let words = String::from_utf8_lossy(&output);
        if words.contains("credentials not found") {
            return Ok(Lookup::None);
        }
        return Err(format!("failed: {}", clean_within(words.trim(), 200)));
    }
    let told: Told = serde_json::from_slice(&output)
        .map_err(|_| "answered with something that is no credential".to_owned())?;
    if told.secret.is_empty() {
        return Ok(Lookup::None);
    }
    Ok(Lookup::Found(of_parts(
        told.username,
        Secret::new(told.secret),
        program,
    )))
}
