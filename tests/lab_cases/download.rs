//! Downloads foretold and then made: the blobs of the prediction against those of the registry's access log.
//!
//! Random sequences of what happens to images on hosts and in registries: pulls, moved tags, removals, images
//! that only containers hold, loads, recompressed, reordered and duplicate layers, indexes and attestations.
//! `HOMELAB_TUI_SEQUENCES` says how many run on each host; `HOMELAB_TUI_SEED` repeats one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use homelab_tui::core::layers::Estimate;

use super::watcher::Watcher;
use crate::support::image::{Built, machine};
use crate::support::registry::Push;
use crate::support::{Dice, Host, Image, Index, Lab, Layer, Packing, Registry, fresh_seed, unique};

/// How many sequences run on each host if nobody says.
const SEQUENCES: usize = 10;
/// How many things happen in one.
const STEPS: usize = 14;
const TAGS: [&str; 3] = ["latest", "dev", "v1"];

/// What one pull showed.
struct Pull {
    story: String,
    estimate: Estimate,
    missing: BTreeSet<String>,
    needless: BTreeSet<String>,
    bytes: (u64, u64),
}

impl Pull {
    fn exact(&self) -> bool {
        self.missing.is_empty() && self.needless.is_empty()
    }
}

/// One sequence: repositories and images of its own on one host.
struct Sequence<'a> {
    host: &'a Host,
    registry: &'a Registry,
    watcher: &'a mut Watcher,
    dice: Dice,
    repos: [String; 2],
    contents: Vec<Layer>,
    /// Images as they were made, so that later ones can be made of them.
    images: Vec<Vec<Layer>>,
    made: usize,
    /// What tags name now, by repository and tag.
    tags: BTreeMap<(usize, usize), Vec<Built>>,
    containers: Vec<String>,
    story: String,
    pulls: Vec<Pull>,
}

impl Sequence<'_> {
    fn run(mut self) -> Vec<Pull> {
        self.publish();
        for _ in 0..STEPS {
            match self.dice.below(20) {
                0..=8 => self.pull(),
                9..=13 => self.publish(),
                14 | 15 => self.remove(),
                16 => self.hold(),
                17 => self.load(),
                18 => self.tag_on_host(),
                _ => self.remove_dangling(),
            }
        }
        self.pull();
        self.clean();
        self.pulls
    }

    fn tell(&mut self, what: &str) {
        let _ = writeln!(self.story, "  {what}");
    }

    fn reference(&self, repo: usize, tag: usize) -> String {
        self.registry.reference(&self.repos[repo], TAGS[tag])
    }

    fn place(&mut self) -> (usize, usize) {
        let repo = usize::from(self.dice.one_in(4));
        (repo, self.dice.below(TAGS.len()))
    }

    fn packing(&mut self) -> Packing {
        match self.dice.below(8) {
            0 => Packing::Gzip(1),
            // Only engines from 23 on can unpack it.
            1 if self.host.name != "old" => Packing::Zstd,
            2 => Packing::Tar,
            _ => Packing::Gzip(0),
        }
    }

    /// Makes the layers of a new image, mostly out of an earlier one.
    fn layers(&mut self) -> Vec<Layer> {
        let fresh = |own: &mut Self| own.dice.pick(&own.contents.clone()).clone();
        let mut layers = match self.images.is_empty() || self.dice.one_in(6) {
            true => (0..2 + self.dice.below(3)).map(|_| fresh(self)).collect(),
            false => self.dice.pick(&self.images.clone()).clone(),
        };
        match self.dice.below(8) {
            0 | 1 => layers.push(fresh(self)),
            2 => {
                let last = layers.len() - 1;
                layers[last] = fresh(self);
            }
            3 => {
                let place = self.dice.below(layers.len() + 1);
                layers.insert(place, fresh(self));
            }
            4 => {
                let (a, b) = (self.dice.below(layers.len()), self.dice.below(layers.len()));
                layers.swap(a, b);
            }
            5 => {
                let twice = self.dice.pick(&layers.clone()).clone();
                layers.push(twice);
            }
            6 => {
                let packing = self.packing();
                let place = self.dice.below(layers.len());
                layers[place] = layers[place].clone().packed(packing);
            }
            _ => {}
        }
        layers
    }

    /// Pushes something and lets a tag name it.
    fn publish(&mut self) {
        let (repo, tag) = self.place();
        let layers = self.layers();
        self.images.push(layers.clone());
        // Sometimes the config stays while its layers are packed anew.
        if !self.dice.one_in(6) {
            self.made += 1;
        }
        let mut image = Image::empty()
            .platform("linux", machine(), None)
            .config("Cmd", serde_json::json!(["/none"]))
            .label("of", &self.repos[0])
            .label("number", &self.made.to_string())
            .oci();
        for layer in layers {
            image = image.layer(layer);
        }
        let image = image.build();
        let name = self.repos[repo].clone();
        let form = self.dice.below(4);
        match form {
            0 => self.push(&name, tag, &image),
            1 => self.push(&name, tag, &Index::of(&[&image]).build()),
            2 => {
                let note = self.dice.number().to_string();
                let index = Index::of(&[&image]).attestation(&image, &note);
                self.push(&name, tag, &index.build());
            }
            _ => {
                let other = Image::empty().platform("linux", "s390x", None).build();
                self.push(&name, tag, &Index::of(&[&other, &image]).build());
            }
        }
        self.tags.insert((repo, tag), vec![image.clone()]);
        let shape: Vec<String> = image
            .diff_ids
            .iter()
            .zip(&image.layers)
            .map(|(content, blob)| format!("{}/{}", &content[7..10], &blob.digest[7..10]))
            .collect();
        let config = &image.config.digest[7..12];
        self.tell(&format!(
            "publish {repo}:{tag} form {form} config {config} {shape:?}"
        ));
    }

    fn push(&self, repo: &str, tag: usize, what: &impl Push) {
        self.registry.push(repo, TAGS[tag], what);
    }

    /// Foretells a pull, makes it and compares.
    fn pull(&mut self) {
        let places: Vec<(usize, usize)> = self.tags.keys().copied().collect();
        let (repo, tag) = *self.dice.pick(&places);
        let reference = self.reference(repo, tag);
        let foretold = self.watcher.predict(&reference);
        let mark = self.registry.mark();
        self.host.docker(&["pull", "-q", &reference]);
        let image = &self.tags[&(repo, tag)][0];
        let sizes: BTreeMap<&str, usize> = image
            .layers
            .iter()
            .chain([&image.config])
            .map(|blob| (blob.digest.as_str(), blob.bytes.len()))
            .collect();
        let prefix = format!("/v2/{}/blobs/", self.repos[repo]);
        let came: BTreeMap<String, u64> = self
            .registry
            .asked_since(mark)
            .into_iter()
            .filter(|asked| asked.client == self.host.ip && asked.method == "GET")
            .filter(|asked| matches!(asked.status, 200 | 206))
            .filter_map(|asked| Some((asked.path.strip_prefix(&prefix)?.to_owned(), asked.bytes)))
            // Attestations are not part of an image; no engine needs them to run it.
            .filter(|(digest, _)| sizes.contains_key(digest.as_str()))
            .collect();
        let wanted: BTreeSet<String> = foretold.blobs().iter().map(ToString::to_string).collect();
        let fetched: BTreeSet<String> = came.keys().cloned().collect();
        self.tell(&format!(
            "pull {repo}:{tag}: foretold {} ({}), came {}",
            wanted.len(),
            foretold.estimate.word(),
            fetched.len()
        ));
        self.pulls.push(Pull {
            estimate: foretold.estimate,
            missing: fetched.difference(&wanted).cloned().collect(),
            needless: wanted.difference(&fetched).cloned().collect(),
            bytes: (foretold.fetch_bytes, came.values().sum()),
            story: self.story.clone(),
        });
    }

    fn remove(&mut self) {
        let (repo, tag) = self.place();
        let reference = self.reference(repo, tag);
        let done = self.host.try_sh(&format!("docker rmi {reference}"));
        self.tell(&format!("rmi {repo}:{tag}: {}", done.status.success()));
    }

    /// Makes a container, and sometimes takes its image away below it.
    fn hold(&mut self) {
        let (repo, tag) = self.place();
        let reference = self.reference(repo, tag);
        let name = unique("hold");
        let made = self.host.try_sh(&format!(
            "docker image inspect {reference} >/dev/null && docker create --name {name} {reference}"
        ));
        if !made.status.success() {
            return;
        }
        self.containers.push(name);
        let force = self.dice.one_in(2);
        if force {
            self.host.try_sh(&format!("docker rmi -f {reference}"));
        }
        self.tell(&format!(
            "container of {repo}:{tag}, image removed by force: {force}"
        ));
    }

    /// Saves an image, removes it and loads it again.
    fn load(&mut self) {
        let (repo, tag) = self.place();
        let reference = self.reference(repo, tag);
        let done = self.host.try_sh(&format!(
            "set -e; f=$(mktemp); docker save -o $f {reference}; docker rmi {reference}; docker load -i $f; rm -f $f"
        ));
        self.tell(&format!("load {repo}:{tag}: {}", done.status.success()));
    }

    fn tag_on_host(&mut self) {
        let (repo, tag) = self.place();
        let reference = self.reference(repo, tag);
        let (other_repo, other_tag) = self.place();
        let other = self.reference(other_repo, other_tag);
        let done = self.host.try_sh(&format!("docker tag {reference} {other}"));
        self.tell(&format!(
            "tag {repo}:{tag} {other_repo}:{other_tag} on the host: {}",
            done.status.success()
        ));
    }

    /// Removes what has no name any more; pruning would take other tests' images along.
    fn remove_dangling(&mut self) {
        let filter = format!("--filter dangling=true --filter label=of={}", self.repos[0]);
        self.host.try_sh(&format!(
            "docker images -q --no-trunc {filter} | sort -u | xargs -r docker rmi"
        ));
        self.tell("dangling images removed");
    }

    fn clean(&mut self) {
        for name in &self.containers {
            self.host.try_sh(&format!("docker rm -f {name}"));
        }
        let of = &self.repos[0];
        self.host.try_sh(&format!(
            "docker images -q --no-trunc --filter label=of={of} | sort -u | xargs -r docker rmi -f"
        ));
    }
}

/// What all sequences of a host add up to.
#[derive(Default)]
struct Figures {
    pulls: usize,
    exact: usize,
    under: usize,
    foretold: u64,
    came: u64,
    stories: String,
}

fn sequences(lab: &Lab, host: &Host) -> Figures {
    let registry = lab.registry("plain");
    let count = std::env::var("HOMELAB_TUI_SEQUENCES").ok();
    let count = count.map_or(SEQUENCES, |text| text.parse().unwrap());
    let given = std::env::var("HOMELAB_TUI_SEED").ok();
    let mut watcher = Watcher::new(lab, host, &registry);
    let mut figures = Figures::default();
    for _ in 0..count {
        let seed = given
            .as_ref()
            .map_or_else(fresh_seed, |text| text.parse().unwrap());
        let content = fresh_seed();
        let sequence = Sequence {
            host,
            registry: &registry,
            watcher: &mut watcher,
            dice: Dice::new(seed),
            repos: [unique("seq"), unique("seq-b")],
            contents: (0..7)
                .map(|number| Layer::random(content + number, 300 + 400 * number as usize))
                .collect(),
            images: Vec::new(),
            made: 0,
            tags: BTreeMap::new(),
            containers: Vec::new(),
            story: String::new(),
            pulls: Vec::new(),
        };
        for pull in sequence.run() {
            figures.pulls += 1;
            figures.exact += usize::from(pull.exact());
            figures.under += usize::from(!pull.missing.is_empty());
            figures.foretold += pull.bytes.0;
            figures.came += pull.bytes.1;
            if pull.exact() {
                assert_eq!(
                    pull.bytes.0, pull.bytes.1,
                    "bytes on the wire:\n{}",
                    pull.story
                );
            } else {
                let _ = writeln!(
                    figures.stories,
                    "seed {seed}, {}, not foretold {:?}, not needed {:?}:\n{}",
                    pull.estimate.word(),
                    pull.missing,
                    pull.needless,
                    pull.story
                );
            }
        }
    }
    figures
}

/// Runs the sequences of a host; `allowed` is how many of a thousand sets may differ.
fn foretold_is_what_comes(name: &str, allowed: usize) {
    let Some(lab) = Lab::here() else { return };
    let host = lab.host(name);
    let figures = sequences(&lab, &host);
    eprintln!(
        "downloads on {name}: {} of {} sets exact, {} under, {} of {} bytes foretold\n{}",
        figures.exact,
        figures.pulls,
        figures.under,
        figures.foretold,
        figures.came,
        figures.stories
    );
    let wrong = figures.pulls - figures.exact;
    // A single miss in a short run is not yet a rate.
    let bound = (figures.pulls * allowed).div_ceil(1000).max(1);
    assert!(
        wrong <= bound,
        "{wrong} of {} sets differ:\n{}",
        figures.pulls,
        figures.stories
    );
    assert!(figures.under <= 1, "{} under-estimates", figures.under);
}

#[test]
fn downloads_are_foretold_on_an_old_graph_store() {
    foretold_is_what_comes("old", 10);
}

#[test]
fn downloads_are_foretold_on_a_new_graph_store() {
    foretold_is_what_comes("new", 10);
}

#[test]
fn downloads_are_foretold_on_an_old_containerd_store() {
    foretold_is_what_comes("ctd26", 30);
}

#[test]
fn downloads_are_foretold_on_a_new_containerd_store() {
    foretold_is_what_comes("ctd28", 30);
}
