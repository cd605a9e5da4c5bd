//! Looking ahead: what is asked for, how much at once, and what is shown of it.

use super::*;
use crate::app::preview::layers::{self, LayersState};
use crate::app::preview::{ImageKey, RepositoryKey, tags};
use crate::app::screen::View;
use crate::app::update::preview::mark_view;
use crate::core::digest::DiffId;
use crate::core::image::ImageRef;
use crate::core::layers::Estimate;
use crate::core::remote::RemoteImage;
use crate::core::samples::{platform, remote_image};
use crate::core::shelf::{Shelf, TagList};
use crate::core::trust::{Mark, Trust};

/// The running image 1 has the layers 21 and 22 under digest 10; the tag names 11 with 21 and 23.
fn running_image() -> RemoteImage {
    remote_image(10, 1, &[(21, 121), (22, 122)])
}

fn tag_image() -> RemoteImage {
    let mut image = remote_image(11, 2, &[(21, 121), (23, 123)]);
    image.created = Some(day(50));
    image
}

fn host_seen() -> Observation {
    let mut seen = seen(vec![plain("web")]);
    for image in seen.images.values_mut() {
        image.diff_ids = vec![DiffId(digest(121)), DiffId(digest(122))];
    }
    seen
}

/// A host whose service is behind, with all that is known at once already read.
fn behind(whole: bool) -> (Bench, Effects) {
    let mut bench = Bench::new(&[("vps", "ssh://vps")]);
    bench.tick();
    bench.connect("vps");
    let mut seen = host_seen();
    if !whole {
        seen.whole = None;
    }
    let asked = bench.observed("vps", Ok(seen));
    let question = questions(&asked)[0].clone();
    let mut answer = answer(11);
    answer.image = Some(tag_image());
    let effects = bench.resolved(&question.key, Ok(answer));
    (bench, effects)
}

fn image_looks(effects: &[Effect<Operating>]) -> Vec<(&ImageKey, &Vec<RepositoryKey>)> {
    let looks = looks(effects).into_iter();
    looks
        .filter_map(|look| match look {
            Look::Image { key, places } => Some((key, places)),
            _ => None,
        })
        .collect()
}

fn heads(effects: &[Effect<Operating>]) -> Vec<String> {
    let looks = looks(effects).into_iter();
    looks
        .filter_map(|look| match look {
            Look::Head { reference, .. } => Some(reference.manifest_key().to_owned()),
            _ => None,
        })
        .collect()
}

fn image_key(top: u8) -> ImageKey {
    (TopDigest(digest(top)), platform())
}

fn repository() -> RepositoryKey {
    let reference: ImageRef = "ghcr.io/me/app".parse().unwrap();
    (Route::Here, reference.repository)
}

fn open(bench: &mut Bench, view: View) -> Effects {
    bench.model.screen.view = view;
    mark_view(&mut bench.model);
    bench.tick()
}

fn open_tags(bench: &mut Bench) -> Effects {
    let service = key("vps/-/web");
    open(
        bench,
        View::Tags {
            service,
            selected: None,
        },
    )
}

fn list(tags: &[&str]) -> TagList {
    TagList {
        at: day(100),
        tags: tags.iter().map(|tag| (*tag).into()).collect(),
        complete: true,
    }
}

impl Bench {
    fn listed(&mut self, result: Result<TagList, RegistryFailure>) -> Effects {
        self.tell(Msg::Listed {
            key: repository(),
            result,
        })
    }

    fn headed(&mut self, tag: &str, result: Result<u8, RegistryFailure>) -> Effects {
        let reference: ImageRef = "ghcr.io/me/app".parse().unwrap();
        self.tell(Msg::Headed {
            asker: repository(),
            reference: reference.with_tag(tag),
            result: result.map(|top| TopDigest(digest(top))),
        })
    }

    fn imaged(&mut self, top: u8, result: Result<RemoteImage, RegistryFailure>) -> Effects {
        self.tell(Msg::Imaged {
            key: image_key(top),
            result: result.map(Box::new),
        })
    }
}

#[test]
fn what_a_pull_would_fetch_is_found_out_where_one_waits() {
    let (mut bench, effects) = behind(true);
    // The manifest of the running image decides which compressed layers are here.
    let images = image_looks(&effects);
    assert_eq!(images, [(&image_key(10), &vec![repository()])]);
    let service = bench.service("vps/-/web");
    assert_eq!(service.fetch_estimate, Some(Estimate::About));
    bench.imaged(10, Ok(running_image()));
    let service = bench.service("vps/-/web");
    assert_eq!(service.fetch_bytes, Some(231));
    assert_eq!(service.fetch_estimate, Some(Estimate::Exact));
    // What is known is not asked for again.
    let again = bench.observed("vps", Ok(host_seen()));
    assert!(image_looks(&again).is_empty());
}

#[test]
fn every_image_is_read_in_detail_once_a_connection() {
    let (mut bench, effects) = behind(false);
    assert_eq!(observes(&effects), [&Scope::Whole]);
    assert_eq!(bench.service("vps/-/web").fetch_bytes, None);
    // An engine that cannot do it is not asked for ever.
    let mut seen = host_seen();
    seen.whole = None;
    let again = bench.observed("vps", Ok(seen));
    assert!(observes(&again).is_empty());
    bench.lose("vps", HostTrouble::NoConnection);
    bench.connect("vps");
    let mut seen = host_seen();
    seen.whole = None;
    let after = bench.observed("vps", Ok(seen));
    assert_eq!(observes(&after), [&Scope::Whole]);
}

#[test]
fn a_manifest_that_is_not_to_be_had_leaves_about() {
    let (mut bench, _) = behind(true);
    let effects = bench.imaged(10, Err(refused(RegistryTrouble::Gone)));
    assert!(image_looks(&effects).is_empty(), "not asked for again");
    let service = bench.service("vps/-/web");
    assert_eq!(service.fetch_estimate, Some(Estimate::About));
    assert!(bench.model.preview.is_settled());
}

#[test]
fn a_passing_failure_is_tried_again_when_the_registry_answers() {
    let (mut bench, _) = behind(true);
    bench.imaged(10, Err(refused(RegistryTrouble::TimedOut)));
    let question = bench.service("vps/-/web").question.clone().unwrap();
    let mut good = answer(11);
    good.image = Some(tag_image());
    let effects = bench.resolved(&question, Ok(good));
    assert_eq!(image_looks(&effects).len(), 1);
}

#[test]
fn the_view_of_layers_waits_in_words_and_then_shows_them() {
    let (mut bench, _) = behind(true);
    let service = key("vps/-/web");
    let view = layers::view(&bench.model, &service, None).unwrap();
    let LayersState::Ready(prediction) = view.state else {
        panic!("{:?}", view.state);
    };
    assert_eq!(prediction.first_change, Some(1));
    // Another image is asked for by its tag, then by what that names.
    let to: ImageRef = "ghcr.io/me/app:1.2".parse().unwrap();
    let effects = open(
        &mut bench,
        View::Layers {
            service: service.clone(),
            to: Some(to.clone()),
            selected: 0,
        },
    );
    assert_eq!(heads(&effects), ["1.2"]);
    let waits = layers::view(&bench.model, &service, Some(&to)).unwrap();
    assert!(matches!(waits.state, LayersState::Waiting(_)));
    let effects = bench.headed("1.2", Ok(12));
    assert_eq!(image_looks(&effects)[0].0, &image_key(12));
    bench.imaged(12, Err(refused(RegistryTrouble::NoPlatform)));
    let failed = layers::view(&bench.model, &service, Some(&to)).unwrap();
    assert!(matches!(failed.state, LayersState::Failed(_)));
}

#[test]
fn tags_are_asked_about_eight_at_a_time_and_only_while_they_are_looked_at() {
    let (mut bench, _) = behind(true);
    bench.imaged(10, Ok(running_image()));
    let effects = open_tags(&mut bench);
    assert!(matches!(
        looks(&effects)[..],
        [
            Look::Tags { .. },
            Look::Trust { .. },
            Look::Trust { .. },
            ..
        ]
    ));
    let names: Vec<String> = (0..2000)
        .map(|number| format!("sha-a{number:06}"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let effects = bench.listed(Ok(list(&names)));
    assert_eq!(heads(&effects).len(), 8);
    let asked = heads(&effects)[1].clone();
    let effects = bench.headed(&asked, Ok(30));
    assert_eq!(heads(&effects).len(), 1, "one answer, one more question");
    let view = tags::view(&bench.model, &key("vps/-/web")).unwrap();
    assert_eq!(view.tally.all, 2000);
    assert!(view.asking);
    // Who leaves the view asks nothing more, and what is on its way is given up.
    crate::app::update::open(&mut bench.model, View::Fleet);
    let effects = bench.tick();
    assert!(looks(&effects).contains(&&Look::Cease));
    let repository = &bench.model.preview.repositories[&repository()];
    assert!(repository.in_flight.is_empty());
    let effects = bench.headed("sha-a000001", Ok(31));
    assert_eq!(heads(&effects), [""; 0]);
    assert!(!looks(&bench.tick()).contains(&&Look::Cease), "once");
    // Who comes back finds the rest asked for again.
    let effects = open_tags(&mut bench);
    assert_eq!(heads(&effects).len(), 8);
}

#[test]
fn a_list_is_asked_about_up_to_a_bound() {
    let (mut bench, _) = behind(true);
    open_tags(&mut bench);
    let names: Vec<String> = (0..2000)
        .map(|number| format!("sha-a{number:06}"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut waiting = heads(&bench.listed(Ok(list(&names))));
    let mut asked = waiting.len();
    while let Some(tag) = waiting.pop() {
        let more = heads(&bench.headed(&tag, Err(refused(RegistryTrouble::Gone))));
        asked += more.len();
        waiting.extend(more);
    }
    // Beside the tags, whether the running image is still there.
    assert_eq!(asked, 201);
}

#[test]
fn what_is_on_the_shelf_is_not_asked_for() {
    let (mut bench, _) = behind(true);
    bench.imaged(10, Ok(running_image()));
    open_tags(&mut bench);
    let mut shelf = Shelf {
        list: Some(list(&["latest", "sha-aaaaaa1"])),
        ..Shelf::default()
    };
    shelf
        .heads
        .insert("sha-aaaaaa1".into(), TopDigest(digest(10)));
    let effects = bench.tell(Msg::Shelved {
        key: repository(),
        shelf: Box::new(shelf),
    });
    assert_eq!(
        heads(&effects),
        [""; 0],
        "the followed tag was asked for the verdict"
    );
    let view = tags::view(&bench.model, &key("vps/-/web")).unwrap();
    let running = view.candidates.iter().find(|candidate| candidate.running);
    assert_eq!(running.unwrap().tags, ["sha-aaaaaa1".into()]);
    // The registry is down: what is known stays, with the reason beside it.
    bench.listed(Err(refused(RegistryTrouble::Away)));
    let view = tags::view(&bench.model, &key("vps/-/web")).unwrap();
    assert_eq!(view.listed_at, Some(day(100)));
    assert!(view.failure.is_some());
    assert_eq!(view.candidates.len(), 2);
}

#[test]
fn builds_between_are_counted_once_their_ages_are_known() {
    let (mut bench, _) = behind(true);
    bench.imaged(10, Ok(running_image()));
    open_tags(&mut bench);
    bench.listed(Ok(list(&[
        "latest",
        "sha-aaaaaa1",
        "sha-aaaaaa2",
        "sha-aaaaaa3",
    ])));
    bench.headed("sha-aaaaaa1", Ok(10));
    bench.headed("sha-aaaaaa3", Ok(11));
    let effects = bench.headed("sha-aaaaaa2", Ok(12));
    assert_eq!(
        image_looks(&effects)[0].0,
        &image_key(12),
        "its age is asked for"
    );
    let behind = |bench: &Bench| {
        let view = tags::view(&bench.model, &key("vps/-/web")).unwrap();
        view.builds_behind
    };
    assert_eq!(behind(&bench), None);
    let mut between = remote_image(12, 3, &[(24, 124)]);
    between.created = Some(day(40));
    bench.imaged(12, Ok(between));
    assert_eq!(behind(&bench), Some(2));
    // The row knows it too, and keeps it when the view is left.
    crate::app::update::open(&mut bench.model, View::Fleet);
    bench.tick();
    let row = bench.model.service(&key("vps/-/web")).unwrap();
    assert_eq!(row.builds_behind, Some(2));
}

#[test]
fn a_text_goes_to_one_candidate_and_esc_comes_back() {
    let (mut bench, _) = behind(true);
    bench.imaged(10, Ok(running_image()));
    open_tags(&mut bench);
    bench.listed(Ok(list(&[
        "latest",
        "sha-aaaaaa1",
        "sha-ab00002",
        "main-ab00003",
    ])));
    bench.headed("sha-aaaaaa1", Ok(10));
    bench.headed("sha-ab00002", Ok(12));
    bench.headed("main-ab00003", Ok(13));
    let selected = |bench: &Bench| {
        let candidate = crate::app::commands::selected_candidate(&bench.model).unwrap();
        candidate.tags[0].to_string()
    };
    assert_eq!(selected(&bench), "sha-aaaaaa1", "what runs");
    bench.press("/");
    bench.type_text("ab00");
    assert_eq!(selected(&bench), "sha-aaaaaa1", "two begin so");
    let told = tags::found(&bench.model).unwrap().unwrap_err().to_string();
    assert_eq!(told, "the beginning of several: ab00002, ab00003");
    bench.type_text("003");
    assert_eq!(selected(&bench), "main-ab00003");
    bench.press("esc");
    assert_eq!(selected(&bench), "sha-aaaaaa1", "nothing was chosen");
    bench.press("/");
    bench.type_text("sha-ab00");
    bench.press("enter");
    assert_eq!(selected(&bench), "sha-ab00002");
    assert_eq!(bench.model.screen.filter, "", "the fleet is not filtered");
}

#[test]
fn a_report_counts_sparingly() {
    let (mut bench, _) = behind(true);
    bench.imaged(10, Ok(running_image()));
    let service = bench.model.service(&key("vps/-/web")).unwrap();
    let read = running_image().manifest;
    assert_eq!(service.running.manifest, Some(read), "it was read");
    bench.model.preview.sparing = true;
    let mut asked = open_tags(&mut bench);
    let tags: Vec<String> = (0..99).map(|number| format!("1.{number}.0")).collect();
    let mut tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    tags.extend(["latest", "buildcache"]);
    asked.extend(bench.listed(Ok(list(&tags))));
    let mut all = 0;
    let mut open: Vec<String> = heads(&asked);
    while let Some(tag) = open.pop() {
        all += 1;
        let effects = bench.headed(&tag, Ok(12));
        open.extend(heads(&effects));
        asked.extend(effects);
    }
    assert_eq!(all, 24, "a few of the tags");
    let other = |look: &&Look| {
        matches!(
            look,
            Look::Trust { .. } | Look::Pace { .. } | Look::BuildCache { .. }
        )
    };
    assert_eq!(looks(&asked).into_iter().filter(other).count(), 0);
}

#[test]
fn marks_are_looked_for_once_and_told_anew_on_demand() {
    let (mut bench, _) = behind(true);
    bench.imaged(10, Ok(running_image()));
    let service = key("vps/-/web");
    let layers = View::Layers {
        service: service.clone(),
        to: None,
        selected: 0,
    };
    crate::app::update::open(&mut bench.model, layers);
    let effects = bench.tick();
    let asked: Vec<ImageKey> = looks(&effects)
        .iter()
        .filter_map(|look| match look {
            Look::Trust { key, anew, .. } => (!anew).then(|| key.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(asked, [image_key(10), image_key(11)]);
    let trust = |signature| {
        Box::new(Trust {
            signature,
            ..Trust::default()
        })
    };
    for (key, signature) in asked.iter().zip([Mark::Present, Mark::Absent]) {
        let effects = bench.tell(Msg::Trusted {
            key: key.clone(),
            trust: trust(signature),
        });
        assert!(looks(&effects).is_empty(), "{effects:?}");
    }
    let view = layers::view(&bench.model, &service, None).unwrap();
    assert_eq!(view.running_trust.unwrap().signature, Mark::Present);
    assert_eq!(view.trust.unwrap().signature, Mark::Absent);
    assert!(looks(&bench.tick()).is_empty());
    bench.model.preview.refresh(&repository());
    mark_view(&mut bench.model);
    let effects = bench.tick();
    let anew = looks(&effects)
        .iter()
        .filter(|look| matches!(look, Look::Trust { anew: true, .. }))
        .count();
    assert_eq!(anew, 2);
}
