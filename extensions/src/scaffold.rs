//! New extensions: a folder that validates, passes its own tests and packs (extensions §1, §10).
//!
//! What is written are the examples of the author guide (`extensions/examples`) under another name, and a few files that
//! every extension should have. So the examples, the guide and what is written here cannot drift apart.

use crate::Name;
use drp_protocol::ExtensionType;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Why no extension was written. Nothing is left of it then.
#[derive(Debug, thiserror::Error)]
pub enum ScaffoldError {
    /// Something is where it would be.
    #[error("{} is there already: choose another name, or another folder with --dir", .0.display())]
    There(PathBuf),
    /// A file or folder failed.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// A verb such as `write`.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

macro_rules! files {
    ($root:literal: $($name:literal)*) => {
        &[$(($name, include_str!(concat!($root, "/", $name)))),*]
    };
}

type Files = &'static [(&'static str, &'static str)];

const PROVIDER: Files = files!("../examples/my-provider":
    "metadata.toml" "manifest.toml" "schemas/main.ncl" "schemas/settings.ncl" "schemas/version.ncl"
    "schemas/contracts.ncl" "nulib/mod.nu" "nulib/create.nu" "nulib/delete.nu" "nulib/utils.nu" "tests/unit_tests.nu"
    "examples/config.toml" "examples/settings.toml" "CHANGELOG.md");
const TASKSERV: Files = files!("../examples/my-service":
    "metadata.toml" "manifest.toml" "schemas/main.ncl" "schemas/settings.ncl" "schemas/version.ncl"
    "schemas/contracts.ncl" "nulib/mod.nu" "nulib/create.nu" "nulib/delete.nu" "nulib/utils.nu" "tests/unit_tests.nu"
    "examples/config.toml" "examples/settings.toml" "CHANGELOG.md");
const CLUSTER: Files = files!("../examples/my-cluster":
    "metadata.toml" "manifest.toml" "schemas/main.ncl" "schemas/cluster.ncl" "CHANGELOG.md");

const MORE_PROVIDER: Files = files!("scaffold":
    "provider/tests/integration_tests.nu" "provider/templates/cloud-init.j2" "provider/generate/generate.nu"
    "provider/README.md" "provider/API.md" "provider/EXAMPLES.md");
const MORE_TASKSERV: Files = files!("scaffold":
    "taskserv/tests/integration_tests.nu" "taskserv/templates/config.j2" "taskserv/generate/generate.nu"
    "taskserv/README.md" "taskserv/API.md" "taskserv/EXAMPLES.md");
const MORE_CLUSTER: Files = files!("scaffold":
    "cluster/tests/unit_tests.nu" "cluster/schemas/settings.ncl" "cluster/schemas/version.ncl"
    "cluster/schemas/contracts.ncl" "cluster/schemas/main.ncl" "cluster/templates/values.j2"
    "cluster/generate/generate.nu" "cluster/README.md" "cluster/API.md" "cluster/EXAMPLES.md");

/// The files of a new extension, by their names.
#[must_use]
pub fn files(kind: ExtensionType, name: &Name) -> Vec<(String, String)> {
    let (example, base, more) = match kind {
        ExtensionType::Provider => ("my-provider", PROVIDER, MORE_PROVIDER),
        ExtensionType::Taskserv => ("my-service", TASKSERV, MORE_TASKSERV),
        ExtensionType::Cluster => ("my-cluster", CLUSTER, MORE_CLUSTER),
    };
    let module = example.replace('-', "_");
    let prefix = format!("{kind}/");
    let more: Vec<(&str, &str)> =
        more.iter().map(|(file, text)| (file.strip_prefix(&prefix).unwrap_or(file), *text)).collect();
    let base = base.iter().copied().filter(|(file, _)| !more.iter().any(|(other, _)| other == file));
    let mut all: Vec<(String, String)> = base
        .chain(more.iter().copied())
        .map(|(file, text)| {
            // A new cluster depends on nothing yet; its component is an example to be replaced.
            let text = text.split("\n[dependencies.requires]").next().unwrap_or(text);
            // The module goes last, under a mark that is in no file: a name may itself hold `my_provider`.
            let text = text.replace(&module, "\0").replace(example, name.as_str());
            let mut text = text.replace('\0', &name.nickel_name());
            if !text.ends_with('\n') {
                text.push('\n');
            }
            (file.to_owned(), text)
        })
        .collect();
    all.sort();
    all
}

/// Writes a new extension into the folder `<parent>/<name>`, which must not be there, and returns it.
///
/// # Errors
/// [`ScaffoldError`].
pub fn write(kind: ExtensionType, name: &Name, parent: &Path) -> Result<PathBuf, ScaffoldError> {
    let failed = |what: &'static str, path: &Path| {
        let path = path.to_owned();
        move |source| ScaffoldError::Io { what, path, source }
    };
    let target = parent.join(name.as_str());
    if fs::symlink_metadata(&target).is_ok() {
        return Err(ScaffoldError::There(target));
    }
    fs::create_dir_all(parent).map_err(failed("make folder", parent))?;
    // Beside and renamed: the whole extension or nothing.
    let beside = tempfile::Builder::new()
        .prefix(".new-")
        .tempdir_in(parent)
        .map_err(failed("make a folder in", parent))?;
    let root = beside.path().join(name.as_str());
    for (file, text) in files(kind, name) {
        let path = root.join(&file);
        let folder = path.parent().unwrap_or(&root);
        fs::create_dir_all(folder).map_err(failed("make folder", folder))?;
        fs::write(&path, text).map_err(failed("write", &path))?;
    }
    fs::rename(&root, &target).map_err(failed("rename to", &target))?;
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Identity;

    #[test]
    fn every_type_is_written_whole_under_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let name: Name = "a_b-c9".parse().unwrap();
        for kind in ExtensionType::ALL {
            let parent = folder.path().join(kind.folder());
            let root = write(kind, &name, &parent).unwrap();
            let identity = Identity::read(&root).unwrap();
            assert_eq!((identity.name.as_str(), identity.r#type), ("a_b-c9", kind));
            for file in [
                "metadata.toml",
                "manifest.toml",
                "schemas/main.ncl",
                "schemas/settings.ncl",
                "schemas/version.ncl",
                "schemas/contracts.ncl",
                "tests/unit_tests.nu",
                "generate/generate.nu",
                "README.md",
                "API.md",
                "EXAMPLES.md",
                "CHANGELOG.md",
            ] {
                assert!(root.join(file).is_file(), "{kind}: {file}");
            }
            for (file, text) in files(kind, &name) {
                // A new cluster names an example of a component.
                let component = kind == ExtensionType::Cluster && file == "schemas/cluster.ncl";
                let left = ["my-provider", "my_provider", "my-cluster", "my_cluster"]
                    .iter()
                    .any(|n| text.contains(n));
                assert!(!left && (component || !text.contains("my-service")), "{kind}: {file}");
            }
            let own: Name = "an_old_my_cluster".parse().unwrap();
            assert!(files(kind, &own).iter().all(|(_, text)| !text.contains("an_old_an")));
            assert!(matches!(write(kind, &name, &parent), Err(ScaffoldError::There(_))));
            assert_eq!(fs::read_dir(&parent).unwrap().count(), 1, "nothing is left beside");
        }
    }
}
