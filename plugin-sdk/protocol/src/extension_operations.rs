//! The operations that extensions of each type offer (extensions §2): names, inputs and what comes back.

use crate::ExtensionType;

/// The type of an input, as Nushell writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputType {
    /// A record.
    Record,
    /// A text.
    String,
    /// A whole number.
    Int,
    /// A list of records.
    List,
    /// Yes or no; a flag in Nushell.
    Switch,
}

/// An input of an operation. It is a param of the action, under the same name.
#[derive(Debug, Clone, Copy)]
pub struct Input {
    /// Its name, as Nushell and the action's params write it: `server_id`, `keep-data`.
    pub name: &'static str,
    /// Its type.
    pub r#type: InputType,
    /// The operation cannot do without it.
    pub required: bool,
}

/// What an operation answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// A record.
    Record,
    /// A list.
    List,
    /// A text.
    Text,
    /// Nothing; a record is fine too.
    Nothing,
}

/// One operation.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// Its name, which is the command of the action.
    pub name: &'static str,
    /// What goes in.
    pub inputs: &'static [Input],
    /// What comes out.
    pub output: Output,
    /// The contract of what comes out, one of `drp/results.ncl`.
    pub result: &'static str,
    /// The contract of what comes out in check mode.
    pub check_result: Option<&'static str>,
    /// Validation refuses an extension without it.
    pub required: bool,
    /// It takes `check`, with which it changes nothing and needs no credentials.
    pub check: bool,
    /// It takes `wait`.
    pub wait: bool,
    /// It only looks, so validation may run it where it needs no credentials.
    pub reads: bool,
}

const fn required(name: &'static str, r#type: InputType) -> Input {
    Input { name, r#type, required: true }
}

const fn maybe(name: &'static str, r#type: InputType) -> Input {
    Input { name, r#type, required: false }
}

const fn acts(name: &'static str, inputs: &'static [Input], output: Output) -> Operation {
    Operation {
        name,
        inputs,
        output,
        result: "Done",
        check_result: None,
        required: true,
        check: false,
        wait: false,
        reads: false,
    }
}

const fn reads(name: &'static str, inputs: &'static [Input], output: Output) -> Operation {
    Operation { reads: true, ..acts(name, inputs, output) }
}

impl Operation {
    const fn gives(self, result: &'static str) -> Self {
        Self { result, ..self }
    }
    const fn checked(self, result: &'static str) -> Self {
        Self { check: true, check_result: Some(result), ..self }
    }
    const fn waits(self) -> Self {
        Self { wait: true, ..self }
    }
    const fn extra(self) -> Self {
        Self { required: false, ..self }
    }

    /// The contract of what it answers, as a Nickel expression.
    #[must_use]
    pub fn result_contract(&self, check: bool) -> std::string::String {
        let name = self.check_result.filter(|_| check).unwrap_or(self.result);
        format!("(import \"drp/results.ncl\").{name}")
    }
}

use InputType::{Int, List, Record, String, Switch};

const SERVER: &[Input] = &[required("server_id", String)];
const CONFIG: &[Input] = &[required("config", Record)];
const MAY_CONFIG: &[Input] = &[maybe("config", Record)];
const VERSION: &[Input] = &[required("version", String)];
const COMPONENT: &[Input] = &[required("name", String)];

/// What a provider offers.
pub const PROVIDER: &[Operation] = &[
    reads("provider-info", &[], Output::Record).gives("ProviderInfo"),
    reads("validate-config", CONFIG, Output::Record).gives("Valid"),
    reads("test-connection", MAY_CONFIG, Output::Record).gives("Connection"),
    acts("create-server", CONFIG, Output::Record).gives("CreatedServer").checked("CreateServerCheck").waits(),
    acts("delete-server", SERVER, Output::Nothing),
    reads("list-servers", &[], Output::List).gives("Servers"),
    reads("get-server-info", SERVER, Output::Record).gives("Server"),
    acts("start-server", SERVER, Output::Nothing),
    acts("stop-server", SERVER, Output::Nothing),
    acts("reboot-server", SERVER, Output::Nothing),
    reads("get-pricing", &[], Output::List).gives("Prices"),
    reads("get-plans", &[], Output::List).gives("Plans"),
    reads("get-zones", &[], Output::List).gives("Zones"),
    reads("get-ssh-access", SERVER, Output::Record).gives("SshAccess"),
    acts("configure-firewall", &[required("server_id", String), required("rules", List)], Output::Nothing),
];

/// What a taskserv offers.
pub const TASKSERV: &[Operation] = &[
    reads("taskserv-info", &[], Output::Record).gives("TaskservInfo"),
    acts("install", &[maybe("config", Record), maybe("version", String)], Output::Record)
        .gives("Installed")
        .checked("InstallCheck")
        .waits(),
    acts(
        "uninstall",
        &[maybe("config", Record), maybe("force", Switch), maybe("keep-data", Switch)],
        Output::Nothing,
    ),
    acts("configure", CONFIG, Output::Record).extra(),
    reads("status", MAY_CONFIG, Output::Record).gives("TaskservStatus"),
    acts("restart", MAY_CONFIG, Output::Nothing),
    acts("upgrade", VERSION, Output::Record).gives("TaskservUpgraded"),
    reads("get-current-version", &[], Output::Text).gives("Version"),
    reads("get-available-versions", &[], Output::List).gives("Versions"),
    reads("check-updates", &[], Output::Record).gives("Updates"),
];

/// What a cluster offers.
pub const CLUSTER: &[Operation] = &[
    reads("cluster-info", &[], Output::Record).gives("ClusterInfo"),
    acts("create", MAY_CONFIG, Output::Record).gives("CreatedCluster").checked("CreateClusterCheck").waits(),
    acts("delete", &[maybe("config", Record), maybe("force", Switch)], Output::Nothing).waits(),
    reads("status", &[], Output::Record).gives("ClusterStatus"),
    acts("scale", &[required("replicas", Int), maybe("component", String)], Output::Record)
        .gives("ClusterChanged")
        .waits(),
    acts("upgrade", VERSION, Output::Record).gives("ClusterChanged").waits(),
    reads("list-components", &[], Output::List).gives("Components"),
    reads("component-status", COMPONENT, Output::Record).gives("ComponentStatus"),
    acts("restart-component", COMPONENT, Output::Nothing),
];

/// What extensions of a type offer.
#[must_use]
pub fn operations(kind: ExtensionType) -> &'static [Operation] {
    match kind {
        ExtensionType::Provider => PROVIDER,
        ExtensionType::Taskserv => TASKSERV,
        ExtensionType::Cluster => CLUSTER,
    }
}
