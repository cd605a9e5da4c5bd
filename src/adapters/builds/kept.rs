//! What ended runs of workflows told, kept on disk: their logs never change, so the next start asks for none of them.
//!
//! It is a cache: whatever is wrong with the file, it is as if it were not there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::adapters::blobs::sha256_of;
use crate::adapters::paths::{append_private_file, create_private_folder, replace_private_file};
use crate::core::build_log::{Build, FIGURES, Refused};

/// No file that is read fills more.
const LARGEST: u64 = 16 << 20;
/// How many runs are kept when the file is written anew, and how many more it may hold before that.
const KEPT: usize = 40;

/// A run by its number in the API, and which attempt.
pub(super) type Attempt = (u64, u64);

/// What the log of one job told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct JobLog {
    pub job: u64,
    pub name: String,
    pub conclusion: Option<String>,
    pub heard: Timestamp,
    pub builds: Vec<Build>,
    pub refused: Vec<Refused>,
    /// Where the log was kept no longer when it was asked for.
    pub gone: bool,
}

/// The ended runs of one repository.
pub(super) struct KeptRuns {
    file: Option<PathBuf>,
    runs: BTreeMap<Attempt, Vec<JobLog>>,
}

/// One line of the file.
#[derive(Serialize, Deserialize)]
struct Line<T> {
    /// Which reader made the figures: another one may tell the same log otherwise.
    by: String,
    run: u64,
    attempt: u64,
    logs: T,
}

impl KeptRuns {
    /// Reads what was kept of a repository at an API; without a cache folder nothing is kept beyond this process.
    pub(super) fn open(cache: Option<&Path>, api: &str, repository: &str) -> Self {
        let name = sha256_of(format!("{api} {repository}").as_bytes());
        let file = cache.map(|cache| cache.join("builds").join(format!("{}.jsonl", name.hex())));
        let mut kept = Self {
            runs: file.as_deref().map(read).unwrap_or_default(),
            file,
        };
        if kept.runs.len() > 2 * KEPT {
            kept.shorten();
        }
        kept
    }

    /// Returns what a run told, if all of it was read.
    pub(super) fn run(&self, attempt: Attempt) -> Option<&[JobLog]> {
        self.runs.get(&attempt).map(Vec::as_slice)
    }

    /// Returns what a job told that an earlier attempt of a run ran already.
    pub(super) fn job(&self, (run, attempt): Attempt, job: u64) -> Option<&JobLog> {
        let earlier = self.runs.range((run, 0)..(run, attempt));
        let mut logs = earlier.flat_map(|(_, logs)| logs);
        logs.find(|log| log.job == job)
    }

    /// Keeps what an ended run told.
    pub(super) fn keep(&mut self, attempt: Attempt, logs: Vec<JobLog>) {
        if let (Some(file), Some(line)) = (&self.file, line(attempt, &logs)) {
            // A cache that cannot be written costs requests, nothing else.
            let _: std::io::Result<()> = append(file, &line);
        }
        self.runs.insert(attempt, logs);
    }

    /// Writes the file anew with the newest runs: those of the highest numbers.
    fn shorten(&mut self) {
        while self.runs.len() > KEPT {
            self.runs.pop_first();
        }
        let lines = self.runs.iter().filter_map(|(run, logs)| line(*run, logs));
        let text: Vec<u8> = lines.flatten().collect();
        if let Some(file) = &self.file {
            let _: std::io::Result<()> = replace_private_file(file, &text);
        }
    }
}

fn reader() -> String {
    format!("{}.{FIGURES}", env!("CARGO_PKG_VERSION"))
}

fn line((run, attempt): Attempt, logs: &[JobLog]) -> Option<Vec<u8>> {
    let by = reader();
    let line = Line {
        by,
        run,
        attempt,
        logs,
    };
    let mut bytes = serde_json::to_vec(&line).ok()?;
    bytes.push(b'\n');
    Some(bytes)
}

fn read(file: &Path) -> BTreeMap<Attempt, Vec<JobLog>> {
    let mut bytes = Vec::new();
    let whole = File::open(file).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes));
    if whole.is_err() {
        return BTreeMap::new();
    }
    let own = reader();
    let lines = bytes.split(|byte| *byte == b'\n');
    let lines = lines.filter_map(|line| serde_json::from_slice::<Line<Vec<JobLog>>>(line).ok());
    let lines = lines.filter(|line| line.by == own);
    lines
        .map(|line| ((line.run, line.attempt), line.logs))
        .collect()
}

fn append(file: &Path, line: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        create_private_folder(folder)?;
    }
    append_private_file(file)?.write_all(line)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::adapters::paths::scratch::Scratch;
    use crate::core::build_log::BuildLog;

    fn log(job: u64) -> JobLog {
        let mut log = BuildLog::new();
        log.feed(b"#1 [1/2] FROM a\n#1 DONE 0.0s\n#2 [2/2] RUN b\n#2 DONE 1.5s\n#3 exporting to image\n#3 DONE 0.1s\n");
        JobLog {
            job,
            name: "build".to_owned(),
            conclusion: Some("success".to_owned()),
            heard: Timestamp::UNIX_EPOCH,
            builds: log.finish(None),
            refused: vec![Refused::Kaniko],
            gone: false,
        }
    }

    fn open(scratch: &Scratch) -> KeptRuns {
        KeptRuns::open(Some(scratch.path()), "https://api", "me/blog")
    }

    #[test]
    fn what_a_run_told_is_there_at_the_next_start() {
        let scratch = Scratch::create();
        open(&scratch).keep((7, 1), vec![log(70)]);
        open(&scratch).keep((8, 1), Vec::new());
        let again = open(&scratch);
        assert_eq!(again.run((7, 1)), Some(&[log(70)][..]));
        assert_eq!(again.run((8, 1)), Some(&[][..]));
        assert_eq!(again.run((8, 2)), None);
        assert_eq!(again.job((7, 2), 70), Some(&log(70)));
        assert_eq!(again.job((7, 1), 70), None);
        let other = KeptRuns::open(Some(scratch.path()), "https://api", "me/other");
        assert_eq!(other.run((7, 1)), None);
    }

    #[test]
    fn what_another_reader_made_and_what_is_cut_short_is_as_none() {
        let scratch = Scratch::create();
        open(&scratch).keep((7, 1), vec![log(70)]);
        open(&scratch).keep((8, 1), vec![log(80)]);
        let file = open(&scratch).file.unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let other = text.replacen(&reader(), "0.0.0", 1);
        std::fs::write(&file, &other[..other.len() - 9]).unwrap();
        let again = open(&scratch);
        assert_eq!((again.run((7, 1)), again.run((8, 1))), (None, None));
        std::fs::write(&file, [0xff; 40]).unwrap();
        assert!(open(&scratch).runs.is_empty());
    }

    #[test]
    fn the_file_does_not_grow_without_end() {
        let scratch = Scratch::create();
        let mut kept = open(&scratch);
        for run in 0..200 {
            kept.keep((run, 1), vec![log(run)]);
        }
        let again = open(&scratch);
        assert_eq!(again.runs.len(), KEPT);
        assert!(again.run((199, 1)).is_some());
        let text = std::fs::read_to_string(again.file.unwrap()).unwrap();
        assert_eq!(text.lines().count(), KEPT);
    }
}
