//! Whether objects may be used: what they refer to comes and goes (wire-protocol §2.4).
//!
//! An object that names something absent is kept, but it is not `Available` and `Errors` says why; a machine is not
//! `Runnable` then either. It becomes available again when the absent comes back. Objects of content layers are judged
//! like writable ones, in memory, since the store does not hold them.

use crate::{
    Objects, Result,
    checks::{Report, Subject},
    events::Happening,
    index::IndexValue,
    layers::revision_of,
    memory::{Row, Table},
    write::judge,
};
use serde_json::Value;
use std::sync::Arc;

/// Types that refer to others, in an order in which what is judged first matters to what comes later: a machine asks
/// whether its boot environment is available.
const REFERRING: [&str; 11] = [
    "bootenvs",
    "tasks",
    "profiles",
    "stages",
    "workflows",
    "roles",
    "users",
    "tenants",
    "pools",
    "reservations",
    "machines",
];

/// Which objects are judged anew.
enum Doubt<'a> {
    /// Those that are not available: something came.
    Unavailable,
    /// All: many things went.
    All,
    /// Those whose text holds a name: the object of that name went or changed.
    Naming(&'a str),
    /// Those of a layer that is new, and those that are not available.
    Layer(&'a str),
}

impl Doubt<'_> {
    fn concerns(&self, table: &Table, row: &Row) -> bool {
        let available = || {
            let value = table.kind.index("Available").and_then(|at| row.index.get(at));
            value == Some(&IndexValue::Bool(true))
        };
        match self {
            Self::All => true,
            Self::Unavailable => !available(),
            Self::Layer(name) => row.layer.as_deref() == Some(*name) || !available(),
            Self::Naming(name) => holds(&row.json, name),
        }
    }
}

/// Whether a JSON text holds a name. Names with characters that JSON escapes are taken to be anywhere.
fn holds(json: &[u8], name: &str) -> bool {
    let needle = name.as_bytes();
    needle.is_empty()
        || needle.iter().any(|b| matches!(b, b'"' | b'\\' | 0..0x20))
        || json.windows(needle.len()).any(|window| window == needle)
}

impl Objects {
    /// Judges anew the objects whose references may have come, or, with `lost`, gone.
    pub(crate) async fn reconsider(&self, lost: bool) -> Result<()> {
        self.judge_anew(&if lost { Doubt::All } else { Doubt::Unavailable }).await
    }

    /// As [`Objects::reconsider`], after a layer came.
    pub(crate) async fn reconsider_layer(&self, layer: &str, lost: bool) -> Result<()> {
        self.judge_anew(&if lost { Doubt::All } else { Doubt::Layer(layer) }).await
    }

    /// Judges anew what names an object that went or changed.
    pub(crate) async fn reconsider_users_of(&self, prefix: &str, key: &str) -> Result<()> {
        if crate::checks::REFERENCED.contains(&prefix) {
            self.judge_anew(&Doubt::Naming(key)).await?;
        }
        Ok(())
    }

    async fn judge_anew(&self, doubt: &Doubt<'_>) -> Result<()> {
        // Boot environments of layers whose verdict changed: what names them is judged anew too.
        let mut changed: Vec<Arc<str>> = Vec::new();
        for prefix in REFERRING {
            let Some(table) = self.inner.state.table(prefix) else { continue };
            let mut in_layers = Vec::new();
            for row in table.snapshot() {
                let concerned =
                    doubt.concerns(&table, &row) || changed.iter().any(|name| holds(&row.json, name));
                if !concerned || self.verdict(prefix, &row).is_none() {
                    continue;
                }
                if row.layer.is_some() {
                    in_layers.push(row);
                } else if let Err(error) = Box::pin(self.rewrite(prefix, &row.key)).await {
                    tracing::warn!(object = %row.key, prefix, %error, "could not judge an object anew");
                }
            }
            if !in_layers.is_empty() {
                if prefix == "bootenvs" {
                    changed.extend(in_layers.iter().map(|row| Arc::clone(&row.key)));
                }
                self.judge_in_layers(prefix, &table, in_layers).await;
            }
        }
        Ok(())
    }

    /// The errors that an object should show; none when it shows them.
    fn verdict(&self, prefix: &str, row: &Row) -> Option<Vec<String>> {
        let object = row.map();
        let mut report = Report::default();
        Subject { state: &self.inner.state, prefix, key: &row.key, object: &object }.examine(&mut report);
        let errors: Value = report.dangling.iter().map(String::as_str).collect();
        (object.get("Errors") != Some(&errors)).then_some(report.dangling)
    }

    async fn judge_in_layers(&self, prefix: &str, table: &Arc<Table>, rows: Vec<Arc<Row>>) {
        // No layer may change between the look and the new verdict.
        let _still = self.inner.topology.write().await;
        for old in rows {
            // It may have gone or changed while this waited.
            if !table.get(&old.key).is_some_and(|row| Arc::ptr_eq(&row, &old)) {
                continue;
            }
            let Some(errors) = self.verdict(prefix, &old) else { continue };
            let mut object = old.map();
            judge(&mut object, table.kind.raw, &errors);
            let mut row = Row::new(&table.kind, &old.key, &object, old.layer.clone());
            row.revision = revision_of(&row.json);
            let row = Arc::new(row);
            table.replace_under(Arc::clone(&row));
            self.inner.state.events.happened(Happening {
                kind: prefix.to_owned(),
                action: "update",
                key: row.key.to_string(),
                principal: "system".to_owned(),
                object: row.json.clone(),
                original: old.json.clone(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::holds;

    #[test]
    fn names_are_found_in_texts() {
        for (json, name, found) in [
            (r#"{"Tasks":["stage:mine"]}"#, "mine", true),
            (r#"{"Tasks":["stage:mine"]}"#, "other", false),
            ("{}", "", true),
            ("{}", "a\"b", true),
            ("", "x", false),
        ] {
            assert_eq!(holds(json.as_bytes(), name), found, "{json} {name}");
        }
    }
}
