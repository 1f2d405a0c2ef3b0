//! The machines of the daemon, and what this plugin writes into them.

use crate::params::name;
use drp_plugin_sdk::client::{Client, ClientError, Patch, Query};
use drp_plugin_sdk::{Machine, Value, json};

/// What `virtualbox/state` says.
pub(crate) mod state {
    pub(crate) const CREATING: &str = "creating";
    pub(crate) const STARTING: &str = "starting";
    pub(crate) const READY: &str = "ready";
    pub(crate) const FAILED: &str = "failed";
}

/// Longest text that is written into a machine.
const MAX_MESSAGE: usize = 2_000;

/// A param of the machine itself.
pub(crate) fn own<'a>(machine: &'a Machine, param: &str) -> Option<&'a Value> {
    machine.params.get(param).filter(|value| !value.is_null())
}

/// A text of the machine itself.
pub(crate) fn own_text<'a>(machine: &'a Machine, param: &str) -> Option<&'a str> {
    own(machine, param).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// Records how far it is. A machine that is gone meanwhile is no failure.
pub(crate) async fn progress(
    client: &Client,
    uuid: &str,
    state: &str,
    message: &str,
) -> Result<(), ClientError> {
    let message: String = message.chars().take(MAX_MESSAGE).collect();
    match set(client, uuid, &[(name::STATE, state), (name::MESSAGE, &message)]).await {
        Err(error) if error.is_not_found() => Ok(()),
        other => other,
    }
}

/// Sets params of a machine together.
async fn set(client: &Client, uuid: &str, params: &[(&str, &str)]) -> Result<(), ClientError> {
    let add = |patch: Patch, (param, value): &(&str, &str)| {
        patch.add(format!("/{}", param.replace('/', "~1")), *value)
    };
    let patch = params.iter().fold(Patch::new(), add);
    client.patch_params("machines", uuid, &patch).await.map(drop)
}

/// Writes which virtual machine it is.
pub(crate) async fn record(client: &Client, uuid: &str, vm: &drp_vbox::Info) -> Result<(), ClientError> {
    set(client, uuid, &[(name::ID, &vm.uuid.to_ascii_uppercase()), (name::NAME, &vm.name)]).await?;
    if !vm.macs().is_empty() {
        let patch = Patch::new().add("/HardwareAddrs", json!(vm.macs()));
        client.patch::<Value>("machines", uuid, &patch, false).await?;
    }
    Ok(())
}

/// All machines, with the params that matter here.
pub(crate) async fn all(client: &Client) -> Result<Vec<Machine>, ClientError> {
    let names = [name::ID, name::STATE, name::IMPORTED, name::MACHINE_PLUGIN].join(",");
    let query = Query::new().slim("Meta").params(names);
    Ok(client.list::<Machine>("machines", &query).await?.items)
}

/// The machines of that `virtualbox/id`, in whatever case it is written.
pub(crate) async fn of_vm(client: &Client, vm: &str) -> Result<Vec<Machine>, ClientError> {
    let is = |machine: &Machine| own_text(machine, name::ID).is_some_and(|id| id.eq_ignore_ascii_case(vm));
    Ok(all(client).await?.into_iter().filter(is).collect())
}

/// A name that the daemon takes, made from one that VirtualBox takes: letters, digits, blanks, `-`, `_` and `.`, at
/// least two of them, the first one a letter or a digit.
pub(crate) fn machine_name(vm: &str, uuid: &str) -> String {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | ' ' | '_' | '.');
    let text: String = vm.chars().map(|c| if fits(c) { c } else { '-' }).collect();
    let text = text.trim_start_matches(|c: char| !c.is_alphanumeric()).trim_end();
    if text.chars().count() < 2 { format!("vm-{}", uuid.get(..8).unwrap_or(uuid)) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::machine_name;

    #[test]
    fn names_that_the_daemon_takes() {
        let uuid = "8d8f4b1c-9b1a-4b0e-8f5c-3c2d1e0f9a8b";
        for (vm, machine) in [
            ("web server_1", "web server_1"),
            ("$(rm -rf)", "rm -rf-"),
            ("it's \"x\"/y", "it-s -x--y"),
            ("ümlaut", "ümlaut"),
            ("--", "vm-8d8f4b1c"),
            ("a", "vm-8d8f4b1c"),
        ] {
            assert_eq!(machine_name(vm, uuid), machine);
        }
    }
}
