//! The last good observation on disk, in the cache folder.
//!
//! It is a convenience and never a source of truth: losing it costs one look at the fleet, so nothing here is fatal.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::log;
use super::paths::{Paths, replace_private_file};
use crate::core::memory::Memory;

/// Reads the memory of the present user; what is wrong with it goes to the log.
pub fn load() -> Memory {
    let Some(cache) = Paths::of_user().cache else {
        return Memory::default();
    };
    let recalled = MemoryFile::in_folder(&cache).load();
    if let Some(remark) = &recalled.remark {
        log::note("memory", remark);
    }
    recalled.memory
}

/// Writes the memory of the present user; one without a home has none.
pub fn save(memory: &Memory) -> Result<(), NotSaved> {
    match Paths::of_user().cache {
        Some(cache) => MemoryFile::in_folder(&cache).save(memory),
        None => Ok(()),
    }
}

/// The form of the file; another number means that it was written by another version.
const FORM: u32 = 1;

/// A fleet of 30 hosts fills a few megabytes; a larger file than this is not ours.
const LARGEST: u64 = 256 << 20;

/// How long hosts are remembered that no session asks for any more.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The file that holds the memory.
#[derive(Debug, Clone)]
pub struct MemoryFile {
    path: PathBuf,
}

/// What was found on disk, and a word about it where something was wrong.
#[derive(Debug, Default)]
pub struct Recalled {
    pub memory: Memory,
    pub remark: Option<String>,
}

#[derive(Deserialize)]
struct Form {
    form: u32,
}

#[derive(Deserialize)]
struct Written {
    memory: Memory,
}

#[derive(Serialize)]
struct Writing<'a> {
    form: u32,
    memory: &'a Memory,
}

impl MemoryFile {
    /// Names the file in the cache folder.
    pub fn in_folder(cache: &Path) -> Self {
        Self {
            path: cache.join("last.json"),
        }
    }

    /// Returns the folder that holds it.
    pub fn folder(&self) -> PathBuf {
        self.path.parent().unwrap_or(&self.path).to_owned()
    }

    /// Reads the memory; a file that cannot be read is set aside and the memory begins empty.
    pub fn load(&self) -> Recalled {
        let remark = match self.read() {
            Ok(Some(memory)) => {
                return Recalled {
                    memory,
                    remark: None,
                };
            }
            Ok(None) => None,
            Err(Unreadable::Io(error)) => Some(format!(
                "the last observation in {} cannot be read: {error}; starting without it",
                self.path.display()
            )),
            Err(Unreadable::Broken(why)) => Some(self.set_aside(&why)),
        };
        Recalled {
            memory: Memory::default(),
            remark,
        }
    }

    /// Writes the memory, and with it what the file knows of other hosts; the file stays as it is if this fails.
    pub fn save(&self, memory: &Memory) -> Result<(), NotSaved> {
        let mut memory = memory.clone();
        let since = Timestamp::now()
            .checked_sub(KEPT_FOR)
            .unwrap_or(Timestamp::MIN);
        memory.absorb(self.load().memory, since);
        let failed = |error| NotSaved {
            path: self.path.clone(),
            error,
        };
        let writing = Writing {
            form: FORM,
            memory: &memory,
        };
        let bytes = serde_json::to_vec(&writing).map_err(|error| failed(error.into()))?;
        replace_private_file(&self.path, &bytes).map_err(failed)
    }

    fn read(&self) -> Result<Option<Memory>, Unreadable> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Unreadable::Io(error)),
        };
        let mut bytes = Vec::new();
        file.take(LARGEST + 1)
            .read_to_end(&mut bytes)
            .map_err(Unreadable::Io)?;
        if bytes.len() as u64 > LARGEST {
            return Err(Unreadable::Broken("larger than 256 MB".to_owned()));
        }
        let broken = |error: serde_json::Error| Unreadable::Broken(error.to_string());
        let form: Form = serde_json::from_slice(&bytes).map_err(broken)?;
        if form.form != FORM {
            // An older or newer version wrote it; the next save replaces it.
            return Ok(None);
        }
        let written: Written = serde_json::from_slice(&bytes).map_err(broken)?;
        Ok(Some(written.memory))
    }

    fn set_aside(&self, why: &str) -> String {
        let aside = self.path.with_extension("broken");
        let what = format!(
            "the last observation in {} is broken ({why})",
            self.path.display()
        );
        match std::fs::rename(&self.path, &aside) {
            Ok(()) => format!("{what}; set aside as {} and rebuilt", aside.display()),
            Err(error) => format!("{what} and cannot be set aside: {error}; starting without it"),
        }
    }
}

enum Unreadable {
    Io(io::Error),
    Broken(String),
}

/// The reason why the memory is not on disk.
#[derive(Debug, thiserror::Error)]
#[error(
    "failed to keep the last observation: {error} in {}; the next start will wait for the hosts", path.display()
)]
pub struct NotSaved {
    path: PathBuf,
    #[source]
    error: io::Error,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::collections::BTreeMap;

    use super::*;
    use crate::adapters::paths::scratch::Scratch;
    use crate::core::digest::TopDigest;
    use crate::core::engine::{
        ContainerFacts, ContainerState, EngineFacts, Health, ImageFacts, ImageStore, Observation,
    };
    use crate::core::failure::{RegistryFailure, RegistryTrouble};
    use crate::core::files::{Recipe, Rendered, RenderedService};
    use crate::core::memory::RememberedHost;
    use crate::core::platform::Platform;
    use crate::core::remote::{Answer, QuestionKey, Remote, Route};

    fn top(hex: char) -> TopDigest {
        format!("sha256:{}", hex.to_string().repeat(64))
            .parse()
            .unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn full() -> Memory {
        let id = "sha256:".to_owned() + &"0".repeat(64);
        let image = ImageFacts {
            id: id.parse().unwrap(),
            tags: vec!["ghcr.io/me/blog:latest".parse().unwrap()],
            digests: Vec::new(),
            created: Some(at(1_700_000_000)),
            platform: Some(Platform::new("linux", "arm", Some("v7"))),
            size: Some(12),
            revision: None,
            version: None,
            source: None,
            diff_ids: Vec::new(),
            complete: true,
            removed: false,
        };
        let container = ContainerFacts {
            id: "c1".into(),
            name: "blog-1".to_owned(),
            image_id: id.parse().unwrap(),
            reference: "ghcr.io/me/blog".to_owned(),
            manifest: None,
            labels: [("a\u{1b}".to_owned(), "\"b\"\n".to_owned())]
                .into_iter()
                .collect(),
            state: ContainerState::Running,
            health: Health::Healthy,
            exit_code: None,
            created: None,
            started: Some(at(1_700_000_100)),
            restarts: 3,
            ports: vec!["80->80/tcp".to_owned()],
            network_mode: "bridge".to_owned(),
        };
        let observation = Observation {
            at: at(1_700_000_200),
            engine: EngineFacts {
                version: "28.5".to_owned(),
                api: "1.51".to_owned(),
                store: ImageStore::Containerd,
                driver: "overlayfs".to_owned(),
                platform: Platform::new("linux", "arm", Some("v7")),
                data_root: Some("/var/lib/docker".to_owned()),
            },
            containers: vec![container],
            images: BTreeMap::from([(image.id.clone(), image)]),
            whole: None,
            pulled: std::collections::BTreeSet::new(),
        };
        let mut remote = Remote::default();
        let answer = Answer {
            at: at(1_700_000_300),
            top: top('a'),
            image: None,
            examined: Vec::new(),
            requests: Vec::new(),
            credential: None,
            quota: None,
            remark: None,
        };
        remote.learn(at(1), Ok(answer));
        remote.learn(
            at(2),
            Err(RegistryFailure::new(
                RegistryTrouble::Away,
                "no answer",
                "look",
            )),
        );
        let key = QuestionKey {
            route: Route::Via("vps".into()),
            reference: "ghcr.io/me/blog:latest".parse().unwrap(),
            platform: Platform::new("linux", "arm", Some("v7")),
        };
        let recipe = Recipe {
            working_dir: "/opt/blog".to_owned(),
            config_files: vec!["/opt/blog/compose.yaml".to_owned()],
            environment_files: Vec::new(),
        };
        let rendered = Rendered {
            at: at(5),
            compose_version: "2.40.0".to_owned(),
            pins: Default::default(),
            services: BTreeMap::from([(
                "blog".to_owned(),
                RenderedService {
                    image: None,
                    builds: true,
                    hash: None,
                    hash_alone: None,
                },
            )]),
        };
        let host = RememberedHost {
            name: "vps".into(),
            address: "ssh://op@vps:2222".to_owned(),
            observation,
        };
        Memory {
            counted: Vec::new(),
            hosts: vec![host],
            remotes: vec![(key, remote)],
            files: vec![("vps".into(), "blog".into(), recipe, rendered)],
            seen: Vec::new(),
        }
    }

    #[test]
    fn what_was_saved_is_loaded() {
        let scratch = Scratch::create();
        let file = MemoryFile::in_folder(&scratch.path().join("cache"));
        assert_eq!(file.load().memory, Memory::default());
        file.save(&full()).unwrap();
        let recalled = file.load();
        assert_eq!(recalled.memory, full());
        assert_eq!(recalled.remark, None);
    }

    #[test]
    fn a_broken_file_is_set_aside_and_rebuilt() {
        let scratch = Scratch::create();
        let file = MemoryFile::in_folder(scratch.path());
        file.save(&full()).unwrap();
        let whole = std::fs::read(&file.path).unwrap();
        for broken in [&whole[..whole.len() / 2], b"", b"{\"form\":1}", b"\xff\xfe"] {
            std::fs::write(&file.path, broken).unwrap();
            let recalled = file.load();
            assert_eq!(recalled.memory, Memory::default());
            assert!(recalled.remark.unwrap().contains("set aside"), "{broken:?}");
            assert!(!file.path.exists());
            assert_eq!(
                std::fs::read(scratch.path().join("last.broken")).unwrap(),
                broken
            );
            file.save(&full()).unwrap();
            assert_eq!(file.load().memory, full());
        }
    }

    #[test]
    fn another_version_s_file_is_left_to_the_next_save() {
        let scratch = Scratch::create();
        let file = MemoryFile::in_folder(scratch.path());
        std::fs::write(&file.path, b"{\"form\":999,\"memory\":[]}").unwrap();
        let recalled = file.load();
        assert_eq!(
            (recalled.memory, recalled.remark),
            (Memory::default(), None)
        );
        file.save(&full()).unwrap();
        assert_eq!(file.load().memory, full());
    }

    #[test]
    fn a_place_that_cannot_be_written_is_said() {
        let scratch = Scratch::create();
        let occupied = scratch.path().join("cache");
        std::fs::write(&occupied, b"a file").unwrap();
        let file = MemoryFile::in_folder(&occupied);
        assert_eq!(file.load().memory, Memory::default());
        let error = file.save(&full()).unwrap_err().to_string();
        assert!(
            error.starts_with("failed to keep the last observation: "),
            "{error}"
        );
    }
}
