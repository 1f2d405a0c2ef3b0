//! What `define` prints: the provider, its actions and the params they take.

use crate::params::{name, optional_of, required_of};
use crate::plugin::IpmiPlugin;
use drp_bmc::Verb;
use drp_plugin_sdk::{Command, Definition};

/// Params that every action takes when they resolve, as the reference has them and ours.
const OPTIONAL: [&str; 18] = [
    name::PORT_IPMITOOL,
    name::PORT_RACADM,
    name::PORT_REDFISH,
    name::PORT_LPAR,
    name::LPAR_ID,
    name::CIPHER_SUITE,
    name::KG,
    name::TIMEOUT,
    name::MIN_GAP,
    name::VERIFY_TIMEOUT,
    name::DRIVER_ORDER,
    name::REDFISH_TIMEOUT,
    name::RACADM_TIMEOUT,
    name::LPAR_TIMEOUT,
    name::TLS_VERIFY,
    name::TLS_FINGERPRINT,
    name::TLS_CA,
    name::SYSTEM_UUID,
];

/// Forgets refused credentials.
pub(crate) const UNLOCK: &str = "unlock";
/// Shows what a verb would send.
pub(crate) const POWERPLAN: &str = "powerplan";

pub(crate) fn definition() -> Definition<IpmiPlugin> {
    let mut definition = Definition::new("ipmi", concat!("v", env!("CARGO_PKG_VERSION")))
        .auto_start()
        .optional(name::LOCAL_ALLOWED)
        .content(drp_plugin_sdk::content!());
    for verb in Verb::all() {
        definition = definition.action(command(verb.name(), required_of(verb), optional_of(verb)));
    }
    let planned = [
        name::PLAN_VERB,
        name::SOFT_TIMEOUT,
        name::IDENTIFY_DURATION,
        name::BIOS_MODE,
        name::MEDIA_URL,
        name::MEDIA_BOOT,
    ];
    definition.action(command(POWERPLAN, &[], &planned)).action(command(UNLOCK, &[], &[]))
}

fn command(command: &str, required: &[&'static str], optional: &[&'static str]) -> Command {
    let mut declared = Command::on("machines", command);
    for required in [name::USERNAME, name::PASSWORD, name::ADDRESS, name::MODE].iter().chain(required) {
        declared = declared.required(*required);
    }
    for optional in OPTIONAL.iter().chain(optional) {
        declared = declared.optional(*optional);
    }
    declared
}
