//! A plugin for the tests of the daemon: secure params, an action that fails with a code of its own, every event,
//! routes of its own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use drp_plugin_sdk::axum::Router;
use drp_plugin_sdk::axum::extract::State;
use drp_plugin_sdk::axum::http::Uri;
use drp_plugin_sdk::axum::routing::{any, get};
use drp_plugin_sdk::protocol::JsonMap;
use drp_plugin_sdk::{
    Action, Actor, Command, Context, Definition, Error, Event, Param, Params, Plugin, Publisher, Value, json,
};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Lamp {
    config: Mutex<JsonMap>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Plugin for Lamp {
    async fn config(&self, _: &Context, params: Params) -> Result<(), Error> {
        *self.config.lock().unwrap() = params.into_inner();
        Ok(())
    }

    fn routes(&self, _: &Context) -> Router {
        Router::new()
            .route("/seen", get(|State(seen): State<Arc<Mutex<Vec<String>>>>| async move { seen.lock().unwrap().join("\n") }))
            .route("/mirror/{*rest}", any(|uri: Uri, body: String| async move { format!("{uri} {body}") }))
            .with_state(Arc::clone(&self.seen))
    }
}

impl Actor for Lamp {
    async fn action(&self, ctx: &Context, action: Action) -> Result<Value, Error> {
        match action.command.as_str() {
            // What reached the plugin, with secrets reduced to their length.
            "unlock" => {
                let code = action.params.get::<String>("lamp/code")?.unwrap_or_default();
                let model = action.object::<JsonMap>()?;
                Ok(json!({"length": code.len(), "sealed": model["Params"]["lamp/code"].is_object()}))
            }
            "settings" => {
                let config = self.config.lock().unwrap();
                let secret = config.get("lamp/code").and_then(Value::as_str).map(str::len);
                Ok(json!({"names": config.keys().collect::<Vec<_>>(), "length": secret}))
            }
            "fail" => Err(ctx.error(418, "I am a lamp")),
            _ => Err(action.unknown()),
        }
    }
}

impl Publisher for Lamp {
    async fn publish(&self, _: &Context, event: Event) -> Result<(), Error> {
        self.seen.lock().unwrap().push(format!("{}.{}.{}", event.r#type, event.action, event.key));
        Ok(())
    }
}

fn main() -> ExitCode {
    let code = || Param::of::<String>("lamp/code").secure();
    Definition::new("lamp", "v1.0.0")
        .auto_start()
        .all_events()
        .optional(code())
        .optional(Param::of::<i64>("lamp/count").default(7))
        .action(Command::on("machines", "unlock").required(code()))
        .action(Command::system("settings"))
        .action(Command::system("fail"))
        .run(Lamp::default())
}
