//! The hooks.

use crate::answer::{Failure, problem};
use crate::definition::NAME;
use crate::destroy::destroy;
use crate::host::Host;
use crate::lifecycle::{self, Order};
use crate::make::{Wish, make};
use crate::outcome::Outcome;
use crate::params::{self, PlaceKey, name};
use crate::power::{Limits, Verb, run};
use crate::records;
use crate::work::Work;
use drp_plugin_sdk::{
    Action, Actor, Context, Error, Event, Machine, Params, Plugin, Publisher, Selector, Value, json, tracing,
};
use drp_vbox::{Kind, Power, Vbox, is_uuid};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// So many hosts are remembered with their connections.
const HOSTS: usize = 64;
/// Longest pause between two tries to reach a host that was away when the plugin started.
const LONGEST_AWAY: Duration = Duration::from_secs(60);

/// VirtualBox machines.
#[derive(Default)]
pub(crate) struct VirtualBox(pub(crate) Arc<Inner>);

#[derive(Default)]
pub(crate) struct Inner {
    settings: RwLock<Params>,
    hosts: Mutex<HashMap<PlaceKey, Arc<Host>>>,
    work: Work<Order>,
    /// The host of the plugin object is being looked for in the background.
    looking: AtomicBool,
}

impl Plugin for VirtualBox {
    async fn config(&self, ctx: &Context, params: Params) -> Result<(), Error> {
        params::flag(&params, name::IMPORT, true)?;
        params::flag(&params, name::DESTROY_IMPORTED, false)?;
        params::text(&params, name::VM_PATH)?;
        *self.0.settings.write().unwrap_or_else(PoisonError::into_inner) = params;
        let host = self.0.host(ctx, &Params::default()).await?;
        match host.vbox.version().await {
            Ok((major, minor)) => tracing::info!("VirtualBox {major}.{minor} at {}", host.vbox.place()),
            // A host that is away now comes back: actions say so until then.
            Err(error) if matches!(error.kind, Kind::Unreachable | Kind::Silent) => {
                tracing::warn!("{error}; it is tried again")
            }
            Err(error) => return Err(Failure::from(error).answer("config", &ctx.name())),
        }
        if !ctx.without_daemon() && !self.0.looking.swap(true, Ordering::Relaxed) {
            tokio::spawn(look(self.0.clone(), ctx.clone(), host));
        }
        Ok(())
    }

    async fn stop(&self, _: &Context) {
        let hosts: Vec<_> = self.0.hosts.lock().unwrap_or_else(PoisonError::into_inner).drain().collect();
        for (_, host) in hosts {
            host.vbox.close().await;
        }
    }
}

/// Imports machines and takes up what was begun, as soon as the host answers.
async fn look(inner: Arc<Inner>, ctx: Context, host: Arc<Host>) {
    let mut pause = Duration::from_secs(5);
    loop {
        match inner.look(&ctx, &host).await {
            Ok(()) => break,
            Err(error) => tracing::warn!("machines are not imported yet: {error}"),
        }
        tokio::select! {
            () = ctx.cancelled().cancelled() => break,
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_AWAY),
        }
    }
    inner.looking.store(false, Ordering::Relaxed);
}

impl Inner {
    pub(crate) fn settings(&self) -> Params {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn look(self: &Arc<Self>, ctx: &Context, host: &Host) -> Result<(), Error> {
        let client = ctx.client().await?;
        if params::flag(&self.settings(), name::IMPORT, true)? {
            crate::import::import(host, &client, &ctx.name()).await?;
        }
        self.take_up(ctx).await
    }

    /// Orders what events may have asked for while nobody listened: machines of this plugin that have no virtual
    /// machine yet. Nothing is deleted because it is not in a list.
    pub(crate) async fn take_up(self: &Arc<Self>, ctx: &Context) -> Result<(), Error> {
        for machine in records::all(&ctx.client().await?).await? {
            let ours = records::own_text(&machine, name::MACHINE_PLUGIN) == Some(ctx.name().as_str());
            let begun = matches!(
                records::own_text(&machine, name::STATE),
                Some(records::state::CREATING | records::state::STARTING)
            );
            let fresh =
                records::own(&machine, name::ID).is_none() && records::own(&machine, name::STATE).is_none();
            if ours && (begun || fresh) {
                self.order(ctx, &machine.uuid.clone(), Order::Create(machine.uuid));
            }
        }
        Ok(())
    }

    pub(crate) fn order(self: &Arc<Self>, ctx: &Context, uuid: &str, order: Order) {
        let (inner, ctx) = (self.clone(), ctx.clone());
        let taken = self.work.order(uuid, order, move |order| {
            let (inner, ctx) = (inner.clone(), ctx.clone());
            async move { lifecycle::carry_out(&inner, &ctx, order).await }
        });
        if !taken {
            tracing::error!(
                "too much waits already; nothing is done for machine {uuid} until the plugin starts again"
            );
        }
    }

    /// The VirtualBox that the params lead to, kept.
    pub(crate) async fn host(&self, ctx: &Context, action: &Params) -> Result<Arc<Host>, Error> {
        let merged = params::over(&self.settings(), action);
        let (key, place) = params::place(&merged).await?;
        let timeout = params::seconds(&merged, name::TIMEOUT, 30, 3_600)?.max(Duration::from_secs(1));
        let gap = params::millis(&merged, name::START_GAP, 1_000, 60_000)?;
        let vbox = Vbox::new(place)
            .program(params::program(&merged)?)
            .prefix(params::prefix(&merged)?)
            .deadline(timeout);
        let (host, dropped) = {
            let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(host) = hosts.get(&key) {
                return Ok(host.clone());
            }
            let mut dropped = Vec::new();
            if hosts.len() >= HOSTS {
                // Not those that are at work: closing them would cost commands their answers, and free machines that are
                // being changed for a second change.
                let (busy, idle): (Vec<_>, Vec<_>) =
                    hosts.drain().partition(|(_, host)| Arc::strong_count(host) > 1);
                hosts.extend(busy);
                dropped.extend(idle.into_iter().map(|(_, host)| host));
            }
            let host = Arc::new(Host::new(vbox, gap, ctx.cancelled().clone()));
            hosts.insert(key, host.clone());
            (host, dropped)
        };
        for host in dropped {
            host.vbox.close().await;
        }
        Ok(host)
    }

    fn unlock(&self) -> Value {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let unlocked = hosts.values().filter(|host| host.vbox.unlock()).count();
        let text = if unlocked > 0 { "refused keys are forgotten" } else { "no keys were refused" };
        json!({"unlocked": unlocked > 0, "text": text})
    }
}

impl Actor for VirtualBox {
    async fn action(&self, ctx: &Context, action: Action) -> Result<Value, Error> {
        let command = action.command.as_str();
        let params = &action.params;
        let on_machine = action.model.get("Uuid").is_some();
        let host = self.0.host(ctx, params).await?;
        let limits = limits(params)?;
        if let Some(verb) = Verb::parse(command) {
            let machine = machine(&action);
            let done = run(&host, verb, &params::which(params)?, limits).await;
            return answer(ctx, &action, &machine, done);
        }
        if on_machine {
            return Err(unknown(command));
        }
        match command {
            "createVm" => create(ctx, &self.0.settings(), &host, &action).await,
            "startVm" | "stopVm" | "destroyVm" => self.on_vm(ctx, &host, &action, limits).await,
            "unlock" => Ok(self.0.unlock()),
            _ => Err(unknown(command)),
        }
    }
}

impl VirtualBox {
    async fn on_vm(
        &self,
        ctx: &Context,
        host: &Arc<Host>,
        action: &Action,
        limits: Limits,
    ) -> Result<Value, Error> {
        let which = params::which(&action.params)?;
        let command = action.command.as_str();
        let done = async {
            match command {
                "startVm" => {
                    let info = host.vbox.find(&which).await?;
                    if info.power() == Power::On {
                        return Err(Failure::State(
                            "it runs already".to_owned(),
                            "stopVm first, if it shall start afresh",
                        ));
                    }
                    let mut out = run(host, Verb::On, &info.uuid, limits).await?;
                    out.text = format!("Started {which}: {}", out.text);
                    Ok(out)
                }
                "stopVm" => {
                    let mut out = run(host, Verb::Off, &which, limits).await?;
                    out.text = format!("Stopped {which}: {}", out.text);
                    Ok(out)
                }
                _ => {
                    let info = host.vbox.find(&which).await?;
                    let mut out = Outcome::new(host.vbox.driver(), "destroyed");
                    destroy(host, &info.uuid, limits).await?;
                    out.verified = true;
                    out.state = Power::Off;
                    out.observed = "destroyed".to_owned();
                    let also = forget(ctx, &info.uuid).await;
                    Ok(out
                        .end(format!("Destroy {which}: the virtual machine and its disks are removed{also}")))
                }
            }
        };
        let done = done.await;
        answer(ctx, action, &which, done)
    }
}

/// Deletes the machines that stood for a virtual machine that is gone; says what became of them.
async fn forget(ctx: &Context, vm: &str) -> String {
    if ctx.without_daemon() {
        return String::new();
    }
    let found =
        async { Ok::<_, Error>((ctx.client().await?, records::of_vm(&ctx.client().await?, vm).await?)) };
    let (client, machines) = match found.await {
        Ok(found) => found,
        Err(error) => return format!("; its machine could not be looked for: {error}"),
    };
    let mut text = String::new();
    for Machine { uuid, name, .. } in machines {
        match client.delete("machines", &uuid).await {
            Ok(_) => text.push_str(&format!("; machine {name} is deleted")),
            Err(error) => text.push_str(&format!("; machine {name} could not be deleted: {error}")),
        }
    }
    text
}

async fn create(ctx: &Context, settings: &Params, host: &Arc<Host>, action: &Action) -> Result<Value, Error> {
    let params = &action.params;
    let id = params::text(params, name::ID)?;
    if id.as_deref().is_some_and(|id| !is_uuid(id)) {
        return Err(problem(
            400,
            "PARAM",
            format!("{} is not a UUID", name::ID),
            "leave it out, and a new machine gets one",
        ));
    }
    let Some(called) = params::vm_name(params)?.or_else(|| id.clone()) else {
        let what = format!("{} is missing, and {} too", name::NAME, name::ID);
        return Err(problem(400, "PARAM", what, "name the new machine"));
    };
    let uuid = id.unwrap_or_else(|| uuid::Uuid::new_v4().to_string()).to_ascii_lowercase();
    let wish = Wish {
        name: called.clone(),
        uuid,
        hardware: params::hardware(params)?,
        folder: params::text(settings, name::VM_PATH)?,
        begun: false,
    };
    let out = Outcome::new(host.vbox.driver(), "created");
    let made = make(host, &wish).await.map(|info| {
        let mut out = out;
        out.state = info.power();
        out.observed = "created".to_owned();
        out.verified = true;
        let id = info.uuid.to_ascii_uppercase();
        out.details = Some(json!({"id": id, "name": info.name, "macs": info.macs()}));
        out.end(format!("Created {called}"))
    });
    answer(ctx, action, &called, made)
}

fn limits(params: &Params) -> Result<Limits, Error> {
    Ok(Limits {
        verify: params::seconds(params, name::VERIFY_TIMEOUT, 30, 3_600)?,
        soft: params::seconds(params, name::SOFT_TIMEOUT, 60, 3_600)?,
        boot_wait: params::seconds(params, name::BOOT_WAIT, 0, 3_600)?,
    })
}

/// The end of an action, logged.
fn answer(
    ctx: &Context,
    action: &Action,
    machine: &str,
    done: Result<Outcome, Failure>,
) -> Result<Value, Error> {
    let command = action.command.as_str();
    match done {
        Ok(out) => {
            tracing::info!(state = %out.state, verified = out.verified, "{command} of {machine}: {}", out.text);
            Ok(out.to_json())
        }
        Err(failure) => {
            tracing::warn!("{command} of {machine}: {}", failure.what());
            let mut error = failure.answer(command, machine);
            let other = action.model.pointer("/Params/machine-plugin").and_then(Value::as_str);
            if let (404, Some(other)) = (error.code, other.filter(|other| *other != ctx.name())) {
                error = error
                    .and(format!("This machine belongs to the plugin {other}, and this is {}", ctx.name()));
            }
            Err(error)
        }
    }
}

fn unknown(command: &str) -> Error {
    problem(
        404,
        "UNKNOWN",
        format!("there is no action {command}"),
        "see the plugin's actions, for instance with `drp machines actions`",
    )
}

/// A name for texts: the machine's name, else its id.
fn machine(action: &Action) -> String {
    let field = |name: &str| action.model.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    field("Name").or_else(|| field("Uuid")).unwrap_or("the machine").to_owned()
}

impl Publisher for VirtualBox {
    async fn publish(&self, ctx: &Context, event: Event) -> Result<(), Error> {
        match (event.r#type.as_str(), event.action.as_str()) {
            ("machines", "create") => self.0.order(ctx, &event.key, Order::Create(event.key.clone())),
            ("machines", "delete") => {
                let machine = serde_json::from_value::<Machine>(event.object).map_err(ctx.failed(400))?;
                self.0.order(ctx, &event.key, Order::Destroy(Box::new(machine)));
            }
            // Events were lost: what they asked for is found by looking.
            ("websocket", _) => self.0.take_up(ctx).await?,
            _ => {}
        }
        Ok(())
    }
}

impl Selector for VirtualBox {
    async fn select_events(&self, _: &Context) -> Vec<String> {
        tracing::debug!("{NAME} waits for machines");
        vec!["machines.create.*".to_owned(), "machines.delete.*".to_owned()]
    }
}
