//! Sealed values of secure params (wire-protocol §5).

use crate::Base64Bytes;
use std::fmt;

model! {
    /// A sealed value: NaCl `crypto_box` (X25519, XSalsa20-Poly1305).
    pub struct SecureData [] {
        /// The sender's ephemeral public key, 32 bytes.
        key: Base64Bytes = "Key",
        /// 24 random bytes.
        nonce: Base64Bytes = "Nonce",
        /// The 16-byte tag followed by the cipher text of the value's JSON.
        payload: Base64Bytes = "Payload",
    }
}

/// Why a sealed value cannot be opened, in the texts clients know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecureDataError {
    /// `Key` is not 32 bytes long.
    Key,
    /// `Nonce` is not 24 bytes long.
    Nonce,
    /// `Payload` is too short or its tag is wrong.
    Corrupted,
}

impl fmt::Display for SecureDataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "Key must be 32 bytes long",
            Self::Nonce => "Nonce must be 24 bytes long",
            Self::Corrupted => "SecureData corrupted",
        })
    }
}

impl std::error::Error for SecureDataError {}

/// Key, nonce and payload of a sealed value.
pub type SealedParts<'a> = ([u8; 32], [u8; 24], &'a [u8]);

impl SecureData {
    /// Checks the lengths and gives key, nonce and payload.
    ///
    /// # Errors
    /// The first part that has a wrong length.
    pub fn parts(&self) -> Result<SealedParts<'_>, SecureDataError> {
        let key = self.key.0.as_deref().and_then(|b| b.try_into().ok()).ok_or(SecureDataError::Key)?;
        let nonce = self.nonce.0.as_deref().and_then(|b| b.try_into().ok()).ok_or(SecureDataError::Nonce)?;
        let payload = self.payload.0.as_deref().unwrap_or_default();
        if payload.len() < 16 {
            return Err(SecureDataError::Corrupted);
        }
        Ok((key, nonce, payload))
    }

    /// Whether a JSON value has exactly the three keys of a sealed value, and so is one.
    #[must_use]
    pub fn is_sealed(value: &serde_json::Value) -> bool {
        value.as_object().is_some_and(|o| o.len() == 3 && Self::FIELDS.iter().all(|f| o.contains_key(*f)))
    }
}
