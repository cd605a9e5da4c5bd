//! Whom to trust: the system's roots, an authority of one's own, or one pinned certificate. Never everybody.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use sha2::{Digest as _, Sha256};

use crate::core::names::RegistryHost;
use crate::core::settings::RegistrySpec;

/// A TLS set-up and its memory of the certificates that were not trusted.
#[derive(Clone)]
pub(super) struct Trust {
    pub config: Arc<ClientConfig>,
    seen: Arc<Mutex<HashMap<String, String>>>,
}

impl Trust {
    /// Returns the set-up for a registry; reading the system's roots takes some milliseconds, once.
    pub(super) fn of(spec: Option<&RegistrySpec>) -> Result<Self, String> {
        static USUAL: OnceLock<Result<Trust, String>> = OnceLock::new();
        match spec.filter(|spec| spec.ca_file.is_some() || spec.fingerprint.is_some()) {
            // All registries without a wish of their own share one set of roots in memory.
            None => USUAL.get_or_init(|| Self::make(None)).clone(),
            Some(spec) => Self::make(Some(spec)),
        }
    }

    fn make(spec: Option<&RegistrySpec>) -> Result<Self, String> {
        let provider = provider();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(system_roots().iter().cloned());
        if let Some(file) = spec.and_then(|spec| spec.ca_file.as_deref()) {
            let read =
                |error: &dyn fmt::Display| format!("cannot read the ca_file {file}: {error}");
            let certificates = CertificateDer::pem_file_iter(file)
                .map_err(|error| read(&error))?
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| read(&error))?;
            if roots.add_parsable_certificates(certificates).0 == 0 {
                return Err(format!("the ca_file {file} holds no certificate"));
            }
        }
        let pinned = spec
            .and_then(|spec| Some((spec, spec.fingerprint.as_deref()?)))
            .map(|(spec, text)| {
                parse_fingerprint(text)
                    .map(|digest| (bare_host(&spec.host), digest))
                    .ok_or_else(|| {
                        format!(
                            "the fingerprint of {} is not a SHA-256, 64 hex digits",
                            spec.host
                        )
                    })
            })
            .transpose()?;
        let usual = if roots.is_empty() {
            None
        } else {
            let built =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
            Some(built.build().map_err(|error| error.to_string())?)
        };
        let seen = Arc::new(Mutex::new(HashMap::new()));
        let verifier = Verifier {
            usual,
            pinned,
            provider: provider.clone(),
            seen: seen.clone(),
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Self {
            config: Arc::new(config),
            seen,
        })
    }

    /// Returns the fingerprint of the certificate that a server showed last, if it was not trusted.
    pub(super) fn seen(&self, server: &str) -> Option<String> {
        let server = server.trim_matches(['[', ']']);
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(server)
            .cloned()
    }
}

/// Installs ring for whoever needs a default, and returns it.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER
        .get_or_init(|| {
            // Somebody else may have installed one; ours is used by name anyhow.
            let _ = rustls::crypto::ring::default_provider().install_default();
            Arc::new(rustls::crypto::ring::default_provider())
        })
        .clone()
}

fn system_roots() -> &'static [CertificateDer<'static>] {
    static ROOTS: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();
    ROOTS.get_or_init(|| rustls_native_certs::load_native_certs().certs)
}

/// Reads a SHA-256 as tools print it: with or without colons, prefix and capitals.
fn parse_fingerprint(text: &str) -> Option<[u8; 32]> {
    let text = text.trim().to_ascii_lowercase();
    let text = text.strip_prefix("sha256").map_or(text.as_str(), |rest| {
        rest.trim_start_matches([':', '=', ' '])
    });
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !matches!(c, ':' | ' '))
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(high << 4 | low),
            _ => None,
        })
        .collect::<Option<_>>()?;
    bytes.try_into().ok()
}

fn print_fingerprint(digest: &[u8]) -> String {
    let pairs: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

fn bare_host(host: &RegistryHost) -> String {
    let text = host.as_str();
    let bare = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => text.split(':').next().unwrap_or(text),
    };
    bare.to_ascii_lowercase()
}

/// Trusts the pinned certificate for the pinned server, and the usual roots for all others.
#[derive(Debug)]
struct Verifier {
    usual: Option<Arc<WebPkiServerVerifier>>,
    pinned: Option<(String, [u8; 32])>,
    provider: Arc<CryptoProvider>,
    seen: Arc<Mutex<HashMap<String, String>>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let server = server_name.to_str().to_ascii_lowercase();
        let digest = Sha256::digest(end_entity.as_ref());
        let verdict = match (&self.pinned, &self.usual) {
            (Some((host, pinned)), _) if *host == server => {
                if digest.as_slice() == pinned {
                    Ok(ServerCertVerified::assertion())
                } else {
                    Err(CertificateError::ApplicationVerificationFailure.into())
                }
            }
            (_, Some(usual)) => {
                usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            (_, None) => Err(CertificateError::UnknownIssuer.into()),
        };
        if verdict.is_err() {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.len() < 100 || seen.contains_key(&server) {
                seen.insert(server, print_fingerprint(&digest));
            }
        }
        verdict
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_as_tools_print_them() {
        let expected = Some([0xAB; 32]);
        for text in [
            "ab".repeat(32),
            "AB".repeat(32),
            format!("sha256:{}", "ab".repeat(32)),
            format!("SHA256={}", vec!["AB"; 32].join(":")),
            print_fingerprint(&[0xAB; 32]),
        ] {
            assert_eq!(parse_fingerprint(&text), expected, "{text}");
        }
        assert_eq!(parse_fingerprint("abc"), None);
        assert_eq!(parse_fingerprint(&"zz".repeat(32)), None);
    }

    #[test]
    fn a_registry_s_bare_host_has_no_port() {
        for (text, bare) in [
            ("r.lan:5000", "r.lan"),
            ("R.lan", "r.lan"),
            ("[::1]:5000", "::1"),
            ("10.0.0.1:5000", "10.0.0.1"),
        ] {
            assert_eq!(bare_host(&text.into()), bare);
        }
    }
}
