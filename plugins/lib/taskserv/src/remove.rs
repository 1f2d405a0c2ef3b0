//! Removing a task service.

use crate::TaskservError;
use crate::apply::{go_back, lock};
use crate::fetch::Facts;
use crate::journal::Journal;
use crate::machine::Machine;
use crate::plan::Plan;
use crate::scripts;
use crate::state::{Phase, State};
use drp_plugin_sdk::tracing;
use serde_json::{Value, json};

/// The steps.
pub(crate) const STEPS: [&str; 6] = ["lock", "stop", "programs", "unit", "folders", "state"];

/// What to be tolerant of, and what to leave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// Go on past errors.
    pub(crate) force: bool,
    /// Leave the folder of its data.
    pub(crate) keep_data: bool,
}

/// Removes what the state on the machine says was put there. Folders that were there before stay.
pub(crate) async fn remove(
    machine: &Machine,
    plan: &Plan,
    manner: Manner,
    journal: &Journal<'_>,
) -> Result<Value, TaskservError> {
    let here = &plan.here;
    let name = &plan.record.name;
    let facts = Facts::ask(machine, &["flock"]).await?;
    if !facts.missing.is_empty() {
        return Err(TaskservError::machine(
            format!("{} has no flock", machine.ssh.target()),
            "install util-linux there",
        ));
    }
    let mut held = None;
    // The lock makes the folder of the state, which a machine without the service shall not get.
    let there =
        !machine.tell(scripts::READ, &[&format!("{here}/state.json")], "reading the state").await?.is_empty();
    if !there && !manner.force {
        return Ok(json!({"success": true, "service": name, "status": "absent", "changed": false}));
    }
    journal
        .step("lock", async {
            held = Some(lock(machine, here, name).await?);
            Ok(false)
        })
        .await?;
    let answer = locked(machine, plan, manner, journal).await;
    if let Some(held) = held {
        held.release().await;
    }
    answer
}

async fn locked(
    machine: &Machine,
    plan: &Plan,
    manner: Manner,
    journal: &Journal<'_>,
) -> Result<Value, TaskservError> {
    let here = &plan.here;
    let state = match State::read(machine, here).await {
        Ok(Some(torn)) if torn.phase == Phase::Changing => {
            journal.step("recover", async { go_back(machine, here, &torn).await.map(|()| true) }).await?;
            State::read(machine, here).await?
        }
        Ok(state) => state,
        Err(error) if manner.force && !error.is_of_the_way() => None,
        Err(error) => return Err(error),
    };
    let mut warnings: Vec<String> = Vec::new();
    let mut kept: Vec<String> = Vec::new();
    // Without a state, what this version would install.
    let unit =
        state.as_ref().map_or_else(|| plan.has_unit().then(|| plan.unit_name()), |state| state.unit.clone());
    let files = state.as_ref().map_or_else(|| plan.paths(), State::paths);
    let made = state.as_ref().map(|state| state.made.clone()).unwrap_or_default();
    let mut past =
        |answer: Result<bool, TaskservError>| -> Result<(), TaskservError> {
            match answer {
                Ok(_) => Ok(()),
                Err(error) if manner.force && !error.is_of_the_way() => {
                    tracing::warn!("going on past: {error}");
                    warnings.push(error.to_string());
                    Ok(())
                }
                Err(error) => Err(journal
                    .changed(error, "uninstalling again goes on from there; force goes on past errors")),
            }
        };
    past(
        journal
            .step("stop", async {
                let Some(unit) = &unit else { return Ok(false) };
                machine
                    .run(&["systemctl", "disable", "--now", unit], "systemctl disable --now")
                    .await
                    .map(|_| true)
            })
            .await,
    )?;
    past(
        journal
            .step("programs", async {
                let arguments: Vec<&str> = files.iter().map(String::as_str).collect();
                machine.tell(scripts::REMOVE, &arguments, "removing files").await.map(|_| true)
            })
            .await,
    )?;
    past(
        journal
            .step("unit", async {
                if unit.is_none() {
                    return Ok(false);
                }
                machine.run(&["systemctl", "daemon-reload"], "systemctl daemon-reload").await.map(|_| true)
            })
            .await,
    )?;
    let data = plan.record.install.data_path.as_ref().map(|path| machine.at(path.trim_end_matches('/')));
    let mut gone: Vec<&str> = Vec::new();
    for folder in &plan.own_folders {
        let ours = made.contains(folder);
        if !ours || (manner.keep_data && data.as_ref() == Some(folder)) {
            kept.push(folder.clone());
        } else {
            gone.push(folder);
        }
    }
    past(
        journal
            .step("folders", async {
                if gone.is_empty() {
                    return Ok(false);
                }
                machine.tell(scripts::REMOVE_FOLDERS, &gone, "removing folders").await.map(|_| true)
            })
            .await,
    )?;
    past(
        journal
            .step("state", async {
                machine.tell(scripts::REMOVE_FOLDERS, &[here], "removing the state").await.map(|_| true)
            })
            .await,
    )?;
    Ok(json!({
        "success": true, "service": plan.record.name, "status": "absent", "changed": true,
        "kept": kept, "warnings": warnings, "steps": journal.told(),
    }))
}
