//! Pools of machines: adding, allocating, releasing, removing (wire-protocol §2.4, §3.9).
//!
//! Each step may run a workflow. Until it is complete the machine is `Joining`, `Building`, `Destroying` or `Leaving`;
//! when a task fails it waits as `HoldJoin`, `HoldBuild`, `HoldDestroy` or `HoldLeave`, and goes on when it is made
//! runnable again.

use crate::{
    ListQuery, Objects, Principal, Result,
    fault::Fault,
    lifecycle::{self, text, texts},
    write::{Verb, set},
};
use drp_protocol::JsonMap;
use serde::Serialize;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// The pool of machines that are in no other.
const DEFAULT: &str = "default";

/// What can be done with machines and a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolStep {
    /// From another pool into this one.
    Add,
    /// From this pool into the default one.
    Remove,
    /// To be used.
    Allocate,
    /// To be free again.
    Release,
}

impl PoolStep {
    /// By the word of the route: `allocateMachines` or `allocate`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word.strip_suffix("Machines").unwrap_or(word) {
            "add" => Self::Add,
            "remove" => Self::Remove,
            "allocate" => Self::Allocate,
            "release" => Self::Release,
            _ => return None,
        })
    }

    /// Where the pool says what happens with a machine.
    fn actions(self) -> &'static str {
        match self {
            Self::Add => "EnterActions",
            Self::Remove => "ExitActions",
            Self::Allocate => "AllocateActions",
            Self::Release => "ReleaseActions",
        }
    }

    /// While a workflow runs, and after it.
    fn statuses(self) -> (&'static str, &'static str) {
        match self {
            Self::Add => ("Joining", "Free"),
            Self::Remove => ("Leaving", "Free"),
            Self::Allocate => ("Building", "InUse"),
            Self::Release => ("Destroying", "Free"),
        }
    }

    /// Whether a machine can take this step.
    fn fits(self, machine: &JsonMap) -> bool {
        let (allocated, status) = (flag(machine, "PoolAllocated"), text(machine, "PoolStatus"));
        match self {
            Self::Release => allocated,
            Self::Add | Self::Remove | Self::Allocate => !allocated && status == "Free",
        }
    }
}

fn flag(object: &JsonMap, field: &str) -> bool {
    object.get(field).and_then(Value::as_bool).unwrap_or(false)
}

/// A machine of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PoolResult {
    /// Name of the machine.
    pub name: String,
    /// Key of the machine.
    pub uuid: String,
    /// Whether it is allocated.
    pub allocated: bool,
    /// Its `PoolStatus`.
    pub status: String,
}

impl PoolResult {
    fn of(machine: &JsonMap) -> Self {
        Self {
            name: text(machine, "Name").to_owned(),
            uuid: text(machine, "Uuid").to_owned(),
            allocated: flag(machine, "PoolAllocated"),
            status: text(machine, "PoolStatus").to_owned(),
        }
    }
}

/// `PoolStatus` while a machine whose task failed waits.
pub(crate) fn hold(machine: &mut JsonMap) {
    let held = match text(machine, "PoolStatus") {
        "Joining" => "HoldJoin",
        "Building" => "HoldBuild",
        "Destroying" => "HoldDestroy",
        "Leaving" => "HoldLeave",
        _ => return,
    };
    set(machine, "PoolStatus", held.into());
}

/// `PoolStatus` of a machine that goes on.
pub(crate) fn go_on(machine: &mut JsonMap) {
    let on = match text(machine, "PoolStatus") {
        "HoldJoin" => "Joining",
        "HoldBuild" => "Building",
        "HoldDestroy" => "Destroying",
        "HoldLeave" => "Leaving",
        _ => return,
    };
    set(machine, "PoolStatus", on.into());
}

/// `PoolStatus` and `Pool` of a machine whose workflow is complete.
pub(crate) fn arrive(machine: &mut JsonMap) {
    let there = match text(machine, "PoolStatus") {
        "Joining" | "Destroying" => "Free",
        "Building" => "InUse",
        "Leaving" => {
            set(machine, "Pool", DEFAULT.into());
            "Free"
        }
        _ => return,
    };
    set(machine, "PoolStatus", there.into());
}

/// What an order may say of the machines, the field of a pool's own actions that it takes the place of, and the claim
/// on machines that saying it takes.
const ORDERED: [(&str, &str, &str); 5] = [
    ("pool/workflow", "Workflow", "update:/Workflow"),
    ("pool/add-profiles", "AddProfiles", "update:/Profiles"),
    ("pool/remove-profiles", "RemoveProfiles", "update:/Profiles"),
    ("pool/add-parameters", "AddParameters", "update:/Params"),
    ("pool/remove-parameters", "RemoveParameters", "update:/Params"),
];

fn lacks(scope: &str, action: &str, key: &str) -> Fault {
    Fault::Refused {
        kind: "AUTH",
        model: String::new(),
        key: String::new(),
        messages: vec![
            "This order needs a claim beyond that on its pool".to_owned(),
            format!("Requires: {scope} {action} {key}"),
        ],
        code: 403,
    }
}

impl Objects {
    /// The pools that machines are in, sorted (GET `/pools-active`), but for those that a tenant hides.
    #[must_use]
    pub fn active_pools(&self, who: &Principal) -> Vec<String> {
        let pools: BTreeSet<String> =
            self.machines().iter().map(|machine| text(machine, "Pool").to_owned()).collect();
        pools.into_iter().filter(|pool| !pool.is_empty() && !who.claims.hide("pools", pool)).collect()
    }

    fn machines(&self) -> Vec<JsonMap> {
        let table = self.inner.state.table("machines");
        table.map(|table| table.snapshot().iter().map(|row| row.map()).collect()).unwrap_or_default()
    }

    /// The machines of a pool that the caller may see, by their `PoolStatus` (GET `/pools/<id>/status`).
    ///
    /// # Errors
    /// 404.
    pub fn pool_status(&self, who: &Principal, pool: &str) -> Result<BTreeMap<String, Vec<PoolResult>>> {
        let (pool, _) = self.pool(pool, "GET")?;
        let sees = |key: &str| ["list", "get"].iter().any(|action| who.claims.allow("machines", action, key));
        let here = |machine: &&JsonMap| text(machine, "Pool") == pool && sees(text(machine, "Uuid"));
        let mut by_status: BTreeMap<String, Vec<PoolResult>> = BTreeMap::new();
        for machine in self.machines().iter().filter(here) {
            by_status
                .entry(text(machine, "PoolStatus").to_owned())
                .or_default()
                .push(PoolResult::of(machine));
        }
        Ok(by_status)
    }

    /// The pool's key and object; the default pool needs none.
    fn pool(&self, pool: &str, word: &'static str) -> Result<(String, JsonMap)> {
        match self.found("pools", pool, word) {
            Ok((_, row)) => Ok((row.key.to_string(), row.map())),
            Err(_) if pool == DEFAULT => Ok((DEFAULT.to_owned(), JsonMap::new())),
            Err(error) => Err(error),
        }
    }

    /// Lets machines take a step, and gives those that did. The order says which: `pool/machine-list` (names or keys),
    /// `pool/all-machines`, `pool/filter` (list filters), `pool/count`, `pool/minimum`, `pool/source-pool`; and what
    /// happens with them: `pool/workflow`, `pool/add-profiles`, `pool/remove-profiles`, `pool/add-parameters`,
    /// `pool/remove-parameters`, over what the pool's own actions say.
    ///
    /// The caller holds the claim on the pool. What the order says of the machines takes the claims that changing them
    /// takes, and another source pool that of removing from it. Machines that a tenant hides are left out.
    ///
    /// # Errors
    /// 403 when such a claim is missing; 404 for an unknown pool or machine; 406 for a filter that makes no sense; 409 when there are too few machines.
    pub async fn pool_step(
        &self,
        who: &Principal,
        pool: &str,
        step: PoolStep,
        order: &JsonMap,
    ) -> Result<Vec<PoolResult>> {
        let (pool, known) = self.pool(pool, "POST")?;
        let pool = pool.as_str();
        let mut what = known.get(step.actions()).and_then(Value::as_object).cloned().unwrap_or_default();
        for (key, field, _) in ORDERED {
            if let Some(value) = order.get(key) {
                what.insert(field.to_owned(), value.clone());
            }
        }
        let from = match (step, text(order, "pool/source-pool")) {
            (PoolStep::Add, "") => DEFAULT,
            (PoolStep::Add, source) => source,
            _ => pool,
        };
        let takes = ["action:remove", "action:removeMachines"];
        if from != pool && from != DEFAULT && !takes.iter().any(|take| who.claims.allow("pools", take, from))
        {
            return Err(lacks("pools", "action:remove", from).into());
        }
        let candidates = self.candidates(who, from, step, order)?;
        for (_, _, action) in ORDERED.iter().filter(|(key, _, _)| order.contains_key(*key)) {
            if let Some(key) = candidates.iter().find(|key| !who.claims.allow("machines", action, key)) {
                return Err(lacks("machines", action, key).into());
            }
        }
        let number = |key: &str| order.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let named = order.contains_key("pool/machine-list");
        let everything = flag(order, "pool/all-machines") || named;
        let wanted = number("pool/count").unwrap_or(if everything { candidates.len() } else { 1 });
        let least = number("pool/minimum").unwrap_or(if everything && !named { 0 } else { wanted });
        let refused = |found: usize| Fault::Refused {
            kind: "POST",
            model: "pools".to_owned(),
            key: pool.to_owned(),
            messages: vec![format!("{least} machines are wanted, {found} of pool {from} can take this step")],
            code: 409,
        };
        if candidates.len() < least {
            return Err(refused(candidates.len()).into());
        }
        let mut done = Vec::new();
        for key in candidates {
            if done.len() >= wanted {
                break;
            }
            if let Some(result) = self.step(who, &key, pool, from, step, &what).await? {
                done.push(result);
            }
        }
        Ok(done)
    }

    /// The keys of the machines that can take a step.
    fn candidates(
        &self,
        who: &Principal,
        from: &str,
        step: PoolStep,
        order: &JsonMap,
    ) -> Result<Vec<String>> {
        let filters = texts(order, "pool/filter");
        let pairs: Vec<(&str, &str)> = filters.iter().map(|f| f.split_once('=').unwrap_or((f, ""))).collect();
        let query = ListQuery::parse(pairs)?;
        let listing = self.list(&Principal::system(), "machines", &query)?;
        let mut machines: Vec<JsonMap> = serde_json::from_slice(&listing.json).unwrap_or_default();
        machines.retain(|machine| !who.claims.hide("machines", text(machine, "Uuid")));
        let fits = |machine: &JsonMap| text(machine, "Pool") == from && step.fits(machine);
        if order.contains_key("pool/machine-list") {
            let mut keys = Vec::new();
            for id in texts(order, "pool/machine-list") {
                let by_name = || self.resolve("machines", &format!("Name:{id}"));
                let key = self.resolve("machines", &id).or_else(by_name);
                let key = key.filter(|key| !who.claims.hide("machines", key));
                let key = key.ok_or_else(|| Fault::not_found("POST", "machines", &id))?;
                let fitting = |machine: &&JsonMap| text(machine, "Uuid") == key && fits(machine);
                if !machines.iter().any(|machine| fitting(&machine)) {
                    let messages =
                        vec![format!("Machine {id} is not in pool {from} or cannot take this step")];
                    let (model, code) = ("machines".to_owned(), 409);
                    return Err(Fault::Refused { kind: "POST", model, key, messages, code }.into());
                }
                keys.push(key);
            }
            return Ok(keys);
        }
        Ok(machines.iter().filter(|machine| fits(machine)).map(|m| text(m, "Uuid").to_owned()).collect())
    }

    /// One machine's step; none when it cannot take it any more.
    async fn step(
        &self,
        who: &Principal,
        key: &str,
        pool: &str,
        from: &str,
        step: PoolStep,
        what: &JsonMap,
    ) -> Result<Option<PoolResult>> {
        let taken = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&taken);
        let changed = self
            .change(who, "machines", key, Verb::Save, move |table, row| {
                let before = row.map();
                if text(&before, "Pool") != from || !step.fits(&before) {
                    return Ok(None);
                }
                let mut machine = before.clone();
                apply(&mut machine, what);
                let (while_running, after) = step.statuses();
                let workflow = text(what, "Workflow");
                set(&mut machine, "PoolAllocated", (step == PoolStep::Allocate).into());
                if step == PoolStep::Add {
                    set(&mut machine, "Pool", pool.into());
                }
                if workflow.is_empty() {
                    set(&mut machine, "PoolStatus", after.into());
                    if step == PoolStep::Remove {
                        set(&mut machine, "Pool", DEFAULT.into());
                    }
                } else {
                    set(&mut machine, "PoolStatus", while_running.into());
                    set(&mut machine, "Workflow", "".into());
                    let mut none = machine.clone();
                    set(&mut none, "Workflow", workflow.into());
                    lifecycle::changed(&self.inner, key, &machine, &mut none, true)?;
                    set(&mut none, "Runnable", true.into());
                    machine = none;
                }
                told.store(true, Ordering::Relaxed);
                self.decode(table, &row.key, Value::Object(machine), "POST", 422).map(Some)
            })
            .await?;
        Ok(taken.load(Ordering::Relaxed).then(|| PoolResult::of(&changed.map())))
    }
}

/// Profiles and params of a step.
fn apply(machine: &mut JsonMap, what: &JsonMap) {
    let gone = texts(what, "RemoveProfiles");
    let mut profiles = texts(machine, "Profiles");
    profiles.retain(|profile| !gone.contains(profile));
    for profile in texts(what, "AddProfiles") {
        if !profiles.contains(&profile) {
            profiles.push(profile);
        }
    }
    set(machine, "Profiles", profiles.into());
    if let Some(Value::Object(params)) = machine.get_mut("Params") {
        for name in texts(what, "RemoveParameters") {
            params.remove(&name);
        }
        for (name, value) in what.get("AddParameters").and_then(Value::as_object).into_iter().flatten() {
            params.insert(name.clone(), value.clone());
        }
    }
}
