//! The set-up for rustls: verified, or pinned by fingerprint, and the certificate that was seen is kept for the error.

use crate::authorities::{given_authorities, host_store, store_authorities};
use crate::{Fingerprint, Trust};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex, PoisonError};

/// What the last handshake showed.
#[derive(Debug, Clone, Default)]
pub struct Seen(Arc<Mutex<Option<Fingerprint>>>);

impl Seen {
    /// Fingerprint of the certificate that the peer showed last.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The TLS set-up for what is believed, and where the certificate that is shown will be seen.
///
/// # Errors
/// The host has no store of authorities, or the given ones are unusable, in words.
pub fn config(trust: &Trust) -> Result<(ClientConfig, Seen), String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let seen = Seen::default();
    let check = match trust {
        Trust::Pinned(pin) => Check::Pin(*pin),
        Trust::Insecure | Trust::Plain => Check::Nothing,
        Trust::Verified => {
            let store = host_store().ok_or(NO_STORE)?;
            Check::Chain(chain(&provider, store_authorities(&store))?)
        }
        Trust::Authorities(pem) => {
            Check::Chain(chain(&provider, given_authorities(pem, "the certificate authority")?)?)
        }
    };
    let verifier = Verifier { check, provider: provider.clone(), seen: seen.clone() };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("TLS: {e}"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((config, seen))
}

const NO_STORE: &str = "this host has no store of certificate authorities (package ca-certificates), and none was given; \
    install it, give the BMC's authority, or pin the BMC's certificate";

fn chain(provider: &Arc<CryptoProvider>, roots: RootCertStore) -> Result<Arc<WebPkiServerVerifier>, String> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|e| format!("the certificate authority is unusable: {e}"))
}

#[derive(Debug)]
enum Check {
    Chain(Arc<WebPkiServerVerifier>),
    Pin(Fingerprint),
    Nothing,
}

/// Whatever is checked, the peer must prove that it holds the key of the certificate it shows.
#[derive(Debug)]
struct Verifier {
    check: Check,
    provider: Arc<CryptoProvider>,
    seen: Seen,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown = Fingerprint(Sha256::digest(end_entity).into());
        *self.seen.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown);
        match &self.check {
            Check::Chain(chain) => {
                chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            Check::Pin(pin) if *pin != shown => Err(CertificateError::ApplicationVerificationFailure.into()),
            Check::Pin(_) | Check::Nothing => Ok(ServerCertVerified::assertion()),
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
