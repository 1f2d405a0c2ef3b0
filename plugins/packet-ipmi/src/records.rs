//! Machines of the daemon: found, read and written. A write names the params it sets and leaves all others alone.

use crate::answer::daemon;
use crate::metal::Device;
use crate::names;
use drp_plugin_sdk::client::{Client, ClientError, ParamQuery, Patch, Query};
use drp_plugin_sdk::{Error, Machine, Params, Value, json};

/// Machines per page of a listing.
const PAGE: u64 = 500;
/// So often a change of the profiles is tried again when somebody else was quicker.
const TRIES: usize = 4;

/// The machines, as one plugin object sees them.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    client: Client,
    /// Name of the plugin object: value of `machine-plugin`.
    plugin: String,
}

/// What is to be written into a machine.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub(crate) state: Option<String>,
    pub(crate) progress: Option<u8>,
    /// `Some(None)` takes the error away.
    pub(crate) error: Option<Option<String>>,
    pub(crate) device: Option<Device>,
}

impl Facts {
    /// A state without a device.
    pub(crate) fn state(state: &str) -> Self {
        Self { state: Some(state.to_owned()), ..Self::default() }
    }

    /// A state and the reason for it.
    pub(crate) fn broken(state: &str, error: &str) -> Self {
        Self { state: Some(state.to_owned()), error: Some(Some(error.to_owned())), ..Self::default() }
    }

    /// What a device says about itself.
    pub(crate) fn of(device: &Device) -> Self {
        let progress = match (device.percent, device.state.as_str()) {
            (_, "active" | "inactive") => Some(100),
            (percent, "queued" | "provisioning" | "post_provisioning") => Some(percent.unwrap_or(0)),
            (percent, _) => percent,
        };
        Self { state: Some(device.state.clone()), progress, error: None, device: Some(device.clone()) }
    }

    /// The error is over.
    pub(crate) fn well(mut self) -> Self {
        self.error = Some(None);
        self
    }
}

impl Records {
    pub(crate) fn new(client: Client, plugin: String) -> Self {
        Self { client, plugin }
    }

    pub(crate) fn plugin(&self) -> &str {
        &self.plugin
    }

    /// One machine, `None` when it is gone.
    pub(crate) async fn get(&self, uuid: &str) -> Result<Option<Machine>, Error> {
        absent(self.client.get("machines", uuid).await, "read the machine")
    }

    /// A machine by its name.
    pub(crate) async fn named(&self, name: &str) -> Result<Option<Machine>, Error> {
        let found = self.client.list::<Machine>("machines", &Query::new().eq("Name", name).limit(1)).await;
        Ok(found.map_err(|e| daemon("find the machine", e))?.items.into_iter().next())
    }

    /// The machines that have this device.
    pub(crate) async fn with_device(&self, id: &str) -> Result<Vec<Machine>, Error> {
        let found = self.client.find_by_param("machines", names::UUID, id, 2).await;
        found.map_err(|e| daemon("find the machine of the device", e))
    }

    /// The machine's params as an action would get them; secure ones stay sealed.
    pub(crate) async fn params(&self, uuid: &str) -> Result<Params, Error> {
        let query = ParamQuery { aggregate: true, ..ParamQuery::default() };
        let params = self.client.params("machines", uuid, query).await;
        Ok(params.map_err(|e| daemon("read the machine's params", e))?.into())
    }

    /// Whether those params say that the machine is this plugin's.
    pub(crate) fn owns(&self, params: &Params) -> bool {
        params.value(names::MACHINE_PLUGIN).and_then(Value::as_str) == Some(&self.plugin)
    }

    /// All machines of this plugin, with those of their params that matter here.
    pub(crate) async fn owned(&self) -> Result<Vec<Machine>, Error> {
        let wanted = [names::MACHINE_PLUGIN, names::UUID, names::STATE].join(",");
        let mut owned = Vec::new();
        let mut offset = 0;
        loop {
            let query = Query::new().aggregate().params(&wanted).sort("Uuid").limit(PAGE).offset(offset);
            let page = self.client.list::<Machine>("machines", &query).await;
            let page = page.map_err(|e| daemon("list the machines", e))?.items;
            let read = page.len() as u64;
            let ours = Some(Value::from(self.plugin.as_str()));
            owned.extend(page.into_iter().filter(|m| m.params.get(names::MACHINE_PLUGIN) == ours.as_ref()));
            if read < PAGE {
                return Ok(owned);
            }
            offset += PAGE;
        }
    }

    /// Makes a machine. Its name may be taken: `Err` with code 409 or 422.
    pub(crate) async fn create(&self, machine: &Value) -> Result<Machine, Error> {
        self.client.create("machines", machine).await.map_err(Error::from)
    }

    /// A machine for a device that has none.
    pub(crate) async fn import(&self, device: &Device) -> Result<Machine, Error> {
        let mut params = json!({ names::MACHINE_PLUGIN: self.plugin, names::IMPORTED: true });
        for (name, value) in known(device) {
            params[name] = value;
        }
        params[names::STATE] = json!(device.state);
        self.create(&json!({
            "Name": device.hostname,
            "Description": "Imported from the Metal API",
            "Address": device.address.clone().unwrap_or_default(),
            "HardwareAddrs": device.macs,
            "Profiles": [names::CONSOLE_PROFILE],
            "Params": params,
        }))
        .await
    }

    /// Deletes a machine; one that is gone is well.
    pub(crate) async fn delete(&self, uuid: &str) -> Result<(), Error> {
        absent(self.client.delete("machines", uuid).await, "delete the machine").map(drop)
    }

    /// Writes into a machine. `false`: it is gone.
    pub(crate) async fn note(&self, uuid: &str, facts: &Facts) -> Result<bool, Error> {
        let mut patch = Patch::new();
        if let Some(state) = &facts.state {
            patch = patch.set_param(names::STATE, state.as_str());
        }
        if let Some(progress) = facts.progress {
            patch = patch.set_param(names::PROGRESS, progress);
        }
        if let Some(error) = &facts.error {
            patch = patch.set_param(names::ERROR, error.clone().unwrap_or_default());
        }
        if let Some(device) = &facts.device {
            for (name, value) in known(device) {
                patch = patch.set_param(name, value);
            }
            if let Some(address) = &device.address {
                patch = patch.add("/Address", address.as_str());
            }
            if !device.macs.is_empty() {
                patch = patch.add("/HardwareAddrs", device.macs.clone());
            }
        }
        let patched: Result<Machine, _> = self.client.patch("machines", uuid, &patch, false).await;
        Ok(absent(patched, "write into the machine")?.is_some())
    }

    /// What an action of the plugin object gets for a param that its caller does not give.
    pub(crate) async fn usual(&self, name: &str) -> Result<Value, Error> {
        let query = ParamQuery { aggregate: true, ..ParamQuery::default() };
        let value = self.client.param("plugins", &self.plugin, name, query).await;
        value.map_err(|e| daemon("read the plugin object's params", e))
    }

    /// Sets params of a machine.
    pub(crate) async fn set(&self, uuid: &str, params: Vec<(&'static str, Value)>) -> Result<(), Error> {
        if params.is_empty() {
            return Ok(());
        }
        let patch =
            params.into_iter().fold(Patch::new(), |patch, (name, value)| patch.set_param(name, value));
        let patched: Result<Machine, _> = self.client.patch("machines", uuid, &patch, false).await;
        absent(patched, "write into the machine").map(drop)
    }

    /// Gives the machine the profile of the console, whatever else it has.
    pub(crate) async fn add_console(&self, uuid: &str) -> Result<(), Error> {
        for _ in 0..TRIES {
            let Some(machine) = self.get(uuid).await? else { return Ok(()) };
            if machine.profiles.iter().any(|p| p == names::CONSOLE_PROFILE) {
                return Ok(());
            }
            let mut profiles = machine.profiles.clone();
            profiles.push(names::CONSOLE_PROFILE.to_owned());
            let patch = Patch::new().test("/Profiles", machine.profiles).replace("/Profiles", profiles);
            match self.client.patch::<Machine>("machines", uuid, &patch, false).await {
                Ok(_) => return Ok(()),
                // Somebody else changed the profiles in between.
                Err(error) if error.status() == Some(409) => {}
                Err(error) => return Err(daemon("add the profile of the console", error)),
            }
        }
        Err(daemon("add the profile of the console", "others keep changing the machine's profiles"))
    }
}

/// Params that a device determines.
fn known(device: &Device) -> Vec<(&'static str, Value)> {
    let mut known = vec![(names::UUID, json!(device.id))];
    let texts = [
        (names::PLAN, &device.plan),
        (names::FACILITY, &device.facility),
        (names::METRO, &device.metro),
        (names::PROJECT, &device.project),
        (names::SCRIPT, &device.ipxe_script_url),
    ];
    known.extend(
        texts.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name, json!(text))),
    );
    known.extend(device.sos().map(|sos| (names::SOS, json!(sos))));
    known.extend(device.always_pxe.map(|always| (names::ALWAYS_PXE, json!(always))));
    known
}

fn absent<T>(outcome: Result<T, ClientError>, what: &str) -> Result<Option<T>, Error> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(daemon(what, error)),
    }
}
