//! Task services: software that extensions install.

use super::typed::{self, Call, CheckArg, ConfigArg, PluginArg, WaitArg};
use crate::Failure;
use crate::commands::Context;
use crate::noun::{Noun, noun};
use clap::{Args, Subcommand};
use drp_protocol::ExtensionType::Taskserv;
use serde_json::Value;

/// Verbs of task services.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Install a task service
    Install {
        #[command(flatten)]
        of: Of,
        /// The version [default: the newest]
        #[arg(long, value_name = "VERSION")]
        version: Option<String>,
        #[command(flatten)]
        config: ConfigArg,
        #[command(flatten)]
        check: CheckArg,
        #[command(flatten)]
        wait: WaitArg,
    },
    /// Remove a task service; with --force also when it runs
    Uninstall {
        #[command(flatten)]
        of: Of,
        /// Keep its data
        #[arg(long)]
        keep_data: bool,
        #[command(flatten)]
        config: ConfigArg,
        #[command(flatten)]
        check: CheckArg,
    },
    /// Change the configuration of a task service
    Configure {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        config: ConfigArg,
        #[command(flatten)]
        check: CheckArg,
    },
    /// How a task service is
    Status {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Restart a task service
    Restart {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        config: ConfigArg,
        #[command(flatten)]
        check: CheckArg,
    },
    /// Install another version of a task service
    Upgrade {
        #[command(flatten)]
        of: Of,
        /// The version
        version: String,
        #[command(flatten)]
        check: CheckArg,
    },
    /// The versions of a task service that can be installed
    Versions {
        #[command(flatten)]
        of: Of,
    },
    /// Whether there is a newer version of a task service
    CheckUpdates {
        #[command(flatten)]
        of: Of,
    },
}

/// Which task service.
#[derive(Debug, Args)]
struct Of {
    /// Name of the task service
    name: String,
    #[command(flatten)]
    plugin: PluginArg,
}

pub(super) const NOUN: Noun = noun!("taskserv", "Task services: software that extensions install", Verb, run);

async fn run(cx: &Context<'_>, _: &str, verb: Verb) -> Result<(), Failure> {
    let of = match &verb {
        Verb::Install { of, .. }
        | Verb::Uninstall { of, .. }
        | Verb::Configure { of, .. }
        | Verb::Status { of, .. }
        | Verb::Restart { of, .. }
        | Verb::Upgrade { of, .. }
        | Verb::Versions { of }
        | Verb::CheckUpdates { of } => of,
    };
    // A file that cannot be read is found out before the daemon is asked.
    let config = match &verb {
        Verb::Install { config, .. }
        | Verb::Uninstall { config, .. }
        | Verb::Configure { config, .. }
        | Verb::Status { config, .. }
        | Verb::Restart { config, .. } => config.read()?,
        _ => None,
    };
    if matches!(verb, Verb::Configure { .. }) && config.is_none() {
        return Err(
            Failure::usage("the new configuration is missing").hint("name its file with --config FILE")
        );
    }
    let plugin = typed::plugin(cx, Taskserv, Some(&of.name), &of.plugin).await?;
    let call = |operation| Call::new(Taskserv, &plugin, operation);
    let yes = |given: bool| given.then_some(true);
    let call = match &verb {
        Verb::Install { version, check, wait, .. } => {
            call("install").maybe("version", version.as_deref()).check(check).wait(wait)
        }
        Verb::Uninstall { keep_data, check, .. } => call("uninstall")
            .maybe("force", yes(cx.globals.force))
            .maybe("keep-data", yes(*keep_data))
            .check(check),
        Verb::Configure { check, .. } => call("configure").check(check),
        Verb::Status { .. } => call("status"),
        Verb::Restart { check, .. } => call("restart").check(check),
        Verb::Upgrade { version, check, .. } => {
            call("upgrade").with("version", version.as_str()).check(check)
        }
        Verb::Versions { .. } => call("get-available-versions"),
        Verb::CheckUpdates { .. } => call("check-updates"),
    };
    typed::show(cx, call.maybe("config", config.map(Value::Object)), &[]).await
}
