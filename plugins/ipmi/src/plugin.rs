//! The hooks.

use crate::answer::{failed, problem};
use crate::definition::{POWERPLAN, UNLOCK};
use crate::{mode, params};
use drp_bmc::{Fleet, Outcome, Verb};
use drp_plugin_sdk::{Action, Actor, Context, Error, Params, Plugin, Value, json, tracing};

/// The daemon must decrypt secure params for actions (wire-protocol §1.16).
const FEATURE: &str = "secure-param-upgrade";

/// Actions that Digital Rebar users know, or that are on their way, and that no driver of this version can do.
const NOT_YET: [&str; 22] = [
    "status",
    "getInfo",
    "getBios",
    "getMemory",
    "getStorage",
    "getSimpleStorage",
    "getProcessor",
    "getNetworkInterfaces",
    "getEthernetInterfaces",
    "getSecureBoot",
    "getBoot",
    "mountVirtualMedia",
    "unmountVirtualMedia",
    "statusVirtualMedia",
    "nmi",
    "nextboothttp",
    "sensors",
    "sel",
    "selclear",
    "bmcreset",
    "users",
    "lan",
];

/// Out-of-band control. One for all plugin instances of the process, which is one.
#[derive(Default)]
pub(crate) struct IpmiPlugin {
    fleet: Fleet,
}

impl Plugin for IpmiPlugin {
    async fn config(&self, ctx: &Context, _: Params) -> Result<(), Error> {
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
    async fn action(&self, _: &Context, action: Action) -> Result<Value, Error> {
        let machine = machine(&action);
        let command = action.command.as_str();
        if let Some(verb) = Verb::parse(command) {
            return self.run(verb, &machine, &action.params).await;
        }
        match command {
            POWERPLAN => plan(&machine, &action.params),
            UNLOCK => self.unlock(&action.params),
            later if NOT_YET.contains(&later) => {
                let driver = mode::choose(&action.params)?.driver.name();
                Err(problem(
                    501,
                    "UNSUPPORTED",
                    format!("driver {driver} cannot {later}"),
                    "use another verb",
                ))
            }
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
    async fn run(&self, verb: Verb, machine: &str, params: &Params) -> Result<Value, Error> {
        let chosen = mode::choose(params)?;
        let target = params::target(params)?;
        let options = params::options(params)?;
        let bmc = target.endpoint(chosen.driver.default_port());
        let command = verb.name();
        match self.fleet.run(chosen.driver, target, verb, options).await {
            Ok(mut outcome) => {
                outcome.attempts.splice(0..0, chosen.passed_over);
                let Outcome { state, verified, ms, text, .. } = &outcome;
                tracing::info!(%state, verified, ms, "{command} of {machine} at {bmc}: {text}");
                serde_json::to_value(outcome)
                    .map_err(|e| Error::new(500, "INTERNAL", e.to_string()).on("plugin", "ipmi"))
            }
            Err(mut error) => {
                if let Some(evidence) = &mut error.evidence {
                    evidence.attempts.splice(0..0, chosen.passed_over);
                }
                tracing::warn!(code = error.code(), "{command} of {machine} at {bmc}: {}", error.what);
                Err(failed(command, machine, &error))
            }
        }
    }

    fn unlock(&self, params: &Params) -> Result<Value, Error> {
        let chosen = mode::choose(params)?;
        let target = params::target(params)?;
        let was = self.fleet.unlock(&*chosen.driver, &target);
        let text = if was { "refused credentials are forgotten" } else { "no credentials were refused" };
        Ok(json!({ "unlocked": was, "driver": chosen.driver.name(), "text": format!("{target}: {text}") }))
    }
}

/// What would be sent, to whom and as whom; nothing is.
fn plan(machine: &str, params: &Params) -> Result<Value, Error> {
    let chosen = mode::choose(params)?;
    let target = params::target(params)?;
    let options = params::options(params)?;
    let verbs: Vec<Verb> = params::planned(params)?.map_or_else(|| Verb::all().collect(), |verb| vec![verb]);
    let plans: serde_json::Map<String, Value> = verbs
        .iter()
        .map(|verb| (verb.name().to_owned(), json!(verb.plan(&*chosen.driver, &options))))
        .collect();
    let bmc = target.endpoint(chosen.driver.default_port());
    let outcome = Outcome {
        requested: POWERPLAN.to_owned(),
        driver: chosen.driver.name().to_owned(),
        attempts: chosen.passed_over,
        text: format!("nothing was sent; this is what would be sent to {bmc} as user {}", target.username),
        details: Some(json!({ "machine": machine, "bmc": bmc, "username": target.username, "verbs": plans })),
        ..Outcome::default()
    };
    serde_json::to_value(outcome).map_err(|e| Error::new(500, "INTERNAL", e.to_string()).on("plugin", "ipmi"))
}

/// A name for texts: the machine's name, else its id.
fn machine(action: &Action) -> String {
    let field = |name: &str| action.model.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    field("Name").or_else(|| field("Uuid")).unwrap_or("the machine").to_owned()
}
