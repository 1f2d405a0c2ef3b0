//! Work on files of this host, without a daemon: where the workspace is, what its settings say, and which extensions
//! are there.

use crate::{Exit, Failure};
use clap::{Args, ValueHint};
use drp_extensions::discovery::{Discovery, SearchPath, discover, user_data, workspace};
use drp_extensions::modules::{Infra, ModuleError};
use drp_extensions::packs::{PackError, PackSettings, SETTINGS_FILE};
use drp_extensions::{Identity, is_name};
use drp_protocol::ExtensionType;
use drp_schemas::{Evaluator, SchemaError, Settings, install_for_user};
use std::ffi::OsString;
use std::future::Future;
use std::path::{Path, PathBuf};

/// Where local work happens.
#[derive(Debug, Clone, Args)]
pub(crate) struct Place {
    /// Workspace; the nearest folder upwards that has infra/ or provisioning.toml
    #[arg(long, value_name = "DIR", env = "PROVISIONING_WORKSPACE", hide_env_values = true, value_hint = ValueHint::DirPath)]
    workspace: Option<PathBuf>,
}

pub(crate) fn env(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

impl Place {
    /// The folder that has `infra`.
    pub(crate) fn workspace(&self) -> Result<PathBuf, Failure> {
        if let Some(given) = &self.workspace {
            let found = given.canonicalize().map_err(|e| Failure::io(given.display(), &e))?;
            // Who names the project means the workspace in it.
            let inner = found.join("workspace");
            return Ok(if inner.join("infra").is_dir() && !found.join("infra").is_dir() {
                inner
            } else {
                found
            });
        }
        let here = std::env::current_dir().map_err(|e| Failure::io("the current folder", &e))?;
        Ok(workspace(&here))
    }

    /// The folder that has `extensions` and `distribution`.
    fn project(&self) -> Result<PathBuf, Failure> {
        if let Some(core) = env("PROVISIONING").or_else(|| env("PROVISIONING_CONFIG")) {
            return Ok(PathBuf::from(core));
        }
        let workspace = self.workspace()?;
        match workspace.parent() {
            Some(parent) if workspace.ends_with("workspace") => Ok(parent.to_owned()),
            _ => Ok(workspace),
        }
    }

    /// Settings of packs, from `provisioning.toml` of the workspace or project.
    pub(crate) async fn settings(&self) -> Result<PackSettings, Failure> {
        let project = self.project()?;
        for folder in [self.workspace()?, project.clone()] {
            let file = folder.join(SETTINGS_FILE);
            if file.is_file() {
                return PackSettings::load(&file, &evaluator()?).await.map_err(pack_failure);
            }
        }
        Ok(PackSettings::of_project(&project))
    }

    /// All extensions on the search path.
    pub(crate) async fn extensions(&self) -> Result<Discovery, Failure> {
        let more = self.settings().await?.search;
        Ok(discover(&SearchPath::usual(&self.workspace()?, &more, env)))
    }

    /// The extension of that name.
    pub(crate) async fn extension(&self, kind: ExtensionType, name: &str) -> Result<Identity, Failure> {
        if !is_name(name) {
            return Err(Failure::usage(format!("{name:?} is no name of an extension")).hint(
                "a name has lower-case letters and digits, with - or _ between, and begins with a letter",
            ));
        }
        let all = self.extensions().await?;
        match all.find(kind, name) {
            Some(found) => Ok(found.identity.clone()),
            None => Err(absent(&all, kind, name)),
        }
    }

    /// The infrastructure of that name.
    pub(crate) fn infra(&self, name: &str) -> Result<Infra, Failure> {
        Infra::open(&self.workspace()?, name).map_err(module_failure)
    }

    /// The folder of what the user keeps.
    pub(crate) fn data(&self) -> Result<PathBuf, Failure> {
        user_data(env).ok_or_else(|| {
            Failure::usage("there is no folder for your extensions").hint("set HOME or XDG_DATA_HOME")
        })
    }
}

fn absent(all: &Discovery, kind: ExtensionType, name: &str) -> Failure {
    let names: Vec<&str> = all.of(kind).map(|found| found.identity.name.as_str()).collect();
    let mut failure = Failure::new(Exit::NotFound, format!("there is no {kind} {name} on the search path"));
    failure = match crate::hints::did_you_mean(name, names.iter().copied()) {
        Some(hint) => failure.hint(hint),
        None if names.is_empty() => failure.hint(format!("no {kind} was found at all")),
        None => failure.hint(format!("there are {}", names.join(", "))),
    };
    all.bad.iter().fold(failure, |failure, bad| failure.hint(format!("{}: {}", bad.path.display(), bad.why)))
}

/// Evaluates Nickel of whoever runs this.
pub(crate) fn evaluator() -> Result<Evaluator, Failure> {
    let mut settings = Settings::beside_this_program().map_err(schema_failure)?;
    settings.import_paths = vec![install_for_user().map_err(schema_failure)?];
    Ok(Evaluator::new(settings))
}

/// Runs local work that has to wait for something.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|e| Failure::io("this program cannot begin", &e))?.block_on(work)
}

pub(crate) fn schema_failure(error: SchemaError) -> Failure {
    let exit = match &error {
        SchemaError::Wrong { .. } | SchemaError::Exploded { .. } | SchemaError::TooLarge { .. } => {
            Exit::Refused
        }
        SchemaError::Deadline { .. } => Exit::Timeout,
        _ => Exit::General,
    };
    let mut text = error.to_string();
    if let SchemaError::Wrong { diagnostics, .. } = &error {
        for one in diagnostics.iter().filter(|one| !one.report.is_empty()) {
            text.push_str(&format!("\n\n{}", one.report.trim_end()));
        }
    }
    Failure::new(exit, text)
}

pub(crate) fn pack_failure(error: PackError) -> Failure {
    let exit = match &error {
        PackError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Exit::NotFound,
        PackError::Io { .. } => Exit::General,
        PackError::Schema(_) => {
            let PackError::Schema(error) = error else { return Failure::silent(Exit::General) };
            return schema_failure(error);
        }
        _ => Exit::Refused,
    };
    Failure::new(exit, error.to_string())
}

pub(crate) fn module_failure(error: ModuleError) -> Failure {
    let exit = match &error {
        ModuleError::NoInfra { .. } | ModuleError::NotInstalled { .. } => Exit::NotFound,
        ModuleError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Exit::NotFound,
        ModuleError::Io { .. } => Exit::General,
        ModuleError::Busy(_) => Exit::Timeout,
        _ => Exit::Refused,
    };
    Failure::new(exit, error.to_string())
}

/// A path as people type it: relative to here when it is below.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let short = here.as_deref().and_then(|here| path.strip_prefix(here).ok());
    short.filter(|short| !short.as_os_str().is_empty()).unwrap_or(path).display().to_string()
}
