//! Content layers (wire-protocol §1.11, §2.5): what they are, and what callers do with them.

use crate::{
    Objects, Result,
    fault::Fault,
    kept,
    memory::Table,
    secure,
    state::{Layer, Sections},
};
use drp_content::settle;
use drp_protocol::{Bundle, BundleMeta, BundleSummary, JsonMap, SecureData};
use drp_store::{Batch, Op};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
};

mod judge;
mod needs;
mod place;

pub(crate) use place::{Placing, revision_of};

/// Where a layer stands in the stack, highest priority first. The writable objects stand above all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LayerKind {
    /// The operator's own file, read at start: it may hide what may be hidden, and be hidden.
    Local,
    /// Content uploaded by people.
    Dynamic,
    /// Defaults from a file, read at start; other layers may hide them.
    Default,
    /// Content of a plugin provider.
    Plugin,
    /// Objects that must always be there; other layers may hide them.
    Basic,
}

impl LayerKind {
    /// The `Type` of such a layer, which texts about clashes put before its name.
    fn word(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Dynamic => "dynamic",
            Self::Default => "default",
            Self::Plugin => "plugin",
            Self::Basic => "basic",
        }
    }

    fn label(self, name: &str) -> String {
        format!("{}-{name}", self.word())
    }

    /// The name of a layer that there is once, and that comes from the daemon itself.
    fn own_name(self) -> Option<&'static str> {
        match self {
            Self::Local => Some("LocalStore"),
            Self::Default => Some("DefaultStore"),
            Self::Basic => Some("BasicStore"),
            Self::Dynamic | Self::Plugin => None,
        }
    }

    /// What a bundle says of itself, as a layer of this kind.
    fn settle(self, meta: &mut BundleMeta) {
        if let Some(name) = self.own_name() {
            name.clone_into(&mut meta.name);
        }
        // Uploaded content may offer defaults; no other type is for the uploader to choose.
        let own = self == Self::Dynamic && meta.r#type.trim() == "default";
        (if own { "default" } else { self.word() }).clone_into(&mut meta.r#type);
        settle(meta);
    }
}

/// The writable objects, as a layer.
const WRITABLE: &str = "BackingStore";
/// Types whose objects the daemon keeps itself, and no content brings.
const NO_CONTENT: [&str; 3] = ["jobs", "preferences", "users"];

impl Objects {
    /// Adds a read-only layer, or replaces the one of the same name. Its objects carry `ReadOnly` and `Bundle`; plain
    /// values of secure params are sealed. With `force`, writable objects with the same key are removed. Sections of
    /// unknown types wait, with a warning, until a plugin brings the type. A dynamic layer is durable: it is kept in
    /// the store, in the same batch that makes it seen, and is there again after the next [`Objects::open`].
    ///
    /// # Errors
    /// 422 `<prefix>:<key> in layer <new> would override layer <old>`, an object that breaks its rules, or a need that
    /// is not met (uploaded content only; that of providers and files gets warnings); 409 when other content needs what
    /// the new version no longer is; `Store at content- has no Name metadata`; the store's own when it cannot write.
    /// Then nothing has changed.
    pub async fn put_layer(&self, bundle: Bundle, kind: LayerKind, force: bool) -> Result<BundleSummary> {
        self.place_layer(bundle, Placing::fresh(kind, force)).await
    }

    /// Adds uploaded content.
    ///
    /// # Errors
    /// 409 `Content <name> already exists`, and as [`Objects::put_layer`].
    pub async fn create_content(&self, bundle: Bundle, force: bool) -> Result<BundleSummary> {
        let placing = Placing { present: Some(false), ..Placing::fresh(LayerKind::Dynamic, force) };
        self.place_layer(bundle, placing).await
    }

    /// Replaces uploaded content.
    ///
    /// # Errors
    /// 400 for another name, 404 `Cannot find <name>`, 409 for a layer that was not uploaded, and as
    /// [`Objects::put_layer`].
    pub async fn update_content(&self, name: &str, bundle: Bundle, force: bool) -> Result<BundleSummary> {
        let new = bundle.meta.name.trim();
        if new != name {
            let text = format!("Cannot change name from {name} to {new}");
            return Err(refused(400, "PUT", name, text).into());
        }
        let placing = Placing { present: Some(true), ..Placing::fresh(LayerKind::Dynamic, force) };
        self.place_layer(bundle, placing).await
    }

    /// Removes uploaded content and gives its last summary.
    ///
    /// # Errors
    /// 404 `No such content store`; 409 for a layer that was not uploaded, and `StillInUseError` when other content
    /// needs it.
    pub async fn remove_content(&self, name: &str) -> Result<BundleSummary> {
        let none = || refused(404, "DELETE", name, "No such content store".to_owned());
        only_uploaded("DELETE", name, self.layer(name).map(|l| l.kind))?;
        Ok(self.take_layer(name, true).await?.ok_or_else(none)?)
    }

    /// Removes a layer, from the store too, whoever needs it. Gives its summary, or none when there is no such layer.
    ///
    /// # Errors
    /// 500 or 503 when the store fails; then the layer stays.
    pub async fn remove_layer(&self, name: &str) -> Result<Option<BundleSummary>> {
        self.take_layer(name, false).await
    }

    async fn take_layer(&self, name: &str, unless_needed: bool) -> Result<Option<BundleSummary>> {
        let still = self.inner.topology.write().await;
        let Some(layer) = self.layer(name) else { return Ok(None) };
        if unless_needed {
            self.unneeded(name, None)?;
        }
        let summary = self.summary_of(&layer);
        let tables = self.tables();
        let (mut ops, mut secrets) = (Vec::new(), Vec::new());
        if layer.kind == LayerKind::Dynamic {
            ops.push(kept::delete(name));
        }
        for table in &tables {
            for key in table.layer_keys(name) {
                self.forget_key(table, &key, name, &mut ops, &mut secrets);
            }
        }
        let state = Arc::clone(&self.inner.state);
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
        Ok(Some(summary))
    }

    /// The secret key of an object that goes with its layer, unless the key is another layer's too.
    fn forget_key(
        &self,
        table: &Table,
        key: &str,
        layer: &str,
        ops: &mut Vec<Op>,
        secrets: &mut Vec<String>,
    ) {
        let secret = secure::Keys::name(&table.kind.prefix, key);
        let elsewhere = table.get(key).is_some_and(|row| row.layer.is_none())
            || table.layers_with(key).iter().any(|(_, other)| **other != *layer);
        if !elsewhere && self.inner.state.keys.get(&secret).is_some() {
            ops.push(Op::delete(secure::SPACE, secret.as_str()));
            secrets.push(secret);
        }
    }

    pub(crate) fn layer(&self, name: &str) -> Option<Layer> {
        self.all_layers().into_iter().find(|l| *l.name == *name)
    }

    fn all_layers(&self) -> Vec<Layer> {
        self.inner.state.layers.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Summaries of the read-only layers in stack order, with what is wrong with each of them now.
    #[must_use]
    pub fn layers(&self) -> Vec<BundleSummary> {
        self.all_layers().iter().map(|layer| self.summary_of(layer)).collect()
    }

    /// Summaries of the whole stack: the writable objects, then the layers (GET `/contents`).
    #[must_use]
    pub fn contents(&self) -> Vec<BundleSummary> {
        let mut all = vec![self.writable_summary()];
        all.extend(self.layers());
        all
    }

    /// One entry of [`Objects::contents`].
    #[must_use]
    pub fn content_summary(&self, name: &str) -> Option<BundleSummary> {
        if name == WRITABLE {
            return Some(self.writable_summary());
        }
        Some(self.summary_of(&self.layer(name)?))
    }

    /// A layer with all its objects, also those that another layer hides. Values of its secure params are opened; those
    /// of writable objects (`BackingStore`) stay sealed.
    #[must_use]
    pub fn content(&self, name: &str) -> Option<Bundle> {
        if name == WRITABLE {
            let meta = self.writable_summary().meta;
            let tables = self.tables().into_iter().filter(|t| !NO_CONTENT.contains(&t.kind.prefix.as_str()));
            let sections = tables.filter_map(|table| {
                let rows = table.snapshot().into_iter().filter(|row| row.layer.is_none());
                let objects: BTreeMap<_, _> = rows.map(|row| (row.key.to_string(), row.map())).collect();
                (!objects.is_empty()).then(|| (table.kind.prefix.clone(), objects))
            });
            return Some(Bundle { meta, sections: sections.collect() });
        }
        Some(self.bundle_of(&self.layer(name)?, true))
    }

    /// The bundle that a layer was made from.
    fn bundle_of(&self, layer: &Layer, opened: bool) -> Bundle {
        let mut sections: Sections = (*layer.waiting).clone();
        for prefix in layer.counts.keys() {
            let Some(table) = self.inner.state.table(prefix) else { continue };
            let section = sections.entry(prefix.clone()).or_default();
            for row in table.layer_rows(&layer.name) {
                let mut object = row.map();
                if opened {
                    self.open_params(prefix, &row.key, &mut object);
                }
                section.insert(row.key.to_string(), object);
            }
        }
        Bundle { meta: layer.meta.clone(), sections }
    }

    /// Opens the sealed values of an object; one that cannot be opened stays as it is.
    fn open_params(&self, prefix: &str, key: &str, object: &mut JsonMap) {
        let Some(own) = self.inner.state.keys.get(&secure::Keys::name(prefix, key)) else { return };
        let Some(Value::Object(params)) = object.get_mut("Params") else { return };
        for value in params.values_mut().filter(|value| SecureData::is_sealed(value)) {
            if let Ok(plain) = secure::open(&own, value) {
                *value = plain;
            }
        }
    }

    fn writable_summary(&self) -> BundleSummary {
        let mut meta = BundleMeta {
            name: WRITABLE.to_owned(),
            version: "user".to_owned(),
            description: "Writable backing store".to_owned(),
            ..BundleMeta::default()
        };
        settle(&mut meta);
        let counts = self.tables().into_iter().filter_map(|table| {
            let count = table.writable();
            (count > 0).then(|| (table.kind.prefix.clone(), i64::try_from(count).unwrap_or(i64::MAX)))
        });
        BundleSummary { meta, counts: counts.collect(), warnings: Vec::new() }
    }

    fn summary_of(&self, layer: &Layer) -> BundleSummary {
        let mut warnings: Vec<String> = layer
            .waiting
            .keys()
            .map(|prefix| match self.inner.state.table(prefix) {
                None => format!("{prefix}: objects of an unknown type were left out"),
                Some(_) => {
                    format!("{prefix}: objects that do not fit their type were left out; the log says why")
                }
            })
            .collect();
        warnings.extend(layer.notes.iter().cloned());
        warnings.extend(self.unmet(&layer.meta));
        warnings.extend(self.unavailable(layer));
        BundleSummary { meta: layer.meta.clone(), counts: layer.counts.clone(), warnings }
    }

    pub(crate) fn tables(&self) -> Vec<Arc<Table>> {
        self.inner.state.tables.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// An answer about content as a whole.
fn refused(code: u16, kind: &'static str, name: &str, text: String) -> Fault {
    Fault::Refused { kind, model: "contents".to_owned(), key: name.to_owned(), messages: vec![text], code }
}

/// Layers of providers go with their provider, those of files and the daemon's own with the daemon.
fn only_uploaded(method: &'static str, name: &str, kind: Option<LayerKind>) -> Result<(), Fault> {
    let word = match kind {
        None if name == WRITABLE => "writable",
        None | Some(LayerKind::Dynamic) => return Ok(()),
        Some(other) => other.word(),
    };
    let text = format!("{name} is a {word} layer and cannot be changed here");
    Err(refused(409, method, name, text))
}
