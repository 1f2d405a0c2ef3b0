//! What must not reach Slack: sealed values, secure params, fields whose name says secret, text that looks like a credential,
//! and whatever is too big.

use drp_plugin_sdk::Value;
use drp_plugin_sdk::protocol::{JsonMap, Secret, SecureData};
use std::collections::BTreeSet;

/// What stands in the place of a secret.
pub(crate) const HIDDEN: &str = "(secret)";
/// Longest text of a value, most entries of a list and of an object, and deepest nesting that are kept.
const TEXT: usize = 1000;
const ENTRIES: usize = 50;
const FIELDS: usize = 200;
const DEPTH: usize = 12;

/// Words that make a name a secret's.
const WORDS: [&str; 15] = [
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "secrets",
    "token",
    "tokens",
    "credential",
    "credentials",
    "jwt",
    "apikey",
    "webhook",
];
/// Words that make a name a secret's when `key` follows.
const KEYS: [&str; 12] = [
    "api",
    "bot",
    "private",
    "secret",
    "access",
    "ssh",
    "encryption",
    "signing",
    "auth",
    "session",
    "kg",
    "license",
];

/// What is known to be secret.
#[derive(Default, Clone)]
pub(crate) struct Secrets {
    /// Names of the params that are declared `Secure`.
    pub(crate) params: BTreeSet<String>,
    /// Values that must never be sent, whatever they stand in: the plugin's own credentials.
    pub(crate) own: Vec<Secret>,
}

impl Secrets {
    /// The value without secrets and without what is too big.
    pub(crate) fn clean(&self, value: &Value) -> Value {
        self.at(value, 0)
    }

    fn at(&self, value: &Value, depth: usize) -> Value {
        match value {
            // Cut last: half a credential is not known as one.
            Value::String(text) => {
                let text = self.scrub(&crate::mrkdwn::cut(text, 4 * TEXT));
                Value::String(crate::mrkdwn::cut(&text, TEXT))
            }
            Value::Array(_) | Value::Object(_) if depth >= DEPTH => Value::String("…".to_owned()),
            Value::Array(list) => {
                let mut kept: Vec<Value> =
                    list.iter().take(ENTRIES).map(|entry| self.at(entry, depth + 1)).collect();
                if list.len() > ENTRIES {
                    kept.push(Value::String(format!("… and {} more", list.len() - ENTRIES)));
                }
                Value::Array(kept)
            }
            Value::Object(_) if SecureData::is_sealed(value) => Value::String(HIDDEN.to_owned()),
            Value::Object(map) => {
                let clean = |(name, value): (&String, &Value)| {
                    let secret = self.params.contains(name) || is_secret_name(name);
                    let value = match value {
                        Value::Null | Value::Bool(_) => value.clone(),
                        Value::String(text) if text.is_empty() => value.clone(),
                        _ if secret => Value::String(HIDDEN.to_owned()),
                        _ => self.at(value, depth + 1),
                    };
                    (self.scrub(name), value)
                };
                Value::Object(map.iter().take(FIELDS).map(clean).collect::<JsonMap>())
            }
            _ => value.clone(),
        }
    }

    /// The text without what looks like a credential.
    pub(crate) fn scrub(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut hide_next = false;
        // The word before was the name of a secret, as in JSON: `"password": "…"`.
        let mut named = false;
        for piece in text.split_inclusive(|c: char| c.is_whitespace() || "\"'`,;<>|".contains(c)) {
            let word = piece.trim_end_matches(|c: char| c.is_whitespace() || "\"'`,;<>|".contains(c));
            let end = &piece[word.len()..];
            if word.is_empty() {
                out.push_str(end);
                continue;
            }
            let hide = std::mem::take(&mut hide_next);
            let after_name = std::mem::take(&mut named);
            if hide || is_credential(word) {
                out.push_str(HIDDEN);
            } else if after_name && matches!(word, ":" | "=") {
                hide_next = true;
                out.push_str(word);
            } else if let Some(name) = named_value(word, after_name) {
                out.push_str(name);
                out.push_str(HIDDEN);
            } else if let Some(plain) = without_login(word) {
                out.push_str(&plain);
            } else {
                hide_next = matches!(word.to_ascii_lowercase().as_str(), "bearer" | "basic")
                    || word.strip_suffix([':', '=']).is_some_and(is_secret_name)
                    || (word.starts_with('-') && is_secret_name(word));
                named = is_secret_name(word);
                out.push_str(word);
            }
            out.push_str(end);
        }
        for own in self.own.iter().filter(|own| !own.expose().is_empty()) {
            if out.contains(own.expose().as_str()) {
                out = out.replace(own.expose().as_str(), HIDDEN);
            }
        }
        if let Some(at) = out.find("-----BEGIN ").filter(|at| out[*at..].contains("PRIVATE KEY")) {
            out.truncate(at);
            out.push_str(HIDDEN);
        }
        out
    }
}

/// The part of `name=value` or `name:value` before the value, when that is a secret's name; also of the later ones in
/// `…?a=1&name=value`. `after_name`: the name was the word before.
fn named_value(word: &str, after_name: bool) -> Option<&str> {
    let value_at = word.match_indices(['=', ':']).find(|(at, _)| {
        let before = &word[..*at];
        let name = before.rsplit(['?', '&', '=', ':']).next().unwrap_or_default();
        *at + 1 < word.len()
            && !word[at + 1..].starts_with("//")
            && (is_secret_name(name) || (before.is_empty() && after_name))
    });
    value_at.map(|(at, _)| &word[..=at])
}

/// Slack's tokens and webhook addresses.
fn is_credential(word: &str) -> bool {
    let token = ["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xoxe.", "xoxc-", "xoxd-", "xapp-"];
    token.iter().any(|mark| word.contains(mark))
        || ["hooks.slack.com/services/", "hooks.slack.com/triggers/", "hooks.slack.com/workflows/"]
            .iter()
            .any(|mark| word.contains(mark))
}

/// A URL without the user and password in it.
fn without_login(word: &str) -> Option<String> {
    let (scheme, rest) = word.split_once("://")?;
    let host_end = rest.find('/').unwrap_or(rest.len());
    let at = rest[..host_end].rfind('@')?;
    rest[..at].contains(':').then(|| format!("{scheme}://{HIDDEN}{}", &rest[at..]))
}

/// Whether a field or param of that name is to be kept secret.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let mut before = String::new();
    for word in words(name) {
        if WORDS.contains(&word.as_str())
            || ((word == "key" || word == "keys") && KEYS.contains(&before.as_str()))
            || (word == "kg" && before == "ipmi")
        {
            return true;
        }
        before = word;
    }
    false
}

/// `slack/bot-key` is `slack`, `bot`, `key`; `PasswordHash` is `password`, `hash`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && lower) {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        lower = c.is_lowercase() || c.is_numeric();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::{HIDDEN, Secrets, is_secret_name};
    use drp_plugin_sdk::{json, protocol::Secret};

    #[test]
    fn names_tell_secrets() {
        for name in [
            "ipmi/password",
            "PasswordHash",
            "Secret",
            "slack/bot-key",
            "apiToken",
            "API_KEY",
            "ipmi/kg",
            "packet/api-key",
            "db-credentials",
            "sshPrivateKey",
            "slack/webhook-url",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["Key", "Name", "keyboard", "bootdev", "tokenize", "cow/id", "Secretary", "monkey"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn secrets_go_and_the_rest_stays() {
        let secrets = Secrets {
            params: ["site/door".to_owned()].into(),
            own: vec![Secret::new("own-canary".to_owned())],
        };
        let sealed = json!({"Key": "a", "Nonce": "b", "Payload": "c"});
        let clean = secrets.clean(&json!({
            "Name": "m1", "Secret": "machine-secret", "HasPassword": true, "Token": "",
            "Params": {"ipmi/password": sealed, "odd": sealed, "site/door": {"pin": 1}, "site/rack": "r7", "list": [sealed]},
            "Text": "curl -H 'Authorization: Bearer abc' https://u:p@host/x xoxb-1-2-3 own-canary password=x secret: y end",
        }));
        assert_eq!(
            clean["Params"],
            json!({"ipmi/password": HIDDEN, "odd": HIDDEN, "site/door": HIDDEN, "site/rack": "r7", "list": [HIDDEN]})
        );
        assert_eq!((&clean["Name"], &clean["Secret"]), (&json!("m1"), &json!(HIDDEN)));
        assert_eq!((&clean["HasPassword"], &clean["Token"]), (&json!(true), &json!("")));
        assert_eq!(
            clean["Text"],
            "curl -H 'Authorization: Bearer (secret)' https://(secret)@host/x (secret) (secret) password=(secret) secret: (secret) end"
        );
        for (text, left) in [
            (
                r#"{"user": "root", "password": "hunter2", "port": 1}"#,
                r#"{"user": "root", "password": "(secret)", "port": 1}"#,
            ),
            (
                r#"{"user":"root","password":"hunter2","pin":1}"#,
                r#"{"user":"root","password":"(secret)","pin":1}"#,
            ),
            (r#"{"token":4711}"#, r#"{"token":(secret)"#),
            ("password:hunter2 password : hunter2", "password:(secret) password : (secret)"),
            ("https://h/x?a=1&api_key=hunter2", "https://h/x?a=1&api_key=(secret)"),
            (
                "at 12:34:56 https://secret.example/a the password was refused",
                "at 12:34:56 https://secret.example/a the password was refused",
            ),
        ] {
            assert_eq!(secrets.scrub(text), left);
        }
        let cut = format!("{}own-canary", "x ".repeat(497));
        let clean = secrets.clean(&json!({ "t": cut })).to_string();
        assert!(!clean.contains("own-"), "half a credential: {clean}");
        let key = "-----BEGIN RSA PRIVATE KEY-----\nMII".to_owned();
        assert_eq!(secrets.scrub(&key), HIDDEN);
    }

    #[test]
    fn big_values_are_cut() {
        let secrets = Secrets::default();
        let deep = (0..100).fold(json!("x"), |inner, _| json!([inner]));
        let clean =
            secrets.clean(&json!({"text": "x".repeat(1 << 20), "list": vec![0; 10_000], "deep": deep}));
        assert!(clean.to_string().len() < 4000, "{}", clean.to_string().len());
        assert_eq!(clean["list"][50], "… and 9950 more");
    }
}
