//! What jobs have alone: logs, rendered actions, and purging.

use crate::commands::{Context, actions, objects};
use crate::grammar::PluginFlag;
use crate::noun::{Noun, noun};
use crate::{Failure, input};
use clap::Subcommand;
use serde_json::Value;
use std::io::Cursor;

/// Verbs of jobs alone.
#[derive(Debug, Subcommand)]
enum Verb {
    /// What a job is to do on its machine: the rendered templates of its task
    Actions {
        /// Key of the job
        id: String,
        /// For this operating system only
        #[arg(long)]
        os: Option<String>,
    },
    /// Actions of plugins that are possible on a job now
    #[command(name = "plugin_actions")]
    PluginActions {
        /// Key of the job
        id: String,
        /// Which plugin.
        #[command(flatten)]
        plugin: PluginFlag,
    },
    /// Print the log of a job, or add to it
    Log {
        /// Key of the job
        id: String,
        /// Text to add, - for standard input, @FILE for a file
        text: Option<String>,
    },
    /// Delete all jobs that pass filters
    Purge {
        /// INDEX=VALUE or INDEX=FN(ARGS), as `list` takes them; without one, the jobs that the daemon may forget
        filters: Vec<String>,
    },
}

pub(super) const NOUN: Noun = noun!("jobs", "", Verb, run);

async fn run(cx: &Context<'_>, _: &str, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Actions { id, os } => {
            let mut path = drp_client::path(&["jobs", &id, "actions"], &drp_client::Query::new())?;
            if let Some(os) = os {
                path = drp_client::path(&["jobs", &id, "actions"], &drp_client::Query::new().with("os", os))?;
            }
            let found = cx.client.raw("GET", &path, None).await;
            let found = objects::known(cx, "jobs", &id, found).await?;
            let columns = [("Name", "/Name"), ("Path", "/Path")];
            cx.printer.list(found.as_array().map(Vec::as_slice).unwrap_or_default(), &columns)
        }
        Verb::PluginActions { id, plugin } => actions::list(cx, "jobs", &id, &plugin).await,
        Verb::Log { id, text: None } => print_log(cx, &id).await,
        Verb::Log { id, text: Some(text) } => {
            let text = input::text(&text)?;
            if cx.dry("PUT", &format!("jobs/{id}/log"), &Value::String(text.clone()))? {
                return Ok(());
            }
            let path = drp_client::path(&["jobs", &id, "log"], &drp_client::Query::new())?;
            let sent = cx.client.put_stream(&path, Cursor::new(text.into_bytes())).await;
            objects::known(cx, "jobs", &id, sent).await
        }
        Verb::Purge { filters } => {
            let path = drp_client::path(&["jobs"], &objects::filters(&filters)?)?;
            if cx.dry("DELETE", path.trim_start_matches("/api/v3/"), &Value::Null)? {
                return Ok(());
            }
            cx.printer.value(&cx.client.raw("DELETE", &path, None).await?)
        }
    }
}

/// The log as it is.
pub(super) async fn print_log(cx: &Context<'_>, id: &str) -> Result<(), Failure> {
    let path = drp_client::path(&["jobs", id, "log"], &drp_client::Query::new())?;
    let log = objects::known(cx, "jobs", id, cx.client.download(&path).await).await?;
    log.write_to(&mut tokio::io::stdout()).await?;
    Ok(())
}
