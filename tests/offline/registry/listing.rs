//! Lists of tags and repositories.

use homelab_tui::core::failure::RegistryTrouble as T;
use homelab_tui::core::image::Repository;
use homelab_tui::core::remote::Route;

use super::*;
use crate::stand_in::Paging;
use crate::stand_in::images::{Image, image};

async fn registry(paging: Paging) -> (StandIn, Registries, Repository) {
    let registry = StandIn::start().await;
    let made = image(&Image::default());
    for number in 0..25 {
        registry.push("web", Some(&format!("v{number:02}")), &made);
    }
    registry.set().paging = paging;
    let client = Registries::new(options(vec![plain(&registry.host())]));
    let repository = at(&registry, "web").key.reference.repository;
    (registry, client, repository)
}

#[tokio::test]
async fn pages_are_followed_to_their_end() {
    for (paging, pages) in [(Paging::Whole, 1), (Paging::Pages(10), 3)] {
        let (registry, client, repository) = registry(paging).await;
        let listing = client.tags(&Route::Here, &repository).await.unwrap();
        assert_eq!((listing.names.len(), listing.cut), (25, None));
        assert_eq!(registry.take_log().len(), pages);
    }
}

#[tokio::test]
async fn b4_tags_without_end_are_cut_and_said() {
    let (registry, client, repository) = registry(Paging::Endless).await;
    let listing = client.tags(&Route::Here, &repository).await.unwrap();
    assert!(listing.names.len() <= 20_000);
    assert!(listing.cut.unwrap().contains("the registry offers more"));
    assert!(registry.take_log().len() <= 200);
}

#[tokio::test]
async fn b4_a_page_elsewhere_is_not_followed() {
    let other = StandIn::start().await;
    let target = format!("http://{}/v2/web/tags/list", other.host());
    let (_registry, client, repository) = registry(Paging::Elsewhere(target)).await;
    let failure = client.tags(&Route::Here, &repository).await.unwrap_err();
    assert_eq!(failure.trouble, T::Elsewhere);
    assert_eq!(other.take_log(), []);
    let (_registry, client, repository) = registry(Paging::Circle).await;
    let failure = client.tags(&Route::Here, &repository).await.unwrap_err();
    assert_eq!(failure.trouble, T::Lied);
}

#[tokio::test]
async fn names_that_are_no_names_are_left_out() {
    let (registry, client, repository) = registry(Paging::Whole).await;
    let made = image(&Image::default());
    registry.push("web", Some("bad\u{1b}[31m"), &made);
    registry.push("../etc", Some("1"), &made);
    let tags = client.tags(&Route::Here, &repository).await.unwrap();
    assert_eq!((tags.names.len(), tags.left_out), (25, 1));
    let catalog = client
        .catalog(&Route::Here, &repository.registry)
        .await
        .unwrap();
    assert_eq!(
        (catalog.names, catalog.left_out),
        (vec!["web".to_owned()], 1)
    );
}

#[tokio::test]
async fn tags_of_nothing_are_gone() {
    let (registry, client, _) = registry(Paging::Whole).await;
    let repository = at(&registry, "nothing").key.reference.repository;
    let failure = client.tags(&Route::Here, &repository).await.unwrap_err();
    assert_eq!(failure.trouble, T::Gone);
}
