//! Jobs on their hosts, over the open ways: started, listened to, listed, stopped; and the journals.

use std::time::Duration;

use crate::adapters::jobs::past;
use crate::adapters::jobs::run::{self, NotStarted};
use crate::adapters::journal::Journal;
use crate::core::history::{self, Entry, Event};
use crate::core::mode::Operating;
use crate::core::names::{HostName, ServiceKey};
use crate::core::rollout::plan::TargetPlan;

use super::{Actor, Prepared};

/// How long a host is waited for that was lost while a job was being started.
const UNHEARD: Duration = Duration::from_secs(300);
/// How long is waited between two questions about such a job.
const UNHEARD_PAUSE: Duration = Duration::from_secs(2);
/// How often such a job may be missing on its host: a shell that was cut off may still be at its start.
const ABSENT: u32 = 8;

impl Actor {
    /// Opens the way to a host anew.
    ///
    /// # Errors
    /// Says why it cannot be reached.
    pub async fn reopen(&self, host: &HostName) -> Result<(), String> {
        let spec = self
            .settings
            .host(host)
            .ok_or_else(|| format!("there is no host {host}"))?;
        let opened = self.hosts.connect(spec, &|_| {}).await;
        let session = opened.map_err(|failure| failure.to_string())?;
        if let Some(old) = self.sessions.take(host) {
            old.close().await;
        }
        self.sessions.put(host.clone(), session);
        Ok(())
    }

    /// Puts a planned job on its host.
    ///
    /// # Errors
    /// Says why it could not be started, or that nobody knows whether it was.
    pub async fn start(
        &self,
        operating: &Operating,
        prepared: &Prepared,
    ) -> Result<(), NotStarted> {
        let session = self
            .session(&prepared.plan.target)
            .map_err(NotStarted::Refused)?;
        let place = session.place_to_change(operating);
        run::start(
            operating,
            place.map_err(NotStarted::Refused)?,
            &prepared.plan,
            prepared.outlive.as_deref(),
            &run::HandedOver {
                values: &prepared.values,
                body: prepared.body.as_ref(),
            },
        )
        .await
    }

    /// Finds out whether a job began of whose start nothing was heard.
    ///
    /// It is `redials`'s part to come back to the host; where the console does so by itself it is only waited for. A
    /// host that stays away leaves it open: then the job is followed as if it ran, which is never wrong about it.
    ///
    /// # Errors
    /// If the host was asked and the job is not there.
    pub async fn began(&self, plan: &TargetPlan, redials: bool) -> Result<(), String> {
        let asked_since = tokio::time::Instant::now();
        let mut absent = 0;
        while asked_since.elapsed() < UNHEARD {
            let position = run::Position::default();
            match self.news(&plan.target, &plan.job, position).await {
                Ok(news) if news.alive || news.ended.is_some() || !news.out.is_empty() => {
                    return Ok(());
                }
                Ok(_) => {
                    absent += 1;
                    if absent > ABSENT {
                        return Err(
                            "the connection was lost while it was being started, and it did not begin: nothing was touched"
                                .to_owned(),
                        );
                    }
                }
                Err(_) if redials => {
                    let _ = self.reopen(&plan.target.host).await;
                }
                Err(_) => {}
            }
            tokio::time::sleep(UNHEARD_PAUSE).await;
        }
        Ok(())
    }

    /// Reads what a job wrote since the last look.
    ///
    /// # Errors
    /// If its host cannot be asked now; the job goes on all the same.
    pub async fn news(
        &self,
        target: &ServiceKey,
        job: &str,
        position: run::Position,
    ) -> Result<run::News, String> {
        let session = self.session(target)?;
        let place = session
            .place()
            .ok_or("scripts cannot be run on this host")?;
        run::news(place, job, position)
            .await
            .map_err(|error| error.to_string())
    }

    /// Lists the jobs of a host.
    ///
    /// # Errors
    /// If the host cannot be asked.
    pub async fn jobs(&self, host: &HostName) -> Result<Vec<past::Found>, String> {
        let session = self.sessions.get(host).ok_or("the host is not connected")?;
        let place = session
            .place()
            .ok_or("scripts cannot be run on this host")?;
        past::list(place).await.map_err(|error| error.to_string())
    }

    /// Asks a job to stop where that is safe.
    ///
    /// # Errors
    /// If its host cannot be asked now.
    pub async fn cancel(
        &self,
        operating: &Operating,
        target: &ServiceKey,
        job: &str,
    ) -> Result<(), String> {
        let session = self.session(target)?;
        let place = session.place_to_change(operating)?;
        run::cancel(operating, place, job)
            .await
            .map_err(|error| error.to_string())
    }

    /// Reads the journal of a host.
    ///
    /// # Errors
    /// If the host cannot be asked.
    pub async fn journal(&self, host: &HostName) -> Result<Vec<Event>, String> {
        let session = self.sessions.get(host).ok_or("the host is not connected")?;
        let place = session
            .place()
            .ok_or("scripts cannot be run on this host")?;
        past::history(place, host)
            .await
            .map_err(|error| error.to_string())
    }

    /// Joins the journal of a host with the operator's own.
    ///
    /// # Errors
    /// If the host cannot be asked.
    pub async fn history(&self, host: &HostName) -> Result<Vec<Entry>, String> {
        let of_host = self.journal(host).await?;
        Ok(history::join(&self.own_journal().await, &of_host))
    }

    /// Reads the operator's own journal.
    pub async fn own_journal(&self) -> Vec<Event> {
        let Some(journal) = self.state.as_deref().map(Journal::in_folder) else {
            return Vec::new();
        };
        let read = tokio::task::spawn_blocking(move || journal.read());
        read.await.unwrap_or_default()
    }
}
