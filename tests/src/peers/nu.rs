//! Nushell, at the version that `tests/peers/npm` pins and `tests/setup.sh` installs.

use super::process::skipped;
use std::path::{Path, PathBuf};

/// The program `nu` itself, not npm's wrapper around it; `DRP_TEST_NU` names another. `None` (after saying SKIPPED)
/// when it is absent.
#[must_use]
pub fn nu() -> Option<PathBuf> {
    if let Some(program) = std::env::var_os("DRP_TEST_NU") {
        return Some(program.into());
    }
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.npm/node_modules/@nushell");
    let found = std::fs::read_dir(packages)
        .into_iter()
        .flatten()
        .flatten()
        .map(|package| package.path().join("bin/nu"))
        .find_map(|program| program.canonicalize().ok());
    if found.is_none() {
        skipped("Nushell", "tests/setup.sh installs it from npm");
    }
    found
}
