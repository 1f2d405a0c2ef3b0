//! `delete`: components go in the reverse of the order in which they came.

use crate::core::Core;
use crate::state::{Cause, Kind, Phase, Stage};
use crate::trouble::Trouble;
use drp_plugin_sdk::{Error, Operation, Value, json};
use std::sync::Arc;

impl Core {
    /// Removes the cluster. Where there is nothing, nothing is done, and that is fine.
    pub(crate) async fn delete(
        self: &Arc<Self>,
        force: bool,
        keep_data: bool,
        wait: bool,
    ) -> Result<Value, Error> {
        self.operate("delete", wait, move |core, operation, begun| async move {
            let gone =
                core.deployment.lock().await.as_ref().is_none_or(|deployment| deployment.phase.is_gone());
            if gone {
                return Ok(json!({
                    "success": true, "cluster": core.cluster.name, "status": "deleted", "components": [],
                    "message": "nothing of the cluster was there",
                }));
            }
            let begin = |deployment: &mut crate::state::Deployment| {
                deployment.begin(Kind::Delete, Phase::Deleting);
                (deployment.operation.force, deployment.operation.keep_data) = (force, keep_data);
            };
            core.change(&operation, begin).await.map_err(|trouble| core.interrupted("delete", &trouble))?;
            let _ = begun.send(core.begun("deleting").await);
            core.finish_delete(&operation).await
        })
        .await
    }

    /// Removes what is still there.
    pub(crate) async fn finish_delete(&self, operation: &Operation) -> Result<Value, Error> {
        match self.remove_all(operation).await {
            Ok(outcome) => outcome,
            Err(trouble) => Err(self.interrupted("delete", &trouble)),
        }
    }

    async fn remove_all(&self, operation: &Operation) -> Result<Result<Value, Error>, Trouble> {
        let (count, force, keep_data) = self
            .change(operation, |deployment| {
                (deployment.components.len(), deployment.operation.force, deployment.operation.keep_data)
            })
            .await?;
        let mut errors = Vec::new();
        for at in (0..count).rev() {
            let part = self.part(at).await?;
            if !part.stage.may_be_there() {
                continue;
            }
            let Some(why) = self.remove(operation, at, force, keep_data).await? else { continue };
            errors.push(json!({"component": part.name, "error": why}));
            if !force {
                let cause = Cause { component: part.name, step: "uninstall".to_owned(), error: why };
                return self.stop_delete(operation, cause).await.map(Err);
            }
        }
        let components = self
            .change(operation, |deployment| {
                let parts = deployment.components.iter();
                let status = |stage| match stage {
                    Stage::Found => "kept: it was there before",
                    Stage::Pending => "never deployed",
                    other => Stage::word(other),
                };
                let list: Vec<Value> = parts
                    .rev()
                    .map(|part| json!({"component": part.name, "status": status(part.stage), "error": part.error}))
                    .collect();
                deployment.end(Phase::Deleted);
                list
            })
            .await?;
        self.tell("", "deleted", "").await;
        Ok(Ok(json!({
            "success": true, "cluster": self.cluster.name, "status": "deleted", "components": components,
            "forced": force, "errors": errors,
        })))
    }

    async fn stop_delete(&self, operation: &Operation, cause: Cause) -> Result<Error, Trouble> {
        let left = self
            .change(operation, |deployment| {
                deployment.operation.cause = Some(cause.clone());
                deployment.end(Phase::Failed);
                deployment.left().join(", ")
            })
            .await?;
        self.tell("", "failed", &cause.error).await;
        let text = format!(
            "delete of cluster {} failed at component {}: {}",
            self.cluster.name, cause.component, cause.error
        );
        Ok(self.error(500, text).and(format!(
            "still there: {left}; What to do: mend the reason and delete again, or delete with force, which goes on past errors"
        )))
    }
}
