//! The judge before every case in which others were wrong.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;
use crate::core::digest::{ConfigDigest, DiffId, ImageId};
use crate::core::platform::Platform;
use crate::core::remote::RemoteLayer;
use crate::core::samples::{container, day, digest, image, remote_image};

const OURS: &str = "ghcr.io/me/app";
const TAG: &str = "ghcr.io/me/app:latest";

/// The facts of one container, owned, to be changed by a case.
struct Case {
    container: ContainerFacts,
    store: ImageStore,
    image: Option<ImageFacts>,
    tag_image: Option<ImageFacts>,
    remote: Option<Remote>,
    builds_here: Option<bool>,
    pulled_before: bool,
    away: Option<&'static str>,
}

impl Case {
    /// Runs image 1, pulled from `OURS` as digest 10, built on day 0; the registry was not asked.
    fn graph() -> Self {
        Self {
            container: container("app", TAG),
            store: ImageStore::Graph,
            image: Some(image(1, &[TAG], &[(OURS, 10)], Some(0))),
            tag_image: None,
            remote: None,
            builds_here: None,
            pulled_before: false,
            away: None,
        }
    }

    /// Runs what the tag named as digest 10, manifest 11, built on day 0; the registry was not asked.
    fn containerd() -> Self {
        let mut case = Self::graph();
        case.store = ImageStore::Containerd;
        case.container.image_id = ImageId(digest(10));
        case.container.manifest = Some(ManifestDigest(digest(11)));
        case.image = Some(image(10, &[TAG], &[(OURS, 10)], Some(0)));
        case
    }

    fn answered(mut self, answer: Answer) -> Self {
        self.remote = Some(Remote {
            answer: Some(answer),
            failure: None,
        });
        self
    }

    fn failed(mut self, trouble: RegistryTrouble) -> Self {
        let failure = RegistryFailure::new(trouble, "asked and refused", "try something");
        let remote = self.remote.get_or_insert_with(Remote::default);
        remote.failure = Some((day(50), failure));
        self
    }

    fn judge(&self) -> Assessment {
        let reference = self.container.reference.parse();
        assess(&Facts {
            container: &self.container,
            store: self.store,
            image: self.image.as_ref(),
            reference: reference.as_ref(),
            names_registry: ImageRef::names_a_registry(&self.container.reference),
            tag_image: self.tag_image.as_ref(),
            remote: self.remote.as_ref(),
            builds_here: self.builds_here,
            pulled_before: self.pulled_before,
            away: self.away,
        })
    }

    #[track_caller]
    fn is(&self, verdict: Verdict) -> Assessment {
        let assessment = self.judge();
        assert_eq!(assessment.verdict, verdict, "{assessment:?}");
        assert!(!assessment.why.is_empty(), "a verdict without a reason");
        assessment
    }
}

/// The tag names an index `top`, whose image for this platform has that manifest and config and was built that day.
fn names(top: u8, manifest: u8, config: u8, built: Option<i64>) -> Answer {
    let mut image = remote_image(top, config, &[(manifest, manifest)]);
    image.indexed = true;
    image.manifest = ManifestDigest(digest(manifest));
    image.created = built.map(day);
    Answer {
        image: Some(image),
        ..names_unread(top)
    }
}

/// The tag names `top`, which was not looked into.
fn names_unread(top: u8) -> Answer {
    Answer {
        at: day(40),
        top: TopDigest(digest(top)),
        image: None,
        examined: Vec::new(),
        requests: Vec::new(),
        credential: None,
        quota: None,
        remark: None,
    }
}

fn examined(mut answer: Answer, top: u8, found: Examined) -> Answer {
    answer.examined.push((TopDigest(digest(top)), found));
    answer
}

#[test]
fn a1_an_index_and_its_child_are_the_same_image() {
    // The engine kept the child's digest, the tag names the index.
    let mut child = Case::graph().answered(names(20, 10, 99, Some(0)));
    child.is(Verdict::Current);
    // The reverse: the engine kept the index, the tag names the child alone.
    let mut plain = names(11, 11, 99, Some(0));
    plain.image.as_mut().unwrap().indexed = false;
    Case::containerd().answered(plain).is(Verdict::Current);
    // On a graph store the config proves it.
    child = Case::graph().answered(names(20, 21, 1, Some(0)));
    child.is(Verdict::Current);
}

#[test]
fn a2_only_digests_of_the_own_repository_count() {
    let with = |digests: &[(&str, u8)]| {
        let mut case = Case::graph().answered(names(30, 31, 32, Some(5)));
        case.image = Some(image(1, &[TAG], digests, Some(0)));
        case
    };
    // The first of several is another repository's; the right one stands further down.
    with(&[("docker.io/foreign/x", 77), (OURS, 10), (OURS, 30)]).is(Verdict::Current);
    // A foreign repository's digest is no proof, whatever it equals.
    with(&[("docker.io/foreign/x", 30), (OURS, 10)]).is(Verdict::Behind);
    with(&[("ghcr.io/me/app2", 30)]).is(Verdict::Behind);
}

#[test]
fn a3_an_index_published_again_is_current_and_says_so() {
    let note = "index re-published, same image for linux/amd64";
    // Graph: the same config.
    let graph = Case::graph().answered(names(20, 21, 1, Some(0)));
    assert_eq!(graph.is(Verdict::Current).note.as_deref(), Some(note));
    // A store that tells the running manifest.
    let told = Case::containerd().answered(names(20, 11, 99, Some(0)));
    assert_eq!(told.is(Verdict::Current).note.as_deref(), Some(note));
    // A store that does not: the registry still holds what runs.
    let mut held = remote_image(10, 99, &[]);
    held.manifest = ManifestDigest(digest(11));
    let answer = examined(
        names(20, 11, 99, Some(0)),
        10,
        Examined::Held(Box::new(held)),
    );
    let mut untold = Case::containerd().answered(answer);
    untold.container.manifest = None;
    assert_eq!(untold.is(Verdict::Current).note.as_deref(), Some(note));
}

#[test]
fn a4_an_image_that_lost_its_names_is_never_called_local() {
    // The container's image lost tag and digests with a pull that brought the tag's image.
    let mut case = Case::containerd().answered(names(20, 21, 99, Some(9)));
    case.image = Some(image(10, &[], &[], Some(0)));
    case.tag_image = Some(image(20, &[TAG], &[(OURS, 20)], Some(9)));
    case.is(Verdict::Pulled);
    // Without the tag's image on the host it is behind, as the running manifest is known.
    case.tag_image = None;
    case.is(Verdict::Behind);
    // The engine deleted the image and the registry no longer holds it: nothing is left to compare.
    case.image = None;
    case.container.manifest = None;
    case.remote.as_mut().unwrap().answer =
        Some(examined(names(20, 21, 99, Some(9)), 10, Examined::NotHeld));
    let assessment = case.is(Verdict::Unknown);
    assert!(assessment.why.contains("neither engine nor registry"));
    // The registry still holds it: the direction is known again.
    let mut held = remote_image(10, 98, &[]);
    held.manifest = ManifestDigest(digest(11));
    held.created = Some(day(0));
    case.remote.as_mut().unwrap().answer = Some(examined(
        names(20, 21, 99, Some(9)),
        10,
        Examined::Held(Box::new(held)),
    ));
    case.is(Verdict::Behind);
}

#[test]
fn a5_the_container_s_image_is_judged_not_the_tag_s() {
    // The host's tag is up to date, the container is not.
    let mut case = Case::graph().answered(names(20, 21, 2, Some(9)));
    case.image = Some(image(1, &[], &[(OURS, 10)], Some(0)));
    case.tag_image = Some(image(2, &[TAG], &[(OURS, 20)], Some(9)));
    case.is(Verdict::Pulled);
    // The container is up to date, the host's tag is not.
    let mut case = Case::graph().answered(names(10, 11, 1, Some(0)));
    case.tag_image = Some(image(2, &[TAG], &[(OURS, 20)], Some(-9)));
    case.is(Verdict::Current);
}

#[test]
fn a6_a_tag_that_names_no_image_for_the_platform_is_unknown() {
    let assessment = Case::graph()
        .failed(RegistryTrouble::NoPlatform)
        .is(Verdict::Unknown);
    assert!(assessment.why.contains("try something"));
}

#[test]
fn a7_an_id_means_what_its_store_means() {
    // A config's digest that equals what the tag names is a coincidence on a graph store.
    let mut graph = Case::graph().answered(names(1, 21, 99, Some(5)));
    graph.image = Some(image(1, &[TAG], &[(OURS, 10)], Some(0)));
    graph.is(Verdict::Behind);
    // An Id that equals the remote config proves nothing on a containerd store.
    Case::containerd()
        .answered(names(20, 21, 10, Some(5)))
        .is(Verdict::Behind);
}

#[test]
fn a8_another_variant_of_the_tag_is_judged_by_the_engine_s_platform() {
    let mut answer = names(20, 21, 1, Some(0));
    let platform = Platform::new("linux", "arm", Some("v6"));
    answer.image.as_mut().unwrap().platform = Some(platform);
    let assessment = Case::graph().answered(answer).is(Verdict::Current);
    assert!(assessment.note.unwrap().contains("linux/arm/v6"));
}

#[test]
fn a9_what_a_registry_refuses_is_unknown_with_the_reason_and_the_last_answer() {
    use RegistryTrouble as T;
    for trouble in [
        T::Unauthorized,
        T::Denied,
        T::NotFound,
        T::RateLimited,
        T::ServerError,
        T::TimedOut,
        T::Away,
        T::Certificate,
        T::PlainHttp,
        T::Lied,
        T::TooLarge,
        T::Elsewhere,
        T::NoPlatform,
        T::NoRoute,
        T::BadReference,
    ] {
        for case in [Case::graph(), Case::containerd()] {
            let assessment = case.failed(trouble).is(Verdict::Unknown);
            assert_eq!(assessment.last, None, "{trouble:?}");
            assert_eq!(assessment.why, "asked and refused; try something");
        }
        for (answer, last) in [
            (names_unread(10), Verdict::Current),
            (names(20, 21, 99, Some(5)), Verdict::Behind),
            (names(20, 21, 99, Some(-5)), Verdict::Moved),
        ] {
            let case = Case::containerd().answered(answer).failed(trouble);
            let assessment = case.is(Verdict::Unknown);
            assert_eq!(assessment.last, Some((last, day(40))), "{trouble:?}");
        }
    }
    Case::graph().failed(T::Gone).is(Verdict::Gone);
    Case::containerd().failed(T::Gone).is(Verdict::Gone);
    // Nothing asked yet is no verdict either.
    Case::graph().is(Verdict::Unknown);
}

#[test]
fn a9_refused_credentials_never_make_a_public_image_local() {
    use RegistryTrouble as T;
    for (trouble, verdict) in [
        (T::Denied, Verdict::Local),
        (T::Gone, Verdict::Local),
        (T::Unauthorized, Verdict::Unknown),
        (T::NotFound, Verdict::Unknown),
        (T::RateLimited, Verdict::Unknown),
        (T::Away, Verdict::Unknown),
    ] {
        let mut case = Case::containerd();
        case.container.reference = "redis:7".to_owned();
        case.image = Some(image(10, &["redis:7"], &[("redis", 10)], Some(0)));
        case.failed(trouble).is(verdict);
    }
    // Docker Hub answered once: that it denies now does not make the image home-made.
    let mut known = Case::containerd().answered(names_unread(10));
    known.container.reference = "redis:7".to_owned();
    known.image = Some(image(10, &["redis:7"], &[("redis", 10)], Some(0)));
    let assessment = known.failed(T::Denied).is(Verdict::Unknown);
    assert_eq!(assessment.last.map(|last| last.0), Some(Verdict::Current));
}

#[test]
fn a9_a_host_that_is_away_is_unknown_with_the_last_verdict() {
    let mut case = Case::graph().answered(names_unread(10));
    case.away = Some("the host is offline");
    let assessment = case.is(Verdict::Unknown);
    assert_eq!(assessment.why, "the host is offline");
    assert_eq!(assessment.last, Some((Verdict::Current, day(40))));
}

#[test]
fn a12_a_tag_that_went_back_has_moved() {
    let assessment = Case::graph()
        .answered(names(20, 21, 99, Some(-3)))
        .is(Verdict::Moved);
    assert!(assessment.why.contains("built before the running image"));
    // Held already: only a recreate is missing, and the direction is said.
    let mut held = Case::graph().answered(names(20, 21, 2, Some(-3)));
    held.tag_image = Some(image(2, &[TAG], &[(OURS, 20)], Some(-3)));
    let assessment = held.is(Verdict::Pulled);
    assert!(assessment.note.unwrap().contains("built before"));
}

#[test]
fn a12_build_times_that_say_nothing_prove_no_direction() {
    let nineteen_seventy = -20_454;
    for (running, remote) in [
        (None, Some(5)),
        (Some(0), None),
        (Some(nineteen_seventy), Some(5)),
        (Some(0), Some(nineteen_seventy)),
        (Some(nineteen_seventy), Some(nineteen_seventy)),
    ] {
        let mut case = Case::graph().answered(names(20, 21, 99, remote));
        case.image = Some(image(1, &[TAG], &[(OURS, 10)], running));
        let assessment = case.is(Verdict::Behind);
        assert!(assessment.note.unwrap().contains("not proven"));
    }
    // The same moment is not older.
    Case::graph()
        .answered(names(20, 21, 99, Some(0)))
        .is(Verdict::Behind);
}

#[test]
fn a13_the_container_s_own_reference_is_judged() {
    // What the files ask for does not enter: these facts have no place for it.
    let mut case = Case::graph().answered(names_unread(10));
    case.container.reference = "ghcr.io/me/app:old".to_owned();
    let assessment = case.is(Verdict::Current);
    assert!(assessment.why.contains(":old"));
}

#[test]
fn a14_a_digest_in_the_reference_decides() {
    let pinned = format!("{OURS}:latest@{}", digest(10));
    let mut case = Case::graph().answered(names_unread(10));
    case.container.reference = pinned.clone();
    let assessment = case.is(Verdict::Current);
    assert!(assessment.why.contains(TopDigest(digest(10)).short()));
    // The tag beside it names something newer on this host: display only.
    case.tag_image = None;
    case.is(Verdict::Current);
    // The pin was changed but the container not recreated.
    case.image = Some(image(1, &[], &[(OURS, 9)], Some(0)));
    case.remote = Case::graph().answered(names(10, 10, 99, Some(3))).remote;
    case.is(Verdict::Behind);
    // A reference that is an Id alone names nothing in a registry.
    let mut id = Case::graph();
    id.container.reference = digest(1).to_string();
    assert!(id.is(Verdict::Unknown).why.contains("image Id"));
}

#[test]
fn a15_what_was_built_here_is_local_whatever_its_name_says() {
    // Graph: no digest at all means that it never came from a registry.
    let mut graph = Case::graph().answered(names(20, 21, 99, Some(5)));
    graph.image = Some(image(1, &[TAG], &[], Some(0)));
    graph.is(Verdict::Local);
    // Unless a pull of it is on record.
    graph.pulled_before = true;
    graph.is(Verdict::Behind);
    // The proof needs no registry.
    let mut away = Case::graph().failed(RegistryTrouble::Away);
    away.image = Some(image(1, &[TAG], &[], Some(0)));
    away.is(Verdict::Local);

    // Containerd: the invented digest proves nothing; files and registry together do.
    let built = |found: Option<Examined>| {
        let answer = names(20, 21, 99, Some(5));
        let answer = match found {
            Some(found) => examined(answer, 10, found),
            None => answer,
        };
        let mut case = Case::containerd().answered(answer);
        case.builds_here = Some(true);
        case
    };
    let assessment = built(Some(Examined::NotHeld)).is(Verdict::Local);
    assert!(assessment.why.contains("built here, never in the registry"));
    let held = Examined::Held(Box::new(remote_image(10, 99, &[])));
    built(Some(held)).is(Verdict::Behind);
    let refused = RegistryFailure::new(RegistryTrouble::Denied, "refused", "");
    built(Some(Examined::Unknown(refused))).is(Verdict::Unknown);
    built(None).is(Verdict::Unknown);
    // Nothing pushed under that name at all.
    let mut gone = Case::containerd().failed(RegistryTrouble::Gone);
    gone.builds_here = Some(true);
    gone.is(Verdict::Local);
    // In doubt unknown: the registry is away.
    let mut away = Case::containerd().failed(RegistryTrouble::Away);
    away.builds_here = Some(true);
    away.is(Verdict::Unknown);
}

#[test]
fn a15_local_on_containerd_needs_the_files_or_docker_hub_s_own_word() {
    use RegistryTrouble as T;
    let judged = |reference: &str, builds: Option<bool>, trouble| {
        let mut case = Case::containerd().failed(trouble);
        case.container.reference = reference.to_owned();
        case.image = Some(image(10, &[reference], &[(reference, 10)], Some(0)));
        case.builds_here = builds;
        let assessment = case.judge();
        (assessment.verdict, assessment.note.is_some())
    };
    // 429, 5xx, time-outs and all that is not the registry's own word prove nothing.
    let doubtful = [
        T::RateLimited,
        T::ServerError,
        T::TimedOut,
        T::Away,
        T::NoRoute,
        T::Unauthorized,
        T::NotFound,
        T::Certificate,
        T::PlainHttp,
        T::Lied,
        T::TooLarge,
        T::Elsewhere,
    ];
    for trouble in doubtful {
        for builds in [None, Some(false), Some(true)] {
            let named = judged(TAG, builds, trouble);
            assert_eq!(named, (Verdict::Unknown, false), "{trouble:?} {builds:?}");
        }
        for builds in [None, Some(false)] {
            let bare = judged("own:dev", builds, trouble);
            assert_eq!(bare, (Verdict::Unknown, false), "{trouble:?} {builds:?}");
        }
        // Without a registry's name the files are proof enough, whatever ails Docker Hub.
        let built = judged("own:dev", Some(true), trouble);
        assert_eq!(built, (Verdict::Local, false), "{trouble:?}");
    }
    for trouble in [T::Gone, T::Denied] {
        let bare = judged("own:dev", None, trouble);
        assert_eq!(
            bare,
            (Verdict::Local, true),
            "{trouble:?}: said in the note"
        );
        // Docker Hub by its name is a registry like others.
        let spelled = judged("docker.io/me/own:dev", None, trouble);
        assert_ne!(spelled.0, Verdict::Local, "{trouble:?}");
    }
    assert_eq!(judged(TAG, None, T::Gone).0, Verdict::Gone);
    assert_eq!(judged(TAG, Some(true), T::Gone).0, Verdict::Local);
    assert_eq!(judged(TAG, Some(true), T::Denied).0, Verdict::Unknown);
    // What Docker Hub once told outweighs that it denies now.
    let mut known = Case::containerd()
        .answered(names_unread(10))
        .failed(T::Denied);
    known.container.reference = "own:dev".to_owned();
    known.image = Some(image(10, &["own:dev"], &[("own:dev", 10)], Some(0)));
    known.is(Verdict::Unknown);
}

#[test]
fn a16_and_a17_a_registry_that_cannot_be_reached_leaves_the_last_answer() {
    for trouble in [RegistryTrouble::NoRoute, RegistryTrouble::Away] {
        let case = Case::graph().answered(names_unread(10)).failed(trouble);
        let assessment = case.is(Verdict::Unknown);
        assert_eq!(assessment.last.map(|last| last.0), Some(Verdict::Current));
    }
}

#[test]
fn an_incomplete_image_proves_nothing_by_its_empty_fields() {
    let mut case = Case::containerd().answered(names(20, 21, 99, Some(5)));
    case.container.manifest = None;
    let mut own = image(10, &[TAG], &[], None);
    own.complete = false;
    case.image = Some(own);
    case.is(Verdict::Unknown);
    // Other layers do prove that it is another image.
    let mut own = image(10, &[TAG], &[], Some(0));
    own.diff_ids = vec![DiffId(digest(90))];
    case.image = Some(own);
    case.is(Verdict::Behind);
}

#[test]
fn a_tag_whose_manifest_was_not_read_is_not_guessed_at() {
    let assessment = Case::graph()
        .answered(names_unread(20))
        .is(Verdict::Unknown);
    assert!(assessment.why.contains("not read yet"));
}

#[test]
fn verdicts_are_ordered_from_good_to_bad() {
    assert!(Verdict::ALL.is_sorted());
    let settled = Verdict::ALL.iter().filter(|v| v.is_settled());
    assert_eq!(settled.count(), 2);
}

/// Whatever the facts are: a verdict is `current` only where a digest or config of the running image is named.
#[test]
fn current_is_never_a_guess() {
    let layers: Vec<RemoteLayer> = Vec::new();
    for store in [ImageStore::Graph, ImageStore::Containerd] {
        for bits in 0u32..1 << 9 {
            let bit = |n: u32| bits & (1 << n) != 0;
            let mut case = match store {
                ImageStore::Graph => Case::graph(),
                ImageStore::Containerd => Case::containerd(),
            };
            if bit(0) {
                case.image = None;
            }
            if bit(1) {
                case.tag_image = Some(image(20, &[TAG], &[(OURS, 20)], Some(9)));
            }
            if bit(2) {
                let mut answer = names(20, 21, 22, bit(3).then_some(9));
                answer.image.as_mut().unwrap().layers.clone_from(&layers);
                answer.image.as_mut().unwrap().config = ConfigDigest(digest(22));
                if bit(4) {
                    answer = examined(answer, 10, Examined::NotHeld);
                }
                if bit(5) {
                    answer.image = None;
                }
                case = case.answered(answer);
            }
            if bit(6) {
                case = case.failed(RegistryTrouble::ServerError);
            }
            case.builds_here = bit(7).then_some(bit(3));
            case.away = bit(8).then_some("away");
            assert_ne!(case.judge().verdict, Verdict::Current, "{bits:b}");
        }
    }
}

#[test]
fn an_image_of_the_same_moment_is_not_called_later() {
    let running = Case::graph().image.and_then(|image| image.created);
    let days = running.map(|at| (at.as_second() - day(0).as_second()) / 86_400);
    let same = Case::graph().answered(names(20, 21, 99, days));
    let told = same.is(Verdict::Behind);
    assert!(told.why.contains("the same moment"), "{}", told.why);
    let later = Case::graph().answered(names(20, 21, 99, days.map(|day| day + 1)));
    assert!(later.is(Verdict::Behind).why.contains("built later"));
}
