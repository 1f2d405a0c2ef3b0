//! A device for a machine: made at most once, and followed until it is active. How far it is stands in the machine's
//! params, so that a plugin that starts again goes on from there.

use crate::answer::{daemon, failed, line, problem};
use crate::metal::{Device, MetalError, NewDevice};
use crate::names::{self, state};
use crate::records::Facts;
use crate::settings::{flag, script_url, text};
use crate::work::{Step, Work};
use drp_plugin_sdk::protocol::wire;
use drp_plugin_sdk::{Error, Machine, Operation, Params, Value, tracing};
use std::sync::{Arc, PoisonError};
use tokio::sync::watch;
use tokio::time::Instant;

/// Why there is no device, and what the machine's state is then; `None`: what it was.
struct Failure {
    state: Option<&'static str>,
    error: Error,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { state: None, error }
    }
}

/// The tag by which the device of a machine is found again when an answer was lost.
pub(crate) fn tag_of(machine: &str) -> String {
    format!("drp-machine-{machine}")
}

/// The machine that a device was made for.
pub(crate) fn machine_of(device: &Device) -> Option<&str> {
    device.tags.iter().find_map(|tag| tag.strip_prefix("drp-machine-"))
}

impl Work {
    /// Starts making or following the machine's device, or joins who does already. `asked`: a person wants another try
    /// for a machine whose first one failed.
    pub(crate) fn provision(self: &Arc<Self>, machine: &str, asked: bool) -> watch::Receiver<Step> {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        if self.operations.is_under_way(machine)
            && let Some(step) = steps.get(machine)
        {
            return step.clone();
        }
        steps.retain(|machine, _| self.operations.is_under_way(machine));
        let (say, hear) = watch::channel(None);
        let refused = say.clone();
        let (work, uuid) = (self.clone(), machine.to_owned());
        let started = self.operations.start(machine, |operation| async move {
            if let Err(failure) = work.make(&operation, &uuid, asked, &say).await {
                work.leave(&uuid, &failure).await;
                let _ = say.send(Some(Err(failure.error)));
            }
        });
        if started {
            steps.insert(machine.to_owned(), hear.clone());
        } else {
            let what = format!("too many devices are being made to begin with that of machine {machine}");
            let _ = refused.send(Some(Err(problem(409, "QUEUE_FULL", what, "wait for some to end"))));
        }
        hear
    }

    /// A failure stays with its machine, which is never deleted for it.
    async fn leave(&self, machine: &str, failure: &Failure) {
        let text = advised(&failure.error);
        tracing::error!(code = failure.error.code, "machine {machine}: {text}");
        let facts = Facts {
            state: failure.state.map(str::to_owned),
            error: Some(Some(text.clone())),
            ..Facts::default()
        };
        match self.records() {
            Ok(records) => {
                if let Err(error) = records.note(machine, &facts).await {
                    tracing::error!("machine {machine}: its error could not be written: {error}");
                }
            }
            Err(error) => tracing::error!("{error}"),
        }
        self.tell("failed", machine, &text, None).await;
    }

    async fn make(
        self: &Arc<Self>,
        operation: &Operation,
        uuid: &str,
        asked: bool,
        say: &watch::Sender<Step>,
    ) -> Result<(), Failure> {
        let records = self.records()?;
        let Some(machine) = records.get(uuid).await? else { return Ok(()) };
        let params = records.params(uuid).await?;
        let before = text(&params, names::STATE)?.unwrap_or_default();
        let has = text(&params, names::UUID)?;
        if has.is_none() && !asked && matches!(before.as_str(), state::FAILED | state::MISSING) {
            return Ok(());
        }
        if has.is_none() && !matches!(before.as_str(), state::CREATING | state::UNCONFIRMED) {
            records.note(uuid, &Facts::state(state::REQUESTED).well()).await?;
        }
        let Some(_turn) = operation.turn().await else { return Ok(()) };
        let ordered = has.is_none();
        let device = match has {
            Some(id) => self.existing(uuid, &id).await?,
            None => {
                let made = self.device_for(operation, &machine, &params, &before, asked).await?;
                let Some(device) = made else { return Ok(()) };
                device
            }
        };
        if !records.note(uuid, &Facts::of(&device).well()).await? {
            // The machine was deleted while its device was ordered, so nobody else knows of the device. One that the
            // machine had before, imported perhaps, is the matter of its deletion.
            if ordered {
                self.give_up(&device, uuid).await;
            }
            return Ok(());
        }
        let _ = say.send(Some(Ok(device.clone())));
        records.add_console(uuid).await?;
        self.follow(operation, uuid, device).await
    }

    /// The device that the machine has already.
    async fn existing(&self, machine: &str, id: &str) -> Result<Device, Failure> {
        self.metal.device(id).await.map_err(|error| {
            let state = matches!(error, MetalError::Missing { .. }).then_some(state::MISSING);
            Failure { state, error: failed(&format!("device of machine {machine}"), id, &error) }
        })
    }

    /// The device that was made for the machine, else a new one. `None`: cancelled, or the machine is gone.
    async fn device_for(
        &self,
        operation: &Operation,
        machine: &Machine,
        params: &Params,
        before: &str,
        asked: bool,
    ) -> Result<Option<Device>, Failure> {
        let broken = |error: Error| Failure { state: Some(state::FAILED), error };
        let of = format!("machine {}", machine.name);
        let new = order(machine, params).map_err(broken)?;
        let in_doubt = matches!(before, state::CREATING | state::UNCONFIRMED);
        let doubtful = if in_doubt { state::UNCONFIRMED } else { state::FAILED };
        let api = |error: &MetalError, state| Failure {
            state: Some(state),
            error: failed("create device", &of, error),
        };
        let project = match text(params, names::PROJECT).map_err(broken)? {
            Some(project) if crate::metal::is_id(&project) => project,
            Some(_) => {
                return Err(broken(crate::answer::bad_param(
                    names::PROJECT,
                    "is no id",
                    "use the UUID of the project",
                )));
            }
            None => {
                self.projects().await.map_err(|e| api(&e, doubtful))?.into_iter().next().ok_or_else(|| {
                    let what = format!("create device of {of}: the key sees no project");
                    broken(problem(400, "PARAM", what, "set packet/project-id, or use another key"))
                })?
            }
        };
        let found = self.metal.tagged(&project, &new.tag).await.map_err(|e| api(&e, doubtful))?;
        if let Some(device) = one(found, &of) {
            return Ok(Some(device));
        }
        if in_doubt && !asked {
            // A request may be on its way that an earlier process sent.
            return match self.look(operation, &project, &new.tag, &of).await {
                Some(device) => Ok(Some(device)),
                None if operation.cancelled().is_cancelled() => Ok(None),
                None => Err(lost(&of, &new.tag, "the plugin was stopped while it asked for the device")),
            };
        }
        // From here on a device may exist that this process never hears of.
        if !self.records()?.note(&machine.uuid, &Facts::state(state::CREATING).well()).await? {
            return Ok(None);
        }
        if machine.params.get(names::IMPORTED) == Some(&Value::Bool(true)) {
            // The device it was imported for is another one.
            self.records()?.set(&machine.uuid, vec![(names::IMPORTED, Value::Bool(false))]).await?;
        }
        tracing::info!("{of}: asking for a device {} in project {project}", new.plan);
        match self.metal.create(&project, &new).await {
            Ok(device) => {
                tracing::info!("{of}: device {} is {}", device.id, device.state);
                Ok(Some(device))
            }
            Err(error) if error.maybe_done() => {
                tracing::warn!("{of}: {error}; looking for the device before anything else");
                match self.look(operation, &project, &new.tag, &of).await {
                    Some(device) => Ok(Some(device)),
                    None => Err(lost(&of, &new.tag, &error.to_string())),
                }
            }
            Err(error) => Err(api(&error, state::FAILED)),
        }
    }

    /// Looks for a device by its tag for as long as one answer may take.
    async fn look(&self, operation: &Operation, project: &str, tag: &str, of: &str) -> Option<Device> {
        let end = Instant::now() + self.settings.target.timeout;
        loop {
            match self.metal.tagged(project, tag).await {
                Ok(found) => {
                    if let Some(device) = one(found, of) {
                        tracing::info!("{of}: device {} was made; it is {}", device.id, device.state);
                        return Some(device);
                    }
                }
                Err(error) => tracing::warn!("{of}: {error}"),
            }
            if Instant::now() > end || !operation.sleep(self.settings.poll).await {
                return None;
            }
        }
    }

    /// Reads the device until it is active, and writes what it says into the machine.
    async fn follow(&self, operation: &Operation, machine: &str, mut device: Device) -> Result<(), Failure> {
        let records = self.records()?;
        let end = Instant::now() + self.settings.provision_timeout;
        let mut trouble = false;
        loop {
            match device.state.as_str() {
                "failed" => return Err(self.says_failed(machine, &device).await),
                state if device.is_going() => {
                    let what = format!("device {} of machine {machine} is {state}", device.id);
                    return Err(problem(
                        409,
                        "STATE",
                        what,
                        "createVm makes another one when packet/uuid is gone",
                    )
                    .into());
                }
                _ if !device.is_coming() => {
                    let text = format!("device {} is {}", device.id, device.state);
                    tracing::info!("machine {machine}: {text}");
                    self.tell("active", machine, &text, Some(&device)).await;
                    return Ok(());
                }
                _ => {}
            }
            if !operation.sleep(self.settings.poll).await {
                return Ok(());
            }
            if Instant::now() > end {
                let seconds = self.settings.provision_timeout.as_secs();
                let what = format!("device {} is still {} after {seconds} s", device.id, device.state);
                return Err(problem(
                    504,
                    "UNCONFIRMED",
                    what,
                    "look at the device in the console of the service",
                )
                .into());
            }
            match self.metal.device(&device.id).await {
                Ok(now) if now == device && !trouble => {}
                // State and reason are written together, above.
                Ok(now) if now.state == "failed" => device = now,
                Ok(now) => {
                    if !records.note(machine, &Facts::of(&now).well()).await? {
                        return Ok(());
                    }
                    let percent = now.percent.map(|p| format!(", {p} %")).unwrap_or_default();
                    let text = format!("device {} is {}{percent}", now.id, now.state);
                    tracing::info!("machine {machine}: {text}");
                    if now.is_coming() {
                        self.tell("progress", machine, &text, Some(&now)).await;
                    }
                    (device, trouble) = (now, false);
                }
                // The service moves hardware that fails on the way out of the account: 404, formerly 403.
                Err(error @ (MetalError::Missing { .. } | MetalError::Forbidden { .. })) => {
                    let what = failed("provision device", &device.id, &error)
                        .and("The service takes devices away that fail while they are provisioned");
                    return Err(Failure { state: Some(state::FAILED), error: what });
                }
                Err(error) if error.passes() => {
                    tracing::warn!("machine {machine}: {error}; reading on");
                    if !trouble {
                        let facts = Facts { error: Some(Some(error.to_string())), ..Facts::default() };
                        records.note(machine, &facts).await?;
                    }
                    trouble = true;
                }
                Err(error) => return Err(failed("follow device", &device.id, &error).into()),
            }
        }
    }

    /// The device failed, with what the service says about it.
    async fn says_failed(&self, machine: &str, device: &Device) -> Failure {
        let said = self.metal.last_events(&device.id).await.unwrap_or_default();
        let said = if said.is_empty() { String::new() } else { format!(": {}", said.join("; ")) };
        let what = format!("device {} of machine {machine} failed{said}", device.id);
        let error = problem(
            502,
            "REFUSED",
            what,
            "destroyVm, then createVm; the device is charged for until it is deleted",
        );
        Failure { state: Some(state::FAILED), error }
    }

    /// Gives a device back whose machine is gone.
    async fn give_up(&self, device: &Device, machine: &str) {
        match self.give_back(&device.id, None).await {
            Ok(_) => tracing::info!("machine {machine} is gone, and so is its device {}", device.id),
            Err(error) => {
                let text =
                    format!("machine {machine} is gone, its device {} is not: {}", device.id, line(&error));
                tracing::error!("{text}");
                self.tell("undeleted", machine, &text, Some(device)).await;
            }
        }
    }

    /// Writes what a device says into its machine, where there is one and nobody else does.
    pub(crate) async fn refresh(&self, id: &str, device: &Device) {
        let Some(records) = &self.records else { return };
        let noted = async {
            for machine in records.with_device(id).await? {
                if !self.operations.is_under_way(&machine.uuid) {
                    records.note(&machine.uuid, &Facts::of(device).well()).await?;
                }
            }
            Ok::<_, Error>(())
        };
        if let Err(error) = noted.await {
            tracing::warn!("device {id}: {}", daemon("write its state", error));
        }
    }
}

/// What happened, and what to do about it.
fn advised(error: &Error) -> String {
    let advice = error.messages.iter().find(|message| message.starts_with("What to do:"));
    format!("{}{}", line(error), advice.map(|advice| format!(". {advice}")).unwrap_or_default())
}

/// The only one, or the first with a warning.
fn one(mut found: Vec<Device>, of: &str) -> Option<Device> {
    if found.len() > 1 {
        let ids: Vec<_> = found.iter().map(|device| device.id.as_str()).collect();
        tracing::error!(
            "{of} has more than one device: {}; the first is taken, give the others back",
            ids.join(", ")
        );
    }
    (!found.is_empty()).then(|| found.swap_remove(0))
}

fn lost(of: &str, tag: &str, why: &str) -> Failure {
    let what =
        format!("create device of {of}: sent but not confirmed: no device with tag {tag} was found: {why}");
    let error = problem(
        504,
        "UNCONFIRMED",
        what,
        "look for the tag in the console of the service; the plugin looks again by itself, and createVm with the machine's name asks for another device when there is none",
    );
    Failure { state: Some(state::UNCONFIRMED), error }
}

/// What device the machine's params ask for.
fn order(machine: &Machine, params: &Params) -> Result<NewDevice, Error> {
    let word = |name, default: &str| text(params, name).map(|t| t.unwrap_or_else(|| default.to_owned()));
    let script = match text(params, names::SCRIPT)? {
        Some(script) => script,
        None => {
            let server = std::env::var(wire::ENV_FILESERVER).unwrap_or_default();
            format!("{}/default.ipxe", server.trim_end_matches('/'))
        }
    };
    script_url(names::SCRIPT, &script)?;
    Ok(NewDevice {
        hostname: machine.name.clone(),
        plan: word(names::PLAN, "baremetal_0")?,
        facility: word(names::FACILITY, "ewr1")?,
        metro: text(params, names::METRO)?,
        always_pxe: flag(params, names::ALWAYS_PXE)?.unwrap_or(true),
        ipxe_script_url: script,
        tag: tag_of(&machine.uuid),
    })
}
