//! Misbehaves on request, one switch per fault: the host's sparring partner (promises P3). README.md lists the
//! switches.

mod faults;
mod kernel;
mod raw;
mod settings;
mod start;

use drp_plugin_sdk::{
    Action, Actor, Command, Context, Definition, Error, Event, Params, Plugin, Publisher, Value,
};
use settings::{Mood, Settings};
use std::{process::ExitCode, sync::RwLock, time::Duration};

#[derive(Default)]
struct Stress(RwLock<Settings>);

impl Stress {
    fn settings(&self) -> Settings {
        self.0.read().map(|s| s.clone()).unwrap_or_default()
    }
}

impl Plugin for Stress {
    async fn config(&self, ctx: &Context, params: Params) -> Result<(), Error> {
        let settings: Settings = params.decode()?;
        *self.0.write().map_err(ctx.failed(500))? = settings.clone();
        if settings.ignore_term {
            kernel::ignore_term().map_err(ctx.failed(500))?;
        }
        settings.config.show(ctx, "config").await
    }

    async fn stop(&self, ctx: &Context) {
        // A stop hook has no error to give; a mood that gives one is a mood to stop.
        let _ = self.settings().stop.show(ctx, "stop").await;
    }
}

impl Actor for Stress {
    async fn action(&self, ctx: &Context, action: Action) -> Result<Value, Error> {
        faults::run(ctx, &action).await
    }
}

impl Publisher for Stress {
    async fn publish(&self, ctx: &Context, _: Event) -> Result<(), Error> {
        self.settings().publish.show(ctx, "publish").await
    }
}

impl Mood {
    async fn show(self, ctx: &Context, hook: &str) -> Result<(), Error> {
        match self {
            Self::Well => Ok(()),
            Self::Slow => {
                tokio::time::sleep(Duration::from_secs(2)).await;
                Ok(())
            }
            Self::Hang => std::future::pending().await,
            Self::Error => Err(ctx.error(409, format!("{hook} fails as told"))),
            Self::CodeZero => Err(ctx.error(0, format!("{hook} fails without a code"))),
            Self::Leave => Err(ctx.error(403, format!("{hook} wants the provider withdrawn"))),
            Self::Panic => panic!("{hook} panics as told"),
            Self::Crash => std::process::abort(),
            Self::Exit => std::process::exit(0),
        }
    }
}

fn main() -> ExitCode {
    let name = start::name();
    if let Some(code) = start::misbehave(&name) {
        return code;
    }
    let alone = name == "stress";
    let mut definition = Definition::new(name, env!("CARGO_PKG_VERSION"))
        .describe("Misbehaves on request")
        .stop_deadline(Duration::from_secs(3600))
        .all_events();
    if !alone {
        // Copies with a start fault stand beside the original, whose params they must not declare again.
        return definition.action(Command::system("ok")).run(Stress::default());
    }
    definition = definition.params::<Settings>();
    for (command, _) in faults::FAULTS {
        definition = definition
            .action(Command::system(command).params::<faults::Amount>())
            .action(Command::on("machines", command).params::<faults::Amount>());
    }
    definition.run(Stress::default())
}
