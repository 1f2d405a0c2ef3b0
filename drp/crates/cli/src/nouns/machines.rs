//! What machines have alone: profiles, tasks, workflow, jobs, tokens.

use super::jobs;
use crate::commands::{Context, edit, objects};
use crate::noun::{Noun, noun};
use crate::{Exit, Failure, fields};
use clap::Subcommand;
use drp_client::Query;
use serde_json::{Value, json};

/// Verbs of machines alone.
#[derive(Debug, Subcommand)]
#[command(rename_all = "lower")]
enum Verb {
    /// Add profiles to a machine
    AddProfile {
        /// Key, or INDEX:VALUE such as Name:m1
        id: String,
        /// Names of the profiles
        #[arg(required = true)]
        profiles: Vec<String>,
    },
    /// Remove profiles from a machine
    RemoveProfile {
        /// Key, or INDEX:VALUE such as Name:m1
        id: String,
        /// Names of the profiles
        #[arg(required = true)]
        profiles: Vec<String>,
    },
    /// Add tasks at the end of a machine's task list
    AddTask {
        /// Key, or INDEX:VALUE such as Name:m1
        id: String,
        /// Tasks, also stage:X, bootenv:X, context:X and action:X
        #[arg(required = true)]
        tasks: Vec<String>,
    },
    /// Insert a task behind the one that runs
    InsertTask {
        /// Key, or INDEX:VALUE such as Name:m1
        id: String,
        /// The task
        task: String,
        /// So many places further behind
        #[arg(default_value_t = 0)]
        offset: usize,
    },
    /// Remove tasks from a machine's task list
    RemoveTask {
        /// Key, or INDEX:VALUE such as Name:m1
        id: String,
        /// Tasks as they stand in the list
        #[arg(required = true)]
        tasks: Vec<String>,
    },
    /// Put a machine in a stage
    Stage {
        /// Key, or INDEX:VALUE such as Name:m1
        id: String,
        /// Name of the stage
        stage: String,
    },
    /// Start a workflow on a machine; an empty name ends the one it has
    Workflow {
        /// Key, or INDEX:VALUE such as Name:m1
        id: String,
        /// Name of the workflow
        workflow: String,
    },
    /// Give a machine a boot environment
    BootEnv {
        /// Key, or INDEX:VALUE such as Name:m1
        id: String,
        /// Name of the boot environment
        bootenv: String,
    },
    /// Let a machine run its tasks
    Run {
        /// Key, or INDEX:VALUE such as Name:m1
        id: String,
    },
    /// Keep a machine from running further tasks
    Pause {
        /// Key, or INDEX:VALUE such as Name:m1
        id: String,
    },
    /// The jobs of a machine
    #[command(subcommand)]
    Jobs(JobsVerb),
    /// Print the log of a machine's current job
    CurrentLog {
        /// Key, or INDEX:VALUE such as Name:m1
        id: String,
    },
    /// Delete all jobs of a machine
    DeleteJobs {
        /// Key, or INDEX:VALUE such as Name:m1
        id: String,
    },
    /// Make a token with which a machine may do what a machine does
    Token {
        /// Key, or INDEX:VALUE such as Name:m1
        id: String,
        /// How long it lives: a number with a unit such as 12h or 3y, or never
        #[arg(long)]
        ttl: Option<String>,
        /// Print the token alone
        #[arg(long)]
        bare: bool,
    },
    /// Give a machine back to its pool
    #[command(alias = "releaseToPool")]
    ReleaseToPool {
        /// Key, or INDEX:VALUE such as Name:m1
        id: String,
    },
    /// Which machine fits this description of hardware
    Whoami {
        /// The description: JSON or YAML, a file that holds it, - for standard input
        hardware: String,
    },
}

/// `drp machines jobs …`.
#[derive(Debug, Subcommand)]
enum JobsVerb {
    /// Make the job of a machine's next task, or give the one it has
    Create {
        /// Key of the machine, or INDEX:VALUE such as Name:m1
        id: String,
    },
    /// Show the current job of a machine
    Current {
        /// Key of the machine, or INDEX:VALUE such as Name:m1
        id: String,
    },
    /// List the jobs of a machine
    List {
        /// Key of the machine, or INDEX:VALUE such as Name:m1
        id: String,
    },
    /// Set the state of a machine's current job
    State {
        /// Key of the machine, or INDEX:VALUE such as Name:m1
        id: String,
        /// The state
        #[arg(value_parser = ["created", "running", "incomplete", "failed", "finished"])]
        state: String,
    },
}

pub(super) const NOUN: Noun = noun!("machines", "", Verb, run);

async fn run(cx: &Context<'_>, _: &str, verb: Verb) -> Result<(), Failure> {
    const PREFIX: &str = "machines";
    match verb {
        Verb::AddProfile { id, profiles } => edit::add(cx, PREFIX, &id, "Profiles", &profiles, None).await,
        Verb::RemoveProfile { id, profiles } => edit::remove(cx, PREFIX, &id, "Profiles", &profiles).await,
        Verb::AddTask { id, tasks } => edit::add(cx, PREFIX, &id, "Tasks", &tasks, None).await,
        Verb::InsertTask { id, task, offset } => {
            let machine = objects::fetch(cx, PREFIX, &id, &Query::new()).await?;
            let current = machine["CurrentTask"].as_i64().unwrap_or(-1);
            let next = usize::try_from(current + 1).unwrap_or_default();
            let place = if machine["Tasks"].as_array().is_some_and(Vec::is_empty) { 0 } else { next };
            edit::add(cx, PREFIX, &id, "Tasks", &[task], Some(place + offset)).await
        }
        Verb::RemoveTask { id, tasks } => edit::remove(cx, PREFIX, &id, "Tasks", &tasks).await,
        Verb::Stage { id, stage } => edit::set(cx, PREFIX, &id, &json!({ "Stage": stage })).await,
        Verb::Workflow { id, workflow } => edit::set(cx, PREFIX, &id, &json!({ "Workflow": workflow })).await,
        Verb::BootEnv { id, bootenv } => edit::set(cx, PREFIX, &id, &json!({ "BootEnv": bootenv })).await,
        Verb::Run { id } => edit::set(cx, PREFIX, &id, &json!({ "Runnable": true })).await,
        Verb::Pause { id } => edit::set(cx, PREFIX, &id, &json!({ "Runnable": false })).await,
        Verb::Jobs(verb) => of_machine(cx, verb).await,
        Verb::CurrentLog { id } => jobs::print_log(cx, &current(cx, &id).await?).await,
        Verb::DeleteJobs { id } => delete_jobs(cx, &id).await,
        Verb::Token { id, ttl, bare } => token(cx, &id, ttl, bare).await,
        Verb::ReleaseToPool { id } => {
            let path = format!("machines/{id}/releaseToPool");
            objects::fetch(cx, PREFIX, &id, &Query::new()).await?;
            if cx.dry("POST", &path, &Value::Null)? {
                return Ok(());
            }
            cx.printer.value(&cx.send("POST", &path, Some(&json!({}))).await?)
        }
        Verb::Whoami { hardware } => {
            let hardware = Value::Object(crate::input::map(&hardware)?);
            cx.printer.value(&cx.send("POST", "whoami", Some(&hardware)).await?)
        }
    }
}

/// The key of a machine's current job.
async fn current(cx: &Context<'_>, id: &str) -> Result<String, Failure> {
    let machine = objects::fetch(cx, "machines", id, &Query::new()).await?;
    match machine["CurrentJob"].as_str().filter(|job| !job.is_empty()) {
        Some(job) => Ok(job.to_owned()),
        None => Err(Failure::new(Exit::NotFound, format!("machines/{id} has no current job"))),
    }
}

async fn of_machine(cx: &Context<'_>, verb: JobsVerb) -> Result<(), Failure> {
    match verb {
        JobsVerb::Create { id } => {
            let machine = objects::fetch(cx, "machines", &id, &Query::new()).await?;
            let body = json!({ "Machine": machine["Uuid"] });
            if cx.dry("POST", "jobs", &body)? {
                return Ok(());
            }
            let job = cx.send("POST", "jobs", Some(&body)).await?;
            if job.is_null() {
                cx.printer.remark("there is nothing to do");
                return Ok(());
            }
            cx.printer.object(&job)
        }
        JobsVerb::Current { id } => {
            let job = current(cx, &id).await?;
            cx.printer.object(&objects::fetch(cx, "jobs", &job, &Query::new()).await?)
        }
        JobsVerb::List { id } => {
            let found = all(cx, &id).await?;
            cx.printer.list(&found, crate::types::columns("jobs"))
        }
        JobsVerb::State { id, state } => {
            let job = current(cx, &id).await?;
            edit::set(cx, "jobs", &job, &json!({ "State": state })).await
        }
    }
}

async fn all(cx: &Context<'_>, id: &str) -> Result<Vec<Value>, Failure> {
    let machine = objects::fetch(cx, "machines", id, &Query::new()).await?;
    let key = machine["Uuid"].as_str().unwrap_or_default();
    Ok(cx.client.list::<Value>("jobs", &Query::new().eq("Machine", key)).await?.items)
}

async fn delete_jobs(cx: &Context<'_>, id: &str) -> Result<(), Failure> {
    let (mut done, mut failed) = (0_u64, 0_u64);
    for job in all(cx, id).await?.iter().filter_map(|job| fields::key("jobs", job)) {
        if cx.dry("DELETE", &format!("jobs/{job}"), &Value::Null)? {
            continue;
        }
        match cx.client.delete("jobs", job).await {
            Ok(_) => done += 1,
            Err(error) => {
                cx.printer.failure(&error.into());
                failed += 1;
            }
        }
    }
    if cx.globals.dry_run {
        return Ok(());
    }
    cx.printer.value(&json!({ "Deleted": done }))?;
    if failed > 0 {
        return Err(Failure::new(Exit::Partial, format!("{failed} jobs could not be deleted")));
    }
    Ok(())
}

async fn token(cx: &Context<'_>, id: &str, ttl: Option<String>, bare: bool) -> Result<(), Failure> {
    let token = objects::known(cx, "machines", id, cx.client.machine_token(id, ttl.as_deref()).await).await?;
    if bare || cx.printer.for_eyes() {
        return cx.printer.text(&token.token);
    }
    cx.printer.value(&json!(token))
}
