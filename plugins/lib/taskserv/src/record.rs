//! The version record of a task service (`drp/taskserv.ncl`, `TaskservVersion`).

use crate::TaskservError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What is installed, from where, how it runs, and how to tell that it is well. The contract of the schemas says what each
/// field means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    pub(crate) name: String,
    #[serde(default = "first_version")]
    pub(crate) version: String,
    pub(crate) source: Source,
    pub(crate) install: Install,
    #[serde(default)]
    pub(crate) dependencies: Vec<Dependency>,
    #[serde(default)]
    pub(crate) service: Service,
    #[serde(default)]
    pub(crate) health_check: Option<HealthCheck>,
    #[serde(default)]
    pub(crate) config: Map<String, Value>,
    #[serde(default)]
    pub(crate) configurable: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SourceType {
    Github,
    Url,
    File,
    Inline,
    Package,
    None,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    #[serde(default = "github")]
    pub(crate) r#type: SourceType,
    #[serde(default)]
    pub(crate) repository: String,
    #[serde(default = "release_pattern")]
    pub(crate) release_pattern: String,
    #[serde(default = "asset")]
    pub(crate) asset: String,
    #[serde(default)]
    pub(crate) checksum_asset: Option<String>,
    #[serde(default)]
    pub(crate) checksums: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) content: Option<String>,
    #[serde(default)]
    pub(crate) versions: Vec<String>,
    #[serde(default)]
    pub(crate) releases: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Method {
    Binary,
    Package,
    Script,
    Container,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) from: String,
    #[serde(default)]
    pub(crate) to: Option<String>,
    #[serde(default = "executable")]
    pub(crate) mode: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Install {
    #[serde(default = "binary")]
    pub(crate) method: Method,
    pub(crate) binary_name: String,
    #[serde(default = "binary_path")]
    pub(crate) binary_path: String,
    #[serde(default)]
    pub(crate) files: Vec<File>,
    #[serde(default)]
    pub(crate) config_path: Option<String>,
    #[serde(default = "config_mode")]
    pub(crate) config_mode: String,
    #[serde(default)]
    pub(crate) data_path: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) version: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ServiceType {
    Systemd,
    Container,
    None,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Service {
    #[serde(default = "systemd")]
    pub(crate) r#type: ServiceType,
    #[serde(default)]
    pub(crate) unit: Option<String>,
    #[serde(default)]
    pub(crate) description: Option<String>,
    #[serde(default = "exec")]
    pub(crate) exec: Vec<String>,
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) working_directory: Option<String>,
    #[serde(default = "after")]
    pub(crate) after: Vec<String>,
    #[serde(default = "on_failure")]
    pub(crate) restart: String,
    #[serde(default = "root")]
    pub(crate) user: String,
    #[serde(default = "root")]
    pub(crate) group: String,
    #[serde(default)]
    pub(crate) ports: Vec<u16>,
}

impl Default for Service {
    fn default() -> Self {
        Self {
            r#type: systemd(),
            unit: None,
            description: None,
            exec: exec(),
            environment: BTreeMap::new(),
            working_directory: None,
            after: after(),
            restart: on_failure(),
            user: root(),
            group: root(),
            ports: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HealthType {
    Http,
    Tcp,
    Command,
    Systemd,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HealthCheck {
    #[serde(default = "http")]
    pub(crate) r#type: HealthType,
    #[serde(default)]
    pub(crate) endpoint: Option<String>,
    #[serde(default)]
    pub(crate) port: Option<u16>,
    #[serde(default)]
    pub(crate) command: Vec<String>,
    #[serde(default = "interval")]
    pub(crate) interval: f64,
    #[serde(default = "check_timeout")]
    pub(crate) timeout: f64,
    #[serde(default = "retries")]
    pub(crate) retries: u32,
}

fn first_version() -> String {
    "1.0.0".to_owned()
}
fn github() -> SourceType {
    SourceType::Github
}
fn release_pattern() -> String {
    "v{version}".to_owned()
}
fn asset() -> String {
    "{name}-{version}-{os}-{arch}.tar.gz".to_owned()
}
fn executable() -> String {
    "0755".to_owned()
}
fn binary() -> Method {
    Method::Binary
}
fn binary_path() -> String {
    "/usr/local/bin".to_owned()
}
fn config_mode() -> String {
    "0640".to_owned()
}
fn systemd() -> ServiceType {
    ServiceType::Systemd
}
fn exec() -> Vec<String> {
    vec!["{binary}".to_owned()]
}
fn after() -> Vec<String> {
    vec!["network-online.target".to_owned()]
}
fn on_failure() -> String {
    "on-failure".to_owned()
}
fn root() -> String {
    "root".to_owned()
}
fn http() -> HealthType {
    HealthType::Http
}
fn interval() -> f64 {
    30.0
}
fn check_timeout() -> f64 {
    5.0
}
fn retries() -> u32 {
    3
}

impl Record {
    /// Reads and judges a record.
    ///
    /// # Errors
    /// Names the field that cannot be.
    pub(crate) fn read(value: &Value) -> Result<Self, TaskservError> {
        // `schemas/version.ncl` has it as a field.
        let value = value.get("taskserv_version").unwrap_or(value);
        let record: Self = serde_json::from_value(value.clone())
            .map_err(|error| TaskservError::Record(shortened(&error.to_string())))?;
        record.judge()?;
        Ok(record)
    }

    /// The record of one installation: what `configurable` allows is replaced, and `config` completed.
    ///
    /// # Errors
    /// Names the field that is unknown or cannot be.
    pub(crate) fn of_installation(&self, config: &Map<String, Value>) -> Result<Self, TaskservError> {
        let mut value = serde_json::to_value(self).map_err(|e| TaskservError::Record(e.to_string()))?;
        for (field, wish) in config {
            if self.configurable.contains(field) {
                merge(&mut value[field], wish);
            } else if let Some(own) = self.config.get(field) {
                if !own.is_null() && std::mem::discriminant(own) != std::mem::discriminant(wish) {
                    return Err(TaskservError::Config(format!(
                        "config.{field} is {}, but {} is wanted",
                        kind(wish),
                        kind(own)
                    )));
                }
                value["config"][field] = wish.clone();
            } else {
                let known: Vec<_> = self.configurable.iter().chain(self.config.keys()).cloned().collect();
                let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
                return Err(TaskservError::Config(format!(
                    "config.{} is unknown; {} takes {known}, and target",
                    shortened(field),
                    self.name
                )));
            }
        }
        let record: Self = serde_json::from_value(value)
            .map_err(|error| TaskservError::Config(shortened(&error.to_string())))?;
        record.judge().map_err(|error| TaskservError::Config(error.to_string()))?;
        Ok(record)
    }

    /// Name of its unit, without `.service`.
    pub(crate) fn unit(&self) -> &str {
        self.service.unit.as_deref().unwrap_or(&self.name)
    }

    /// What the contract says too: records of installations do not pass through it.
    fn judge(&self) -> Result<(), TaskservError> {
        let wrong = |field: &str, text: &str, wanted: &str| {
            TaskservError::Record(format!("{field} is {:?}: {wanted}", shortened(text)))
        };
        for (field, name) in [("name", self.name.as_str()), ("service.unit", self.unit())] {
            if !is_name(name) {
                return Err(wrong(field, name, "lower-case letters and digits, in parts that - or _ joins"));
            }
        }
        if version(&self.version).is_none() {
            return Err(wrong("version", &self.version, "MAJOR.MINOR.PATCH is wanted"));
        }
        for (field, path) in [
            ("install.binary_path", Some(&self.install.binary_path)),
            ("install.config_path", self.install.config_path.as_ref()),
            ("install.data_path", self.install.data_path.as_ref()),
            ("service.working_directory", self.service.working_directory.as_ref()),
        ] {
            if let Some(path) = path.filter(|path| !is_path(path)) {
                return Err(wrong(field, path, "an absolute path without .. is wanted"));
            }
        }
        let name = &self.install.binary_name;
        if !is_file_name(name) {
            return Err(wrong("install.binary_name", name, "a file name is wanted"));
        }
        for file in &self.install.files {
            let inside = !file.from.starts_with('/') && is_path(&format!("/{}", file.from));
            if !inside {
                return Err(wrong("install.files.from", &file.from, "a path within the archive is wanted"));
            }
            if let Some(to) = file.to.as_ref().filter(|to| !is_path(to) && !is_file_name(to)) {
                return Err(wrong("install.files.to", to, "a file name or an absolute path is wanted"));
            }
        }
        let modes = self.install.files.iter().map(|file| &file.mode).chain([&self.install.config_mode]);
        for mode in modes {
            if !(3..=4).contains(&mode.len())
                || u32::from_str_radix(mode, 8).is_err()
                || mode.len() == 4 && !mode.starts_with('0')
            {
                return Err(wrong("a mode", mode, "three octal digits are wanted"));
            }
        }
        for (field, user) in [("service.user", &self.service.user), ("service.group", &self.service.group)] {
            if !is_user(user) {
                return Err(wrong(field, user, "a user name is wanted: letters, digits, . - and _"));
            }
        }
        for variable in self.service.environment.keys() {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if variable.is_empty()
                || !variable.chars().all(fits)
                || variable.starts_with(|c: char| c.is_ascii_digit())
            {
                return Err(wrong("service.environment", variable, "a name of a variable is wanted"));
            }
        }
        for unit in &self.service.after {
            if unit.is_empty()
                || unit.starts_with('-')
                || !unit.chars().all(|c| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c))
            {
                return Err(wrong("service.after", unit, "names of units are wanted"));
            }
        }
        if !["no", "on-failure", "always"].contains(&self.service.restart.as_str()) {
            return Err(wrong(
                "service.restart",
                &self.service.restart,
                "no, on-failure or always is wanted",
            ));
        }
        if self.service.exec.is_empty() {
            return Err(wrong("service.exec", "", "a command is wanted"));
        }
        let texts = self.service.exec.iter().chain(self.service.environment.values());
        let texts = texts.chain(self.health_check.iter().flat_map(|check| &check.command));
        for text in texts {
            if text.contains('\0') {
                return Err(wrong("service", text, "no text has a NUL character"));
            }
        }
        if let Some(check) = &self.health_check {
            let lacks = match check.r#type {
                HealthType::Http => check.endpoint.as_ref().is_none_or(|url| !is_url(url)),
                HealthType::Tcp => check.port.is_none(),
                HealthType::Command => check.command.is_empty(),
                HealthType::Systemd => false,
            };
            if lacks {
                return Err(wrong(
                    "health_check",
                    "",
                    "http needs a URL as endpoint, tcp a port, command a command",
                ));
            }
            let seconds = |value: f64| value > 0.0 && value <= 86_400.0;
            if !seconds(check.interval)
                || !seconds(check.timeout)
                || check.retries == 0
                || check.retries > 10_000
            {
                return Err(wrong("health_check", "", "interval and timeout are seconds, retries 1 or more"));
            }
        }
        self.judge_source()
    }

    fn judge_source(&self) -> Result<(), TaskservError> {
        let wrong = |field: &str, text: &str, wanted: &str| {
            TaskservError::Record(format!("source.{field} is {:?}: {wanted}", shortened(text)))
        };
        let Source { r#type, repository, asset, checksums, content, releases, .. } = &self.source;
        let owner_and_name =
            || repository.split_once('/').is_some_and(|(a, b)| is_file_name(a) && is_file_name(b));
        match r#type {
            SourceType::Github if !owner_and_name() => {
                return Err(wrong("repository", repository, "OWNER/NAME is wanted"));
            }
            SourceType::Url if !is_url(repository) => {
                return Err(wrong("repository", repository, "a URL without user and password is wanted"));
            }
            SourceType::Inline if content.as_ref().is_none_or(String::is_empty) => {
                return Err(wrong("content", "", "the text of the program is wanted"));
            }
            _ => {}
        }
        if !is_file_name(asset) {
            return Err(wrong("asset", asset, "a file name is wanted"));
        }
        for sum in checksums.values() {
            if sum.len() != 64 || !sum.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
                return Err(wrong("checksums", sum, "64 lower-case hex digits are wanted"));
            }
        }
        if let Some(url) = releases.as_ref().filter(|url| !is_url(url)) {
            return Err(wrong("releases", url, "a URL without user and password is wanted"));
        }
        Ok(())
    }
}

/// A version, with or without a leading `v`.
pub(crate) fn version(text: &str) -> Option<semver::Version> {
    semver::Version::parse(text.strip_prefix('v').unwrap_or(text)).ok()
}

fn is_name(text: &str) -> bool {
    let part =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.len() <= 100
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.split(['-', '_']).all(part)
}

/// An absolute path below `/` without `..`, of characters that can be shown.
pub(crate) fn is_path(text: &str) -> bool {
    text.starts_with('/')
        && !text.trim_matches('/').is_empty()
        && text.len() <= 1000
        && !text.chars().any(char::is_control)
        && !text.split('/').any(|part| part == ".." || part == ".")
}

fn is_file_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 200
        && text != "."
        && text != ".."
        && !text.starts_with('-')
        && !text.chars().any(|c| c == '/' || c.is_control())
}

fn is_user(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 32
        && !text.starts_with(['-', '.'])
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

pub(crate) fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest else { return false };
    let host = rest.split('/').next().unwrap_or_default();
    !host.is_empty() && !host.contains('@') && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// Puts a record over another one, field by field.
fn merge(under: &mut Value, over: &Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (field, value) in over {
                merge(under.entry(field.clone()).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over.clone(),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a record",
    }
}

/// The beginning of a text in errors, on one line.
pub(crate) fn shortened(text: &str) -> String {
    let mut short: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    if text.chars().count() > 200 {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record() -> Value {
        json!({"name": "s", "source": {"type": "none"}, "install": {"binary_name": "s"}})
    }

    #[test]
    fn every_field_of_an_installation_is_judged() {
        let mut value = record();
        value["configurable"] = json!(["name", "version", "source", "install", "service", "health_check"]);
        value["config"] = json!({"workers": 2, "any": null});
        let record = Record::read(&value).unwrap();
        for (config, words) in [
            (json!({"name": "a; reboot"}), "name"),
            (json!({"name": "../x"}), "name"),
            (json!({"version": "$(id)"}), "version"),
            (json!({"service": {"unit": "a b"}}), "service.unit"),
            (json!({"service": {"user": "-x"}}), "service.user"),
            (json!({"service": {"group": "a:b"}}), "service.group"),
            (json!({"service": {"after": ["a\nExecStart=/bin/sh"]}}), "service.after"),
            (json!({"service": {"environment": {"A B": "x"}}}), "service.environment"),
            (json!({"service": {"exec": []}}), "service.exec"),
            (json!({"service": {"exec": ["a\0b"]}}), "NUL"),
            (json!({"service": {"restart": "x\ny"}}), "service.restart"),
            (json!({"install": {"binary_path": "/a/../b"}}), "binary_path"),
            (json!({"install": {"data_path": "/"}}), "data_path"),
            (json!({"install": {"config_path": "relative"}}), "config_path"),
            (json!({"install": {"binary_name": "a/b"}}), "binary_name"),
            (json!({"install": {"files": [{"from": "../../etc/shadow"}]}}), "files.from"),
            (json!({"install": {"files": [{"from": "a", "mode": "4755"}]}}), "mode"),
            (json!({"source": {"type": "url", "repository": "http://u:p@h/"}}), "repository"),
            (json!({"source": {"type": "url", "repository": "file:///etc/shadow"}}), "repository"),
            (json!({"source": {"asset": "a/../../b"}}), "asset"),
            (json!({"source": {"checksums": {"a": "short"}}}), "checksums"),
            (json!({"source": {"nothing": 1}}), "unknown field"),
            (json!({"health_check": {"type": "tcp"}}), "health_check"),
            (json!({"health_check": {"type": "http", "endpoint": "gopher://x"}}), "health_check"),
            (json!({"workers": "many"}), "config.workers is a text, but a number is wanted"),
            (json!({"wrokers": 1}), "config.wrokers is unknown"),
        ] {
            let error = record.of_installation(config.as_object().unwrap()).unwrap_err().to_string();
            assert!(error.contains(words), "{config}: {error}");
        }
        let config = json!({"name": "t", "workers": 3, "any": ["x"], "service": {"user": "nobody"}});
        let ours = record.of_installation(config.as_object().unwrap()).unwrap();
        assert_eq!((ours.name.as_str(), ours.unit()), ("t", "t"));
        assert_eq!((ours.service.user.as_str(), ours.service.group.as_str()), ("nobody", "root"));
        assert_eq!(ours.config["workers"], 3);
    }

    #[test]
    fn what_a_record_does_not_open_stays_closed() {
        let record = Record::read(&record()).unwrap();
        let config = json!({"source": {"type": "url", "repository": "http://evil/"}});
        let error = record.of_installation(config.as_object().unwrap()).unwrap_err().to_string();
        assert!(error.contains("config.source is unknown"), "{error}");
    }
}
