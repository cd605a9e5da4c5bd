//! Log files, here or on a host: found by a pattern, read from the end, then followed by their new bytes only.
//!
//! A file is known by its inode, so that one that is renamed is followed on and one that takes its name is new.
//! Compressed files are refused.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::adapters::shell::{Limits, Outcome, Place, ScriptError, quote};
use crate::core::builds::{BuildNews, BuildRecord, RefusedLog, SourceFailure};
use crate::core::settings::BuildSource;
use crate::core::text::clean_within;

use super::collect::Collector;
use super::listing::{self, Listing};
use super::{LAST, Site, unreadable};

/// How much is read at a time.
const CHUNK: u64 = 1 << 20;
/// How far back a log is read for its last builds.
const FARTHEST: u64 = 64 << 20;
/// The most files that are followed; of more, the newest.
const FILES: usize = 64;
const LIMITS: Limits = Limits {
    time: listing::PATIENCE,
    bytes: CHUNK as usize + 1024,
};

/// The files of one pattern.
pub(super) struct Files {
    pattern: String,
    followed: BTreeMap<String, Followed>,
    /// How many files were known by a name: what takes a name over is told from what had it.
    generations: BTreeMap<String, u32>,
    refused: Vec<String>,
    read: u64,
}

/// One file by its inode.
struct Followed {
    path: String,
    /// The next byte to read.
    offset: u64,
    collector: Collector,
}

/// A file as it was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listed {
    inode: String,
    size: u64,
    written: Timestamp,
    path: String,
}

impl Files {
    pub(super) fn new(pattern: &str) -> Self {
        Self {
            pattern: pattern.to_owned(),
            followed: BTreeMap::new(),
            generations: BTreeMap::new(),
            refused: Vec::new(),
            read: 0,
        }
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.read
    }
}

impl Listing for Files {
    const WHAT: &'static str = "the logs";
    const LARGEST: usize = LIMITS.bytes;

    fn command(&self, _site: &Site) -> String {
        listing(&self.pattern)
    }

    /// A pattern that finds nothing is no failure: what is missing is told as refused.
    fn judge(&self, _outcome: &Outcome) -> Result<(), SourceFailure> {
        Ok(())
    }

    fn tell_first(&self, site: &Site) {
        if self.followed.is_empty() && self.refused.is_empty() {
            site.tell(BuildNews::Refused(RefusedLog {
                source: self.pattern.clone(),
                why: "no file that can be read is there".to_owned(),
                remedy: "check the pattern and who may read it".to_owned(),
            }));
        }
    }

    /// Reads what is new in the files of a listing.
    async fn take(
        &mut self,
        listing: &str,
        source: &BuildSource,
        site: &Site,
    ) -> Result<(), SourceFailure> {
        let mut listed: Vec<Listed> = listing.lines().filter_map(read_line).collect();
        listed.sort_by_key(|file| std::cmp::Reverse(file.written));
        listed.truncate(FILES);
        let gone: Vec<String> = self
            .followed
            .keys()
            .filter(|inode| !listed.iter().any(|file| file.inode == **inode))
            .cloned()
            .collect();
        for inode in gone {
            if let Some(mut followed) = self.followed.remove(&inode) {
                tell(site, followed.collector.finish(source, Timestamp::now()));
            }
        }
        // The oldest first, so that the newest builds are told last.
        for file in listed.iter().rev() {
            if is_packed(&file.path) {
                self.refuse(
                    &file.path,
                    "it is compressed",
                    "let the pattern leave out compressed files",
                    site,
                );
                continue;
            }
            let cut = self
                .followed
                .get(&file.inode)
                .is_some_and(|known| file.size < known.offset);
            if cut && let Some(mut old) = self.followed.remove(&file.inode) {
                tell(site, old.collector.finish(source, Timestamp::now()));
            }
            let read = match self.followed.get_mut(&file.inode) {
                Some(known) => {
                    known.path.clone_from(&file.path);
                    let from = known.offset;
                    let read = known.read_on(file, source, site, true).await;
                    self.read += known.offset - from;
                    read
                }
                None => self.begin(file, source, site).await,
            };
            if let Err(why) = read {
                match why {
                    NotRead::Lost(failure) => return Err(failure),
                    NotRead::Refused(why) => {
                        self.refuse(&file.path, &why, "check who may read it", site);
                    }
                }
            }
        }
        Ok(())
    }
}

impl Files {
    /// Begins a file from its end: as far back as its last builds reach.
    async fn begin(
        &mut self,
        file: &Listed,
        source: &BuildSource,
        site: &Site,
    ) -> Result<(), NotRead> {
        let generation = self.generations.entry(file.path.clone()).or_default();
        *generation += 1;
        let name = match *generation {
            1 => file.path.clone(),
            later => format!("{}@{later}", file.path),
        };
        let mut window = CHUNK;
        loop {
            let from = file.size.saturating_sub(window);
            let id = match from {
                0 => name.clone(),
                from => format!("{name}+{from}"),
            };
            let mut followed = Followed {
                path: file.path.clone(),
                offset: from,
                collector: Collector::new(&file.path, &id),
            };
            let mut found = followed.gather(file, source, site, false).await?;
            self.read += followed.offset - from;
            // What begins before the window is only the end of a build.
            if from > 0 {
                found.retain(|record| !record.build.head_missing);
            }
            if from == 0 || found.len() >= LAST || window >= FARTHEST {
                let over = found.len().saturating_sub(LAST);
                found.drain(..over);
                tell(site, found);
                followed.tell_refused(site);
                self.followed.insert(file.inode.clone(), followed);
                return Ok(());
            }
            window *= 4;
        }
    }

    fn refuse(&mut self, path: &str, why: &str, remedy: &str, site: &Site) {
        if self.refused.iter().any(|known| known == path) || self.refused.len() >= FILES {
            return;
        }
        self.refused.push(path.to_owned());
        site.tell(BuildNews::Refused(RefusedLog {
            source: path.to_owned(),
            why: why.to_owned(),
            remedy: remedy.to_owned(),
        }));
    }
}

/// Why a file was not read.
enum NotRead {
    Lost(SourceFailure),
    Refused(String),
}

impl Followed {
    /// Reads the new bytes and tells what they mean.
    async fn read_on(
        &mut self,
        file: &Listed,
        source: &BuildSource,
        site: &Site,
        live: bool,
    ) -> Result<(), NotRead> {
        if file.size > self.offset {
            let found = self.gather(file, source, site, live).await?;
            tell(site, found);
            self.tell_refused(site);
        }
        Ok(())
    }

    /// Reads up to the listed size; the last state of each build counts.
    async fn gather(
        &mut self,
        file: &Listed,
        source: &BuildSource,
        site: &Site,
        live: bool,
    ) -> Result<Vec<BuildRecord>, NotRead> {
        let mut found: Vec<BuildRecord> = Vec::new();
        while self.offset < file.size {
            let want = (file.size - self.offset).min(CHUNK);
            let bytes = read(&site.place, &self.path, self.offset, want).await?;
            if bytes.is_empty() {
                break;
            }
            self.offset += bytes.len() as u64;
            self.collector.feed(&bytes);
            for record in self.collector.news(source, file.written, live) {
                match found.iter_mut().rev().find(|known| known.id == record.id) {
                    Some(known) => *known = record,
                    None => found.push(record),
                }
            }
            // Of a long log only the last builds are wanted.
            if found.len() > 4 * LAST {
                found.drain(..2 * LAST);
            }
        }
        Ok(found)
    }

    fn tell_refused(&mut self, site: &Site) {
        for refused in self.collector.refused() {
            site.tell(BuildNews::Refused(refused));
        }
    }
}

fn tell(site: &Site, found: Vec<BuildRecord>) {
    if !found.is_empty() {
        site.tell(BuildNews::Found(found));
    }
}

/// Reads a piece of a file.
async fn read(place: &Place, path: &str, offset: u64, count: u64) -> Result<Vec<u8>, NotRead> {
    let script = format!(
        "tail -c +{} < {} | head -c {count}",
        offset + 1,
        quote(path)
    );
    match place.run(&script, LIMITS).await {
        Ok(outcome) if outcome.stdout.is_empty() && !outcome.stderr.trim().is_empty() => {
            Err(NotRead::Refused(clean_within(outcome.stderr.trim(), 200)))
        }
        Ok(outcome) => Ok(outcome.stdout),
        Err(ScriptError::Large(_)) => {
            Err(NotRead::Refused("more came than was asked for".to_owned()))
        }
        Err(error) => Err(NotRead::Lost(unreadable("reading a log", &error))),
    }
}

/// Returns the script that lists the files of a pattern, each with what tells whether it changed.
fn listing(pattern: &str) -> String {
    format!(
        "stat -L -c '%d.%i %s %Y %f %n' -- {} 2>/dev/null | tail -n 500",
        glob(pattern)
    )
}

/// Quotes a pattern so that only its wildcards are left to the shell, and `~` at its beginning.
fn glob(pattern: &str) -> String {
    let (mut out, rest) = match pattern.strip_prefix("~/") {
        Some(rest) => ("~/".to_owned(), rest),
        None => (String::new(), pattern),
    };
    let mut plain = String::new();
    for c in rest.chars() {
        if matches!(c, '*' | '?' | '[' | ']') {
            if !plain.is_empty() {
                out.push_str(&quote(&std::mem::take(&mut plain)));
            }
            out.push(c);
        } else {
            plain.push(c);
        }
    }
    if !plain.is_empty() {
        out.push_str(&quote(&plain));
    }
    out
}

fn read_line(line: &str) -> Option<Listed> {
    let mut words = line.splitn(5, ' ');
    let inode = words.next()?.to_owned();
    let size = words.next()?.parse().ok()?;
    let written = Timestamp::from_second(words.next()?.parse().ok()?).ok()?;
    let mode = u32::from_str_radix(words.next()?, 16).ok()?;
    if mode & 0xf000 != 0x8000 {
        return None;
    }
    Some(Listed {
        inode,
        size,
        written,
        path: words.next()?.to_owned(),
    })
}

fn is_packed(path: &str) -> bool {
    [".gz", ".xz", ".zst", ".bz2", ".zip"]
        .iter()
        .any(|end| path.ends_with(end))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::fs;
    use std::io::Write;
    use std::path::Path;
    use std::sync::{Arc, Mutex};

    use tokio::sync::watch::{Sender, channel};

    use std::time::Duration;

    use super::*;
    use crate::adapters::builds::Source;
    use crate::adapters::paths::scratch::Scratch;
    use crate::core::build_log::Status;
    use crate::core::settings::BuildOrigin;

    const BEGIN: &str = "#1 [internal] load build definition from Dockerfile\n#1 DONE 0.0s\n\n#2 [1/2] FROM a\n#2 DONE 0.0s\n\n#3 [2/2] RUN b\n";
    const END: &str = "#3 DONE 2.5s\n\n#4 exporting to image\n#4 DONE 0.1s\n";

    struct Followed {
        source: Arc<Source>,
        news: Arc<Mutex<Vec<BuildNews>>>,
        _closely: Sender<bool>,
        task: tokio::task::JoinHandle<SourceFailure>,
    }

    impl Followed {
        fn new(pattern: &Path) -> Self {
            let spec = BuildSource {
                name: "api".to_owned(),
                image: None,
                from: BuildOrigin::File {
                    pattern: pattern.display().to_string(),
                    host: None,
                },
                deploys: Vec::new(),
            };
            let source = Arc::new(Source::new(spec, None));
            let news: Arc<Mutex<Vec<BuildNews>>> = Arc::default();
            let (sender, closely) = channel(true);
            let (kept, own) = (news.clone(), source.clone());
            let site = Site {
                place: Place::Here,
                docker: vec!["docker".to_owned()],
                closely,
                pause: Duration::from_secs(600),
                report: Arc::new(move |one| kept.lock().unwrap().push(one)),
            };
            let task = tokio::spawn(async move { own.follow(&site).await });
            Self {
                source,
                news,
                _closely: sender,
                task,
            }
        }

        /// Waits for news that is so; the records as they stand then.
        async fn until(
            &self,
            is_so: impl Fn(&BTreeMap<String, BuildRecord>, &[BuildNews]) -> bool,
        ) -> BTreeMap<String, BuildRecord> {
            for _ in 0..400 {
                let records = {
                    let news = self.news.lock().unwrap();
                    let mut records = BTreeMap::new();
                    for one in news.iter() {
                        if let BuildNews::Found(found) = one {
                            for record in found {
                                records.insert(record.id.to_string(), record.clone());
                            }
                        }
                    }
                    if is_so(&records, &news) {
                        return records;
                    }
                    records
                };
                tokio::time::sleep(Duration::from_millis(25)).await;
                drop(records);
            }
            panic!("{:?}", self.news.lock().unwrap());
        }

        async fn read(self) -> u64 {
            self.task.abort();
            let _ = self.task.await;
            self.source.bytes_read().await
        }
    }

    #[tokio::test]
    async fn f6_a_growing_file_costs_its_new_bytes_only() {
        let folder = Scratch::create();
        let path = folder.path().join("api 1.log");
        fs::write(&path, BEGIN).unwrap();
        let followed = Followed::new(&folder.path().join("api*.log"));
        let records = followed.until(|records, _| records.len() == 1).await;
        assert_eq!(
            records.values().next().unwrap().build.status,
            Status::Running
        );
        let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(END.as_bytes()).unwrap();
        let records = followed
            .until(|records, _| {
                records
                    .values()
                    .any(|record| record.build.steps.executed == 1)
            })
            .await;
        assert_eq!(records.len(), 1);
        assert_eq!(followed.read().await, (BEGIN.len() + END.len()) as u64);
    }

    #[tokio::test]
    async fn f6_rotated_and_truncated_files_are_followed_on() {
        let folder = Scratch::create();
        let path = folder.path().join("api.log");
        fs::write(&path, format!("{BEGIN}{END}")).unwrap();
        let followed = Followed::new(&folder.path().join("api.log*"));
        followed.until(|records, _| records.len() == 1).await;
        fs::rename(&path, folder.path().join("api.log.1")).unwrap();
        fs::write(&path, BEGIN).unwrap();
        followed.until(|records, _| records.len() == 2).await;
        // Cut and begun again under the same inode.
        fs::write(&path, "").unwrap();
        tokio::time::sleep(Duration::from_millis(700)).await;
        fs::write(
            &path,
            format!("{BEGIN}{END}").replace("[2/2] RUN b", "[2/2] RUN c"),
        )
        .unwrap();
        let is_new = |record: &BuildRecord| {
            record
                .build
                .step_list
                .iter()
                .any(|step| step.name.ends_with("RUN c"))
        };
        followed
            .until(|records, _| records.values().any(is_new))
            .await;
        fs::write(folder.path().join("api.log.2.gz"), "x").unwrap();
        followed
            .until(|_, news| news.iter().any(|one| matches!(one, BuildNews::Refused(refused) if refused.why.contains("compressed"))))
            .await;
    }

    #[tokio::test]
    async fn of_a_long_log_the_last_builds_are_read_from_the_end() {
        let folder = Scratch::create();
        let path = folder.path().join("long.log");
        let noise = format!("{}\n", "x".repeat(999)).repeat(20);
        let one = format!("{BEGIN}{END}{noise}");
        let mut log = String::new();
        for _ in 0..2000 {
            log.push_str(&one);
        }
        fs::write(&path, &log).unwrap();
        let followed = Followed::new(&path);
        let records = followed
            .until(|_, news| news.contains(&BuildNews::CaughtUp))
            .await;
        assert_eq!(records.len(), LAST);
        assert!(
            records
                .values()
                .all(|record| record.build.steps.total == 1 && !record.build.head_missing)
        );
        let read = followed.read().await;
        assert!(read < 8 << 20, "{read} of {}", log.len());
    }

    #[test]
    fn only_wildcards_are_left_to_the_shell() {
        assert_eq!(glob("/var/log/a b*/$x?.log"), "'/var/log/a b'*'/$x'?.log");
        assert_eq!(glob("~/logs/*.log"), "~/logs/*.log");
    }
}
