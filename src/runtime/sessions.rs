//! The open ways to hosts, shared by everything that needs one.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use tokio::task::JoinHandle;

use crate::adapters::hosts::HostSession;
use crate::adapters::registry::{Dialer, EngineAnswer, EngineAsk, EngineAuth, Stream};
use crate::core::failure::{RegistryFailure, RegistryTrouble};
use crate::core::image::ImageRef;
use crate::core::names::HostName;

/// The open ways, by host.
#[derive(Clone, Default)]
pub struct Sessions {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    open: HashMap<HostName, HostSession>,
    saving: Option<JoinHandle<()>>,
}

impl Sessions {
    /// Returns the way to a host, if it is open.
    pub fn get(&self, host: &HostName) -> Option<HostSession> {
        self.lock().open.get(host).cloned()
    }

    /// Keeps an open way.
    pub fn put(&self, host: HostName, session: HostSession) {
        self.lock().open.insert(host, session);
    }

    /// Forgets a way that is lost.
    pub fn take(&self, host: &HostName) -> Option<HostSession> {
        self.lock().open.remove(host)
    }

    /// Takes all ways out, to be closed.
    pub fn drain(&self) -> Vec<HostSession> {
        self.lock()
            .open
            .drain()
            .map(|(_, session)| session)
            .collect()
    }

    /// Keeps the handle of a write to disk, so that the end can wait for it.
    pub fn saving(&self, handle: JoinHandle<()>) {
        self.lock().saving = Some(handle);
    }

    /// Returns the handle of the last write to disk.
    pub fn saved(&self) -> Option<JoinHandle<()>> {
        self.lock().saving.take()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dialer for Sessions {
    fn dial<'a>(
        &'a self,
        host: &'a HostName,
        target: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let session = self
                .get(host)
                .ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))?;
            match session.dial(target, port).await {
                Some(dialled) => dialled.map(|stream| Box::new(stream) as Box<dyn Stream>),
                None => Err(io::Error::from(io::ErrorKind::Unsupported)),
            }
        })
    }
}

impl EngineAsk for Sessions {
    fn distribution<'a>(
        &'a self,
        host: &'a HostName,
        reference: &'a ImageRef,
        auth: Option<&'a EngineAuth>,
    ) -> BoxFuture<'a, Result<EngineAnswer, RegistryFailure>> {
        Box::pin(async move {
            let session = self.get(host).ok_or_else(|| {
                RegistryFailure::new(
                    RegistryTrouble::NoRoute,
                    format!("{host} is not connected"),
                    "asked again once it is",
                )
            })?;
            let told = session
                .distribution(reference, auth.map(|auth| &auth.header))
                .await?;
            Ok(EngineAnswer {
                top: told.top,
                platforms: told.platforms,
            })
        })
    }
}
