//! The steps of one operation, told while they happen.

use crate::TaskservError;
use drp_plugin_sdk::{Context, tracing};
use serde_json::{Value, json};
use std::future::Future;
use std::sync::{Mutex, PoisonError};

/// What has become of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Open,
    Done,
    /// There was nothing to do.
    Same,
    Failed,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Same => "unchanged",
            Self::Failed => "failed",
        }
    }
}

/// Steps in their order. Each is an event `extensions.progress.<plugin>` and a log line when it begins and when it ends.
pub(crate) struct Journal<'a> {
    ctx: &'a Context,
    plugin: String,
    operation: String,
    steps: Mutex<Vec<(&'static str, Outcome)>>,
}

impl<'a> Journal<'a> {
    pub(crate) fn new(ctx: &'a Context, operation: &str, steps: &[&'static str]) -> Self {
        let steps = steps.iter().map(|name| (*name, Outcome::Open)).collect();
        Self { ctx, plugin: ctx.name(), operation: operation.to_owned(), steps: Mutex::new(steps) }
    }

    fn steps(&self) -> std::sync::MutexGuard<'_, Vec<(&'static str, Outcome)>> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, step: &'static str, outcome: Outcome) {
        let mut steps = self.steps();
        match steps.iter_mut().find(|(name, _)| *name == step) {
            Some((_, known)) => *known = outcome,
            None => steps.push((step, outcome)),
        }
    }

    /// Does a step. `true`: something was changed.
    pub(crate) async fn step(
        &self,
        step: &'static str,
        work: impl Future<Output = Result<bool, TaskservError>>,
    ) -> Result<bool, TaskservError> {
        self.tell(step, "running").await;
        let answer = work.await;
        let outcome = match &answer {
            Ok(true) => Outcome::Done,
            Ok(false) => Outcome::Same,
            Err(_) => Outcome::Failed,
        };
        self.set(step, outcome);
        self.tell(step, outcome.word()).await;
        answer
    }

    async fn tell(&self, step: &'static str, state: &str) {
        let (over, all) = {
            let steps = self.steps();
            let over = steps
                .iter()
                .filter(|(_, outcome)| !matches!(outcome, Outcome::Open | Outcome::Failed))
                .count();
            (over, steps.len().max(1))
        };
        tracing::info!("{}: {step} {state}", self.operation);
        if self.ctx.without_daemon() {
            return;
        }
        let object = json!({
            "plugin": self.plugin,
            "command": self.operation,
            "request": self.ctx.api_request().map_or_else(|| self.ctx.request_id().to_string(), str::to_owned),
            "step": step,
            "state": state,
            "percent": over * 100 / all,
            "text": format!("{step} {state}"),
        });
        // Somebody who does not hear of a step is no reason to stop.
        if let Err(error) = self.ctx.publish("extensions", "progress", &self.plugin, object).await {
            tracing::debug!("no event of {step}: {error}");
        }
    }

    /// As the answer tells them.
    pub(crate) fn told(&self) -> Value {
        let told = |(name, outcome): &(&'static str, Outcome)| json!({"step": name, "state": outcome.word()});
        self.steps().iter().map(told).collect()
    }

    /// An error after the machine was changed.
    pub(crate) fn changed(&self, cause: TaskservError, after: impl Into<String>) -> TaskservError {
        let steps = self.steps();
        let of = |fits: fn(Outcome) -> bool| {
            steps.iter().filter(|(_, o)| fits(*o)).map(|(name, _)| *name).collect()
        };
        TaskservError::Changed {
            cause: Box::new(cause),
            done: of(|outcome| matches!(outcome, Outcome::Done | Outcome::Same)),
            open: of(|outcome| matches!(outcome, Outcome::Open | Outcome::Failed)),
            after: after.into(),
        }
    }
}
