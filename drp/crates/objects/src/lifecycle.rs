//! The life of a machine: workflow, stage, boot environment and the task list (wire-protocol §2.4, §3.8).
//!
//! `CurrentTask` is the entry of `Tasks` that was begun last: -1 before the first, the length of the list after the
//! last. What was begun cannot be changed any more, what comes may be.

use crate::{fault::Fault, machine::inherit_boot_env, objects::Inner, state::State, write::set};
use drp_protocol::JsonMap;
use serde_json::{Value, json};

/// The fields of a machine that its life is about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct View {
    workflow: String,
    stage: String,
    boot_env: String,
    tasks: Vec<String>,
    current: i64,
}

impl View {
    fn of(object: &JsonMap) -> Self {
        Self {
            workflow: text(object, "Workflow").to_owned(),
            stage: text(object, "Stage").to_owned(),
            boot_env: text(object, "BootEnv").to_owned(),
            tasks: texts(object, "Tasks"),
            current: object.get("CurrentTask").and_then(Value::as_i64).unwrap_or(-1),
        }
    }

    fn length(&self) -> i64 {
        i64::try_from(self.tasks.len()).unwrap_or(i64::MAX)
    }

    /// How many entries were begun.
    fn begun(&self) -> usize {
        usize::try_from(self.current.saturating_add(1)).unwrap_or(0).min(self.tasks.len())
    }
}

/// A text field, empty when it is not there.
pub(crate) fn text<'a>(object: &'a JsonMap, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// A list of texts, empty when it is not there.
pub(crate) fn texts(object: &JsonMap, field: &str) -> Vec<String> {
    let list = object.get(field).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// What a workflow makes of a machine.
struct Plan {
    stage: String,
    boot_env: String,
    tasks: Vec<String>,
}

/// The stages of a workflow one after the other, each as `stage:X`, `bootenv:X` when it wants one, and its tasks.
fn plan(state: &State, workflow: &str) -> Option<Plan> {
    let workflow = state.row("workflows", workflow)?.map();
    let stages = texts(&workflow, "Stages");
    let mut plan = Plan {
        stage: stages.first().cloned().unwrap_or_default(),
        boot_env: String::new(),
        tasks: Vec::new(),
    };
    for (at, name) in stages.iter().enumerate() {
        plan.tasks.push(format!("stage:{name}"));
        let Some(stage) = state.row("stages", name).map(|row| row.map()) else { continue };
        let boot_env = text(&stage, "BootEnv");
        if !boot_env.is_empty() {
            plan.tasks.push(format!("bootenv:{boot_env}"));
            if at == 0 {
                plan.boot_env = boot_env.to_owned();
            }
        }
        plan.tasks.extend(texts(&stage, "Tasks"));
    }
    Some(plan)
}

/// Puts the task list at its start.
fn restart(object: &mut JsonMap) {
    let idle = texts(object, "Tasks").is_empty();
    set(object, "CurrentTask", json!(if idle { 0 } else { -1 }));
    set(object, "WorkflowComplete", idle.into());
    set(object, "RetryTaskAttempt", 0.into());
    set(object, "TaskErrorStacks", json!([]));
}

/// Gives a machine the tasks of its workflow. A workflow that does not exist leaves it as it is: it is refused, or
/// the machine is not available.
fn follow(state: &State, object: &mut JsonMap, workflow: &str) {
    let Some(plan) = plan(state, workflow) else { return };
    if !plan.stage.is_empty() {
        set(object, "Stage", plan.stage.into());
    }
    if !plan.boot_env.is_empty() {
        set(object, "BootEnv", plan.boot_env.into());
    }
    set(object, "Tasks", plan.tasks.into());
}

/// What a new machine starts with: the tasks of its workflow, else its own, else those of its stage.
pub(crate) fn begin(inner: &Inner, object: &mut JsonMap) {
    let view = View::of(object);
    if !view.workflow.is_empty() {
        follow(&inner.state, object, &view.workflow);
    } else {
        inherit_boot_env(inner, object);
        if view.tasks.is_empty()
            && let Some(stage) = inner.state.row("stages", &view.stage)
        {
            set(object, "Tasks", texts(&stage.map(), "Tasks").into());
        }
    }
    restart(object);
}

/// The rules and the consequences of a change that a client makes to a machine. `force` allows what would leave tasks
/// undone.
pub(crate) fn changed(
    inner: &Inner,
    key: &str,
    before: &JsonMap,
    after: &mut JsonMap,
    force: bool,
) -> Result<(), Fault> {
    let runnable = |object: &JsonMap| object.get("Runnable").and_then(Value::as_bool).unwrap_or(false);
    if runnable(after) && !runnable(before) {
        // Somebody looked at it: attempts count from the start.
        set(after, "RetryTaskAttempt", 0.into());
        crate::pools::go_on(after);
    }
    let (was, mut is) = (View::of(before), View::of(after));
    if was == is {
        return Ok(());
    }
    let state = &inner.state;
    if is.workflow != was.workflow {
        if is.workflow.is_empty() {
            set(after, "Tasks", json!([]));
        } else {
            follow(state, after, &is.workflow);
        }
        restart(after);
        return Ok(());
    }
    let mut wrong = Vec::new();
    let stage = state.row("stages", &is.stage).map(|row| row.map()).unwrap_or_default();
    let wanted = text(&stage, "BootEnv");
    if is.stage != was.stage {
        if !force && was.current < was.length() && !was.tasks.is_empty() {
            wrong.push("Can not change stages with pending tasks unless forced".to_owned());
        }
        if !wanted.is_empty() && is.boot_env == was.boot_env {
            set(after, "BootEnv", wanted.into());
        }
        let entry = format!("stage:{}", is.stage);
        if is.workflow.is_empty() {
            if is.tasks == was.tasks {
                set(after, "Tasks", texts(&stage, "Tasks").into());
            }
            restart(after);
        } else if let Some(at) = is.tasks.iter().position(|task| *task == entry) {
            restart(after);
            set(after, "CurrentTask", json!(i64::try_from(at).unwrap_or(0) - 1));
        }
    } else {
        if is.boot_env != was.boot_env && !force && !wanted.is_empty() && wanted != is.boot_env {
            wrong.push(format!(
                "Can not change bootenv while in a stage unless forced. old = {} new = {}",
                was.boot_env, is.boot_env
            ));
        }
        if is.tasks != was.tasks {
            let begun = was.begun();
            if !force && is.tasks.len() < begun {
                wrong.push("Cannot remove tasks that have already executed or are executing".to_owned());
            } else if !force && is.tasks.get(..begun) != was.tasks.get(..begun) {
                wrong.push("Cannot change tasks that have already executed or are executing".to_owned());
            }
            if is.current == was.current && was.current >= was.length() {
                // All was done; what is new comes next.
                is.current = was.length().min(is.length()) - 1;
                set(after, "CurrentTask", is.current.into());
            }
        }
        if is.current != was.current && !(-1..=is.length()).contains(&is.current) {
            wrong.push(format!("CurrentTask {} is not between -1 and {}", is.current, is.length()));
        } else if is.current > was.current && !force {
            wrong.push(format!(
                "Cannot change CurrentTask from {} to {} unless forced: the tasks between were not run",
                was.current, is.current
            ));
        }
        if is.tasks.is_empty() {
            restart(after);
        }
        let now = View::of(after);
        set(after, "WorkflowComplete", (now.current >= now.length()).into());
    }
    if wrong.is_empty() { Ok(()) } else { Err(Fault::invalid("machines", key, wrong)) }
}
