//! Installing, changing and going back.

use crate::TaskservError;
use crate::fetch::{self, Facts};
use crate::journal::Journal;
use crate::machine::Machine;
use crate::plan::{Plan, STATES};
use crate::record::ServiceType;
use crate::settings::Sources;
use crate::state::{Phase, State};
use crate::{health, scripts};
use drp_ssh::{Held, Run};
use std::collections::{BTreeMap, BTreeSet};

/// The steps of every change.
pub(crate) const STEPS: [&str; 10] = [
    "requirements",
    "lock",
    "fetch",
    "keep",
    "programs",
    "account",
    "configuration",
    "unit",
    "start",
    "health",
];

/// What a change was.
pub(crate) struct Changed {
    /// Something was not as it should be.
    pub(crate) changed: bool,
    /// Version before.
    pub(crate) before: Option<String>,
}

/// Takes the lock of a task service on a machine. Dropping it gives it back.
pub(crate) async fn lock(machine: &Machine, here: &str, name: &str) -> Result<Held, TaskservError> {
    let run =
        Run::script(&machine.prefix, scripts::LOCK, [here]).called("taking the lock").within(machine.timeout);
    machine.ssh.hold(run).await?.ok_or_else(|| {
        TaskservError::State(format!(
            "{name} on {} cannot be locked: something else changes it now, or {here} cannot be written",
            machine.ssh.target()
        ))
    })
}

/// Looks whether the machine has what a plan needs.
pub(crate) async fn requirements(machine: &Machine, plan: &Plan) -> Result<Facts, TaskservError> {
    let facts = Facts::ask(machine, &fetch::programs(plan)).await?;
    let mut missing = facts.missing.clone();
    let names: Vec<&str> = plan.record.dependencies.iter().map(|other| other.name.as_str()).collect();
    if !names.is_empty() {
        let states = machine.at(STATES);
        let arguments: Vec<&str> = std::iter::once(states.as_str()).chain(names).collect();
        let absent = machine.tell(scripts::DEPENDENCIES, &arguments, "looking for dependencies").await?;
        missing.extend(absent.lines().map(str::to_owned));
    }
    if missing.is_empty() {
        return Ok(facts);
    }
    let what = format!(
        "requirements of {} on {} are not met: {}",
        plan.record.name,
        machine.ssh.target(),
        missing.join(", ")
    );
    Err(TaskservError::machine(what, "install what is missing there first"))
}

/// Makes a machine what a plan says. When something fails after the machine was changed, it is made what it was before.
pub(crate) async fn apply(
    machine: &Machine,
    plan: &Plan,
    sources: &Sources,
    journal: &Journal<'_>,
) -> Result<Changed, TaskservError> {
    let mut facts = Facts::default();
    journal
        .step("requirements", async {
            facts = requirements(machine, plan).await?;
            Ok(false)
        })
        .await?;
    let mut held = None;
    journal
        .step("lock", async {
            held = Some(lock(machine, &plan.here, &plan.record.name).await?);
            Ok(false)
        })
        .await?;
    let answer = locked(machine, plan, sources, &facts, journal).await;
    if let Some(held) = held {
        held.release().await;
    }
    answer
}

async fn locked(
    machine: &Machine,
    plan: &Plan,
    sources: &Sources,
    facts: &Facts,
    journal: &Journal<'_>,
) -> Result<Changed, TaskservError> {
    let here = &plan.here;
    let mut before = State::read(machine, here).await?;
    if let Some(torn) = before.take_if(|state| state.phase == Phase::Changing) {
        journal.step("recover", async { go_back(machine, here, &torn).await.map(|()| true) }).await?;
        before = State::read(machine, here).await?;
    }
    let version = before.as_ref().map(|state| state.version.clone());
    let wants_programs = before.as_ref().is_none_or(|state| state.version != plan.record.version)
        || !same_programs(machine, plan, before.as_ref()).await?;
    journal
        .step("fetch", async {
            if wants_programs { fetch::fetch(machine, plan, facts, sources).await } else { Ok(false) }
        })
        .await?;
    // What is not to be there any more is removed too.
    let old = before.as_ref().map(State::paths).unwrap_or_default();
    let touched: Vec<String> =
        plan.paths().into_iter().chain(old).collect::<BTreeSet<_>>().into_iter().collect();
    let old_unit = before.as_ref().and_then(|state| state.unit.clone());
    let ran = match (&old_unit, plan.has_unit()) {
        (Some(unit), _) => health::active(machine, unit).await? == "active",
        (None, _) => false,
    };
    let arguments: Vec<&str> = plan.own_folders.iter().map(String::as_str).collect();
    let absent = machine.tell(scripts::ABSENT, &arguments, "looking at folders").await?;
    let state = State {
        phase: Phase::Changing,
        version: version.clone().unwrap_or_default(),
        wanted: Some(plan.record.version.clone()),
        had_before: before.is_some(),
        config: plan.config.clone(),
        programs: BTreeMap::new(),
        files: Vec::new(),
        touched: touched.clone(),
        made: before.as_ref().map(|state| state.made.clone()).unwrap_or_default(),
        making: absent.lines().map(str::to_owned).collect(),
        unit: plan.has_unit().then(|| plan.unit_name()),
        unit_before: old_unit,
        ran,
    };
    journal
        .step("keep", async {
            let arguments: Vec<&str> =
                std::iter::once(here.as_str()).chain(touched.iter().map(String::as_str)).collect();
            machine.tell(scripts::KEEP, &arguments, "keeping what is there").await?;
            state.write(machine, here).await.map(|()| false)
        })
        .await?;
    let work = change(machine, plan, facts, wants_programs, &state, journal).await;
    match work {
        Ok(changed) => {
            let sums = sums(machine, plan).await?;
            let keep: BTreeSet<String> = plan.paths().into_iter().collect();
            let stale: Vec<&str> =
                touched.iter().filter(|path| !keep.contains(*path)).map(String::as_str).collect();
            if !stale.is_empty() {
                machine.tell(scripts::REMOVE, &stale, "removing what is not wanted any more").await?;
            }
            let made = state.made.iter().chain(&state.making).cloned().collect();
            let state = State {
                phase: Phase::Installed,
                version: plan.record.version.clone(),
                wanted: None,
                had_before: false,
                programs: sums,
                files: plan.files.iter().chain(&plan.unit).map(|file| file.path.clone()).collect(),
                touched: Vec::new(),
                made,
                making: Vec::new(),
                unit_before: None,
                ..state
            };
            state.write(machine, here).await?;
            let left = [format!("{here}/previous"), format!("{here}/download")];
            machine.tell(scripts::REMOVE_FOLDERS, &[&left[0], &left[1]], "tidying up").await?;
            Ok(Changed { changed: changed || before.is_none(), before: version })
        }
        Err(cause) if cause.is_of_the_way() => {
            let after = format!(
                "the connection is gone, so the machine is as the steps left it; what was before is in {here}/previous. \
                 Installing again, or uninstalling, first goes back to it"
            );
            Err(journal.changed(cause, after))
        }
        Err(cause) => {
            let back = go_back(machine, here, &state).await;
            let after = match (back, &version) {
                (Ok(()), Some(version)) => {
                    // That the old one was started does not say that it runs.
                    let ill = match state.unit_before.as_ref().filter(|_| state.ran) {
                        Some(unit) => {
                            health::settled(machine, unit).await.unwrap_or_else(|e| Some(e.to_string()))
                        }
                        None => None,
                    };
                    let ill = ill.map(|why| format!(", which is not well either: {why}")).unwrap_or_default();
                    format!("went back to version {version}{ill}")
                }
                (Ok(()), None) => "removed again what was installed".to_owned(),
                (Err(error), _) => {
                    format!("going back failed: {error}; what was before is in {here}/previous")
                }
            };
            Err(journal.changed(cause, after))
        }
    }
}

async fn change(
    machine: &Machine,
    plan: &Plan,
    facts: &Facts,
    wants_programs: bool,
    state: &State,
    journal: &Journal<'_>,
) -> Result<bool, TaskservError> {
    let service = &plan.record.service;
    let owner = format!("{}:{}", service.user, service.group);
    let mut changed = journal
        .step("programs", async {
            if wants_programs {
                let files = format!("{}/download/files", plan.here);
                for program in &plan.programs {
                    let arguments = [files.as_str(), &program.from, &program.to, &program.mode];
                    machine.tell(scripts::PUT, &arguments, &format!("installing {}", program.to)).await?;
                }
            }
            Ok(wants_programs && !plan.programs.is_empty())
        })
        .await?;
    changed |= journal
        .step("account", async {
            let home = plan.own_folders.last().map_or("/nonexistent", String::as_str);
            if service.user != "root" || service.group != "root" {
                machine
                    .tell(scripts::ACCOUNT, &[&service.user, &service.group, home], "making the user")
                    .await?;
            }
            let mut arguments = vec![owner.as_str()];
            arguments.extend(plan.own_folders.iter().map(String::as_str));
            machine.tell(scripts::FOLDERS, &arguments, "making folders").await?;
            Ok(!state.making.is_empty())
        })
        .await?;
    changed |= journal
        .step("configuration", async {
            let mut changed = false;
            for file in &plan.files {
                changed |= write(machine, file, Some(&owner)).await?;
            }
            Ok(changed)
        })
        .await?;
    if service.r#type == ServiceType::None {
        return Ok(changed);
    }
    let unit = plan.unit_name();
    let new_unit = journal
        .step("unit", async {
            let Some(file) = &plan.unit else { return Ok(false) };
            let folder = file.path.rsplit_once('/').map_or("/", |(folder, _)| folder);
            let owner = if facts.uid == 0 { "root:root" } else { "" };
            machine.tell(scripts::FOLDERS, &[owner, folder], "making folders").await?;
            let new = write(machine, file, None).await?;
            if new {
                machine.run(&["systemctl", "daemon-reload"], "systemctl daemon-reload").await?;
            }
            Ok(new)
        })
        .await?;
    changed |= new_unit;
    changed |= journal
        .step("start", async {
            if let Some(old) = state.unit_before.as_ref().filter(|old| **old != unit) {
                machine.run(&["systemctl", "disable", "--now", old], "systemctl disable").await?;
            }
            machine.run(&["systemctl", "enable", &unit], "systemctl enable").await?;
            let runs = health::active(machine, &unit).await? == "active";
            if runs && !changed {
                return Ok(false);
            }
            machine.run(&["systemctl", "restart", &unit], "systemctl restart").await?;
            Ok(true)
        })
        .await?;
    journal.step("health", async { health::wait(machine, plan).await.map(|_| false) }).await?;
    Ok(changed)
}

/// Writes a file unless it is there with this content already.
async fn write(
    machine: &Machine,
    file: &crate::plan::Made,
    owner: Option<&str>,
) -> Result<bool, TaskservError> {
    use sha2::{Digest, Sha256};
    let wanted: String =
        Sha256::digest(file.content.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let found = machine.tell(scripts::SUMS, &[&file.path], "looking at files").await?;
    let new = found.trim() != wanted;
    if new {
        machine.write(&file.path, file.mode, file.content.clone().into_bytes()).await?;
    }
    if let Some(owner) = owner {
        machine.tell(scripts::OWN, &[owner, &file.path], &format!("giving {} to {owner}", file.path)).await?;
    }
    Ok(new)
}

async fn sums(machine: &Machine, plan: &Plan) -> Result<BTreeMap<String, String>, TaskservError> {
    if plan.programs.is_empty() {
        return Ok(BTreeMap::new());
    }
    let paths: Vec<&str> = plan.programs.iter().map(|program| program.to.as_str()).collect();
    let told = machine.tell(scripts::SUMS, &paths, "looking at programs").await?;
    Ok(paths.iter().map(|path| (*path).to_owned()).zip(told.lines().map(str::to_owned)).collect())
}

async fn same_programs(
    machine: &Machine,
    plan: &Plan,
    before: Option<&State>,
) -> Result<bool, TaskservError> {
    let Some(before) = before else { return Ok(false) };
    // A text of the configuration may have changed without a new version.
    let source = |config: &drp_protocol::JsonMap| config.get("source").cloned();
    Ok(source(&before.config) == source(&plan.config) && sums(machine, plan).await? == before.programs)
}

/// Puts back what was before a change that `state` tells of.
pub(crate) async fn go_back(machine: &Machine, here: &str, state: &State) -> Result<(), TaskservError> {
    if let Some(unit) = &state.unit {
        // It may never have got so far.
        let argv: &[&str] = if state.unit_before.as_ref() == Some(unit) {
            &["systemctl", "stop", unit]
        } else {
            &["systemctl", "disable", "--now", unit]
        };
        let _ = machine.run(argv, "systemctl stop").await;
    }
    let arguments: Vec<&str> =
        std::iter::once(here).chain(state.touched.iter().map(String::as_str)).collect();
    machine.tell(scripts::RESTORE, &arguments, "going back").await?;
    if !state.making.is_empty() {
        let folders: Vec<&str> = state.making.iter().map(String::as_str).collect();
        machine.tell(scripts::REMOVE_FOLDERS, &folders, "removing folders").await?;
    }
    if state.unit.is_some() || state.unit_before.is_some() {
        machine.run(&["systemctl", "daemon-reload"], "systemctl daemon-reload").await?;
    }
    if let Some(unit) = state.unit_before.as_ref().filter(|_| state.ran) {
        machine.run(&["systemctl", "enable", unit], "systemctl enable").await?;
        machine.run(&["systemctl", "restart", unit], "systemctl restart").await?;
    }
    machine.tell(scripts::SETTLE, &[here], "settling").await?;
    if !state.had_before {
        machine.tell(scripts::REMOVE_FOLDERS, &[here], "tidying up").await?;
    }
    Ok(())
}
