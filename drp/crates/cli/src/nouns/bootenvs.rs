//! What boot environments have alone: the image they boot from.

use super::files;
use crate::commands::{Context, objects};
use crate::noun::{Noun, noun};
use crate::{Exit, Failure};
use clap::{Subcommand, ValueHint};
use drp_client::Query;
use serde_json::Value;
use std::path::PathBuf;

/// Verbs of boot environments alone.
#[derive(Debug, Subcommand)]
#[command(rename_all = "lower")]
enum Verb {
    /// Upload the ISO image that a boot environment names
    UploadIso {
        /// Name of the boot environment
        id: String,
        /// The image [default: the file of that name in the current directory]
        #[arg(value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
    /// Delete the images of a boot environment that the daemon keeps
    PurgeLocal {
        /// Name of the boot environment
        id: String,
    },
}

pub(super) const NOUN: Noun = noun!("bootenvs", "", Verb, run);

async fn run(cx: &Context<'_>, prefix: &str, verb: Verb) -> Result<(), Failure> {
    let (id, file) = match verb {
        Verb::UploadIso { id, file } => (id, file),
        Verb::PurgeLocal { id } => {
            objects::fetch(cx, prefix, &id, &Query::new()).await?;
            let path = format!("{prefix}/{id}/purgeLocal");
            if !cx.dry("DELETE", &path, &Value::Null)? {
                cx.send("DELETE", &path, None).await?;
            }
            return Ok(());
        }
    };
    let bootenv = objects::fetch(cx, prefix, &id, &Query::new()).await?;
    let Some(name) = bootenv.pointer("/OS/IsoFile").and_then(|n| n.as_str()).filter(|n| !n.is_empty()) else {
        return Err(Failure::new(Exit::Refused, format!("{prefix}/{id} names no ISO image (OS.IsoFile)")));
    };
    let file = file.unwrap_or_else(|| PathBuf::from(name));
    files::upload(cx, "isos", &file, name, false).await
}
