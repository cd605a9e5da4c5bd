//! Sources that are a list on a host: it is listed once, then compared there for as long as somebody looks.

use std::time::Duration;

use crate::adapters::shell::{Limits, Outcome};
use crate::core::builds::{BuildNews, SourceFailure};
use crate::core::settings::BuildSource;

use super::watch::Watch;
use super::{Site, unreadable};

/// How often a list is compared while somebody looks; each time costs the host a tenth of a second of one core.
const CLOSELY: &str = "0.3";
/// How long a list may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A source whose logs are named in a list.
pub(super) trait Listing: Send {
    /// What is listed, for failures: `the logs`.
    const WHAT: &'static str;
    /// The most that a list may be.
    const LARGEST: usize;

    /// Returns the command that lists.
    fn command(&self, site: &Site) -> String;

    /// Returns the script that lists only once.
    fn script(&self, command: &str) -> String {
        command.to_owned()
    }

    /// Judges how that command ended.
    fn judge(&self, outcome: &Outcome) -> Result<(), SourceFailure>;

    /// Reads what is new in a list.
    fn take(
        &mut self,
        listing: &str,
        source: &BuildSource,
        site: &Site,
    ) -> impl Future<Output = Result<(), SourceFailure>> + Send;

    /// Says what is to be said of the first list once all of it was read.
    fn tell_first(&self, _site: &Site) {}
}

/// Reads a source and follows it until it cannot be read any longer.
pub(super) async fn follow<L: Listing>(
    listing: &mut L,
    source: &BuildSource,
    site: &Site,
) -> SourceFailure {
    let mut site = site.clone();
    let command = listing.command(&site);
    let limits = Limits {
        time: PATIENCE,
        bytes: L::LARGEST,
    };
    let mut first = true;
    loop {
        let once = listing.script(&command);
        let looked = match site.place.run(&once, limits).await {
            Ok(outcome) => match listing.judge(&outcome) {
                Ok(()) => String::from_utf8_lossy(&outcome.stdout).into_owned(),
                Err(failure) => return failure,
            },
            Err(error) => return unreadable(&format!("listing {}", L::WHAT), &error),
        };
        if let Err(failure) = listing.take(&looked, source, &site).await {
            return failure;
        }
        if std::mem::take(&mut first) {
            listing.tell_first(&site);
            site.tell(BuildNews::CaughtUp);
        }
        site.rest().await;
        if *site.closely.borrow()
            && let Err(failure) = closely(listing, &command, source, &site).await
        {
            return failure;
        }
    }
}

/// Follows for as long as somebody looks.
async fn closely<L: Listing>(
    listing: &mut L,
    command: &str,
    source: &BuildSource,
    site: &Site,
) -> Result<(), SourceFailure> {
    let lost = |error: std::io::Error| {
        SourceFailure::new(
            format!("watching {}: {error}", L::WHAT),
            "tried again by itself",
        )
    };
    let mut watch = Watch::start(&site.place, command, CLOSELY)
        .await
        .map_err(lost)?;
    let mut closely = site.closely.clone();
    loop {
        let looked = tokio::select! {
            looked = watch.next() => looked.map_err(lost)?,
            _ = closely.wait_for(|closely| !*closely) => return Ok(()),
        };
        listing.take(&looked, source, site).await?;
    }
}
