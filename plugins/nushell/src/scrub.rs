//! What must not show in logs, errors and events: the values of secure settings.

use base64::Engine as _;
use drp_plugin_sdk::Value;
use std::collections::BTreeSet;

/// What stands in the place of a secret.
pub(crate) const HIDDEN: &str = "(secret)";
/// Shorter values are not looked for: they would be found everywhere, in texts that have nothing to do with them.
const SHORTEST: usize = 4;
/// Shortest line of a secret of several lines (a private key) that is looked for on its own.
const SHORTEST_LINE: usize = 8;

/// The secrets, longest first.
#[derive(Default)]
pub(crate) struct Secrets {
    texts: Vec<String>,
}

impl Secrets {
    /// The texts in these values, as they are, as JSON writes them, and in Base64.
    pub(crate) fn of<'a>(values: impl Iterator<Item = &'a Value>) -> Self {
        let mut found = BTreeSet::new();
        values.for_each(|value| collect(value, &mut found));
        let mut texts: Vec<String> = found.into_iter().collect();
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Self { texts }
    }

    /// Without the words that these schemas list (`enum`): everybody may know them, and `api_key` as the method of a
    /// login would hide that word in every text.
    pub(crate) fn except_words_of<'a>(mut self, schemas: impl Iterator<Item = &'a Value>) -> Self {
        let mut words = BTreeSet::new();
        schemas.for_each(|schema| listed(schema, &mut words));
        self.texts.retain(|text| !words.contains(text.as_str()));
        self
    }

    /// The text without them.
    pub(crate) fn scrub(&self, text: &str) -> String {
        self.texts.iter().fold(text.to_owned(), |text, secret| {
            if text.contains(secret.as_str()) { text.replace(secret.as_str(), HIDDEN) } else { text }
        })
    }

    /// A text of so many bytes at most, without secrets, nor the beginning of one at its end.
    pub(crate) fn scrub_and_cut(&self, text: &str, most: usize) -> String {
        let mut text = self.scrub(text);
        if text.len() > most {
            let longest = self.texts.first().map_or(0, String::len);
            let at = most.saturating_sub(longest);
            let end = (0..=at).rev().find(|n| text.is_char_boundary(*n)).unwrap_or(0);
            text.truncate(end);
            text.push_str(" … (cut)");
        }
        text
    }
}

fn collect(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => add(text, found),
        Value::Number(number) => add(&number.to_string(), found),
        Value::Array(list) => list.iter().for_each(|value| collect(value, found)),
        Value::Object(map) => map.values().for_each(|value| collect(value, found)),
        Value::Null | Value::Bool(_) => {}
    }
}

fn listed<'a>(schema: &'a Value, words: &mut BTreeSet<&'a str>) {
    match schema {
        Value::Object(map) => {
            words.extend(
                map.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str),
            );
            map.values().for_each(|value| listed(value, words));
        }
        Value::Array(list) => list.iter().for_each(|value| listed(value, words)),
        _ => {}
    }
}

fn add(text: &str, found: &mut BTreeSet<String>) {
    let lines = text.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE);
    for text in std::iter::once(text.trim()).chain(lines).filter(|text| text.len() >= SHORTEST) {
        found.insert(text.to_owned());
        found.insert(base64::engine::general_purpose::STANDARD.encode(text));
        if let Ok(json) = serde_json::to_string(text) {
            found.insert(json.trim_matches('"').to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{HIDDEN, Secrets};
    use drp_plugin_sdk::json;

    #[test]
    fn secrets_are_hidden_in_every_form_and_line() {
        let key = "-----BEGIN KEY-----\nabcdefghijkl\n-----END KEY-----\n";
        let auth = json!({"api_key": "s3cr\"et", "pin": 12345, "short": "abc", "on": true});
        let secrets = Secrets::of([&auth, &json!([key])].into_iter());
        assert_eq!(secrets.scrub("key s3cr\"et."), format!("key {HIDDEN}."));
        assert_eq!(secrets.scrub(r#"{"k":"s3cr\"et"}"#), format!(r#"{{"k":"{HIDDEN}"}}"#));
        assert_eq!(secrets.scrub("czNjciJldA=="), HIDDEN);
        assert_eq!(secrets.scrub("line abcdefghijkl 12345"), format!("line {HIDDEN} {HIDDEN}"));
        assert_eq!(secrets.scrub("abc true"), "abc true");
        let auth = json!({"method": "api_key", "api_key": "s3cret"});
        let schema = json!({"properties": {"method": {"enum": ["api_key", "basic"]}}});
        let secrets = Secrets::of([&auth].into_iter()).except_words_of([&schema].into_iter());
        assert_eq!(secrets.scrub("the api_key s3cret"), format!("the api_key {HIDDEN}"));
    }

    #[test]
    fn no_part_of_a_secret_stays_where_a_text_is_cut() {
        let secrets = Secrets::of([&json!("hunter2hunter2")].into_iter());
        let text = format!("{}hunter2hunter2", "x".repeat(90));
        for most in 80..100 {
            let cut = secrets.scrub_and_cut(&text, most);
            assert!(!cut.contains("hun"), "{cut}");
        }
    }
}
