//! Lines of the operator's journal, written beside the loop that draws: one after another, in the order they were told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use crate::adapters::journal::Journal;
use crate::app::msg::{Kept, Msg};
use crate::core::history::Event;

use super::world::Queue;

/// The most lines that wait for a disk that takes none.
const MOST: usize = 1000;

/// Lines of the journal under way, and those that wait for a disk that refused them.
#[derive(Default)]
pub struct Records {
    /// Ends once the last lines that were told, and all before them, were tried.
    last: Option<Shared<BoxFuture<'static, ()>>>,
    waiting: Arc<Mutex<Vec<Event>>>,
}

impl Records {
    /// Has events written after all that were told before; how that went goes into the queue.
    ///
    /// What cannot be written is held and tried again with the next ones.
    pub fn write(&mut self, journal: Journal, events: Vec<Event>, queue: Queue) {
        let mut held = lock(&self.waiting);
        if events.is_empty() && held.is_empty() {
            return;
        }
        held.extend(events);
        let over = held.len().saturating_sub(MOST);
        held.drain(..over);
        drop(held);
        let waiting = self.waiting.clone();
        let before = self.written();
        let work = async move {
            before.await;
            let append = move || {
                let events = std::mem::take(&mut *lock(&waiting));
                for (place, event) in events.iter().enumerate() {
                    if let Err(error) = journal.append(event) {
                        lock(&waiting).splice(0..0, events[place..].iter().cloned());
                        return Err(format!(
                            "failed to write the journal: {error} in {}; it is held in memory and tried again",
                            journal.path().display()
                        ));
                    }
                }
                Ok(())
            };
            let result = match tokio::task::spawn_blocking(append).await {
                Ok(result) => result,
                Err(error) => Err(error.to_string()),
            };
            let what = Kept::Journal;
            let _ = queue.send(Msg::Kept { what, result });
        };
        let work = work.boxed().shared();
        tokio::spawn(work.clone());
        self.last = Some(work);
    }

    /// Waits until all that was told is on disk.
    pub fn written(&self) -> impl Future<Output = ()> + Send + use<> {
        let last = self.last.clone();
        async move {
            if let Some(last) = last {
                last.await;
            }
        }
    }
}

fn lock(waiting: &Mutex<Vec<Event>>) -> MutexGuard<'_, Vec<Event>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn event(by: &str) -> Event {
        let line = r#"{"at":"2026-11-21T10:00:00Z","by":"BY","action":"changed","target":"a/b/c"}"#;
        serde_json::from_str(&line.replace("BY", by)).unwrap()
    }

    #[tokio::test]
    async fn lines_are_on_disk_in_their_order_once_they_are_waited_for() {
        let name = format!("homelab-tui-records-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&folder);
        let (queue, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let mut records = Records::default();
        let names: Vec<String> = (0..30).map(|n| format!("op{n}")).collect();
        for name in &names {
            let events = vec![event(name)];
            records.write(Journal::in_folder(&folder), events, queue.clone());
        }
        records.written().await;
        let read = Journal::in_folder(&folder).read();
        let by: Vec<&str> = read.iter().map(|event| event.by.as_str()).collect();
        assert_eq!(by, names);
        while heard.try_recv().is_ok() {}
        // A folder that cannot be made is told; its lines are held and come before the next ones.
        let nowhere = std::path::Path::new("/dev/null/state");
        records.write(Journal::in_folder(nowhere), vec![event("x")], queue.clone());
        records.written().await;
        let told = heard.try_recv().unwrap();
        assert!(
            matches!(&told, Msg::Kept { result: Err(why), .. } if why.contains("held in memory")),
            "{told:?}"
        );
        records.write(Journal::in_folder(&folder), vec![event("y")], queue.clone());
        records.written().await;
        assert!(matches!(
            heard.try_recv(),
            Ok(Msg::Kept { result: Ok(()), .. })
        ));
        let read = Journal::in_folder(&folder).read();
        let by: Vec<&str> = read.iter().map(|event| event.by.as_str()).collect();
        assert_eq!(by[names.len()..], ["x", "y"]);
        // Where nothing waits nothing is written.
        records.write(Journal::in_folder(&folder), Vec::new(), queue);
        records.written().await;
        assert!(heard.try_recv().is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
