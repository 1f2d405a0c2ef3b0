//! What the service has beside what the machines say. Nothing is ever deleted here: a listing that is empty, short or of
//! another account says nothing about the machines of the daemon.

use crate::answer::{daemon, line};
use crate::metal::{Device, MetalError};
use crate::names::{self, state};
use crate::provision::machine_of;
use crate::records::Facts;
use crate::work::Work;
use drp_plugin_sdk::{Error, Machine, Value, tracing};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

impl Work {
    /// Looks at the start, after each gap in the events, and every `packet/refresh-interval`.
    pub(crate) fn watch(self: &Arc<Self>) {
        let work = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = work.end.cancelled() => return,
                    seen = work.reconcile() => if let Err(error) = seen {
                        tracing::warn!("the devices cannot be listed, so nothing is said about machines: {}", line(&error));
                    },
                }
                let rest = work.settings.refresh.unwrap_or(Duration::from_secs(86_400 * 365));
                tokio::select! {
                    () = work.end.cancelled() => return,
                    () = work.again.notified() => {}
                    () = tokio::time::sleep(rest) => {}
                }
            }
        });
    }

    async fn reconcile(self: &Arc<Self>) -> Result<(), Error> {
        let records = self.records()?;
        let owned = records.owned().await?;
        self.resume(&owned);
        let listed = self.listed().await.map_err(|e| crate::answer::failed("list devices", "", &e))?;
        for machine in &owned {
            let Some(id) = own(machine, names::UUID) else { continue };
            if self.operations.is_under_way(&machine.uuid) {
                continue;
            }
            match listed.get(id) {
                Some(device) => self.seen(machine, device).await?,
                None => self.unseen(machine, id).await?,
            }
        }
        self.strangers(&owned, &listed).await
    }

    /// Takes up what was under way when the plugin stopped.
    fn resume(self: &Arc<Self>, owned: &[Machine]) {
        let mut waiting = Vec::new();
        for machine in owned {
            let was = own(machine, names::STATE).unwrap_or_default();
            let coming = Device { state: was.to_owned(), ..Device::default() }.is_coming();
            let goes_on = match own(machine, names::UUID) {
                Some(_) => coming,
                None => matches!(was, state::REQUESTED | state::CREATING | state::UNCONFIRMED),
            };
            if goes_on {
                drop(self.provision(&machine.uuid, false));
            } else if was.is_empty() && own(machine, names::UUID).is_none() {
                waiting.push(machine.name.as_str());
            }
        }
        if !waiting.is_empty() {
            tracing::warn!(
                "machines of this plugin without a device, made while it did not run: {}; createVm with the name as packet/name makes one",
                waiting.iter().take(20).copied().collect::<Vec<_>>().join(", ")
            );
        }
    }

    /// All devices of all projects by id.
    async fn listed(&self) -> Result<HashMap<String, Device>, MetalError> {
        let mut listed = HashMap::new();
        for project in self.projects().await? {
            listed.extend(self.metal.devices(&project).await?.into_iter().map(|d| (d.id.clone(), d)));
        }
        Ok(listed)
    }

    async fn seen(&self, machine: &Machine, device: &Device) -> Result<(), Error> {
        if own(machine, names::STATE) == Some(&device.state) {
            return Ok(());
        }
        tracing::info!("machine {}: device {} is {}", machine.name, device.id, device.state);
        self.records()?.note(&machine.uuid, &Facts::of(device).well()).await.map(drop)
    }

    /// The machine's device is in no listing: it is asked for by its id, and the machine is marked.
    async fn unseen(&self, machine: &Machine, id: &str) -> Result<(), Error> {
        if !crate::metal::is_id(id) {
            return Ok(());
        }
        match self.metal.device(id).await {
            Ok(device) => self.seen(machine, &device).await,
            Err(error @ (MetalError::Missing { .. } | MetalError::Forbidden { .. })) => {
                if own(machine, names::STATE) == Some(state::MISSING) {
                    return Ok(());
                }
                let text = format!(
                    "device {id} is in no listing, and asked for by its id: {error}. It was deleted elsewhere, or the key is \
                     of another account. The machine stays as it is"
                );
                tracing::warn!("machine {}: {text}", machine.name);
                self.records()?.note(&machine.uuid, &Facts::broken(state::MISSING, &text)).await?;
                self.tell("missing", &machine.uuid, &text, None).await;
                Ok(())
            }
            Err(error) => {
                tracing::warn!("machine {}: {error}", machine.name);
                Ok(())
            }
        }
    }

    /// Devices that no machine has: imported when that is wanted, and named when they were made for a machine.
    async fn strangers(&self, owned: &[Machine], listed: &HashMap<String, Device>) -> Result<(), Error> {
        let records = self.records()?;
        let known: HashSet<&str> = owned.iter().filter_map(|m| own(m, names::UUID)).collect();
        let machines: HashSet<&str> = owned.iter().map(|m| m.uuid.as_str()).collect();
        let mut strangers: Vec<_> =
            listed.values().filter(|device| !known.contains(device.id.as_str())).collect();
        strangers.sort_by(|a, b| (&a.hostname, &a.id).cmp(&(&b.hostname, &b.id)));
        for device in strangers {
            let made_for = machine_of(device);
            if device.is_going() || made_for.is_some_and(|machine| machines.contains(machine)) {
                continue;
            }
            // A machine of another plugin, or one made since the machines were listed.
            if !records.with_device(&device.id).await?.is_empty() {
                continue;
            }
            if let Some(machine) = made_for
                && !self.operations.is_under_way(&format!("delete:{machine}"))
            {
                tracing::warn!(
                    "device {} ({}) was made for machine {machine}, which this daemon does not have; it is charged for until somebody deletes it",
                    device.id,
                    device.hostname
                );
            }
            if self.settings.import
                && !made_for.is_some_and(|m| self.operations.is_under_way(&format!("delete:{m}")))
            {
                match records.import(device).await {
                    Ok(machine) => {
                        tracing::info!(
                            "device {} is imported as machine {} ({})",
                            device.id,
                            machine.name,
                            machine.uuid
                        );
                    }
                    Err(error) if matches!(error.code, 409 | 422) => tracing::warn!(
                        "device {} is not imported, {} cannot be a machine: {}",
                        device.id,
                        device.hostname,
                        line(&error)
                    ),
                    Err(error) => return Err(daemon("import a device", error)),
                }
            }
        }
        Ok(())
    }
}

fn own<'a>(machine: &'a Machine, name: &str) -> Option<&'a str> {
    machine.params.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}
