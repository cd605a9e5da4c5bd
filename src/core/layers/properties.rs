//! What holds for every host and every image, tried on a simulated engine with random pulls and removals.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::core::digest::{Digest, ImageId};
use crate::core::engine::{ImageFacts, ImageStore};
use crate::core::image::Repository;
use crate::core::remote::RemoteImage;
use crate::core::samples::{image, observation, platform, remote_image};

/// An engine reduced to what decides a download.
struct Engine {
    store: ImageStore,
    images: BTreeMap<ImageId, RemoteImage>,
    /// The graph store's table of digests, which survives removals.
    digests: BTreeSet<Digest>,
    /// Containerd's content.
    blobs: BTreeSet<Digest>,
}

impl Engine {
    fn new(store: ImageStore) -> Self {
        Self {
            store,
            images: BTreeMap::new(),
            digests: BTreeSet::new(),
            blobs: BTreeSet::new(),
        }
    }

    fn id(&self, remote: &RemoteImage) -> ImageId {
        match self.store {
            ImageStore::Graph => ImageId(remote.config.digest().clone()),
            ImageStore::Containerd => ImageId(remote.top.digest().clone()),
        }
    }

    fn has_chain(&self, remote: &RemoteImage, length: usize) -> bool {
        let chain = |image: &RemoteImage| -> Vec<_> {
            let layers = image.layers.iter().take(length);
            layers.map(|layer| layer.diff_id.clone()).collect()
        };
        let own = chain(remote);
        let same = |image: &RemoteImage| image.layers.len() >= length && chain(image) == own;
        self.images.values().any(same)
    }

    /// Pulls and returns what came over the wire.
    fn pull(&mut self, remote: &RemoteImage) -> BTreeSet<Digest> {
        let id = self.id(remote);
        let mut fetched = BTreeSet::new();
        if self.images.contains_key(&id) {
            return fetched;
        }
        let graph = self.store == ImageStore::Graph;
        let mut skipping = true;
        for (index, layer) in remote.layers.iter().enumerate() {
            let digest = layer.digest.digest();
            let known = !graph || self.digests.contains(digest);
            skipping = skipping && known && self.has_chain(remote, index + 1);
            if !skipping && (graph || !self.blobs.contains(digest)) {
                fetched.insert(digest.clone());
            }
        }
        if graph || !self.blobs.contains(remote.config.digest()) {
            fetched.insert(remote.config.digest().clone());
        }
        let layers = remote.layers.iter();
        let layers = layers.map(|layer| layer.digest.digest().clone());
        self.digests.extend(layers);
        self.blobs.extend(fetched.iter().cloned());
        self.images.insert(id, remote.clone());
        fetched
    }

    fn remove(&mut self, remote: &RemoteImage) {
        self.images.remove(&self.id(remote));
        let used: BTreeSet<Digest> = self
            .images
            .values()
            .flat_map(|image| {
                let layers = image.layers.iter().map(|layer| layer.digest.digest());
                layers.chain([image.config.digest()]).cloned()
            })
            .collect();
        self.blobs.retain(|blob| used.contains(blob));
    }

    fn facts(&self) -> Vec<ImageFacts> {
        self.images
            .iter()
            .map(|(id, remote)| {
                let mut facts = image(0, &[], &[], None);
                facts.id = id.clone();
                facts.diff_ids = holdings::diff_ids(&remote.layers);
                let repository = Repository {
                    registry: "r.lan".into(),
                    path: "app".into(),
                };
                facts.digests = vec![(repository, remote.top.clone())];
                facts
            })
            .collect()
    }

    fn predict(&self, known: &Manifests, target: &RemoteImage) -> Prediction {
        let seen = observation(self.store, self.facts(), Vec::new());
        predict(&Holdings::of(&seen, known, false), target)
    }
}

/// Layers as (digest, unpacked): a digest always unpacks to the same, and one content may be packed in two ways.
fn layers() -> impl Strategy<Value = Vec<(u8, u8)>> {
    prop::collection::vec((0u8..6, 0u8..2), 0..6).prop_map(|list| {
        let pack = |(content, way): (u8, u8)| (1 + content + way * 6, 101 + content);
        list.into_iter().map(pack).collect()
    })
}

fn images() -> impl Strategy<Value = Vec<RemoteImage>> {
    prop::collection::vec(layers(), 1..8).prop_map(|list| {
        let numbered = (150u8..).step_by(2).zip(list);
        // Unlike images have unlike configs here: top and config are numbered.
        numbered
            .map(|(number, layers)| remote_image(number, number + 1, &layers))
            .collect()
    })
}

fn known(images: &[RemoteImage]) -> Manifests {
    let keyed = images.iter().map(|image| {
        let key = (image.top.clone(), platform());
        (key, image.clone())
    });
    keyed.collect()
}

fn stores() -> impl Strategy<Value = ImageStore> {
    prop_oneof![Just(ImageStore::Graph), Just(ImageStore::Containerd)]
}

proptest! {
    #[test]
    fn pulls_alone_are_predicted_to_the_byte(store in stores(), images in images(), order in prop::collection::vec(0usize..8, 1..12)) {
        let known = known(&images);
        let mut engine = Engine::new(store);
        // A containerd store does not keep blobs that it skipped by chain; the prediction cannot see that.
        let mut skipped = BTreeSet::new();
        for index in order {
            let target = &images[index % images.len()];
            let prediction = engine.predict(&known, target);
            let expected: BTreeSet<Digest> = prediction.blobs().into_iter().cloned().collect();
            let fetched = engine.pull(target);
            prop_assert_eq!(prediction.estimate, Estimate::Exact);
            if fetched.iter().all(|blob| !skipped.contains(blob)) {
                prop_assert_eq!(&expected, &fetched);
                let sizes = |blob: &Digest| {
                    let layer = target.layers.iter().find(|layer| layer.digest.digest() == blob);
                    layer.map_or(target.config_size, |layer| layer.size)
                };
                prop_assert_eq!(prediction.fetch_bytes, fetched.iter().map(sizes).sum::<u64>());
            }
            for layer in &target.layers {
                if !engine.blobs.contains(layer.digest.digest()) {
                    skipped.insert(layer.digest.digest().clone());
                }
            }
        }
    }

    #[test]
    fn after_removals_a_graph_store_never_fetches_more_than_predicted(images in images(), steps in prop::collection::vec((0usize..8, any::<bool>()), 1..16)) {
        let known = known(&images);
        let mut engine = Engine::new(ImageStore::Graph);
        for (index, remove) in steps {
            let target = &images[index % images.len()];
            if remove {
                engine.remove(target);
            } else {
                let prediction = engine.predict(&known, target);
                let expected: BTreeSet<Digest> = prediction.blobs().into_iter().cloned().collect();
                prop_assert!(engine.pull(target).is_subset(&expected));
            }
        }
    }

    #[test]
    fn sums_and_states_agree(store in stores(), images in images(), held in prop::collection::vec(any::<bool>(), 8), read in prop::collection::vec(any::<bool>(), 8), builds in any::<bool>()) {
        let Some((target, others)) = images.split_last() else { return Ok(()) };
        let mut engine = Engine::new(store);
        for (image, _) in others.iter().zip(&held).filter(|(_, held)| **held) {
            engine.pull(image);
        }
        let readable: Vec<RemoteImage> = others.iter().zip(&read).filter(|(_, read)| **read).map(|(image, _)| image.clone()).collect();
        let seen = observation(store, engine.facts(), Vec::new());
        let prediction = predict(&Holdings::of(&seen, &known(&readable), builds), target);
        prop_assert!(prediction.fetch_bytes <= prediction.total_bytes);
        prop_assert_eq!(prediction.layers.len(), target.layers.len());
        let mut distinct: BTreeMap<&Digest, u64> = target.layers.iter().map(|layer| (layer.digest.digest(), layer.size)).collect();
        distinct.insert(target.config.digest(), target.config_size);
        prop_assert_eq!(prediction.total_bytes, distinct.values().sum::<u64>());
        let here: BTreeSet<&Digest> = distinct.keys().copied().filter(|digest| !prediction.blobs().contains(digest)).collect();
        prop_assert_eq!(here.len() + prediction.blobs().len(), distinct.len());
        let here: u64 = here.iter().map(|digest| distinct[*digest]).sum();
        prop_assert_eq!(here + prediction.fetch_bytes, prediction.total_bytes);
        if let Some(first) = prediction.first_change {
            prop_assert!(prediction.layers[..first].iter().all(|layer| layer.state == PartState::Present));
            if store == ImageStore::Graph {
                prop_assert!(prediction.layers[first..].iter().all(|layer| layer.state == PartState::Fetch));
                prop_assert_eq!(prediction.config.state, PartState::Fetch);
            }
        }
        prop_assert!(builds || prediction.estimate != Estimate::AtMost);
        // Everything that is listed as needed, once read, leaves no doubt.
        let listed: BTreeSet<_> = needed(&seen, target).into_iter().map(|needed| needed.top).collect();
        let read_all: Vec<RemoteImage> = others.iter().filter(|image| listed.contains(&image.top)).cloned().collect();
        let sure = predict(&Holdings::of(&seen, &known(&read_all), false), target);
        prop_assert_eq!(sure.estimate, Estimate::Exact);
    }

    #[test]
    fn odd_manifests_never_panic(store in stores(), images in images(), gaps in prop::collection::vec(any::<bool>(), 8), sizes in prop::collection::vec(any::<u64>(), 8)) {
        let mut images = images;
        for image in &mut images {
            for ((layer, gap), size) in image.layers.iter_mut().zip(&gaps).zip(&sizes) {
                if *gap {
                    layer.diff_id = None;
                }
                layer.size = *size;
            }
        }
        let Some((target, others)) = images.split_last() else { return Ok(()) };
        let mut engine = Engine::new(store);
        for image in others {
            engine.pull(image);
        }
        let prediction = engine.predict(&known(others), target);
        prop_assert!(prediction.fetch_bytes <= prediction.total_bytes);
    }
}
