//! The folder of this process's ssh control sockets, and the tidying of folders that dead processes left.
//!
//! A folder's lock file is held as long as its process lives, so a lock that can be had marks a folder as left over;
//! process numbers, which are used again, are not trusted.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openssh::Session;

const PREFIX: &str = "htui-";
const LOCK: &str = "lock";
/// The longest base that leaves room for our names and the random end that ssh adds while it binds.
const LONGEST_BASE: usize = 50;

/// A private folder with short paths, one per process.
#[derive(Debug)]
pub struct ControlFolder {
    path: PathBuf,
    next: AtomicU32,
    /// Held, not read: closing it tells later starts that this process is gone.
    _lock: File,
}

impl ControlFolder {
    /// Makes the folder below the user's runtime folder, or below `/tmp`.
    pub fn create() -> io::Result<Self> {
        let mut last = None;
        for base in bases() {
            match Self::create_in(&base) {
                Ok(folder) => return Ok(folder),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| io::Error::other("no place for a control folder")))
    }

    /// Makes the folder below the base.
    pub fn create_in(base: &Path) -> io::Result<Self> {
        for attempt in 0..16_u32 {
            let path = base.join(format!(
                "{PREFIX}{:x}-{:x}",
                std::process::id(),
                salt(attempt)
            ));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            }
            let lock = OpenOptions::new()
                .create_new(true)
                .write(true)
                .mode(0o600)
                .open(path.join(LOCK))?;
            lock.lock()?;
            return Ok(Self {
                path,
                next: AtomicU32::new(0),
                _lock: lock,
            });
        }
        Err(io::Error::other("every name for a control folder is taken"))
    }

    /// Returns a path for one more control socket.
    pub fn socket(&self) -> PathBuf {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.path.join(format!("s{number}"))
    }

    /// Returns a path for one more file of known hosts.
    pub fn known_hosts(&self) -> PathBuf {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.path.join(format!("k{number}"))
    }

    /// Ends the ssh connections that dead processes of this user left, and removes their folders.
    pub async fn clear_left_overs(&self) {
        let Some(own) = owner_of(&self.path) else {
            return;
        };
        for base in bases() {
            for folder in left_overs(&base, own) {
                end_all(&folder).await;
                // What cannot be removed now is tried again at the next start.
                let _ = fs::remove_dir_all(&folder);
            }
        }
    }
}

impl Drop for ControlFolder {
    fn drop(&mut self) {
        // A folder that stays behind is cleared by the next start.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Returns the places for control folders, best first.
fn bases() -> Vec<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let short = |path: &PathBuf| path.is_absolute() && path.as_os_str().len() <= LONGEST_BASE;
    runtime
        .filter(short)
        .into_iter()
        .chain([PathBuf::from("/tmp")])
        .collect()
}

/// Returns the folders of this user whose lock nobody holds.
fn left_overs(base: &Path, own: u32) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(base) else {
        return Vec::new();
    };
    let ours = |path: &PathBuf| {
        let named = path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with(PREFIX));
        // A folder of another user, or a link in its place, is none of ours.
        named && owner_of(path) == Some(own)
    };
    entries
        .flatten()
        .map(|entry| entry.path())
        .filter(ours)
        .filter(|path| is_abandoned(path))
        .collect()
}

fn is_abandoned(folder: &Path) -> bool {
    match File::open(folder.join(LOCK)) {
        Ok(lock) => !matches!(lock.try_lock(), Err(TryLockError::WouldBlock)),
        // A folder that is just being made has no lock file for a moment.
        Err(_) => fs::metadata(folder)
            .and_then(|data| data.modified())
            .ok()
            .and_then(|at| at.elapsed().ok())
            .is_some_and(|age| age > Duration::from_secs(60)),
    }
}

async fn end_all(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.starts_with('s')) {
            let session = Session::resume_mux(entry.path().into_boxed_path(), None);
            // A socket without a living master has nothing to end.
            let _ = tokio::time::timeout(Duration::from_secs(2), session.close()).await;
        }
    }
}

fn owner_of(path: &Path) -> Option<u32> {
    fs::symlink_metadata(path)
        .ok()
        .filter(|data| data.is_dir())
        .map(|data| data.uid())
}

fn salt(attempt: u32) -> u32 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(attempt, |since| since.subsec_nanos().wrapping_add(attempt))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn d6_a_folder_is_private_short_and_gone_with_its_owner() {
        let folder = ControlFolder::create_in(Path::new("/tmp")).unwrap();
        let path = folder.path.clone();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o700
        );
        // ssh binds under a name with 17 characters more.
        assert!(folder.socket().as_os_str().len() + 17 < 100);
        assert!(!is_abandoned(&path), "a living owner holds the lock");
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_whose_owner_died_is_found() {
        let folder = ControlFolder::create_in(Path::new("/tmp")).unwrap();
        let path = folder.path.clone();
        let own = owner_of(&path).unwrap();
        assert!(!left_overs(Path::new("/tmp"), own).contains(&path));
        let ControlFolder { _lock: lock, .. } = &folder;
        lock.unlock().unwrap();
        assert!(left_overs(Path::new("/tmp"), own).contains(&path));
        assert!(!left_overs(Path::new("/tmp"), own + 1).contains(&path));
    }
}
