//! Sealing a value for one object (wire-protocol §5).

use crate::ClientError;
use crypto_box::aead::Aead;
use crypto_box::{PublicKey, SalsaBox, SecretKey};
use drp_protocol::{Base64Bytes, Secret, SecureData};

/// Seals a value, given as JSON text, under the public key of an object: NaCl `crypto_box` with an ephemeral
/// key pair and a random nonce.
///
/// # Errors
/// [`ClientError::Setting`] when the text is not JSON, the key is not base64 of 32 bytes, or the system has
/// no randomness.
pub fn seal(pubkey: &str, json: &Secret) -> Result<SecureData, ClientError> {
    let wrong = |reason: &str| ClientError::Setting(format!("the value cannot be sealed: {reason}"));
    if serde_json::from_str::<serde::de::IgnoredAny>(json.expose()).is_err() {
        return Err(wrong("it is not JSON (a text needs quotes)"));
    }
    let key: Base64Bytes =
        serde_json::from_value(pubkey.into()).map_err(|_| wrong("the public key is not base64"))?;
    let key: [u8; 32] = key
        .0
        .as_deref()
        .and_then(|b| b.try_into().ok())
        .ok_or_else(|| wrong("the public key is not 32 bytes long"))?;
    let (mut seed, mut nonce) = ([0; 32], [0; 24]);
    getrandom::fill(&mut seed).map_err(|e| wrong(&format!("no randomness: {e}")))?;
    getrandom::fill(&mut nonce).map_err(|e| wrong(&format!("no randomness: {e}")))?;
    let ephemeral = SecretKey::from(seed);
    let payload = SalsaBox::new(&PublicKey::from(key), &ephemeral)
        .encrypt(&nonce.into(), json.expose().as_bytes())
        .map_err(|_| wrong("encryption failed"))?;
    Ok(SecureData {
        key: Base64Bytes(Some(ephemeral.public_key().as_bytes().to_vec())),
        nonce: Base64Bytes(Some(nonce.to_vec())),
        payload: Base64Bytes(Some(payload)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_the_key_opens_it() {
        let secret = SecretKey::from([7; 32]);
        let public =
            serde_json::to_value(Base64Bytes(Some(secret.public_key().as_bytes().to_vec()))).unwrap();
        let sealed = seal(public.as_str().unwrap(), &Secret::new("\"hunter2\"".to_owned())).unwrap();
        let (key, nonce, payload) = sealed.parts().unwrap();
        assert_eq!(payload.len(), 16 + 9);
        let plain = SalsaBox::new(&PublicKey::from(key), &secret).decrypt(&nonce.into(), payload).unwrap();
        assert_eq!(plain, b"\"hunter2\"");
    }

    #[test]
    fn bad_input_is_named_and_not_shown() {
        let error = seal("AAAA", &Secret::new("hunter2".to_owned())).unwrap_err().to_string();
        assert!(error.contains("not JSON") && !error.contains("hunter2"), "{error}");
        assert!(seal("AAAA", &Secret::new("1".to_owned())).unwrap_err().to_string().contains("32 bytes"));
    }
}
