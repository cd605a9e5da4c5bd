//! Registries that only a host can reach.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use homelab_tui::adapters::registry::{Dialer, EngineAnswer, EngineAsk, EngineAuth, Stream};
use homelab_tui::core::failure::RegistryTrouble as T;
use homelab_tui::core::image::ImageRef;
use homelab_tui::core::names::HostName;
use homelab_tui::core::remote::Route;

use super::*;
use crate::stand_in::images::{Image, image};

/// Connects to one port, whoever is asked for.
pub struct ToOnePort {
    address: SocketAddr,
    refusal: Option<io::ErrorKind>,
    dialled: Mutex<Vec<String>>,
}

impl ToOnePort {
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            refusal: None,
            dialled: Mutex::default(),
        }
    }

    pub fn dialled(&self) -> Vec<String> {
        self.dialled.lock().unwrap().clone()
    }
}

impl Dialer for ToOnePort {
    fn dial<'a>(
        &'a self,
        host: &'a HostName,
        target: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            self.dialled
                .lock()
                .unwrap()
                .push(format!("{host} {target}:{port}"));
            if let Some(kind) = self.refusal {
                return Err(kind.into());
            }
            let stream = tokio::net::TcpStream::connect(self.address).await?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}

struct Engine;

impl EngineAsk for Engine {
    fn distribution<'a>(
        &'a self,
        _: &'a HostName,
        _: &'a ImageRef,
        _: Option<&'a EngineAuth>,
    ) -> BoxFuture<'a, Result<EngineAnswer, RegistryFailure>> {
        Box::pin(async {
            Ok(EngineAnswer {
                top: image(&Image::default()).digest.parse().unwrap(),
                platforms: vec![platform("linux/amd64")],
            })
        })
    }
}

fn via(reference: &str) -> Question {
    let mut question = question(reference);
    question.key.route = Route::Via("vps".into());
    question
}

#[tokio::test]
async fn a16_a_registry_is_asked_through_its_host_over_few_connections() {
    let registry = StandIn::start().await;
    let made = image(&Image::default());
    for number in 0..20 {
        registry.push("app", Some(&format!("v{number}")), &made);
    }
    let dialer = Arc::new(ToOnePort::new(registry.address));
    let mut options = options(Vec::new());
    options.dialer = Some(dialer.clone());
    let client = Registries::new(options);
    let asks = (0..20).map(|number| {
        let client = client.clone();
        let question = via(&format!("localhost:5000/app:v{number}"));
        tokio::spawn(async move { answered(&client, &question).await })
    });
    for answer in futures_util::future::join_all(asks).await {
        assert_eq!(answer.unwrap().top, top(&made.digest));
    }
    let dialled = dialer.dialled();
    assert!(dialled.iter().all(|line| line == "vps localhost:5000"));
    // One more for the attempt with TLS.
    assert!(dialled.len() <= 4, "{dialled:?}");
    assert!(registry.set().open_most <= 3);
}

#[tokio::test]
async fn a16_a_kept_connection_that_was_closed_is_made_anew() {
    let registry = StandIn::start().await;
    let made = image(&Image::default());
    registry.push("app", Some("1"), &made);
    let mut options = options(vec![plain("localhost:5000")]);
    options.dialer = Some(Arc::new(ToOnePort::new(registry.address)));
    let client = Registries::new(options);
    for _ in 0..3 {
        answered(&client, &via("localhost:5000/app:1")).await;
        registry.break_at("/manifests/", crate::stand_in::Fault::CloseMidBody);
        let _ = client
            .tags(
                &Route::Via("vps".into()),
                &via("localhost:5000/app:1").key.reference.repository,
            )
            .await;
        registry.set().faults.clear();
    }
}

#[tokio::test]
async fn through_a_host_over_tls() {
    let registry = StandIn::start_tls().await;
    registry.push("app", Some("1"), &image(&Image::default()));
    let mut spec = tls::trusting(&registry);
    spec.host = "registry.test:5000".into();
    spec.via = Some("vps".into());
    let mut options = options(vec![spec]);
    options.dialer = Some(Arc::new(ToOnePort::new(registry.address)));
    let client = Registries::new(options);
    answered(&client, &via("registry.test:5000/app:1")).await;
}

#[tokio::test]
async fn without_a_way_to_the_host_it_is_said() {
    let mut question = via("localhost:5000/app:1");
    expect(&client(), &question, T::NoRoute).await;
    for (kind, trouble) in [
        (io::ErrorKind::NotConnected, T::NoRoute),
        (io::ErrorKind::PermissionDenied, T::NoRoute),
        (io::ErrorKind::ConnectionRefused, T::Away),
    ] {
        let mut dialer = ToOnePort::new("127.0.0.1:1".parse().unwrap());
        dialer.refusal = Some(kind);
        let mut options = options(Vec::new());
        options.dialer = Some(Arc::new(dialer));
        question.key.route = Route::Via("vps".into());
        let failure = expect(&Registries::new(options), &question, trouble).await;
        assert!(failure.what.contains("through vps"), "{failure}");
    }
}

#[tokio::test]
async fn where_the_host_lets_nothing_through_its_engine_is_asked() {
    let mut dialer = ToOnePort::new("127.0.0.1:1".parse().unwrap());
    dialer.refusal = Some(io::ErrorKind::PermissionDenied);
    let mut options = options(Vec::new());
    options.dialer = Some(Arc::new(dialer));
    options.engines = Some(Arc::new(Engine));
    let client = Registries::new(options);
    let mut question = via("localhost:5000/app:1");
    let answer = answered(&client, &question).await;
    assert_eq!(answer.top, top(&image(&Image::default()).digest));
    assert!(answer.remark.unwrap().contains("engine of vps"));
    question.key.platform = platform("linux/riscv64");
    expect(&client, &question, T::NoPlatform).await;
}
