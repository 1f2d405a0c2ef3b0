//! Content layers (wire-protocol §1.11, §2.5).

use crate::{
    Objects, Principal, Result,
    checks::{Report, Subject},
    events::Happening,
    fault::Fault,
    kept,
    memory::Row,
    secure,
    state::Layer,
    write::{judge, set},
};
use bytes::Bytes;
use drp_protocol::{Bundle, BundleSummary, JsonMap, SecureData};
use drp_store::{Batch, Op};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    hash::{Hash, Hasher},
    sync::{Arc, PoisonError},
};

/// Where a layer stands in the stack, highest priority first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LayerKind {
    /// Content uploaded by people.
    Dynamic,
    /// Content of a plugin provider.
    Plugin,
    /// Objects that must always be there; other layers may hide them.
    Basic,
}

impl LayerKind {
    /// How a layer is called in texts about clashes.
    fn label(self, name: &str) -> String {
        match self {
            Self::Dynamic => format!("dynamic-{name}"),
            Self::Plugin => format!("plugin-{name}"),
            Self::Basic => format!("basic-{name}"),
        }
    }

    /// The `Type` of a layer that does not say its own.
    fn word(self) -> &'static str {
        match self {
            Self::Dynamic => "dynamic",
            Self::Plugin => "plugin",
            Self::Basic => "basic",
        }
    }
}

const WRITABLE: &str = "writable-BackingStore";

impl Objects {
    /// Adds a read-only layer, or replaces the one of the same name. Its objects carry `ReadOnly` and `Bundle`; plain
    /// values of secure params are sealed. With `force`, writable objects with the same key are removed. Sections of
    /// unknown types are left out with a warning. A dynamic layer is durable: it is kept in the store, in the same
    /// batch that makes it seen, and is there again after the next [`Objects::open`].
    ///
    /// # Errors
    /// 422 `<prefix>:<key> in layer <new> would override layer <old>`, or an object that breaks its rules; `Store at
    /// content- has no Name metadata`; the store's own when it cannot write. Then nothing has changed.
    pub async fn put_layer(&self, bundle: Bundle, kind: LayerKind, force: bool) -> Result<BundleSummary> {
        self.place_layer(bundle, kind, force, kind == LayerKind::Dynamic).await
    }

    /// As [`Objects::put_layer`]; with `keep` the bundle goes to the store, values of secure params sealed.
    pub(crate) async fn place_layer(
        &self,
        bundle: Bundle,
        kind: LayerKind,
        force: bool,
        keep: bool,
    ) -> Result<BundleSummary> {
        let Bundle { mut meta, sections } = bundle;
        if meta.name.is_empty() {
            let text = "Store at content- has no Name metadata".to_owned();
            return Err(Fault::invalid("contents", "", vec![text]).into());
        }
        if meta.r#type.is_empty() {
            kind.word().clone_into(&mut meta.r#type);
        }
        meta.overwritable = kind == LayerKind::Basic;
        let name: Arc<str> = meta.name.as_str().into();
        let mut kept = Bundle { meta: meta.clone(), sections: BTreeMap::new() };
        let mut summary = BundleSummary { meta, ..BundleSummary::default() };
        let inner = &self.inner;
        let still = inner.topology.write().await;
        let mut removed = Vec::new();
        let mut rows: Vec<(Arc<crate::memory::Table>, Row)> = Vec::new();
        let mut ops = Vec::new();
        let mut new_keys = Vec::new();
        // Params first: whether values are sealed depends on the params of the same bundle.
        let secure_here = secure_params(&sections);
        for (prefix, objects) in sections {
            let Some(table) = inner.state.table(&prefix) else {
                summary.warnings.push(format!("{prefix}: objects of an unknown type were left out"));
                if keep {
                    kept.sections.insert(prefix, objects);
                }
                continue;
            };
            summary.counts.insert(prefix.clone(), i64::try_from(objects.len()).unwrap_or(i64::MAX));
            let mut section = BTreeMap::new();
            for (key, object) in objects {
                self.admit(kind, &name, &table, &key, force, &mut removed)?;
                let mut object = self.layer_object(&table, &key, object)?;
                self.seal_in_layer(&prefix, &key, &mut object, &secure_here, &mut ops, &mut new_keys)?;
                if keep {
                    section.insert(key.clone(), object.clone());
                }
                set(&mut object, "ReadOnly", Value::Bool(true));
                set(&mut object, "Bundle", name.to_string().into());
                judge(&mut object, table.kind.raw, &[]);
                rows.push((
                    Arc::clone(&table),
                    Row::new(&table.kind, &key, &object, Some(Arc::clone(&name))),
                ));
            }
            kept.sections.insert(prefix, section);
        }
        let present: std::collections::HashSet<(&str, &str)> =
            rows.iter().map(|(table, row)| (table.kind.prefix.as_str(), &*row.key)).collect();
        let lost = self.tables().iter().any(|table| {
            table.layer_keys(&name).iter().any(|key| !present.contains(&(table.kind.prefix.as_str(), &**key)))
        });
        drop(present);
        for (table, row) in &removed {
            ops.push(Op::delete(table.kind.prefix.as_str(), &*row.key));
        }
        if keep {
            ops.push(kept::put(&kept)?);
        } else if kind != LayerKind::Dynamic
            && self.layer(&name).is_some_and(|l| l.kind == LayerKind::Dynamic)
        {
            ops.push(kept::delete(&name));
        }
        let layer = Layer { name: Arc::clone(&name), kind, summary: summary.clone() };
        let state = Arc::clone(&inner.state);
        let apply = move || {
            for (key_name, key) in new_keys {
                state.keys.insert(key_name, key);
            }
            for (table, row) in removed {
                table.remove(&row.key);
                state.events.happened(Happening {
                    kind: table.kind.prefix.clone(),
                    action: "delete",
                    key: row.key.to_string(),
                    principal: "system".to_owned(),
                    object: row.json.clone(),
                    original: Bytes::new(),
                });
            }
            let tables: Vec<_> =
                state.tables.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
            for table in tables {
                table.remove_layer(&layer.name);
            }
            for (table, mut row) in rows {
                row.revision = revision_of(&row.json);
                table.put_under(kind, Arc::new(row));
            }
            let mut layers = state.layers.write().unwrap_or_else(PoisonError::into_inner);
            layers.retain(|l| l.name != layer.name);
            layers.push(layer);
            layers.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        };
        if ops.is_empty() {
            // Other layers live in memory: without secrets to keep there is nothing to write, and no flush at start.
            apply();
        } else {
            inner.store.submit(Batch::new(ops).then(move |_| apply())).await.map_err(Fault::from)?;
        }
        drop(still);
        self.seal_flipped(&secure_here).await?;
        self.reconsider_layer(&name, lost).await?;
        Ok(summary)
    }

    /// Removes a layer, from the store too. Gives its summary, or none when there is no such layer.
    ///
    /// # Errors
    /// 500 or 503 when the store fails; then the layer stays.
    pub async fn remove_layer(&self, name: &str) -> Result<Option<BundleSummary>> {
        let still = self.inner.topology.write().await;
        let Some(layer) = self.layer(name) else { return Ok(None) };
        let tables = self.tables();
        let (mut ops, mut secrets) = (Vec::new(), Vec::new());
        if layer.kind == LayerKind::Dynamic {
            ops.push(kept::delete(name));
        }
        let state = Arc::clone(&self.inner.state);
        for table in &tables {
            for key in table.layer_keys(name) {
                let secret = secure::Keys::name(&table.kind.prefix, &key);
                let elsewhere = table.get(&key).is_some_and(|row| row.layer.is_none())
                    || table.layers_with(&key).iter().any(|(_, other)| **other != *name);
                if !elsewhere && state.keys.get(&secret).is_some() {
                    ops.push(Op::delete(secure::SPACE, secret.as_str()));
                    secrets.push(secret);
                }
            }
        }
        let gone = Arc::clone(&layer.name);
        let apply = move || {
            let mut layers = state.layers.write().unwrap_or_else(PoisonError::into_inner);
            layers.retain(|l| l.name != gone);
            drop(layers);
            for table in tables {
                table.remove_layer(&gone);
            }
            for secret in secrets {
                state.keys.remove(&secret);
            }
        };
        if ops.is_empty() {
            apply();
        } else {
            self.inner.store.submit(Batch::new(ops).then(move |_| apply())).await.map_err(Fault::from)?;
        }
        drop(still);
        self.reconsider(true).await?;
        Ok(Some(layer.summary))
    }

    fn layer(&self, name: &str) -> Option<Layer> {
        let layers = self.inner.state.layers.read().unwrap_or_else(PoisonError::into_inner);
        layers.iter().find(|l| *l.name == *name).cloned()
    }

    /// Summaries of all layers in stack order.
    #[must_use]
    pub fn layers(&self) -> Vec<BundleSummary> {
        let layers = self.inner.state.layers.read().unwrap_or_else(PoisonError::into_inner);
        layers.iter().map(|l| l.summary.clone()).collect()
    }

    /// Whether an object of a new layer may have its key.
    fn admit(
        &self,
        kind: LayerKind,
        name: &str,
        table: &Arc<crate::memory::Table>,
        key: &str,
        force: bool,
        removed: &mut Vec<(Arc<crate::memory::Table>, Arc<Row>)>,
    ) -> Result<()> {
        let clash = |old: String| Fault::Override {
            prefix: table.kind.prefix.clone(),
            key: key.to_owned(),
            new: kind.label(name),
            old,
        };
        for (other_kind, other) in table.layers_with(key) {
            if *other != *name && other_kind != LayerKind::Basic && kind != LayerKind::Basic {
                return Err(clash(other_kind.label(&other)).into());
            }
        }
        if kind != LayerKind::Basic
            && let Some(row) = table.get(key).filter(|row| row.layer.is_none())
        {
            if !force {
                return Err(clash(WRITABLE.to_owned()).into());
            }
            removed.push((Arc::clone(table), row));
        }
        Ok(())
    }

    /// An object of a bundle in its exact field set. Its key is the section's, whatever the object says.
    fn layer_object(&self, table: &crate::memory::Table, key: &str, object: JsonMap) -> Result<JsonMap> {
        let prefix = table.kind.prefix.as_str();
        let invalid = |text: String| Fault::invalid(prefix, key, vec![format!("{key}: {text}")]);
        let mut object = (table.kind.normalise)(prefix, object).map_err(invalid)?;
        let own = table.kind.key(&object);
        if own.is_empty() {
            object.insert(table.kind.key_field.clone(), key.into());
        } else if own != key {
            return Err(invalid(format!("is stored under this key but calls itself {own}")).into());
        }
        if prefix == "params" {
            // Schemas of layers are compiled when they are first used: a hundred layers must not slow the start.
            return Ok(object);
        }
        if let Some(schema) = &table.kind.schema {
            let texts = schema.checker.violations(&Value::Object(object.clone()));
            if !texts.is_empty() {
                return Err(Fault::invalid(prefix, key, texts).into());
            }
        }
        let mut report = Report::default();
        Subject { state: &self.inner.state, prefix, key, object: &object }.examine(&mut report);
        if report.fatal.is_empty() {
            Ok(object)
        } else {
            Err(Fault::invalid(prefix, key, report.fatal).into())
        }
    }

    fn seal_in_layer(
        &self,
        prefix: &str,
        key: &str,
        object: &mut JsonMap,
        secure_here: &BTreeMap<String, bool>,
        ops: &mut Vec<Op>,
        new_keys: &mut Vec<(String, Arc<crypto_box::SecretKey>)>,
    ) -> Result<()> {
        let Some(Value::Object(params)) = object.get_mut("Params") else { return Ok(()) };
        let key_name = secure::Keys::name(prefix, key);
        let mut own = self.inner.state.keys.get(&key_name);
        for (name, value) in params.iter_mut() {
            let secure = match secure_here.get(name) {
                Some(secure) => *secure,
                None => self.inner.state.param(name).is_some_and(|def| def.secure),
            };
            if !secure || SecureData::is_sealed(value) {
                continue;
            }
            let with = match &own {
                Some(own) => Arc::clone(own),
                None => {
                    let fresh = Arc::new(secure::fresh_key()?);
                    ops.push(Op::put(secure::SPACE, key_name.as_str(), fresh.to_bytes().to_vec()));
                    new_keys.push((key_name.clone(), Arc::clone(&fresh)));
                    own = Some(Arc::clone(&fresh));
                    fresh
                }
            };
            *value = secure::seal(&with.public_key(), value)?;
        }
        Ok(())
    }

    /// Seals plain values that objects already hold for params that are secure now (wire-protocol §5).
    async fn seal_flipped(&self, params: &BTreeMap<String, bool>) -> Result<()> {
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
        for table in self.tables().into_iter().filter(|t| t.kind.has_params) {
            for row in table.snapshot() {
                let plain = |row: &Row| row.params().get(name).is_some_and(|v| !SecureData::is_sealed(v));
                if row.layer.is_some()
                    || !crate::checks::mentions(&table.kind, &row, "Params", name)
                    || !plain(&row)
                {
                    continue;
                }
                // Writing the object again seals it.
                let sealed = Box::pin(self.rewrite(&table.kind.prefix, &row.key)).await;
                if let Err(error) = sealed {
                    tracing::warn!(object = %row.key, param = name, %error, "a value of a secure param stays unsealed");
                }
            }
        }
        Ok(())
    }

    /// Writes an object again as it is, which seals, judges and publishes it anew.
    pub(crate) async fn rewrite(&self, prefix: &str, key: &str) -> Result<()> {
        let system = Principal::system();
        self.change(&system, prefix, key, crate::write::Verb::Save, |_, row| Ok(Some(row.map()))).await?;
        Ok(())
    }

    fn tables(&self) -> Vec<Arc<crate::memory::Table>> {
        self.inner.state.tables.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// Objects of layers are not in the store, so their revision is a digest of their text; the highest bit keeps it apart
/// from those of stored objects.
pub(crate) fn revision_of(json: &[u8]) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    json.hash(&mut hasher);
    hasher.finish() | 1 << 63
}

/// The params of a bundle and whether they are secure.
fn secure_params(sections: &BTreeMap<String, BTreeMap<String, JsonMap>>) -> BTreeMap<String, bool> {
    let secure = |object: &JsonMap| {
        object
            .iter()
            .any(|(name, value)| name.eq_ignore_ascii_case("Secure") && value.as_bool() == Some(true))
    };
    sections
        .get("params")
        .map(|p| p.iter().map(|(name, o)| (name.clone(), secure(o))).collect())
        .unwrap_or_default()
}
