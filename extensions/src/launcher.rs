//! The file in the plugin directory that makes a plugin provider of a registered extension.
//!
//! It is a short shell script which replaces itself (`exec`) by the program that hosts the extension, so the plugin
//! host sees one process, as with any plugin. Nothing of the extension but its paths and digest is written into it, and
//! those are quoted.

use crate::HostingError;
use drp_protocol::{ExtensionType, HostedExtension};
use std::path::{Path, PathBuf};

/// The programs that host extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// The Nushell plugin, `nushell`.
    pub nushell: PathBuf,
    /// The cluster engine, `cluster`.
    pub cluster: PathBuf,
    /// The host of task services without code, `taskserv`.
    pub taskserv: PathBuf,
}

impl Programs {
    /// Those beside the running program.
    ///
    /// # Errors
    /// When the running program cannot tell where it is.
    pub fn beside_this_program() -> std::io::Result<Self> {
        let program = std::env::current_exe()?;
        let dir = program.parent().unwrap_or(Path::new("/"));
        Ok(Self {
            nushell: dir.join("nushell"),
            cluster: dir.join("cluster"),
            taskserv: dir.join("taskserv"),
        })
    }

    /// Each from the first of these folders that has it; where none has, its path in the first folder, so that errors
    /// can name it.
    #[must_use]
    pub fn in_folders(folders: &[PathBuf]) -> Self {
        let find = |name: &str| {
            let mut places = folders.iter().map(|folder| folder.join(name));
            let found = places.find(|file| is_program(file));
            found.unwrap_or_else(|| folders.first().map_or_else(|| name.into(), |folder| folder.join(name)))
        };
        Self { nushell: find("nushell"), cluster: find("cluster"), taskserv: find("taskserv") }
    }

    /// Whether the program that hosts an extension is there.
    ///
    /// # Errors
    /// [`HostingError::Absent`], with where it belongs.
    pub fn has(&self, host: &HostedBy) -> Result<(), HostingError> {
        let (name, path) = match host {
            HostedBy::Itself(_) => return Ok(()),
            HostedBy::Nushell => ("nushell", &self.nushell),
            HostedBy::ClusterEngine => ("cluster", &self.cluster),
            HostedBy::TaskservHost => ("taskserv", &self.taskserv),
        };
        if is_program(path) {
            return Ok(());
        }
        let hint = format!("it belongs at {}, beside `drp`, or into the plugin directory", path.display());
        Err(HostingError::Absent { program: format!("the plugin {name}, which runs this extension,"), hint })
    }
}

/// Who hosts an extension (extensions §2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostedBy {
    /// Its own plugin program.
    Itself(PathBuf),
    /// The Nushell plugin.
    Nushell,
    /// The cluster engine.
    ClusterEngine,
    /// The host of task services that are data and templates only.
    TaskservHost,
}

/// Looks at an extension's folder: a program in `plugin/` goes before `nulib/mod.nu`. A cluster without either is
/// deployed by the engine, a taskserv with a version record installed by its host. `None`: nothing can run it.
#[must_use]
pub fn hosted_by(kind: ExtensionType, root: &Path) -> Option<HostedBy> {
    if let Some(program) = program(&root.join("plugin")) {
        return Some(HostedBy::Itself(program));
    }
    if root.join("nulib/mod.nu").is_file() {
        return Some(HostedBy::Nushell);
    }
    match kind {
        ExtensionType::Cluster => Some(HostedBy::ClusterEngine),
        ExtensionType::Taskserv if root.join("schemas/version.ncl").is_file() => Some(HostedBy::TaskservHost),
        ExtensionType::Provider | ExtensionType::Taskserv => None,
    }
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// The first executable file of a folder, by name.
fn program(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.into_iter().find(|file| is_program(file))
}

/// The text of a launcher. `record` is the file that holds the extension's [`HostedExtension`] as JSON.
#[must_use]
pub fn text(extension: &HostedExtension, host: &HostedBy, programs: &Programs, record: &Path) -> String {
    let record = quoted(record);
    let command = match host {
        HostedBy::Itself(program) => quoted(program),
        HostedBy::Nushell => format!("{} --extension {record}", quoted(&programs.nushell)),
        HostedBy::ClusterEngine => format!("{} --extension {record}", quoted(&programs.cluster)),
        HostedBy::TaskservHost => format!("{} --extension {record}", quoted(&programs.taskserv)),
    };
    let digest: String = extension.digest.chars().filter(char::is_ascii_hexdigit).collect();
    format!(
        "#!/bin/sh\n# Made by drp from a registered extension, content {digest}. `drp ext` changes it.\nexec {command} \"$@\"\n"
    )
}

/// A path as one word of the shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_one_word_of_the_shell() {
        assert_eq!(quoted(Path::new("/a b/it's $(x)")), r"'/a b/it'\''s $(x)'");
    }

    #[test]
    fn a_taskserv_of_data_only_has_a_host() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        assert_eq!(hosted_by(ExtensionType::Taskserv, root), None);
        std::fs::create_dir(root.join("schemas")).unwrap();
        std::fs::write(root.join("schemas/version.ncl"), "{}").unwrap();
        assert_eq!(hosted_by(ExtensionType::Taskserv, root), Some(HostedBy::TaskservHost));
        assert_eq!(hosted_by(ExtensionType::Provider, root), None);
        std::fs::create_dir(root.join("nulib")).unwrap();
        std::fs::write(root.join("nulib/mod.nu"), "").unwrap();
        assert_eq!(hosted_by(ExtensionType::Taskserv, root), Some(HostedBy::Nushell));
    }
}
