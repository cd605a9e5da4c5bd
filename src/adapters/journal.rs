//! The operator's journal: one line an event, appended and on disk before anything goes on.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::paths::{append_private_file, create_private_folder};
use crate::core::history::Event;

/// A journal of this size is rotated; what was written before stays beside it.
const LARGEST: u64 = 16 << 20;

/// The file of the journal.
#[derive(Debug, Clone)]
pub struct Journal {
    path: PathBuf,
}

impl Journal {
    /// Names the file in the state folder.
    pub fn in_folder(state: &Path) -> Self {
        Self {
            path: state.join("journal.jsonl"),
        }
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends an event and has it on disk when it returns.
    ///
    /// # Errors
    /// If it could not be written.
    pub fn append(&self, event: &Event) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            create_private_folder(folder)?;
        }
        if fs::metadata(&self.path).is_ok_and(|file| file.len() > LARGEST) {
            let name = format!("journal-{}.jsonl", event.at.as_second());
            fs::rename(&self.path, self.path.with_file_name(name))?;
        }
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        let mut file = append_private_file(&self.path)?;
        // After a cut in the middle of a line the next one begins on its own.
        if !ends_with_line(&self.path)? {
            line.insert(0, b'\n');
        }
        file.write_all(&line)?;
        file.sync_all()
    }

    /// Reads the events of this file and of the one that was rotated last; lines that cannot be read are left out.
    pub fn read(&self) -> Vec<Event> {
        let mut bytes = self.rotated().and_then(|path| fs::read(path).ok());
        let own = fs::read(&self.path).unwrap_or_default();
        let bytes = bytes.get_or_insert_default();
        bytes.push(b'\n');
        bytes.extend(own);
        String::from_utf8_lossy(bytes)
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Counts the lines of this file that cannot be read, as one that a power cut left half written.
    pub fn broken_lines(&self) -> usize {
        let bytes = fs::read(&self.path).unwrap_or_default();
        let lines = bytes.split(|byte| *byte == b'\n');
        let written = lines.filter(|line| !line.trim_ascii().is_empty());
        written
            .filter(|line| serde_json::from_slice::<Event>(line).is_err())
            .count()
    }

    /// Returns the file that was rotated last.
    fn rotated(&self) -> Option<PathBuf> {
        let folder = fs::read_dir(self.path.parent()?).ok()?;
        let named = |path: &PathBuf| {
            let name = path.file_name().map(|name| name.to_string_lossy());
            name.is_some_and(|name| name.starts_with("journal-") && name.ends_with(".jsonl"))
        };
        folder
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(named)
            .max()
    }
}

fn ends_with_line(path: &Path) -> io::Result<bool> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = fs::File::open(path)?;
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::adapters::paths::scratch::Scratch;

    fn event(action: &str) -> Event {
        Event {
            at: jiff::Timestamp::UNIX_EPOCH,
            by: "op@laptop".to_owned(),
            action: action.to_owned(),
            target: "vps/blog/web".to_owned(),
            from: None,
            to: None,
            outcome: None,
            why: None,
            reason: None,
            job: None,
            pin: None,
            argv: Vec::new(),
            proof: None,
        }
    }

    #[test]
    fn a_cut_in_the_middle_of_a_line_costs_that_line_only() {
        let scratch = Scratch::create();
        let journal = Journal::in_folder(&scratch.path().join("state"));
        assert_eq!(journal.read(), []);
        journal.append(&event("update")).unwrap();
        let path = scratch.path().join("state/journal.jsonl");
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend_from_slice(br#"{"at":"1970-01-01T00:00:00Z","by":"op"#);
        fs::write(&path, bytes).unwrap();
        journal.append(&event("rollback")).unwrap();
        let actions: Vec<String> = journal
            .read()
            .into_iter()
            .map(|event| event.action)
            .collect();
        assert_eq!(actions, ["update", "rollback"]);
        assert_eq!(journal.broken_lines(), 1);
    }
}
