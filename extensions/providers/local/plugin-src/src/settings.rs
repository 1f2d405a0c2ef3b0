//! Settings of the plugin. `schemas/settings.ncl` of the extension says the same as a contract.

use crate::failure::Failure;
use crate::firewall::Rule;
use crate::image::Image;
use crate::plan::{Plan, usual};
use drp_plugin_sdk::{JsonSchema, schemars};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Params of the plugin object.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(crate) struct Settings {
    /// Folder of the servers, absolute; `/var/lib/drp-local` when it is not said. It is made with mode 0700.
    #[serde(rename = "local-provider/state_dir")]
    pub(crate) state_dir: Option<String>,
    /// QEMU: a path, or a name on PATH.
    #[serde(rename = "local-provider/qemu", default = "qemu")]
    pub(crate) qemu: String,
    /// qemu-img: a path, or a name on PATH. Without it, disks are copied instead of layered.
    #[serde(rename = "local-provider/qemu_img", default = "qemu_img")]
    pub(crate) qemu_img: String,
    /// `kvm`, `tcg`, or `auto`: KVM where it works.
    #[serde(rename = "local-provider/accel", default)]
    pub(crate) accel: Accel,
    /// So many servers, at most.
    #[serde(rename = "local-provider/max_servers", default = "max_servers")]
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) max_servers: u32,
    /// MiB of memory of all servers together, at most.
    #[serde(rename = "local-provider/max_memory_mb", default = "max_memory_mb")]
    #[schemars(range(min = 32, max = 16_777_216))]
    pub(crate) max_memory_mb: u64,
    /// What servers boot, by the name that `os` of a server says.
    #[serde(rename = "local-provider/images", default)]
    pub(crate) images: BTreeMap<String, Image>,
    /// Sizes of servers.
    #[serde(rename = "local-provider/plans", default = "usual")]
    pub(crate) plans: Vec<Plan>,
    /// What servers get that say nothing.
    #[serde(rename = "local-provider/defaults", default)]
    pub(crate) defaults: Defaults,
    /// Seconds that a server may take to shut down before its QEMU is ended.
    #[serde(rename = "local-provider/stop_timeout", default = "stop_timeout")]
    #[schemars(range(min = 1, max = 3600))]
    pub(crate) stop_timeout: u64,
    /// Seconds that a server may take to be ready when one waits for it.
    #[serde(rename = "local-provider/ready_timeout", default = "ready_timeout")]
    #[schemars(range(min = 1, max = 3600))]
    pub(crate) ready_timeout: u64,
}

fn qemu() -> String {
    "qemu-system-x86_64".to_owned()
}
fn qemu_img() -> String {
    "qemu-img".to_owned()
}
fn max_servers() -> u32 {
    8
}
fn max_memory_mb() -> u64 {
    8192
}
fn stop_timeout() -> u64 {
    30
}
fn ready_timeout() -> u64 {
    180
}

/// How QEMU runs the processors of servers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Accel {
    #[default]
    Auto,
    Kvm,
    Tcg,
}

/// What servers get that say nothing.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Defaults {
    /// Plan.
    pub(crate) plan: Option<String>,
    /// Image.
    pub(crate) os: Option<String>,
    /// Public keys that may log in.
    #[serde(default)]
    pub(crate) ssh_keys: Vec<String>,
    /// Rules of the firewall.
    #[serde(default)]
    pub(crate) firewall_rules: Vec<Rule>,
}

impl Settings {
    /// What is wrong with them, all of it.
    pub(crate) fn problems(&self) -> Vec<Failure> {
        let mut found = Vec::new();
        let mut say = |field, problem: String| found.push(Failure::Setting { field, problem });
        if let Err(problem) = self.folder() {
            say("state_dir", problem);
        }
        for (field, program) in [("qemu", &self.qemu), ("qemu_img", &self.qemu_img)] {
            if program.is_empty() || program.starts_with('-') || program.chars().any(char::is_control) {
                say(field, format!("{program:?} is neither a path nor the name of a program"));
            }
        }
        for (field, value, most) in [
            ("max_servers", u64::from(self.max_servers), 1000),
            ("max_memory_mb", self.max_memory_mb, 16_777_216),
            ("stop_timeout", self.stop_timeout, 3600),
            ("ready_timeout", self.ready_timeout, 3600),
        ] {
            if value == 0 || value > most {
                say(field, format!("{value} is not from 1 to {most}"));
            }
        }
        for (name, image) in &self.images {
            if let Some(problem) = image.problem() {
                say("images", format!("{name}: {problem}"));
            }
        }
        if self.plans.is_empty() {
            say("plans", "there is none".into());
        }
        for (at, plan) in self.plans.iter().enumerate() {
            if let Some(problem) = plan.problem() {
                say("plans", problem);
            }
            if self.plans.iter().take(at).any(|other| other.name == plan.name) {
                say("plans", format!("{} is there twice", plan.name));
            }
        }
        found
    }

    /// The folder of the servers.
    pub(crate) fn folder(&self) -> Result<PathBuf, String> {
        let said = self.state_dir.as_deref().unwrap_or("/var/lib/drp-local");
        let path = Path::new(said);
        let good = path.is_absolute()
            && !said.chars().any(char::is_control)
            && !path.components().any(|part| part.as_os_str() == "..")
            && path.parent().is_some();
        if !good {
            return Err(format!("{said:?}: an absolute path without .. is wanted"));
        }
        // `<folder>/servers/vm-<12 digits>/console.sock` has to fit into the name of a socket.
        if said.len() > 70 {
            return Err(format!("{said:?}: at most 70 bytes, since names of sockets below it hold 107"));
        }
        Ok(path.to_owned())
    }

    pub(crate) fn plan(&self, name: &str) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.name == name)
    }

    pub(crate) fn stop_deadline(&self) -> Duration {
        Duration::from_secs(self.stop_timeout)
    }

    pub(crate) fn ready_deadline(&self) -> Duration {
        Duration::from_secs(self.ready_timeout)
    }
}
