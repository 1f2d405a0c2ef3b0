//! The hooks.

use crate::answer::{bad_param, failed, problem};
use crate::metal::MetalError;
use crate::names;
use crate::power::Change;
use crate::records::Records;
use crate::settings::Settings;
use crate::work::{Work, answer, device_id};
use drp_plugin_sdk::{
    Action, Actor, Context, Error, Event, Machine, Params, Plugin, Publisher, Selector, Value, tracing,
};
use serde::Deserialize;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// Operations get this long to come to a point from which they can be taken up again.
const STOP_LIMIT: Duration = Duration::from_secs(8);

/// Machines of a Metal API. One for all calls of the process.
#[derive(Default)]
pub(crate) struct PacketPlugin {
    work: RwLock<Option<Arc<Work>>>,
}

impl PacketPlugin {
    fn work(&self) -> Result<Arc<Work>, Error> {
        let work = self.work.read().unwrap_or_else(PoisonError::into_inner);
        work.clone().ok_or_else(|| {
            problem(409, "STATE", "the plugin is not configured", "look at the plugin's errors")
        })
    }

    async fn replace(&self, new: Option<Arc<Work>>) {
        let old = {
            let mut work = self.work.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *work, new)
        };
        if let Some(old) = old {
            old.end.cancel();
            if tokio::time::timeout(STOP_LIMIT, old.operations.stop()).await.is_err() {
                tracing::warn!("operations go on; what they do is found again at the next start");
            }
        }
    }
}

impl Plugin for PacketPlugin {
    async fn config(&self, ctx: &Context, params: Params) -> Result<(), Error> {
        let settings = Settings::read(&params)?;
        let records = match ctx.without_daemon() {
            true => None,
            false => Some(Records::new(ctx.client().await?, ctx.name())),
        };
        let live = records.is_some();
        let work = Work::new(settings, records, ctx.clone()).map_err(|e| failed("config", "", &e))?;
        if live {
            check(&work).await?;
        }
        self.replace(Some(work.clone())).await;
        if live {
            work.watch();
        }
        Ok(())
    }

    async fn stop(&self, _: &Context) {
        self.replace(None).await;
    }
}

/// A key that is refused, a certificate that is not believed, or an answerer that is no Metal API is an error of the
/// configuration. A service that is down
/// is not: the plugin must come up without it, since its operations go on once it is back.
async fn check(work: &Work) -> Result<(), Error> {
    let projects = tokio::time::timeout(work.settings.target.timeout, work.metal.projects()).await;
    match projects {
        Ok(Ok(projects)) => tracing::info!("the key sees {} project(s)", projects.len()),
        Ok(Err(error @ (MetalError::Credentials { .. } | MetalError::Certificate { .. }))) => {
            return Err(failed("config", "", &error));
        }
        Ok(Err(error @ (MetalError::Missing { .. } | MetalError::Unsupported { .. }))) => {
            // An endpoint may do without the list of projects when the project is named.
            let devices = async {
                match &work.settings.project {
                    Some(project) => work.metal.devices(project).await.map(drop),
                    None => Err(error),
                }
            };
            match tokio::time::timeout(work.settings.target.timeout, devices).await {
                Ok(Err(error @ (MetalError::Missing { .. } | MetalError::Unsupported { .. }))) => {
                    let url = &work.settings.target.url;
                    return Err(bad_param(
                        names::API_URL,
                        &format!("is {url}, and what answered there is no Metal API: {error}"),
                        "correct the address, with the path of the version, and look at packet/project-id where it is set",
                    ));
                }
                Ok(Err(error)) => tracing::warn!("the API is not well: {error}"),
                Ok(Ok(())) => {}
                Err(_) => tracing::warn!("the API does not answer; going on without it"),
            }
        }
        Ok(Err(error)) => tracing::warn!("the API is not well: {error}"),
        Err(_) => tracing::warn!("the API does not answer; going on without it"),
    }
    Ok(())
}

impl Actor for PacketPlugin {
    async fn action(&self, _: &Context, action: Action) -> Result<Value, Error> {
        let work = self.work()?;
        let params = &action.params;
        let command = action.command.as_str();
        if command == "createVm" {
            return answer(work.create_vm(params).await?);
        }
        let change = |change| (device_id(params), change);
        let outcome = match command {
            "startVm" | "stopVm" | "poweron" | "poweroff" | "powercycle" => {
                let (id, (name, change)) = match command {
                    "startVm" => change(("startVm", Change::On)),
                    "stopVm" => change(("stopVm", Change::Off)),
                    "poweron" => change(("poweron", Change::On)),
                    "poweroff" => change(("poweroff", Change::Off)),
                    _ => change(("powercycle", Change::Cycle)),
                };
                let id = id?;
                let outcome = work.power(&id, name, change).await?;
                if let Ok(device) = work.metal.device(&id).await {
                    work.refresh(&id, &device).await;
                }
                outcome
            }
            "destroyVm" => work.destroy_vm(&device_id(params)?).await?,
            "powerstatus" => work.power_status(&device_id(params)?).await?,
            "nextbootpxe" => work.next_boot_pxe(&device_id(params)?).await?,
            "nextbootdisk" => work.next_boot_disk(&device_id(params)?).await?,
            "updatepxe" => work.update_pxe(&device_id(params)?, params).await?,
            unknown => {
                let what = format!("there is no action {unknown}");
                return Err(problem(
                    404,
                    "UNKNOWN",
                    what,
                    "see the plugin's actions, for instance with `drp machines actions`",
                ));
            }
        };
        tracing::info!(
            verified = outcome.verified,
            ms = outcome.ms,
            "{command} of {}: {}",
            outcome.uuid,
            outcome.text
        );
        answer(outcome)
    }
}

impl Publisher for PacketPlugin {
    async fn publish(&self, _: &Context, event: Event) -> Result<(), Error> {
        let work = self.work()?;
        match (event.r#type.as_str(), event.action.as_str()) {
            // Events were missed: machines may have come and gone.
            ("websocket", _) => work.again.notify_one(),
            ("machines", "create") => {
                let records = work.records()?;
                if records.get(&event.key).await?.is_some()
                    && records.owns(&records.params(&event.key).await?)
                {
                    drop(work.provision(&event.key, false));
                }
            }
            ("machines", "delete") => {
                let machine = Machine::deserialize(&event.object).map_err(|e| {
                    problem(400, "EVENT", format!("a machine that is none: {e}"), "report this")
                })?;
                work.retire(machine);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Selector for PacketPlugin {
    async fn select_events(&self, _: &Context) -> Vec<String> {
        vec!["machines.create.*".to_owned(), "machines.delete.*".to_owned()]
    }
}
