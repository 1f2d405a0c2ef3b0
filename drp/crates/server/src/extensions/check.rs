//! The settings of an extension against its own contract, before its plugin is configured (extensions §2).

use super::Extensions;
use drp_extensions::{Extension, ExtensionError, Problem, Registered};
use drp_protocol::JsonMap;
use drp_schemas::{Evaluator, SchemaError};
use serde_json::Value;
use std::time::Duration;

/// How often settings are offered to a busy evaluator.
const TRIES: usize = 20;
/// How long is waited between two tries.
const PAUSE: Duration = Duration::from_millis(500);
/// What stands in the place of a secret.
const HIDDEN: &str = "***";
/// Shortest line of a secret of several lines that is hidden on its own, in bytes.
const LINE: usize = 8;

impl Extensions {
    /// Checks the params of an extension's plugin as the settings that they are, and fills in what the contract says
    /// where nobody said anything. Params of other plugins are left alone.
    ///
    /// # Errors
    /// What is wrong, one text each, without values of settings that are secret.
    pub(crate) async fn check_settings(
        &self,
        provider: &str,
        params: &mut JsonMap,
    ) -> Result<(), Vec<String>> {
        let Some(record) = self.registry.of_plugin(provider) else { return Ok(()) };
        let settings: JsonMap = record
            .extension
            .settings
            .iter()
            .filter_map(|setting| {
                let value = params.get(&record.extension.param(&setting.name))?;
                Some((setting.name.clone(), value.clone()))
            })
            .collect();
        if record.extension.settings.is_empty() {
            return Ok(());
        }
        let evaluator = self.evaluator.as_ref().map_err(|why| vec![why.clone()])?;
        let mut tries = 0;
        let checked = loop {
            match Self::check(&record, &settings, evaluator).await {
                Err(ExtensionError::Schema(SchemaError::Busy { .. })) if tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                checked => break checked,
            }
        };
        match checked {
            Ok(checked) => {
                let own =
                    |name: &String| record.extension.settings.iter().any(|setting| setting.name == *name);
                for (name, value) in checked.into_iter().filter(|(name, _)| own(name)) {
                    params.insert(record.extension.param(&name), value);
                }
                Ok(())
            }
            Err(error) => Err(told(&record, &settings, &error)),
        }
    }

    async fn check(
        record: &Registered,
        settings: &JsonMap,
        evaluator: &Evaluator,
    ) -> Result<JsonMap, ExtensionError> {
        // The evaluator keeps what it knows of the files.
        let extension = Extension::open(&record.extension.root, evaluator).await?;
        extension.check_settings(settings, evaluator).await
    }
}

/// What is wrong, in words, without secrets.
fn told(record: &Registered, settings: &JsonMap, error: &ExtensionError) -> Vec<String> {
    let mut secrets = Vec::new();
    for setting in record.extension.settings.iter().filter(|setting| setting.secure) {
        if let Some(value) = settings.get(&setting.name) {
            leaves(value, &mut secrets);
        }
    }
    let texts: Vec<String> = match error.problems() {
        [] => vec![format!("the settings of {} cannot be checked: {error}", record.key())],
        problems => problems.iter().map(|problem| text(record, problem)).collect(),
    };
    hidden(texts, secrets)
}

fn hidden(texts: Vec<String>, mut secrets: Vec<String>) -> Vec<String> {
    // A secret may be part of another.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    texts
        .into_iter()
        .map(|text| secrets.iter().fold(text, |text, secret| text.replace(secret, HIDDEN)))
        .collect()
}

fn text(record: &Registered, problem: &Problem) -> String {
    // The text of the settings was made here: its lines tell nobody anything.
    if problem.path == "settings" {
        let hint = if problem.hint.is_empty() { String::new() } else { format!("; {}", problem.hint) };
        return format!("settings of {}: {}{hint}", record.key(), problem.message);
    }
    format!("{}: {problem}", record.key())
}

/// The texts and numbers in a value. Texts also as an error quotes them, and their longer lines, as of a private key.
fn leaves(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) if !text.is_empty() => {
            let lines = text.lines().map(str::trim).filter(|line| line.len() >= LINE);
            for text in std::iter::once(text.as_str()).chain(lines) {
                let quoted = Value::from(text).to_string();
                out.extend([text.to_owned(), quoted[1..quoted.len() - 1].to_owned()]);
            }
        }
        Value::Number(number) => out.push(number.to_string()),
        Value::Array(list) => list.iter().for_each(|item| leaves(item, out)),
        Value::Object(map) => map.values().for_each(|item| leaves(item, out)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_hidden_as_they_are_and_as_errors_quote_them() {
        let mut secrets = Vec::new();
        leaves(&json!({"key": "-- BEGIN --\nabcdefgh\n", "list": ["hun\"ter", 4711]}), &mut secrets);
        let texts =
            [r#"got "hun\"ter""#, "hun\"ter", r#"got "-- BEGIN --\nabcdefgh\n""#, "line 2: abcdefgh", "4711"];
        let texts = hidden(texts.map(str::to_owned).into(), secrets);
        assert_eq!(texts, [r#"got "***""#, "***", r#"got "***""#, "line 2: ***", "***"]);
    }
}
