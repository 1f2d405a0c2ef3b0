//! Names of params and of what stands in `packet/state`.

/// This plugin, in errors and results.
pub(crate) const PLUGIN: &str = "packet-ipmi";

/// Which plugin a machine belongs to; declared by the packs that bring discovery.
pub(crate) const MACHINE_PLUGIN: &str = "machine-plugin";

pub(crate) const API_KEY: &str = "packet/api-key";
pub(crate) const API_URL: &str = "packet/api-url";
pub(crate) const TLS_CA: &str = "packet/tls-ca";
pub(crate) const PROJECT: &str = "packet/project-id";
pub(crate) const IMPORT: &str = "packet/import-existing";
pub(crate) const DESTROY_IMPORTED: &str = "packet/destroy-imported";
pub(crate) const TIMEOUT: &str = "packet/timeout";
pub(crate) const PROVISION_TIMEOUT: &str = "packet/provision-timeout";
pub(crate) const VERIFY_TIMEOUT: &str = "packet/verify-timeout";
pub(crate) const POLL: &str = "packet/poll-interval";
pub(crate) const REFRESH: &str = "packet/refresh-interval";
pub(crate) const MOST: &str = "packet/max-operations";

pub(crate) const UUID: &str = "packet/uuid";
pub(crate) const IMPORTED: &str = "packet/imported";
pub(crate) const NAME: &str = "packet/name";
pub(crate) const FACILITY: &str = "packet/facility";
pub(crate) const METRO: &str = "packet/metro";
pub(crate) const PLAN: &str = "packet/plan";
pub(crate) const SOS: &str = "packet/sos";
pub(crate) const SCRIPT: &str = "packet/ipxe-script-url";
pub(crate) const ALWAYS_PXE: &str = "packet/always-pxe";
pub(crate) const STATE: &str = "packet/state";
pub(crate) const PROGRESS: &str = "packet/progress";
pub(crate) const ERROR: &str = "packet/error";

/// The profile that every machine of this plugin has.
pub(crate) const CONSOLE_PROFILE: &str = "packet-console";

/// States of a machine that no device has; else `packet/state` is the device's own state.
pub(crate) mod state {
    /// A device shall be made.
    pub(crate) const REQUESTED: &str = "requested";
    /// The request for a device may be on its way.
    pub(crate) const CREATING: &str = "creating";
    /// The answer to that request was lost, and no device was found.
    pub(crate) const UNCONFIRMED: &str = "unconfirmed";
    /// There is no device, or it failed.
    pub(crate) const FAILED: &str = "failed";
    /// The device is not there any more.
    pub(crate) const MISSING: &str = "missing";
}
