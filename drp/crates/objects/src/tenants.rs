//! Tenants (wire-protocol §2.4): the objects that their users are confined to.
//!
//! `Members` names types; of these a user of the tenant sees the listed objects alone. Types it does not name are not
//! restricted. What somebody creates inside a tenant joins it, and what is deleted leaves all of them, in the same
//! batch of the store.

use crate::{
    events::Happening,
    fault::Fault,
    memory::{Row, Table},
    objects::Inner,
    state::State,
};
use drp_protocol::JsonMap;
use drp_store::Op;
use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, PoisonError},
};

/// What of a tenant is asked for with every request, decoded once.
#[derive(Debug, Default)]
pub(crate) struct TenantDef {
    name: String,
    members: HashMap<String, HashSet<String>>,
    users: HashSet<String>,
}

#[derive(Deserialize)]
struct Stored {
    #[serde(rename = "Members", default)]
    members: Option<BTreeMap<String, Option<Vec<String>>>>,
    #[serde(rename = "Users", default)]
    users: Option<Vec<String>>,
}

impl TenantDef {
    fn new(row: &Row) -> Self {
        let stored: Option<Stored> = serde_json::from_slice(&row.json).ok();
        let (members, users) = stored.map(|s| (s.members, s.users)).unwrap_or_default();
        let set = |keys: Option<Vec<String>>| keys.unwrap_or_default().into_iter().collect();
        Self {
            name: row.key.to_string(),
            members: members
                .unwrap_or_default()
                .into_iter()
                .map(|(prefix, keys)| (prefix, set(keys)))
                .collect(),
            users: users.unwrap_or_default().into_iter().collect(),
        }
    }
}

/// Somebody in a tenant.
#[derive(Debug, Clone)]
pub(crate) struct Confined {
    tenant: Arc<TenantDef>,
    user: Arc<str>,
}

impl Confined {
    /// The type whose members decide. Jobs are claimed, and so confined, by their machine.
    fn counted(scope: &str) -> &str {
        if scope == "jobs" { "machines" } else { scope }
    }

    pub(crate) fn is_of(&self, tenant: &str) -> bool {
        self.tenant.name == tenant
    }

    /// Whether objects of the type are seen only when the tenant lists them.
    pub(crate) fn restricts(&self, scope: &str) -> bool {
        matches!(scope, "tenants" | "audit") || self.tenant.members.contains_key(Self::counted(scope))
    }

    /// Whether the object is outside. Everybody sees themselves and their own tenant.
    pub(crate) fn hides(&self, scope: &str, key: &str) -> bool {
        match scope {
            "audit" => true,
            _ if key.is_empty() => false,
            "tenants" => key != self.tenant.name,
            "users" if *self.user == *key => false,
            _ => self.tenant.members.get(Self::counted(scope)).is_some_and(|keys| !keys.contains(key)),
        }
    }
}

/// The decoded tenants with the rows they were decoded from.
pub(crate) type Decoded = Vec<(Arc<Row>, Arc<TenantDef>)>;

impl State {
    fn tenants(&self) -> Decoded {
        let Some(table) = self.table("tenants") else { return Vec::new() };
        let rows = table.snapshot();
        if rows.is_empty() {
            return Vec::new();
        }
        let known = self.tenants.read().unwrap_or_else(PoisonError::into_inner).clone();
        if known.len() == rows.len() && known.iter().zip(&rows).all(|((old, _), new)| Arc::ptr_eq(old, new)) {
            return known;
        }
        let decoded = |row: Arc<Row>| {
            let same = known.iter().find(|(old, _)| Arc::ptr_eq(old, &row));
            let def = same.map_or_else(|| Arc::new(TenantDef::new(&row)), |(_, def)| Arc::clone(def));
            (row, def)
        };
        let fresh: Decoded = rows.into_iter().map(decoded).collect();
        self.tenants.write().unwrap_or_else(PoisonError::into_inner).clone_from(&fresh);
        fresh
    }

    /// The tenants of a user, mostly none.
    pub(crate) fn tenants_of(&self, user: &str) -> Vec<Confined> {
        let all = self.tenants().into_iter().filter(|(_, tenant)| tenant.users.contains(user));
        all.map(|(_, tenant)| Confined { tenant, user: user.into() }).collect()
    }

    /// The tenant, other than the given one, that a user is in.
    pub(crate) fn other_tenant(&self, tenant: &str, user: &str) -> Option<String> {
        let mut all = self.tenants().into_iter();
        all.find(|(_, def)| def.name != tenant && def.users.contains(user)).map(|(_, def)| def.name.clone())
    }

    /// The tenants that name an object, as members or, for a user, as one of theirs.
    fn tenants_with(&self, prefix: &str, key: &str) -> Vec<Arc<Row>> {
        let names = |tenant: &TenantDef| {
            tenant.members.get(prefix).is_some_and(|keys| keys.contains(key))
                || (prefix == "users" && tenant.users.contains(key))
        };
        self.tenants().into_iter().filter(|(_, tenant)| names(tenant)).map(|(row, _)| row).collect()
    }

    pub(crate) fn has_tenants(&self) -> bool {
        self.table("tenants").is_some_and(|table| table.len() > 0)
    }
}

/// A tenant that changes together with an object.
pub(crate) struct Follower {
    table: Arc<Table>,
    row: Row,
    old: Arc<Row>,
}

impl Follower {
    pub(crate) fn op(&self) -> Op {
        Op::put(self.table.kind.prefix.as_str(), &*self.row.key, self.row.json.clone())
    }

    /// Shows the change once it is durable.
    pub(crate) fn apply(mut self, state: &State, revision: u64) {
        self.row.revision = revision;
        let row = Arc::new(self.row);
        self.table.put(Arc::clone(&row));
        state.events.happened(Happening {
            kind: self.table.kind.prefix.clone(),
            action: "save",
            key: row.key.to_string(),
            principal: "system".to_owned(),
            object: row.json.clone(),
            original: self.old.json.clone(),
        });
    }
}

impl Inner {
    /// The tenants as they are with an object that somebody confined to them creates. The caller holds the lock of
    /// powers, which all writers of tenants take.
    pub(crate) fn joining(
        &self,
        who: &crate::Principal,
        prefix: &str,
        key: &str,
    ) -> Result<Vec<Follower>, Fault> {
        let mut followers = Vec::new();
        for confined in who.claims.confines() {
            // As it is now: the claims may be older than the lock.
            let now = self.state.row("tenants", &confined.tenant.name);
            let Some(row) = now.filter(|_| prefix != "jobs" && confined.hides(prefix, key)) else { continue };
            followers.extend(self.follower(row, |tenant| {
                let members = tenant.get_mut("Members").and_then(Value::as_object_mut);
                let keys = members.and_then(|members| members.get_mut(prefix)).and_then(Value::as_array_mut);
                keys.into_iter().for_each(|keys| keys.push(key.into()));
            })?);
        }
        Ok(followers)
    }

    /// The tenants as they are without an object. The caller holds the lock of powers.
    pub(crate) fn leaving(&self, prefix: &str, key: &str) -> Vec<Follower> {
        let strip = |list: &mut Value| {
            if let Value::Array(keys) = list {
                keys.retain(|k| k.as_str() != Some(key));
            }
        };
        let without = |row| {
            self.follower(row, |tenant| {
                if let Some(keys) = tenant.get_mut("Members").and_then(|members| members.get_mut(prefix)) {
                    strip(keys);
                }
                if prefix == "users" {
                    tenant.get_mut("Users").into_iter().for_each(strip);
                }
            })
        };
        // A tenant of a content layer keeps the name of what is gone.
        self.state
            .tenants_with(prefix, key)
            .into_iter()
            .filter_map(|row| without(row).ok().flatten())
            .collect()
    }

    fn follower(&self, old: Arc<Row>, change: impl FnOnce(&mut JsonMap)) -> Result<Option<Follower>, Fault> {
        if let Some(layer) = &old.layer {
            return Err(Fault::ReadOnly {
                kind: "SAVE",
                model: "tenants".to_owned(),
                key: old.key.to_string(),
                layer: layer.to_string(),
            });
        }
        let table = self.state.known_table("tenants")?;
        let before = old.map();
        let mut object = before.clone();
        change(&mut object);
        if object == before {
            return Ok(None);
        }
        let row = Row::new(&table.kind, &old.key, &object, None);
        Ok(Some(Follower { table, row, old }))
    }
}
