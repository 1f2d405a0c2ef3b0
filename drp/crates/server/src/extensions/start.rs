//! What the start of the daemon does for registered extensions.

use super::Extensions;
use super::registration::make_plugin;
use crate::app::App;
use std::fs;
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

impl Extensions {
    /// Before the plugin directory is looked at: the launchers are those of the records. Programs may have moved with
    /// an upgrade, and a registration may have been broken off.
    pub(crate) fn place_launchers(&self) {
        for record in self.registry.all() {
            let plugin = record.plugin();
            let path = self.plugin_root.join(&plugin);
            let done = match self.launcher(&record.extension) {
                _ if record.leaving => match fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                    _ => Ok(()),
                },
                Some(text) => write(&path, &text),
                // Files of a linked extension may be gone; its launcher stays and says so when it is run.
                None => Err(io::Error::other(format!(
                    "{} holds nothing that can be run any more",
                    record.extension.root.display()
                ))),
            };
            if let Err(error) = done {
                tracing::error!(extension = record.key(), %error, "its launcher cannot be placed");
            }
        }
    }

    /// After it was looked at: finishes what was broken off.
    pub(crate) async fn finish(&self, app: &App) {
        for record in self.registry.all() {
            if !record.leaving {
                if record.made_plugin && app.providers.get(&record.plugin()).is_some() {
                    make_plugin(app, &record.plugin()).await;
                }
                continue;
            }
            tracing::info!(extension = record.key(), "its unregistration was broken off, and is finished");
            if let Err(error) = self.leave(app, None, &record).await {
                tracing::error!(extension = record.key(), %error, "it cannot be unregistered");
            }
        }
    }
}

/// Writes beside and renames, unless the same is there.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let runs =
        path.symlink_metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o100 != 0);
    if runs && fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let beside = path.with_file_name(format!(".{name}.launcher.part"));
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o700).open(&beside)?;
    io::Write::write_all(&mut file, text.as_bytes())?;
    file.sync_all()?;
    drop(file);
    fs::rename(&beside, path)
}
