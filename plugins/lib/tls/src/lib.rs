#![doc = include_str!("../README.md")]

mod authorities;
mod config;
mod trust;

pub use authorities::{given_authorities, host_store, store_authorities, verified};
pub use config::{Seen, config};
pub use trust::{Fingerprint, Trust};

/// Why a certificate was refused, when that is what is at the bottom of an error of an HTTP client.
#[must_use]
pub fn refused_certificate(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut cause = error.source();
    while let Some(at) = cause {
        if let Some(rustls::Error::InvalidCertificate(why)) = at.downcast_ref() {
            return Some(why.to_string());
        }
        // `source` of an I/O error skips the error inside it, which is the one that is looked for.
        let inside = at.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = match inside {
            Some(inside) => Some(inside),
            None => at.source(),
        };
    }
    None
}
