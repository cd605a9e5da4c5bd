//! What is known of repositories' tags, kept on disk for the next start.
//!
//! It is a cache: whatever is wrong with a file, it is as if it were not there.

use std::collections::{BTreeMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::blobs::sha256_of;
use super::paths::{create_private_folder, replace_private_file};
use crate::core::digest::TopDigest;
use crate::core::image::Repository;
use crate::core::remote::Route;
use crate::core::shelf::{Shelf, TagList};
use crate::core::trust::Referred;

/// No list of tags that is read fills more.
const LARGEST: u64 = 16 << 20;

/// The shelves of all repositories.
#[derive(Debug, Clone)]
pub struct Shelves {
    folder: Option<PathBuf>,
    /// Held while files are changed, so that no answer is lost between two.
    turn: Arc<Mutex<()>>,
}

/// The two files of a repository.
struct Files {
    /// The list of tags, replaced as a whole.
    list: PathBuf,
    /// One line for each tag that never moves and what it names; answers come one by one and are appended.
    heads: PathBuf,
    /// One line for each image whose referrers were asked for.
    referred: PathBuf,
}

/// How long it holds that nothing refers to an image; a signature may come after the image.
const UNSIGNED_HOLDS: SignedDuration = SignedDuration::from_hours(1);

impl Shelves {
    /// Keeps shelves in the cache folder; without one nothing is kept.
    pub fn in_folder(cache: Option<&Path>) -> Self {
        Self {
            folder: cache.map(|cache| cache.join("tags")),
            turn: Arc::default(),
        }
    }

    /// Returns what is known of a repository.
    pub fn load(&self, route: &Route, repository: &Repository) -> Shelf {
        let Some(files) = self.files(route, repository) else {
            return Shelf::default();
        };
        Shelf {
            list: read(&files.list).and_then(|bytes| serde_json::from_slice(&bytes).ok()),
            heads: read_heads(&files.heads),
        }
    }

    /// Keeps a list of tags; what tags named that are gone is dropped.
    pub fn keep_list(&self, route: &Route, repository: &Repository, list: &TagList) {
        let (Some(files), Ok(bytes)) = (self.files(route, repository), serde_json::to_vec(list))
        else {
            return;
        };
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // A cache that cannot be written costs requests, nothing else.
        let _ = replace_private_file(&files.list, &bytes);
        let mut heads = read_heads(&files.heads);
        let before = heads.len();
        let listed: HashSet<&str> = list.tags.iter().map(|tag| &**tag).collect();
        heads.retain(|tag, _| !list.complete || listed.contains(&**tag));
        if heads.len() < before {
            let lines: String = heads.iter().map(|(tag, top)| line(tag, top)).collect();
            let _ = replace_private_file(&files.heads, lines.as_bytes());
        }
    }

    /// Keeps what a tag names.
    pub fn keep_head(&self, route: &Route, repository: &Repository, tag: &str, top: &TopDigest) {
        let Some(files) = self.files(route, repository) else {
            return;
        };
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let _: std::io::Result<()> = append(&files.heads, &line(tag, top));
    }

    /// Returns what was found to refer to an image; what was not found is forgotten after a while.
    pub fn referred(
        &self,
        route: &Route,
        repository: &Repository,
        top: &TopDigest,
        now: Timestamp,
    ) -> Option<Referred> {
        let files = self.files(route, repository)?;
        let bytes = read(&files.referred)?;
        let text = String::from_utf8_lossy(&bytes);
        let prefix = format!("{top} ");
        // Of two lines for one image the later one holds.
        let line = text
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix(&prefix))?;
        let (at, marks) = line.split_once(' ')?;
        let at = Timestamp::from_second(at.parse().ok()?).ok()?;
        let found = Referred {
            provenance: marks.contains('p'),
            sbom: marks.contains('b'),
            signature: marks.contains('s'),
        };
        let young = now.duration_since(at).abs() < UNSIGNED_HOLDS;
        (found.signature || young).then_some(found)
    }

    /// Keeps what was found to refer to an image.
    pub fn keep_referred(
        &self,
        route: &Route,
        repository: &Repository,
        top: &TopDigest,
        (at, found): (Timestamp, Referred),
    ) {
        let Some(files) = self.files(route, repository) else {
            return;
        };
        let marks: String = [
            (found.provenance, 'p'),
            (found.sbom, 'b'),
            (found.signature, 's'),
        ]
        .into_iter()
        .filter_map(|(is, mark)| is.then_some(mark))
        .chain(['.'])
        .collect();
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let _: std::io::Result<()> = append(
            &files.referred,
            &format!("{top} {} {marks}\n", at.as_second()),
        );
    }

    /// Returns the files of a repository; a registry asked through a host may be another one of the same name.
    fn files(&self, route: &Route, repository: &Repository) -> Option<Files> {
        let name = match route {
            Route::Here => repository.to_string(),
            Route::Via(host) => format!("{host} {repository}"),
        };
        let folder = self.folder.as_ref()?;
        let digest = sha256_of(name.as_bytes());
        Some(Files {
            list: folder.join(format!("{}.json", digest.hex())),
            heads: folder.join(format!("{}.heads", digest.hex())),
            referred: folder.join(format!("{}.referred", digest.hex())),
        })
    }
}

fn append(path: &Path, line: &str) -> std::io::Result<()> {
    let folder = path.parent().ok_or(ErrorKind::InvalidInput)?;
    create_private_folder(folder)?;
    let mut options = OpenOptions::new();
    let mut file = options.append(true).create(true).mode(0o600).open(path)?;
    file.write_all(line.as_bytes())
}

fn line(tag: &str, top: &TopDigest) -> String {
    format!("{tag} {top}\n")
}

fn read_heads(path: &Path) -> BTreeMap<Box<str>, TopDigest> {
    let bytes = read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    // A line cut short by a full disk is no line; of two lines for one tag the later one holds.
    let whole = text.split_inclusive('\n').filter_map(|line| {
        let (tag, top) = line.strip_suffix('\n')?.split_once(' ')?;
        Some((tag.into(), top.parse().ok()?))
    });
    whole.collect()
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(LARGEST).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::adapters::paths::scratch::Scratch;
    use crate::core::image::ImageRef;

    fn top(digit: char) -> TopDigest {
        format!("sha256:{}", digit.to_string().repeat(64))
            .parse()
            .unwrap()
    }

    #[test]
    fn what_was_kept_is_there_at_the_next_start() {
        let scratch = Scratch::create();
        let repository = "r.lan/app".parse::<ImageRef>().unwrap().repository;
        let here = Route::Here;
        let shelves = Shelves::in_folder(Some(scratch.path()));
        assert_eq!(shelves.load(&here, &repository), Shelf::default());
        shelves.keep_head(&here, &repository, "sha-1", &top('1'));
        shelves.keep_head(&here, &repository, "sha-2", &top('2'));
        let list = TagList {
            at: Timestamp::UNIX_EPOCH,
            tags: vec!["sha-2".into(), "latest".into()],
            complete: true,
        };
        shelves.keep_list(&here, &repository, &list);
        let again = Shelves::in_folder(Some(scratch.path()));
        let shelf = again.load(&here, &repository);
        assert_eq!(shelf.list, Some(list));
        let heads: Vec<&str> = shelf.heads.keys().map(|tag| &**tag).collect();
        assert_eq!(heads, ["sha-2"], "a tag that is gone is forgotten");
        // Another way to a registry of the same name is another repository.
        let via = Route::Via("nas".into());
        assert_eq!(again.load(&via, &repository), Shelf::default());
    }

    #[test]
    fn a_signature_is_for_ever_and_its_absence_is_not() {
        let scratch = Scratch::create();
        let repository = "r.lan/app".parse::<ImageRef>().unwrap().repository;
        let shelves = Shelves::in_folder(Some(scratch.path()));
        let here = Route::Here;
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        let hours = |hours| at + SignedDuration::from_hours(hours);
        let signed = Referred {
            signature: true,
            ..Referred::default()
        };
        shelves.keep_referred(&here, &repository, &top('1'), (at, Referred::default()));
        shelves.keep_referred(&here, &repository, &top('2'), (at, signed));
        let known = |digit, at| shelves.referred(&here, &repository, &top(digit), at);
        assert_eq!(known('1', at), Some(Referred::default()));
        assert_eq!(known('1', hours(2)), None);
        assert_eq!(known('2', hours(9_000)), Some(signed));
        shelves.keep_referred(&here, &repository, &top('1'), (hours(2), signed));
        assert_eq!(known('1', hours(9_000)), Some(signed));
        assert_eq!(known('3', at), None);
    }

    #[test]
    fn broken_files_are_as_none() {
        let scratch = Scratch::create();
        let repository = "r.lan/app".parse::<ImageRef>().unwrap().repository;
        let shelves = Shelves::in_folder(Some(scratch.path()));
        shelves.keep_head(&Route::Here, &repository, "a", &top('1'));
        let files = shelves.files(&Route::Here, &repository).unwrap();
        std::fs::write(&files.list, b"{").unwrap();
        let mut text = std::fs::read_to_string(&files.heads).unwrap();
        text.push_str("\n\u{1b} x y\nb sha256:cut");
        std::fs::write(&files.heads, text).unwrap();
        let shelf = shelves.load(&Route::Here, &repository);
        assert_eq!(shelf.list, None);
        assert_eq!(shelf.heads.len(), 1);
        Shelves::in_folder(None).keep_head(&Route::Here, &repository, "c", &top('3'));
    }
}
