//! The transport from this machine: reqwest, one kept client per registry.

use futures_util::future::BoxFuture;
use reqwest::{Client, redirect};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::tls::Trust;
use super::transport::{Broken, Call, Collected, Patience, Reply, Transport, diagnose};
use crate::core::settings::RegistrySpec;

/// Asks from this machine.
pub(super) struct Direct {
    spec: Option<RegistrySpec>,
    patience: Patience,
    /// Whether the system's proxy may stand between; never for this machine itself.
    proxied: bool,
    // Reading the system's roots is spared to those who speak plain http only.
    plain: OnceCell<Client>,
    tls: OnceCell<(Client, Trust)>,
}

impl Direct {
    /// Prepares a client; nothing is read or opened before the first request.
    pub(super) fn new(spec: Option<RegistrySpec>, patience: Patience, proxied: bool) -> Self {
        Self {
            spec,
            patience,
            proxied,
            plain: OnceCell::new(),
            tls: OnceCell::new(),
        }
    }

    fn client(&self, config: ClientConfig) -> Result<Client, Broken> {
        let mut builder = Client::builder()
            .tls_backend_preconfigured(config)
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(self.patience.connect)
            .pool_max_idle_per_host(8)
            .user_agent(super::USER_AGENT);
        if !self.proxied {
            builder = builder.no_proxy();
        }
        builder
            .build()
            .map_err(|error| Broken::Lost(error.to_string()))
    }

    async fn plain(&self) -> Result<&Client, Broken> {
        self.plain
            .get_or_try_init(|| async {
                let nobody = ClientConfig::builder_with_provider(
                    rustls::crypto::ring::default_provider().into(),
                )
                .with_safe_default_protocol_versions()
                .map_err(|error| Broken::Lost(error.to_string()))?
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth();
                self.client(nobody)
            })
            .await
    }

    async fn tls(&self) -> Result<&(Client, Trust), Broken> {
        self.tls
            .get_or_try_init(|| async {
                let spec = self.spec.clone();
                let trust = tokio::task::spawn_blocking(move || Trust::of(spec.as_ref()))
                    .await
                    .map_err(|error| Broken::Lost(error.to_string()))?
                    .map_err(|why| Broken::Certificate { why, seen: None })?;
                let mut config = ClientConfig::clone(&trust.config);
                // One connection then carries what would need eight.
                config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
                let client = self.client(config)?;
                Ok((client, trust))
            })
            .await
    }

    async fn exchange(&self, call: Call) -> Result<Reply, Broken> {
        let host = call.url.host_str().unwrap_or_default().to_owned();
        let (client, trust) = if call.url.scheme() == "http" {
            (self.plain().await?, None)
        } else {
            let (client, trust) = self.tls().await?;
            (client, Some(trust))
        };
        let broken = |error: &reqwest::Error| {
            if error.is_timeout() {
                return Broken::TimedOut(self.patience.connect);
            }
            diagnose(error, trust.and_then(|trust| trust.seen(&host)))
        };
        let mut request = client.request(call.method, call.url).headers(call.headers);
        if let Some(body) = call.body {
            request = request.body(body);
        }
        let mut response = request.send().await.map_err(|error| broken(&error))?;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let mut collected = Collected::of(status, &headers, call.limit)?;
        while let Some(piece) = response.chunk().await.map_err(|error| broken(&error))? {
            if !collected.add(&piece)? {
                break;
            }
        }
        Ok(Reply {
            status,
            headers,
            body: collected.done(),
        })
    }
}

impl Transport for Direct {
    fn send(&self, call: Call) -> BoxFuture<'_, Result<Reply, Broken>> {
        Box::pin(async move {
            timeout(self.patience.total, self.exchange(call))
                .await
                .unwrap_or(Err(Broken::TimedOut(self.patience.total)))
        })
    }
}
