//! What `define` prints.

use crate::plugin::Local;
use crate::settings::Settings;
use drp_plugin_sdk::protocol::extension_operations::PROVIDER;
use drp_plugin_sdk::{BundleMeta, Command, Definition, json};
use std::time::Duration;

/// Name of the provider: `<name>-<type>` of the extension.
pub(crate) const NAME: &str = "local-provider";

pub(crate) fn definition() -> Definition<Local> {
    let mut definition = Definition::new(NAME, concat!("v", env!("CARGO_PKG_VERSION")))
        .describe("Servers that are QEMU virtual machines of this host")
        .meta(meta())
        .params::<Settings>()
        .auto_start()
        .stop_deadline(Duration::from_secs(5));
    for operation in PROVIDER {
        let mut command = Command::on("plugins", operation.name);
        for input in operation.inputs {
            // By name only: every provider has these, and none owns them.
            command =
                if input.required { command.required(input.name) } else { command.optional(input.name) };
        }
        for (takes, name) in [(operation.check, "check"), (operation.wait, "wait")] {
            if takes {
                command = command.optional(name);
            }
        }
        definition = definition.action(command);
    }
    definition
}

fn meta() -> BundleMeta {
    serde_json::from_value(json!({
        "DisplayName": "Local servers", "Icon": "server", "Color": "green", "License": "MIT OR Apache-2.0",
    }))
    .unwrap_or_default()
}
