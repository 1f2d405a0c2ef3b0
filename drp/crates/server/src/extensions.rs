//! Extensions in the daemon: rendering, registration, and their settings (extensions §2, §3, §11).

mod nickel;
mod render;
mod template;

pub(crate) use render::{Failed, Render, RenderCounts, Rendered, Renders};
pub use template::template_worker;

use drp_schemas::{CacheStatistics, Evaluator, SchemaError, Settings};
use std::path::{Path, PathBuf};

/// What the daemon has for extensions.
pub(crate) struct Extensions {
    /// Texts that callers send.
    pub(crate) renders: Renders,
    evaluator: Result<Evaluator, String>,
}

impl Extensions {
    /// Everything below `<base-root>`. Without `drp-nickel` the daemon runs all the same; what needs it says so.
    pub(crate) fn open(base: &Path) -> Self {
        let contracts = base.join("contracts");
        // Documents that callers send read no file of this host but our contracts; extensions those of their own folder.
        let mine = evaluator(&contracts, Some(Vec::new()));
        let evaluator = evaluator(&contracts, Some(vec![base.join("extensions")]));
        if let Err(why) = &evaluator {
            tracing::warn!("extensions and Nickel texts cannot be evaluated: {why}");
        }
        Self { renders: Renders::new(mine), evaluator }
    }

    /// Why extensions cannot be had.
    pub(crate) fn problem(&self) -> Option<String> {
        self.evaluator.as_ref().err().cloned()
    }

    /// How well the results of Nickel are kept: of the texts of callers, and of extensions.
    pub(crate) fn cache_statistics(&self) -> (CacheStatistics, CacheStatistics) {
        let of = |evaluator: &Result<Evaluator, String>| {
            evaluator.as_ref().map(Evaluator::cache_statistics).unwrap_or_default()
        };
        (of(self.renders.evaluator()), of(&self.evaluator))
    }
}

fn evaluator(contracts: &Path, roots: Option<Vec<PathBuf>>) -> Result<Evaluator, String> {
    let make = || -> Result<Evaluator, SchemaError> {
        let import_paths = vec![drp_schemas::install(contracts)?];
        Ok(Evaluator::new(Settings { import_paths, roots, ..Settings::beside_this_program()? }))
    };
    make().map_err(|error| error.to_string())
}
