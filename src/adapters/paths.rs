//! The folders of this program on the operator's machine, found once and created with narrow rights.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use directories::ProjectDirs;

const NAME: &str = "homelab-tui";

/// Where things lie; a user without a home has no folders, and everything goes on without them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    pub config: Option<PathBuf>,
    pub state: Option<PathBuf>,
    pub cache: Option<PathBuf>,
    /// For sockets: short paths, gone after a restart of the machine.
    pub runtime: PathBuf,
}

impl Paths {
    /// Finds the folders of the present user; creates none of them.
    pub fn of_user() -> Self {
        let folders = ProjectDirs::from("", "", NAME);
        let state = |folders: &ProjectDirs| {
            folders
                .state_dir()
                .unwrap_or_else(|| folders.data_local_dir())
                .to_owned()
        };
        let runtime = std::env::var_os("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .filter(|folder| folder.is_absolute() && folder.is_dir())
            .unwrap_or_else(|| PathBuf::from("/tmp"));
        Self {
            config: folders.as_ref().map(|own| own.config_dir().to_owned()),
            state: folders.as_ref().map(state),
            cache: folders.as_ref().map(|own| own.cache_dir().to_owned()),
            runtime,
        }
    }

    /// Puts all folders below one, for tests and for the demo.
    pub fn below(folder: &Path) -> Self {
        Self {
            config: Some(folder.join("config")),
            state: Some(folder.join("state")),
            cache: Some(folder.join("cache")),
            runtime: folder.join("run"),
        }
    }

    /// Returns the configuration file of the present user.
    pub fn config_file(&self) -> Option<PathBuf> {
        self.config
            .as_ref()
            .map(|folder| folder.join("config.yaml"))
    }
}

/// Creates a folder and those above it, for this user alone.
pub fn create_private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Opens a file for appending, for this user alone.
pub fn append_private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

/// Tries whether a folder takes a file of the size of a last observation; leaves nothing there.
///
/// A folder that is not there yet is made when it is needed, so the nearest one above it is tried.
pub fn try_writing(folder: &Path) -> io::Result<()> {
    let mut there = folder;
    while !there.exists() {
        there = there.parent().ok_or(io::ErrorKind::NotFound)?;
    }
    let probe = there.join(format!(".{NAME}.{}.probe", std::process::id()));
    let written = write_new(&probe, &[0; 64 << 10]);
    // It is nothing but a trial, whichever way it ended.
    let _ = std::fs::remove_file(&probe);
    written
}

/// Replaces a file so that readers see the old or the new one, whole, even after a power cut.
pub fn replace_private_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path
        .parent()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path has no folder"))?;
    create_private_folder(folder)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let temporary = folder.join(name);
    let written = write_new(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, path));
    if let Err(error) = written {
        // What is left of a full disk should not be a half-written file; its own failure adds nothing.
        let _ = std::fs::remove_file(&temporary);
        return Err(error);
    }
    // Some file systems cannot sync a folder; the file itself is safe then all the same.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A file left by a killed process of the same number is in the way and of no use.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A folder of a test's own, removed at its end.
#[cfg(test)]
pub mod scratch {
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicU32, Ordering};

    static NEXT: AtomicU32 = AtomicU32::new(0);

    /// A folder that goes with its value.
    pub struct Scratch(PathBuf);

    impl Scratch {
        /// Creates an empty folder.
        #[expect(clippy::unwrap_used, reason = "a test without a folder has failed")]
        pub fn create() -> Self {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("homelab-tui-test-{}-{number}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            let _ = std::fs::remove_dir_all(&folder);
            super::create_private_folder(&folder).unwrap();
            Self(folder)
        }

        /// Returns the folder.
        pub fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::os::unix::fs::PermissionsExt;

    use super::scratch::Scratch;
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn files_and_folders_are_for_this_user_alone() {
        let scratch = Scratch::create();
        let file = scratch.path().join("a/b/memory.json");
        replace_private_file(&file, b"one").unwrap();
        replace_private_file(&file, b"two").unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"two");
        assert_eq!(mode(&file), 0o600);
        assert_eq!(mode(&scratch.path().join("a")), 0o700);
        assert_eq!(mode(&scratch.path().join("a/b")), 0o700);
        assert_eq!(
            std::fs::read_dir(scratch.path().join("a/b"))
                .unwrap()
                .count(),
            1
        );
    }

    #[test]
    fn a_failed_replacement_leaves_the_old_file_and_no_other() {
        let scratch = Scratch::create();
        let occupied = scratch.path().join("memory.json");
        std::fs::create_dir(&occupied).unwrap();
        std::fs::write(occupied.join("inside"), b"x").unwrap();
        assert!(replace_private_file(&occupied, b"new").is_err());
        assert!(occupied.join("inside").exists());
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 1);
    }
}
