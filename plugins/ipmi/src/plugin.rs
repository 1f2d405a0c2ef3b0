//! The hooks.

use crate::answer::{failed, problem};
use crate::definition::{POWERPLAN, UNLOCK};
use crate::params::{Tls, name};
use crate::{mode, params};
use drp_bmc::{
    Attempt, BmcError, Driver, Fingerprint, Fleet, Kind, LparDriver, Outcome, RedfishDriver, Target, Trust,
    Verb,
};
use drp_plugin_sdk::{Action, Actor, Context, Error, Params, Plugin, Value, json, tracing};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// The daemon must decrypt secure params for actions (wire-protocol §1.16).
const FEATURE: &str = "secure-param-upgrade";

/// So many BMCs' winning drivers are remembered in mode `auto`.
const REMEMBERED: usize = 65_536;

/// Out-of-band control. One for all plugin instances of the process, which is one.
#[derive(Default)]
pub(crate) struct IpmiPlugin {
    fleet: Fleet,
    /// Mode `auto`: the driver that reached a BMC the last time, by its address.
    winners: Mutex<HashMap<String, &'static str>>,
    /// Mode `local` may act on this host: the plugin object says so, never a machine.
    local_allowed: AtomicBool,
}

impl Plugin for IpmiPlugin {
    async fn config(&self, ctx: &Context, params: Params) -> Result<(), Error> {
        self.local_allowed.store(params::local_allowed(&params)?, Ordering::Release);
        if ctx.without_daemon() {
            return Ok(());
        }
        let info = ctx.client().await?.info().await.map_err(ctx.failed(500))?;
        if info.features.iter().any(|feature| feature == FEATURE) {
            return Ok(());
        }
        Err(ctx
            .error(500, format!("dr-provision missing {FEATURE}"))
            .and("What to do: use a daemon that has this feature; without it BMC passwords cannot reach the plugin"))
    }

    async fn stop(&self, _: &Context) {
        self.fleet.stop().await;
    }
}

impl Actor for IpmiPlugin {
    async fn action(&self, ctx: &Context, action: Action) -> Result<Value, Error> {
        let machine = machine(&action);
        let command = action.command.as_str();
        if let Some(verb) = Verb::parse(command) {
            let outcome = self.run(ctx, verb, &machine, &action).await?;
            return serde_json::to_value(outcome).map_err(internal);
        }
        match command {
            POWERPLAN => plan(&machine, &action.params),
            UNLOCK => self.unlock(&action.params),
            unknown => Err(problem(
                404,
                "UNKNOWN",
                format!("there is no action {unknown}"),
                "see the plugin's actions, for instance with `drp machines actions`",
            )),
        }
    }
}

impl IpmiPlugin {
    /// Runs the verb with the drivers in turn, until one reaches the BMC and can do it. What was passed over stands
    /// in the attempts. A driver whose command may have been carried out is the last one.
    async fn run(&self, ctx: &Context, verb: Verb, machine: &str, action: &Action) -> Result<Outcome, Error> {
        let params = &action.params;
        let options = params::options(params)?;
        let mut drivers = mode::drivers(params)?;
        self.best_first(&mut drivers, params);
        let command = verb.name();
        let mut passed_over: Vec<Attempt> = Vec::new();
        let mut last = None;
        for driver in drivers {
            if !verb.possible(&*driver, &options) {
                passed_over.push(pass(&*driver, format!("driver {} cannot {command}", driver.name()), 0));
                continue;
            }
            let target = params::target(params, &*driver)?;
            if driver.name() == "local" && !self.local_allowed.load(Ordering::Acquire) {
                let what = format!(
                    "mode local is not allowed here: {} of the plugin is not true",
                    name::LOCAL_ALLOWED
                );
                let next = "it would act on the daemon's own host: set that param on the plugin object if that is meant";
                return Err(problem(403, "FORBIDDEN", what, next));
            }
            let bmc = target.endpoint(driver.default_port());
            let began = Instant::now();
            let result = match first_shown(params, &*driver, &target).await {
                Ok(Some(shown)) => {
                    let target = self.pin(ctx, target, shown, action).await?;
                    self.fleet.run(driver.clone(), target, verb, options.clone()).await
                }
                Ok(None) => self.fleet.run(driver.clone(), target, verb, options.clone()).await,
                Err(error) => Err(error),
            };
            match result {
                Ok(mut outcome) => {
                    self.remember(params, driver.name());
                    outcome.attempts.splice(0..0, passed_over);
                    let Outcome { state, verified, ms, text, .. } = &outcome;
                    tracing::info!(%state, verified, ms, "{command} of {machine} at {bmc}: {text}");
                    return Ok(outcome);
                }
                Err(error) => {
                    tracing::warn!(code = error.code(), "{command} of {machine} at {bmc}: {}", error.what);
                    // What somebody said to believe in is not got round by a protocol without certificates.
                    let distrusted = error.kind == Kind::Certificate && params::names_trust(params);
                    let goes_on = error.another_driver_may_help() && !distrusted;
                    let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                    passed_over.push(pass(&*driver, error.what.clone(), ms));
                    last = Some(error);
                    if !goes_on {
                        break;
                    }
                }
            }
        }
        let Some(mut error) = last else {
            let able = mode::able(verb, &options);
            let asked: Vec<_> = passed_over.iter().map(|attempt| attempt.driver.as_str()).collect();
            let what = format!("driver {} cannot {command}", asked.join(" and driver "));
            let next = match able.as_slice() {
                [] => "use another verb; no driver of this version can do this one".to_owned(),
                able => format!("set ipmi/mode to {}, which can", able.join(" or ")),
            };
            return Err(problem(501, "UNSUPPORTED", what, &next));
        };
        match &mut error.evidence {
            // The last attempt is the failure itself, which its own evidence tells better.
            Some(evidence) => {
                passed_over.pop();
                evidence.attempts.splice(0..0, passed_over);
            }
            None if passed_over.len() > 1 => {
                error.evidence = Some(Box::new(Outcome { attempts: passed_over, ..Outcome::default() }));
            }
            None => {}
        }
        Err(failed(command, machine, &error))
    }

    /// The target, with the certificate that was seen for the first time recorded and pinned.
    async fn pin(
        &self,
        ctx: &Context,
        mut target: Target,
        shown: Fingerprint,
        action: &Action,
    ) -> Result<Target, Error> {
        let uuid = action.model.get("Uuid").and_then(Value::as_str).unwrap_or_default();
        if ctx.without_daemon() || uuid.is_empty() {
            let next = format!("set {} to {shown} after comparing it", name::TLS_FINGERPRINT);
            return Err(problem(
                400,
                "PARAM",
                "first-use needs a daemon to record the fingerprint in",
                &next,
            ));
        }
        let recorded = ctx
            .client()
            .await?
            .set_param("machines", uuid, name::TLS_FINGERPRINT, &json!(shown.to_string()))
            .await;
        recorded.map_err(ctx.failed(500))?;
        tracing::info!(
            "{}: certificate {shown} of {target} is recorded and pinned from now on",
            machine(action)
        );
        target.trust = Trust::Pinned(shown);
        Ok(target)
    }

    /// Puts the driver first that reached this BMC the last time.
    fn best_first(&self, drivers: &mut [Arc<dyn Driver>], params: &Params) {
        // A certificate that is asked for is looked at first, whatever reached the BMC before it was.
        let Some(address) = address(params).filter(|_| drivers.len() > 1 && !params::names_trust(params))
        else {
            return;
        };
        let winners = self.winners.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(winner) = winners.get(&address) {
            drivers.sort_by_key(|driver| driver.name() != *winner);
        }
    }

    fn remember(&self, params: &Params, driver: &'static str) {
        let Some(address) = address(params) else { return };
        let mut winners = self.winners.lock().unwrap_or_else(PoisonError::into_inner);
        if winners.len() >= REMEMBERED {
            winners.clear();
        }
        winners.insert(address, driver);
    }

    fn unlock(&self, params: &Params) -> Result<Value, Error> {
        let mut unlocked = Vec::new();
        let mut names = Vec::new();
        let mut host = String::new();
        for driver in mode::drivers(params)? {
            let target = params::target(params, &*driver)?;
            if self.fleet.unlock(&*driver, &target) {
                unlocked.push(driver.name());
            }
            names.push(driver.name());
            host = target.shown(driver.default_port());
        }
        let text = if unlocked.is_empty() {
            "no credentials were refused"
        } else {
            "refused credentials are forgotten"
        };
        Ok(
            json!({ "unlocked": !unlocked.is_empty(), "driver": names.join(", "), "text": format!("{host}: {text}") }),
        )
    }
}

/// The certificate that the BMC shows, where it is to be recorded and none is.
async fn first_shown(
    params: &Params,
    driver: &dyn Driver,
    target: &Target,
) -> Result<Option<Fingerprint>, BmcError> {
    if !matches!(params::tls(params), Ok(Tls::FirstUse)) {
        return Ok(None);
    }
    let shown = match driver.name() {
        "redfish" => RedfishDriver::shown_certificate(target).await?,
        "lpar" => LparDriver::shown_certificate(target).await?,
        _ => return Ok(None),
    };
    let none = || {
        let bmc = target.endpoint(driver.default_port());
        BmcError::new(Kind::Param, bmc, "the BMC showed no certificate to record")
            .advise("set ipmi/tls-verify to verify")
    };
    shown.map(Some).ok_or_else(none)
}

fn pass(driver: &dyn Driver, error: String, ms: u64) -> Attempt {
    Attempt { driver: driver.name().to_owned(), error, ms }
}

fn address(params: &Params) -> Option<String> {
    params.value(name::ADDRESS).and_then(Value::as_str).map(str::to_owned)
}

fn internal(error: serde_json::Error) -> Error {
    Error::new(500, "INTERNAL", error.to_string()).on("plugin", "ipmi")
}

/// What would be sent, to whom and as whom; nothing is. In mode `auto`, by the first driver that can.
fn plan(machine: &str, params: &Params) -> Result<Value, Error> {
    let options = params::options(params)?;
    let verbs: Vec<Verb> = params::planned(params)?.map_or_else(|| Verb::all().collect(), |verb| vec![verb]);
    let drivers = mode::drivers(params)?;
    let mut plans = serde_json::Map::new();
    let mut whom = Vec::new();
    for driver in &drivers {
        let target = params::target(params, &**driver)?;
        whom.push((target.endpoint(driver.default_port()), target.username));
    }
    for verb in verbs {
        let able = drivers.iter().find(|driver| verb.possible(&***driver, &options));
        let steps = able.map(|driver| verb.plan(&**driver, &options)).unwrap_or_default();
        plans.insert(verb.name().to_owned(), json!(steps));
    }
    let (bmcs, users): (Vec<_>, Vec<_>) = whom.into_iter().unzip();
    let (bmc, user) = (bmcs.join(" or "), users.into_iter().next().unwrap_or_default());
    let names: Vec<_> = drivers.iter().map(|driver| driver.name()).collect();
    let outcome = Outcome {
        requested: POWERPLAN.to_owned(),
        driver: names.join(", "),
        text: format!("nothing was sent; this is what would be sent to {bmc} as user {user}"),
        details: Some(json!({ "machine": machine, "bmc": bmc, "username": user, "verbs": plans })),
        ..Outcome::default()
    };
    serde_json::to_value(outcome).map_err(internal)
}

/// A name for texts: the machine's name, else its id.
fn machine(action: &Action) -> String {
    let field = |name: &str| action.model.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    field("Name").or_else(|| field("Uuid")).unwrap_or("the machine").to_owned()
}
