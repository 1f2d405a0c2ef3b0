//! Secure params: sealed boxes and the key of each object (wire-protocol §5).

use crate::fault::Fault;
use crypto_box::{KEY_SIZE, Nonce, PublicKey, SalsaBox, SecretKey, Tag, aead::AeadInPlace};
use drp_protocol::{Base64Bytes, SecureData, SecureDataError};
use serde_json::Value;
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};
use zeroize::Zeroizing;

/// The space of the store that holds what must never leave: object keys and password hashes.
pub(crate) const SPACE: &str = "$secrets";

/// Random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| Fault::Random(e.to_string()))?;
    Ok(bytes)
}

/// Random letters and digits.
pub(crate) fn random_text(length: usize) -> Result<String, Fault> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = Zeroizing::new(vec![0; length]);
    getrandom::fill(&mut bytes).map_err(|e| Fault::Random(e.to_string()))?;
    Ok(bytes.iter().map(|b| char::from(ALPHABET[usize::from(b % 64)])).collect())
}

/// The keys of all objects that have one, by `<prefix>-<key>`.
#[derive(Default)]
pub(crate) struct Keys {
    keys: RwLock<HashMap<String, Arc<SecretKey>>>,
}

impl Keys {
    /// Name of an object's key in the secret space: `<prefix>-<key>`. Dashes of a raw type's name are written as
    /// tildes: no two objects share a name then, whatever their types and keys are called.
    pub(crate) fn name(prefix: &str, key: &str) -> String {
        format!("{}-{key}", prefix.replace('-', "~"))
    }

    /// Whether an entry of the secret space is the key of an object, and not a hidden value, which has a colon after
    /// its first word.
    pub(crate) fn is_name(entry: &str) -> bool {
        entry.find(['-', ':']).is_some_and(|at| entry[at..].starts_with('-'))
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<SecretKey>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub(crate) fn insert(&self, name: String, key: Arc<SecretKey>) {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).insert(name, key);
    }

    pub(crate) fn remove(&self, name: &str) {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

/// A new key pair.
pub(crate) fn fresh_key() -> Result<SecretKey, Fault> {
    let bytes = Zeroizing::new(random::<KEY_SIZE>()?);
    Ok(SecretKey::from(*bytes))
}

/// Reads a stored key.
pub(crate) fn stored_key(bytes: &[u8]) -> Option<SecretKey> {
    SecretKey::from_slice(bytes).ok()
}

/// Seals a value to a public key: NaCl `crypto_box`, tag before cipher text, as libsodium's "easy" form has it.
pub(crate) fn seal(to: &PublicKey, value: &Value) -> Result<Value, Fault> {
    let ephemeral = fresh_key()?;
    let nonce = random::<24>()?;
    let mut text = Zeroizing::new(value.to_string().into_bytes());
    let tag = SalsaBox::new(to, &ephemeral)
        .encrypt_in_place_detached(Nonce::from_slice(&nonce), b"", &mut text)
        .map_err(|_| Fault::Random("a value is too long to seal".to_owned()))?;
    let payload = [tag.as_slice(), text.as_slice()].concat();
    let sealed = SecureData {
        key: Base64Bytes(Some(ephemeral.public_key().as_bytes().to_vec())),
        nonce: Base64Bytes(Some(nonce.to_vec())),
        payload: Base64Bytes(Some(payload)),
    };
    Ok(serde_json::to_value(sealed).unwrap_or_default())
}

/// Opens a sealed value.
pub(crate) fn open(with: &SecretKey, sealed: &Value) -> Result<Value, SecureDataError> {
    let data: SecureData = serde_json::from_value(sealed.clone()).map_err(|_| SecureDataError::Corrupted)?;
    let (key, nonce, payload) = data.parts()?;
    let (tag, text) = payload.split_at(16);
    let mut text = Zeroizing::new(text.to_vec());
    SalsaBox::new(&PublicKey::from(key), with)
        .decrypt_in_place_detached(Nonce::from_slice(&nonce), b"", &mut text, Tag::from_slice(tag))
        .map_err(|_| SecureDataError::Corrupted)?;
    serde_json::from_slice(&text).map_err(|_| SecureDataError::Corrupted)
}

#[cfg(test)]
mod tests {
    use super::{fresh_key, open, seal};
    use crypto_box::{PublicKey, SecretKey};
    use drp_protocol::{SecureData, SecureDataError};
    use serde_json::json;

    #[test]
    fn sealed_values_open_with_their_key_only() {
        let (key, other) = (fresh_key().unwrap(), fresh_key().unwrap());
        let sealed = seal(&key.public_key(), &json!("secret")).unwrap();
        assert!(SecureData::is_sealed(&sealed) && !sealed.to_string().contains("secret"));
        assert_eq!(open(&key, &sealed).unwrap(), json!("secret"));
        assert_eq!(open(&other, &sealed).unwrap_err(), SecureDataError::Corrupted);
        for (field, text) in [
            ("Key", "Key must be 32 bytes long"),
            ("Nonce", "Nonce must be 24 bytes long"),
            ("Payload", "SecureData corrupted"),
        ] {
            let mut broken = sealed.clone();
            broken[field] = json!("AAAA");
            assert_eq!(open(&key, &broken).unwrap_err().to_string(), text);
        }
    }

    /// The vector of NaCl's tests/box.c: a box from Bob's side of Alice's message.
    #[test]
    fn the_published_vector_opens() {
        use crypto_box::{SalsaBox, aead::AeadInPlace};
        let bob = SecretKey::from(hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
        let alice = PublicKey::from(hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
        let nonce = hex::<24>("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37");
        let boxed = hex::<147>(concat!(
            "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4",
            "476fb8c531a1186ac0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738",
            "b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de",
            "56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5"
        ));
        let (tag, cipher) = boxed.split_at(16);
        let mut text = cipher.to_vec();
        SalsaBox::new(&alice, &bob)
            .decrypt_in_place_detached(&nonce.into(), b"", &mut text, tag.into())
            .unwrap();
        assert_eq!(text[..8], hex::<8>("be075fc53c81f2d5"));
    }

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        let bytes: Vec<u8> =
            (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect();
        bytes.try_into().unwrap()
    }
}
