//! Looking params up beyond the object itself (wire-protocol §3.7).
//!
//! The order is: the object; its profiles in order, each followed by the profiles nested in it; its stage's params and
//! profiles; the profile `global`; for single keys the schema default. Sealed values open with the key of the object
//! that holds them.

use crate::{
    compose::Composed,
    fault::Fault,
    index::IndexValue,
    kind::Kind,
    memory::{Row, Table},
    secure,
    state::State,
};
use drp_protocol::{JsonMap, SecureData};
use serde_json::Value;
use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    rc::Rc,
    sync::Arc,
};

/// The params of one profile or stage.
pub(crate) struct Source {
    prefix: &'static str,
    key: String,
    params: JsonMap,
    profiles: Vec<String>,
}

/// What an object inherits from, in order. Most objects of a list share one of few.
struct Chain {
    sources: Vec<Rc<Source>>,
    /// Params that were looked for, with the position of the first source that has each.
    found: RefCell<HashMap<String, Option<usize>>>,
}

impl Chain {
    fn first(&self, name: &str) -> Option<&Source> {
        let known = self.found.borrow().get(name).copied();
        let at = known.unwrap_or_else(|| {
            let at = self.sources.iter().position(|source| source.params.contains_key(name));
            self.found.borrow_mut().insert(name.to_owned(), at);
            at
        });
        at.and_then(|at| self.sources.get(at)).map(|source| &**source)
    }
}

/// Profiles and stages that were looked at, by prefix and key; none for what does not exist.
type Seen = HashMap<(&'static str, String), Option<Rc<Source>>>;
/// Chains by what they start from: the object when it is a profile, its profiles, its stage.
type Chains = HashMap<(Option<Arc<str>>, Box<[Arc<str>]>, Option<Arc<str>>), Rc<Chain>>;

/// How to look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct How {
    /// Beyond the object itself.
    pub(crate) aggregate: bool,
    /// Open sealed values.
    pub(crate) decode: bool,
    /// Put maps and lists of all sources together; looks beyond the object whatever `aggregate` says.
    pub(crate) compose: bool,
}

/// One or many lookups against one view of memory. Profiles and stages are parsed once.
pub(crate) struct Lookup<'a> {
    state: &'a State,
    seen: RefCell<Seen>,
    chains: RefCell<Chains>,
    tables: RefCell<HashMap<String, Option<Arc<Table>>>>,
}

/// Texts of an index of an object.
fn listed(kind: &Kind, row: &Row, index: &str) -> Box<[Arc<str>]> {
    match kind.index(index).and_then(|at| row.index.get(at)) {
        Some(IndexValue::List(list)) => list.clone(),
        _ => Box::default(),
    }
}

impl<'a> Lookup<'a> {
    pub(crate) fn new(state: &'a State) -> Self {
        Self { state, seen: RefCell::default(), chains: RefCell::default(), tables: RefCell::default() }
    }

    fn table(&self, prefix: &str) -> Option<Arc<Table>> {
        if let Some(known) = self.tables.borrow().get(prefix) {
            return known.clone();
        }
        let table = self.state.table(prefix);
        self.tables.borrow_mut().insert(prefix.to_owned(), table.clone());
        table
    }

    fn source(&self, prefix: &'static str, key: &str) -> Option<Rc<Source>> {
        let at = (prefix, key.to_owned());
        if let Some(known) = self.seen.borrow().get(&at) {
            return known.clone();
        }
        let found = self.table(prefix).and_then(|table| {
            let row = table.get(key)?;
            let profiles = listed(&table.kind, &row, "Profiles").iter().map(ToString::to_string).collect();
            Some(Rc::new(Source { prefix, key: key.to_owned(), params: row.params(), profiles }))
        });
        self.seen.borrow_mut().insert(at, found.clone());
        found
    }

    /// The sources after the object itself, in order, each once.
    fn inherited(&self, prefix: &str, row: &Row) -> Rc<Chain> {
        let (mut own, mut profiles, mut stage) = (None, Box::default(), None);
        if let ("machines" | "stages" | "profiles", Some(table)) = (prefix, self.table(prefix)) {
            profiles = listed(&table.kind, row, "Profiles");
            own = (prefix == "profiles").then(|| Arc::clone(&row.key));
            if prefix == "machines"
                && let Some(IndexValue::Text(name)) =
                    table.kind.index("Stage").and_then(|at| row.index.get(at))
                && !name.is_empty()
            {
                stage = Some(Arc::clone(name));
            }
        }
        let start = (own, profiles, stage);
        if let Some(known) = self.chains.borrow().get(&start) {
            return Rc::clone(known);
        }
        let mut sources = Vec::new();
        let mut met: BTreeSet<String> = start.0.iter().map(ToString::to_string).collect();
        self.profiles(start.1.iter().map(|name| &**name), &mut met, &mut sources);
        if let Some(stage) = start.2.as_deref().and_then(|name| self.source("stages", name)) {
            sources.push(Rc::clone(&stage));
            self.profiles(stage.profiles.iter().map(String::as_str), &mut met, &mut sources);
        }
        self.profiles(std::iter::once("global"), &mut met, &mut sources);
        let chain = Rc::new(Chain { sources, found: RefCell::default() });
        self.chains.borrow_mut().insert(start, Rc::clone(&chain));
        chain
    }

    fn profiles<'n>(
        &self,
        names: impl Iterator<Item = &'n str>,
        met: &mut BTreeSet<String>,
        out: &mut Vec<Rc<Source>>,
    ) {
        for name in names {
            if met.insert(name.to_owned())
                && let Some(profile) = self.source("profiles", name)
            {
                out.push(Rc::clone(&profile));
                self.profiles(profile.profiles.iter().map(String::as_str), met, out);
            }
        }
    }

    fn own(&self, prefix: &str, row: &Row, name: &str) -> Option<Value> {
        row.param(&self.table(prefix)?.kind, name)
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
        self.get(prefix, row, name, How { aggregate, decode, compose: false })
    }

    /// As [`Lookup::one`], with all there is to choose.
    pub(crate) fn get(&self, prefix: &str, row: &Row, name: &str, how: How) -> Result<Option<Value>, Fault> {
        let default = || self.state.param(name).and_then(|def| def.default().cloned());
        if how.compose {
            let mut out = Composed::default();
            if let Some(value) = self.own(prefix, row, name) {
                out.add(name, self.shown(prefix, &row.key, name, value, how.decode)?);
            }
            for source in &self.inherited(prefix, row).sources {
                if let Some(value) = source.params.get(name) {
                    out.add(name, self.shown(source.prefix, &source.key, name, value.clone(), how.decode)?);
                }
            }
            if let Some(value) = default() {
                out.add(name, value);
            }
            return Ok(out.map.remove(name));
        }
        if let Some(value) = self.own(prefix, row, name) {
            return self.shown(prefix, &row.key, name, value, how.decode).map(Some);
        }
        if !how.aggregate {
            return Ok(None);
        }
        if let Some(source) = self.inherited(prefix, row).first(name)
            && let Some(value) = source.params.get(name)
        {
            return self.shown(source.prefix, &source.key, name, value.clone(), how.decode).map(Some);
        }
        Ok(default())
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
        self.get_all(prefix, row, How { aggregate, decode, compose: false }, only)
    }

    /// As [`Lookup::all`], with all there is to choose.
    pub(crate) fn get_all(
        &self,
        prefix: &str,
        row: &Row,
        how: How,
        only: &[String],
    ) -> Result<JsonMap, Fault> {
        let wanted = |name: &str| only.is_empty() || only.iter().any(|o| o == name);
        let mut out = Composed::default();
        for (name, value) in row.params() {
            if wanted(&name) {
                let value = self.shown(prefix, &row.key, &name, value, how.decode)?;
                out.add(&name, value);
            }
        }
        if !how.aggregate && !how.compose {
            return Ok(out.map);
        }
        for source in &self.inherited(prefix, row).sources {
            for (name, value) in &source.params {
                if wanted(name) && (how.compose || !out.map.contains_key(name)) {
                    let value = self.shown(source.prefix, &source.key, name, value.clone(), how.decode)?;
                    out.add(name, value);
                }
            }
        }
        Ok(out.map)
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
