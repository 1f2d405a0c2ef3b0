//! The hooks.

use crate::config::judge;
use crate::definition::NAME;
use crate::failure::Failure;
use crate::firewall::Rule;
use crate::operations::Servers;
use crate::plan::{Plan, ZONE};
use crate::settings::Settings;
use drp_plugin_sdk::protocol::extension_operations::PROVIDER;
use drp_plugin_sdk::{Action, Actor, Context, Error, Params, Plugin, Value, json, tracing};
use std::sync::{Arc, PoisonError, RwLock};

/// Servers of this host.
#[derive(Default)]
pub(crate) struct Local {
    servers: RwLock<Option<Arc<Servers>>>,
}

impl Plugin for Local {
    async fn config(&self, ctx: &Context, params: Params) -> Result<(), Error> {
        let settings: Settings = params.decode()?;
        let problems = settings.problems();
        if let Some((first, rest)) = problems.split_first() {
            let error = first.answer(&ctx.name());
            return Err(rest.iter().fold(error, |error, problem| error.and(problem.to_string())));
        }
        let fail = |failure: Failure| failure.answer(&ctx.name());
        let servers = Servers::new(settings).map_err(fail)?;
        servers.reconcile().await.map_err(fail)?;
        tracing::info!("servers are kept in {}", servers.place().display());
        *self.servers.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(servers));
        Ok(())
    }
}

impl Actor for Local {
    async fn action(&self, ctx: &Context, action: Action) -> Result<Value, Error> {
        let servers = self.servers.read().unwrap_or_else(PoisonError::into_inner).clone();
        let servers = servers.ok_or_else(|| ctx.error(409, "the plugin has no settings yet"))?;
        run(&servers, &action).await?.map_err(|failure: Failure| failure.answer(&action.plugin))
    }
}

/// Runs an operation. The outer error is one of its params.
async fn run(servers: &Servers, action: &Action) -> Result<Result<Value, Failure>, Error> {
    let params = &action.params;
    let id = || params.require::<String>("server_id");
    let flag = |name: &str| params.get::<bool>(name).map(|flag| flag.unwrap_or(false));
    Ok(match action.command.as_str() {
        "provider-info" => Ok(info(servers)),
        "validate-config" => Ok(validate(servers, params.require("config")?)),
        "test-connection" => Ok(test(servers).await),
        "create-server" => {
            let config = params.require::<Value>("config")?;
            if flag("check")? {
                check(servers, config)
            } else {
                let wait = flag("wait")?;
                match judge(config, &servers.settings).wish() {
                    Ok((wish, warnings)) => servers.create(wish, warnings, wait).await,
                    Err(failure) => Err(failure),
                }
            }
        }
        "delete-server" => servers.delete(&id()?).await,
        "list-servers" => servers.list().await,
        "get-server-info" => servers.info(&id()?).await,
        "start-server" => servers.start(&id()?).await,
        "stop-server" => servers.stop(&id()?).await,
        "reboot-server" => servers.reboot(&id()?).await,
        "get-pricing" => Ok(servers.settings.plans.iter().map(Plan::price).collect()),
        "get-plans" => Ok(servers.settings.plans.iter().map(Plan::shown).collect()),
        "get-zones" => {
            Ok(json!([{"name": ZONE, "description": "this host", "country": null, "available": true}]))
        }
        "get-ssh-access" => servers.ssh_access(&id()?).await,
        "configure-firewall" => servers.firewall(&id()?, params.require::<Vec<Rule>>("rules")?).await,
        _ => return Err(action.unknown()),
    })
}

fn info(servers: &Servers) -> Value {
    let operations: Vec<&str> = PROVIDER.iter().map(|operation| operation.name).collect();
    let images: Vec<&String> = servers.settings.images.keys().collect();
    json!({
        "name": NAME.trim_end_matches("-provider"),
        "version": env!("CARGO_PKG_VERSION"),
        "type": "provider",
        "interface": "QEMU",
        "supported_operations": operations,
        "required_auth": [],
        "supported_os": images,
        "regions": [ZONE],
    })
}

/// A server's description, known by its hostname, or else settings, by their own names.
fn validate(servers: &Servers, config: Value) -> Value {
    let (errors, warnings) = if config.get("hostname").is_some() {
        let judged = judge(config, &servers.settings);
        (judged.errors, judged.warnings)
    } else {
        (settings_errors(config), Vec::new())
    };
    json!({"valid": errors.is_empty(), "errors": errors, "warnings": warnings})
}

fn settings_errors(config: Value) -> Vec<String> {
    let Value::Object(fields) = config else {
        return vec!["config: a record is wanted: a server, or settings of this provider".into()];
    };
    let known = |name: &str| definition_params().iter().any(|param| param == name);
    let params: drp_plugin_sdk::protocol::JsonMap =
        fields.into_iter().map(|(name, value)| (format!("{NAME}/{name}"), value)).collect();
    let unknown = params.keys().filter(|name| !known(name));
    let mut errors: Vec<String> = unknown.map(|name| format!("there is no setting {name}")).collect();
    match Params::from(params).decode::<Settings>() {
        Ok(settings) => errors.extend(settings.problems().iter().map(ToString::to_string)),
        Err(error) => errors.extend(error.messages),
    }
    errors
}

fn definition_params() -> Vec<String> {
    let provider = crate::definition::definition().provider().unwrap_or_default();
    [provider.required_params, provider.optional_params].concat()
}

/// What creating a server would do. Nothing is changed, and QEMU is not asked.
fn check(servers: &Servers, config: Value) -> Result<Value, Failure> {
    let judged = judge(config, &servers.settings);
    judged.describes_a_server()?;
    let mut errors = judged.errors;
    if let Some(wish) = &judged.wish {
        errors.extend(servers.has_room(wish.plan.memory_mb).err().map(|failure| failure.to_string()));
    }
    Ok(json!({
        "action": "create-server",
        "hostname": judged.hostname,
        "check_mode": true,
        "would_create": errors.is_empty(),
        "estimated_time": "1-3 minutes",
        "errors": errors,
        "warnings": judged.warnings,
    }))
}

async fn test(servers: &Servers) -> Value {
    match servers.probe().await {
        Ok(probe) => json!({
            "success": true,
            "message": format!("QEMU {} at {} runs servers with {}", probe.version, probe.program.display(), probe.accel()),
            "account_info": {
                "qemu": probe.version, "accel": probe.accel(), "kvm": probe.no_kvm.is_none(),
                "why_no_kvm": probe.no_kvm, "sandbox": probe.sandbox, "state_dir": servers.place(),
            },
        }),
        Err(failure) => {
            json!({"success": false, "error": failure.to_string(), "message": "QEMU does not run servers here"})
        }
    }
}
