//! Challenges, credentials and tokens, by the rules of GHCR, Docker Hub and registries of one's own.

use std::sync::Arc;

use homelab_tui::core::failure::RegistryTrouble as T;
use homelab_tui::core::remote::Route;

use super::through::ToOnePort;
use super::*;
use crate::stand_in::images::{Image, image};
use crate::stand_in::{Auth, Fault, Tokens};

async fn registry() -> StandIn {
    let registry = StandIn::start().await;
    registry.push("me/public", Some("1"), &image(&Image::default()));
    registry.push("me/private", Some("1"), &image(&Image::default()));
    registry.set().repos.get_mut("me/private").unwrap().readers = vec!["deploy".to_owned()];
    registry
}

async fn with_tokens(change: impl FnOnce(&mut Tokens)) -> StandIn {
    let registry = registry().await;
    let mut rules = Tokens::at(&format!("http://{}", registry.host()));
    change(&mut rules);
    registry.set().auth = Auth::Tokens(rules);
    registry
}

#[tokio::test]
async fn basic_credentials_are_sent_and_named_but_never_shown() {
    let registry = registry().await;
    registry.set().auth = Auth::Basic {
        user: "deploy",
        password: "hunter2",
    };
    let folder = Scratch::new();
    let client = client_with(folder.login(&registry.host(), "deploy", "hunter2"));
    let answer = answered(&client, &at(&registry, "me/public:1")).await;
    assert_eq!(
        answer.credential.as_deref(),
        Some("deploy from docker's config")
    );
    assert!(!format!("{answer:?}").contains("hunter2"));
    // With accepted credentials the registry's word counts.
    expect(&client, &at(&registry, "me/public:2"), T::Gone).await;
}

#[tokio::test]
async fn wrong_credentials_are_sent_once_and_blamed_by_name() {
    let registry = registry().await;
    registry.set().auth = Auth::Basic {
        user: "deploy",
        password: "right",
    };
    let folder = Scratch::new();
    let client = client_with(folder.login(&registry.host(), "deploy", "hunter2"));
    for _ in 0..3 {
        let failure = expect(&client, &at(&registry, "me/public:1"), T::Unauthorized).await;
        assert!(
            failure.what.contains("deploy from docker's config"),
            "{failure}"
        );
        assert!(!format!("{failure:?}").contains("hunter2"));
    }
    let sent = registry.take_log();
    let sent = sent.iter().filter(|asked| asked.authorization.is_some());
    assert_eq!(sent.count(), 1);
    // A new login is tried at once.
    folder.login(&registry.host(), "deploy", "right");
    answered(&client, &at(&registry, "me/public:1")).await;
}

#[tokio::test]
async fn no_credentials_where_some_are_wanted() {
    let registry = registry().await;
    registry.set().auth = Auth::Basic {
        user: "deploy",
        password: "x",
    };
    let failure = expect(&client(), &at(&registry, "me/public:1"), T::Unauthorized).await;
    assert_eq!(
        failure.remedy,
        format!("run docker login {}", registry.host())
    );
}

#[tokio::test]
async fn b2_one_token_for_one_scope_however_many_wait() {
    for (field, expires_in) in [("token", None), ("access_token", Some(300))] {
        let registry = with_tokens(|rules| {
            rules.field = field;
            rules.expires_in = expires_in;
        })
        .await;
        let client = client();
        let asks = (0..10).map(|_| {
            let client = client.clone();
            let question = at(&registry, "me/public:1");
            tokio::spawn(async move { answered(&client, &question).await })
        });
        for answer in futures_util::future::join_all(asks).await {
            assert_eq!(answer.unwrap().credential, None);
        }
        assert_eq!(registry.set().tokens_given, 1);
        registry.push("me/other", Some("1"), &image(&Image::default()));
        answered(&client, &at(&registry, "me/other:1")).await;
        assert_eq!(registry.set().tokens_given, 2);
        let log = registry.take_log();
        let bare = log
            .iter()
            .filter(|asked| asked.authorization.is_none() && asked.target.starts_with("/v2/"));
        assert_eq!(bare.count(), 1, "only the first request learns the way");
    }
}

#[tokio::test]
async fn docker_hub_says_gone_to_everybody_and_hides_what_is_private() {
    let registry = with_tokens(|_| {}).await;
    let client = client();
    expect(&client, &at(&registry, "me/public:none"), T::Gone).await;
    let failure = expect(&client, &at(&registry, "me/private:1"), T::Denied).await;
    assert!(
        failure.what.contains("missing and private look alike"),
        "{failure}"
    );
    // It was said once, and not asked in a loop.
    assert!(registry.take_log().len() < 10);
}

#[tokio::test]
async fn an_unknown_name_is_not_gone_for_those_without_a_login() {
    let registry = with_tokens(|_| {}).await;
    let question = at(&registry, "me/nothing:1");
    expect(&client(), &question, T::NotFound).await;
    let folder = Scratch::new();
    let client = client_with(folder.login(&registry.host(), "deploy", "pat"));
    expect(&client, &question, T::Gone).await;
}

#[tokio::test]
async fn ghcr_private_images_need_the_token_of_a_login() {
    let registry = with_tokens(|rules| rules.not_reaching = 403).await;
    expect(&client(), &at(&registry, "me/private:1"), T::Denied).await;
    let folder = Scratch::new();
    let client = client_with(folder.login(&registry.host(), "deploy", "pat"));
    let answer = answered(&client, &at(&registry, "me/private:1")).await;
    assert_eq!(
        answer.credential.as_deref(),
        Some("deploy from docker's config")
    );
}

#[tokio::test]
async fn ghcr_a_bad_token_breaks_no_public_image_and_is_told() {
    let registry = with_tokens(|rules| rules.not_reaching = 403).await;
    let folder = Scratch::new();
    let client = client_with(folder.login(&registry.host(), "deploy", "expired"));
    for _ in 0..2 {
        let answer = answered(&client, &at(&registry, "me/public:1")).await;
        assert_eq!(answer.credential, None);
        let remark = answer.remark.unwrap();
        assert!(
            remark.contains("refuses the credentials deploy from docker's config"),
            "{remark}"
        );
    }
    let failure = trouble(&client, &at(&registry, "me/private:1")).await;
    assert!(
        failure.what.contains("deploy from docker's config"),
        "{failure}"
    );
    let log = registry.take_log();
    let bad = log.iter().filter(|asked| {
        asked
            .authorization
            .as_ref()
            .is_some_and(|a| a.starts_with("Basic"))
    });
    assert_eq!(bad.count(), 1, "the bad one is sent once");
}

#[tokio::test]
async fn an_invalid_token_is_renewed_once() {
    let registry = with_tokens(|rules| rules.invalid = 1).await;
    answered(&client(), &at(&registry, "me/public:1")).await;
    assert_eq!(registry.set().tokens_given, 2);
    let registry = with_tokens(|rules| rules.invalid = 1000).await;
    expect(&client(), &at(&registry, "me/public:1"), T::Unauthorized).await;
    assert_eq!(registry.set().tokens_given, 2);
}

#[tokio::test]
async fn an_identity_token_buys_access_tokens() {
    let registry = with_tokens(|rules| {
        rules.identity = Some("refresh-me");
        rules.anonymous = false;
    })
    .await;
    let folder = Scratch::new();
    let config = format!(
        r#"{{"auths":{{"{}":{{"identitytoken":"refresh-me"}}}}}}"#,
        registry.host()
    );
    let client = client_with(folder.docker_config(&config));
    let answer = answered(&client, &at(&registry, "me/private:1")).await;
    assert_eq!(
        answer.credential.as_deref(),
        Some("identity token from docker's config")
    );
    let log = registry.take_log();
    let post = log.iter().find(|asked| asked.method == "POST").unwrap();
    assert!(post.body.contains("grant_type=refresh_token") && post.target == "/token");
    assert!(!format!("{answer:?}").contains("refresh-me"));
}

#[tokio::test]
async fn docker_hub_is_asked_at_its_own_address_with_its_own_key() {
    let registry = with_tokens(|rules| rules.realm = "http://auth.docker.io".to_owned()).await;
    registry.push("library/redis", Some("7"), &image(&Image::default()));
    registry.set().quota = Some((76, 100));
    let folder = Scratch::new();
    let mut options = options(vec![plain("docker.io")]);
    options.credentials = folder.login("https://index.docker.io/v1/", "deploy", "pat");
    let dialer = Arc::new(ToOnePort::new(registry.address));
    options.dialer = Some(dialer.clone());
    let client = Registries::new(options);
    let mut question = question("redis:7");
    question.key.route = Route::Via("vps".into());
    let answer = answered(&client, &question).await;
    assert_eq!(
        answer.credential.as_deref(),
        Some("deploy from docker's config")
    );
    let quota = answer.quota.unwrap();
    assert_eq!(
        (quota.limit, quota.window_seconds),
        (Some(100), Some(21600))
    );
    let dialled = dialer.dialled();
    assert!(
        dialled.contains(&"vps registry-1.docker.io:80".to_owned()),
        "{dialled:?}"
    );
    assert!(
        dialled.contains(&"vps auth.docker.io:80".to_owned()),
        "{dialled:?}"
    );
}

#[tokio::test]
async fn a_token_server_without_tls_gets_nothing_from_a_registry_with_it() {
    let registry = StandIn::start_tls().await;
    let thief = StandIn::start().await;
    registry.set().auth = Auth::Tokens(Tokens::at(&format!("http://{}", thief.host())));
    let folder = Scratch::new();
    let mut options = options(vec![tls::trusting(&registry)]);
    options.credentials = folder.login(&registry.host(), "deploy", "pat");
    expect(
        &Registries::new(options),
        &at(&registry, "x:1"),
        T::Elsewhere,
    )
    .await;
    assert_eq!(thief.take_log(), []);
}

#[tokio::test]
async fn a_blob_elsewhere_gets_no_authorization() {
    let registry = registry().await;
    registry.set().auth = Auth::Basic {
        user: "deploy",
        password: "x",
    };
    let store = self::registry().await;
    let target = {
        let made = image(&Image::default());
        format!(
            "http://{}/v2/me/public/blobs/{}",
            store.host(),
            made.config_digest.unwrap()
        )
    };
    registry.break_at("/blobs/", Fault::Redirect(target));
    let folder = Scratch::new();
    let client = client_with(folder.login(&registry.host(), "deploy", "x"));
    let answer = answered(&client, &at(&registry, "me/public:1")).await;
    assert!(answer.image.is_some());
    let asked = store.take_log();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].authorization, None);
}
