//! Ways back as operators meet them.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;
use crate::core::digest::ConfigDigest;
use crate::core::engine::{ImageFacts, ImageStore};
use crate::core::remote::RemoteImage;
use crate::core::samples::{day, digest, image, observation, platform, remote_image};

/// A world to join candidates in: the day is the fortieth.
struct World {
    store: ImageStore,
    tags: Vec<Box<str>>,
    heads: BTreeMap<Box<str>, TopDigest>,
    examined: BTreeMap<TopDigest, bool>,
    manifests: Manifests,
    platform: Platform,
    images: Vec<ImageFacts>,
    running: Option<u8>,
    runs: Vec<FormerRun>,
}

impl World {
    fn new(store: ImageStore, tags: &[&str]) -> Self {
        Self {
            store,
            tags: tags.iter().map(|tag| (*tag).into()).collect(),
            heads: BTreeMap::new(),
            examined: BTreeMap::new(),
            manifests: Manifests::new(),
            platform: platform(),
            images: Vec::new(),
            running: None,
            runs: Vec::new(),
        }
    }

    /// A tag names an index; its image has one layer and the config `top + 100`.
    fn head(mut self, tag: &str, top: u8, built: i64) -> Self {
        self.heads.insert(tag.into(), TopDigest(digest(top)));
        self.manifests.insert(
            (TopDigest(digest(top)), self.platform.clone()),
            remote(top, top + 100, built),
        );
        self
    }

    fn candidates(&self) -> Vec<Candidate> {
        let observation = observation(self.store, self.images.clone(), Vec::new());
        let repository = repository();
        let running = self.running.map(|byte| ImageId(digest(byte)));
        candidates(&Sources {
            now: day(40),
            repository: &repository,
            tags: &self.tags,
            heads: &self.heads,
            examined: &self.examined,
            manifests: &self.manifests,
            platform: &self.platform,
            observation: &observation,
            holdings: &Holdings::of(&observation, &self.manifests, false),
            running: running.as_ref(),
            runs: &self.runs,
            retention: Retention {
                images: 3,
                ..Retention::default()
            },
        })
    }
}

#[test]
fn an_emulated_service_s_ways_back_are_images_of_its_own_platform() {
    let mut world = World::new(ImageStore::Graph, &["v2", "v1"]);
    world.platform = Platform::new("linux", "s390x", None);
    let mut world = world.head("v2", 20, 30).head("v1", 10, 20);
    let mut running = image(
        120,
        &["ghcr.io/me/blog:v2"],
        &[("ghcr.io/me/blog", 20)],
        None,
    );
    running.platform = Some(world.platform.clone());
    world.images.push(running);
    world.running = Some(120);
    for candidate in world.candidates() {
        assert!(candidate.created.is_some(), "{candidate:?}");
        assert!(candidate.fetch_bytes.is_some(), "{candidate:?}");
    }
}

fn repository() -> Repository {
    "ghcr.io/me/blog".parse::<ImageRef>().unwrap().repository
}

fn remote(top: u8, config: u8, built: i64) -> RemoteImage {
    let mut remote = remote_image(top, config, &[(top / 2, top / 2)]);
    remote.created = Some(day(built));
    remote
}

fn run(reference: &str, top: u8, image_id: u8, seen: (i64, i64)) -> FormerRun {
    FormerRun {
        reference: reference.parse().unwrap(),
        top: Some(TopDigest(digest(top))),
        manifest: None,
        image_id: ImageId(digest(image_id)),
        config: Some(ConfigDigest(digest(image_id))),
        created: Some(day(seen.0)),
        revision: None,
        first_seen: day(seen.0),
        last_seen: day(seen.1),
        put_back: false,
    }
}

/// Shows a candidate as `tags @digest where bytes marks`.
fn shown(candidate: &Candidate) -> String {
    let places: Vec<&str> = candidate
        .whereabouts()
        .into_iter()
        .map(Whereabouts::word)
        .collect();
    let mut text = format!(
        "{} @{} {}",
        candidate.tags.join(","),
        candidate
            .digest
            .as_ref()
            .map_or("?", |top| &top.short()[..2]),
        places.join("+"),
    );
    if let Some(bytes) = candidate.fetch_bytes {
        text.push_str(&format!(" {bytes}"));
    }
    for (mark, on) in [
        ("runs", candidate.running),
        ("kept", candidate.kept),
        ("may go", candidate.may_go),
        ("gone", candidate.obtainable() == Some(false)),
        ("ran", candidate.last_ran.is_some() && !candidate.running),
    ] {
        if on {
            text.push(' ');
            text.push_str(mark);
        }
    }
    text
}

fn all(list: &[Candidate]) -> Vec<String> {
    list.iter().map(shown).collect()
}

#[test]
fn one_image_is_one_candidate_whoever_names_it() {
    let signature = format!("sha256-{}.sig", "0".repeat(64));
    let tags = [
        "latest",
        "sha-77d1e0c",
        "sha-9c1e2d4",
        &signature,
        "buildcache",
    ];
    let mut world = World::new(ImageStore::Graph, &tags)
        .head("latest", 0x10, 39)
        .head("sha-77d1e0c", 0x12, 38)
        .head("sha-9c1e2d4", 0x14, 37);
    // The running image: pulled under the digest of sha-9c1e2d4, and tagged latest on the host since.
    world.images = vec![image(
        0x14 + 100,
        &["ghcr.io/me/blog:latest"],
        &[("ghcr.io/me/blog", 0x14)],
        Some(37),
    )];
    world.running = Some(0x14 + 100);
    world.runs = vec![
        run("ghcr.io/me/blog:latest", 0x14, 0x14 + 100, (38, 40)),
        run("ghcr.io/me/blog:latest", 0x16, 0x16 + 100, (20, 31)),
    ];
    world.examined.insert(TopDigest(digest(0x16)), false);
    assert_eq!(
        all(&world.candidates()),
        [
            "latest @10 registry 81",
            "sha-77d1e0c @12 registry 91",
            "sha-9c1e2d4 @14 host+registry 0 runs",
            " @16  gone ran"
        ]
    );
}

#[test]
fn c7_each_says_where_it_is() {
    let mut world = World::new(ImageStore::Graph, &["latest"]).head("latest", 0x10, 39);
    world.images = vec![image(
        0x50,
        &["ghcr.io/me/blog:htui-keep-505050505050"],
        &[("ghcr.io/me/blog", 0x20)],
        Some(30),
    )];
    world.runs = vec![
        run("ghcr.io/me/blog:latest", 0x20, 0x50, (30, 33)),
        run("ghcr.io/me/blog:latest", 0x22, 0x51, (20, 25)),
        run("ghcr.io/me/blog:latest", 0x24, 0x52, (10, 15)),
    ];
    world.examined.insert(TopDigest(digest(0x22)), true);
    let list = world.candidates();
    assert_eq!(
        all(&list),
        [
            "latest @10 registry 81",
            "htui-keep-505050505050 @20 host 0 kept ran",
            " @22 registry may go ran",
            " @24  ran"
        ]
    );
    assert_eq!(list[3].obtainable(), None);
    let repository = repository();
    let open = unexamined(&repository, &list);
    assert!(open.contains(&(repository.clone(), TopDigest(digest(0x24)))));
}

#[test]
fn an_index_published_again_is_the_same_image() {
    let mut world = World::new(ImageStore::Containerd, &["latest", "sha-9c1e2d4"])
        .head("latest", 0x10, 39)
        .head("sha-9c1e2d4", 0x12, 39);
    let mut same = remote(0x12, 0x12 + 100, 39);
    same.top = TopDigest(digest(0x10));
    world.manifests.insert((same.top.clone(), platform()), same);
    world.images = vec![image(0x12, &[], &[("ghcr.io/me/blog", 0x12)], None)];
    world.running = Some(0x12);
    let list = world.candidates();
    assert_eq!(list.len(), 1);
    assert_eq!(list[0].tags, ["sha-9c1e2d4".into(), "latest".into()]);
    assert!(list[0].running);
}

#[test]
fn a_dangling_image_of_the_containerd_store_is_found_by_its_id() {
    let mut world = World::new(ImageStore::Containerd, &["latest", "sha-9c1e2d4"]).head(
        "sha-9c1e2d4",
        0x12,
        30,
    );
    world.images = vec![image(0x12, &[], &[], None)];
    assert_eq!(
        all(&world.candidates()),
        ["sha-9c1e2d4 @12 host+registry 0", "latest @? registry"]
    );
}

#[test]
fn runs_under_another_registrys_name_are_candidates() {
    let mut world = World::new(ImageStore::Graph, &[]);
    world.runs = vec![run("me/blog:latest", 0x20, 0x50, (10, 20))];
    let list = world.candidates();
    let reference = list[0].reference.as_ref().unwrap().to_string();
    assert!(
        reference.starts_with("docker.io/me/blog@sha256:20"),
        "{reference}"
    );
}

#[test]
fn tags_of_unknown_age_keep_the_order_of_their_names() {
    let world = World::new(
        ImageStore::Graph,
        &["1.2.0", "1.10.0", "1.9.0", "edge", "latest"],
    )
    .head("edge", 0x10, 39);
    assert_eq!(
        all(&world.candidates()),
        [
            "edge @10 registry 81",
            "1.10.0 @? registry",
            "1.9.0 @? registry",
            "1.2.0 @? registry",
            "latest @? registry"
        ]
    );
}

#[test]
fn what_cleaning_rules_take_is_marked() {
    let tags = [
        "sha-aaaaaa1",
        "sha-aaaaaa2",
        "sha-aaaaaa3",
        "sha-aaaaaa4",
        "1.0.0",
    ];
    let mut world = World::new(ImageStore::Graph, &tags).head("1.0.0", 0x30, 1);
    for (tag, place) in tags.iter().take(4).zip(0u8..) {
        world = world.head(tag, 0x10 + place * 2, 39 - i64::from(place));
    }
    let may_go: Vec<Box<str>> = world
        .candidates()
        .into_iter()
        .filter(|candidate| candidate.may_go)
        .flat_map(|candidate| candidate.tags)
        .collect();
    assert_eq!(may_go, ["sha-aaaaaa4".into()]);
}

#[test]
fn builds_between_are_counted_only_when_all_ages_are_known() {
    let tags = ["latest", "sha-aaaaaa1", "sha-aaaaaa2", "sha-aaaaaa3"];
    let mut world = World::new(ImageStore::Graph, &tags)
        .head("latest", 0x10, 39)
        .head("sha-aaaaaa1", 0x10, 39)
        .head("sha-aaaaaa3", 0x14, 30);
    world.images = vec![image(
        0x14 + 100,
        &[],
        &[("ghcr.io/me/blog", 0x14)],
        Some(30),
    )];
    world.running = Some(0x14 + 100);
    assert_eq!(behind_by(&world.candidates(), "latest"), None);
    let whole = world.head("sha-aaaaaa2", 0x12, 35);
    assert_eq!(behind_by(&whole.candidates(), "latest"), Some(2));
    assert_eq!(behind_by(&whole.candidates(), "sha-aaaaaa3"), Some(0));
}

#[test]
fn versions_and_build_numbers_are_counted_by_their_names() {
    let tags = ["latest", "1.2.0", "1.2.1", "1.2.2", "1.3.0", "1.3", "0.9.9"];
    let mut world = World::new(ImageStore::Graph, &tags);
    // Nothing was read: only what the tags name is known.
    for (tag, top) in [
        ("latest", 0x16),
        ("1.3.0", 0x16),
        ("1.2.0", 0x10),
        ("1.2.2", 0x14),
    ] {
        world.heads.insert(tag.into(), TopDigest(digest(top)));
    }
    world.images = vec![image(0x10 + 100, &[], &[("ghcr.io/me/blog", 0x10)], None)];
    world.running = Some(0x10 + 100);
    assert_eq!(behind_by(&world.candidates(), "latest"), None, "1.2.1");
    world.heads.insert("1.2.1".into(), TopDigest(digest(0x12)));
    assert_eq!(behind_by(&world.candidates(), "latest"), Some(3));
    // Two versions of one image are one build.
    world.heads.insert("1.2.1".into(), TopDigest(digest(0x14)));
    assert_eq!(behind_by(&world.candidates(), "latest"), Some(2));
    // The tag went back: nothing is counted.
    world.heads.insert("latest".into(), TopDigest(digest(0x0e)));
    world.heads.insert("0.9.9".into(), TopDigest(digest(0x0e)));
    assert_eq!(behind_by(&world.candidates(), "latest"), None);
}

#[test]
fn a_text_chooses_one_candidate_or_says_why_not() {
    let tags = ["latest", "20240628", "9c1e2d4", "9c1e999"];
    let mut world = World::new(ImageStore::Graph, &tags)
        .head("latest", 0x10, 39)
        .head("20240628", 0x12, 38)
        .head("9c1e2d4", 0x14, 37)
        .head("9c1e999", 0x16, 36);
    world.runs = vec![
        run("ghcr.io/me/blog:latest", 0x14, 0x14 + 100, (20, 30)),
        FormerRun {
            put_back: true,
            ..run("ghcr.io/me/blog:latest", 0x16, 0x16 + 100, (31, 32))
        },
    ];
    let list = world.candidates();
    let chosen = |text: &str| {
        choose(text, &list).map(|choice| (list[choice.index].tags[0].to_string(), choice.by))
    };
    let of = |tag: &str, by| Ok((tag.to_owned(), by));
    assert_eq!(chosen("20240628"), of("20240628", ChosenBy::Tag));
    assert_eq!(chosen("9c1e2"), of("9c1e2d4", ChosenBy::Revision));
    assert_eq!(
        chosen("9c1e"),
        Err(NoChoice::Several(vec!["9c1e2d4".into(), "9c1e999".into()]))
    );
    assert_eq!(
        chosen(digest(0x12).as_str()),
        of("20240628", ChosenBy::Digest)
    );
    assert_eq!(chosen("101010101010"), of("latest", ChosenBy::Digest));
    assert_eq!(chosen("previous"), of("9c1e2d4", ChosenBy::Previous));
    assert_eq!(chosen("nope"), Err(NoChoice::Nothing));
    assert_eq!(chosen("sha256:"), Err(NoChoice::Nothing));
}

#[test]
fn a_revision_is_found_bare_prefixed_and_by_its_label_alone() {
    let tags = [
        "latest",
        "9c1e2d4",
        "sha-1f00aa1",
        "main-2f00bb2",
        "dev-2f00cc3",
        "20240628-143022",
        "1",
        "1.4.2",
    ];
    let mut world = World::new(ImageStore::Graph, &tags);
    for (tag, top) in tags.iter().zip((0x10u8..).step_by(2)) {
        world = world.head(tag, top, i64::from(top));
    }
    // The release's revision stands in its label and nowhere else.
    let labelled = (TopDigest(digest(0x1e)), platform());
    let release = world.manifests.get_mut(&labelled).unwrap();
    release.revision = Some("abcdef0123456789abcdef0123456789abcdef01".to_owned());
    let list = world.candidates();
    let chosen = |text: &str| {
        choose(text, &list).map(|choice| (list[choice.index].tags[0].to_string(), choice.by))
    };
    for (text, tag, by) in [
        ("9c1e", "9c1e2d4", ChosenBy::Revision),
        ("9C1E2", "9c1e2d4", ChosenBy::Revision),
        (
            "9c1e2d4f00112233445566778899aabbccddeeff",
            "9c1e2d4",
            ChosenBy::Revision,
        ),
        ("1f00", "sha-1f00aa1", ChosenBy::Revision),
        ("sha-1f00", "sha-1f00aa1", ChosenBy::Revision),
        ("2f00b", "main-2f00bb2", ChosenBy::Revision),
        ("main-2f00", "main-2f00bb2", ChosenBy::Revision),
        ("dev-2f00c", "dev-2f00cc3", ChosenBy::Revision),
        ("abcdef01", "1.4.2", ChosenBy::Revision),
        ("20240628", "20240628-143022", ChosenBy::Tag),
        ("1", "1", ChosenBy::Tag),
    ] {
        assert_eq!(chosen(text), Ok((tag.to_owned(), by)), "{text}");
    }
    assert_eq!(
        chosen("2f00"),
        Err(NoChoice::Several(vec!["2f00bb2".into(), "2f00cc3".into()]))
    );
    for text in ["2", "sha-9c1e", "20240629", "1.4", "feed"] {
        assert_eq!(chosen(text), Err(NoChoice::Nothing), "{text}");
    }
}

#[test]
fn the_nearest_tags_are_asked_about_first() {
    let tags: Vec<Box<str>> = [
        "1.0.0",
        "1.1.0",
        "1.1.1",
        "1.2.0",
        "2.0.0",
        "latest",
        "pr-7",
        "buildcache",
        "1.1",
    ]
    .map(Into::into)
    .to_vec();
    let running = ["1.1.0".into()];
    let anchor = Anchor {
        followed: Some("1.1"),
        running: &running,
    };
    let known = BTreeSet::from(["1.1.0".into()]);
    let asked: Vec<String> = next_heads(&tags, &known, anchor, 20)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        asked,
        ["1.1", "latest", "1.1.1", "1.0.0", "1.2.0", "2.0.0", "pr-7"]
    );
    assert_eq!(next_heads(&tags, &known, anchor, 2).len(), 2);
    let shas: Vec<Box<str>> = (0..2_000)
        .map(|number| format!("sha-a{number:06}").into())
        .collect();
    let running = [shas[1_000].clone()];
    let anchor = Anchor {
        followed: None,
        running: &running,
    };
    let near = next_heads(&shas, &BTreeSet::new(), anchor, 3);
    assert_eq!(
        near,
        [shas[1_000].clone(), shas[999].clone(), shas[1_001].clone()]
    );
}
