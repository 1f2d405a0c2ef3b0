//! Which certificates are believed: those of this host's authorities, or of the one that is given.

use rustls::ClientConfig;

/// The TLS set-up. `authority` is PEM; without it this host's store counts.
///
/// # Errors
/// What is unusable, in words.
pub(crate) fn config(authority: Option<&str>) -> Result<ClientConfig, String> {
    drp_tls::verified(match authority {
        Some(pem) => drp_tls::given_authorities(pem, "slack/tls-ca")?,
        None => drp_tls::store_authorities(&drp_tls::host_store().ok_or(
            "this host has no store of certificate authorities; install the package ca-certificates, or set \
             slack/tls-ca",
        )?),
    })
}
