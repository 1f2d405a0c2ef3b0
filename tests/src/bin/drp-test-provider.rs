//! A provider extension's own plugin for the tests of registration: it is called as its file is, answers every operation
//! of the interface, and tells which settings reached it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use drp_plugin_sdk::protocol::JsonMap;
use drp_plugin_sdk::protocol::extension_operations::PROVIDER;
use drp_plugin_sdk::{
    Action, Actor, Command, Context, Definition, Error, Param, Params, Plugin, Value, json,
};
use std::process::ExitCode;
use std::sync::Mutex;

#[derive(Default)]
struct Provider {
    config: Mutex<JsonMap>,
}

impl Plugin for Provider {
    async fn config(&self, _: &Context, params: Params) -> Result<(), Error> {
        *self.config.lock().unwrap() = params.into_inner();
        Ok(())
    }
}

impl Actor for Provider {
    async fn action(&self, _: &Context, action: Action) -> Result<Value, Error> {
        let config = self.config.lock().unwrap();
        let check = action.params.get::<bool>("check")?.unwrap_or_default();
        Ok(match action.command.as_str() {
            // Secrets are reduced to their length.
            "provider-info" => {
                let shown = config.iter().map(|(name, value)| match value {
                    Value::String(text) if name.ends_with("api_key") => (name.clone(), json!(text.len())),
                    value => (name.clone(), value.clone()),
                });
                json!({"program": std::env::current_exe().unwrap(), "settings": shown.collect::<JsonMap>()})
            }
            "create-server" if check => {
                let hostname = action.params.get::<JsonMap>("config")?.unwrap_or_default().remove("hostname");
                json!({"action": "create-server", "hostname": hostname, "check_mode": true, "would_create": true})
            }
            "list-servers" | "get-plans" | "get-zones" | "get-pricing" => json!([]),
            _ => json!({"plugin": action.plugin, "params": action.params.as_map()}),
        })
    }
}

fn main() -> ExitCode {
    let program = std::env::current_exe().unwrap();
    let name = program.file_name().unwrap().to_string_lossy().into_owned();
    let param = |setting: &str| format!("{name}/{setting}");
    let mut definition = Definition::new(name.clone(), "v1.0.0")
        .auto_start()
        .optional(Param::of::<String>(param("endpoint")))
        .optional(Param::of::<String>(param("api_key")).secure())
        .optional(Param::of::<i64>(param("workers")));
    for operation in PROVIDER {
        let mut command = Command::on("plugins", operation.name);
        for input in operation.inputs {
            command =
                if input.required { command.required(input.name) } else { command.optional(input.name) };
        }
        for name in ["check", "wait"] {
            command = command.optional(name);
        }
        definition = definition.action(command);
    }
    definition.run(Provider::default())
}
