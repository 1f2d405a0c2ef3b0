//! Opening: everything from the store into memory, and what must always be there (wire-protocol §2.5, §3.2).

use crate::bus::Bounds;
use crate::{
    EventBus, LayerKind, LogBuffer, Objects, Options, Principal, Result,
    fault::Fault,
    kept,
    kind::Kind,
    kinds,
    layers::Placing,
    locks::KeyLocks,
    memory::{Row, Table},
    objects::Inner,
    secure,
    state::State,
};
use drp_protocol::{Bundle, JsonMap};
use drp_store::{Scan, Store};
use serde_json::json;
use std::sync::Arc;

/// Reads all objects of a type.
pub(crate) fn load(store: &dyn Store, kind: Arc<Kind>) -> Result<Table, Fault> {
    let table = Table::new(Arc::clone(&kind));
    each(store, &kind.prefix, |key, revision, value| {
        let object: JsonMap = serde_json::from_slice(value).map_err(|e| {
            Fault::Store(format!("{}/{key} in the store is not a JSON object: {e}", kind.prefix), false)
        })?;
        let mut row = Row::new(&kind, key, &object, None);
        row.revision = revision;
        table.put(Arc::new(row));
        Ok(())
    })?;
    Ok(table)
}

fn each(
    store: &dyn Store,
    space: &str,
    mut visit: impl FnMut(&str, u64, &[u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut scan = Scan::all();
    loop {
        let page = store.scan(space, &scan)?;
        for record in &page {
            visit(&record.key, record.revision, &record.value)?;
        }
        match page.last() {
            Some(last) if page.len() >= scan.limit => scan.after = Some(last.key.clone()),
            _ => return Ok(()),
        }
    }
}

impl Objects {
    /// Opens the engine over a store: loads everything, adds the basic layer (wire-protocol §2.5) and the uploaded
    /// ones that the store keeps, the profile `global`, the preferences and, when there are no users, the first one.
    ///
    /// # Errors
    /// 500 when the store cannot be read or written.
    pub async fn open(store: Arc<dyn Store>, options: Options) -> Result<Self> {
        let events = Arc::new(EventBus::new(Bounds {
            queue: options.event_capacity,
            history: options.event_history,
            history_bytes: options.event_history_bytes,
        }));
        let state = Arc::new(State::new(Arc::clone(&events)));
        let (reading, into) = (Arc::clone(&store), Arc::clone(&state));
        let kept = tokio::task::spawn_blocking(move || read_all(&*reading, &into))
            .await
            .map_err(|e| Fault::Store(format!("reading the store did not end well: {e}"), false))??;
        let logs = LogBuffer::new(options.log_lines, Arc::clone(&events));
        let inner = Inner {
            store,
            options,
            state,
            locks: KeyLocks::new(),
            topology: Arc::default(),
            powers: Arc::default(),
            events,
            logs,
        };
        let objects = Self { inner: Arc::new(inner) };
        objects.put_layer(basic_layer(), LayerKind::Basic, false).await?;
        for bundle in kept {
            let name = bundle.meta.name.clone();
            if let Err(error) = objects.place_layer(bundle, Placing::again(LayerKind::Dynamic, false)).await {
                tracing::error!(content = name, %error, "kept content no longer fits; it is left out");
            }
        }
        objects.first_things().await?;
        Ok(objects)
    }

    /// What a fresh store lacks.
    async fn first_things(&self) -> Result<()> {
        let system = Principal::system();
        if self.resolve("profiles", "global").is_none() {
            let global = json!({
                "Name": "global",
                "Description": "Global profile attached automatically to all machines.",
                "Meta": {"color": "blue", "icon": "world", "title": "Digital Rebar Provision"},
            });
            self.create(&system, "profiles", global).await?;
        }
        self.first_prefs().await?;
        if self.count("users") == 0
            && let Some(first) = self.inner.options.first_user.clone()
        {
            let user = json!({"Name": first.name, "Roles": ["superuser"]});
            self.create(&system, "users", user).await?;
            self.set_password(&system, &first.name, &first.password).await?;
        }
        Ok(())
    }
}

/// Fills the memory and gives the kept bundles.
fn read_all(store: &dyn Store, state: &State) -> Result<Vec<Bundle>, Fault> {
    for kind in kinds::built_in() {
        state.insert(Arc::new(load(store, Arc::new(kind))?));
    }
    each(store, secure::SPACE, |name, _, value| {
        if !secure::Keys::is_name(name) {
            state.hide(name.to_owned(), Some(String::from_utf8_lossy(value).into_owned()));
        } else if let Some(key) = secure::stored_key(value) {
            state.keys.insert(name.to_owned(), Arc::new(key));
        }
        Ok(())
    })?;
    let mut bundles = Vec::new();
    each(store, kept::SPACE, |name, _, value| {
        bundles.extend(kept::read(name, value));
        Ok(())
    })?;
    Ok(bundles)
}

/// Objects that must always be there.
fn basic_layer() -> Bundle {
    let bundle = json!({
        "meta": {
            "Name": "BasicStore",
            "Description": "Default objects that must be present",
            "Version": "v1.0.0",
            "Type": "basic",
        },
        "sections": {
            "bootenvs": {
                "ignore": {
                    "Name": "ignore",
                    "Description": "The boot environment you should use to have unknown machines boot off their local hard drive",
                    "OS": {"Name": "ignore"},
                    "OnlyUnknown": true,
                    "Meta": {"color": "green", "feature-flags": "change-stage-v2", "icon": "circle thin", "title": "Digital Rebar Provision"},
                },
                "local": {
                    "Name": "local",
                    "Description": "The boot environment you should use to have known machines boot off their local hard drive",
                    "OS": {"Name": "local"},
                    "Meta": {"color": "green", "feature-flags": "change-stage-v2", "icon": "radio", "title": "Digital Rebar Provision"},
                },
            },
            "stages": {
                "none": {
                    "Name": "none",
                    "Description": "Noop / Nothing stage",
                    "Meta": {"color": "green", "icon": "circle thin", "title": "Digital Rebar Provision"},
                },
                "local": {
                    "Name": "local",
                    "BootEnv": "local",
                    "Description": "Stage to boot into the local BootEnv.",
                    "Meta": {"color": "green", "icon": "radio", "title": "Digital Rebar Provision"},
                },
            },
            "roles": {
                "superuser": {
                    "Name": "superuser",
                    "Description": "May do everything",
                    "Claims": [{"scope": "*", "action": "*", "specific": "*"}],
                },
            },
            "params": {
                "pxelinux-local-boot": {
                    "Name": "pxelinux-local-boot",
                    "Description": "The method pxelinux should use to try to boot to the local disk",
                    "Schema": {"type": "string", "default": "localboot 0"},
                },
            },
        },
    });
    serde_json::from_value::<Bundle>(bundle).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::basic_layer;

    #[test]
    fn the_basic_layer_decodes() {
        let bundle = basic_layer();
        assert_eq!((bundle.meta.name.as_str(), bundle.sections.len()), ("BasicStore", 4));
    }
}
