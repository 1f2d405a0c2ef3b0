//! The plugin `nushell` itself: it says which Nushell there is.

use crate::error::NushellError;
use crate::program;
use drp_plugin_sdk::{Action, Actor, Command, Context, Definition, Error, Param, Plugin, Value, json};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{PoisonError, RwLock};

/// Where `nu` is.
const PATH: &str = "nushell/path";
/// Asks Nushell for its version.
const VERSION: &str = "nushell-version";

#[derive(Default)]
struct Plain {
    path: RwLock<Option<PathBuf>>,
}

impl Plugin for Plain {
    async fn config(&self, _: &Context, params: drp_plugin_sdk::Params) -> Result<(), Error> {
        let path = params.get(PATH)?.filter(|path: &PathBuf| !path.as_os_str().is_empty());
        *self.path.write().unwrap_or_else(PoisonError::into_inner) = path;
        Ok(())
    }
}

impl Actor for Plain {
    async fn action(&self, ctx: &Context, action: Action) -> Result<Value, Error> {
        if action.command != VERSION {
            return Err(action.unknown());
        }
        let path = self.path.read().unwrap_or_else(PoisonError::into_inner).clone();
        let nu = program::find(path.as_deref())
            .await
            .map_err(|error: NushellError| error.on_the_wire(&ctx.name()))?;
        Ok(json!({ "version": nu.version.to_string(), "path": nu.program }))
    }
}

/// Does what the command line says.
pub(crate) fn run(words: Vec<OsString>) -> ExitCode {
    let path =
        Param::of::<String>(PATH).describe("The Nushell program; without it `nu` is looked for on PATH");
    Definition::new("nushell", concat!("v", env!("CARGO_PKG_VERSION")))
        .describe("Hosts extensions that are written in Nushell")
        .document(
            "Extensions with `nulib/mod.nu` are run by this program, each as a plugin of its own. As a plugin itself it \
             says which Nushell there is.",
        )
        .optional(path)
        .action(Command::system(VERSION))
        .run_with(Plain::default(), words)
}
