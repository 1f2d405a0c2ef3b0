//! What a failed task does to its machine: another attempt, tasks that handle the error, or the end of the run.

use crate::{
    fault::Fault,
    lifecycle::{text, texts},
    lookup::Lookup,
    memory::Row,
    objects::Inner,
    write::set,
};
use drp_protocol::{JsonMap, Time};
use serde_json::{Value, json};
use std::time::Duration;

/// Error handlers within error handlers.
const MAX_STACK: usize = 10;
/// The longest pause between attempts, in seconds: whoever asks waits so long.
const MAX_PAUSE: u64 = 3600;

impl Inner {
    /// The pauses between attempts of a task, from the param `task-retry/<task>`: a list of seconds.
    pub(super) fn pauses(&self, machine: &Row, task: &str) -> Result<Vec<Duration>, Fault> {
        let name = format!("task-retry/{task}");
        let value = Lookup::new(&self.state).one("machines", machine, &name, true, true)?;
        let list = value.as_ref().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Ok(list.iter().filter_map(Value::as_u64).map(|s| Duration::from_secs(s.min(MAX_PAUSE))).collect())
    }

    /// Changes a machine whose task failed. The param `task-error/<task>` names tasks that run before the failed one is
    /// tried once more; without it, or when that did not help, the machine is not runnable.
    pub(super) fn failed(&self, row: &Row, machine: &mut JsonMap, task: &str) -> Result<(), Fault> {
        let attempts = machine.get("RetryTaskAttempt").and_then(Value::as_i64).unwrap_or(0).max(0);
        let pauses = i64::try_from(self.pauses(row, task)?.len()).unwrap_or(0);
        if attempts < pauses {
            set(machine, "RetryTaskAttempt", (attempts + 1).into());
            return Ok(());
        }
        let handlers =
            Lookup::new(&self.state).one("machines", row, &format!("task-error/{task}"), true, true)?;
        let handlers: Vec<&str> = handlers
            .as_ref()
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut stacks = stacks(machine);
        if handlers.is_empty() || attempts > pauses || stacks.len() >= MAX_STACK {
            set(machine, "Runnable", false.into());
            crate::pools::hold(machine);
            return Ok(());
        }
        stacks.push(json!({"CurrentTask": machine.get("CurrentTask"), "TaskList": texts(machine, "Tasks")}));
        set(machine, "TaskErrorStacks", stacks.into());
        set(machine, "Tasks", handlers.into());
        set(machine, "CurrentTask", json!(-1));
        set(machine, "RetryTaskAttempt", 0.into());
        Ok(())
    }

    /// Takes the task list back that an error handler replaced; false when there is none. The task that failed comes
    /// next, and its next failure is final.
    pub(super) fn recover(&self, row: &Row, machine: &mut JsonMap) -> Result<bool, Fault> {
        let mut stacks = stacks(machine);
        let Some(Value::Object(stack)) = stacks.pop() else { return Ok(false) };
        let at = stack.get("CurrentTask").and_then(Value::as_i64).unwrap_or(0);
        let tasks = texts(&stack, "TaskList");
        let failed = usize::try_from(at).ok().and_then(|at| tasks.get(at)).cloned().unwrap_or_default();
        let attempts = self.pauses(row, &failed)?.len() + 1;
        set(machine, "TaskErrorStacks", stacks.into());
        set(machine, "Tasks", tasks.into());
        set(machine, "CurrentTask", (at - 1).into());
        set(machine, "RetryTaskAttempt", json!(attempts));
        Ok(true)
    }

    /// How long the next attempt of a failed task waits still.
    pub(super) fn pause(
        &self,
        row: &Row,
        machine: &JsonMap,
        job: &JsonMap,
    ) -> Result<Option<Duration>, Fault> {
        let attempt = machine.get("RetryTaskAttempt").and_then(Value::as_u64).unwrap_or(0);
        let pauses = self.pauses(row, text(job, "Task"))?;
        let Some(pause) =
            usize::try_from(attempt).ok().and_then(|a| a.checked_sub(1)).and_then(|a| pauses.get(a))
        else {
            return Ok(None);
        };
        let end: Time = serde_json::from_value(text(job, "EndTime").into()).unwrap_or_default();
        let end = end.unix_nanos();
        let passed = Time::now().unix_nanos().saturating_sub(end);
        let passed = Duration::from_nanos(u64::try_from(passed.max(0)).unwrap_or(u64::MAX));
        Ok(pause.checked_sub(passed).filter(|left| !left.is_zero()))
    }
}

fn stacks(machine: &JsonMap) -> Vec<Value> {
    machine.get("TaskErrorStacks").and_then(Value::as_array).cloned().unwrap_or_default()
}
