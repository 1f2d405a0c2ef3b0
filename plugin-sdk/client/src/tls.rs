//! Which certificate of the endpoint is believed.

use crate::ClientError;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// Which certificate of the endpoint is believed.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Trust {
    /// None. Calls over TLS fail; the local socket needs no certificate.
    #[default]
    Nothing,
    /// Exactly this certificate (PEM), whatever names and dates it holds: a self-signed endpoint whose
    /// certificate was handed over beforehand. Further certificates in the text are alternatives.
    Pinned(String),
    /// Certificates signed by one of these authorities (PEM) for the host name asked for.
    Authorities(String),
    /// Any certificate. The connection is encrypted, but anybody may be at the other end.
    Insecure,
}

impl Trust {
    /// The TLS set-up: ring, no client certificate, HTTP/1.1 only.
    pub(crate) fn config(&self) -> Result<ClientConfig, ClientError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|e| ClientError::Setting(format!("TLS: {e}")))?;
        let mut config = match self {
            Self::Authorities(pem) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(pem)? {
                    roots
                        .add(certificate)
                        .map_err(|e| ClientError::Setting(format!("the CA certificate is unusable: {e}")))?;
                }
                builder.with_root_certificates(roots).with_no_client_auth()
            }
            other => {
                let pins = match other {
                    Self::Pinned(pem) => Some(certificates(pem)?),
                    Self::Insecure => None,
                    _ => Some(Vec::new()),
                };
                builder
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(Pins { pins, provider }))
                    .with_no_client_auth()
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|e| ClientError::Setting(format!("the certificate to trust is not PEM: {e}")))?;
    if found.is_empty() {
        return Err(ClientError::Setting("the certificate to trust holds no PEM certificate".into()));
    }
    Ok(found)
}

/// Accepts the certificates in `pins`, or all when there is no list. Either way the peer must prove that
/// it holds the key.
#[derive(Debug)]
struct Pins {
    pins: Option<Vec<CertificateDer<'static>>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pins {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.pins {
            Some(pins) if !pins.iter().any(|pin| pin == end_entity) => {
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
