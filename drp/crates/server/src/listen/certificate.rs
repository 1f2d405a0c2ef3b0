//! The certificate of the API: given by the operator, or made at first start.

use super::base_root::{private_dir, write_private};
use super::validity::validity;
use crate::{ServeError, Settings, TlsFiles};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How long a certificate made here holds: nobody renews it by hand.
const LIFETIME_YEARS: i32 = 10;
/// A certificate that ends within this time is worth a warning.
const SOON: Duration = Duration::from_secs(14 * 86_400);

/// The certificate that the API shows.
pub(crate) struct Certificate {
    /// For the listener.
    pub(crate) config: Arc<ServerConfig>,
    /// The chain as PEM, for plugins that pin it.
    pub(crate) pem: String,
    /// Things an operator should know.
    pub(crate) warnings: Vec<String>,
}

/// Loads the given certificate, or the one of the base root, which is made when absent.
pub(crate) fn certificate(settings: &Settings) -> Result<Certificate, ServeError> {
    if let Some(files) = &settings.tls {
        return load(files);
    }
    let dir = settings.base_root.join("tls");
    private_dir("certificate directory", &dir, 0o700)?;
    let files = TlsFiles { cert: dir.join("server.crt"), key: dir.join("server.key") };
    if !files.cert.exists() && !files.key.exists() {
        make(&files, settings)?;
    }
    load(&files)
}

fn make(files: &TlsFiles, settings: &Settings) -> Result<(), ServeError> {
    let wrong = |e: rcgen::Error| ServeError::Certificate(format!("cannot make one: {e}"));
    let mut params = rcgen::CertificateParams::new(names(settings)).map_err(wrong)?;
    params.distinguished_name.push(rcgen::DnType::CommonName, "drp");
    let year = 1970 + i32::try_from(since_epoch().as_secs() / 31_557_600).unwrap_or(0);
    // A day's slack for clocks that differ is not enough when a machine's clock starts at zero.
    params.not_before = rcgen::date_time_ymd(year - 1, 1, 1);
    params.not_after = rcgen::date_time_ymd(year + LIFETIME_YEARS, 12, 31);
    let key = rcgen::KeyPair::generate().map_err(wrong)?;
    let cert = params.self_signed(&key).map_err(wrong)?;
    let write = |path: &Path, text: &str| {
        write_private(path, text.as_bytes()).map_err(|error| ServeError::Path {
            what: "certificate file",
            path: path.to_owned(),
            error,
            hint: "give this user access to it, or set --tls-cert and --tls-key".to_owned(),
        })
    };
    write(&files.key, &key.serialize_pem())?;
    write(&files.cert, &cert.pem())
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Every name under which a client on this host or beside it may reach the API.
fn names(settings: &Settings) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if let Some(host) = crate::hostname() {
        names.push(host);
    }
    let addresses = [settings.static_ip, Some(settings.bind)];
    names.extend(
        addresses.into_iter().flatten().filter(|ip| !ip.is_unspecified()).map(|ip: IpAddr| ip.to_string()),
    );
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

fn load(files: &TlsFiles) -> Result<Certificate, ServeError> {
    let (cert, key) = (files.cert.display(), files.key.display());
    let wrong = |text: String| ServeError::Certificate(text);
    let pem = std::fs::read_to_string(&files.cert)
        .map_err(|e| wrong(format!("{cert}: {e}; --tls-cert must name a readable PEM file")))?;
    let chain = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| wrong(format!("{cert}: broken PEM: {e}")))?;
    let Some(leaf) = chain.first() else {
        return Err(wrong(format!("{cert}: no certificate in it; a PEM file has a BEGIN CERTIFICATE line")));
    };
    let Some(period) = validity(leaf) else {
        return Err(wrong(format!("{cert}: the first certificate in it is broken")));
    };
    let now = SystemTime::now();
    let mut warnings = Vec::new();
    if period.not_after < now {
        return Err(wrong(format!(
            "{cert}: expired {} days ago; renew it, or remove it and its key to have a self-signed one made",
            now.duration_since(period.not_after).unwrap_or_default().as_secs() / 86_400
        )));
    }
    if period.not_before > now {
        let ahead = period.not_before.duration_since(now).unwrap_or_default().as_secs();
        return Err(wrong(format!(
            "{cert}: not valid before {ahead} seconds from now; check the clock of this host"
        )));
    }
    if period.not_after < now + SOON {
        warnings.push(format!("certificate {cert} ends within 14 days; renew it"));
    }
    let secret = std::fs::read(&files.key)
        .map_err(|e| wrong(format!("private key {key}: {e}; --tls-key must name a readable PEM file")))?;
    let secret = PrivateKeyDer::from_pem_slice(&secret)
        .map_err(|e| wrong(format!("private key {key}: {e}; a PEM file with a PRIVATE KEY is needed")))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(e.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|e| match e {
            rustls::Error::InconsistentKeys(_) => {
                wrong(format!("{cert} and private key {key} do not belong together"))
            }
            other => wrong(format!("{cert} with private key {key}: {other}")),
        })?;
    // WebSocket clients of the protocol need HTTP/1.1 (wire-protocol §3.1).
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Certificate { config: Arc::new(config), pem, warnings })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(dir: &Path, name: &str, years: (i32, i32)) -> TlsFiles {
        let files = TlsFiles { cert: dir.join(format!("{name}.crt")), key: dir.join(format!("{name}.key")) };
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        std::fs::write(&files.cert, params.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }

    #[test]
    fn each_fault_of_a_given_certificate_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let good = pair(dir.path(), "good", (2000, 2100));
        load(&good).map(drop).unwrap();
        let other = pair(dir.path(), "other", (2000, 2100));
        let noise = dir.path().join("noise.pem");
        std::fs::write(&noise, "not PEM at all").unwrap();
        let with = |cert: &Path, key: &Path| TlsFiles { cert: cert.to_owned(), key: key.to_owned() };
        for (files, says) in [
            (with(&dir.path().join("absent.crt"), &good.key), "absent.crt: No such file"),
            (with(&noise, &good.key), "noise.pem: no certificate in it"),
            (with(&good.cert, &dir.path().join("absent.key")), "absent.key: No such file"),
            (with(&good.cert, &noise), "noise.pem: "),
            (with(&good.cert, &other.key), "do not belong together"),
            (pair(dir.path(), "old", (2000, 2001)), "expired"),
            (pair(dir.path(), "young", (2090, 2100)), "not valid before"),
        ] {
            let error = load(&files).err().unwrap().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
