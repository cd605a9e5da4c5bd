//! Lines of the operator's journal, written beside the loop that draws: one after another, in the order they were told.

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use crate::adapters::journal::Journal;
use crate::app::msg::Msg;
use crate::core::history::Event;

use super::world::Queue;

/// The last lines that were told, which end once they and all before them are on disk.
#[derive(Default)]
pub struct Records {
    last: Option<Shared<BoxFuture<'static, ()>>>,
}

impl Records {
    /// Has events written after all that were told before; trouble goes into the queue.
    pub fn write(&mut self, journal: Journal, events: Vec<Event>, queue: Queue) {
        let before = self.written();
        let work = async move {
            before.await;
            let append = move || events.iter().try_for_each(|event| journal.append(event));
            let error = match tokio::task::spawn_blocking(append).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            let text = format!("the journal could not be written: {error}");
            let _ = queue.send(Msg::Trouble(text));
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
        // A folder that cannot be made is told, and what comes after it is tried all the same.
        let nowhere = std::path::Path::new("/dev/null/state");
        records.write(Journal::in_folder(nowhere), vec![event("x")], queue.clone());
        records.write(Journal::in_folder(&folder), vec![event("y")], queue);
        records.written().await;
        assert!(matches!(heard.try_recv(), Ok(Msg::Trouble(_))));
        assert_eq!(Journal::in_folder(&folder).read().len(), names.len() + 1);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
