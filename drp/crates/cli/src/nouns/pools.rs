//! What pools have alone: machines that come, go, and are taken.

use crate::Failure;
use crate::commands::{Context, objects};
use crate::noun::{Noun, noun};
use clap::{Args, Subcommand};
use drp_client::Query;
use serde_json::{Map, Value, json};

/// Verbs of pools alone.
#[derive(Debug, Subcommand)]
enum Verb {
    /// The pools that machines are in
    Active,
    /// The machines of a pool by their state in it
    Status {
        /// Id of the pool
        id: String,
    },
    /// Move machines in, out and within a pool
    #[command(subcommand)]
    Manage(Step),
}

/// `drp pools manage …`.
#[derive(Debug, Subcommand)]
enum Step {
    /// Add machines to a pool
    Add(Order),
    /// Take machines out of a pool
    Remove(Order),
    /// Take machines of a pool into use
    Allocate(Order),
    /// Give machines in use back to their pool
    Release(Order),
}

/// Which machines, and how many.
#[derive(Debug, Args)]
struct Order {
    /// Id of the pool
    id: String,
    /// Which of the machines: INDEX=VALUE or INDEX=FN(ARGS), as `machines list` takes them
    filters: Vec<String>,
    /// These machines: keys or INDEX:VALUE, with commas between
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    machines: Vec<String>,
    /// All that fit
    #[arg(long)]
    all_machines: bool,
    /// So many
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Fail unless there are at least so many
    #[arg(long, value_name = "N")]
    minimum: Option<u64>,
    /// The pool to take them from
    #[arg(long, value_name = "ID")]
    source_pool: Option<String>,
    /// Workflow to start on them
    #[arg(long, value_name = "NAME")]
    new_workflow: Option<String>,
}

pub(super) const NOUN: Noun = noun!("pools", "", Verb, run);

async fn run(cx: &Context<'_>, prefix: &str, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Active => cx.printer.value(&cx.send("GET", "pools-active", None).await?),
        Verb::Status { id } => {
            objects::fetch(cx, prefix, &id, &Query::new()).await?;
            cx.printer.value(&cx.send("GET", &format!("pools/{id}/status"), None).await?)
        }
        Verb::Manage(step) => {
            let (word, order) = match step {
                Step::Add(order) => ("addMachines", order),
                Step::Remove(order) => ("removeMachines", order),
                Step::Allocate(order) => ("allocateMachines", order),
                Step::Release(order) => ("releaseMachines", order),
            };
            let body = body(cx, &order).await?;
            let path = format!("pools/{}/{word}", order.id);
            if cx.globals.dry_run {
                objects::fetch(cx, prefix, &order.id, &Query::new()).await?;
            }
            if cx.dry("POST", &path, &body)? {
                return Ok(());
            }
            cx.printer.value(&cx.send("POST", &path, Some(&body)).await?)
        }
    }
}

async fn body(cx: &Context<'_>, order: &Order) -> Result<Value, Failure> {
    let mut body = Map::new();
    let mut machines = Vec::new();
    for id in &order.machines {
        machines.push(objects::fetch(cx, "machines", id, &Query::new()).await?["Uuid"].clone());
    }
    let given = [
        ("pool/filter", !order.filters.is_empty(), json!(order.filters)),
        ("pool/machine-list", !machines.is_empty(), json!(machines)),
        ("pool/all-machines", order.all_machines, json!(true)),
        ("pool/count", order.count.is_some(), json!(order.count)),
        ("pool/minimum", order.minimum.is_some(), json!(order.minimum)),
        ("pool/source-pool", order.source_pool.is_some(), json!(order.source_pool)),
        ("pool/workflow", order.new_workflow.is_some(), json!(order.new_workflow)),
    ];
    body.extend(given.into_iter().filter(|(_, is, _)| *is).map(|(name, _, value)| (name.to_owned(), value)));
    Ok(Value::Object(body))
}
