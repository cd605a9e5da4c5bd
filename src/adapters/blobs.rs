//! Manifests and configs by digest, kept for ever: what a digest names never changes.
//!
//! The store does not know registries. It believes nothing that it reads: bytes that do not match their digest
//! are removed and asked for anew. Where the disk cannot be written it keeps a bounded amount in memory.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use sha2::{Digest as _, Sha256, Sha512};

use crate::core::digest::Digest;

/// No entry is larger than the largest body that is ever asked for.
const LARGEST: u64 = 8 << 20;
/// How many files are kept on disk: years of a fleet that changes daily, some 100 MB.
const MOST_FILES: usize = 20_000;
/// After how many writes they are counted; the first of a session is one of them.
const COUNT_EVERY: u64 = 256;
/// What is kept in memory where the disk refuses.
const IN_MEMORY: usize = 4 << 20;

/// The cache of blobs, shared by everybody who asks registries.
#[derive(Debug, Clone)]
pub struct BlobStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: Option<PathBuf>,
    /// Entries that could not be written to disk.
    memory: Mutex<Memory>,
    counter: AtomicU64,
}

#[derive(Debug, Default)]
struct Memory {
    blobs: HashMap<Digest, Bytes>,
    bytes: usize,
    origins: HashMap<(String, Digest), ()>,
}

impl BlobStore {
    /// Keeps blobs below the folder, which is made when the first one is written.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self::new(Some(folder.into()))
    }

    /// Keeps blobs in memory only.
    pub fn in_memory() -> Self {
        Self::new(None)
    }

    fn new(folder: Option<PathBuf>) -> Self {
        Self {
            inner: Arc::new(Inner {
                folder,
                memory: Mutex::default(),
                counter: AtomicU64::new(0),
            }),
        }
    }

    /// Returns the bytes of a digest, verified, if they are at hand.
    pub async fn get(&self, digest: &Digest) -> Option<Bytes> {
        if let Some(bytes) = self.memory().blobs.get(digest) {
            return Some(bytes.clone());
        }
        let path = self.blob_path(digest)?;
        let digest = digest.clone();
        tokio::task::spawn_blocking(move || read_verified(&path, &digest))
            .await
            .ok()?
    }

    /// Keeps the bytes of a digest; bytes that do not match it are not kept.
    pub async fn put(&self, digest: &Digest, bytes: &Bytes) {
        if !matches(digest, bytes) || bytes.len() as u64 > LARGEST {
            return;
        }
        if let Some(path) = self.blob_path(digest) {
            let copy = bytes.clone();
            let serial = self.inner.counter.fetch_add(1, Ordering::Relaxed);
            let folder = self.inner.folder.clone();
            let written = tokio::task::spawn_blocking(move || {
                let written = write_atomically(&path, &copy, serial);
                if serial.is_multiple_of(COUNT_EVERY) {
                    folder.iter().for_each(|folder| tidy(folder, MOST_FILES));
                }
                written
            });
            if matches!(written.await, Ok(Ok(()))) {
                return;
            }
        }
        let mut memory = self.memory();
        if memory.bytes + bytes.len() > IN_MEMORY {
            memory.blobs.clear();
            memory.bytes = 0;
        }
        if memory.blobs.insert(digest.clone(), bytes.clone()).is_none() {
            memory.bytes += bytes.len();
        }
    }

    /// Records that a repository was seen to hold a digest.
    ///
    /// The same bytes may be cached from elsewhere, so a cached blob alone does not prove where it lies.
    pub async fn mark_origin(&self, repository: &str, digest: &Digest) {
        if let Some(path) = self.origin_path(repository, digest) {
            let serial = self.inner.counter.fetch_add(1, Ordering::Relaxed);
            let written =
                tokio::task::spawn_blocking(move || write_atomically(&path, b"", serial)).await;
            if matches!(written, Ok(Ok(()))) {
                return;
            }
        }
        let mut memory = self.memory();
        if memory.origins.len() >= 10_000 {
            memory.origins.clear();
        }
        memory
            .origins
            .insert((repository.to_owned(), digest.clone()), ());
    }

    /// Tells whether the repository was ever seen to hold the digest.
    pub async fn came_from(&self, repository: &str, digest: &Digest) -> bool {
        let key = (repository.to_owned(), digest.clone());
        if self.memory().origins.contains_key(&key) {
            return true;
        }
        let Some(path) = self.origin_path(repository, digest) else {
            return false;
        };
        tokio::task::spawn_blocking(move || path.is_file())
            .await
            .unwrap_or(false)
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.inner
            .memory
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn blob_path(&self, digest: &Digest) -> Option<PathBuf> {
        let (algorithm, hex) = digest.as_str().split_once(':')?;
        let folder = self.inner.folder.as_ref()?;
        Some(folder.join(algorithm).join(hex.get(..2)?).join(hex))
    }

    fn origin_path(&self, repository: &str, digest: &Digest) -> Option<PathBuf> {
        let folder = self.inner.folder.as_ref()?;
        let place = hex(&Sha256::digest(repository.as_bytes()));
        Some(folder.join("from").join(place).join(digest.hex()))
    }
}

/// Computes the digest of bytes in the usual algorithm.
pub fn sha256_of(bytes: &[u8]) -> Digest {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
        .parse()
        .expect("64 lower-case hex digits after sha256: are a digest")
}

/// Tells whether the bytes are those that the digest names.
pub fn matches(digest: &Digest, bytes: &[u8]) -> bool {
    let computed = match digest.as_str().split_once(':') {
        Some(("sha256", _)) => hex(&Sha256::digest(bytes)),
        Some(("sha512", _)) => hex(&Sha512::digest(bytes)),
        _ => return false,
    };
    computed == digest.hex()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_verified(path: &Path, digest: &Digest) -> Option<Bytes> {
    let file = fs::File::open(path).ok()?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).ok()?;
    if matches(digest, &bytes) {
        return Some(bytes.into());
    }
    // A broken entry would otherwise be read and refused for ever.
    let _ = fs::remove_file(path);
    None
}

/// Lets the oldest files go where there are too many; whatever is wanted again is asked for again.
fn tidy(folder: &Path, most: usize) {
    let mut files = Vec::new();
    gather(folder, &mut files);
    if files.len() <= most {
        return;
    }
    files.sort();
    // A quarter more, so that it is not done again with each write.
    let over = files.len() - most / 4 * 3;
    for (_, path) in &files[..over] {
        let _ = fs::remove_file(path);
        // Only an empty folder can be removed.
        let _ = path.parent().map(fs::remove_dir);
    }
}

fn gather(folder: &Path, files: &mut Vec<(Option<SystemTime>, PathBuf)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.metadata() {
            Ok(found) if found.is_dir() => gather(&path, files),
            Ok(found) => files.push((found.modified().ok(), path)),
            Err(_) => {}
        }
    }
}

fn write_atomically(path: &Path, bytes: &[u8], serial: u64) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let temporary = folder.join(format!(".{}.{serial}.tmp", std::process::id()));
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("blobs-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[tokio::test]
    async fn what_is_kept_is_found_again_by_another_store() {
        let folder = scratch("kept");
        let bytes = Bytes::from_static(b"{}");
        let digest = sha256_of(&bytes);
        let store = BlobStore::at(&folder);
        assert_eq!(store.get(&digest).await, None);
        store.put(&digest, &bytes).await;
        store.mark_origin("r/a", &digest).await;
        let other = BlobStore::at(&folder);
        assert_eq!(other.get(&digest).await, Some(bytes));
        assert!(other.came_from("r/a", &digest).await);
        assert!(!other.came_from("r/b", &digest).await);
        let path = store.blob_path(&digest).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn of_too_many_the_oldest_are_let_go() {
        let folder = scratch("many");
        let store = BlobStore::at(&folder);
        let mut kept = Vec::new();
        for number in 0..40_u64 {
            let bytes = Bytes::from(number.to_string());
            let digest = sha256_of(&bytes);
            store.put(&digest, &bytes).await;
            let file = fs::File::open(store.blob_path(&digest).unwrap()).unwrap();
            let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(number);
            file.set_modified(at).unwrap();
            kept.push(digest);
        }
        tidy(&folder, 40);
        assert!(store.get(&kept[0]).await.is_some(), "not too many yet");
        tidy(&folder, 20);
        let mut left = Vec::new();
        for (number, digest) in kept.iter().enumerate() {
            if store.get(digest).await.is_some() {
                left.push(number);
            }
        }
        assert_eq!(left, (25..40).collect::<Vec<_>>());
        fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_broken_entry_is_removed_and_never_returned() {
        let folder = scratch("broken");
        let bytes = Bytes::from_static(b"good");
        let digest = sha256_of(&bytes);
        let store = BlobStore::at(&folder);
        store.put(&digest, &bytes).await;
        let path = store.blob_path(&digest).unwrap();
        fs::write(&path, b"evil").unwrap();
        assert_eq!(store.get(&digest).await, None);
        assert!(!path.exists());
        fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn bytes_of_another_digest_are_not_kept() {
        let store = BlobStore::in_memory();
        let digest = sha256_of(b"a");
        store.put(&digest, &Bytes::from_static(b"b")).await;
        assert_eq!(store.get(&digest).await, None);
    }

    #[tokio::test]
    async fn without_a_writable_disk_memory_serves_within_bounds() {
        let file = scratch("file");
        fs::write(&file, b"in the way").unwrap();
        let store = BlobStore::at(&file);
        let mut last = None;
        for byte in 0..6u8 {
            let bytes = Bytes::from(vec![byte; 1 << 20]);
            let digest = sha256_of(&bytes);
            store.put(&digest, &bytes).await;
            assert_eq!(store.get(&digest).await.as_ref(), Some(&bytes));
            last = Some(digest);
        }
        assert!(store.memory().bytes <= IN_MEMORY);
        store.mark_origin("r", last.as_ref().unwrap()).await;
        assert!(store.came_from("r", last.as_ref().unwrap()).await);
        fs::remove_file(file).unwrap();
    }
}
