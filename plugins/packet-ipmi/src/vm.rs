//! Actions on the plugin object: devices by name and id.

use crate::answer::{Outcome, Story, bad_param, daemon, failed, problem};
use crate::names::{self, state};
use crate::records::Facts;
use crate::settings::text;
use crate::work::Work;
use drp_plugin_sdk::{Error, Machine, Params, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// An action does not wait longer for the service to take an order.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// So often a machine is looked for that somebody else makes at the same time.
const LOOKS: usize = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// Params of `createVm` that the new machine gets.
const GIVEN: [&str; 6] =
    [names::FACILITY, names::METRO, names::PLAN, names::PROJECT, names::SCRIPT, names::ALWAYS_PXE];

impl Work {
    /// A machine with a device. With a name it can be repeated: the machine of that name is taken, and its device too when
    /// it has one.
    pub(crate) async fn create_vm(self: &Arc<Self>, params: &Params) -> Result<Outcome, Error> {
        let records = self.records()?;
        let name = text(params, names::NAME)?;
        let known = match &name {
            Some(name) => records.named(name).await?,
            None => None,
        };
        let machine = match known {
            Some(machine) => {
                let machine = self.taken(machine).await?;
                self.adjust(&machine, params).await?;
                machine
            }
            None => self.new_machine(name, params).await?,
        };
        let mut story = Story::new("createVm", "");
        let mut step = self.provision(&machine.uuid, true);
        let limit = (self.settings.target.timeout * 3).min(LONGEST_WAIT);
        let heard = tokio::time::timeout(limit, step.wait_for(Option::is_some)).await;
        let details = json!({ "machine": machine.uuid, "name": machine.name });
        let mut outcome = match heard.ok().and_then(Result::ok).and_then(|step| step.clone()) {
            Some(Ok(device)) => {
                story.uuid.clone_from(&device.id);
                let text = format!(
                    "Created {}; it is {} and followed in packet/state of the machine",
                    device.id, device.state
                );
                story.outcome(Some(&device), !device.is_coming(), text)
            }
            Some(Err(error)) => {
                return Err(error.and(format!(
                    "Machine: {} ({}); it stays, with the error in packet/error",
                    machine.name, machine.uuid
                )));
            }
            None => story.outcome(
                None,
                false,
                "the machine is made, its device waits for its turn; see packet/state of the machine",
            ),
        };
        outcome.details = Some(details);
        Ok(outcome)
    }

    /// A machine that is there already must be one of this plugin's.
    async fn taken(&self, machine: Machine) -> Result<Machine, Error> {
        if self.records()?.owns(&self.records()?.params(&machine.uuid).await?) {
            return Ok(machine);
        }
        let what = format!("createVm: machine {} is there and is not this plugin's", machine.name);
        Err(problem(
            409,
            "STATE",
            what,
            "use another packet/name, or set its machine-plugin to this plugin object",
        ))
    }

    /// A machine whose device is still to be ordered gets it as this call says. What the daemon fills in from the plugin
    /// object and from defaults cannot be told from what a caller gives but by its value; it does not change the machine.
    async fn adjust(&self, machine: &Machine, params: &Params) -> Result<(), Error> {
        let records = self.records()?;
        let has_device =
            machine.params.get(names::UUID).and_then(Value::as_str).is_some_and(|id| !id.is_empty());
        if has_device || self.operations.is_under_way(&machine.uuid) {
            return Ok(());
        }
        let mut given = Vec::new();
        for name in GIVEN {
            if let Some(value) = params.value(name)
                && records.usual(name).await? != *value
            {
                given.push((name, value.clone()));
            }
        }
        records.set(&machine.uuid, given).await
    }

    async fn new_machine(&self, name: Option<String>, params: &Params) -> Result<Machine, Error> {
        let records = self.records()?;
        let mut given = json!({ names::MACHINE_PLUGIN: records.plugin(), names::STATE: state::REQUESTED });
        for name in GIVEN {
            if let Some(value) = params.value(name) {
                given[name] = value.clone();
            }
        }
        let generated = match &name {
            Some(name) => name.clone(),
            None => format!("packet-{}", unique()),
        };
        let made = records.create(&json!({ "Name": generated, "Params": given })).await;
        match (made, name) {
            (Ok(machine), _) => Ok(machine),
            // Somebody made it in between: another createVm with the same name.
            (Err(error), Some(name)) if matches!(error.code, 409 | 422) => {
                for _ in 0..LOOKS {
                    if let Some(machine) = records.named(&name).await? {
                        return self.taken(machine).await;
                    }
                    // Its name is taken before it can be found: it is on its way to the disk.
                    tokio::time::sleep(BETWEEN_LOOKS).await;
                }
                Err(bad_param(names::NAME, &format!("cannot name a machine: {error}"), "use another name"))
            }
            (Err(error), _) => Err(daemon("make a machine", error)),
        }
    }

    /// Gives the device back, and deletes its machine when the device was seen going.
    pub(crate) async fn destroy_vm(self: &Arc<Self>, id: &str) -> Result<Outcome, Error> {
        let records = self.records()?;
        let machines = records.with_device(id).await?;
        // Nobody shall report as a failure what is done on purpose.
        let followed: Vec<&Machine> = machines.iter().filter(|m| self.operations.cancel(&m.uuid)).collect();
        let mut gone = match self.give_back(id, None).await {
            Ok(gone) => gone,
            Err(error) => {
                for machine in followed {
                    self.operations.ended(&machine.uuid).await;
                    drop(self.provision(&machine.uuid, false));
                }
                return Err(error);
            }
        };
        if let (Some(error), true) = (&gone.already, machines.is_empty()) {
            return Err(failed("destroyVm", id, error));
        }
        let mut left = Vec::new();
        for machine in machines {
            if gone.already.is_some() {
                // Perhaps the key is of another account: that is no reason to delete a machine.
                let text = "destroyVm: the device is not there: it is gone already, or of another account";
                records.note(&machine.uuid, &Facts::broken(state::MISSING, text)).await?;
                left.push(machine.name);
            } else {
                records.delete(&machine.uuid).await?;
            }
        }
        if !left.is_empty() {
            let text = format!("; machine {} stays, marked as missing", left.join(", "));
            gone.outcome.text.push_str(&text);
        }
        Ok(gone.outcome)
    }
}

/// A few letters that no other machine's name has: of the time, since nothing depends on their being secret.
fn unique() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{:x}", now.as_micros())
}
