//! The evaluator with real workers.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod bounds;
mod contracts;
mod imports;
mod interfaces;
mod literals;
mod manifest;

use drp_schemas::{Evaluator, Settings, install};
use tempfile::TempDir;

/// An evaluator of untrusted documents, and the folder of the contracts.
pub fn evaluator(change: impl FnOnce(&mut Settings)) -> (Evaluator, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::with_worker(env!("CARGO_BIN_EXE_drp-nickel"));
    settings.import_paths = vec![install(folder.path()).unwrap()];
    settings.roots = Some(Vec::new());
    // These machines are shared, and a debug build of Nickel is seven times slower.
    settings.deadline = std::time::Duration::from_secs(60);
    change(&mut settings);
    (Evaluator::new(settings), folder)
}
