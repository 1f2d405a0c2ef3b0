//! What a change of layers means for what is there: values that must be sealed now, objects that can be taken in now.

use super::LayerKind;
use crate::{
    Objects, Principal, Result,
    index::IndexValue,
    layers::Placing,
    memory::{Row, Table},
    state::Layer,
};
use drp_protocol::SecureData;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// At most so many texts about objects of one layer.
const TOLD: usize = 20;

impl Objects {
    /// Seals plain values that objects already hold for params that are secure now (wire-protocol §5).
    pub(super) async fn seal_flipped(&self, params: &BTreeMap<String, bool>) -> Result<()> {
        for (name, _) in params.iter().filter(|(_, secure)| **secure) {
            self.seal_values_of(name).await?;
        }
        Ok(())
    }

    /// After a write to a Param: values stored for it are sealed when it is secure.
    pub(crate) async fn after_param_change(&self, prefix: &str, key: &str) -> Result<()> {
        if prefix == "params" && self.inner.state.param(key).is_some_and(|def| def.secure) {
            Box::pin(self.seal_values_of(key)).await?;
        }
        Ok(())
    }

    async fn seal_values_of(&self, name: &str) -> Result<()> {
        let mut layers = BTreeSet::new();
        for table in self.tables().into_iter().filter(|t| t.kind.has_params) {
            let plain = |row: &Row| {
                crate::checks::mentions(&table.kind, row, "Params", name)
                    && row.params().get(name).is_some_and(|v| !SecureData::is_sealed(v))
            };
            layers.extend(table.all_layer_rows().iter().filter(|r| plain(r)).filter_map(|r| r.layer.clone()));
            for row in table.snapshot().into_iter().filter(|row| row.layer.is_none() && plain(row)) {
                // Writing the object again seals it.
                let sealed = Box::pin(self.rewrite(&table.kind.prefix, &row.key)).await;
                if let Err(error) = sealed {
                    tracing::warn!(object = %row.key, param = name, %error, "a value of a secure param stays unsealed");
                }
            }
        }
        for layer in layers {
            if let Err(error) = Box::pin(self.place_again(&layer)).await {
                tracing::warn!(content = %layer, param = name, %error, "a value of a secure param stays unsealed");
            }
        }
        Ok(())
    }

    /// Puts a layer in its own place once more, which seals what must be sealed and takes in what waited.
    async fn place_again(&self, name: &str) -> Result<()> {
        let Some(layer) = self.layer(name) else { return Ok(()) };
        let bundle = self.bundle_of(&layer, false);
        self.place_layer(bundle, Placing::again(layer.kind, layer.kind == LayerKind::Dynamic)).await?;
        Ok(())
    }

    /// Takes in the objects that waited in layers for these types to be known.
    pub(crate) async fn types_came(&self, prefixes: &[String]) {
        let waits = |layer: &Layer| prefixes.iter().any(|prefix| layer.waiting.contains_key(prefix));
        for layer in self.all_layers().iter().filter(|l| waits(l)) {
            if let Err(error) = Box::pin(self.place_again(&layer.name)).await {
                tracing::warn!(content = %layer.name, %error, "objects of a new type do not fit; they go on waiting");
            }
        }
    }

    /// Writes an object again as it is, which seals, judges and publishes it anew.
    pub(crate) async fn rewrite(&self, prefix: &str, key: &str) -> Result<()> {
        let system = Principal::system();
        self.change(&system, prefix, key, crate::write::Verb::Save, |_, row| Ok(Some(row.map()))).await?;
        Ok(())
    }

    /// Judges everything anew, for instance once all layers are in after a start.
    ///
    /// # Errors
    /// None so far; objects that cannot be written are named in the log.
    pub async fn rejudge(&self) -> Result<()> {
        self.reconsider(true).await
    }

    /// What is wrong with the objects of a layer.
    pub(super) fn unavailable(&self, layer: &Layer) -> Vec<String> {
        let mut out = Vec::new();
        let tables = layer.counts.keys().filter_map(|prefix| self.inner.state.table(prefix));
        for table in tables.filter(|table| !table.kind.raw) {
            for row in table.layer_rows(&layer.name).iter().filter(|row| !available(&table, row)) {
                if out.len() == TOLD {
                    out.push("and more".to_owned());
                    return out;
                }
                let map = row.map();
                let errors = map.get("Errors").and_then(Value::as_array).into_iter().flatten();
                let prefix = &table.kind.prefix;
                let text =
                    |error: &str| match error.strip_prefix(&*row.key).and_then(|e| e.strip_prefix(": ")) {
                        Some(rest) => format!("{prefix}:{}: {rest}", row.key),
                        None => format!("{prefix}:{}: {error}", row.key),
                    };
                out.extend(errors.filter_map(Value::as_str).map(text));
            }
        }
        out
    }
}

fn available(table: &Table, row: &Row) -> bool {
    table.kind.index("Available").and_then(|at| row.index.get(at)) == Some(&IndexValue::Bool(true))
}
