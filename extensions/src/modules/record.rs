//! `providers.manifest.yaml`: what is installed in an infrastructure.

use super::{ModuleError, in_the_way, read as read_text, write as write_text};
use crate::identity::{is_name, module_name};
use drp_protocol::ExtensionType;
use serde::{Deserialize, Serialize};
use std::path::{Component, Path};

const HEAD: &str = "# What `drp providers` and `drp pack install` put here. Keep it in version control: `drp providers sync` makes the\n# links again from it.\n";

/// How a module is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The folder of its sources; edits are seen at once.
    Linked,
    /// A pack, in `vendor/`.
    Packed,
}

/// An installed module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// The extension's name.
    pub name: String,
    /// What it is.
    pub r#type: ExtensionType,
    /// The name of its Nickel module.
    pub module: String,
    /// The version that was installed.
    pub version: String,
    /// How.
    pub mode: Mode,
    /// Its folder; relative to that of the infrastructure, unless it is outside of the project.
    pub source: String,
    /// The folder of its schemas in that.
    pub schemas: String,
    /// SHA-256 of the pack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// SHA-256 of its files as they were unpacked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

impl Installed {
    /// The path of the dependency in `manifest.toml`.
    pub(super) fn dependency(&self) -> String {
        match self.mode {
            Mode::Linked => format!("./{}/{}", super::LINKS, self.module),
            Mode::Packed => format!("./{}/{}", super::VENDOR, self.module),
        }
    }

    /// The file is edited by hand and merged, and its names become paths.
    pub(super) fn wrong(&self) -> Option<String> {
        let one = |text: &str| {
            let mut parts = Path::new(text).components();
            matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
        };
        if !is_name(&self.name) || self.module != module_name(self.r#type, &self.name) {
            return Some(format!("{:?} is not the module of a {} {:?}", self.module, self.r#type, self.name));
        }
        if !one(&self.schemas) {
            return Some(format!("the schemas {:?} of {} are no folder", self.schemas, self.name));
        }
        if self.mode == Mode::Packed && self.source != format!("{}/{}", super::VENDOR, self.module) {
            return Some(format!("the pack {} is not in {}/{}", self.name, super::VENDOR, self.module));
        }
        None
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Records {
    #[serde(default)]
    providers: Vec<Installed>,
}

pub(super) fn read(path: &Path) -> Result<Vec<Installed>, ModuleError> {
    let Some(text) = read_text(path)? else { return Ok(Vec::new()) };
    let wrong = |why: String| in_the_way(path, format!("is not right: {why}"));
    let records: Option<Records> =
        serde_yaml_ng::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let records = records.unwrap_or_default().providers;
    for (at, one) in records.iter().enumerate() {
        if let Some(why) = one.wrong() {
            return Err(wrong(why));
        }
        if records[..at].iter().any(|other| other.module == one.module) {
            return Err(wrong(format!("{} is there twice", one.module)));
        }
    }
    Ok(records)
}

/// Puts the record of a module in, or takes it out. A file without records goes.
pub(super) fn put(path: &Path, module: &str, record: Option<&Installed>) -> Result<(), ModuleError> {
    let mut records = read(path)?;
    records.retain(|one| one.module != module);
    records.extend(record.cloned());
    records.sort_by(|a, b| a.module.cmp(&b.module));
    if records.is_empty() {
        return super::change::gone(path);
    }
    let body = serde_yaml_ng::to_string(&Records { providers: records })
        .map_err(|error| in_the_way(path, format!("cannot be written: {error}")))?;
    write_text(path, &format!("{HEAD}{body}"))
}
