//! The running test binary as a plugin executable, so that each plugin of a test is one small function.

use crate::TestkitError;
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

const COUNT: &str = "DRP_TEST_PLUGIN_ARGUMENTS";

/// Writes an executable `dir/<name>` that runs the test `entry` of this test binary again. That test asks
/// [`plugin_arguments`] whether it is the plugin.
///
/// # Errors
/// [`TestkitError::Io`].
pub fn install_this_binary(dir: &Path, name: &str, entry: &str) -> Result<PathBuf, TestkitError> {
    install(dir, name, entry, &[])
}

pub(crate) fn install(
    dir: &Path,
    name: &str,
    entry: &str,
    environment: &[(&str, String)],
) -> Result<PathBuf, TestkitError> {
    let this = std::env::current_exe().map_err(TestkitError::io("find", "the test binary"))?;
    let environment: String = environment.iter().map(|(n, v)| format!("{n}='{v}' ")).collect();
    // The test runner's own words go to /dev/null; the plugin's standard output waits on descriptor 3. `exec`
    // keeps the pid, so that signals and the end of the process are the plugin's.
    let wrapper = format!(
        "#!/bin/sh\n\
         {environment}{COUNT}=$# DRP_TEST_PLUGIN_1=\"$1\" DRP_TEST_PLUGIN_2=\"$2\" DRP_TEST_PLUGIN_3=\"$3\" \\\n\
         exec '{}' --exact '{entry}' --nocapture --test-threads=1 3>&1 1>/dev/null\n",
        this.display(),
    );
    // Written aside and renamed, so that a running one is not overwritten (ETXTBSY) and a scan sees all of it.
    let (part, binary) = (dir.join(format!(".{name}.part")), dir.join(name));
    fs::write(&part, wrapper).map_err(TestkitError::io("write", &part))?;
    fs::set_permissions(&part, fs::Permissions::from_mode(0o755))
        .map_err(TestkitError::io("chmod", &part))?;
    fs::rename(&part, &binary).map_err(TestkitError::io("rename", &part))?;
    Ok(binary)
}

/// The command line of the plugin that this process is, without the program's name; nothing in an ordinary test
/// run. Standard output is the plugin's from here on.
#[must_use]
pub fn plugin_arguments() -> Option<Vec<OsString>> {
    let count: usize = std::env::var(COUNT).ok()?.parse().ok()?;
    let out: File = OpenOptions::new().write(true).open("/dev/fd/3").ok()?;
    nix::unistd::dup2_stdout(&out).ok()?;
    let argument = |n: usize| std::env::var_os(format!("DRP_TEST_PLUGIN_{n}")).unwrap_or_default();
    Some((1..=count.min(3)).map(argument).collect())
}
