//! Who an extension is, read without evaluating anything: enough to list it and to find it.

use crate::toml::json;
use drp_protocol::ExtensionType;
use serde::Serialize;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use toml_edit::DocumentMut;

/// Longest manifest, in bytes.
pub(crate) const MANIFEST: u64 = 1 << 20;

/// Name, type and version of an extension in a folder. What else its manifest says is for validation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// Its name, as its manifest writes it.
    pub name: String,
    /// What it is.
    pub r#type: ExtensionType,
    /// Its version.
    pub version: String,
    /// One sentence.
    pub description: String,
    /// Its licence; may be empty.
    pub license: String,
    /// Where its files are.
    pub root: PathBuf,
}

impl Identity {
    /// Reads `metadata.toml`, or where there is none `extension.yaml`.
    ///
    /// # Errors
    /// What is wrong, with the name of the file.
    pub fn read(root: &Path) -> Result<Self, String> {
        let (file, manifest) = manifest(root)?;
        let extension =
            manifest.get("extension").ok_or_else(|| format!("{file} has no section `extension`"))?;
        let field = |name: &str| extension.get(name).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
        let name = field("name");
        if !is_name(&name) {
            return Err(format!(
                "{file}: the name {name:?} is none: lower-case letters and digits, - or _ between, a letter first"
            ));
        }
        let r#type = field("type").parse().map_err(|error| format!("{file}: {error}"))?;
        let version = field("version");
        let version = version.strip_prefix('v').unwrap_or(&version).to_owned();
        semver::Version::parse(&version)
            .map_err(|error| format!("{file}: {version:?} is no version such as 1.2.3: {error}"))?;
        let (description, license) = (field("description"), field("license"));
        Ok(Self { name, r#type, version, description, license, root: root.to_owned() })
    }

    /// Its Nickel module and the first part of its pack's file name: `upcloud_prov`.
    #[must_use]
    pub fn module(&self) -> String {
        module_name(self.r#type, &self.name)
    }

    /// The folder of its schemas: `schemas`, or `nickel`, which providers may have instead.
    #[must_use]
    pub fn schemas(&self) -> Option<PathBuf> {
        ["schemas", "nickel"].iter().map(|name| self.root.join(name)).find(|path| path.is_dir())
    }
}

/// What its pack and its Nickel module are called (extensions §5, §9): `-` is no character of a Nickel import name.
#[must_use]
pub fn module_name(kind: ExtensionType, name: &str) -> String {
    let ending = match kind {
        ExtensionType::Provider => "prov",
        ExtensionType::Taskserv => "taskserv",
        ExtensionType::Cluster => "cluster",
    };
    format!("{}_{ending}", name.replace('-', "_"))
}

/// Whether a text is a name of an extension (extensions §1).
#[must_use]
pub fn is_name(text: &str) -> bool {
    text.parse::<crate::Name>().is_ok()
}

/// Whether two names are of the same extension: `-` and `_` are the same.
#[must_use]
pub fn same_name(one: &str, other: &str) -> bool {
    one.replace('-', "_") == other.replace('-', "_")
}

/// Whether a folder says that it is an extension.
#[must_use]
pub(crate) fn has_manifest(root: &Path) -> bool {
    ["metadata.toml", "extension.yaml", "extension.yml"].iter().any(|file| root.join(file).is_file())
}

/// The manifest as a value, and the name of its file.
pub(crate) fn manifest(root: &Path) -> Result<(&'static str, serde_json::Value), String> {
    let files = ["metadata.toml", "extension.yaml", "extension.yml"];
    let Some(file) = files.into_iter().find(|file| root.join(file).is_file()) else {
        return Err("it has neither metadata.toml nor extension.yaml".into());
    };
    Ok((file, value(file, &read_text(&root.join(file))?)?))
}

/// The value of a TOML or YAML text, by the name of its file.
pub(crate) fn value(file: &str, text: &str) -> Result<serde_json::Value, String> {
    if file.ends_with(".toml") {
        let document: DocumentMut = text.parse().map_err(|error| format!("{file}: {error}"))?;
        return Ok(json(document.as_item()));
    }
    serde_yaml_ng::from_str(text).map_err(|error| format!("{file}: {error}"))
}

/// A text file of ours, of bounded length.
pub(crate) fn read_text(path: &Path) -> Result<String, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MANIFEST + 1).read_to_string(&mut text));
    read.map_err(|error| format!("{name} cannot be read: {error}"))?;
    if text.len() as u64 > MANIFEST {
        return Err(format!("{name} is longer than {MANIFEST} bytes"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str, text: &str) -> Result<Identity, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(file), text).unwrap();
        Identity::read(folder.path())
    }

    #[test]
    fn both_manifests_tell_who_it_is() {
        let toml = "[extension]\nname = \"up-cloud\"\ntype = \"provider\"\nversion = \"v1.2.3\"\n[regions]\nsince = 2026-01-01\n";
        let yaml = "extension:\n  name: up-cloud\n  type: provider\n  version: 1.2.3\n";
        for (file, text) in [("metadata.toml", toml), ("extension.yaml", yaml)] {
            let identity = read(file, text).unwrap();
            assert_eq!((identity.module().as_str(), identity.version.as_str()), ("up_cloud_prov", "1.2.3"));
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_the_file() {
        let with = |name: &str, kind: &str, version: &str| {
            format!("[extension]\nname = {name:?}\ntype = \"{kind}\"\nversion = \"{version}\"\n")
        };
        let cases = [
            (with("../x", "provider", "1.0.0"), "is none"),
            (with("a$(id)", "provider", "1.0.0"), "is none"),
            (with("a\nb", "provider", "1.0.0"), "is none"),
            (with("a", "plugin", "1.0.0"), "no type"),
            (with("a", "provider", "../1"), "no version"),
            ("[other]\n".into(), "no section"),
            ("extension = 5\n".into(), "is none"),
            ("not toml".into(), "metadata.toml"),
            ("#".repeat(2 << 20), "longer than"),
        ];
        for (text, why) in cases {
            let error = read("metadata.toml", &text).unwrap_err();
            assert!(error.contains(why) && error.contains("metadata.toml"), "{error}");
        }
        assert!(read("README.md", "").unwrap_err().contains("neither"));
    }
}
