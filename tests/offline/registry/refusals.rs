//! Bad days: each is a failure with its reason and its remedy, never an answer.

use homelab_tui::core::failure::RegistryTrouble as T;

use super::*;
use crate::stand_in::Fault;
use crate::stand_in::images::{Image, image};

async fn registry() -> StandIn {
    let registry = StandIn::start().await;
    registry.push("web", Some("1"), &image(&Image::default()));
    registry
}

fn http(registry: &StandIn) -> Registries {
    Registries::new(options(vec![plain(&registry.host())]))
}

#[tokio::test]
async fn a9_a_status_alone_is_never_gone_and_never_an_answer() {
    let registry = registry().await;
    for (status, expected) in [
        (401, T::Unauthorized),
        (403, T::Denied),
        (404, T::NotFound),
        (429, T::RateLimited),
        (500, T::ServerError),
        (503, T::ServerError),
        (418, T::Lied),
    ] {
        registry.set().faults.clear();
        registry.break_at("/manifests/", Fault::status(status));
        let failure = expect(&http(&registry), &at(&registry, "web:1"), expected).await;
        assert_eq!(failure.status, Some(status));
        assert!(failure.what.contains(&registry.host()), "{failure}");
        assert!(failure.what.contains("web:1"), "{failure}");
    }
    registry.set().faults.clear();
    registry.break_at(
        "/manifests/",
        Fault::Status(404, Vec::new(), "<html>nginx</html>".to_owned()),
    );
    expect(&http(&registry), &at(&registry, "web:1"), T::NotFound).await;
}

#[tokio::test]
async fn a_registry_s_own_word_is_gone() {
    let registry = registry().await;
    let client = http(&registry);
    let failure = expect(&client, &at(&registry, "web:2"), T::Gone).await;
    assert!(failure.what.contains("manifest unknown"), "{failure}");
    expect(&client, &at(&registry, "nothing:1"), T::Gone).await;
    let lines = registry.take_lines();
    assert!(
        lines.contains(&"GET /v2/web/manifests/2 404".to_owned()),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a9_silence_is_told_after_a_time() {
    let registry = registry().await;
    registry.break_at("/manifests/", Fault::Hang);
    let mut options = options(vec![plain(&registry.host())]);
    options.patience.total = Duration::from_millis(300);
    let client = Registries::new(options);
    let failure = expect(&client, &at(&registry, "web:1"), T::TimedOut).await;
    assert!(failure.is_registry_away());
}

#[tokio::test]
async fn a9_a_connection_that_breaks() {
    let registry = registry().await;
    registry.break_at("GET /manifests/", Fault::CloseMidBody);
    expect(&http(&registry), &at(&registry, "web:1"), T::Away).await;
}

#[tokio::test]
async fn a9_nobody_listens_and_no_such_name() {
    let port = {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.local_addr().unwrap().port()
    };
    let failure = expect(
        &client(),
        &question(&format!("127.0.0.1:{port}/x:1")),
        T::Away,
    )
    .await;
    assert!(failure.what.contains("refuses the connection"), "{failure}");
    let failure = expect(&client(), &question("no-such-host.invalid/x:1"), T::Away).await;
    assert!(failure.what.contains("does not resolve"), "{failure}");
}

#[tokio::test]
async fn a17_a_registry_that_is_away_is_found_out_once() {
    let registry = registry().await;
    registry.break_at("/v2/", Fault::Hang);
    let mut options = options(vec![plain(&registry.host())]);
    options.patience.total = Duration::from_millis(300);
    let client = Registries::new(options);
    let started = std::time::Instant::now();
    let asks = (0..20).map(|at_| {
        let client = client.clone();
        let question = at(&registry, &format!("web:{at_}"));
        tokio::spawn(async move { trouble(&client, &question).await })
    });
    for failure in futures_util::future::join_all(asks).await {
        assert_eq!(failure.unwrap().trouble, T::TimedOut);
    }
    assert!(started.elapsed() < Duration::from_millis(1500));
    assert!(registry.take_log().len() <= 8);
    // It is back: no memory of the bad day stands in the way.
    registry.set().faults.clear();
    answered(&client, &at(&registry, "web:1")).await;
}

#[tokio::test]
async fn plain_http_is_said_with_the_line_that_allows_it() {
    let registry = registry().await;
    // The name is not that of the loopback, so that nothing is tried in clear text.
    let mut options = options(Vec::new());
    options.dialer = Some(std::sync::Arc::new(through::ToOnePort::new(
        registry.address,
    )));
    let client = Registries::new(options);
    let mut question = question("registry.lan:5000/web:1");
    question.key.route = Route::Via("vps".into());
    let failure = expect(&client, &question, T::PlainHttp).await;
    assert_eq!(
        failure.remedy,
        "add {host: \"registry.lan:5000\", plain_http: true} under registries"
    );
    assert_eq!(registry.take_log(), []);
}

#[tokio::test]
async fn a_registry_of_the_loopback_is_asked_in_plain_http_as_docker_does() {
    let registry = registry().await;
    let client = client();
    answered(&client, &at(&registry, "web:1")).await;
    let connections = registry.set().connections;
    // Once is enough to learn it.
    answered(&client, &at(&registry, "web:1")).await;
    assert_eq!(registry.set().connections, connections);
}
