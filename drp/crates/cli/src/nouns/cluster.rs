//! Clusters: components that extensions deploy together.

use super::typed::{self, Call, CheckArg, ConfigArg, PluginArg, WaitArg};
use crate::Failure;
use crate::commands::Context;
use crate::noun::{Noun, noun};
use clap::{Args, Subcommand};
use drp_protocol::ExtensionType::Cluster;
use serde_json::Value;

/// Columns of components.
const COMPONENTS: &[(&str, &str)] = &[
    ("Name", "/name"),
    ("Type", "/type"),
    ("Version", "/version"),
    ("Status", "/status"),
    ("Dependencies", "/dependencies"),
];

/// Verbs of clusters.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Deploy a cluster
    Create {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        config: ConfigArg,
        #[command(flatten)]
        check: CheckArg,
        #[command(flatten)]
        wait: WaitArg,
    },
    /// Remove a cluster; with --force also what fails to be removed
    Delete {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        config: ConfigArg,
        #[command(flatten)]
        check: CheckArg,
        #[command(flatten)]
        wait: WaitArg,
    },
    /// How a cluster is, or one of its components
    Status {
        #[command(flatten)]
        of: Of,
        /// Only of this component
        #[arg(long, value_name = "NAME")]
        component: Option<String>,
    },
    /// Change how many of its components there are
    Scale {
        #[command(flatten)]
        of: Of,
        /// So many
        #[arg(value_parser = clap::value_parser!(u32).range(0..=100_000))]
        replicas: u32,
        /// Only of this component
        #[arg(long, value_name = "NAME")]
        component: Option<String>,
        #[command(flatten)]
        check: CheckArg,
        #[command(flatten)]
        wait: WaitArg,
    },
    /// Deploy another version of a cluster
    Upgrade {
        #[command(flatten)]
        of: Of,
        /// The version
        version: String,
        #[command(flatten)]
        check: CheckArg,
        #[command(flatten)]
        wait: WaitArg,
    },
    /// The components of a cluster
    Components {
        #[command(flatten)]
        of: Of,
    },
    /// Restart a component of a cluster
    RestartComponent {
        #[command(flatten)]
        of: Of,
        /// Name of the component
        component: String,
        #[command(flatten)]
        check: CheckArg,
    },
}

/// Which cluster.
#[derive(Debug, Args)]
struct Of {
    /// Name of the cluster
    name: String,
    #[command(flatten)]
    plugin: PluginArg,
}

pub(super) const NOUN: Noun =
    noun!("cluster", "Clusters: components that extensions deploy together", Verb, run);

async fn run(cx: &Context<'_>, _: &str, verb: Verb) -> Result<(), Failure> {
    let of = match &verb {
        Verb::Create { of, .. }
        | Verb::Delete { of, .. }
        | Verb::Status { of, .. }
        | Verb::Scale { of, .. }
        | Verb::Upgrade { of, .. }
        | Verb::Components { of }
        | Verb::RestartComponent { of, .. } => of,
    };
    // A file that cannot be read is found out before the daemon is asked.
    let config = match &verb {
        Verb::Create { config, .. } | Verb::Delete { config, .. } => config.read()?,
        _ => None,
    };
    let plugin = typed::plugin(cx, Cluster, Some(&of.name), &of.plugin).await?;
    let call = |operation| Call::new(Cluster, &plugin, operation);
    let call = match &verb {
        Verb::Create { check, wait, .. } => call("create").check(check).wait(wait),
        Verb::Delete { check, wait, .. } => {
            call("delete").maybe("force", cx.globals.force.then_some(true)).check(check).wait(wait)
        }
        Verb::Status { component: None, .. } => call("status"),
        Verb::Status { component: Some(name), .. } => call("component-status").with("name", name.as_str()),
        Verb::Scale { replicas, component, check, wait, .. } => call("scale")
            .with("replicas", *replicas)
            .maybe("component", component.as_deref())
            .check(check)
            .wait(wait),
        Verb::Upgrade { version, check, wait, .. } => {
            call("upgrade").with("version", version.as_str()).check(check).wait(wait)
        }
        Verb::Components { .. } => call("list-components"),
        Verb::RestartComponent { component, check, .. } => {
            call("restart-component").with("name", component.as_str()).check(check)
        }
    };
    typed::show(cx, call.maybe("config", config.map(Value::Object)), COMPONENTS).await
}
