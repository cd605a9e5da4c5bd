//! What GitHub says of a token: whether it is accepted, its scopes, and when it ends.
//!
//! The token goes to GitHub's own API alone; only headers of the answer are read.

use std::time::Duration;

use reqwest::{Client, redirect};

use super::credentials::{CredentialKind, Credentials, Lookup};
use super::registry::system_tls;
use super::secret::Secret;
use crate::core::checkup::TokenFacts;
use crate::core::names::RegistryHost;
use crate::core::text::clean_within;

/// The API where a configuration names no other.
pub const API: &str = "https://api.github.com";
/// The registry of its packages.
pub const REGISTRY: &str = "ghcr.io";
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks the API about a token.
///
/// # Errors
/// If the API does not answer; the words never hold the token.
pub async fn ask(api: &str, token: &Secret) -> Result<TokenFacts, String> {
    // Reading the system's roots takes some milliseconds.
    let tls = tokio::task::spawn_blocking(system_tls).await;
    let tls = tls.map_err(|error| error.to_string())??;
    let client = Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(redirect::Policy::none())
        .referer(false)
        .timeout(PATIENCE)
        .user_agent("homelab-tui")
        .build()
        .map_err(|error| error.to_string())?;
    let address = format!("{}/user", api.trim_end_matches('/'));
    let answer = client
        .get(&address)
        .bearer_auth(token.expose())
        .send()
        .await;
    let answer = answer.map_err(|error| {
        let why = if error.is_timeout() {
            "no answer in time".to_owned()
        } else {
            clean_within(&error.without_url().to_string(), 120)
        };
        format!("{address} could not be asked: {why}")
    })?;
    let mut facts = TokenFacts {
        status: answer.status().as_u16(),
        ..TokenFacts::default()
    };
    for (name, value) in answer.headers() {
        if let Ok(value) = value.to_str() {
            facts.learn(name.as_str(), &clean_within(value, 300));
        }
    }
    Ok(facts)
}

/// Returns the token with which this machine logs in to GitHub's registry, if it is one of GitHub's.
pub async fn of_registry(credentials: &Credentials) -> Option<Secret> {
    let registry = RegistryHost::from(REGISTRY);
    let Lookup::Found(credential) = credentials.lookup(&registry).await else {
        return None;
    };
    let CredentialKind::Password { password, .. } = credential.kind else {
        return None;
    };
    let ours = ["ghp_", "gho_", "ghu_", "ghs_", "github_pat_"]
        .into_iter()
        .any(|start| password.expose().starts_with(start));
    ours.then_some(password)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::adapters::paths::scratch::Scratch;

    #[tokio::test]
    async fn scopes_and_end_are_told_by_the_headers() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = format!("http://{}/", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(stream.read_u8().await.unwrap());
            }
            let answer = "HTTP/1.1 200 OK\r\nx-oauth-scopes: repo, read:packages\r\n\
                github-authentication-token-expiration: 2026-12-01 09:00:00 UTC\r\ncontent-length: 2\r\n\r\n{}";
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(asked).unwrap()
        });
        let facts = ask(&api, &Secret::new("ghp_secret")).await.unwrap();
        let asked = server.await.unwrap().to_lowercase();
        assert!(asked.starts_with("get /user http") && asked.contains("bearer ghp_secret"));
        assert_eq!((facts.status, facts.reads_packages()), (200, Some(true)));
        assert!(facts.expires.is_some());
        let why = ask(&api, &Secret::new("ghp_secret")).await.unwrap_err();
        assert!(!why.contains("secret"), "{why}");
    }

    #[tokio::test]
    async fn only_tokens_of_github_are_sent_to_it() {
        use base64::Engine as _;
        let scratch = Scratch::create();
        for (password, is_one) in [("ghp_x", true), ("hunter2", false)] {
            let auth = base64::engine::general_purpose::STANDARD.encode(format!("me:{password}"));
            let text = format!(r#"{{"auths":{{"ghcr.io":{{"auth":"{auth}"}}}}}}"#);
            std::fs::write(scratch.path().join("config.json"), text).unwrap();
            let found = of_registry(&Credentials::in_folder(scratch.path())).await;
            assert_eq!(found.is_some(), is_one, "{password}");
        }
    }
}
