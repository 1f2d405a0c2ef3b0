//! Extensions in the daemon: rendering, registration, and their settings (extensions §2, §3, §11).

mod check;
mod fetch;
mod info;
mod nickel;
mod registration;
mod render;
mod start;
mod template;

pub(crate) use fetch::Source;
pub(crate) use info::Info;
pub(crate) use registration::{Order, Refused};
pub(crate) use render::{Failed, Render, RenderCounts, Rendered, Renders};
pub use template::template_worker;

use crate::{ExtensionHost, ServeError, Settings as DaemonSettings};
use drp_extensions::launcher::Programs;
use drp_extensions::{Known, Registry, Surroundings};
use drp_protocol::ExtensionType;
use drp_schemas::{CacheStatistics, Evaluator, SchemaError, Settings};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::Mutex;

/// How long one operation may take while an extension is validated.
const DRY_RUN: Duration = Duration::from_secs(60);

/// What the daemon has for extensions.
pub(crate) struct Extensions {
    /// Texts that callers send.
    pub(crate) renders: Renders,
    pub(crate) registry: Registry,
    evaluator: Result<Evaluator, String>,
    /// The programs that host extensions.
    programs: Programs,
    hosting: ExtensionHost,
    plugin_root: PathBuf,
    nu: Option<PathBuf>,
    /// One registers or unregisters at a time.
    changing: Mutex<()>,
}

impl Extensions {
    /// Reads what is registered. Without `drp-nickel` the daemon runs all the same; what needs it says so.
    pub(crate) fn open(settings: &DaemonSettings) -> Result<Self, ServeError> {
        let registry = Registry::open(&settings.extension_root).map_err(|error| ServeError::System {
            what: "folder of extensions",
            error: std::io::Error::other(error),
        })?;
        for problem in registry.problems() {
            tracing::error!("a registered extension is left out: {problem}");
        }
        let contracts = settings.base_root.join("contracts");
        // Neither what callers send nor what an extension holds reads other files of this host than our contracts and,
        // for an extension, its own. Each has workers of its own, so that no text keeps an extension waiting.
        let texts = evaluator(&contracts);
        let evaluator = evaluator(&contracts);
        if let Err(why) = &evaluator {
            tracing::warn!("extensions and Nickel texts cannot be evaluated: {why}");
        }
        let mut folders: Vec<PathBuf> = settings.extension_programs.iter().cloned().collect();
        folders.extend(crate::hosting::program_folders(std::slice::from_ref(&settings.plugin_root)));
        let programs = Programs::in_folders(&folders);
        let hosting =
            ExtensionHost::new(programs.clone(), registry.room()).deadline(DRY_RUN).nu(settings.nu.clone());
        Ok(Self {
            renders: Renders::new(texts),
            registry,
            evaluator,
            programs,
            hosting,
            plugin_root: settings.plugin_root.clone(),
            nu: settings.nu.clone(),
            changing: Mutex::default(),
        })
    }

    /// Why extensions cannot be had.
    pub(crate) fn problem(&self) -> Option<String> {
        self.evaluator.as_ref().err().cloned().or_else(|| self.registry.problems().first().cloned())
    }

    /// How well the results of Nickel are kept: of the texts of callers, and of extensions.
    pub(crate) fn cache_statistics(&self) -> (CacheStatistics, CacheStatistics) {
        let of = |evaluator: &Result<Evaluator, String>| {
            evaluator.as_ref().map(Evaluator::cache_statistics).unwrap_or_default()
        };
        (of(self.renders.evaluator()), of(&self.evaluator))
    }

    /// What an extension is validated against here.
    fn surroundings(&self, kind: Option<ExtensionType>) -> Surroundings {
        let staying = self.registry.all().into_iter().filter(|record| !record.leaving);
        let registered = staying.map(|record| Known::new(&record.manifest, "registered")).collect();
        Surroundings { r#type: kind, registered, ..Surroundings::default() }
    }
}

fn evaluator(contracts: &Path) -> Result<Evaluator, String> {
    let make = || -> Result<Evaluator, SchemaError> {
        let import_paths = vec![drp_schemas::install(contracts)?];
        let roots = Some(Vec::new());
        Ok(Evaluator::new(Settings { import_paths, roots, ..Settings::beside_this_program()? }))
    };
    make().map_err(|error| error.to_string())
}
