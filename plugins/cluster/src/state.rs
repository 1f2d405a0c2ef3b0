//! The state of a cluster, as it stands in the daemon's store.

use crate::plan::{Plan, Turn, same_name};
use drp_plugin_sdk::protocol::{JsonMap, Time};
use serde::{Deserialize, Serialize};

/// The object type of deployments.
pub(crate) const TYPE: &str = "cluster_deployments";
/// Errors that are kept are cut to this many bytes.
const ERROR_BYTES: usize = 2_000;

/// How far a cluster is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    /// Components are being deployed.
    Deploying,
    /// All components are there.
    Running,
    /// An operation failed, and what it did is being undone.
    RollingBack,
    /// The creation failed and nothing of it is left.
    RolledBack,
    /// An operation failed, and something is left that should not be.
    Failed,
    /// Components are being removed.
    Deleting,
    /// All components were removed.
    Deleted,
    /// Components get other replicas.
    Scaling,
    /// Components get other versions.
    Upgrading,
}

impl Phase {
    /// The word of the API.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Deploying => "deploying",
            Self::Running => "running",
            Self::RollingBack => "rolling-back",
            Self::RolledBack => "rolled-back",
            Self::Failed => "failed",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
            Self::Scaling => "scaling",
            Self::Upgrading => "upgrading",
        }
    }

    /// An operation works, or was interrupted.
    pub(crate) fn is_under_way(self) -> bool {
        matches!(self, Self::Deploying | Self::RollingBack | Self::Deleting | Self::Scaling | Self::Upgrading)
    }

    /// There is nothing of the cluster.
    pub(crate) fn is_gone(self) -> bool {
        matches!(self, Self::RolledBack | Self::Deleted)
    }
}

/// How far a component is. What is about to be done is written before it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// Nothing was done.
    Pending,
    /// `install` was sent, or was about to be.
    Installing,
    /// Installed; its health is waited for.
    Waiting,
    /// Installed and well.
    Deployed,
    /// It was there and well before; the cluster uses it and never removes it.
    Found,
    /// `install` failed, or it did not become well: something of it may be there.
    Failed,
    /// `upgrade`, `scale` or `configure` was sent, or was about to be.
    Changing,
    /// `uninstall` was sent, or was about to be.
    Removing,
    /// Removed.
    Removed,
    /// Its removal failed: something of it may be there.
    Left,
}

impl Stage {
    /// The word of the API.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Installing => "installing",
            Self::Waiting => "waiting",
            Self::Deployed => "deployed",
            Self::Found => "found",
            Self::Failed => "failed",
            Self::Changing => "changing",
            Self::Removing => "removing",
            Self::Removed => "removed",
            Self::Left => "left",
        }
    }

    /// Something may be there that this cluster put there.
    pub(crate) fn may_be_there(self) -> bool {
        !matches!(self, Self::Pending | Self::Found | Self::Removed)
    }

    /// It is there and dependents may use it.
    pub(crate) fn is_up(self) -> bool {
        matches!(self, Self::Deployed | Self::Found)
    }
}

/// A component of a deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) r#type: String,
    /// The plugin that its extension is.
    pub(crate) plugin: String,
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) config: JsonMap,
    pub(crate) replicas: u64,
    #[serde(default)]
    pub(crate) dependencies: Vec<String>,
    #[serde(default)]
    pub(crate) level: usize,
    pub(crate) stage: Stage,
    /// When the stage began.
    #[serde(default)]
    pub(crate) since: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) error: String,
    /// Process of the plugin when a call was sent to it: another one cannot still be at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pid: Option<u64>,
    /// What it was before the operation that is under way changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) former: Option<Former>,
    /// What the operation that is under way makes of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<Former>,
}

/// What `scale` and `upgrade` change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Former {
    pub(crate) version: String,
    pub(crate) replicas: u64,
}

impl Part {
    pub(crate) fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.since = Time::now().to_string();
    }

    pub(crate) fn blame(&mut self, error: &str) {
        self.error = cut(error);
    }
}

/// What is or was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// `create`.
    Create,
    /// `delete`.
    Delete,
    /// `scale`.
    Scale,
    /// `upgrade`.
    Upgrade,
}

impl Kind {
    /// The name of the operation.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Scale => "scale",
            Self::Upgrade => "upgrade",
        }
    }
}

/// One step of undoing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Undone {
    pub(crate) component: String,
    /// `uninstall`, or `restore` after a scale or an upgrade.
    pub(crate) step: String,
    /// `done` or `failed`.
    pub(crate) outcome: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) reason: String,
}

/// Why an operation failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cause {
    pub(crate) component: String,
    pub(crate) step: String,
    pub(crate) error: String,
}

/// The latest operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Work {
    pub(crate) kind: Kind,
    #[serde(default)]
    pub(crate) force: bool,
    /// Of a delete: data stay.
    #[serde(default)]
    pub(crate) keep_data: bool,
    pub(crate) began: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) ended: String,
    /// How often a restart took it up again.
    #[serde(default)]
    pub(crate) resumed: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<Cause>,
    #[serde(default)]
    pub(crate) rollback: Vec<Undone>,
    /// Of an upgrade: the version of the cluster that it leads to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) version: String,
}

impl Work {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            force: false,
            keep_data: false,
            began: Time::now().to_string(),
            ended: String::new(),
            resumed: 0,
            cause: None,
            rollback: Vec::new(),
            version: String::new(),
        }
    }

    /// Notes a step of undoing; one that was tried before is replaced.
    pub(crate) fn undone(&mut self, undone: Undone) {
        self.rollback.retain(|old| old.component != undone.component);
        self.rollback.push(undone);
    }
}

/// A cluster that is or was deployed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Deployment {
    /// Name of the plugin object; the key in the store.
    pub(crate) id: String,
    pub(crate) cluster: String,
    pub(crate) version: String,
    pub(crate) phase: Phase,
    /// What the caller of `create` changed of the definition.
    #[serde(default)]
    pub(crate) config: JsonMap,
    /// In the order in which they are deployed.
    pub(crate) components: Vec<Part>,
    pub(crate) operation: Work,
}

impl Deployment {
    /// A cluster of which nothing is there yet. `plugins` are those of the components, in their order.
    pub(crate) fn new(id: &str, cluster: &str, version: &str, plan: Plan, plugins: Vec<String>) -> Self {
        let part = |(planned, plugin): (crate::plan::Planned, String)| Part {
            name: planned.name,
            r#type: planned.r#type,
            plugin,
            version: planned.version,
            config: planned.config,
            replicas: planned.replicas,
            dependencies: planned.dependencies,
            level: planned.level,
            stage: Stage::Pending,
            since: Time::now().to_string(),
            error: String::new(),
            pid: None,
            former: None,
            target: None,
        };
        Self {
            id: id.to_owned(),
            cluster: cluster.to_owned(),
            version: version.to_owned(),
            phase: Phase::Deploying,
            config: JsonMap::new(),
            components: plan.components.into_iter().zip(plugins).map(part).collect(),
            operation: Work::new(Kind::Create),
        }
    }

    /// Position of a component.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.components.iter().position(|part| same_name(&part.name, name))
    }

    /// Begins an operation.
    pub(crate) fn begin(&mut self, kind: Kind, phase: Phase) {
        self.phase = phase;
        self.operation = Work::new(kind);
        for part in &mut self.components {
            part.error.clear();
        }
    }

    /// Ends the operation that is under way.
    pub(crate) fn end(&mut self, phase: Phase) {
        self.phase = phase;
        self.operation.ended = Time::now().to_string();
        for part in &mut self.components {
            (part.former, part.target, part.pid) = (None, None, None);
        }
    }

    /// Positions that each component waits for.
    pub(crate) fn needs(&self) -> Vec<Vec<usize>> {
        let position = |name: &String| self.position(name);
        self.components.iter().map(|part| part.dependencies.iter().filter_map(position).collect()).collect()
    }

    /// Whose turn it is; `running` are those that are being worked on.
    pub(crate) fn turns(&self, running: &[usize]) -> Vec<Turn> {
        let turn = |(at, part): (usize, &Part)| match part.stage {
            _ if running.contains(&at) => Turn::Running,
            stage if stage.is_up() => Turn::Done,
            Stage::Failed => Turn::Failed,
            _ => Turn::Waiting,
        };
        self.components.iter().enumerate().map(turn).collect()
    }

    /// How much of a creation or a deletion is done.
    pub(crate) fn percent(&self) -> Option<usize> {
        let parts = self.components.iter();
        let done = match self.phase {
            Phase::Deploying => parts.filter(|part| part.stage.is_up()).count(),
            Phase::Deleting => parts.filter(|part| !part.stage.may_be_there()).count(),
            Phase::Running | Phase::Deleted => self.components.len(),
            _ => return None,
        };
        (done * 100).checked_div(self.components.len())
    }

    /// Components of which something may be there although they should not.
    pub(crate) fn left(&self) -> Vec<&str> {
        let left = self.components.iter().filter(|part| part.stage.may_be_there());
        left.map(|part| part.name.as_str()).collect()
    }
}

/// Not more of a text than is kept, whole characters.
pub(crate) fn cut(text: &str) -> String {
    let end =
        text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= ERROR_BYTES).last();
    text[..end.unwrap_or(0)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Deployment, Stage, cut};
    use crate::plan::{Cluster, Turn, plan};
    use drp_plugin_sdk::json;

    fn deployment() -> Deployment {
        let cluster = Cluster::read(&json!({"name": "c", "components": [
            {"name": "a", "type": "taskserv"}, {"name": "b", "type": "taskserv", "dependencies": ["a"]},
        ]}));
        let plugins = vec!["a-taskserv".to_owned(), "b-taskserv".to_owned()];
        Deployment::new("c-cluster", "c", "1.0.0", plan(&cluster.unwrap()).unwrap(), plugins)
    }

    #[test]
    fn it_is_stored_and_read_back() {
        let mut deployment = deployment();
        deployment.components[0].enter(Stage::Installing);
        let text = serde_json::to_string(&deployment).unwrap();
        assert_eq!(serde_json::from_str::<Deployment>(&text).unwrap(), deployment);
    }

    #[test]
    fn turns_and_what_is_left() {
        let mut deployment = deployment();
        assert_eq!(deployment.needs(), [vec![], vec![0]]);
        assert_eq!(deployment.turns(&[0]), [Turn::Running, Turn::Waiting]);
        deployment.components[0].enter(Stage::Found);
        deployment.components[1].enter(Stage::Waiting);
        assert_eq!(deployment.turns(&[]), [Turn::Done, Turn::Waiting]);
        assert_eq!(deployment.left(), ["b"], "what was found is not the cluster's");
    }

    #[test]
    fn errors_are_cut_between_characters() {
        assert_eq!(cut(&"é".repeat(3000)).len(), 2000);
        assert_eq!(cut("short"), "short");
    }
}
