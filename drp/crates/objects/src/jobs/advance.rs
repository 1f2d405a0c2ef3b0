//! POST `/jobs`: from one entry of a machine's task list to the next.

use super::{Next, never, now, over};
use crate::{
    Fetched, Objects, Principal, Result,
    fault::Fault,
    lifecycle::{text, texts},
    memory::Row,
    objects::Inner,
    state::State,
    write::{Turn, Verb, set},
};
use drp_protocol::{Claim, JsonMap};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};

/// How many entries one request may pass: error handlers that lead to each other end here.
const MAX_STEPS: usize = 10_000;

/// What the entry of a task list asks for.
enum Entry<'a> {
    Stage(&'a str),
    BootEnv(&'a str),
    Context(&'a str),
    /// `action:[plugin:]command`.
    Action(Option<&'a str>, &'a str),
    /// A task, or `chroot:X`: for the agent.
    Agent,
}

fn entry(text: &str) -> Entry<'_> {
    match text.split_once(':') {
        Some(("stage", name)) => Entry::Stage(name),
        Some(("bootenv", name)) => Entry::BootEnv(name),
        Some(("context", name)) => Entry::Context(name),
        Some(("action", rest)) => match rest.split_once(':') {
            Some((plugin, command)) => Entry::Action(Some(plugin).filter(|p| !p.is_empty()), command),
            None => Entry::Action(None, rest),
        },
        _ => Entry::Agent,
    }
}

/// A machine on its way to its next job.
struct Walk<'a> {
    inner: &'a Inner,
    row: Arc<Row>,
    machine: JsonMap,
    /// The entry that comes next.
    at: usize,
}

/// Where a walk ended.
enum End {
    /// At an entry that makes a job.
    Job,
    /// Nothing to do for who asked.
    Nothing,
}

impl Objects {
    /// Finds what comes next on a machine, and stores it: stages, boot environments and contexts are passed, the next
    /// task or action becomes a job. A new job gets `uuid` unless that is empty; `context` is the context the caller runs in, when it says so.
    ///
    /// # Errors
    /// 404; 409 when the machine is not runnable or an entry names something that is gone.
    pub async fn next_job(&self, who: &Principal, machine: &str, uuid: &str, context: &str) -> Result<Next> {
        let (table, row) = self.found("machines", machine, "POST")?;
        let turn = self.inner.turn("machines", &row.key).await;
        let row = table.get(&row.key).ok_or_else(|| Fault::not_found("POST", "machines", machine))?;
        Ok(self.inner.next_job(who, row, uuid, context, turn).await?)
    }
}

/// The claims that the jobs of a task have beyond those of every agent: `ExtraClaims`, and those of `ExtraRoles`.
fn extra_claims(state: &State, task: &str) -> Vec<Claim> {
    let Some(task) = state.row("tasks", task).map(|row| row.map()) else { return Vec::new() };
    let claims = |object: &JsonMap, field: &str| -> Vec<Claim> {
        object.get(field).and_then(|c| serde_json::from_value(c.clone()).ok()).unwrap_or_default()
    };
    let mut all = claims(&task, "ExtraClaims");
    for role in texts(&task, "ExtraRoles") {
        if let Some(role) = state.row("roles", &role) {
            all.extend(claims(&role.map(), "Claims"));
        }
    }
    all
}

impl Inner {
    async fn next_job(
        &self,
        who: &Principal,
        row: Arc<Row>,
        uuid: &str,
        context: &str,
        turn: Turn,
    ) -> Result<Next, Fault> {
        let machine = row.map();
        let runnable = |field: &str| machine.get(field).and_then(Value::as_bool).unwrap_or(false);
        if !runnable("Runnable") || !runnable("Available") {
            return Err(conflict(&row.key, format!("Machine {} is not runnable", row.key)));
        }
        if !context.is_empty() && context != text(&machine, "Context") {
            return Ok(Next::Nothing);
        }
        let current = machine.get("CurrentTask").and_then(Value::as_i64).unwrap_or(-1);
        let after = usize::try_from(current.saturating_add(1)).unwrap_or(0);
        let last = self.state.row("jobs", text(&machine, "CurrentJob"));
        let job = last.as_ref().map(|row| row.map()).unwrap_or_default();
        let fits = job.get("CurrentIndex").and_then(Value::as_i64) == Some(current);
        let mut at = after;
        match text(&job, "State") {
            "created" | "running" | "incomplete" if fits => {
                return Ok(last.map_or(Next::Nothing, |row| Next::Current(row.fetched())));
            }
            "failed" if fits => {
                if let Some(pause) = self.pause(&row, &machine, &job)? {
                    return Ok(Next::Pause(pause));
                }
                at = after.saturating_sub(1);
            }
            _ => {}
        }
        let mut walk = Walk { inner: self, row: Arc::clone(&row), machine, at };
        match walk.go()? {
            End::Nothing => {
                if walk.machine != row.map() {
                    let write =
                        self.write("machines", &row.key.clone(), walk.machine, Some(row), Verb::Save)?;
                    self.commit_all(who, vec![write], turn).await?;
                }
                Ok(Next::Nothing)
            }
            End::Job => self.start(who, walk, uuid, last, turn).await,
        }
    }

    /// Stores a new job with the machine that has it and the job that was before it.
    async fn start(
        &self,
        who: &Principal,
        walk: Walk<'_>,
        uuid: &str,
        last: Option<Arc<Row>>,
        turn: Turn,
    ) -> Result<Next, Fault> {
        let Walk { row, mut machine, at, .. } = walk;
        let task = texts(&machine, "Tasks").get(at).cloned().unwrap_or_default();
        let action = match entry(&task) {
            Entry::Action(plugin, command) => Some((plugin.map(str::to_owned), command.to_owned())),
            _ => None,
        };
        let uuid = match uuid {
            "" => uuid::Builder::from_random_bytes(crate::secure::random()?).into_uuid().to_string(),
            given => given.to_ascii_lowercase(),
        };
        if self.state.exists("jobs", &uuid) {
            return Err(Fault::Exists { model: "jobs".to_owned(), key: uuid });
        }
        let mut job = json!({
            "Uuid": uuid, "Machine": &*row.key, "Task": task, "StartTime": now(), "Current": true,
            "State": if action.is_some() { "running" } else { "created" },
            "Previous": last.as_ref().map(|row| row.key.to_string()).unwrap_or_default(),
            "CurrentIndex": at, "NextIndex": at + 1,
        });
        for field in ["Stage", "Workflow", "BootEnv", "Context"] {
            job[field] = text(&machine, field).into();
        }
        let claims = extra_claims(&self.state, &task);
        if !claims.is_empty() {
            job["ExtraClaims"] = serde_json::to_value(&claims).unwrap_or_default();
        }
        let table = self.state.known_table("jobs")?;
        let Value::Object(job) = job else { return Ok(Next::Nothing) };
        let job = (table.kind.normalise)("jobs", job).map_err(|text| conflict(&row.key, text))?;
        set(&mut machine, "CurrentJob", uuid.as_str().into());
        set(&mut machine, "CurrentTask", json!(at));
        set(&mut machine, "WorkflowComplete", false.into());
        let mut writes = vec![self.write("jobs", &uuid, job, None, Verb::Create)?];
        if let Some(last) = last {
            let mut before = last.map();
            set(&mut before, "Current", false.into());
            if !over(text(&before, "State")) {
                // The task list changed under it.
                set(&mut before, "State", "failed".into());
                set(&mut before, "ExitState", "failed".into());
                if never(text(&before, "EndTime")) {
                    set(&mut before, "EndTime", now());
                }
            }
            writes.push(self.write("jobs", &last.key.clone(), before, Some(last), Verb::Save)?);
        }
        writes.push(self.write("machines", &row.key.clone(), machine, Some(row), Verb::Save)?);
        let written = self.commit_all(who, writes, turn).await?;
        let job: Fetched = match written.into_iter().next() {
            Some(job) => job,
            None => return Err(Fault::not_found("POST", "jobs", &uuid)),
        };
        Ok(match action {
            Some((plugin, command)) => Next::Action { job, plugin, command },
            None => Next::Created(job),
        })
    }
}

impl Walk<'_> {
    fn go(&mut self) -> Result<End, Fault> {
        for _ in 0..MAX_STEPS {
            let tasks = texts(&self.machine, "Tasks");
            let Some(task) = tasks.get(self.at) else {
                if self.inner.recover(&self.row, &mut self.machine)? {
                    let current = self.machine.get("CurrentTask").and_then(Value::as_i64).unwrap_or(-1);
                    self.at = usize::try_from(current + 1).unwrap_or(0);
                    continue;
                }
                set(&mut self.machine, "CurrentTask", json!(tasks.len()));
                set(&mut self.machine, "WorkflowComplete", true.into());
                set(&mut self.machine, "RetryTaskAttempt", 0.into());
                crate::pools::arrive(&mut self.machine);
                return Ok(End::Nothing);
            };
            let moved = match entry(task) {
                Entry::Stage(name) => {
                    self.moves("Stage", "stages", name)?;
                    false
                }
                Entry::BootEnv(name) => self.moves("BootEnv", "bootenvs", name)?,
                Entry::Context(name) => self.moves("Context", "contexts", name)?,
                Entry::Action(..) => return Ok(End::Job),
                Entry::Agent => {
                    if self.prerequisites(&tasks, task)? {
                        continue;
                    }
                    return Ok(End::Job);
                }
            };
            set(&mut self.machine, "CurrentTask", json!(self.at));
            self.at += 1;
            if moved {
                // The agent that asks runs in the old one.
                return Ok(End::Nothing);
            }
        }
        let text = format!("Machine {} passed {MAX_STEPS} entries without a task", self.row.key);
        Err(conflict(&self.row.key, text))
    }

    /// Sets a field to what an entry names; whether that changed it.
    fn moves(&mut self, field: &str, prefix: &str, name: &str) -> Result<bool, Fault> {
        if !name.is_empty() && !self.inner.state.exists(prefix, name) {
            let text = format!("{field} {name} (at {}) does not exist", self.at);
            return Err(conflict(&self.row.key, text));
        }
        let changed = text(&self.machine, field) != name;
        set(&mut self.machine, field, name.into());
        Ok(changed)
    }

    /// Puts what a task needs done before it into the list, unless it was done since the boot environment changed.
    fn prerequisites(&mut self, tasks: &[String], task: &str) -> Result<bool, Fault> {
        let begun = tasks.get(..self.at).unwrap_or_default();
        let since = begun.iter().rposition(|t| t.starts_with("bootenv:")).unwrap_or(0);
        let mut done: BTreeSet<&str> =
            begun.get(since..).unwrap_or_default().iter().map(String::as_str).collect();
        done.insert(task);
        let mut wanted = Vec::new();
        let mut met: BTreeSet<String> = done.into_iter().map(str::to_owned).collect();
        needed(&self.inner.state, task, &mut met, &mut wanted);
        if let Some(missing) = wanted.iter().find(|name| !self.inner.state.exists("tasks", name)) {
            return Err(conflict(
                &self.row.key,
                format!("Task {missing}, which {task} needs, does not exist"),
            ));
        }
        if wanted.is_empty() {
            return Ok(false);
        }
        let mut tasks = tasks.to_vec();
        tasks.splice(self.at..self.at, wanted);
        set(&mut self.machine, "Tasks", tasks.into());
        Ok(true)
    }
}

/// The prerequisites of a task that were not met, deepest first.
fn needed(state: &State, task: &str, met: &mut BTreeSet<String>, wanted: &mut Vec<String>) {
    let Some(row) = state.row("tasks", task) else { return };
    for name in texts(&row.map(), "Prerequisites") {
        if met.insert(name.clone()) {
            needed(state, &name, met, wanted);
            wanted.push(name);
        }
    }
}

fn conflict(machine: &str, text: String) -> Fault {
    Fault::Refused {
        kind: "Conflict",
        model: "machines".to_owned(),
        key: machine.to_owned(),
        messages: vec![text],
        code: 409,
    }
}
