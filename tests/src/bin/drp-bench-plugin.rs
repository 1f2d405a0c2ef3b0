//! The plugin of promise 4: the provider has the name of its file, so that any number of copies can be installed.

use drp_plugin_sdk::{Action, Actor, Command, Context, Definition, Error, Plugin, Value, json};

struct Copy;

impl Plugin for Copy {}

impl Actor for Copy {
    async fn action(&self, _: &Context, action: Action) -> Result<Value, Error> {
        Ok(json!(action.command))
    }
}

fn main() -> std::process::ExitCode {
    let file = std::env::args_os().next().map(std::path::PathBuf::from).unwrap_or_default();
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Definition::new(name, env!("CARGO_PKG_VERSION")).action(Command::on("machines", "nothing")).run(Copy)
}
