//! The engine itself.

use crate::{
    Fetched, Kind, LogBuffer, Options, Patch, Principal, Result,
    checks::users_of,
    fault::Fault,
    index::base_indexes,
    kind::KeyOf,
    locks::KeyLocks,
    memory::{Row, Table},
    powers::POWERS,
    state::State,
    write::Verb,
};
use drp_protocol::{Index, JsonMap};
use drp_store::Store;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
};
use tokio::sync::RwLock;

/// The object engine. Clones share one engine.
#[derive(Clone)]
pub struct Objects {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) options: Options,
    pub(crate) state: Arc<State>,
    pub(crate) locks: KeyLocks,
    /// Writers of objects hold it for reading, changes of layers for writing.
    pub(crate) topology: Arc<RwLock<()>>,
    /// Held while it changes who may do what; taken before all other locks.
    pub(crate) powers: Arc<tokio::sync::Mutex<()>>,
    pub(crate) events: Arc<crate::EventBus>,
    pub(crate) logs: LogBuffer,
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Objects").field("store", &self.inner.store.location()).finish_non_exhaustive()
    }
}

impl Objects {
    /// The prefixes of GET `/objects`, sorted (wire-protocol §3.9).
    #[must_use]
    pub fn prefixes(&self) -> Vec<String> {
        let tables = self.inner.state.tables.read().unwrap_or_else(PoisonError::into_inner);
        tables.values().filter(|t| t.kind.listed).map(|t| t.kind.prefix.clone()).collect()
    }

    /// What is known about a type; none for an unknown prefix.
    #[must_use]
    pub fn kind(&self, prefix: &str) -> Option<Arc<Kind>> {
        self.inner.state.table(prefix).map(|table| Arc::clone(&table.kind))
    }

    /// How many objects there are of a type.
    #[must_use]
    pub fn count(&self, prefix: &str) -> usize {
        self.inner.state.table(prefix).map_or(0, |table| table.len())
    }

    /// The index table of a prefix; an unknown prefix has the base indexes (wire-protocol §3.5, §3.9).
    #[must_use]
    pub fn indexes(&self, prefix: &str) -> BTreeMap<String, Index> {
        let shown = |defs: &[crate::index::IndexDef]| {
            defs.iter().filter(|d| !d.internal).map(|d| (d.name.clone(), d.shown())).collect()
        };
        match self.kind(prefix) {
            Some(kind) => shown(&kind.indexes),
            None => shown(&base_indexes()),
        }
    }

    /// Registers the types of a provider's `StoreObjects` (wire-protocol §1.11). Known raw types are redefined.
    ///
    /// # Errors
    /// 422 when a field table is not an object or names a built-in type; 500 when the store cannot be read.
    pub async fn register_types(&self, store_objects: &JsonMap) -> Result<()> {
        let mut came = Vec::new();
        for (prefix, fields) in store_objects {
            let invalid = |text: String| Fault::invalid("store_objects", prefix, vec![text]);
            let fits = !prefix.is_empty()
                && prefix.len() <= 64
                && prefix.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
            if !fits {
                return Err(invalid(format!("Invalid type name `{prefix}`")).into());
            }
            let kind = Arc::new(crate::raw::kind(prefix, fields).map_err(invalid)?);
            let known = self.inner.state.table(prefix);
            let table = match known {
                Some(table) if !table.kind.raw || crate::claims::is_built_in(prefix) => {
                    return Err(invalid(format!("{prefix} is a built-in type")).into());
                }
                Some(table) if table.kind.declared == kind.declared => continue,
                Some(_) => {
                    // No write may be under way to the table that goes.
                    let _still = self.inner.topology.write().await;
                    let table = self.inner.state.known_table(prefix)?;
                    self.inner.state.insert(Arc::new(table.redefined(kind)));
                    continue;
                }
                None if crate::claims::is_built_in(prefix) => {
                    return Err(invalid(format!("{prefix} is a built-in type")).into());
                }
                None => Arc::new(crate::open::load(&*self.inner.store, kind)?),
            };
            self.inner.state.insert(table);
            came.push(prefix.clone());
        }
        self.types_came(&came).await;
        Ok(())
    }

    pub(crate) fn table(&self, prefix: &str) -> Result<Arc<Table>> {
        Ok(self.inner.state.known_table(prefix)?)
    }

    pub(crate) fn found(&self, prefix: &str, id: &str, word: &'static str) -> Result<(Arc<Table>, Arc<Row>)> {
        let table = self.table(prefix)?;
        let row = table.find(id).ok_or_else(|| Fault::not_found(word, prefix, id))?;
        Ok((table, row))
    }

    /// The key of the object that `id` names: the key itself or `UniqueIndex:value` (wire-protocol §3.4).
    #[must_use]
    pub fn resolve(&self, prefix: &str, id: &str) -> Option<String> {
        self.inner.state.table(prefix)?.find(id).map(|row| row.key.to_string())
    }

    /// One object.
    ///
    /// # Errors
    /// 404 `GET` `Not Found`.
    pub fn get(&self, prefix: &str, id: &str) -> Result<Fetched> {
        Ok(self.found(prefix, id, "GET")?.1.fetched())
    }

    /// Creates an object and publishes `create`.
    ///
    /// # Errors
    /// `CREATE` 400 and 409, `ValidationError` 422 (wire-protocol §3.4).
    pub async fn create(&self, who: &Principal, prefix: &str, body: Value) -> Result<Fetched> {
        let table = self.table(prefix)?;
        let mut object = self.decode(&table, "", body, "CREATE", 400)?;
        self.inner.assign_key(&table, &mut object)?;
        let key = table.kind.key(&object);
        if key.is_empty() {
            return Err(Fault::EmptyKey { model: prefix.to_owned() }.into());
        }
        let powers = POWERS.contains(&prefix) || who.claims.is_confined();
        let turn = self.inner.turn_of(prefix, &key, powers).await;
        self.check_powers(who, prefix, None, &object)?;
        if table.contains(&key) {
            return Err(Fault::Exists { model: prefix.to_owned(), key }.into());
        }
        self.check_last(prefix, &key, "CREATE", Some(&object))?;
        let mut prepared = self.inner.prepare(&table, &key, object, None, Verb::Create)?;
        prepared.followers = self.inner.joining(who, prefix, &key)?;
        let created = self.inner.commit(who, &table, prepared, None, Verb::Create, turn).await?;
        self.after_param_change(prefix, &created.key).await?;
        if crate::checks::REFERENCED.contains(&prefix) {
            self.reconsider(false).await?;
        }
        Ok(created)
    }

    /// Replaces an object and publishes `update`.
    ///
    /// # Errors
    /// 400 for a changed key, 404, 422.
    pub async fn replace(&self, who: &Principal, prefix: &str, id: &str, body: Value) -> Result<Fetched> {
        self.replace_with(who, prefix, id, body, false).await
    }

    /// As [`Objects::replace`]; with `force`, a machine may leave tasks undone (wire-protocol §3.4).
    ///
    /// # Errors
    /// As [`Objects::replace`].
    pub async fn replace_with(
        &self,
        who: &Principal,
        prefix: &str,
        id: &str,
        body: Value,
        force: bool,
    ) -> Result<Fetched> {
        let mut body = Some(body);
        self.change_with(who, prefix, id, Verb::Replace, force, |table, row| {
            let object = self.decode(table, &row.key, body.take().unwrap_or_default(), "PUT", 400)?;
            Ok(Some(object))
        })
        .await
    }

    /// Applies an RFC 6902 patch and publishes `update`.
    ///
    /// # Errors
    /// 404, `PATCH` 406 and 409, 422.
    pub async fn patch(&self, who: &Principal, prefix: &str, id: &str, patch: &Patch) -> Result<Fetched> {
        self.change_with(who, prefix, id, Verb::Patch, patch.force, |table, row| {
            let mut document = Value::Object(row.map());
            patch.apply(&mut document).map_err(|fault| Fault::PatchFailed {
                model: prefix.to_owned(),
                key: row.key.to_string(),
                messages: vec![
                    format!("Patch error at line {}: {}", fault.line, fault.reason),
                    format!(
                        "Patch: {}",
                        patch.pretty(|name| self.inner.state.param(name).is_some_and(|def| def.secure))
                    ),
                ],
            })?;
            if patch.only_reads() {
                return Ok(None);
            }
            self.decode(table, &row.key, document, "PATCH", 406).map(Some)
        })
        .await
    }

    /// Changes an object from inside and publishes `save` (not `update`); unlike clients, the closure may set
    /// `PluginErrors`. When it changes nothing, nothing is written or published.
    ///
    /// # Errors
    /// 404, 422.
    pub async fn save(
        &self,
        who: &Principal,
        prefix: &str,
        id: &str,
        change: impl FnOnce(&mut JsonMap) + Send,
    ) -> Result<Fetched> {
        let mut change = Some(change);
        self.change(who, prefix, id, Verb::Save, |table, row| {
            let before = row.map();
            let mut object = before.clone();
            if let Some(change) = change.take() {
                change(&mut object);
            }
            if object == before {
                return Ok(None);
            }
            self.decode(table, &row.key, Value::Object(object), "SAVE", 422).map(Some)
        })
        .await
    }

    /// The common part of all changes to an object that exists: its turn, its new form, the rules, the commit.
    pub(crate) async fn change(
        &self,
        who: &Principal,
        prefix: &str,
        id: &str,
        verb: Verb,
        edit: impl FnOnce(&Table, &Row) -> Result<Option<JsonMap>> + Send,
    ) -> Result<Fetched> {
        self.change_with(who, prefix, id, verb, false, edit).await
    }

    async fn change_with(
        &self,
        who: &Principal,
        prefix: &str,
        id: &str,
        verb: Verb,
        force: bool,
        edit: impl FnOnce(&Table, &Row) -> Result<Option<JsonMap>> + Send,
    ) -> Result<Fetched> {
        let (table, row) = self.found(prefix, id, verb.word())?;
        let turn = self.inner.turn(prefix, &row.key).await;
        // It may have changed, or gone, while this waited.
        let row = table.get(&row.key).ok_or_else(|| Fault::not_found(verb.word(), prefix, id))?;
        let Some(mut object) = edit(&table, &row)? else { return Ok(row.fetched()) };
        let key = table.kind.key(&object);
        if *key != *row.key {
            let fault = Fault::KeyChange {
                kind: verb.word(),
                model: prefix.to_owned(),
                from: row.key.to_string(),
                to: key,
            };
            return Err(fault.into());
        }
        if prefix == "machines" && verb != Verb::Save {
            let locked = |object: &JsonMap| object.get("Locked").and_then(Value::as_bool).unwrap_or(false);
            if locked(&object) && locked(&row.map()) {
                let fault =
                    Fault::Locked { kind: verb.word(), model: prefix.to_owned(), key: row.key.to_string() };
                return Err(fault.into());
            }
        }
        if verb != Verb::Save {
            self.check_powers(who, prefix, Some(&row), &object)?;
            self.check_last(prefix, &key, verb.word(), Some(&object))?;
        }
        if prefix == "machines" && verb != Verb::Save {
            crate::lifecycle::changed(&self.inner, &key, &row.map(), &mut object, force)?;
        }
        if prefix == "jobs" {
            return Ok(self.inner.change_job(who, row, object, verb, turn).await?);
        }
        let prepared = self.inner.prepare(&table, &key, object, Some(&row), verb)?;
        let changed = self.inner.commit(who, &table, prepared, Some(Arc::clone(&row)), verb, turn).await?;
        self.after_param_change(prefix, &changed.key).await?;
        // Machines and stages ask more of a boot environment than to be there.
        if prefix == "bootenvs" && table.get(&key).is_none_or(|new| new.index != row.index) {
            self.reconsider_users_of(prefix, &key).await?;
        }
        Ok(changed)
    }

    /// Deletes an object, with its secret key, publishes `delete` and gives what was deleted.
    ///
    /// # Errors
    /// 404, `StillInUseError` 409, `Locked`, read-only.
    pub async fn delete(&self, who: &Principal, prefix: &str, id: &str) -> Result<Fetched> {
        let (table, row) = self.found(prefix, id, "DELETE")?;
        let powers = POWERS.contains(&prefix) || self.inner.state.has_tenants();
        let turn = self.inner.turn_of(prefix, &row.key, powers).await;
        let row = table.get(&row.key).ok_or_else(|| Fault::not_found("DELETE", prefix, id))?;
        let (model, key) = (prefix.to_owned(), row.key.to_string());
        if let Some(layer) = &row.layer {
            return Err(Fault::ReadOnly { kind: "DELETE", model, key, layer: layer.to_string() }.into());
        }
        if prefix == "machines" && row.map().get("Locked") == Some(&Value::Bool(true)) {
            return Err(Fault::Locked { kind: "DELETE", model, key }.into());
        }
        let mut users = users_of(&self.inner.state, prefix, &key);
        if prefix == "jobs" {
            users.extend(crate::jobs::holds(&self.inner.state, &row.map()));
        }
        if prefix == "profiles" && key == "global" {
            users.insert(0, "Profile global always exists and cannot be deleted".to_owned());
        }
        if prefix == "tenants" && who.claims.is_confined() {
            self.check_powers(who, prefix, Some(&row), &JsonMap::new())?;
        }
        self.check_last(prefix, &key, "DELETE", None)?;
        if !users.is_empty() {
            return Err(Fault::InUse { model, key, messages: users }.into());
        }
        let gone = row.fetched();
        self.inner.erase(who, &table, row, turn).await?;
        self.reconsider_users_of(prefix, &gone.key).await?;
        Ok(gone)
    }

    /// The `Meta` map of an object (GET `/meta/:prefix/:id`).
    ///
    /// # Errors
    /// 404.
    pub fn meta(&self, prefix: &str, id: &str) -> Result<JsonMap> {
        Ok(self.found(prefix, id, "GET")?.1.meta())
    }

    /// Patches the `Meta` map of an object and publishes `update`.
    ///
    /// # Errors
    /// 404, 409 as for params.
    pub async fn patch_meta(
        &self,
        who: &Principal,
        prefix: &str,
        id: &str,
        patch: &Patch,
    ) -> Result<JsonMap> {
        let changed = self
            .change(who, prefix, id, Verb::Patch, |table, row| {
                let mut object = row.map();
                let meta = crate::params::patched(patch, prefix, &row.key, row.meta())?;
                object.insert("Meta".to_owned(), meta);
                self.decode(table, &row.key, Value::Object(object), "PATCH", 406).map(Some)
            })
            .await?;
        Ok(match changed.map().remove("Meta") {
            Some(Value::Object(meta)) => meta,
            _ => JsonMap::new(),
        })
    }

    /// Brings a document to the exact field set of its type.
    pub(crate) fn decode(
        &self,
        table: &Table,
        key: &str,
        body: Value,
        word: &'static str,
        code: u16,
    ) -> Result<JsonMap> {
        let model = &table.kind.prefix;
        let refuse = |text: String| Fault::Undecodable {
            code,
            kind: word,
            model: model.clone(),
            key: key.to_owned(),
            text,
        };
        if !crate::codec::depth_within(&body, 100) {
            return Err(refuse("nested deeper than 100".to_owned()).into());
        }
        let Value::Object(map) = body else {
            return Err(refuse(format!("a JSON object is wanted for {model}")).into());
        };
        let mut object = (table.kind.normalise)(model, map).map_err(refuse)?;
        if table.kind.key_of == KeyOf::Uuid
            && let Some(Value::String(key)) = object.get_mut(&table.kind.key_field)
        {
            // UUIDs in any form of writing are one.
            if let Ok(uuid) = uuid::Uuid::parse_str(key) {
                *key = uuid.to_string();
            }
        }
        Ok(object)
    }
}

impl Inner {
    /// Makes the key of an object that may come without one.
    fn assign_key(&self, table: &Table, object: &mut JsonMap) -> Result<(), Fault> {
        if table.kind.key_of == KeyOf::Uuid && table.kind.key(object).is_empty() {
            let bytes = crate::secure::random()?;
            let uuid = uuid::Builder::from_random_bytes(bytes).into_uuid();
            object.insert(table.kind.key_field.clone(), uuid.to_string().into());
        }
        Ok(())
    }
}
