//! Each statement about what engines fetch, as a row.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;
use crate::core::digest::{DiffId, ImageId, ManifestDigest};
use crate::core::engine::{ImageFacts, ImageStore};
use crate::core::platform::Platform;
use crate::core::remote::RemoteImage;
use crate::core::samples::{container, digest, image, observation, platform, remote_image};

use ImageStore::{Containerd, Graph};

/// What lies on the host: the image, and whether its manifest is known.
struct Local {
    remote: RemoteImage,
    read: bool,
    /// Whether it ever came from a registry.
    pulled: bool,
}

fn local(remote: RemoteImage) -> Local {
    Local {
        remote,
        read: true,
        pulled: true,
    }
}

fn facts(store: ImageStore, local: &Local) -> ImageFacts {
    let remote = &local.remote;
    let mut facts = image(0, &[], &[], None);
    facts.id = match store {
        Graph => ImageId(remote.config.digest().clone()),
        Containerd => ImageId(remote.top.digest().clone()),
    };
    facts.diff_ids = holdings::diff_ids(&remote.layers);
    if local.pulled {
        let reference: crate::core::image::ImageRef = "r.lan/app".parse().unwrap();
        facts.digests = vec![(reference.repository, remote.top.clone())];
    }
    facts
}

fn manifests(locals: &[Local]) -> Manifests {
    let read = locals.iter().filter(|local| local.read);
    read.map(|local| {
        let key = (local.remote.top.clone(), platform());
        (key, local.remote.clone())
    })
    .collect()
}

fn predicted(store: ImageStore, locals: &[Local], target: &RemoteImage) -> Prediction {
    let images = locals.iter().map(|local| facts(store, local)).collect();
    let seen = observation(store, images, Vec::new());
    predict(&Holdings::of(&seen, &manifests(locals), false), target)
}

/// Shows a prediction as `exact 31: present fetch / config fetch`.
fn shown(prediction: &Prediction) -> String {
    let layers: Vec<&str> = prediction
        .layers
        .iter()
        .map(|layer| layer.state.word())
        .collect();
    format!(
        "{} {}: {} / {}",
        prediction.estimate.word(),
        prediction.fetch_bytes,
        layers.join(" "),
        prediction.config.state.word()
    )
}

#[test]
fn what_engines_were_measured_to_fetch() {
    let base = || local(remote_image(200, 201, &[(1, 101), (2, 102)]));
    let unread = || Local {
        read: false,
        ..base()
    };
    let loaded = || Local {
        read: false,
        pulled: false,
        ..base()
    };
    let over_base = remote_image(210, 211, &[(1, 101), (2, 102), (3, 103)]);
    let recompressed = remote_image(210, 211, &[(9, 101), (2, 102), (3, 103)]);
    let reordered = remote_image(210, 211, &[(2, 102), (1, 101)]);
    let inserted = remote_image(210, 211, &[(1, 101), (7, 107), (2, 102)]);
    let duplicate = remote_image(210, 211, &[(5, 105), (6, 106), (5, 105)]);
    let same_config = remote_image(210, 201, &[(8, 101), (9, 102)]);
    let rows: [(&str, Vec<Local>, &RemoteImage, &str, &str); 10] = [
        (
            "nothing here",
            vec![],
            &over_base,
            "exact 61: fetch fetch fetch / fetch",
            "exact 61: fetch fetch fetch / fetch",
        ),
        (
            "the base is here",
            vec![base()],
            &over_base,
            "exact 31: present present fetch / fetch",
            "exact 31: present present fetch / fetch",
        ),
        (
            "another compression: graph fetches all above it, containerd does not care",
            vec![base()],
            &recompressed,
            "exact 141: fetch fetch fetch / fetch",
            "exact 31: present present fetch / fetch",
        ),
        (
            "another order: only containerd finds blobs again",
            vec![base()],
            &reordered,
            "exact 31: fetch fetch / fetch",
            "exact 1: present present / fetch",
        ),
        (
            "one inserted: graph fetches everything above it",
            vec![base()],
            &inserted,
            "exact 91: present fetch fetch / fetch",
            "exact 71: present fetch present / fetch",
        ),
        (
            "a digest used twice comes once",
            vec![base()],
            &duplicate,
            "exact 111: fetch fetch fetch / fetch",
            "exact 111: fetch fetch fetch / fetch",
        ),
        (
            "the same config: graph fetches nothing; on containerd the config is known and chains count",
            vec![base()],
            &same_config,
            "exact 0: present present / present",
            "exact 0: present present / present",
        ),
        (
            "manifest of the base not to be had",
            vec![unread()],
            &over_base,
            "about 31: present present fetch / fetch",
            "exact 31: present present fetch / fetch",
        ),
        (
            "manifest not to be had and the order differs",
            vec![unread()],
            &reordered,
            "exact 31: fetch fetch / fetch",
            "about 31: fetch fetch / fetch",
        ),
        (
            "loaded from a file: its layers count on containerd only",
            vec![loaded()],
            &over_base,
            "exact 61: fetch fetch fetch / fetch",
            "exact 31: present present fetch / fetch",
        ),
    ];
    for (name, locals, target, graph, containerd) in rows {
        assert_eq!(shown(&predicted(Graph, &locals, target)), graph, "{name}");
        let on_containerd = predicted(Containerd, &locals, target);
        assert_eq!(shown(&on_containerd), containerd, "{name}");
    }
}

#[test]
fn an_index_published_again_costs_nothing() {
    let held = local(remote_image(200, 201, &[(1, 101)]));
    let mut again = held.remote.clone();
    again.top = crate::core::digest::TopDigest(digest(250));
    for store in [Graph, Containerd] {
        let prediction = predicted(store, std::slice::from_ref(&held), &again);
        assert_eq!(shown(&prediction), "exact 0: present / present");
    }
}

#[test]
fn the_engine_s_own_word_for_the_manifest_is_enough() {
    let held = Local {
        read: false,
        ..local(remote_image(200, 201, &[(1, 101)]))
    };
    let mut target = remote_image(250, 201, &[(1, 101)]);
    target.manifest = ManifestDigest(digest(77));
    let mut runs = container("web", "r.lan/app");
    runs.image_id = ImageId(digest(200));
    runs.manifest = Some(ManifestDigest(digest(77)));
    let seen = observation(Containerd, vec![facts(Containerd, &held)], vec![runs]);
    let holdings = Holdings::of(&seen, &Manifests::new(), false);
    assert_eq!(
        shown(&predict(&holdings, &target)),
        "exact 0: present / present"
    );
}

#[test]
fn images_that_only_containers_hold_still_count() {
    let removed = [local(remote_image(200, 201, &[(1, 101), (2, 102)]))];
    let target = remote_image(210, 211, &[(1, 101), (2, 102)]);
    let reordered = remote_image(210, 211, &[(2, 102), (1, 101)]);
    for (store, id, same, other) in [
        (
            Graph,
            201,
            "exact 1: present present / fetch",
            "exact 31: fetch fetch / fetch",
        ),
        (
            Containerd,
            200,
            "exact 1: present present / fetch",
            "exact 31: fetch fetch / fetch",
        ),
    ] {
        let mut runs = container("web", "r.lan/app");
        runs.image_id = ImageId(digest(id));
        let seen = observation(store, Vec::new(), vec![runs]);
        let holdings = Holdings::of(&seen, &manifests(&removed), false);
        assert_eq!(shown(&predict(&holdings, &target)), same);
        assert_eq!(shown(&predict(&holdings, &reordered)), other);
    }
}

#[test]
fn an_image_that_was_removed_below_its_container_is_fetched_again_in_part() {
    let held = local(remote_image(200, 201, &[(1, 101), (2, 102)]));
    for (store, again) in [
        (Graph, "exact 1: present present / fetch"),
        (Containerd, "exact 1: present present / fetch"),
    ] {
        let mut removed = facts(store, &held);
        removed.removed = true;
        removed.digests.clear();
        let mut runs = container("web", "r.lan/app");
        runs.image_id = removed.id.clone();
        let seen = observation(store, vec![removed], vec![runs]);
        let read = manifests(std::slice::from_ref(&held));
        let holdings = Holdings::of(&seen, &read, false);
        assert_eq!(shown(&predict(&holdings, &held.remote)), again);
    }
}

#[test]
fn a_graph_store_knows_the_digests_of_images_that_are_gone() {
    let gone = local(remote_image(200, 201, &[(1, 101), (2, 102)]));
    let loaded = Local {
        read: false,
        pulled: false,
        ..local(remote_image(202, 203, &[(9, 101), (8, 102)]))
    };
    let target = remote_image(210, 211, &[(1, 101), (3, 103)]);
    let mut seen = observation(Graph, vec![facts(Graph, &loaded)], Vec::new());
    let read = manifests(std::slice::from_ref(&gone));
    let before = predict(&Holdings::of(&seen, &read, false), &target);
    assert_eq!(shown(&before), "exact 41: fetch fetch / fetch");
    seen.pulled.insert(gone.remote.top.clone());
    let after = predict(&Holdings::of(&seen, &read, false), &target);
    assert_eq!(shown(&after), "exact 31: present fetch / fetch");
}

#[test]
fn what_was_pulled_is_remembered_from_look_to_look() {
    let held = local(remote_image(200, 201, &[(1, 101)]));
    let mut first = observation(Graph, vec![facts(Graph, &held)], Vec::new());
    first.remember(None);
    assert_eq!(first.pulled.len(), 1);
    let mut second = observation(Graph, Vec::new(), Vec::new());
    second.remember(Some(&first));
    assert_eq!(second.pulled, first.pulled);
    let mut other = observation(Containerd, Vec::new(), Vec::new());
    other.remember(Some(&first));
    assert!(other.pulled.is_empty());
}

#[test]
fn an_incomplete_image_is_read_from_its_manifest() {
    let held = local(remote_image(200, 201, &[(1, 101), (2, 102)]));
    let mut partial = facts(Containerd, &held);
    partial.diff_ids.clear();
    partial.complete = false;
    let seen = observation(Containerd, vec![partial], Vec::new());
    let target = remote_image(210, 211, &[(9, 101), (2, 102), (3, 103)]);
    let known = Holdings::of(&seen, &manifests(&[held]), false);
    assert_eq!(
        shown(&predict(&known, &target)),
        "exact 31: present present fetch / fetch"
    );
    let unknown = Holdings::of(&seen, &Manifests::new(), false);
    assert_eq!(
        shown(&predict(&unknown, &target)),
        "about 141: fetch fetch fetch / fetch"
    );
    assert_eq!(needed(&seen, &target).len(), 1);
}

#[test]
fn a_host_that_builds_may_fetch_less() {
    let seen = observation(Graph, Vec::new(), Vec::new());
    let target = remote_image(210, 211, &[(1, 101)]);
    let prediction = predict(&Holdings::of(&seen, &Manifests::new(), true), &target);
    assert_eq!(shown(&prediction), "at most 11: fetch / fetch");
    assert!(prediction.why.contains("build cache"), "{}", prediction.why);
}

#[test]
fn two_manifests_of_one_image_leave_a_doubt() {
    let first = local(remote_image(200, 201, &[(1, 101), (2, 102)]));
    let second = local(remote_image(202, 201, &[(1, 101), (3, 102)]));
    let mut both = facts(Graph, &first);
    both.digests.extend(facts(Graph, &second).digests);
    let seen = observation(Graph, vec![both], Vec::new());
    let holdings = Holdings::of(&seen, &manifests(&[first, second]), false);
    let of = |layers: &[(u8, u8)]| shown(&predict(&holdings, &remote_image(210, 211, layers)));
    assert_eq!(of(&[(1, 101), (9, 109)]), "exact 91: present fetch / fetch");
    assert_eq!(
        of(&[(1, 101), (3, 102)]),
        "about 1: present present / fetch"
    );
}

#[test]
fn only_manifests_that_bear_on_the_target_are_wanted() {
    let near = local(remote_image(200, 201, &[(1, 101), (2, 102)]));
    let above = local(remote_image(202, 203, &[(5, 105), (2, 102)]));
    let far = local(remote_image(204, 205, &[(6, 106)]));
    let target = remote_image(210, 211, &[(1, 101), (2, 102), (3, 103)]);
    let locals = [near, above, far];
    let tops = |store: ImageStore| -> Vec<String> {
        let images = locals.iter().map(|local| facts(store, local)).collect();
        let list = needed(&observation(store, images, Vec::new()), &target);
        let named = |needed: &Needed| {
            let repository = needed.repositories[0].to_string();
            format!("{repository}@{}", &needed.top.short()[..2])
        };
        list.iter().map(named).collect()
    };
    assert_eq!(tops(Graph), ["r.lan/app@c8"]);
    assert_eq!(tops(Containerd), ["r.lan/app@c8", "r.lan/app@ca"]);
}

#[test]
fn a_dangling_image_is_asked_for_where_its_container_came_from() {
    let held = Local {
        pulled: false,
        ..local(remote_image(200, 201, &[(1, 101)]))
    };
    let mut runs = container("web", "me/web:1");
    runs.image_id = ImageId(digest(200));
    let seen = observation(Containerd, vec![facts(Containerd, &held)], vec![runs]);
    let list = needed(&seen, &remote_image(210, 211, &[(1, 101)]));
    assert_eq!(list.len(), 1);
    assert_eq!(list[0].repositories[0].to_string(), "docker.io/me/web");
}

#[test]
fn what_would_fail_is_warned_of_before_the_pull() {
    let mut target = remote_image(210, 211, &[(1, 101), (2, 102)]);
    target.layers[1].media_type = "application/vnd.oci.image.layer.v1.tar+zstd".to_owned();
    target.platform = Some(Platform::new("linux", "arm64", None));
    for (version, warned) in [
        ("20.10.24+dfsg1", true),
        ("23.0.0", false),
        ("28.5.2", false),
        ("dev", false),
    ] {
        let mut seen = observation(Graph, Vec::new(), Vec::new());
        seen.engine.version = version.to_owned();
        let prediction = predict(&Holdings::of(&seen, &Manifests::new(), false), &target);
        let zstd = |warning: &Warning| matches!(warning, Warning::Zstd { layers: 1, .. });
        assert_eq!(prediction.warnings.iter().any(zstd), warned, "{version}");
        let other = |warning: &Warning| matches!(warning, Warning::OtherPlatform { .. });
        assert!(prediction.warnings.iter().any(other));
    }
}

#[test]
fn the_lowest_fetched_layer_is_the_first_change() {
    let base = local(remote_image(200, 201, &[(1, 101), (2, 102)]));
    let changed = remote_image(210, 211, &[(1, 101), (7, 107), (2, 102)]);
    let prediction = predicted(Graph, &[base], &changed);
    assert_eq!(prediction.first_change, Some(1));
    assert_eq!(prediction.layers_here(), 1);
    assert_eq!(prediction.total_bytes, 101);
    assert_eq!(prediction.layers[1].created_by.as_deref(), Some("RUN 107"));
}

#[test]
fn a_config_without_its_layers_is_no_image() {
    let mut target = remote_image(210, 211, &[(1, 101)]);
    target.layers[0].diff_id = None::<DiffId>;
    let prediction = predicted(Containerd, &[], &target);
    assert_eq!(shown(&prediction), "about 11: fetch / fetch");
    assert_eq!(prediction.warnings, [Warning::NotAnImage]);
}
