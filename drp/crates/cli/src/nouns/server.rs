//! Servers that providers create.

mod all;
mod ssh;

use super::typed::{self, Call, CheckArg, ConfigArg, PluginArg, WaitArg};
use crate::Failure;
use crate::commands::Context;
use crate::noun::{Noun, noun};
use clap::{Args, Subcommand};
use drp_protocol::ExtensionType::Provider;
use serde_json::Value;
use std::ffi::OsString;

/// Columns of servers.
const SERVERS: &[(&str, &str)] = &[
    ("Id", "/server_id"),
    ("Hostname", "/hostname"),
    ("Status", "/status"),
    ("Plan", "/plan"),
    ("Zone", "/zone"),
    ("Addresses", "/ip_addresses"),
];
const PLANS: &[(&str, &str)] = &[
    ("Name", "/name"),
    ("Cpus", "/cpus"),
    ("Memory MiB", "/memory"),
    ("Storage GiB", "/storage"),
    ("Description", "/description"),
];
const ZONES: &[(&str, &str)] = &[("Name", "/name"), ("Description", "/description")];
const PRICES: &[(&str, &str)] = &[
    ("Plan", "/plan"),
    ("Zone", "/zone"),
    ("Hourly", "/hourly"),
    ("Monthly", "/monthly"),
    ("Currency", "/currency"),
];

/// Verbs of servers.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Create a server
    Create {
        /// Name of the server
        hostname: String,
        #[command(flatten)]
        at: At,
        /// Its size, one of `drp server plans`
        #[arg(long, value_name = "NAME")]
        plan: Option<String>,
        /// Where it runs, one of `drp server zones`
        #[arg(long, value_name = "NAME")]
        zone: Option<String>,
        /// Its operating system
        #[arg(long, value_name = "NAME")]
        os: Option<String>,
        #[command(flatten)]
        config: ConfigArg,
        #[command(flatten)]
        check: CheckArg,
        #[command(flatten)]
        wait: WaitArg,
    },
    /// Delete a server
    Delete {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        check: CheckArg,
    },
    /// The servers of a provider, or of all of them
    List {
        #[command(flatten)]
        at: At,
    },
    /// What a provider knows of a server
    Info {
        #[command(flatten)]
        of: Of,
    },
    /// Switch a server on
    Start {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        check: CheckArg,
    },
    /// Switch a server off
    Stop {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        check: CheckArg,
    },
    /// Restart a server
    Reboot {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        check: CheckArg,
    },
    /// The sizes that servers can have
    Plans {
        #[command(flatten)]
        at: At,
    },
    /// What servers cost
    Pricing {
        #[command(flatten)]
        at: At,
    },
    /// Where servers can run
    Zones {
        #[command(flatten)]
        at: At,
    },
    /// How to log in to a server, or with --exec: log in
    Ssh {
        #[command(flatten)]
        of: Of,
        /// Run `ssh`, with the words that follow as the command on the server
        #[arg(long)]
        exec: bool,
        /// The command and its arguments, after `--`
        #[arg(last = true, requires = "exec", value_name = "WORDS")]
        words: Vec<OsString>,
    },
}

/// Whose servers.
#[derive(Debug, Args)]
struct At {
    /// The provider; not needed when there is only one
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    #[command(flatten)]
    plugin: PluginArg,
}

/// Which server.
#[derive(Debug, Args)]
struct Of {
    /// Id of the server, or its name
    server: String,
    #[command(flatten)]
    at: At,
}

pub(super) const NOUN: Noun = noun!("server", "Servers that providers create", Verb, run);

async fn run(cx: &Context<'_>, _: &str, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Create { hostname, at, plan, zone, os, config, check, wait } => {
            let mut record = config.read()?.unwrap_or_default();
            for (name, given) in [("hostname", Some(hostname)), ("plan", plan), ("zone", zone), ("os", os)] {
                let Some(given) = given else { continue };
                // What is said twice must be the same: which of them was meant?
                match record.insert(name.to_owned(), given.as_str().into()) {
                    Some(other) if other != given.as_str() => {
                        return Err(Failure::usage(format!(
                            "the {name} is {given} on the command line and {other} in the configuration"
                        )));
                    }
                    _ => {}
                }
            }
            let plugin = at.plugin(cx).await?;
            let call = Call::new(Provider, &plugin, "create-server").with("config", Value::Object(record));
            typed::show(cx, call.check(&check).wait(&wait), &[]).await
        }
        Verb::List { at } if at.provider.is_none() && at.plugin.plugin.is_none() => all::list(cx).await,
        Verb::List { at } => at.show(cx, "list-servers", SERVERS).await,
        Verb::Plans { at } => at.show(cx, "get-plans", PLANS).await,
        Verb::Pricing { at } => at.show(cx, "get-pricing", PRICES).await,
        Verb::Zones { at } => at.show(cx, "get-zones", ZONES).await,
        Verb::Delete { of, check } => of.show(cx, "delete-server", &check).await,
        Verb::Start { of, check } => of.show(cx, "start-server", &check).await,
        Verb::Stop { of, check } => of.show(cx, "stop-server", &check).await,
        Verb::Reboot { of, check } => of.show(cx, "reboot-server", &check).await,
        Verb::Info { of } => of.show(cx, "get-server-info", &CheckArg { check: false }).await,
        Verb::Ssh { of, exec, words } => {
            let (plugin, id) = of.find(cx).await?;
            let call = Call::new(Provider, &plugin, "get-ssh-access").with("server_id", id);
            if !exec {
                return typed::show(cx, call, &[]).await;
            }
            match call.run(cx).await? {
                Some(access) => Err(ssh::become_ssh(cx, &access, &words)),
                None => Ok(()),
            }
        }
    }
}

impl At {
    async fn plugin(&self, cx: &Context<'_>) -> Result<String, Failure> {
        typed::plugin(cx, Provider, self.provider.as_deref(), &self.plugin).await
    }

    async fn show(
        &self,
        cx: &Context<'_>,
        operation: &'static str,
        columns: &[(&str, &str)],
    ) -> Result<(), Failure> {
        let plugin = self.plugin(cx).await?;
        typed::show(cx, Call::new(Provider, &plugin, operation), columns).await
    }
}

impl Of {
    /// The plugin and the server's id. A name that is no id is looked for among the servers.
    async fn find(&self, cx: &Context<'_>) -> Result<(String, String), Failure> {
        let plugin = self.at.plugin(cx).await?;
        let listed =
            cx.client.run_action("plugins", &plugin, "list-servers", None, &Default::default()).await;
        // A provider that cannot list may still know the id.
        let id = match listed.as_ref().ok().and_then(Value::as_array) {
            Some(servers) => id_of(servers, &self.server)?,
            None => self.server.clone(),
        };
        Ok((plugin, id))
    }

    async fn show(&self, cx: &Context<'_>, operation: &'static str, check: &CheckArg) -> Result<(), Failure> {
        let (plugin, id) = self.find(cx).await?;
        typed::show(cx, Call::new(Provider, &plugin, operation).with("server_id", id).check(check), &[]).await
    }
}

/// The id of the server that is called so. One that is not listed may be new: the provider is asked all the same.
fn id_of(servers: &[Value], called: &str) -> Result<String, Failure> {
    if servers.iter().any(|server| server["server_id"] == called) {
        return Ok(called.to_owned());
    }
    let named = servers.iter().filter(|server| server["hostname"] == called);
    let ids: Vec<&str> = named.filter_map(|server| server["server_id"].as_str()).collect();
    match ids[..] {
        [] => Ok(called.to_owned()),
        [id] => Ok(id.to_owned()),
        _ => Err(Failure::usage(format!("there are several servers {called}"))
            .hint(format!("name one by its id: {}", ids.join(", ")))),
    }
}

#[cfg(test)]
mod tests {
    use super::id_of;
    use serde_json::json;

    #[test]
    fn a_server_is_meant_by_id_or_name() {
        let servers = [
            json!({"server_id": "1", "hostname": "a"}),
            json!({"server_id": "2", "hostname": "b"}),
            json!({"server_id": "3", "hostname": "b"}),
            json!({"server_id": "a", "hostname": "c"}),
        ];
        assert_eq!(id_of(&servers, "1").unwrap(), "1");
        assert_eq!(id_of(&servers, "c").unwrap(), "a");
        // An id goes before a name.
        assert_eq!(id_of(&servers, "a").unwrap(), "a");
        assert_eq!(id_of(&servers, "new").unwrap(), "new");
        assert!(id_of(&servers, "b").unwrap_err().hints[0].contains("2, 3"));
    }
}
