//! The client of registries against the stand-in.

mod ask;
mod bounds;
mod credentials;
mod identify;
mod limits;
mod listing;
mod refusals;
mod through;
mod tls;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use homelab_tui::adapters::blobs::BlobStore;
use homelab_tui::adapters::credentials::Credentials;
use homelab_tui::adapters::registry::{Patience, Registries, RegistryOptions};
use homelab_tui::core::digest::TopDigest;
use homelab_tui::core::failure::{RegistryFailure, RegistryTrouble};
use homelab_tui::core::platform::Platform;
use homelab_tui::core::remote::{Answer, Question, QuestionKey, Route};
use homelab_tui::core::settings::RegistrySpec;

use super::stand_in::StandIn;

/// Makes the options of most tests: no credentials, blobs in memory, little patience.
fn options(specs: Vec<RegistrySpec>) -> RegistryOptions {
    let mut options = RegistryOptions::new(specs, Credentials::none(), BlobStore::in_memory());
    options.patience = Patience {
        connect: Duration::from_secs(2),
        total: Duration::from_secs(4),
    };
    options
}

fn client() -> Registries {
    Registries::new(options(Vec::new()))
}

fn client_with(credentials: Credentials) -> Registries {
    let mut options = options(Vec::new());
    options.credentials = credentials;
    Registries::new(options)
}

fn spec(host: &str) -> RegistrySpec {
    RegistrySpec {
        host: host.into(),
        plain_http: false,
        ca_file: None,
        fingerprint: None,
        via: None,
    }
}

fn plain(host: &str) -> RegistrySpec {
    RegistrySpec {
        plain_http: true,
        ..spec(host)
    }
}

fn platform(text: &str) -> Platform {
    text.to_owned().try_into().unwrap()
}

fn question(reference: &str) -> Question {
    Question {
        key: QuestionKey {
            route: Route::Here,
            reference: reference.parse().unwrap(),
            platform: platform("linux/amd64"),
        },
        running: Vec::new(),
        examine: Vec::new(),
    }
}

fn at(registry: &StandIn, rest: &str) -> Question {
    question(&format!("{}/{rest}", registry.host()))
}

fn top(digest: &str) -> TopDigest {
    digest.parse().unwrap()
}

/// Asks and expects trouble.
async fn trouble(client: &Registries, question: &Question) -> RegistryFailure {
    match client.ask(question).await {
        Err(failure) => failure,
        Ok(answer) => panic!("it was answered: {answer:#?}"),
    }
}

async fn expect(
    client: &Registries,
    question: &Question,
    expected: RegistryTrouble,
) -> RegistryFailure {
    let failure = trouble(client, question).await;
    assert_eq!(failure.trouble, expected, "{failure}");
    assert!(!failure.remedy.is_empty(), "{failure}");
    failure
}

async fn answered(client: &Registries, question: &Question) -> Answer {
    client
        .ask(question)
        .await
        .unwrap_or_else(|failure| panic!("{failure} {failure:?}"))
}

/// A folder of one test, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("homelab-tui-offline-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// Writes docker's config with one user, and returns its reader.
    fn login(&self, registry: &str, user: &str, password: &str) -> Credentials {
        let auth = STANDARD.encode(format!("{user}:{password}"));
        self.docker_config(&format!(
            r#"{{"auths":{{"{registry}":{{"auth":"{auth}"}}}}}}"#
        ))
    }

    fn docker_config(&self, text: &str) -> Credentials {
        std::fs::write(self.0.join("config.json"), text).unwrap();
        Credentials::in_folder(&self.0)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
