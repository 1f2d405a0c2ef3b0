//! What servers boot.

use crate::failure::Failure;
use drp_plugin_sdk::{JsonSchema, schemars};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What a server boots: a disk of which it gets an overlay of its own, or a kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Image {
    /// Disk image, which stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) disk: Option<String>,
    /// Format of the disk image.
    #[serde(default)]
    pub(crate) format: Format,
    /// Kernel, which is started without a boot loader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kernel: Option<String>,
    /// Initial file system of the kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) initrd: Option<String>,
    /// Command line of the kernel.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) append: String,
    /// User that logs in over SSH.
    #[serde(default = "root")]
    pub(crate) user: String,
    /// How the server is told its name and keys.
    #[serde(default)]
    pub(crate) seed: Seed,
    /// When a server counts as ready for `wait`.
    #[serde(default)]
    pub(crate) ready: Ready,
}

fn root() -> String {
    "root".to_owned()
}

/// Format of a disk image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    #[default]
    Qcow2,
    Raw,
}

impl Format {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Qcow2 => "qcow2",
            Self::Raw => "raw",
        }
    }
}

/// How a server is told its name and the keys that may log in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Seed {
    /// `iso` for disks, `initrd` for kernels with an initial file system, else `none`.
    #[default]
    Auto,
    /// A disk called `cidata`, as cloud-init's NoCloud reads it.
    Iso,
    /// Files in `/drp` of the initial file system.
    Initrd,
    None,
}

/// When a server counts as ready.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ready {
    /// When its SSH server greets.
    #[default]
    Ssh,
    /// As soon as its processors run.
    Running,
}

impl Image {
    /// What `auto` comes to.
    pub(crate) fn seed(&self) -> Seed {
        match (self.seed, &self.disk, &self.initrd) {
            (Seed::Auto, Some(_), _) => Seed::Iso,
            (Seed::Auto, None, Some(_)) => Seed::Initrd,
            (Seed::Auto, None, None) => Seed::None,
            (said, _, _) => said,
        }
    }

    /// Why it cannot be, if so.
    pub(crate) fn problem(&self) -> Option<String> {
        if self.disk.is_none() && self.kernel.is_none() {
            return Some("it has neither disk nor kernel".into());
        }
        if self.kernel.is_none() && (self.initrd.is_some() || !self.append.is_empty()) {
            return Some("initrd and append are for kernels, and it has none".into());
        }
        if self.seed == Seed::Initrd && self.initrd.is_none() {
            return Some("its seed is initrd, and it has none".into());
        }
        if self.append.len() > 2000 || self.append.chars().any(char::is_control) {
            return Some("append is at most 2000 characters on one line".into());
        }
        let user = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if !self.user.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            || self.user.len() > 32
            || !self.user.chars().all(user)
        {
            return Some(format!("{:?} is not the name of a user", self.user));
        }
        self.files().find_map(|(what, path)| {
            let good = path.starts_with('/')
                && !path.chars().any(char::is_control)
                && !Path::new(path).components().any(|part| part.as_os_str() == "..");
            (!good).then(|| format!("{what} {path:?}: an absolute path without .. is wanted"))
        })
    }

    /// Its files.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [("disk", &self.disk), ("kernel", &self.kernel), ("initrd", &self.initrd)]
            .into_iter()
            .filter_map(|(what, path)| Some((what, path.as_deref()?)))
    }

    /// Refuses it when a file of it is not there.
    pub(crate) fn is_there(&self, name: &str) -> Result<(), Failure> {
        for (what, path) in self.files() {
            let meta =
                std::fs::metadata(path).map_err(Failure::io("find the image's file", Path::new(path)))?;
            if !meta.is_file() {
                return Err(Failure::Invalid(format!("image {name}: its {what} {path} is not a file")));
            }
        }
        Ok(())
    }
}
