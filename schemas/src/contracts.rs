//! The contracts that ship with drp.

use crate::SchemaError;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// A file of contracts.
#[derive(Debug, Clone, Copy)]
pub struct Contract {
    /// The name by which documents import it, for instance `drp/server.ncl`.
    pub name: &'static str,
    /// What is in it.
    pub summary: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// All of them.
pub const CONTRACTS: &[Contract] = &[
    Contract {
        name: "drp/types.ncl",
        summary: "what the others are made of: names, versions, ports, paths, amounts",
        text: include_str!("../contracts/drp/types.ncl"),
    },
    Contract {
        name: "drp/server.ncl",
        summary: "servers that providers create, and firewall rules",
        text: include_str!("../contracts/drp/server.ncl"),
    },
    Contract {
        name: "drp/provider.ncl",
        summary: "settings of providers",
        text: include_str!("../contracts/drp/provider.ncl"),
    },
    Contract {
        name: "drp/taskserv.ncl",
        summary: "task services: source, installation, dependencies, service, health check",
        text: include_str!("../contracts/drp/taskserv.ncl"),
    },
    Contract {
        name: "drp/cluster.ncl",
        summary: "clusters and their components",
        text: include_str!("../contracts/drp/cluster.ncl"),
    },
    Contract {
        name: "drp/extension.ncl",
        summary: "manifests: metadata.toml, extension.yaml, manifest.toml",
        text: include_str!("../contracts/drp/extension.ncl"),
    },
    Contract {
        name: "drp/results.ncl",
        summary: "what the operations of extensions answer",
        text: include_str!("../contracts/drp/results.ncl"),
    },
    Contract {
        name: "drp/settings.ncl",
        summary: "settings files: of the daemon, and of the extension system",
        text: include_str!("../contracts/drp/settings.ncl"),
    },
];

/// Writes the contracts into a folder, below it by their names, and returns the folder as an import path. Files that
/// are there with the same text are left alone.
///
/// # Errors
/// [`SchemaError::Contracts`] when a file cannot be written.
pub fn install(folder: &Path) -> Result<PathBuf, SchemaError> {
    for contract in CONTRACTS {
        let file = folder.join(contract.name);
        if std::fs::read_to_string(&file).is_ok_and(|text| text == contract.text) {
            continue;
        }
        let parent = file.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).map_err(|e| failed("make folder", parent, e))?;
        // Beside it and renamed, so that a worker never reads half a file.
        let beside = file.with_extension(format!("{}.new", std::process::id()));
        std::fs::write(&beside, contract.text).map_err(|e| failed("write", &beside, e))?;
        std::fs::rename(&beside, &file).map_err(|e| failed("rename", &beside, e))?;
    }
    Ok(folder.to_owned())
}

/// Writes them into the cache folder of the user who runs this (`$XDG_CACHE_HOME/drp/contracts`, else below
/// `~/.cache`), in one folder for each version of them.
///
/// # Errors
/// [`SchemaError::Contracts`] when there is no such folder, or a file cannot be written.
pub fn install_for_user() -> Result<PathBuf, SchemaError> {
    let mut digest = Sha256::new();
    CONTRACTS.iter().for_each(|contract| digest.update(contract.text));
    let version: String = digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache =
        std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(home).filter(|dir| dir.is_absolute());
    let cache = cache.ok_or_else(|| {
        let why = "neither HOME nor XDG_CACHE_HOME names a folder for the contracts: set one of them";
        failed("find", Path::new("~/.cache"), std::io::Error::new(std::io::ErrorKind::NotFound, why))
    })?;
    install(&cache.join("drp/contracts").join(version))
}

fn failed(what: &'static str, path: &Path, source: std::io::Error) -> SchemaError {
    SchemaError::Contracts { what, path: path.to_owned(), source }
}
