//! What one configuration of the plugin works with.

use crate::answer::{Outcome, problem};
use crate::metal::{Device, Metal, MetalError};
use crate::names;
use crate::records::Records;
use crate::settings::Settings;
use drp_plugin_sdk::{CancellationToken, Context, Error, Operations, Value, json, tracing};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// How far the making of a device is, for those who wait: nothing yet, the device's id, or why there is none.
pub(crate) type Step = Option<Result<Device, Error>>;

/// The API, the machines and what is under way. One for each configuration.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) settings: Settings,
    pub(crate) metal: Metal,
    /// Absent when there is no daemon.
    pub(crate) records: Option<Records>,
    pub(crate) ctx: Context,
    pub(crate) operations: Operations,
    /// Fires when this configuration is replaced, or the plugin stops.
    pub(crate) end: CancellationToken,
    /// The devices shall be looked at again.
    pub(crate) again: tokio::sync::Notify,
    /// Devices with a command under way, and which.
    busy: Mutex<HashMap<String, &'static str>>,
    /// Machines whose device is being made.
    pub(crate) steps: Mutex<HashMap<String, watch::Receiver<Step>>>,
}

impl Work {
    pub(crate) fn new(
        settings: Settings,
        records: Option<Records>,
        ctx: Context,
    ) -> Result<Arc<Self>, MetalError> {
        Ok(Arc::new(Self {
            metal: Metal::new(&settings.target)?,
            operations: Operations::new(settings.most),
            settings,
            records,
            ctx,
            end: CancellationToken::new(),
            again: tokio::sync::Notify::new(),
            busy: Mutex::default(),
            steps: Mutex::default(),
        }))
    }

    /// The machines; an error when the plugin runs without a daemon.
    pub(crate) fn records(&self) -> Result<&Records, Error> {
        self.records.as_ref().ok_or_else(|| {
            problem(
                501,
                "UNSUPPORTED",
                "this action needs a daemon",
                "run it through a daemon that has the plugin",
            )
        })
    }

    /// Projects whose devices are looked at.
    pub(crate) async fn projects(&self) -> Result<Vec<String>, MetalError> {
        match &self.settings.project {
            Some(project) => Ok(vec![project.clone()]),
            None => self.metal.projects().await,
        }
    }

    /// One command that changes a device at a time.
    pub(crate) fn claim(&self, device: &str, command: &'static str) -> Result<Claim<'_>, Error> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = busy.get(device) {
            let what = format!("{command} of {device}: {other} is in progress");
            return Err(problem(409, "CONFLICT", what, "wait for it to end"));
        }
        busy.insert(device.to_owned(), command);
        Ok(Claim { work: self, device: device.to_owned() })
    }

    /// Tells everybody who listens: `packet.<what>.<machine>`.
    pub(crate) async fn tell(&self, what: &str, machine: &str, text: &str, device: Option<&Device>) {
        let object = json!({
            "Machine": machine,
            "Device": device.map(|d| d.id.clone()),
            "State": device.map(|d| d.state.clone()),
            "Progress": device.and_then(|d| d.percent),
            "Text": text,
        });
        if let Err(error) = self.ctx.publish("packet", what, machine, object).await {
            tracing::debug!("event packet.{what}.{machine}: {error}");
        }
    }
}

/// Holds a device for one command.
pub(crate) struct Claim<'a> {
    work: &'a Work,
    device: String,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.work.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.device);
    }
}

/// The answer of an action.
pub(crate) fn answer(outcome: Outcome) -> Result<Value, Error> {
    serde_json::to_value(outcome)
        .map_err(|e| Error::new(500, "INTERNAL", e.to_string()).on("plugin", names::PLUGIN))
}

/// The id of the device that an action is for.
pub(crate) fn device_id(params: &drp_plugin_sdk::Params) -> Result<String, Error> {
    let id = crate::settings::text(params, names::UUID)?.ok_or_else(|| {
        crate::answer::bad_param(names::UUID, "is missing", "set it to the id of the device, or use createVm")
    })?;
    if crate::metal::is_id(&id) {
        return Ok(id);
    }
    Err(crate::answer::bad_param(names::UUID, "is no id", "use the UUID of the device"))
}
