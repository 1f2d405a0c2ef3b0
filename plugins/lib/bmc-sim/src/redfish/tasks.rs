//! Tasks and their monitors (DSP0266, "Asynchronous operations"; DSP0268, Task).

use super::http::Answer;
use super::message::{message, refuse};
use super::profile::Profile;
use super::state::Task;
use super::tree::{View, well, with};
use crate::engine::Engine;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub(crate) fn read(view: &View<'_>, rest: &[&str]) -> Option<Value> {
    match rest {
        [] => Some(with(
            view.head("TaskService", "TaskService.v1_2_0.TaskService", "TaskService", "Task Service"),
            json!({
                "ServiceEnabled": true,
                "CompletedTaskOverWritePolicy": "Oldest",
                "Tasks": view.link("TaskService/Tasks"),
                "Status": well(),
            }),
        )),
        ["Tasks"] => {
            let ids: Vec<String> = view.state.tasks.iter().map(|task| task.id.to_string()).collect();
            Some(view.collection("TaskService/Tasks", "Task", &ids))
        }
        ["Tasks" | "TaskMonitors", id] => {
            view.state.tasks.iter().find(|task| task.id.to_string() == *id).map(|task| show(view, task))
        }
        _ => None,
    }
}

fn show(view: &View<'_>, task: &Task) -> Value {
    let (id, over) = (task.id.to_string(), view.now >= task.until);
    let (state, status) = match (over, task.ends.as_str()) {
        (false, _) => ("Running", "OK"),
        (true, "Completed") => ("Completed", "OK"),
        (true, other) => (other, "Critical"),
    };
    let said = match (over, state) {
        (false, _) => Vec::new(),
        (true, "Completed") => vec![message(view.profile, "Success", &[])],
        (true, _) => vec![message(view.profile, "InternalError", &[])],
    };
    with(
        view.head(&format!("TaskService/Tasks/{id}"), "Task.v1_7_4.Task", &id, &task.about),
        json!({
            "TaskState": state,
            "TaskStatus": status,
            "PercentComplete": if over { 100 } else { 0 },
            "TaskMonitor": view.path(&format!("TaskService/TaskMonitors/{id}")),
            "Messages": said,
        }),
    )
}

impl Engine {
    /// 202 with a task that ends so.
    pub(crate) fn accept(
        &mut self,
        p: &Profile,
        about: &str,
        now: Instant,
        time: Duration,
        ends: &str,
    ) -> Answer {
        let task = self.web.begin_task(about, now + time, ends).clone();
        let view = self.view(p, now);
        let monitor = view.path(&format!("TaskService/TaskMonitors/{}", task.id));
        Answer::new(202, show(&view, &task)).header("location", monitor).header("retry-after", "1")
    }

    /// GET of a monitor: 202 while it runs, then the task (DSP0266, "Task monitor").
    pub(crate) fn monitor(&self, p: &Profile, id: &str, path: &str, now: Instant) -> Answer {
        let view = self.view(p, now);
        match self.web.tasks.iter().find(|task| task.id.to_string() == id) {
            None => refuse(p, "ResourceMissingAtURI", &[path]),
            Some(task) if now < task.until => Answer::new(202, show(&view, task)).header("retry-after", "1"),
            Some(task) => Answer::new(200, show(&view, task)),
        }
    }
}
