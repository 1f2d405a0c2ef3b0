//! A private key.

use drp_protocol::Secret;
use russh::keys::{HashAlg, PrivateKey, decode_secret_key};
use std::fmt;
use std::sync::Arc;

/// A private key, read. It cannot be printed.
#[derive(Clone)]
pub struct SshKey {
    pub(crate) key: Arc<PrivateKey>,
    fingerprint: String,
}

/// Why a text is no usable private key. It says nothing of what is in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyError {
    /// It has a passphrase.
    Encrypted,
    /// It is an RSA key, which this version cannot use.
    Rsa,
    /// It is something else.
    NoKey,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Encrypted => "has a passphrase; nobody is there to type it",
            Self::Rsa => "is an RSA key, which this version cannot use",
            Self::NoKey => "is not a private key",
        })
    }
}

impl std::error::Error for KeyError {}

impl SshKey {
    /// Reads a private key without passphrase, as `ssh-keygen` writes it.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn parse(text: &Secret) -> Result<Self, KeyError> {
        // A key that was pasted without its last line break, or with those of Windows.
        let text = Secret::new(format!("{}\n", text.expose().replace("\r\n", "\n").trim()));
        let key = decode_secret_key(text.expose(), None).map_err(|error| match error {
            russh::keys::Error::KeyIsEncrypted => KeyError::Encrypted,
            _ if text.expose().contains("BEGIN RSA") => KeyError::Rsa,
            _ => KeyError::NoKey,
        })?;
        if key.is_encrypted() {
            return Err(KeyError::Encrypted);
        }
        if key.algorithm().is_rsa() {
            return Err(KeyError::Rsa);
        }
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        Ok(Self { key: Arc::new(key), fingerprint })
    }

    /// Fingerprint of its public half, which is no secret.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

impl fmt::Debug for SshKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SshKey({})", self.fingerprint)
    }
}
