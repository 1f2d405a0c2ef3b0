//! Jobs: the runs of a machine's tasks (wire-protocol §2.4, §3.8, §3.9).
//!
//! A job, the job before it and the machine change in one transaction and under the machine's turn, so whatever kills
//! the daemon leaves them telling one story.

mod advance;
mod failing;
mod purge;

use crate::{
    Fetched, Objects, Principal, Result,
    fault::Fault,
    index::IndexValue,
    lifecycle::text,
    memory::Row,
    objects::Inner,
    state::State,
    write::{Turn, Verb, Write, set},
};
use drp_protocol::{JsonMap, Time};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// What comes next on a machine (POST `/jobs`).
#[derive(Debug, Clone)]
pub enum Next {
    /// A new job for the machine's agent.
    Created(Fetched),
    /// The job that was given out and is not done.
    Current(Fetched),
    /// A new job that the daemon does itself: run this action, then [`Objects::finish_job`].
    Action {
        /// The job, in state `running`.
        job: Fetched,
        /// The plugin instance that shall do it; any when none.
        plugin: Option<String>,
        /// The command.
        command: String,
    },
    /// A failed task is tried again after this pause.
    Pause(Duration),
    /// Nothing to do now: all is done, or the boot environment or the context changed under the agent.
    Nothing,
}

/// How a job of the daemon's own ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// State `finished`, exit state `complete`.
    Finished,
    /// State and exit state `failed`.
    Failed,
}

/// The machine of a job.
pub(crate) fn machine_of(state: &State, job: &str) -> Option<String> {
    let machine = text(&state.row("jobs", job)?.map(), "Machine").to_owned();
    (!machine.is_empty()).then_some(machine)
}

/// Why a job cannot be deleted now: its machine will ask for it again.
pub(crate) fn holds(state: &State, job: &JsonMap) -> Option<String> {
    let (uuid, how) = (text(job, "Uuid"), text(job, "State"));
    let machine = state.row("machines", text(job, "Machine"))?.map();
    let held = how != "finished" && text(&machine, "CurrentJob") == uuid;
    held.then(|| format!("Jobs {uuid} is not in a deletable state: {how}"))
}

/// Fields that say what a job is. It keeps them.
const FIXED: [&str; 9] =
    ["Machine", "Previous", "Task", "Stage", "Workflow", "BootEnv", "Current", "CurrentIndex", "NextIndex"];

fn over(state: &str) -> bool {
    matches!(state, "finished" | "failed")
}

fn now() -> Value {
    Time::now().as_str().into()
}

/// Whether a time was never set.
fn never(time: &str) -> bool {
    time.is_empty() || time.starts_with("0001-")
}

impl Objects {
    /// The machine that a job runs on: claims on jobs are about it (wire-protocol §2.4).
    #[must_use]
    pub fn job_machine(&self, job: &str) -> Option<String> {
        let key = self.resolve("jobs", job)?;
        machine_of(&self.inner.state, &key)
    }

    /// Ends a job that the daemon did itself, with what that means for its machine. A job that is over stays as it is.
    ///
    /// # Errors
    /// 404 when it is gone.
    pub async fn finish_job(&self, who: &Principal, job: &str, outcome: Outcome) -> Result<Fetched> {
        self.save(who, "jobs", job, move |object| {
            if over(text(object, "State")) {
                return;
            }
            let (state, exit) = match outcome {
                Outcome::Finished => ("finished", "complete"),
                Outcome::Failed => ("failed", "failed"),
            };
            set(object, "State", state.into());
            set(object, "ExitState", exit.into());
        })
        .await
    }

    /// Fails the actions that were running when the daemon died: nobody knows what became of them, and they may not be
    /// run twice. Gives the keys of their jobs.
    ///
    /// # Errors
    /// The store's.
    pub async fn fail_orphans(&self) -> Result<Vec<String>> {
        let mut failed = Vec::new();
        let Some(table) = self.inner.state.table("jobs") else { return Ok(failed) };
        let state = table.kind.index("State");
        for row in table.snapshot() {
            let index = state.and_then(|at| row.index.get(at));
            if !matches!(index, Some(IndexValue::Text(state)) if **state == *"running") {
                continue;
            }
            if text(&row.map(), "Task").starts_with("action:") {
                self.finish_job(&Principal::system(), &row.key, Outcome::Failed).await?;
                failed.push(row.key.to_string());
            }
        }
        Ok(failed)
    }
}

impl Inner {
    /// Stores a changed job, and what it means for its machine, in one transaction.
    pub(crate) async fn change_job(
        &self,
        who: &Principal,
        old: Arc<Row>,
        mut job: JsonMap,
        verb: Verb,
        turn: Turn,
    ) -> Result<Fetched, Fault> {
        let before = old.map();
        judge_change(&old.key, &before, &mut job, verb)?;
        let mut writes = Vec::with_capacity(2);
        writes.push(self.write("jobs", &old.key, job.clone(), Some(Arc::clone(&old)), verb)?);
        if let Some(write) = self.consequence(&before, &job)? {
            writes.push(write);
        }
        let written = self.commit_all(who, writes, turn).await?;
        written.into_iter().next().ok_or_else(|| Fault::not_found("GET", "jobs", &old.key))
    }

    /// An examined object for a transaction.
    fn write(
        &self,
        prefix: &str,
        key: &str,
        object: JsonMap,
        old: Option<Arc<Row>>,
        verb: Verb,
    ) -> Result<Write, Fault> {
        let table = self.state.known_table(prefix)?;
        let prepared = self.prepare(&table, key, object, old.as_deref(), verb)?;
        Ok(Write { table, prepared, old, verb })
    }

    /// What a job's new state does to its machine; nothing when the machine has gone on to something else.
    fn consequence(&self, before: &JsonMap, job: &JsonMap) -> Result<Option<Write>, Fault> {
        let how = text(job, "State");
        if how == text(before, "State") || !over(how) {
            return Ok(None);
        }
        let Some(row) = self.state.row("machines", text(job, "Machine")) else { return Ok(None) };
        let mut machine = row.map();
        let index = |map: &JsonMap, field: &str| map.get(field).and_then(Value::as_i64).unwrap_or(-1);
        if text(&machine, "CurrentJob") != text(job, "Uuid")
            || index(&machine, "CurrentTask") != index(job, "CurrentIndex")
        {
            return Ok(None);
        }
        if how == "failed" {
            self.failed(&row, &mut machine, text(job, "Task"))?;
        } else {
            set(&mut machine, "RetryTaskAttempt", 0.into());
            if text(job, "ExitState") == "stop" {
                set(&mut machine, "Runnable", false.into());
            }
        }
        if machine == row.map() {
            return Ok(None);
        }
        self.write("machines", &row.key.clone(), machine, Some(row), Verb::Save).map(Some)
    }
}

/// The rules of a change to a job, and its times.
fn judge_change(key: &str, before: &JsonMap, job: &mut JsonMap, verb: Verb) -> Result<(), Fault> {
    let mut wrong: Vec<String> = FIXED
        .into_iter()
        .filter(|field| verb != Verb::Save && before.get(*field) != job.get(*field))
        .map(|field| format!("{key}: {field} of a job cannot be changed"))
        .collect();
    let (from, to) = (text(before, "State").to_owned(), text(job, "State").to_owned());
    if from != to {
        if over(&from) || to == "created" {
            wrong.push(format!("{key}: State cannot go from {from} to {to}"));
        }
        if from == "created" {
            set(job, "StartTime", now());
        }
        if over(&to) {
            set(job, "EndTime", now());
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Fault::invalid("jobs", key, wrong)) }
}
