//! What all parts of the engine share.

use crate::{
    EventBus, LayerKind,
    fault::Fault,
    memory::{Row, Table},
    schema::Checker,
    secure::Keys,
};
use drp_protocol::{BundleMeta, JsonMap};
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

/// A content layer.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub(crate) name: Arc<str>,
    pub(crate) kind: LayerKind,
    pub(crate) meta: BundleMeta,
    /// Objects by prefix.
    pub(crate) counts: BTreeMap<String, i64>,
    /// Objects of types that nobody has declared yet.
    pub(crate) waiting: Arc<Sections>,
    /// What people should know about it, found when it was placed.
    pub(crate) notes: Vec<String>,
}

/// Objects by prefix and key.
pub(crate) type Sections = BTreeMap<String, BTreeMap<String, JsonMap>>;

/// The memory of the engine, without the store: commit callbacks hold it, and the store's own thread must never be
/// the one that drops the store.
pub(crate) struct State {
    pub(crate) tables: RwLock<BTreeMap<String, Arc<Table>>>,
    pub(crate) keys: Keys,
    /// What never shows: password hashes as `password:<user>`, secret preferences as `pref:<name>`.
    pub(crate) hidden: RwLock<HashMap<String, Arc<str>>>,
    pub(crate) layers: RwLock<Vec<Layer>>,
    pub(crate) events: Arc<EventBus>,
    params: RwLock<HashMap<String, Arc<ParamDef>>>,
    pub(crate) tenants: RwLock<crate::tenants::Decoded>,
}

impl State {
    pub(crate) fn new(events: Arc<EventBus>) -> Self {
        Self {
            tables: RwLock::default(),
            keys: Keys::default(),
            hidden: RwLock::default(),
            layers: RwLock::default(),
            events,
            params: RwLock::default(),
            tenants: RwLock::default(),
        }
    }

    pub(crate) fn table(&self, prefix: &str) -> Option<Arc<Table>> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner).get(prefix).cloned()
    }

    pub(crate) fn insert(&self, table: Arc<Table>) {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        tables.insert(table.kind.prefix.clone(), table);
    }

    pub(crate) fn known_table(&self, prefix: &str) -> Result<Arc<Table>, Fault> {
        self.table(prefix).ok_or_else(|| Fault::NoSuchType { prefix: prefix.to_owned() })
    }

    pub(crate) fn row(&self, prefix: &str, key: &str) -> Option<Arc<Row>> {
        self.table(prefix)?.get(key)
    }

    pub(crate) fn exists(&self, prefix: &str, key: &str) -> bool {
        self.table(prefix).is_some_and(|table| table.contains(key))
    }

    /// The names of raw types.
    pub(crate) fn raw_types(&self) -> Vec<String> {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        tables.values().filter(|t| t.kind.raw).map(|t| t.kind.prefix.clone()).collect()
    }

    pub(crate) fn hidden(&self, name: &str) -> Option<Arc<str>> {
        self.hidden.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub(crate) fn hide(&self, name: String, value: Option<String>) {
        let mut hidden = self.hidden.write().unwrap_or_else(PoisonError::into_inner);
        match value {
            Some(value) => drop(hidden.insert(name, value.into())),
            None => drop(hidden.remove(&name)),
        }
    }

    /// What is known about a param; none when there is no Param object of that name.
    pub(crate) fn param(&self, name: &str) -> Option<Arc<ParamDef>> {
        let row = self.row("params", name);
        let cached = self.params.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        match (row, cached) {
            (Some(row), Some(def)) if Arc::ptr_eq(&def.row, &row) => Some(def),
            (Some(row), _) => {
                let def = Arc::new(ParamDef::new(row));
                let mut cache = self.params.write().unwrap_or_else(PoisonError::into_inner);
                cache.insert(name.to_owned(), Arc::clone(&def));
                Some(def)
            }
            (None, None) => None,
            (None, Some(_)) => {
                self.params.write().unwrap_or_else(PoisonError::into_inner).remove(name);
                None
            }
        }
    }
}

/// A Param object, ready for use: its schema is compiled once, when the first value is checked.
pub(crate) struct ParamDef {
    row: Arc<Row>,
    pub(crate) secure: bool,
    pub(crate) schema: Value,
    checker: OnceLock<Checker>,
}

impl ParamDef {
    fn new(row: Arc<Row>) -> Self {
        let mut map = row.map();
        Self {
            secure: map.get("Secure").and_then(Value::as_bool).unwrap_or(false),
            schema: map.remove("Schema").unwrap_or(Value::Null),
            row,
            checker: OnceLock::new(),
        }
    }

    /// The default of the schema.
    pub(crate) fn default(&self) -> Option<&Value> {
        self.schema.get("default")
    }

    /// Checks a plain value. A schema that does not compile takes anything: its Param says what is wrong with it.
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        self.checker.get_or_init(|| Checker::compile(&self.schema).unwrap_or(Checker::Anything)).check(value)
    }
}
