//! Looking params up beyond the object itself (wire-protocol §3.7).
//!
//! The order is: the object; its profiles in order, each followed by the profiles nested in it; its stage's params and
//! profiles; the profile `global`; for single keys the schema default. Sealed values open with the key of the object
//! that holds them.

use crate::{fault::Fault, memory::Row, secure, state::State};
use drp_protocol::{JsonMap, SecureData};
use serde_json::Value;
use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    rc::Rc,
};

/// The params of one object on the way.
pub(crate) struct Source {
    prefix: &'static str,
    key: String,
    params: JsonMap,
    profiles: Vec<String>,
}

/// Profiles and stages that were looked at, by prefix and key; none for what does not exist.
type Seen = HashMap<(&'static str, String), Option<Rc<Source>>>;

/// One or many lookups against one view of memory. Profiles and stages are parsed once.
pub(crate) struct Lookup<'a> {
    state: &'a State,
    seen: RefCell<Seen>,
}

#[derive(serde::Deserialize, Default)]
#[serde(default, rename_all = "PascalCase")]
struct Inherits {
    profiles: Vec<String>,
    stage: String,
}

impl<'a> Lookup<'a> {
    pub(crate) fn new(state: &'a State) -> Self {
        Self { state, seen: RefCell::default() }
    }

    fn source(&self, prefix: &'static str, key: &str) -> Option<Rc<Source>> {
        let at = (prefix, key.to_owned());
        if let Some(known) = self.seen.borrow().get(&at) {
            return known.clone();
        }
        let found = self.state.row(prefix, key).map(|row| {
            let inherits: Inherits = serde_json::from_slice(&row.json).unwrap_or_default();
            Rc::new(Source { prefix, key: key.to_owned(), params: row.params(), profiles: inherits.profiles })
        });
        self.seen.borrow_mut().insert(at, found.clone());
        found
    }

    /// The sources after the object itself, in order, each once.
    fn inherited(&self, prefix: &str, row: &Row) -> Vec<Rc<Source>> {
        let inherits: Inherits = match prefix {
            "machines" | "stages" | "profiles" => serde_json::from_slice(&row.json).unwrap_or_default(),
            _ => Inherits::default(),
        };
        let mut out = Vec::new();
        let mut met = BTreeSet::new();
        if prefix == "profiles" {
            met.insert(row.key.to_string());
        }
        self.profiles(&inherits.profiles, &mut met, &mut out);
        if prefix == "machines"
            && !inherits.stage.is_empty()
            && let Some(stage) = self.source("stages", &inherits.stage)
        {
            out.push(Rc::clone(&stage));
            self.profiles(&stage.profiles, &mut met, &mut out);
        }
        self.profiles(&["global".to_owned()], &mut met, &mut out);
        out
    }

    fn profiles(&self, names: &[String], met: &mut BTreeSet<String>, out: &mut Vec<Rc<Source>>) {
        for name in names {
            if met.insert(name.clone())
                && let Some(profile) = self.source("profiles", name)
            {
                out.push(Rc::clone(&profile));
                self.profiles(&profile.profiles, met, out);
            }
        }
    }

    /// One param; none when nothing has it.
    pub(crate) fn one(
        &self,
        prefix: &str,
        row: &Row,
        name: &str,
        aggregate: bool,
        decode: bool,
    ) -> Result<Option<Value>, Fault> {
        if let Some(value) = row.params().remove(name) {
            return self.shown(prefix, &row.key, name, value, decode).map(Some);
        }
        if !aggregate {
            return Ok(None);
        }
        for source in self.inherited(prefix, row) {
            if let Some(value) = source.params.get(name) {
                return self.shown(source.prefix, &source.key, name, value.clone(), decode).map(Some);
            }
        }
        Ok(self.state.param(name).and_then(|def| def.default().cloned()))
    }

    /// All params, or those of some names. Defaults are not among them.
    pub(crate) fn all(
        &self,
        prefix: &str,
        row: &Row,
        aggregate: bool,
        decode: bool,
        only: &[String],
    ) -> Result<JsonMap, Fault> {
        let wanted = |name: &str| only.is_empty() || only.iter().any(|o| o == name);
        let mut out = JsonMap::new();
        for (name, value) in row.params() {
            if wanted(&name) {
                let value = self.shown(prefix, &row.key, &name, value, decode)?;
                out.insert(name, value);
            }
        }
        if aggregate {
            for source in self.inherited(prefix, row) {
                for (name, value) in &source.params {
                    if wanted(name) && !out.contains_key(name) {
                        let value = self.shown(source.prefix, &source.key, name, value.clone(), decode)?;
                        out.insert(name.clone(), value);
                    }
                }
            }
        }
        Ok(out)
    }

    /// A value as the reader wants it. Sealed values of params that are no longer secure, or whose Param is gone,
    /// still open.
    fn shown(&self, prefix: &str, key: &str, name: &str, value: Value, decode: bool) -> Result<Value, Fault> {
        if !decode || !SecureData::is_sealed(&value) {
            return Ok(value);
        }
        let secure = self.state.param(name).is_some_and(|def| def.secure);
        let opened = match self.state.keys.get(&secure::Keys::name(prefix, key)) {
            Some(own) => secure::open(&own, &value),
            None => Err(drp_protocol::SecureDataError::Corrupted),
        };
        match opened {
            Ok(plain) => Ok(plain),
            Err(_) if !secure => Ok(value),
            Err(error) => Err(Fault::Refused {
                kind: "GET",
                model: prefix.to_owned(),
                key: key.to_owned(),
                messages: vec![format!("Key '{name}': {error}")],
                code: 409,
            }),
        }
    }
}
