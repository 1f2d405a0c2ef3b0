//! Devices that are given back.

use crate::answer::{Outcome, Story, line, problem};
use crate::metal::{Device, MetalError};
use crate::names;
use crate::provision::tag_of;
use crate::work::Work;
use drp_plugin_sdk::{Error, Machine, Operation, Value, tracing};
use std::sync::Arc;
use tokio::time::Instant;

/// How a device went.
pub(crate) struct Gone {
    pub(crate) outcome: Outcome,
    /// It was not there to begin with, in the service's words.
    pub(crate) already: Option<MetalError>,
}

impl Work {
    /// A machine was deleted: its device is given back, off the event path. While it is provisioned the service refuses
    /// that, so it may take long.
    pub(crate) fn retire(self: &Arc<Self>, machine: Machine) {
        let own =
            |name: &str| machine.params.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let ours = self.records.as_ref().map(|records| records.plugin().to_owned());
        if own(names::MACHINE_PLUGIN).is_some_and(|plugin| Some(plugin) != ours.as_deref()) {
            return;
        }
        let id = own(names::UUID).map(str::to_owned);
        if !self.settings.destroy_imported && machine.params.get(names::IMPORTED) == Some(&Value::Bool(true))
        {
            tracing::info!(
                "machine {} is deleted; its device {} was not made by this plugin, and stays (packet/destroy-imported)",
                machine.name,
                id.unwrap_or_default()
            );
            return;
        }
        let may_have_one = own(names::STATE).is_some() || self.operations.is_under_way(&machine.uuid);
        if id.is_none() && !may_have_one {
            return;
        }
        let work = self.clone();
        let uuid = machine.uuid;
        let project = own_project(&machine.params);
        let name = uuid.clone();
        let started = self.operations.start(format!("delete:{uuid}"), |operation| async move {
            work.operations.cancel(&uuid);
            work.operations.ended(&uuid).await;
            let outcome = async {
                let id = match id {
                    Some(id) if crate::metal::is_id(&id) => Some(id),
                    _ => work.by_tag(project, &uuid).await?,
                };
                let Some(id) = id else { return Ok(None) };
                if let Some(other) = work.records()?.with_device(&id).await?.first() {
                    tracing::warn!(
                        "machine {uuid} was deleted; machine {} ({}) has its device {id}, too, which stays",
                        other.name,
                        other.uuid
                    );
                    return Ok(None);
                }
                work.give_back(&id, Some(&operation)).await.map(Some)
            };
            match outcome.await {
                Ok(None) => {}
                Ok(Some(gone)) => {
                    let text = format!(
                        "machine {uuid} was deleted, and its device {}: {}",
                        gone.outcome.uuid, gone.outcome.text
                    );
                    tracing::info!("{text}");
                    work.tell("destroyed", &uuid, &text, None).await;
                }
                Err(error) => {
                    let text = format!("machine {uuid} was deleted, its device was not: {}", line(&error));
                    tracing::error!(code = error.code, "{text}");
                    work.tell("undeleted", &uuid, &text, None).await;
                }
            }
        });
        if !started {
            tracing::error!("machine {name} was deleted, its device was not: too much is under way");
        }
    }

    /// The device that was made for a machine, when its id never got into the machine.
    async fn by_tag(&self, project: Option<String>, machine: &str) -> Result<Option<String>, Error> {
        let failed = |error: MetalError| crate::answer::failed("find the device of machine", machine, &error);
        let projects = match project {
            Some(project) if crate::metal::is_id(&project) => vec![project],
            _ => self.projects().await.map_err(failed)?,
        };
        for project in projects {
            let found = self.metal.tagged(&project, &tag_of(machine)).await.map_err(failed)?;
            if let Some(device) = found.into_iter().next() {
                return Ok(Some(device.id));
            }
        }
        Ok(None)
    }

    /// Deletes a device, once, and reads that it goes. With an operation it waits while the service refuses because the
    /// device is still provisioned.
    pub(crate) async fn give_back(&self, id: &str, patient: Option<&Operation>) -> Result<Gone, Error> {
        let end = Instant::now() + self.settings.provision_timeout;
        let _claim = loop {
            match (self.claim(id, "destroyVm"), patient) {
                (Ok(claim), _) => break claim,
                // Another command of this device ends within its verify timeout.
                (Err(error), Some(operation)) => {
                    if Instant::now() > end || !operation.sleep(self.settings.poll).await {
                        return Err(error);
                    }
                }
                (Err(error), None) => return Err(error),
            }
        };
        let mut story = Story::new("destroyVm", id);
        loop {
            let device = match self.metal.device(id).await {
                Ok(device) => device,
                Err(error @ MetalError::Missing { .. }) => {
                    story.note("GET device", Some(&error));
                    let outcome = story.outcome(
                        None,
                        true,
                        "the device is not there: it is gone already, or of another account",
                    );
                    return Ok(Gone { outcome, already: Some(error) });
                }
                Err(error) => {
                    story.note("GET device", Some(&error));
                    return Err(story.failed(&error));
                }
            };
            story.note("GET device", None);
            if device.is_going() {
                let text = format!("Destroyed {id}: it is {} already", device.state);
                return Ok(Gone { outcome: story.outcome(Some(&device), true, text), already: None });
            }
            if device.locked {
                let what =
                    format!("destroyVm of {id}: the device is locked against deletion; nothing was sent");
                return Err(problem(
                    409,
                    "STATE",
                    what,
                    "unlock it in the console of the service, then destroyVm",
                ));
            }
            match self.metal.delete(id).await {
                Err(error @ MetalError::Refused { .. }) if device.is_coming() => {
                    story.note("DELETE device", Some(&error));
                    let Some(operation) = patient else { return Err(story.failed(&error)) };
                    if Instant::now() > end || !operation.sleep(self.settings.poll).await {
                        return Err(story.failed(&error));
                    }
                    story = Story::new("destroyVm", id);
                }
                Err(error) if !error.maybe_done() && !matches!(error, MetalError::Missing { .. }) => {
                    story.note("DELETE device", Some(&error));
                    return Err(story.failed(&error));
                }
                sent => {
                    story.note("DELETE device", sent.as_ref().err());
                    let lost = sent.err().filter(MetalError::maybe_done);
                    let outcome = self.is_gone(story, id, lost).await?;
                    return Ok(Gone { outcome, already: None });
                }
            }
        }
    }

    /// Reads until the device goes.
    async fn is_gone(&self, mut story: Story, id: &str, lost: Option<MetalError>) -> Result<Outcome, Error> {
        let end = Instant::now() + self.settings.verify_timeout;
        let mut last: Option<Device> = None;
        loop {
            match self.metal.device(id).await {
                Err(MetalError::Missing { .. } | MetalError::Forbidden { .. }) => {
                    story.note("GET device until it is gone", None);
                    return Ok(story.outcome(None, true, format!("Destroyed {id}")));
                }
                Ok(device) if device.is_going() => {
                    story.note("GET device until it is gone", None);
                    let text = format!("Destroyed {id}: it is {}", device.state);
                    return Ok(story.outcome(Some(&device), true, text));
                }
                Ok(device) => last = Some(device),
                Err(error) if error.passes() => tracing::warn!("device {id}: {error}"),
                Err(error) => return Err(story.unconfirmed(None, format!("it cannot be read back: {error}"))),
            }
            if Instant::now() + self.settings.poll > end {
                break;
            }
            tokio::time::sleep(self.settings.poll).await;
        }
        let state = last.as_ref().map_or("not readable", |device| device.state.as_str());
        let lost = lost.map(|e| format!("; the answer to the command was lost ({e})")).unwrap_or_default();
        let what = format!("the device is {state} after {} s{lost}", self.settings.verify_timeout.as_secs());
        Err(story.unconfirmed(last.as_ref(), what))
    }
}

fn own_project(params: &serde_json::Map<String, Value>) -> Option<String> {
    params.get(names::PROJECT).and_then(Value::as_str).map(str::to_owned)
}
