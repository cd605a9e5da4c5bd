//! What a session keeps on this machine's disk: the memory for the next start, and the operator's journal.

use crate::adapters::journal::Journal;
use crate::adapters::memory::MemoryFile;
use crate::adapters::paths::try_writing;
use crate::app::msg::{Kept, Msg};
use crate::core::history::Event;
use crate::core::memory::Memory;

use super::Live;

impl Live {
    /// Reads what the last start left, in the background.
    pub fn recall(&self) {
        let queue = self.queue.clone();
        let Some(file) = self.memory.clone() else {
            // A start that waits for the memory must hear that there is none.
            let _ = queue.send(Msg::Restored(Box::default()));
            return;
        };
        tokio::task::spawn_blocking(move || {
            let recalled = file.load();
            let _ = queue.send(Msg::Restored(Box::new(recalled.memory)));
            if let Some(remark) = recalled.remark {
                let _ = queue.send(Msg::Trouble(remark));
            }
        });
    }

    /// Says early where this machine's disk takes nothing, rather than with the first thing that is lost; in the
    /// background.
    pub fn try_places(&self) {
        let queue = self.queue.clone();
        let cache = self.memory.as_ref().map(MemoryFile::folder);
        let places = [
            (Kept::LastObservation, "the last observation", cache),
            (Kept::Journal, "the journal", self.state.clone()),
        ];
        tokio::task::spawn_blocking(move || {
            for (what, words, folder) in places {
                let Some(folder) = folder else { continue };
                if let Err(error) = try_writing(&folder) {
                    let why = format!(
                        "cannot keep {words}: {error} in {}; all goes on from memory",
                        folder.display()
                    );
                    let result = Err(why);
                    let _ = queue.send(Msg::Kept { what, result });
                }
            }
        });
    }

    /// Writes the memory for the next start, in the background.
    pub(super) fn keep(&mut self, memory: Memory) {
        let queue = self.queue.clone();
        let Some(file) = self.memory.clone() else {
            // A start that waits for the memory must hear that there is none.
            let _ = queue.send(Msg::Restored(Box::default()));
            return;
        };
        // What could not be written before may be by now.
        self.write_down(Vec::new());
        let recorded = self.records.written();
        self.sessions.saving(tokio::spawn(async move {
            // What was seen is on disk before it is forgotten that it was new.
            recorded.await;
            let save = move || {
                let result = file.save(&memory).map_err(|error| error.to_string());
                let what = Kept::LastObservation;
                let _ = queue.send(Msg::Kept { what, result });
            };
            let _ = tokio::task::spawn_blocking(save).await;
        }));
    }

    /// Appends events to the operator's own journal, where there is a place for one.
    pub(super) fn write_down(&mut self, events: Vec<Event>) {
        if let Some(state) = &self.state {
            self.records
                .write(Journal::in_folder(state), events, self.queue.clone());
        }
    }
}
