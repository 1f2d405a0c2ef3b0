//! Certificate authorities: the host's store, or those that a setting gives.

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

/// The host's store of authorities, in PEM: the file that `SSL_CERT_FILE` names when it can be read, else where
/// distributions keep it. `None` on a host that has none.
#[must_use]
pub fn host_store() -> Option<Vec<u8>> {
    let named = std::env::var("SSL_CERT_FILE").ok();
    named.iter().map(String::as_str).chain(STORES).find_map(|store| std::fs::read(store).ok())
}

/// The authorities of a host's store. It may hold old certificates that rustls does not read; the others still count.
#[must_use]
pub fn store_authorities(pem: &[u8]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(pem).filter_map(Result::ok));
    roots
}

/// The authorities that a setting of this name gives. It may be a whole bundle with certificates that rustls does not
/// read, as long as there is one that it does.
///
/// # Errors
/// What is wrong with the setting, in words that name it.
pub fn given_authorities(pem: &str, setting: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let mut unusable = None;
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|e| format!("{setting} is not PEM: {e}"))?;
        unusable = roots.add(certificate).err().or(unusable);
    }
    match unusable {
        _ if !roots.is_empty() => Ok(roots),
        Some(why) => Err(format!("{setting} is unusable: {why}")),
        None => Err(format!("{setting} holds no certificate in PEM form")),
    }
}

/// The TLS set-up that believes certificates of these authorities, for HTTP/1.1.
///
/// # Errors
/// rustls cannot be set up, in words.
pub fn verified(roots: RootCertStore) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config =
        builder.map_err(|e| format!("TLS: {e}"))?.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_is_no_authority_is_refused_by_name() {
        for odd in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let error = given_authorities(odd, "slack/tls-ca").unwrap_err();
            assert!(error.contains("slack/tls-ca"), "{error}");
        }
        assert!(store_authorities(b"nonsense").is_empty());
    }
}
