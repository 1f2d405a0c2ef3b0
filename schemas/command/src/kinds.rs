//! The kinds of documents that have a contract.

use std::path::Path;

/// A kind of document.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// The file of its contract.
    pub(crate) file: &'static str,
    /// Its contract in that file.
    pub(crate) contract: &'static str,
    /// The file names by which it is known.
    pub(crate) known_by: &'static [&'static str],
    /// What it is.
    pub(crate) what: &'static str,
}

const fn kind(
    name: &'static str,
    file: &'static str,
    contract: &'static str,
    known_by: &'static [&'static str],
    what: &'static str,
) -> Kind {
    Kind { name, file, contract, known_by, what }
}

/// All of them.
pub(crate) const KINDS: &[Kind] = &[
    kind("manifest", "drp/extension.ncl", "Manifest", &["metadata.toml"], "manifest of an extension"),
    kind(
        "extension",
        "drp/extension.ncl",
        "ExtensionYaml",
        &["extension.yaml", "extension.yml"],
        "the short manifest of an extension",
    ),
    kind("module", "drp/extension.ncl", "Module", &["manifest.toml"], "manifest of a Nickel module"),
    kind("daemon", "drp/settings.ncl", "Daemon", &["drp.toml"], "settings of the daemon"),
    kind(
        "provisioning",
        "drp/settings.ncl",
        "Provisioning",
        &["provisioning.toml"],
        "settings of the extension system",
    ),
    kind("provider", "drp/provider.ncl", "ProviderSettings", &[], "settings of a provider"),
    kind("server", "drp/server.ncl", "ServerConfig", &[], "a server that a provider creates"),
    kind("firewall-rule", "drp/server.ncl", "FirewallRule", &[], "a rule of a server's firewall"),
    kind(
        "taskserv",
        "drp/taskserv.ncl",
        "TaskservVersion",
        &[],
        "a task service: source, installation, service, health check",
    ),
    kind("cluster", "drp/cluster.ncl", "ClusterConfig", &[], "a cluster and its components"),
    kind("component", "drp/cluster.ncl", "Component", &[], "a component of a cluster"),
];

/// Their names.
pub(crate) fn names() -> Vec<&'static str> {
    KINDS.iter().map(|kind| kind.name).collect()
}

impl Kind {
    /// The kind of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        KINDS.iter().find(|kind| kind.name == name).copied()
    }

    /// The kind that a file's name says.
    pub(crate) fn of(file: &Path) -> Option<Self> {
        let name = file.file_name()?.to_str()?;
        KINDS.iter().find(|kind| kind.known_by.contains(&name)).copied()
    }

    /// Its contract as a Nickel expression.
    pub(crate) fn expression(self) -> String {
        format!("(import \"{}\").{}", self.file, self.contract)
    }
}
