//! Finding extensions on this host (extensions §5).
//!
//! Folders are searched in order and the first that has an extension wins: `extensions` of the workspace, those of
//! `PROVISIONING_EXTENSIONS_PATH` and of settings, the user's own, and those of the installation. Each may be laid out by
//! type (`providers/NAME`, `taskservs/NAME`, `clusters/NAME`), flat (`NAME`), or be one extension itself. What cannot be
//! read is reported and hides nothing.

use crate::identity::{Identity, has_manifest, same_name};
use drp_protocol::ExtensionType;
use serde::Serialize;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// Most entries that one folder of extensions may have.
const ENTRIES: usize = 10_000;

/// Why a folder is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// It belongs to the workspace.
    Workspace,
    /// `PROVISIONING_EXTENSIONS_PATH`, or settings, name it.
    Path,
    /// It belongs to the user.
    User,
    /// It came with the installation.
    Core,
}

/// A folder that is searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The folder.
    pub path: PathBuf,
    /// Why.
    pub origin: Origin,
}

/// The folders that are searched, nearest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchPath(pub Vec<Place>);

impl SearchPath {
    /// The usual one. `workspace` is the folder that has `infra`, `paths` are those of settings, and `env` reads the
    /// environment.
    #[must_use]
    pub fn usual(workspace: &Path, paths: &[PathBuf], env: impl Fn(&str) -> Option<OsString>) -> Self {
        let mut places = Vec::new();
        let mut add = |path: PathBuf, origin| places.push(Place { path, origin });
        add(workspace.join("extensions"), Origin::Workspace);
        // A project with `workspace/infra` has its extensions beside `workspace`.
        if workspace.ends_with("workspace")
            && let Some(project) = workspace.parent()
        {
            add(project.join("extensions"), Origin::Workspace);
        }
        let listed = env("PROVISIONING_EXTENSIONS_PATH").unwrap_or_default();
        std::env::split_paths(&listed)
            .filter(|path| !path.as_os_str().is_empty())
            .chain(paths.iter().cloned())
            .for_each(|path| add(path, Origin::Path));
        if let Some(data) = user_data(&env) {
            add(data.join("extensions"), Origin::User);
        }
        if let Some(core) = env("PROVISIONING").filter(|core| !core.is_empty()) {
            add(PathBuf::from(core).join("extensions"), Origin::Core);
        }
        let program = std::env::current_exe().ok();
        if let Some(prefix) = program.as_deref().and_then(Path::parent).and_then(Path::parent) {
            add(prefix.join("share/drp/extensions"), Origin::Core);
        }
        Self(places)
    }
}

/// The folder of what a user keeps: `$XDG_DATA_HOME/drp` or `~/.local/share/drp`.
#[must_use]
pub fn user_data(env: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let given = env("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || env("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    given.or_else(home).filter(|path| path.is_absolute()).map(|path| path.join("drp"))
}

/// An extension that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Who it is, and where.
    #[serde(flatten)]
    pub identity: Identity,
    /// Why it was looked for there.
    pub origin: Origin,
}

/// A folder that should hold an extension, or several, and does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bad {
    /// The folder.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Discovery {
    /// Extensions, by type and name.
    pub found: Vec<Found>,
    /// Others of the same type and name, farther away.
    pub hidden: Vec<Found>,
    /// What could not be read.
    pub bad: Vec<Bad>,
}

/// Searches all folders.
#[must_use]
pub fn discover(path: &SearchPath) -> Discovery {
    let mut answer = Discovery::default();
    for place in &path.0 {
        answer.place(place);
    }
    answer.found.sort_by(|a, b| {
        let key = |one: &Found| (one.identity.r#type, one.identity.name.replace('-', "_"));
        key(a).cmp(&key(b))
    });
    answer
}

impl Discovery {
    /// The extension of that type and name.
    #[must_use]
    pub fn find(&self, kind: ExtensionType, name: &str) -> Option<&Found> {
        self.of(kind).find(|found| same_name(&found.identity.name, name))
    }

    /// Those of a type.
    pub fn of(&self, kind: ExtensionType) -> impl Iterator<Item = &Found> {
        self.found.iter().filter(move |found| found.identity.r#type == kind)
    }

    fn place(&mut self, place: &Place) {
        let path = &place.path;
        match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => return self.bad(path, "it is no folder"),
            // Only who names a folder expects it to be there.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && place.origin != Origin::Path => {
                return;
            }
            Err(error) => return self.bad(path, &error.to_string()),
        }
        if has_manifest(path) {
            return self.extension(path, None, place.origin);
        }
        for kind in ExtensionType::ALL {
            let folder = path.join(kind.folder());
            if folder.is_dir() && !has_manifest(&folder) {
                for entry in self.folders(&folder) {
                    self.extension(&entry, Some(kind), place.origin);
                }
            }
        }
        for entry in self.folders(path) {
            if has_manifest(&entry) {
                self.extension(&entry, None, place.origin);
            }
        }
    }

    /// The folders in a folder, sorted; hidden ones are none of ours.
    fn folders(&mut self, path: &Path) -> Vec<PathBuf> {
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => {
                self.bad(path, &error.to_string());
                return Vec::new();
            }
        };
        let mut folders: Vec<PathBuf> = entries
            .take(ENTRIES)
            .flatten()
            .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
            .map(|entry| entry.path())
            .filter(|path| path.is_dir())
            .collect();
        folders.sort();
        folders
    }

    fn extension(&mut self, root: &Path, wanted: Option<ExtensionType>, origin: Origin) {
        let identity = match Identity::read(root) {
            Ok(identity) => identity,
            Err(why) => return self.bad(root, &why),
        };
        if let Some(kind) = wanted.filter(|kind| *kind != identity.r#type) {
            let why =
                format!("its manifest says {}, and it lies among the {}", identity.r#type, kind.folder());
            return self.bad(root, &why);
        }
        let found = Found { identity, origin };
        let same = |one: &&Found| {
            one.identity.r#type == found.identity.r#type
                && same_name(&one.identity.name, &found.identity.name)
        };
        match self.found.iter().find(same) {
            Some(nearer) if nearer.identity.root == found.identity.root => {}
            Some(_) => self.hidden.push(found),
            None => self.found.push(found),
        }
    }

    fn bad(&mut self, path: &Path, why: &str) {
        self.bad.push(Bad { path: path.to_owned(), why: why.to_owned() });
    }
}

/// Where a command runs: the nearest folder from `start` upwards that has `infra`, or `workspace/infra`, or
/// `provisioning.toml`; else `start` itself.
#[must_use]
pub fn workspace(start: &Path) -> PathBuf {
    for folder in start.ancestors() {
        if folder.join("infra").is_dir() || folder.join("provisioning.toml").is_file() {
            return folder.to_owned();
        }
        if folder.join("workspace/infra").is_dir() {
            return folder.join("workspace");
        }
    }
    start.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extension(root: &Path, name: &str, kind: &str, version: &str) {
        fs::create_dir_all(root).unwrap();
        let text = format!("[extension]\nname = \"{name}\"\ntype = \"{kind}\"\nversion = \"{version}\"\n");
        fs::write(root.join("metadata.toml"), text).unwrap();
    }

    #[test]
    fn nearer_wins_and_the_bad_hide_nothing() {
        let world = tempfile::tempdir().unwrap();
        let at = |path: &str| world.path().join(path);
        extension(&at("ws/extensions/providers/up-cloud"), "up-cloud", "provider", "2.0.0");
        extension(&at("ws/extensions/flat"), "web", "taskserv", "1.0.0");
        extension(&at("ws/extensions/providers/odd"), "odd", "cluster", "1.0.0");
        fs::create_dir_all(at("ws/extensions/clusters/empty")).unwrap();
        fs::create_dir_all(at("ws/extensions/docs")).unwrap();
        fs::create_dir_all(at("ws/extensions/providers/.unpack-x")).unwrap();
        extension(&at("more/providers/up_cloud"), "up_cloud", "provider", "1.0.0");
        extension(&at("more/providers/aws"), "aws", "provider", "1.0.0");
        extension(&at("single"), "web", "cluster", "1.0.0");
        extension(&at("home/.local/share/drp/extensions/clusters/web"), "web", "cluster", "0.1.0");
        let path = std::env::join_paths([at("more"), at("nowhere"), at("single")]).unwrap();
        let home = at("home").into_os_string();
        let search = SearchPath::usual(&at("ws"), &[], |name| match name {
            "PROVISIONING_EXTENSIONS_PATH" => Some(path.clone()),
            "HOME" => Some(home.clone()),
            _ => None,
        });
        let all = discover(&search);
        let names: Vec<_> = all
            .found
            .iter()
            .map(|f| (f.identity.r#type.name(), f.identity.name.as_str(), f.identity.version.as_str()))
            .collect();
        assert_eq!(
            names,
            [
                ("provider", "aws", "1.0.0"),
                ("provider", "up-cloud", "2.0.0"),
                ("taskserv", "web", "1.0.0"),
                ("cluster", "web", "1.0.0"),
            ]
        );
        assert_eq!(all.find(ExtensionType::Provider, "up_cloud").unwrap().origin, Origin::Workspace);
        assert_eq!(all.find(ExtensionType::Cluster, "web").unwrap().origin, Origin::Path);
        assert_eq!(all.hidden.len(), 2);
        let bad: Vec<_> =
            all.bad.iter().map(|b| b.path.strip_prefix(world.path()).unwrap().to_str().unwrap()).collect();
        assert_eq!(bad, ["ws/extensions/providers/odd", "ws/extensions/clusters/empty", "nowhere"]);
    }

    #[test]
    fn the_workspace_is_the_nearest_folder_that_looks_like_one() {
        let world = tempfile::tempdir().unwrap();
        let at = |path: &str| world.path().join(path);
        fs::create_dir_all(at("project/workspace/infra/web/deep")).unwrap();
        fs::create_dir_all(at("project/extensions/providers")).unwrap();
        fs::create_dir_all(at("alone")).unwrap();
        assert_eq!(workspace(&at("project/workspace/infra/web/deep")), at("project/workspace"));
        assert_eq!(workspace(&at("project/extensions/providers")), at("project/workspace"));
        assert_eq!(workspace(&at("alone")), at("alone"));
        let search = SearchPath::usual(&at("project/workspace"), &[], |_| None);
        assert!(search.0.iter().any(|place| place.path == at("project/extensions")));
    }
}
