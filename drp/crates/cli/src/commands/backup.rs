//! Backup and restore of the store.

use super::{Context, flags};
use crate::grammar::{Globals, ServeArgs};
use crate::nouns::plugin_providers::save;
use crate::printer::Printer;
use crate::{Exit, Failure, Hooks, connect};
use serde_json::json;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A consistent copy while the daemon runs. It holds secrets, so only its owner may read it.
pub(crate) async fn run(cx: &Context<'_>, file: &Path) -> Result<(), Failure> {
    if file.exists() {
        return Err(Failure::new(Exit::Refused, format!("{} exists already", file.display()))
            .hint("name a new file, or remove the old one"));
    }
    let backup = cx.client.backup().await?;
    let size = save(file, 0o600, async |out| Ok(backup.write_to(out).await?)).await?;
    cx.printer.value(&json!({ "path": file.display().to_string(), "size": size }))
}

/// Puts a backup back under a daemon that does not run.
pub(crate) fn restore(
    globals: &Globals,
    file: &Path,
    settings: &ServeArgs,
    printer: &Printer,
    hooks: &dyn Hooks,
) -> Result<(), Failure> {
    if UnixStream::connect(connect::socket(globals)).is_ok() {
        return Err(Failure::new(Exit::Refused, "the daemon runs on this store")
            .hint("stop it first with `drp stop`"));
    }
    if globals.dry_run {
        return printer.value(&json!({ "Restore": file.display().to_string() }));
    }
    hooks.restore(&flags(globals, settings), file)?;
    printer.remark("restored");
    Ok(())
}
