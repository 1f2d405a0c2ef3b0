//! The certificate of the simulated BMCs: signed by nobody, as most come out of the factory.

use crate::SimError;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Certificate and key. Its Debug form shows the fingerprint only.
#[derive(Clone)]
pub struct Identity {
    pem: String,
    fingerprint: String,
    pub(crate) acceptor: TlsAcceptor,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({})", self.fingerprint)
    }
}

impl Identity {
    /// A new one for `localhost` and that address.
    ///
    /// # Errors
    /// When it cannot be made, which is a fault of the machine this runs on.
    pub fn generate(address: IpAddr) -> Result<Self, SimError> {
        let failed = |what: String| SimError::Setting(format!("cannot make a certificate: {what}"));
        let names = vec!["localhost".to_owned(), address.to_string()];
        let made = rcgen::generate_simple_self_signed(names).map_err(|e| failed(e.to_string()))?;
        let der = made.cert.der().clone();
        let digest = Sha256::digest(&der);
        let fingerprint = digest.iter().fold("SHA256:".to_owned(), |text, byte| format!("{text}{byte:02x}"));
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| failed(e.to_string()))?
            .with_no_client_auth()
            .with_single_cert(vec![der], key)
            .map_err(|e| failed(e.to_string()))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { pem: made.cert.pem(), fingerprint, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// The certificate, PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// `SHA256:` and 64 hexadecimal digits, as `ipmi/tls-fingerprint` takes it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}
