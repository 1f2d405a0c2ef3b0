//! The module loader: Nickel modules of extensions in an infrastructure (extensions §9).
//!
//! An extension that is installed in `infra/NAME` of a workspace is three things there: a link
//! `.nickel-modules/MODULE` to its schemas, a path dependency in `manifest.toml`, and a record in
//! `providers.manifest.yaml`. It is **linked** (the folder of its sources, edits are seen at once) or **packed** (a pack in
//! `vendor/MODULE`, which does not change); documents import it in the same way in both cases.
//!
//! Changes of one infrastructure wait for each other, and one that was interrupted is finished by the next: what is to
//! be is written down before anything is done.

mod change;
mod check;
mod dependencies;
mod record;

#[cfg(test)]
mod tests;

pub use check::{Finding, Synced};
pub use record::{Installed, Mode};

use crate::archive::{self, ArchiveError, Bounds, Items};
use crate::discovery::Discovery;
use crate::identity::Identity;
use change::Change;
use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

/// The folder of links.
pub const LINKS: &str = ".nickel-modules";
/// The folder of packs that are installed.
pub const VENDOR: &str = "vendor";
/// The file of records.
pub const RECORDS: &str = "providers.manifest.yaml";
/// The manifest of the infrastructure's own Nickel module.
pub const MANIFEST: &str = "manifest.toml";

/// Why modules could not be changed or looked at.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// A file or folder failed.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// A verb such as `read`.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no such infrastructure.
    #[error("there is no infrastructure {name:?} in {}: {}", folder.display(), there(infras))]
    NoInfra {
        /// Its name.
        name: String,
        /// Where it was looked for.
        folder: PathBuf,
        /// Those that are there.
        infras: Vec<String>,
    },
    /// It is not installed.
    #[error("{name} is not installed in {infra}; `drp providers installed {infra}` lists what is")]
    NotInstalled {
        /// The extension.
        name: String,
        /// The infrastructure.
        infra: String,
    },
    /// Something is there that is not ours.
    #[error("{} {why}", path.display())]
    InTheWay {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The extension has no schemas.
    #[error("{} has no Nickel schemas: neither schemas/ nor nickel/ is there", .0.display())]
    NoSchemas(PathBuf),
    /// Another command changes the same infrastructure.
    #[error("another command has been changing {} for {} s; try again when it has ended", .0.display(), change::PATIENCE.as_secs())]
    Busy(PathBuf),
    /// The pack cannot be unpacked.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

fn there(infras: &[String]) -> String {
    if infras.is_empty() {
        "make its folder first".into()
    } else {
        format!("there are {}", infras.join(", "))
    }
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ModuleError {
    move |source| ModuleError::Io { what, path: path.to_owned(), source }
}

fn in_the_way(path: &Path, why: impl Into<String>) -> ModuleError {
    ModuleError::InTheWay { path: path.to_owned(), why: why.into() }
}

/// An infrastructure of a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Infra {
    name: String,
    root: PathBuf,
    /// Inside it links are relative, so that a checkout elsewhere has them right.
    project: PathBuf,
}

impl Infra {
    /// The infrastructure of that name.
    ///
    /// # Errors
    /// [`ModuleError::NoInfra`].
    pub fn open(workspace: &Path, name: &str) -> Result<Self, ModuleError> {
        let folder = workspace.join("infra");
        let mut parts = Path::new(name).components();
        let plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name)
            && !name.chars().any(char::is_control)
            && !name.starts_with('.');
        let root = folder.join(name);
        if !plain || !root.is_dir() {
            let mut infras: Vec<String> = fs::read_dir(&folder)
                .into_iter()
                .flatten()
                .flatten()
                .filter(|entry| entry.path().is_dir())
                .filter_map(|entry| entry.file_name().into_string().ok())
                .collect();
            infras.sort();
            return Err(ModuleError::NoInfra { name: name.to_owned(), folder, infras });
        }
        let root = root.canonicalize().map_err(failed("find", &root))?;
        let workspace = workspace.canonicalize().map_err(failed("find", workspace))?;
        let project = match workspace.parent() {
            Some(parent) if workspace.ends_with("workspace") => parent.to_owned(),
            _ => workspace,
        };
        Ok(Self { name: name.to_owned(), root, project })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What is installed, by module.
    ///
    /// # Errors
    /// The records cannot be read.
    pub fn installed(&self) -> Result<Vec<Installed>, ModuleError> {
        record::read(&self.root.join(RECORDS))
    }

    /// Links an extension's folder. A pack of it that was installed goes; `force` lets it go also when it was edited.
    ///
    /// # Errors
    /// [`ModuleError`]; nothing was changed then.
    pub fn link(&self, extension: &Identity, force: bool) -> Result<Installed, ModuleError> {
        let root = extension.root.canonicalize().map_err(failed("find", &extension.root))?;
        let schemas = extension.schemas().ok_or_else(|| ModuleError::NoSchemas(extension.root.clone()))?;
        let source = match root.starts_with(&self.project) {
            true => relative(&self.root, &root),
            false => root,
        };
        let installed = Installed {
            name: extension.name.clone(),
            r#type: extension.r#type,
            module: extension.module(),
            version: extension.version.clone(),
            mode: Mode::Linked,
            source: text(&source)?,
            schemas: schemas.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            sha256: None,
            digest: None,
        };
        let change = Change::begin(self)?;
        change.apply(&installed.module, Some(installed.clone()), force, false)?;
        Ok(installed)
    }

    /// Installs a pack, in the place of a link or of another version. `sha256` is that of the pack; who calls has
    /// verified it, and read `extension` from it.
    ///
    /// # Errors
    /// [`ModuleError`]; nothing was changed then.
    pub fn install_pack(
        &self,
        pack: impl Read,
        sha256: &str,
        accept: impl FnOnce(&Identity) -> Result<(), ModuleError>,
        force: bool,
    ) -> Result<Installed, ModuleError> {
        let change = Change::begin(self)?;
        let staged = change.staged()?;
        archive::unpack(pack, &staged, &Bounds::default())?;
        let identity = Identity::read(&staged).map_err(|why| in_the_way(Path::new("the pack"), why))?;
        accept(&identity)?;
        let schemas = identity.schemas().ok_or_else(|| ModuleError::NoSchemas(PathBuf::from("the pack")))?;
        let module = identity.module();
        let installed = Installed {
            r#type: identity.r#type,
            version: identity.version,
            mode: Mode::Packed,
            source: format!("{VENDOR}/{module}"),
            schemas: schemas.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            sha256: Some(sha256.to_owned()),
            digest: Some(Items::of_folder(&staged, &Bounds::default())?.digest(&module)?),
            name: identity.name,
            module,
        };
        change.apply(&installed.module, Some(installed.clone()), force, true)?;
        Ok(installed)
    }

    /// Undoes an installation, linked or packed.
    ///
    /// # Errors
    /// [`ModuleError`]; nothing was changed then.
    pub fn remove(&self, module: &str, force: bool) -> Result<Installed, ModuleError> {
        let change = Change::begin(self)?;
        let installed = self.installed()?.into_iter().find(|one| one.module == module);
        let installed = installed
            .ok_or_else(|| ModuleError::NotInstalled { name: module.to_owned(), infra: self.name.clone() })?;
        change.apply(module, None, force, false)?;
        Ok(installed)
    }

    /// Makes links and dependencies what the records say: after a checkout, or when something was moved.
    ///
    /// # Errors
    /// [`ModuleError`] when nothing can be done; what cannot be done for one module is in the answer.
    pub fn sync(&self, extensions: &Discovery) -> Result<Synced, ModuleError> {
        check::sync(self, extensions)
    }

    /// Whether links, dependencies and records agree.
    ///
    /// # Errors
    /// The records or `manifest.toml` cannot be read.
    pub fn validate(&self) -> Result<Vec<Finding>, ModuleError> {
        check::validate(self)
    }

    fn links(&self) -> PathBuf {
        self.root.join(LINKS)
    }

    /// Where the link of a module leads.
    fn target(&self, installed: &Installed) -> PathBuf {
        let schemas = Path::new(&installed.source).join(&installed.schemas);
        if schemas.is_absolute() { schemas } else { Path::new("..").join(schemas) }
    }
}

fn text(path: &Path) -> Result<String, ModuleError> {
    let text = path.to_str().ok_or_else(|| in_the_way(path, "has a name that is not UTF-8: rename it"))?;
    Ok(text.to_owned())
}

/// The way from one folder to another; both are absolute and without links.
fn relative(from: &Path, to: &Path) -> PathBuf {
    let common = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(common).map(|_| Component::ParentDir);
    up.chain(to.components().skip(common)).collect()
}

/// Writes a file beside and renames it, so that nobody reads half of it.
fn write(path: &Path, text: &str) -> Result<(), ModuleError> {
    use io::Write as _;
    // A link to the file stays one.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".new-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(mode(&path)))
        .tempfile_in(folder)
        .map_err(failed("write in", folder))?;
    file.write_all(text.as_bytes()).map_err(failed("write", &path))?;
    file.as_file().sync_all().map_err(failed("write", &path))?;
    file.persist(&path).map_err(|error| failed("write", &path)(error.error))?;
    Ok(())
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().map_or(0o644, |meta| meta.permissions().mode() & 0o777)
}

/// The text of a file; nothing when it is not there.
fn read(path: &Path) -> Result<Option<String>, ModuleError> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        _ => crate::identity::read_text(path)
            .map(Some)
            .map_err(|why| in_the_way(path, format!("is not right: {why}"))),
    }
}
