//! A registered extension as the API shows it.

use super::Extensions;
use crate::app::App;
use drp_extensions::Registered;
use drp_extensions::launcher::{HostedBy, hosted_by};
use drp_protocol::ExtensionType;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A registered extension.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Info {
    /// `provider`, `taskserv` or `cluster`.
    r#type: String,
    name: String,
    version: String,
    description: String,
    /// Its plugin provider, and the plugin on which its operations are actions.
    plugin: String,
    /// How that plugin is: `configured` when it takes actions, `absent` when there is none.
    state: String,
    /// What keeps it from that.
    errors: Vec<String>,
    /// What runs it: `plugin`, `nushell`, `cluster` or `taskserv`.
    hosted_by: String,
    /// SHA-256 of its files.
    digest: String,
    /// Its files are used where their author has them.
    link: bool,
    /// Where they are.
    path: String,
    registered_at: String,
    /// Extensions that it needs, with the versions that will do.
    requires: BTreeMap<String, String>,
    /// What it can be asked for. Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    operations: Option<Vec<String>>,
    /// What it is told. Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<Vec<Setting>>,
}

impl Info {
    /// `<type>/<name>`.
    pub(crate) fn key(&self) -> String {
        format!("{}/{}", self.r#type, self.name)
    }

    /// For the audit log: which files it is.
    pub(crate) fn said(&self) -> String {
        let link = if self.link { " linked" } else { "" };
        format!("{} {}{link}", self.version, self.digest)
    }
}

/// One setting of an extension.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Setting {
    name: String,
    /// The param of the plugin that holds it.
    param: String,
    description: String,
    required: bool,
    /// Its value is kept sealed.
    secure: bool,
    default: Option<Value>,
    /// JSON schema of its value.
    schema: Value,
}

impl Extensions {
    /// As the API shows it; `whole` is with its operations and settings.
    pub(crate) fn info(&self, app: &App, record: &Registered, whole: bool) -> Info {
        let extension = &record.extension;
        let plugin = record.plugin();
        let status = app.host.get().and_then(|host| host.plugin_status(&plugin));
        let (state, mut errors) = status
            .map_or(("absent".to_owned(), Vec::new()), |status| (status.state.to_string(), status.errors));
        let problems = app.host.get().map(|host| host.problems()).unwrap_or_default();
        let own = self.plugin_root.join(&plugin);
        for problem in problems.into_iter().filter(|problem| problem.path == own) {
            if !errors.contains(&problem.why) {
                errors.push(problem.why);
            }
        }
        let operations = || {
            let actions = app.providers.get(&plugin).map(|provider| provider.available_actions);
            let own = actions.into_iter().flatten().filter(|action| action.command_set() == "plugins");
            own.map(|action| action.command).collect()
        };
        let settings = || {
            let one = |setting: &drp_protocol::ExtensionSetting| Setting {
                name: setting.name.clone(),
                param: extension.param(&setting.name),
                description: setting.doc.clone(),
                required: setting.required,
                secure: setting.secure,
                default: setting.default.clone().filter(|_| !setting.secure),
                schema: setting.schema.clone(),
            };
            extension.settings.iter().map(one).collect()
        };
        Info {
            r#type: extension.r#type.to_string(),
            name: extension.name.clone(),
            version: extension.version.clone(),
            description: extension.description.clone(),
            plugin: plugin.clone(),
            state,
            errors,
            hosted_by: host_name(extension.r#type, record).to_owned(),
            digest: extension.digest.clone(),
            link: record.link,
            path: extension.root.display().to_string(),
            registered_at: record.registered_at.clone(),
            requires: extension.requires.clone(),
            operations: whole.then(operations),
            settings: whole.then(settings),
        }
    }
}

fn host_name(kind: ExtensionType, record: &Registered) -> &'static str {
    match hosted_by(kind, &record.extension.root) {
        Some(HostedBy::Itself(_)) => "plugin",
        Some(HostedBy::Nushell) => "nushell",
        Some(HostedBy::ClusterEngine) => "cluster",
        Some(HostedBy::TaskservHost) => "taskserv",
        None => "nothing",
    }
}
