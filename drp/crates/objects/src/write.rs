//! The one way in which objects change: examine, seal, reserve, commit, then show and publish.

use crate::{
    Fetched, Principal,
    checks::{Report, Subject},
    events::Happening,
    fault::Fault,
    kind::KeyOf,
    memory::{Reservation, Row, Table},
    objects::Inner,
    powers::POWERS,
    secure,
    tenants::Follower,
};
use bytes::Bytes;
use drp_protocol::{JsonMap, SecureData};
use drp_store::{Batch, Op};
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedMutexGuard, OwnedRwLockReadGuard};

/// What a writer holds until its change is applied: the object's turn, and the promise that no layer changes
/// meanwhile. It moves into the commit callback, so a caller that hangs up changes nothing.
pub(crate) struct Turn {
    _key: OwnedMutexGuard<()>,
    _layers: OwnedRwLockReadGuard<()>,
    /// The lock of powers, when who may do what changes.
    _powers: Option<OwnedMutexGuard<()>>,
}

/// What kind of change it is, for the event and for error types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Create,
    Replace,
    Patch,
    /// Of params, by POST.
    Post,
    /// Of params, by DELETE.
    Remove,
    /// From inside.
    Save,
}

impl Verb {
    pub(crate) fn event(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Save => "save",
            _ => "update",
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Replace => "PUT",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Remove => "DELETE",
            Self::Save => "SAVE",
        }
    }
}

/// An object that passed examination.
pub(crate) struct Prepared {
    row: Row,
    reservation: Option<Reservation>,
    /// A key that was made to seal values of this object.
    new_key: Option<(String, Arc<crypto_box::SecretKey>)>,
    /// A value that is kept apart from the object, under a name in the secret space.
    hidden: Option<(String, String)>,
    /// Tenants that change with it.
    pub(crate) followers: Vec<Follower>,
}

/// One object of a transaction.
pub(crate) struct Write {
    pub(crate) table: Arc<Table>,
    pub(crate) prepared: Prepared,
    pub(crate) old: Option<Arc<Row>>,
    pub(crate) verb: Verb,
}

impl Inner {
    /// Waits for an object's turn.
    pub(crate) async fn turn(&self, prefix: &str, key: &str) -> Turn {
        self.turn_of(prefix, key, POWERS.contains(&prefix)).await
    }

    /// Waits for an object's turn, and with `powers` for that of changing who may do what. That comes first for
    /// everybody, so nobody waits in a circle.
    pub(crate) async fn turn_of(&self, prefix: &str, key: &str, powers: bool) -> Turn {
        let powers = if powers { Some(Arc::clone(&self.powers).lock_owned().await) } else { None };
        let layers = Arc::clone(&self.topology).read_owned().await;
        // A job and its machine change together, so they take turns as one.
        let machine = if prefix == "jobs" { crate::jobs::machine_of(&self.state, key) } else { None };
        let (prefix, key) = match &machine {
            Some(machine) => ("machines", machine.as_str()),
            None => (prefix, key),
        };
        Turn { _key: self.locks.lock(prefix, key).await, _layers: layers, _powers: powers }
    }

    /// Brings an object into its stored form, or says all that is wrong with it.
    pub(crate) fn prepare(
        &self,
        table: &Arc<Table>,
        key: &str,
        mut object: JsonMap,
        old: Option<&Row>,
        verb: Verb,
    ) -> Result<Prepared, Fault> {
        let kind = &table.kind;
        let prefix = kind.prefix.as_str();
        let create = verb == Verb::Create;
        let mut report = Report::default();
        if !create && let Some(layer) = old.and_then(|row| row.layer.as_ref()) {
            return Err(Fault::ReadOnly {
                kind: verb.word(),
                model: prefix.to_owned(),
                key: key.to_owned(),
                layer: layer.to_string(),
            });
        }
        set(&mut object, "ReadOnly", Value::Bool(false));
        set(&mut object, "Bundle", Value::String(String::new()));
        set(&mut object, "Partial", Value::Bool(false));
        let hidden = self.complete(prefix, &mut object, old, verb)?;
        let what = if kind.key_of == KeyOf::Field { kind.key_field.as_str() } else { "Key" };
        kind.name_rule.check(key, what, key, &mut report.fatal);
        if let Some(schema) = &kind.schema {
            let texts = schema.checker.violations(&Value::Object(object.clone()));
            report.fatal.extend(texts.into_iter().map(|text| format!("{key}: {text}")));
        }
        let new_key = self.examine_params(prefix, key, &mut object, old, &mut report)?;
        Subject { state: &self.state, prefix, key, object: &object }.examine(&mut report);
        if create {
            report.fatal.append(&mut report.dangling);
        }
        if !report.fatal.is_empty() {
            report.fatal.append(&mut report.dangling);
            return Err(Fault::invalid(prefix, key, report.fatal));
        }
        judge(&mut object, kind.raw, &report.dangling);
        if prefix == "machines" && !report.dangling.is_empty() {
            set(&mut object, "Runnable", Value::Bool(false));
        }
        let row = Row::new(kind, key, &object, None);
        if row.json.len() > self.options.max_object_bytes {
            let text = format!(
                "{key}: is {} bytes long, at most {} are kept",
                row.json.len(),
                self.options.max_object_bytes
            );
            return Err(Fault::invalid(prefix, key, vec![text]));
        }
        let reservation = table.reserve(&row).map_err(|taken| {
            let text = format!("{key}: {} {} is already used by {}", taken.index, taken.value, taken.by);
            Fault::invalid(prefix, key, vec![text])
        })?;
        Ok(Prepared { row, reservation: Some(reservation), new_key, hidden, followers: Vec::new() })
    }

    /// Fills what a client cannot know, and keeps what it may not change.
    fn complete(
        &self,
        prefix: &str,
        object: &mut JsonMap,
        old: Option<&Row>,
        verb: Verb,
    ) -> Result<Option<(String, String)>, Fault> {
        let empty = |object: &JsonMap, field: &str| {
            object.get(field).and_then(Value::as_str).is_none_or(str::is_empty)
        };
        match prefix {
            "machines" => crate::machine::complete(self, object, old, verb == Verb::Create)?,
            "plugins" if !matches!(verb, Verb::Create | Verb::Save) => {
                if let Some(errors) = old.and_then(|row| row.map().remove("PluginErrors")) {
                    set(object, "PluginErrors", errors);
                }
            }
            "users" => {
                if empty(object, "Secret") {
                    let kept =
                        old.and_then(|row| row.map().remove("Secret")).filter(|s| s.as_str() != Some(""));
                    let secret = match kept {
                        Some(secret) => secret,
                        None => secure::random_text(32)?.into(),
                    };
                    set(object, "Secret", secret);
                }
                let hash = object.remove("PasswordHash");
                let bytes: drp_protocol::Base64Bytes =
                    hash.and_then(|h| serde_json::from_value(h).ok()).unwrap_or_default();
                let hash = bytes.0.and_then(|b| String::from_utf8(b).ok()).filter(|hash| !hash.is_empty());
                let name = object.get("Name").and_then(Value::as_str).unwrap_or_default();
                let name = hidden_name("users", name);
                let changed =
                    hash.as_deref().is_some_and(|hash| self.state.hidden(&name).as_deref() != Some(hash));
                if changed && old.is_some() {
                    // Another password, another secret: the tokens made under the old one are dead.
                    set(object, "Secret", secure::random_text(32)?.into());
                }
                return Ok(hash.map(|hash| (name, hash)));
            }
            "preferences" => {
                let name = object.get("Name").and_then(Value::as_str).unwrap_or_default();
                if crate::prefs::is_secret(name) {
                    let name = hidden_name("preferences", name);
                    if let Some(Value::String(value)) = object.get_mut("Val") {
                        let value = std::mem::take(value);
                        return Ok((!value.is_empty()).then_some((name, value)));
                    }
                }
            }
            _ => {}
        }
        Ok(None)
    }

    /// Checks the params of an object and seals plain values of secure ones.
    fn examine_params(
        &self,
        prefix: &str,
        key: &str,
        object: &mut JsonMap,
        old: Option<&Row>,
        report: &mut Report,
    ) -> Result<Option<(String, Arc<crypto_box::SecretKey>)>, Fault> {
        let Some(Value::Object(params)) = object.get_mut("Params") else { return Ok(None) };
        if params.is_empty() {
            return Ok(None);
        }
        let before = old.map(Row::params).unwrap_or_default();
        let name_of_key = secure::Keys::name(prefix, key);
        let mut own_key = self.state.keys.get(&name_of_key);
        let mut made = None;
        for (name, value) in params.iter_mut() {
            crate::names::NameRule::Param.check(key, "Param", name, &mut report.fatal);
            let Some(def) = self.state.param(name) else { continue };
            // What an object holds already was right when it came. It stays when the schema of its Param changes, so
            // that nobody is kept from changing something else; it is only sealed when its Param has become secure.
            let kept = before.get(name) == Some(value);
            if kept && (!def.secure || SecureData::is_sealed(value)) {
                continue;
            }
            if !def.secure {
                if let Err(text) = def.check(value) {
                    report.fatal.push(format!("{key}: {}", invalid_value(name, Some(value), &text)));
                }
                continue;
            }
            if SecureData::is_sealed(value) {
                let opened = match &own_key {
                    Some(own) => secure::open(own, value),
                    None => Err(drp_protocol::SecureDataError::Corrupted),
                };
                match opened {
                    Err(error) => {
                        report.fatal.push(format!("{key}: {}", invalid_value(name, None, &error.to_string())))
                    }
                    Ok(plain) => {
                        if let Err(text) = def.check(&plain) {
                            report.fatal.push(format!("{key}: {}", invalid_value(name, None, &text)));
                        }
                    }
                }
                continue;
            }
            if let Some(text) = def.check(value).err().filter(|_| !kept) {
                report.fatal.push(format!("{key}: {}", invalid_value(name, None, &text)));
                continue;
            }
            let own = match &own_key {
                Some(own) => Arc::clone(own),
                None => {
                    let fresh = Arc::new(secure::fresh_key()?);
                    made = Some((name_of_key.clone(), Arc::clone(&fresh)));
                    own_key = Some(Arc::clone(&fresh));
                    fresh
                }
            };
            *value = secure::seal(&own.public_key(), value)?;
        }
        Ok(made)
    }

    /// Writes an examined object, then, in commit order, shows it and publishes the event.
    pub(crate) async fn commit(
        &self,
        who: &Principal,
        table: &Arc<Table>,
        prepared: Prepared,
        old: Option<Arc<Row>>,
        verb: Verb,
        turn: Turn,
    ) -> Result<Fetched, Fault> {
        let write = Write { table: Arc::clone(table), prepared, old, verb };
        let written = self.commit_all(who, vec![write], turn).await?;
        written.into_iter().next().ok_or_else(lost)
    }

    /// Writes examined objects in one transaction, then, in commit order, shows them and publishes their events.
    pub(crate) async fn commit_all(
        &self,
        who: &Principal,
        writes: Vec<Write>,
        turn: Turn,
    ) -> Result<Vec<Fetched>, Fault> {
        let mut ops = Vec::with_capacity(writes.len());
        for Write { table, prepared, .. } in &writes {
            ops.push(Op::put(table.kind.prefix.as_str(), &*prepared.row.key, prepared.row.json.clone()));
            if let Some((name, key)) = &prepared.new_key {
                ops.push(Op::put(secure::SPACE, name.as_str(), key.to_bytes().to_vec()));
            }
            if let Some((name, value)) = &prepared.hidden {
                ops.push(Op::put(secure::SPACE, name.as_str(), value.clone().into_bytes()));
            }
            ops.extend(prepared.followers.iter().map(Follower::op));
        }
        let (state, principal) = (Arc::clone(&self.state), who.name.clone());
        let done: Arc<Mutex<Vec<Fetched>>> = Arc::default();
        let answer = Arc::clone(&done);
        let batch = Batch::new(ops).then(move |committed| {
            let mut written = Vec::with_capacity(writes.len());
            for Write { table, prepared, old, verb } in writes {
                let Prepared { mut row, reservation, new_key, hidden, followers } = prepared;
                row.revision = committed.revision;
                let row = Arc::new(row);
                if let Some((name, key)) = new_key {
                    state.keys.insert(name, key);
                }
                if let Some((name, value)) = hidden {
                    state.hide(name, Some(value));
                }
                table.put(Arc::clone(&row));
                // Before the event of the object, which those inside shall see.
                for follower in followers {
                    follower.apply(&state, committed.revision);
                }
                state.events.happened(Happening {
                    kind: table.kind.prefix.clone(),
                    action: verb.event(),
                    key: row.key.to_string(),
                    principal: principal.clone(),
                    object: row.json.clone(),
                    original: old.map(|old| old.json.clone()).unwrap_or_default(),
                });
                written.push(row.fetched());
                drop(reservation);
            }
            *answer.lock().unwrap_or_else(PoisonError::into_inner) = written;
            drop(turn);
        });
        self.store.submit(batch).await?;
        Ok(std::mem::take(&mut *done.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Deletes an object with its secrets, then shows what is below it and publishes the event.
    pub(crate) async fn erase(
        &self,
        who: &Principal,
        table: &Arc<Table>,
        old: Arc<Row>,
        turn: Turn,
    ) -> Result<(), Fault> {
        let prefix = table.kind.prefix.clone();
        let secret = secure::Keys::name(&prefix, &old.key);
        let mut ops =
            vec![Op::delete(prefix.as_str(), &*old.key), Op::delete(secure::SPACE, secret.as_str())];
        let followers = self.leaving(&prefix, &old.key);
        ops.extend(followers.iter().map(Follower::op));
        let hidden = hidden_name(&prefix, &old.key);
        if state_hides(&prefix) {
            ops.push(Op::delete(secure::SPACE, hidden.as_str()));
        }
        let (state, table, principal) = (Arc::clone(&self.state), Arc::clone(table), who.name.clone());
        let batch = Batch::new(ops).then(move |committed| {
            table.remove(&old.key);
            state.keys.remove(&secret);
            if state_hides(&prefix) {
                state.hide(hidden, None);
            }
            state.events.happened(Happening {
                kind: prefix,
                action: "delete",
                key: old.key.to_string(),
                principal,
                object: old.json.clone(),
                original: Bytes::new(),
            });
            // After the event of the object, which those inside shall see.
            for follower in followers {
                follower.apply(&state, committed.revision);
            }
            drop(turn);
        });
        self.store.submit(batch).await?;
        Ok(())
    }
}

fn lost() -> Fault {
    Fault::Store("the store lost the answer to a write".to_owned(), false)
}

/// Whether objects of a type have a part that is kept apart.
fn state_hides(prefix: &str) -> bool {
    matches!(prefix, "users" | "preferences")
}

/// Name of the hidden part of an object in the secret space.
pub(crate) fn hidden_name(prefix: &str, key: &str) -> String {
    format!("{}:{key}", if prefix == "users" { "password" } else { "pref" })
}

/// ``Key 'x': invalid val 'v': <schema error>``; the values of secure params are not shown.
pub(crate) fn invalid_value(name: &str, value: Option<&Value>, text: &str) -> String {
    let shown = match value {
        None => "***".to_owned(),
        Some(Value::String(text)) => short(text),
        Some(other) => short(&other.to_string()),
    };
    format!("Key '{name}': invalid val '{shown}': {text}")
}

fn short(text: &str) -> String {
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Sets a field if the type has it.
pub(crate) fn set(object: &mut JsonMap, field: &str, value: Value) {
    if let Some(place) = object.get_mut(field) {
        *place = value;
    }
}

/// Writes the verdict into the object. Raw types are never marked valid, as clients know them.
pub(crate) fn judge(object: &mut JsonMap, raw: bool, errors: &[String]) {
    set(object, "Validated", Value::Bool(!raw));
    set(object, "Available", Value::Bool(!raw && errors.is_empty()));
    set(object, "Errors", errors.iter().map(String::as_str).collect());
}
