//! Putting a bundle into its place in the stack: all of it or nothing.

use super::{LayerKind, NO_CONTENT, WRITABLE, only_uploaded, refused};
use crate::{
    Objects, Result,
    checks::{Report, Subject},
    events::Happening,
    fault::Fault,
    kept,
    memory::{Row, Table},
    names::NameRule,
    schema::Checker,
    secure,
    state::{Layer, Sections},
    write::{invalid_value, judge, set},
};
use bytes::Bytes;
use drp_protocol::{Bundle, BundleSummary, JsonMap, SecureData};
use drp_store::{Batch, Op};
use serde_json::Value;
use std::{
    cell::OnceCell,
    collections::{BTreeMap, HashMap, HashSet},
    hash::{Hash, Hasher},
    sync::{Arc, PoisonError},
};

/// How many wrong objects one answer tells about.
const TOLD: usize = 50;

/// How a bundle is placed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placing {
    pub(crate) kind: LayerKind,
    /// Remove writable objects with the same key.
    pub(crate) force: bool,
    /// Put it into the store.
    pub(crate) keep: bool,
    /// It was not looked at before: every schema, value and name is examined. Without, only what costs little.
    pub(crate) strict: bool,
    /// Whether a layer of the name must be there, or must not.
    pub(crate) present: Option<bool>,
}

impl Placing {
    /// Content that comes from outside.
    pub(super) fn fresh(kind: LayerKind, force: bool) -> Self {
        // Providers were examined when they were uploaded, which is when they come with force; compiling all their
        // schemas at every start would make it slow.
        let strict = !matches!(kind, LayerKind::Plugin | LayerKind::Basic) || force;
        Self { kind, force, keep: kind == LayerKind::Dynamic, strict, present: None }
    }

    /// Content that was examined before.
    pub(crate) fn again(kind: LayerKind, keep: bool) -> Self {
        Self { kind, force: false, keep, strict: false, present: None }
    }
}

/// A param that the bundle itself defines.
struct Defined {
    secure: bool,
    schema: Value,
    checker: OnceCell<Checker>,
}

impl Defined {
    fn check(&self, value: &Value) -> Result<(), String> {
        self.checker.get_or_init(|| Checker::compile(&self.schema).unwrap_or(Checker::Anything)).check(value)
    }
}

/// What is found out about a bundle before anything changes.
struct Plan {
    placing: Placing,
    name: Arc<str>,
    /// Which layers may be hidden.
    overwritable: HashMap<Arc<str>, bool>,
    /// This one may be hidden.
    own_overwritable: bool,
    defined: BTreeMap<String, Defined>,
    rows: Vec<(Arc<Table>, Vec<Arc<Row>>)>,
    removed: Vec<(Arc<Table>, Arc<Row>)>,
    ops: Vec<Op>,
    new_keys: Vec<(String, Arc<crypto_box::SecretKey>)>,
    problems: Vec<Fault>,
}

impl Objects {
    pub(crate) async fn place_layer(&self, bundle: Bundle, placing: Placing) -> Result<BundleSummary> {
        let Bundle { mut meta, sections } = bundle;
        let kind = placing.kind;
        if meta.name.trim().is_empty() && kind.own_name().is_none() {
            let text = "Store at content- has no Name metadata".to_owned();
            return Err(Fault::invalid("contents", "", vec![text]).into());
        }
        kind.settle(&mut meta);
        let name: Arc<str> = meta.name.as_str().into();
        let inner = &self.inner;
        let still = inner.topology.write().await;
        self.may_place(&name, placing)?;
        if placing.strict && kind == LayerKind::Dynamic {
            self.needs_met(&meta)?;
            self.unneeded(&name, Some(&meta))?;
        }
        let mut plan = Plan {
            placing,
            name: Arc::clone(&name),
            overwritable: self.all_layers().into_iter().map(|l| (l.name, l.meta.overwritable)).collect(),
            own_overwritable: meta.overwritable,
            defined: defined(&sections),
            rows: Vec::new(),
            removed: Vec::new(),
            ops: Vec::new(),
            new_keys: Vec::new(),
            problems: Vec::new(),
        };
        let mut layer = Layer {
            name: Arc::clone(&name),
            kind,
            meta,
            counts: BTreeMap::new(),
            waiting: Arc::default(),
            notes: Vec::new(),
        };
        let (mut kept_sections, mut waiting) = (Sections::new(), Sections::new());
        for (prefix, objects) in sections {
            if NO_CONTENT.contains(&prefix.as_str()) {
                layer.notes.push(format!("{prefix}: left out, the daemon keeps its {prefix} itself"));
                continue;
            }
            let Some(table) = inner.state.table(&prefix) else {
                waiting.insert(prefix, objects);
                continue;
            };
            layer.counts.insert(prefix.clone(), i64::try_from(objects.len()).unwrap_or(i64::MAX));
            let section = self.place_section(&mut plan, &table, objects);
            kept_sections.insert(prefix, section);
        }
        let problems = std::mem::take(&mut plan.problems);
        if let Some(fault) = all_wrong(&name, problems) {
            return Err(fault.into());
        }
        layer.waiting = Arc::new(waiting);
        let secure_here: BTreeMap<String, bool> =
            plan.defined.iter().map(|(name, def)| (name.clone(), def.secure)).collect();
        let lost = self.let_go(&mut plan);
        if placing.keep {
            kept_sections.extend(layer.waiting.iter().map(|(p, s)| (p.clone(), s.clone())));
            plan.ops.push(kept::put(&Bundle { meta: layer.meta.clone(), sections: kept_sections })?);
        } else if kind != LayerKind::Dynamic
            && self.layer(&name).is_some_and(|l| l.kind == LayerKind::Dynamic)
        {
            plan.ops.push(kept::delete(&name));
        }
        self.show(plan, layer, lost.1).await?;
        drop(still);
        self.seal_flipped(&secure_here).await?;
        self.reconsider_layer(&name, lost.0).await?;
        let placed = self.layer(&name);
        Ok(placed.map(|layer| self.summary_of(&layer)).unwrap_or_default())
    }

    /// Whether a layer may come, or change, now.
    fn may_place(&self, name: &str, placing: Placing) -> Result<(), Fault> {
        let there = self.layer(name).map(|layer| layer.kind);
        let own = there.is_some() || name == WRITABLE;
        match placing.present {
            Some(false) if own => {
                return Err(refused(409, "POST", name, format!("Content {name} already exists")));
            }
            Some(true) if !own => return Err(refused(404, "PUT", name, format!("Cannot find {name}"))),
            _ => {}
        }
        if placing.kind == LayerKind::Dynamic {
            only_uploaded("PUT", name, there)?;
            Self::free_name(name)?;
        }
        Ok(())
    }

    /// Examines the objects of one type and gives them as the store keeps them.
    fn place_section(
        &self,
        plan: &mut Plan,
        table: &Arc<Table>,
        objects: BTreeMap<String, JsonMap>,
    ) -> BTreeMap<String, JsonMap> {
        let mut section = BTreeMap::new();
        let mut rows = Vec::with_capacity(objects.len());
        for (key, object) in objects {
            if plan.problems.len() > TOLD {
                break;
            }
            let placed = self
                .admit(plan, table, &key)
                .and_then(|()| self.layer_object(plan, table, &key, object))
                .and_then(|mut object| {
                    self.seal_in_layer(plan, table, &key, &mut object)?;
                    Ok(object)
                });
            let mut object = match placed {
                Ok(object) => object,
                Err(fault) => {
                    plan.problems.push(fault);
                    continue;
                }
            };
            if plan.placing.keep {
                section.insert(key.clone(), object.clone());
            }
            set(&mut object, "ReadOnly", Value::Bool(true));
            set(&mut object, "Bundle", plan.name.to_string().into());
            judge(&mut object, table.kind.raw, &[]);
            let mut row = Row::new(&table.kind, &key, &object, Some(Arc::clone(&plan.name)));
            row.revision = revision_of(&row.json);
            rows.push(Arc::new(row));
        }
        plan.rows.push((Arc::clone(table), rows));
        section
    }

    /// Whether an object of a new layer may have its key: it is in one layer only, unless the lower one may be hidden.
    fn admit(&self, plan: &mut Plan, table: &Arc<Table>, key: &str) -> Result<(), Fault> {
        let clash = |old: String| Fault::Override {
            prefix: table.kind.prefix.clone(),
            key: key.to_owned(),
            new: plan.placing.kind.label(&plan.name),
            old,
        };
        let own = (plan.placing.kind, Arc::clone(&plan.name));
        for (other_kind, other) in table.layers_with(key) {
            if *other == *plan.name {
                continue;
            }
            let label = other_kind.label(&other);
            let other_may = plan.overwritable.get(&other).copied().unwrap_or(false);
            let hidden_may = if own < (other_kind, other) { other_may } else { plan.own_overwritable };
            if !hidden_may {
                return Err(clash(label));
            }
        }
        let writable = table.get(key).filter(|row| row.layer.is_none());
        if let (Some(row), false) = (writable, plan.own_overwritable) {
            // The profile `global` is always there, so nothing takes its place.
            let always = table.kind.prefix == "profiles" && key == "global";
            if !plan.placing.force || always {
                return Err(clash(format!("writable-{WRITABLE}")));
            }
            plan.removed.push((Arc::clone(table), row));
        }
        Ok(())
    }

    /// An object of a bundle in its exact field set. Its key is the section's, whatever the object says.
    fn layer_object(&self, plan: &Plan, table: &Table, key: &str, object: JsonMap) -> Result<JsonMap, Fault> {
        let prefix = table.kind.prefix.as_str();
        let invalid = |text: String| Fault::invalid(prefix, key, vec![format!("{key}: {text}")]);
        let mut object = (table.kind.normalise)(prefix, object).map_err(invalid)?;
        let own = table.kind.key(&object);
        if own.is_empty() {
            object.insert(table.kind.key_field.clone(), key.into());
        } else if own != key {
            return Err(invalid(format!("is stored under this key but calls itself {own}")));
        }
        if prefix == "params" && !plan.placing.strict {
            // Schemas of layers are compiled when they are first used: a hundred layers must not slow the start.
            return Ok(object);
        }
        let mut report = Report::default();
        if plan.placing.strict {
            table.kind.name_rule.check(key, &table.kind.key_field, key, &mut report.fatal);
            let size = serde_json::to_vec(&object).map_or(0, |json| json.len());
            let limit = self.inner.options.max_object_bytes;
            if size > limit {
                report.fatal.push(format!("{key}: is {size} bytes long, at most {limit} are kept"));
            }
            self.values_in_layer(plan, key, &object, &mut report);
        }
        if let Some(schema) = &table.kind.schema {
            let texts = schema.checker.violations(&Value::Object(object.clone()));
            report.fatal.extend(texts.into_iter().map(|text| format!("{key}: {text}")));
        }
        Subject { state: &self.inner.state, prefix, key, object: &object }.examine(&mut report);
        if report.fatal.is_empty() { Ok(object) } else { Err(Fault::invalid(prefix, key, report.fatal)) }
    }

    /// Plain values must fit their params, be they defined in the same bundle or elsewhere.
    fn values_in_layer(&self, plan: &Plan, key: &str, object: &JsonMap, report: &mut Report) {
        let Some(Value::Object(params)) = object.get("Params") else { return };
        for (name, value) in params {
            NameRule::Param.check(key, "Param", name, &mut report.fatal);
            if SecureData::is_sealed(value) {
                continue;
            }
            let (secure, fits) = match plan.defined.get(name) {
                Some(def) => (def.secure, def.check(value)),
                None => match self.inner.state.param(name) {
                    Some(def) => (def.secure, def.check(value)),
                    None => continue,
                },
            };
            if let Err(text) = fits {
                report
                    .fatal
                    .push(format!("{key}: {}", invalid_value(name, (!secure).then_some(value), &text)));
            }
        }
    }

    fn seal_in_layer(
        &self,
        plan: &mut Plan,
        table: &Table,
        key: &str,
        object: &mut JsonMap,
    ) -> Result<(), Fault> {
        let Some(Value::Object(params)) = object.get_mut("Params") else { return Ok(()) };
        let prefix = table.kind.prefix.as_str();
        let key_name = secure::Keys::name(prefix, key);
        let mut own = self.inner.state.keys.get(&key_name);
        for (name, value) in params.iter_mut() {
            let secure = match plan.defined.get(name) {
                Some(def) => def.secure,
                None => self.inner.state.param(name).is_some_and(|def| def.secure),
            };
            if !secure {
                continue;
            }
            if SecureData::is_sealed(value) {
                let opens = own.as_ref().is_some_and(|own| secure::open(own, value).is_ok());
                if plan.placing.strict && !opens {
                    let text = format!(
                        "{key}: Key '{name}': was sealed for another object; content holds plain values, and GET \
                         /contents/<name> gives them"
                    );
                    return Err(Fault::invalid(prefix, key, vec![text]));
                }
                continue;
            }
            let with = match &own {
                Some(own) => Arc::clone(own),
                None => {
                    let fresh = Arc::new(secure::fresh_key()?);
                    plan.ops.push(Op::put(secure::SPACE, key_name.as_str(), fresh.to_bytes().to_vec()));
                    plan.new_keys.push((key_name.clone(), Arc::clone(&fresh)));
                    own = Some(Arc::clone(&fresh));
                    fresh
                }
            };
            *value = secure::seal(&with.public_key(), value)?;
        }
        Ok(())
    }

    /// What goes with the version before: whether any object does, and the names of secret keys of those that do.
    fn let_go(&self, plan: &mut Plan) -> (bool, Vec<String>) {
        let stays: HashSet<(&str, &str)> = plan
            .rows
            .iter()
            .flat_map(|(table, rows)| rows.iter().map(|row| (table.kind.prefix.as_str(), &*row.key)))
            .collect();
        let (mut lost, mut secrets, mut ops) = (false, Vec::new(), Vec::new());
        for table in self.tables() {
            for key in table.layer_keys(&plan.name) {
                if !stays.contains(&(table.kind.prefix.as_str(), &*key)) {
                    lost = true;
                    self.forget_key(&table, &key, &plan.name, &mut ops, &mut secrets);
                }
            }
        }
        drop(stays);
        plan.ops.extend(ops);
        for (table, row) in &plan.removed {
            plan.ops.push(Op::delete(table.kind.prefix.as_str(), &*row.key));
        }
        (lost, secrets)
    }

    /// Writes what must be durable, and with it makes the layer seen.
    async fn show(&self, plan: Plan, layer: Layer, secrets: Vec<String>) -> Result<()> {
        let Plan { placing, rows, removed, ops, new_keys, .. } = plan;
        let state = Arc::clone(&self.inner.state);
        let tables = self.tables();
        let apply = move || {
            for (key_name, key) in new_keys {
                state.keys.insert(key_name, key);
            }
            for secret in secrets {
                state.keys.remove(&secret);
            }
            let mut rows: HashMap<String, Vec<Arc<Row>>> =
                rows.into_iter().map(|(table, rows)| (table.kind.prefix.clone(), rows)).collect();
            for table in tables {
                let gone = removed.iter().filter(|(t, _)| t.kind.prefix == table.kind.prefix);
                let gone: Vec<&str> = gone.map(|(_, row)| &*row.key).collect();
                let rows = rows.remove(&table.kind.prefix).unwrap_or_default();
                table.replace_layer(placing.kind, &layer.name, rows, &gone);
            }
            let mut layers = state.layers.write().unwrap_or_else(PoisonError::into_inner);
            layers.retain(|l| l.name != layer.name);
            layers.push(layer);
            layers.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
            drop(layers);
            for (table, row) in removed {
                state.events.happened(Happening {
                    kind: table.kind.prefix.clone(),
                    action: "delete",
                    key: row.key.to_string(),
                    principal: "system".to_owned(),
                    object: row.json.clone(),
                    original: Bytes::new(),
                });
            }
        };
        if ops.is_empty() {
            // Other layers live in memory: without secrets to keep there is nothing to write, and no flush at start.
            apply();
        } else {
            self.inner.store.submit(Batch::new(ops).then(move |_| apply())).await.map_err(Fault::from)?;
        }
        Ok(())
    }
}

/// Objects of layers are not in the store, so their revision is a digest of their text; the highest bit keeps it apart
/// from those of stored objects.
pub(crate) fn revision_of(json: &[u8]) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    json.hash(&mut hasher);
    hasher.finish() | 1 << 63
}

/// The params of a bundle.
fn defined(sections: &Sections) -> BTreeMap<String, Defined> {
    let field = |object: &JsonMap, field: &str| {
        object.iter().find(|(name, _)| name.eq_ignore_ascii_case(field)).map(|(_, value)| value.clone())
    };
    let define = |object: &JsonMap| Defined {
        secure: field(object, "Secure").and_then(|v| v.as_bool()).unwrap_or(false),
        schema: field(object, "Schema").unwrap_or_default(),
        checker: OnceCell::new(),
    };
    let params = sections.get("params").into_iter().flatten();
    params.map(|(name, object)| (name.clone(), define(object))).collect()
}

/// One error out of all that is wrong; each text names its object.
fn all_wrong(name: &str, mut problems: Vec<Fault>) -> Option<Fault> {
    if problems.len() < 2 {
        return problems.pop();
    }
    let more = problems.len() > TOLD;
    problems.truncate(TOLD);
    let mut messages: Vec<String> = problems
        .into_iter()
        .flat_map(|fault| match fault {
            Fault::Invalid { model, key, messages } => {
                let named = move |text: String| match text.starts_with(&format!("{key}: ")) {
                    true => format!("{model}:{text}"),
                    false => format!("{model}:{key}: {text}"),
                };
                messages.into_iter().map(named).collect()
            }
            other => vec![other.to_string()],
        })
        .collect();
    if more {
        messages.push("and more".to_owned());
    }
    Some(Fault::invalid("contents", name, messages))
}
