//! What is done at a start about an operation that was interrupted.

use crate::core::Core;
use crate::settings::OnRestart;
use crate::state::{Cause, Deployment, Kind, Phase, Stage};
use drp_plugin_sdk::{Error, Operation, Value};
use std::sync::Arc;

impl Core {
    /// Reads the stored state, and takes an interrupted operation up in the background.
    ///
    /// # Errors
    /// When the state cannot be read: without it nothing may be done.
    pub(crate) async fn take_up(self: &Arc<Self>) -> Result<(), Error> {
        let interrupted = {
            // Held while the store is read: an operation that begins meanwhile waits, and one that began knows more.
            let mut held = self.deployment.lock().await;
            if self.is_busy() {
                return Ok(());
            }
            *held = self.daemon.load(&self.id()).await?;
            held.as_ref().is_some_and(|deployment| deployment.phase.is_under_way())
        };
        if !interrupted {
            return Ok(());
        }
        // It has begun when this returns, so that no caller comes before it.
        let resume = self.operate("resume", false, |core, operation, begun| async move {
            let _ = begun.send(Value::Null);
            core.resume(&operation).await
        });
        resume.await.map(drop)
    }

    async fn resume(self: Arc<Self>, operation: &Operation) -> Result<Value, Error> {
        let on_restart = self.settings().on_restart;
        let told = self
            .change(operation, |deployment| {
                deployment.operation.resumed += 1;
                let stages =
                    deployment.components.iter().map(|part| format!("{} {}", part.name, part.stage.word()));
                let failed = deployment.components.iter().find(|part| part.stage == Stage::Failed);
                let failed = failed.map(|part| (part.name.clone(), part.error.clone()));
                let Deployment { phase, operation, .. } = deployment;
                (
                    *phase,
                    operation.kind,
                    operation.cause.clone(),
                    failed,
                    stages.clone().collect::<Vec<_>>().join(", "),
                )
            })
            .await;
        let (phase, kind, cause, failed, stages) =
            told.map_err(|trouble| self.interrupted("resume", &trouble))?;
        self.tell("", "interrupted", &format!("it was {} ({stages}) and is taken up", phase.word())).await;
        let cause = cause.or_else(|| {
            let (component, error) = failed?;
            Some(Cause { component, step: "install".to_owned(), error })
        });
        let undo = || Cause {
            component: "(none)".to_owned(),
            step: "restart".to_owned(),
            error: "the operation was interrupted, and on_restart says that it is undone then".to_owned(),
        };
        let cause = match (phase, on_restart) {
            (Phase::RollingBack, _) => Some(cause.unwrap_or_else(undo)),
            (Phase::Deploying, OnRestart::Resume) => cause,
            (_, OnRestart::Rollback) => Some(cause.unwrap_or_else(undo)),
            (_, OnRestart::Resume) => None,
        };
        match kind {
            Kind::Create => self.finish_create(operation, cause).await,
            Kind::Delete => self.finish_delete(operation).await,
            Kind::Scale | Kind::Upgrade => self.finish_alter(operation, cause).await,
        }
    }
}
