//! A command that prints a log: read while it runs, run again when the source is due.

use jiff::Timestamp;
use tokio::io::AsyncReadExt;

use crate::core::builds::{BuildNews, SourceFailure};
use crate::core::settings::BuildSource;
use crate::core::text::clean_within;

use super::Site;
use super::collect::Collector;

/// How much is read at a time.
const CHUNK: usize = 256 << 10;

/// A command by its words.
pub(super) struct Command {
    argv: Vec<String>,
}

impl Command {
    pub(super) fn new(argv: &[String]) -> Self {
        Self {
            argv: argv.to_vec(),
        }
    }

    pub(super) async fn follow(&mut self, source: &BuildSource, site: &Site) -> SourceFailure {
        let mut site = site.clone();
        loop {
            if let Err(failure) = self.run(source, &site).await {
                return failure;
            }
            site.tell(BuildNews::CaughtUp);
            // Somebody who looks sees what was printed when they began to; the command is not run again and again.
            let mut closely = site.closely.clone();
            let was_looked_at = *closely.borrow_and_update();
            if was_looked_at {
                let gone = closely.wait_for(|closely| !*closely);
                let _ = tokio::time::timeout(site.pause, gone).await;
            } else {
                site.rest().await;
            }
        }
    }

    async fn run(&self, source: &BuildSource, site: &Site) -> Result<(), SourceFailure> {
        let name = self.argv.join(" ");
        let cannot = |error: std::io::Error| {
            SourceFailure::new(
                format!("running {name}: {error}"),
                "check that the command is there and may be run",
            )
        };
        let mut process = site.place.start(&self.argv).await.map_err(cannot)?;
        let mut collector = Collector::new(&name, &source.name);
        let mut portion = vec![0; CHUNK];
        let mut any = false;
        loop {
            let count = process.stdout.read(&mut portion).await.map_err(cannot)?;
            if count == 0 {
                break;
            }
            any = true;
            collector.feed(&portion[..count]);
            let found = collector.news(source, Timestamp::now(), true);
            if !found.is_empty() {
                site.tell(BuildNews::Found(found));
            }
        }
        let found = collector.finish(source, Timestamp::now());
        if !found.is_empty() {
            site.tell(BuildNews::Found(found));
        }
        for refused in collector.refused() {
            site.tell(BuildNews::Refused(refused));
        }
        let code = process
            .ending
            .code_within(std::time::Duration::from_secs(2))
            .await;
        match code {
            Some(code) if code != 0 && !any => Err(SourceFailure::new(
                format!(
                    "{name} ended with {code}: {}",
                    clean_within(process.ending.errors().trim(), 200)
                ),
                "run it by hand to see what it wants",
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::*;
    use crate::adapters::shell::Place;
    use crate::core::settings::BuildOrigin;

    async fn told(argv: &[&str]) -> (Vec<BuildNews>, Option<SourceFailure>) {
        let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
        let source = BuildSource {
            name: "tools".to_owned(),
            image: None,
            from: BuildOrigin::Command {
                argv: argv.clone(),
                host: None,
            },
            deploys: Vec::new(),
        };
        let news: Arc<Mutex<Vec<BuildNews>>> = Arc::default();
        let kept = news.clone();
        let site = Site {
            place: Place::Here,
            docker: Vec::new(),
            closely: tokio::sync::watch::channel(false).1,
            pause: Duration::from_secs(600),
            report: Arc::new(move |one| kept.lock().unwrap().push(one)),
        };
        let failed = tokio::time::timeout(
            Duration::from_secs(2),
            Command::new(&argv).follow(&source, &site),
        )
        .await
        .ok();
        let news = std::mem::take(&mut *news.lock().unwrap());
        (news, failed)
    }

    #[tokio::test]
    async fn what_a_command_prints_is_read_and_its_failure_told() {
        let script = "printf '#1 [1/2] FROM a\\n#1 DONE 0.0s\\n#2 [2/2] RUN b\\n#2 CACHED\\n#3 exporting to image\\n#3 DONE 0.0s\\n'";
        let (news, _) = told(&["sh", "-c", script]).await;
        assert!(
            matches!(&news[0], BuildNews::Found(found) if found[0].build.steps.cached == 1),
            "{news:?}"
        );
        assert!(news.contains(&BuildNews::CaughtUp));
        let (_, failed) = told(&["sh", "-c", "echo no >&2; exit 3"]).await;
        assert_eq!(
            failed.unwrap().what,
            "sh -c echo no >&2; exit 3 ended with 3: no"
        );
    }
}
