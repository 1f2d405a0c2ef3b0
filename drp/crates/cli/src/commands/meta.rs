//! Annotations of objects.

use super::{Context, objects};
use crate::grammar::{MetaArgs, MetaVerb};
use crate::{Exit, Failure, hints};
use drp_client::Patch;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(crate) async fn run(cx: &Context<'_>, prefix: &str, args: MetaArgs) -> Result<(), Failure> {
    match args.verb {
        None => {
            let meta = read(cx, prefix, &args.id.unwrap_or_default()).await?;
            cx.printer.value(&json!(meta))
        }
        Some(MetaVerb::Get { id, words }) => {
            let key = key(&words)?;
            let meta = read(cx, prefix, &id).await?;
            match meta.get(key) {
                Some(text) => cx.printer.value(&Value::String(text.clone())),
                None => Err(absent(prefix, &id, key, &meta)),
            }
        }
        Some(MetaVerb::Set { id, words }) => {
            let (key, value) = key_and_value(&words)?;
            let meta = read(cx, prefix, &id).await?;
            let at = pointer(key);
            let patch = match meta.get(key) {
                Some(old) => Patch::new().test(&at, old.clone()).replace(at, value),
                None => Patch::new().add(at, value),
            };
            change(cx, prefix, &id, &patch).await
        }
        Some(MetaVerb::Add { id, words }) => {
            let (key, value) = key_and_value(&words)?;
            if read(cx, prefix, &id).await?.contains_key(key) {
                return Err(Failure::new(
                    Exit::Refused,
                    format!("{prefix}/{id} has an annotation {key} already"),
                )
                .hint(format!("replace it with `drp {prefix} meta set {id} {key} VALUE`")));
            }
            change(cx, prefix, &id, &Patch::new().add(pointer(key), value)).await
        }
        Some(MetaVerb::Remove { id, words }) => {
            let key = key(&words)?;
            let meta = read(cx, prefix, &id).await?;
            let Some(old) = meta.get(key) else { return Err(absent(prefix, &id, key, &meta)) };
            let at = pointer(key);
            change(cx, prefix, &id, &Patch::new().test(&at, old.clone()).remove(at)).await
        }
    }
}

async fn read(cx: &Context<'_>, prefix: &str, id: &str) -> Result<BTreeMap<String, String>, Failure> {
    objects::known(cx, prefix, id, cx.client.meta(prefix, id).await).await
}

async fn change(cx: &Context<'_>, prefix: &str, id: &str, patch: &Patch) -> Result<(), Failure> {
    if cx.dry("PATCH", &format!("meta/{prefix}/{id}"), &json!(patch))? {
        return Ok(());
    }
    cx.printer.value(&json!(cx.client.patch_meta(prefix, id, patch).await?))
}

fn absent(prefix: &str, id: &str, key: &str, meta: &BTreeMap<String, String>) -> Failure {
    let failure = Failure::new(Exit::NotFound, format!("{prefix}/{id} has no annotation {key}"));
    match hints::did_you_mean(key, meta.keys().map(String::as_str)) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn pointer(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// `KEY VALUE`, also in the longer form `key KEY to VALUE` that params have.
fn key_and_value(words: &[String]) -> Result<(&str, &str), Failure> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["key", key, "to", value] | [key, value] => Ok((key, value)),
        _ => Err(Failure::usage("an annotation is written KEY VALUE, or key KEY to VALUE")),
    }
}

/// `KEY`, also as `key KEY`.
fn key(words: &[String]) -> Result<&str, Failure> {
    match words {
        [key] => Ok(key),
        [word, key] if word == "key" => Ok(key),
        _ => Err(Failure::usage("one annotation is named KEY, or key KEY")),
    }
}

#[cfg(test)]
mod tests {
    use super::{key, key_and_value};

    #[test]
    fn both_forms() {
        let words = |w: &[&str]| w.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        assert_eq!(key_and_value(&words(&["a", "b"])).unwrap(), ("a", "b"));
        assert_eq!(key_and_value(&words(&["key", "a", "to", "b"])).unwrap(), ("a", "b"));
        assert_eq!(key(&words(&["a"])).unwrap(), "a");
        assert_eq!(key(&words(&["key", "a"])).unwrap(), "a");
        assert!(key(&words(&["a", "b"])).is_err());
        assert_eq!(key_and_value(&words(&["key", "b"])).unwrap(), ("key", "b"));
        assert!(key_and_value(&words(&["a", "b", "c"])).is_err());
    }
}
