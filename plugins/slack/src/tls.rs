//! Which certificates are believed: those of this host's authorities, or of the one that is given.

use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// Where Linux distributions keep the certificates of the authorities they trust, in the order they are tried.
const STORES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The TLS set-up. `authority` is PEM; without it this host's store counts, or the file that `SSL_CERT_FILE` names.
///
/// # Errors
/// What is unusable, in words.
pub(crate) fn config(authority: Option<&str>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    match authority {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate = certificate.map_err(|e| format!("slack/tls-ca is not PEM: {e}"))?;
                roots.add(certificate).map_err(|e| format!("slack/tls-ca is unusable: {e}"))?;
            }
            if roots.is_empty() {
                return Err("slack/tls-ca holds no certificate in PEM form".to_owned());
            }
        }
        None => {
            let named = std::env::var("SSL_CERT_FILE").ok();
            let stores = named.iter().map(String::as_str).chain(STORES);
            let Some(pem) = stores.into_iter().find_map(|store| std::fs::read(store).ok()) else {
                return Err("this host has no store of certificate authorities; install the package \
                            ca-certificates, or set slack/tls-ca"
                    .to_owned());
            };
            for certificate in CertificateDer::pem_slice_iter(&pem).flatten() {
                // Stores hold old certificates that rustls does not read; the others still count.
                let _ = roots.add(certificate);
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config =
        builder.map_err(|e| format!("TLS: {e}"))?.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
