//! A plugin that shows what the SDK does. The test binary runs itself as this plugin.

use drp_plugin_sdk::{
    Action, Actor, Command, Context, Definition, Error, Event, Params, Plugin, PluginProvider, Publisher,
    Secret, Selector, Value,
    axum::{self, extract::Path, routing::get},
    json, tracing,
};
use std::{process::ExitCode, sync::RwLock, time::Duration};

#[derive(Default)]
pub struct Probe(RwLock<Vec<String>>);

impl Plugin for Probe {
    async fn config(&self, ctx: &Context, params: Params) -> Result<(), Error> {
        *self.0.write().map_err(ctx.failed(500))? = params.get("probe/patterns")?.unwrap_or_default();
        Ok(())
    }

    async fn stop(&self, ctx: &Context) {
        let _ = ctx.publish("probe", "stopped", ctx.name(), ctx.cancelled().is_cancelled()).await;
        if self.0.read().is_ok_and(|p| p.iter().any(|p| p == "probe.slow.stop")) {
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }
    }

    async fn unpack(&self, _: &Context, dir: &std::path::Path) -> Result<(), Error> {
        std::fs::write(dir.join("probe.txt"), "unpacked")
            .map_err(|e| Error::new(500, "plugin", e.to_string()))
    }

    async fn validate(&self, ctx: &Context, definition: PluginProvider) -> Result<PluginProvider, Error> {
        if std::env::var_os("PROBE_INVALID").is_some() {
            return Err(ctx.error(400, "not valid here"));
        }
        Ok(PluginProvider { documentation: "validated".to_owned(), ..definition })
    }

    fn routes(&self, ctx: &Context) -> axum::Router {
        let name = ctx.name();
        axum::Router::new()
            .route("/hello/{who}", get(async move |Path(who): Path<String>| format!("{name} greets {who}")))
            .route("/panic", get(async || -> String { panic!("route panics") }))
    }
}

impl Actor for Probe {
    async fn action(&self, ctx: &Context, action: Action) -> Result<Value, Error> {
        match action.command.as_str() {
            "name" => Ok(json!(ctx.name())),
            "log" => {
                let password = Secret::new("hunter2".to_owned());
                tracing::info!(port = 623, ok = true, ?password, "a line");
                tracing::trace!("a detail");
                Ok(json!(ctx.request_id()))
            }
            "deep" => Ok((0..1_000_000).fold(Value::Null, |inner, _| Value::Array(vec![inner]))),
            "list" => Ok(json!(ctx.list_objects::<Value>("machines").await?)),
            "emit" => ctx.publish("lamps", "on", "l1", json!({"x": 1})).await.map(|()| Value::Null),
            "wait" => {
                ctx.cancelled().cancelled().await;
                Ok(json!("cancelled"))
            }
            "later" => {
                tokio::time::sleep(Duration::from_millis(200)).await;
                ctx.publish("probe", "ran", "to its end", Value::Null).await.map(|()| Value::Null)
            }
            _ => Err(action.unknown()),
        }
    }
}

impl Publisher for Probe {
    async fn publish(&self, ctx: &Context, event: Event) -> Result<(), Error> {
        tracing::info!("seen");
        ctx.publish(
            "probe",
            "seen",
            format!("{}.{}.{}", event.r#type, event.action, event.key),
            event.object,
        )
        .await?;
        if event.action == "refuse" { Err(ctx.error(409, "refused as told")) } else { Ok(()) }
    }
}

impl Selector for Probe {
    async fn select_events(&self, _: &Context) -> Vec<String> {
        self.0.read().map(|p| p.clone()).unwrap_or_default()
    }
}

pub fn run(arguments: Vec<std::ffi::OsString>) -> ExitCode {
    let commands = ["name", "log", "list", "emit", "wait", "later"];
    let definition =
        Definition::new("probe", "v1.0.0").selected_events().stop_deadline(Duration::from_millis(300));
    commands
        .into_iter()
        .fold(definition, |d, c| d.action(Command::system(c)))
        .run_with(Probe::default(), arguments)
}
