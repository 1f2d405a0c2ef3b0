//! Machines for virtual machines that are there and that no machine stands for.

use crate::host::Host;
use crate::params::name;
use crate::records::{self, machine_name, own_text, state};
use drp_plugin_sdk::client::{Client, ClientError};
use drp_plugin_sdk::{Error, Machine, Value, json, tracing};
use drp_vbox::{Info, Kind};
use std::collections::HashSet;

/// Imports what is missing, and gives how many that were. One that cannot be read or stored is logged and passed over;
/// nothing is ever deleted because it is not in a list.
pub(crate) async fn import(host: &Host, client: &Client, plugin: &str) -> Result<usize, Error> {
    let listed = host
        .vbox
        .list()
        .await
        .map_err(|error| crate::answer::Failure::from(error).answer("import", plugin))?;
    // A machine whose virtual machine is being made has no id yet, but its own UUID is the one that it will have.
    let ids = |machine: &Machine| own_text(machine, name::ID).unwrap_or(&machine.uuid).to_ascii_lowercase();
    let known: HashSet<String> = records::all(client).await?.iter().map(ids).collect();
    let mut made = 0;
    for vm in listed.iter().filter(|vm| !known.contains(&vm.uuid)) {
        if vm.is_inaccessible() {
            tracing::warn!(
                "the virtual machine {} cannot be read by VirtualBox, and is not imported",
                vm.uuid
            );
            continue;
        }
        let info = match host.vbox.info(&vm.uuid).await {
            Ok(info) => info,
            // Removed since it was listed.
            Err(error) if error.kind == Kind::NoVm => continue,
            Err(error) => {
                tracing::warn!("{:?} is not imported: {error}", vm.name);
                continue;
            }
        };
        match store(client, plugin, &info).await {
            Ok(()) => made += 1,
            Err(error) => tracing::warn!("{:?} ({}) is not imported: {error}", info.name, info.uuid),
        }
    }
    tracing::info!(imported = made, "{} virtual machines at {}", listed.len(), host.vbox.place());
    Ok(made)
}

async fn store(client: &Client, plugin: &str, info: &Info) -> Result<(), ClientError> {
    let plain = machine_name(&info.name, &info.uuid);
    let longer = format!("{plain}-{}", info.uuid.get(..8).unwrap_or_default());
    let mut last = None;
    for wanted in [plain, longer] {
        let machine = json!({
            "Name": wanted,
            "HardwareAddrs": info.macs(),
            "Params": {
                name::ID: info.uuid.to_ascii_uppercase(),
                name::NAME: info.name,
                name::IMPORTED: true,
                name::STATE: state::READY,
                name::MACHINE_PLUGIN: plugin,
            },
        });
        match client.create::<Value>("machines", &machine).await {
            Ok(_) => return Ok(()),
            // The name is taken.
            Err(error) if matches!(error.status(), Some(409 | 422)) => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    last.map_or(Ok(()), Err)
}
