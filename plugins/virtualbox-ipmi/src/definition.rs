//! What `define` prints: the provider, its actions and the params they take (plugins §1.5).

use crate::params::{OVERRIDES, name};
use crate::plugin::VirtualBox;
use drp_plugin_sdk::{Command, Definition, SelectedEvents};
use std::time::Duration;

/// Name of the provider and of its executable.
pub(crate) const NAME: &str = "virtualbox-ipmi";

/// Params of the plugin object beside `virtualbox/user`.
const SETTINGS: [&str; 12] = [
    name::VM_PATH,
    name::HOST,
    name::SSH_USER,
    name::SSH_KEY,
    name::SSH_PORT,
    name::SSH_KNOWN_HOSTS,
    name::PROGRAM,
    name::PREFIX,
    name::TIMEOUT,
    name::START_GAP,
    name::IMPORT,
    name::DESTROY_IMPORTED,
];

pub(crate) fn definition() -> Definition<VirtualBox, SelectedEvents> {
    let mut definition = Definition::new(NAME, concat!("v", env!("CARGO_PKG_VERSION")))
        .required(name::USER)
        .content(drp_plugin_sdk::content!())
        .stop_deadline(Duration::from_secs(10));
    for setting in SETTINGS {
        definition = definition.optional(setting);
    }
    let hardware = [name::NAME, name::CPUS, name::DISK, name::MEMORY, name::VRAM, name::ID, name::HOSTONLY];
    definition = definition.action(on_plugins("createVm", &hardware));
    for command in ["startVm", "stopVm", "destroyVm"] {
        definition = definition.action(on_plugins(command, &[name::ID, name::NAME, name::VERIFY_TIMEOUT]));
    }
    definition = definition.action(on_plugins("unlock", &[]));
    for (command, more) in [
        ("poweron", None),
        ("poweroff", None),
        ("powercycle", None),
        ("nextbootpxe", Some(name::BOOT_WAIT)),
        ("nextbootdisk", Some(name::BOOT_WAIT)),
        ("powerstatus", None),
        ("powersoft", Some(name::SOFT_TIMEOUT)),
    ] {
        let mut declared = Command::on("machines", command).required(name::ID);
        for optional in OVERRIDES.iter().filter(|param| **param != name::USER).copied() {
            declared = declared.optional(optional);
        }
        for optional in [Some(name::VERIFY_TIMEOUT), more].into_iter().flatten() {
            declared = declared.optional(optional);
        }
        definition = definition.action(declared);
    }
    definition.selected_events()
}

fn on_plugins(command: &str, optional: &[&'static str]) -> Command {
    let mut declared = Command::on("plugins", command).required(name::USER);
    for optional in optional {
        declared = declared.optional(*optional);
    }
    for optional in OVERRIDES.iter().filter(|param| **param != name::USER).copied() {
        declared = declared.optional(optional);
    }
    declared
}
