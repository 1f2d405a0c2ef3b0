//! What `define` prints: the provider, its actions and the params they take (plugins §1.4).

use crate::names;
use crate::plugin::PacketPlugin;
use drp_plugin_sdk::{Command, Definition};

/// Actions on machines.
pub(crate) const MACHINE_ACTIONS: [&str; 7] =
    ["poweron", "poweroff", "powercycle", "powerstatus", "nextbootpxe", "nextbootdisk", "updatepxe"];

type Events = drp_plugin_sdk::SelectedEvents;

pub(crate) fn definition() -> Definition<PacketPlugin, Events> {
    let mut definition = Definition::new(names::PLUGIN, concat!("v", env!("CARGO_PKG_VERSION")))
        .content(drp_plugin_sdk::content!())
        .required(names::API_KEY)
        .selected_events();
    for optional in [
        names::PROJECT,
        names::IMPORT,
        names::DESTROY_IMPORTED,
        names::API_URL,
        names::TLS_CA,
        names::TIMEOUT,
        names::PROVISION_TIMEOUT,
        names::VERIFY_TIMEOUT,
        names::POLL,
        names::REFRESH,
        names::MOST,
    ] {
        definition = definition.optional(optional);
    }
    let create = [
        names::NAME,
        names::FACILITY,
        names::PLAN,
        names::PROJECT,
        names::METRO,
        names::SCRIPT,
        names::ALWAYS_PXE,
    ];
    definition = definition.action(on_plugins("createVm", &create));
    for command in ["startVm", "stopVm", "destroyVm"] {
        definition = definition.action(on_plugins(command, &[names::UUID]));
    }
    for command in MACHINE_ACTIONS {
        let mut declared = Command::on("machines", command).required(names::UUID);
        if command == "updatepxe" {
            declared = declared.optional(names::SCRIPT).optional(names::ALWAYS_PXE);
        }
        definition = definition.action(declared);
    }
    definition
}

fn on_plugins(command: &str, optional: &[&'static str]) -> Command {
    let declared = Command::on("plugins", command).required(names::API_KEY);
    optional.iter().fold(declared, |declared, param| declared.optional(*param))
}
