//! The smallest useful plugin: it answers what it is told, and says a greeting that is configured.

use drp_plugin_sdk::{
    Action, Actor, Command, Context, Definition, Error, JsonSchema, Params, Plugin, Value, json, schemars,
    tracing,
};
use serde::Deserialize;
use std::{process::ExitCode, sync::RwLock};

/// Params of the plugin object.
#[derive(Default, Deserialize, JsonSchema)]
struct Settings {
    /// What `echogreeting` answers
    #[serde(rename = "echo/greeting")]
    greeting: Option<String>,
}

/// Params of the action `echo`.
#[derive(Deserialize, JsonSchema)]
struct Request {
    /// The text to give back
    #[serde(rename = "echo/text")]
    text: Option<String>,
}

#[derive(Default)]
struct Echo(RwLock<Settings>);

impl Plugin for Echo {
    async fn config(&self, ctx: &Context, params: Params) -> Result<(), Error> {
        *self.0.write().map_err(ctx.failed(500))? = params.decode()?;
        tracing::info!("ready to echo");
        Ok(())
    }
}

impl Actor for Echo {
    async fn action(&self, ctx: &Context, action: Action) -> Result<Value, Error> {
        match action.command.as_str() {
            "echo" => Ok(json!(action.params::<Request>()?.text)),
            "echogreeting" => Ok(json!(self.0.read().map_err(ctx.failed(500))?.greeting)),
            _ => Err(action.unknown()),
        }
    }
}

fn main() -> ExitCode {
    Definition::new("echo", env!("CARGO_PKG_VERSION"))
        .describe("Gives back what it is told")
        .params::<Settings>()
        .action(Command::on("machines", "echo").params::<Request>())
        .action(Command::system("echogreeting"))
        .run(Echo::default())
}
