//! Counts on machines: the plugin that daemons are tried out with (wire-protocol §8).

use drp_plugin_sdk::{
    Action, Actor, Command, Context, Definition, Error, Machine, Plugin, Value,
    client::{Client, ClientError, ParamQuery},
    json,
};
use std::{path::Path, process::ExitCode};

const STEP: &str = "incrementer/step";
const PARAMETER: &str = "incrementer/parameter";
const TOUCHED: &str = "incrementer/touched";
/// The param that is counted in when none is named.
const DEFAULT: &str = "incrementer/default";

struct Incrementer;

impl Plugin for Incrementer {
    async fn unpack(&self, ctx: &Context, dir: &Path) -> Result<(), Error> {
        tokio::fs::write(dir.join("testFile"), "ImaFile").await.map_err(ctx.failed(500))
    }
}

impl Actor for Incrementer {
    async fn action(&self, ctx: &Context, action: Action) -> Result<Value, Error> {
        match action.command.as_str() {
            "increment" => {
                let machine = machine(ctx, &action)?;
                let name = action.params.value(PARAMETER).and_then(Value::as_str).unwrap_or(DEFAULT);
                let step = action.params.value(STEP).and_then(whole).unwrap_or(1);
                let client = ctx.client().await?;
                let count = add(ctx, &client, &machine, name, step).await?;
                add(ctx, &client, &machine, TOUCHED, 1).await?;
                Ok(json!(count))
            }
            "reset_count" => {
                let machine = machine(ctx, &action)?;
                let client = ctx.client().await?;
                client.delete_param("machines", &machine.uuid, TOUCHED).await.map_err(|e| refused(ctx, e))?;
                Ok(json!("Success"))
            }
            "incrstatus" => Ok(json!("Running")),
            other => Err(ctx.error(404, format!("Unknown command: {other}\n"))),
        }
    }
}

fn machine(ctx: &Context, action: &Action) -> Result<Machine, Error> {
    action.object().map_err(|e| Error { messages: e.messages, ..ctx.error(409, "") })
}

/// Adds to a param of the machine and gives its new value. A param that is not set counts as 0.
async fn add(ctx: &Context, client: &Client, machine: &Machine, name: &str, step: i64) -> Result<i64, Error> {
    let old = client.param("machines", &machine.uuid, name, ParamQuery::default()).await;
    let old = match old.map_err(|e| refused(ctx, e))? {
        Value::Null => 0,
        value => whole(&value).ok_or_else(|| ctx.error(500, format!("{name} is not a number: {value}")))?,
    };
    let new =
        old.checked_add(step).ok_or_else(|| ctx.error(500, format!("{name} is at its limit, {old}")))?;
    client.set_param("machines", &machine.uuid, name, &json!(new)).await.map_err(|e| refused(ctx, e))?;
    Ok(new)
}

/// A JSON number without its fraction.
#[allow(clippy::cast_possible_truncation)]
fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().map(|f| f.trunc() as i64))
}

/// What the API refused, in its words, as an error of this plugin.
fn refused(ctx: &Context, error: ClientError) -> Error {
    Error { messages: Error::from(error).messages, ..ctx.error(400, "") }
}

fn main() -> ExitCode {
    let on_machines = |command| Command::on("machines", command);
    Definition::new("incrementer", env!("CARGO_PKG_VERSION"))
        .content(drp_plugin_sdk::content!())
        .action(on_machines("increment").optional(STEP).optional(PARAMETER))
        .action(on_machines("reset_count").required(TOUCHED))
        .action(Command::system("incrstatus"))
        .store_objects("cows", json!({}))
        .store_objects(
            "typed-cows",
            json!({
                "Spotted": {"type": "boolean", "isrequired": true},
                "CanMilk": {"type": "boolean"},
                "Location": {"type": "string"},
            }),
        )
        .run(Incrementer)
}
