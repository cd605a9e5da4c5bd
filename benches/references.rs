//! How fast 60 references of one registry are checked, beside bare requests on one kept connection in the same run.
//!
//! `cargo bench --bench references`. The registry is the tests' stand-in, in this process but on its own thread.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    reason = "a bench prints, and a failed unwrap ends it; not every helper has a user"
)]

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use homelab_tui::adapters::blobs::BlobStore;
use homelab_tui::adapters::credentials::Credentials;
use homelab_tui::adapters::registry::{Registries, RegistryOptions};
use homelab_tui::core::digest::TopDigest;
use homelab_tui::core::platform::Platform;
use homelab_tui::core::remote::{Question, QuestionKey, Route};
use homelab_tui::core::settings::RegistrySpec;

#[path = "../tests/stand_in/mod.rs"]
mod stand_in;

use stand_in::images::{Image, image, index};
use stand_in::{Auth, StandIn, Tokens};

const REFERENCES: usize = 60;
const RUNS: usize = 7;

/// The middle and the worst of several runs, and the requests of one.
struct Figure {
    middle: Duration,
    worst: Duration,
    requests: usize,
    manifests_read: usize,
}

fn main() {
    let server = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let console = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    println!("{REFERENCES} references of one registry, at most 8 in flight, middle of {RUNS} runs");
    println!(
        "{:<50} {:>10} {:>10} {:>9} {:>8}",
        "", "middle", "worst", "requests", "counted"
    );
    for delay in [0, 20] {
        let registry = server.block_on(StandIn::start());
        fill(&registry);
        registry.set().delay = Duration::from_millis(delay);
        println!("with {delay} ms for each answer");
        let bare = measure(&registry, || console.block_on(bare(&registry)));
        show("  bare HEADs, one kept connection, one by one", &bare);
        let unknown = questions(&registry, false);
        let current = questions(&registry, true);
        let cold = measure(&registry, || {
            let client = client(&registry);
            console.block_on(ask(&client, &unknown));
        });
        show("  ours, nothing known: HEAD, index, image, config", &cold);
        let fresh = measure(&registry, || {
            let client = client(&registry);
            console.block_on(ask(&client, &current));
        });
        show("  ours, new connections, all current", &fresh);
        let kept = client(&registry);
        console.block_on(ask(&kept, &unknown));
        let again = measure(&registry, || console.block_on(ask(&kept, &unknown)));
        show("  ours, again, nothing changed", &again);
        let rules = Tokens::at(&format!("http://{}", registry.host()));
        registry.set().auth = Auth::Tokens(rules);
        let tokens = measure(&registry, || {
            let client = client(&registry);
            console.block_on(ask(&client, &current));
        });
        show("  ours, new connections, a token for each", &tokens);
    }
}

fn show(name: &str, figure: &Figure) {
    println!(
        "{name:<50} {:>7.1} ms {:>7.1} ms {:>9} {:>8}",
        figure.middle.as_secs_f64() * 1e3,
        figure.worst.as_secs_f64() * 1e3,
        figure.requests,
        figure.manifests_read
    );
}

fn measure(registry: &StandIn, mut run: impl FnMut()) -> Figure {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            registry.take_log();
            let begun = Instant::now();
            run();
            begun.elapsed()
        })
        .collect();
    times.sort();
    let log = registry.take_log();
    let read =
        |asked: &&stand_in::Asked| asked.method == "GET" && asked.target.contains("/manifests/");
    Figure {
        middle: times[RUNS / 2],
        worst: times[RUNS - 1],
        requests: log.len(),
        manifests_read: log.iter().filter(read).count(),
    }
}

fn made(number: usize) -> stand_in::images::Blob {
    let revision = format!("r{number}");
    let of = |platform| Image {
        platform,
        revision: &revision,
        ..Image::default()
    };
    index(
        &[image(&of("linux/amd64")), image(&of("linux/arm64"))],
        true,
    )
}

fn fill(registry: &StandIn) {
    for number in 0..REFERENCES {
        registry.push(&format!("app{number}"), Some("1"), &made(number));
    }
}

fn client(registry: &StandIn) -> Registries {
    let spec = RegistrySpec {
        host: registry.host().as_str().into(),
        plain_http: true,
        ca_file: None,
        fingerprint: None,
        via: None,
    };
    Registries::new(RegistryOptions::new(
        vec![spec],
        Credentials::none(),
        BlobStore::in_memory(),
    ))
}

fn questions(registry: &StandIn, current: bool) -> Vec<Question> {
    let question = |number: usize| Question {
        key: QuestionKey {
            route: Route::Here,
            reference: format!("{}/app{number}:1", registry.host())
                .parse()
                .unwrap(),
            platform: Platform::new("linux", "amd64", None),
        },
        running: current
            .then(|| made(number).digest.parse::<TopDigest>().unwrap())
            .into_iter()
            .collect(),
        examine: Vec::new(),
    };
    (0..REFERENCES).map(question).collect()
}

async fn ask(client: &Registries, questions: &[Question]) {
    let asks = questions.iter().cloned().map(|question| {
        let client = client.clone();
        tokio::spawn(async move { client.ask(&question).await.unwrap() })
    });
    for answer in join_all(asks).await {
        answer.unwrap();
    }
}

/// Sends what a shell's loop over one kept connection would send.
async fn bare(registry: &StandIn) {
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(
            rustls::ClientConfig::builder_with_provider(
                rustls::crypto::ring::default_provider().into(),
            )
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth(),
        )
        .no_proxy()
        .build()
        .unwrap();
    for number in 0..REFERENCES {
        let url = format!("http://{}/v2/app{number}/manifests/1", registry.host());
        let reply = client
            .head(url)
            .header("accept", stand_in::images::OCI_INDEX)
            .send()
            .await
            .unwrap();
        assert!(reply.headers().contains_key("docker-content-digest"));
    }
}
