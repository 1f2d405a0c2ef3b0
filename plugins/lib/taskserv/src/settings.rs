//! Settings of the plugin, and the machine that they and `config.target` name.

use crate::TaskservError;
use crate::machine::Machine;
use crate::record::{is_path, is_url};
use drp_protocol::{JsonMap, Secret};
use drp_ssh::{KnownHosts, Login, Names, Ssh, SshKey, Target};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Settings that are of the way to the machine and of the host: templates do not see them.
const OWN: [&str; 12] = [
    "host",
    "port",
    "user",
    "ssh_key",
    "password",
    "known_hosts",
    "sudo",
    "root",
    "mirror",
    "releases",
    "files",
    "timeout",
];
/// What `config.target` may say.
const OF_TARGET: [&str; 6] = ["host", "port", "user", "known_hosts", "sudo", "root"];
/// What it must not say: params of actions are shown in events, and clusters store them.
const SECRET: [&str; 2] = ["ssh_key", "password"];
/// So many connections are remembered.
const CONNECTIONS: usize = 256;

/// `drp/taskserv.ncl`, `TaskservSettings`.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    all: JsonMap,
    plugin: String,
}

#[derive(Deserialize)]
struct Own {
    host: Option<String>,
    #[serde(default = "ssh")]
    port: u16,
    #[serde(default = "root_user")]
    user: String,
    ssh_key: Option<String>,
    password: Option<String>,
    known_hosts: Option<String>,
    #[serde(default)]
    sudo: bool,
    #[serde(default = "slash")]
    root: String,
    mirror: Option<String>,
    releases: Option<String>,
    files: Option<PathBuf>,
    #[serde(default = "timeout")]
    timeout: f64,
}

fn ssh() -> u16 {
    22
}
fn root_user() -> String {
    "root".to_owned()
}
fn slash() -> String {
    "/".to_owned()
}
fn timeout() -> f64 {
    300.0
}

/// Where files come from, apart from the machine.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    pub(crate) mirror: Option<String>,
    pub(crate) releases: Option<String>,
    pub(crate) files: Option<PathBuf>,
}

impl Settings {
    pub(crate) fn new(plugin: &str, all: JsonMap) -> Self {
        Self { all, plugin: plugin.to_owned() }
    }

    /// What templates get as `settings`.
    pub(crate) fn of_templates(&self) -> JsonMap {
        self.all
            .iter()
            .filter(|(name, _)| !OWN.contains(&name.as_str()))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect()
    }

    fn own(&self, target: Option<&Value>) -> Result<Own, TaskservError> {
        let mut fields: JsonMap = self
            .all
            .iter()
            .filter(|(name, value)| OWN.contains(&name.as_str()) && !value.is_null())
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        match target {
            None | Some(Value::Null) => {}
            Some(Value::Object(target)) => {
                if let Some(name) = SECRET.into_iter().find(|name| target.contains_key(*name)) {
                    return Err(TaskservError::Config(format!(
                        "config.target.{name} is refused, because events show what an action is called with: set {} instead, and \
                         take another {name}, for this one was shown",
                        self.param(name)
                    )));
                }
                if let Some(odd) = target.keys().find(|name| !OF_TARGET.contains(&name.as_str())) {
                    return Err(TaskservError::Config(format!(
                        "config.target.{} is unknown; it takes {}",
                        crate::record::shortened(odd),
                        OF_TARGET.join(", ")
                    )));
                }
                // Whoever says which host key is believed could have the password sent to a host of his own. A key is
                // never sent.
                if target.contains_key("known_hosts") {
                    fields.remove("password");
                }
                fields.extend(target.iter().map(|(k, v)| (k.clone(), v.clone())));
            }
            Some(_) => return Err(TaskservError::Config("config.target is no record".to_owned())),
        }
        // Values may be secret: only the names of fields are told.
        for (name, value) in &fields {
            let fits = match name.as_str() {
                "port" => value.as_u64().is_some_and(|port| (1..=65_535).contains(&port)),
                "sudo" => value.is_boolean(),
                "timeout" => value.as_f64().is_some_and(|seconds| seconds > 0.0 && seconds <= 86_400.0),
                _ => value.is_string(),
            };
            if !fits {
                return Err(TaskservError::Config(format!(
                    "{} or config.target.{name} does not fit",
                    self.param(name)
                )));
            }
        }
        serde_json::from_value(Value::Object(fields))
            .map_err(|_| TaskservError::Settings(format!("settings of {} do not fit", self.plugin)))
    }

    fn param(&self, name: &str) -> String {
        format!("{}/{name}", self.plugin)
    }

    pub(crate) fn sources(&self) -> Result<Sources, TaskservError> {
        let Own { mirror, releases, files, .. } = self.own(None)?;
        for (name, url) in [("mirror", &mirror), ("releases", &releases)] {
            if url.as_ref().is_some_and(|url| !is_url(url)) {
                return Err(TaskservError::Settings(format!(
                    "{} is no URL without user and password",
                    self.param(name)
                )));
            }
        }
        Ok(Sources { mirror, releases, files })
    }

    /// The folder that all paths on the machine are put below, without a slash at its end. No credentials are needed.
    pub(crate) fn root(&self, target: Option<&Value>) -> Result<String, TaskservError> {
        let root = self.own(target)?.root;
        if root.trim_matches('/').is_empty() {
            return Ok(String::new());
        }
        if !is_path(&root) {
            return Err(TaskservError::Settings(format!(
                "{} is no absolute path without ..",
                self.param("root")
            )));
        }
        Ok(root.trim_end_matches('/').to_owned())
    }

    /// The machine.
    pub(crate) fn machine(
        &self,
        target: Option<&Value>,
        connections: &Connections,
    ) -> Result<Machine, TaskservError> {
        let root = self.root(target)?;
        let own = self.own(target)?;
        let missing = |name: &str, why: &str| {
            TaskservError::Settings(format!("set {} or config.target.{name}: {why}", self.param(name)))
        };
        let Some(host) = own.host.filter(|host| !host.is_empty()) else {
            return Err(missing("host", "the machine is not known"));
        };
        if host.starts_with('-')
            || host.chars().any(|c| c.is_control() || c.is_whitespace())
            || host.len() > 255
        {
            return Err(TaskservError::Config("the host of the machine is no host name".to_owned()));
        }
        let known = own.known_hosts.unwrap_or_default();
        let (key_text, password) = (own.ssh_key.map(Secret::new), own.password.map(Secret::new));
        if key_text.is_none() && password.is_none() {
            return Err(missing("ssh_key", "there is neither key nor password to log in with"));
        }
        let mut digest = Sha256::new();
        let port = own.port.to_string();
        let login =
            [key_text.as_ref(), password.as_ref()].map(|secret| secret.map_or("", |s| s.expose().as_str()));
        for part in [host.as_str(), &port, &own.user, &known].into_iter().chain(login) {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
        let id: [u8; 32] = digest.finalize().into();
        let key = match &key_text {
            None => None,
            Some(text) => Some(
                SshKey::parse(text)
                    .map_err(|why| TaskservError::Settings(format!("{} {why}", self.param("ssh_key"))))?,
            ),
        };
        let target = Target {
            host,
            port: own.port,
            user: own.user,
            login: Login { key, password },
            known_hosts: Arc::new(KnownHosts::parse(&known)),
            names: Arc::new(Names {
                host: self.param("host"),
                port: self.param("port"),
                user: self.param("user"),
                key: self.param(if key_text.is_some() { "ssh_key" } else { "password" }),
                known_hosts: self.param("known_hosts"),
                unlock: format!("set a setting of {} again, which starts it anew", self.plugin),
            }),
        };
        Ok(Machine {
            ssh: connections.of(id, target),
            prefix: if own.sudo { vec!["sudo".to_owned(), "-n".to_owned()] } else { Vec::new() },
            root,
            timeout: Duration::from_secs_f64(own.timeout),
        })
    }
}

/// Names only: values may be secret.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.all.keys()).finish()
    }
}

/// Connections to machines, so that a login that was refused is known to be.
#[derive(Debug, Default)]
pub(crate) struct Connections(Mutex<HashMap<[u8; 32], Arc<Ssh>>>);

impl Connections {
    fn of(&self, id: [u8; 32], target: Target) -> Arc<Ssh> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= CONNECTIONS && !all.contains_key(&id) {
            all.retain(|_, ssh| Arc::strong_count(ssh) > 1);
        }
        all.entry(id).or_insert_with(|| Arc::new(Ssh::new(target))).clone()
    }

    /// Says goodbye to a machine that nobody works with any more.
    pub(crate) async fn done(&self, machine: Machine) {
        let ssh = machine.ssh;
        // One is ours, one is the list's.
        if Arc::strong_count(&ssh) <= 2 {
            ssh.close().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings(value: Value) -> Settings {
        Settings::new("web-taskserv", value.as_object().unwrap().clone())
    }

    #[test]
    fn what_is_missing_or_odd_is_named_and_never_shown() {
        let all = Connections::default();
        for (own, target, words) in [
            (json!({}), json!(null), "set web-taskserv/host or config.target.host"),
            (json!({"host": "h"}), json!(null), "web-taskserv/ssh_key"),
            (
                json!({"host": "h", "ssh_key": "hunter2"}),
                json!(null),
                "web-taskserv/ssh_key is not a private key",
            ),
            (json!({"password": "p"}), json!({"host": "-oProxyCommand=x"}), "no host name"),
            (json!({}), json!({"host": "h", "password": "hunter2"}), "config.target.password is refused"),
            (json!({}), json!({"ssh_key": "hunter2"}), "config.target.ssh_key is refused"),
            (
                json!({"password": "hunter2"}),
                json!({"host": "h", "known_hosts": "h k"}),
                "neither key nor password",
            ),
            (json!({}), json!({"host": "h", "port": 0}), "config.target.port does not fit"),
            (json!({}), json!({"hots": "h"}), "config.target.hots is unknown"),
            (json!({}), json!("h"), "no record"),
            (json!({"root": "/a/../b", "host": "h", "password": "p"}), json!(null), "web-taskserv/root"),
        ] {
            let error = settings(own).machine(Some(&target), &all).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains("hunter2"), "{error}");
        }
        let machine = settings(json!({"host": "h", "password": "p", "root": "/srv/x/", "sudo": true}))
            .machine(None, &all)
            .unwrap();
        assert_eq!((machine.at("/etc/a"), machine.prefix.len()), ("/srv/x/etc/a".to_owned(), 2));
    }

    #[test]
    fn templates_do_not_see_credentials() {
        let all = settings(json!({"host": "h", "ssh_key": "k", "password": "p", "registry_password": "r"}));
        assert_eq!(Value::Object(all.of_templates()), json!({"registry_password": "r"}));
    }
}
