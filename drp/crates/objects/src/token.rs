//! Bearer tokens: what they say, signed (wire-protocol §3.2 leaves the format to the server).
//!
//! `base64url(JSON).base64url(HMAC-SHA256)`, keyed with the preference `baseTokenSecret`. The payload holds a digest of
//! the secrets it depends on, so that changing one of them kills the token without a list of dead tokens.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use drp_protocol::Claim;
use ring::{digest, hmac};
use serde::{Deserialize, Serialize};
use std::time::{SystemTime, UNIX_EPOCH};

/// Longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 64 << 10;

/// Whom a token speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Bearer {
    User,
    Machine,
    Plugin,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Payload {
    #[serde(rename = "b")]
    pub(crate) bearer: Bearer,
    #[serde(rename = "s")]
    pub(crate) subject: String,
    /// The claims of plugins and machines; what a user's are narrowed to.
    #[serde(rename = "c", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) claims: Vec<Claim>,
    /// The roles a user's are narrowed to.
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) roles: Vec<String>,
    /// What the token that this one was asked for with was narrowed to.
    #[serde(rename = "n", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) narrowed: Vec<Vec<Claim>>,
    /// Seconds since the epoch.
    #[serde(rename = "i")]
    pub(crate) issued: u64,
    /// Seconds since the epoch; none for ever.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<u64>,
    /// Digest of the secrets it depends on.
    #[serde(rename = "d")]
    pub(crate) digest: String,
}

/// Seconds since the epoch.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// Digest of secrets; the lengths keep `a`,`bc` and `ab`,`c` apart.
pub(crate) fn digest_of(secrets: &[&str]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for secret in secrets {
        context.update(&(secret.len() as u64).to_be_bytes());
        context.update(secret.as_bytes());
    }
    URL_SAFE_NO_PAD.encode(&context.finish().as_ref()[..16])
}

pub(crate) fn sign(payload: &Payload, secret: &str) -> String {
    let text = URL_SAFE_NO_PAD.encode(serde_json::to_vec(payload).unwrap_or_default());
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// What a token says, if it was signed with the secret and holds still.
pub(crate) fn read(token: &str, secret: &str) -> Option<Payload> {
    if token.len() > MAX_TOKEN || secret.is_empty() {
        return None;
    }
    let (text, tag) = token.split_once('.')?;
    let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::verify(&key, text.as_bytes(), &tag).ok()?;
    let payload: Payload = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    payload.expires.is_none_or(|at| at > now()).then_some(payload)
}

#[cfg(test)]
mod tests {
    use super::{Bearer, Payload, digest_of, now, read, sign};

    fn payload(expires: Option<u64>) -> Payload {
        Payload {
            bearer: Bearer::User,
            subject: "u".into(),
            claims: vec![],
            roles: vec![],
            narrowed: vec![],
            issued: now(),
            expires,
            digest: digest_of(&["a"]),
        }
    }

    #[test]
    fn tokens_hold_until_they_expire_and_only_under_their_secret() {
        let good = payload(Some(now() + 60));
        let token = sign(&good, "secret");
        assert_eq!(read(&token, "secret"), Some(good));
        assert_eq!(read(&token, "other"), None);
        assert_eq!(read(&sign(&payload(Some(now())), "secret"), "secret"), None);
        assert!(read(&sign(&payload(None), "secret"), "secret").is_some());
        for broken in ["", ".", "a.b", &token[1..], &format!("{token}x"), &token.replace('.', "")] {
            assert_eq!(read(broken, "secret"), None, "{broken}");
        }
        assert_ne!(digest_of(&["ab", "c"]), digest_of(&["a", "bc"]));
    }
}
