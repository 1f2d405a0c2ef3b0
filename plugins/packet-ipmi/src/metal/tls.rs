//! TLS to the API: always verified, by the host's authorities or by one that a param names.

use super::MetalError;
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

/// The TLS set-up. With `ca`, its certificates are believed and nobody else's.
pub(super) fn config(ca: Option<&str>) -> Result<ClientConfig, MetalError> {
    let setting = |text: String| MetalError::Setting(text);
    let mut roots = RootCertStore::empty();
    match ca {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate =
                    certificate.map_err(|e| setting(format!("packet/tls-ca is not PEM: {e}")))?;
                roots.add(certificate).map_err(|e| setting(format!("packet/tls-ca is unusable: {e}")))?;
            }
            if roots.is_empty() {
                return Err(setting("packet/tls-ca holds no certificate in PEM form".to_owned()));
            }
        }
        None => {
            let store = STORES.iter().find_map(|store| std::fs::read(store).ok()).unwrap_or_default();
            // Stores hold old certificates that rustls does not read; the others still count. An empty store is no
            // error here: an endpoint on loopback needs none, and every other one says that nobody vouches for it.
            let certificates = CertificateDer::pem_slice_iter(&store).filter_map(Result::ok);
            roots.add_parsable_certificates(certificates);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| setting(format!("TLS: {e}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::config;

    #[test]
    fn what_is_no_authority_is_refused_by_name() {
        for odd in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let error = config(Some(odd)).unwrap_err().to_string();
            assert!(error.contains("packet/tls-ca"), "{error}");
        }
        assert!(config(None).is_ok());
    }
}
