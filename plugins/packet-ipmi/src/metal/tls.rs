//! TLS to the API: always verified, by the host's authorities or by one that a param names.

use super::MetalError;
use rustls::ClientConfig;

/// The TLS set-up. With `ca`, its certificates are believed and nobody else's. A host without a store is no error here:
/// an endpoint on loopback needs none, and every other one says that nobody vouches for it.
pub(super) fn config(ca: Option<&str>) -> Result<ClientConfig, MetalError> {
    let roots = match ca {
        Some(pem) => drp_tls::given_authorities(pem, "packet/tls-ca").map_err(MetalError::Setting)?,
        None => drp_tls::store_authorities(&drp_tls::host_store().unwrap_or_default()),
    };
    drp_tls::verified(roots).map_err(MetalError::Setting)
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
