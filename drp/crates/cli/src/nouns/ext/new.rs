//! `drp ext new`: a new extension.

use crate::{Exit, Failure, Printer};
use clap::{Args, ValueHint};
use drp_extensions::scaffold::{self, ScaffoldError};
use drp_extensions::{Name, NameError};
use drp_protocol::ExtensionType;
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(crate) struct New {
    /// What it is: provider, taskserv or cluster
    #[arg(value_name = "TYPE")]
    kind: ExtensionType,
    /// Its name
    name: String,
    /// Folder in which its own is made; extensions/<TYPE>s of a workspace, else the current one
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: Option<PathBuf>,
}

pub(super) fn run(args: &New, printer: &Printer) -> Result<(), Failure> {
    let name: Name = args.name.parse().map_err(|error: NameError| Failure::usage(error.to_string()))?;
    let by_type = Path::new("extensions").join(args.kind.folder());
    let usual = || if Path::new("extensions").is_dir() { by_type } else { PathBuf::from(".") };
    let parent = args.dir.clone().unwrap_or_else(usual);
    let root = scaffold::write(args.kind, &name, &parent).map_err(|error| match &error {
        ScaffoldError::There(_) => Failure::new(Exit::Refused, error.to_string()),
        ScaffoldError::Io { .. } => Failure::new(Exit::General, error.to_string()),
    })?;
    let path = root.strip_prefix(".").unwrap_or(&root).display().to_string();
    printer.remark(&format!(
        "`drp ext validate {path}` and `drp ext test {path}` pass as it is; begin with its README.md"
    ));
    printer.value(&json!({"name": name, "type": args.kind, "path": path}))
}
