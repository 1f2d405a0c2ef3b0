//! What becomes of virtual machines when machines of this plugin are created and deleted (plugins §1.5). The machine
//! tells how far it is in `virtualbox/state` and `virtualbox/message`; no failure deletes it.

use crate::answer::Failure;
use crate::destroy::destroy;
use crate::host::Host;
use crate::make::{Wish, make};
use crate::params::{self, name};
use crate::plugin::Inner;
use crate::power::{Limits, Verb, run};
use crate::records::{self, own, own_text, state};
use drp_plugin_sdk::client::{Client, ParamQuery};
use drp_plugin_sdk::{Context, Error, Machine, Params, Value, json, tracing};
use drp_vbox::{Info, Kind, is_uuid};
use std::sync::Arc;
use std::time::Duration;

/// What is to be done for a machine.
pub(crate) enum Order {
    /// It was created; its UUID.
    Create(String),
    /// It was deleted; what it was.
    Destroy(Box<Machine>),
}

const LIMITS: Limits =
    Limits { verify: Duration::from_secs(60), soft: Duration::ZERO, boot_wait: Duration::ZERO };

/// How often the virtual machine of a deleted machine is tried to be removed while its host does not answer.
const TRIES: u32 = 5;

/// Does it, and logs what goes wrong: nobody waits for it.
pub(crate) async fn carry_out(inner: &Arc<Inner>, ctx: &Context, order: Order) {
    let (what, uuid, done) = match order {
        Order::Create(uuid) => ("creating", uuid.clone(), create(inner, ctx, &uuid).await),
        Order::Destroy(machine) => ("removing", machine.uuid.clone(), removed(inner, ctx, &machine).await),
    };
    if let Err(error) = done {
        tracing::error!("{what} the virtual machine of machine {uuid}: {error}");
    }
}

async fn create(inner: &Arc<Inner>, ctx: &Context, uuid: &str) -> Result<(), Error> {
    let client = ctx.client().await?;
    let machine = match client.get::<Machine>("machines", uuid).await {
        Err(error) if error.is_not_found() => return Ok(()),
        other => other?,
    };
    let done = matches!(own_text(&machine, name::STATE), Some(state::READY | state::FAILED));
    if done || own(&machine, name::IMPORTED) == Some(&json!(true)) {
        return Ok(());
    }
    let resolved = match client.params("machines", uuid, ParamQuery::resolved()).await {
        Err(error) if error.is_not_found() => return Ok(()),
        other => other?,
    };
    let resolved = Params::from(resolved);
    if resolved.value(name::MACHINE_PLUGIN).and_then(Value::as_str) != Some(ctx.name().as_str()) {
        return Ok(());
    }
    let outcome = bring_up(inner, ctx, &client, &machine, &resolved).await;
    let Err(error) = outcome else { return Ok(()) };
    if ctx.cancelled().is_cancelled() {
        // The next start goes on from here.
        return Err(error);
    }
    records::progress(&client, uuid, state::FAILED, &error.messages.join(" ")).await?;
    Err(error)
}

async fn bring_up(
    inner: &Arc<Inner>,
    ctx: &Context,
    client: &Client,
    machine: &Machine,
    resolved: &Params,
) -> Result<(), Error> {
    let uuid = machine.uuid.as_str();
    let host = inner.host(ctx, resolved).await?;
    let begun = own(machine, name::STATE).is_some();
    let id = params::text(resolved, name::ID)?.filter(|id| is_uuid(id));
    let wish = Wish {
        name: params::vm_name(resolved)?.unwrap_or_else(|| machine.name.clone()),
        uuid: id.unwrap_or_else(|| uuid.to_owned()).to_ascii_lowercase(),
        hardware: params::hardware(resolved)?,
        folder: params::text(&inner.settings(), name::VM_PATH)?,
        begun,
    };
    let failed = |failure: Failure| failure.answer("createVm", &machine.name);
    if !begun && let Some(there) = there(&host, &wish.uuid).await.map_err(failed)? {
        return adopt(client, uuid, &there).await;
    }
    records::progress(
        client,
        uuid,
        state::CREATING,
        &format!("the virtual machine {} is being made", wish.name),
    )
    .await?;
    let info = make(&host, &wish).await.map_err(failed)?;
    match records::record(client, uuid, &info).await {
        Err(error) if error.is_not_found() => {
            // The machine was deleted meanwhile, and its event came too early to find the virtual machine.
            destroy(&host, &info.uuid, LIMITS).await.map_err(failed)?;
            return Ok(());
        }
        other => other?,
    }
    records::progress(client, uuid, state::STARTING, "the virtual machine is made, and starts").await?;
    let on = run(&host, Verb::On, &info.uuid, LIMITS).await.map_err(|failure| {
        failure.answer("the virtual machine is made, but does not start: poweron", &machine.name)
    })?;
    records::progress(client, uuid, state::READY, &on.text).await?;
    Ok(())
}

async fn there(host: &Host, uuid: &str) -> Result<Option<Info>, Failure> {
    match host.vbox.info(uuid).await {
        Ok(info) => Ok(Some(info)),
        Err(error) if error.kind == Kind::NoVm => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A virtual machine that was there before the machine is taken as it is, and never destroyed with it unasked.
async fn adopt(client: &Client, uuid: &str, info: &Info) -> Result<(), Error> {
    records::record(client, uuid, info).await?;
    client.set_param("machines", uuid, name::IMPORTED, &json!(true)).await?;
    let text = format!("the virtual machine {:?} was there already, and is taken as it is", info.name);
    records::progress(client, uuid, state::READY, &text).await?;
    Ok(())
}

async fn removed(inner: &Arc<Inner>, ctx: &Context, machine: &Machine) -> Result<(), Error> {
    let client = ctx.client().await?;
    if !is_ours(&client, ctx, machine).await? {
        return Ok(());
    }
    let id =
        own_text(machine, name::ID).filter(|id| is_uuid(id)).unwrap_or(&machine.uuid).to_ascii_lowercase();
    // What this plugin makes says so before anything is sent; a machine that merely names a virtual machine does not.
    let imported = own(machine, name::IMPORTED) == Some(&json!(true)) || own(machine, name::STATE).is_none();
    if imported && !params::flag(&inner.settings(), name::DESTROY_IMPORTED, false)? {
        tracing::info!(
            "machine {} is deleted; its virtual machine {id} was not made by this plugin, and stays",
            machine.name
        );
        return Ok(());
    }
    if !records::of_vm(&client, &id).await?.is_empty() {
        tracing::warn!(
            "machine {} is deleted; another machine has its virtual machine {id}, which stays",
            machine.name
        );
        return Ok(());
    }
    // Its own params may lead to another host. Those that are sealed cannot be opened any more.
    let readable = machine.params.iter().filter(|(_, value)| value.is_string() || value.is_number());
    let own = Params::from(
        readable.map(|(k, v)| (k.clone(), v.clone())).collect::<drp_plugin_sdk::protocol::JsonMap>(),
    );
    let host = inner.host(ctx, &own).await?;
    for attempt in 1..=TRIES {
        match destroy(&host, &id, LIMITS).await {
            Ok(true) => {
                tracing::info!("machine {} is deleted, and its virtual machine {id} with it", machine.name);
                return Ok(());
            }
            Ok(false) => return Ok(()),
            Err(Failure::Vbox(error))
                if attempt < TRIES && matches!(error.kind, Kind::Unreachable | Kind::Silent) =>
            {
                tracing::warn!("{error}; tried again");
            }
            Err(Failure::Conflict(_)) if attempt < TRIES => {}
            Err(failure) => return Err(failure.answer("destroyVm", &machine.name)),
        }
        let pause = Duration::from_secs(5) * attempt;
        host.pause(pause).await.map_err(|failure| failure.answer("destroyVm", &machine.name))?;
    }
    Ok(())
}

/// Whether a machine that is gone was one of this plugin: by its own param, else by its profiles and `global`.
async fn is_ours(client: &Client, ctx: &Context, machine: &Machine) -> Result<bool, Error> {
    if let Some(plugin) = own_text(machine, name::MACHINE_PLUGIN) {
        return Ok(plugin == ctx.name());
    }
    for profile in machine.profiles.iter().map(String::as_str).chain(["global"]) {
        match client.param("profiles", profile, name::MACHINE_PLUGIN, ParamQuery::default()).await {
            Ok(Value::String(plugin)) if !plugin.is_empty() => return Ok(plugin == ctx.name()),
            Err(error) if !error.is_not_found() => return Err(error.into()),
            _ => {}
        }
    }
    Ok(false)
}
