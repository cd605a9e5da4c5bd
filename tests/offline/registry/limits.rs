//! How hard a registry is asked.

use homelab_tui::core::failure::RegistryTrouble as T;

use super::*;
use crate::stand_in::Fault;
use crate::stand_in::images::{Image, image};

async fn registry(tags: usize) -> StandIn {
    let registry = StandIn::start().await;
    let made = image(&Image::default());
    for at in 0..tags {
        registry.push("web", Some(&format!("v{at}")), &made);
    }
    registry
}

async fn ask_all(
    client: &Registries,
    registry: &StandIn,
    count: usize,
) -> Vec<Result<Answer, RegistryFailure>> {
    let asks = (0..count).map(|number| {
        let client = client.clone();
        let question = at(registry, &format!("web:v{number}"));
        tokio::spawn(async move { client.ask(&question).await })
    });
    futures_util::future::join_all(asks)
        .await
        .into_iter()
        .map(|result| result.unwrap())
        .collect()
}

#[tokio::test]
async fn b2_no_more_than_eight_requests_at_once() {
    let registry = registry(60).await;
    let client = Registries::new(options(vec![plain(&registry.host())]));
    for result in ask_all(&client, &registry, 60).await {
        result.unwrap();
    }
    let most = registry.set().open_most;
    assert!((2..=8).contains(&most), "{most}");
    let mut fewer = options(vec![plain(&registry.host())]);
    fewer.in_flight = 2;
    registry.set().open_most = 0;
    ask_all(&Registries::new(fewer), &registry, 20).await;
    assert_eq!(registry.set().open_most, 2);
}

#[tokio::test]
async fn b6_a_wish_to_be_left_alone_is_obeyed_by_all() {
    let registry = registry(20).await;
    registry.break_at(
        "/v2/",
        Fault::Status(429, vec![("retry-after", "30".to_owned())], String::new()),
    );
    let client = Registries::new(options(vec![plain(&registry.host())]));
    for result in ask_all(&client, &registry, 20).await {
        let failure = result.unwrap_err();
        assert_eq!(failure.trouble, T::RateLimited);
        let wait = failure.retry_after.unwrap().as_secs();
        assert!((28..=30).contains(&wait), "{wait}");
    }
    assert_eq!(registry.take_log().len(), 1);
    // Nobody asks before its time, for a tag or for anything else.
    registry.set().faults.clear();
    expect(&client, &at(&registry, "web:v3"), T::RateLimited).await;
    assert_eq!(registry.take_log(), []);
    // Another registry is not concerned.
    let other = self::registry(1).await;
    answered(&client, &at(&other, "web:v0")).await;
}

#[tokio::test]
async fn b6_no_storm_when_the_pause_is_over() {
    let registry = registry(20).await;
    registry.break_at(
        "/v2/",
        Fault::Status(429, vec![("retry-after", "0".to_owned())], String::new()),
    );
    let client = Registries::new(options(vec![plain(&registry.host())]));
    expect(&client, &at(&registry, "web:v0"), T::RateLimited).await;
    registry.set().faults.clear();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    registry.set().open_most = 0;
    for result in ask_all(&client, &registry, 20).await {
        result.unwrap();
    }
    assert!(registry.set().open_most <= 8);
}

#[tokio::test]
async fn ghcr_writes_the_wait_into_its_words() {
    let registry = registry(1).await;
    let words = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"retry-after: 880.092µs, allowed: 44000/minute"}]}"#;
    registry.break_at("GET /v2/", Fault::Status(429, Vec::new(), words.to_owned()));
    let client = Registries::new(options(vec![plain(&registry.host())]));
    let failure = expect(&client, &at(&registry, "web:v0"), T::RateLimited).await;
    assert_eq!(failure.retry_after.unwrap().as_secs(), 1);
    assert!(failure.what.contains("44000/minute"), "{failure}");
}

#[tokio::test]
async fn a_used_up_quota_leaves_what_runs_known() {
    let registry = registry(1).await;
    registry.set().quota = Some((0, 100));
    let client = Registries::new(options(vec![plain(&registry.host())]));
    let mut question = at(&registry, "web:v0");
    question.running = vec![top(&image(&Image::default()).digest)];
    let answer = answered(&client, &question).await;
    assert_eq!(answer.quota.unwrap().remaining, 0);
    // What is not known yet has to wait.
    question.running.clear();
    expect(&client, &question, T::RateLimited).await;
}
