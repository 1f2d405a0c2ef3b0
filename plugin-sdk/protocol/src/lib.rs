//! Types of the plugin wire and of the API objects. No I/O.
//!
//! Every model encodes with the exact JSON names that Digital Rebar v4 plugins and clients use and decodes
//! the way Go does: field names in any case, unknown fields ignored, `null` leaves the empty value.

#[macro_use]
mod model;

mod base64_bytes;
mod claim;
mod content;
mod core_models;
mod error;
mod event;
mod extension;
pub mod extension_operations;
mod info;
mod log_line;
mod network_models;
mod plugin;
mod secret;
mod secure_data;
mod small;
mod time;
pub mod wire;

pub use base64_bytes::Base64Bytes;
pub use claim::{Claim, Role, Tenant, User};
pub use content::{Bundle, BundleMeta, BundleSummary};
pub use core_models::{
    BootEnv, Fingerprint, Job, JobAction, Machine, OsArch, OsInfo, Param, Profile, Stage, Task,
    TaskErrorStack, Template, TemplateInfo, Workflow,
};
pub use error::Error;
pub use event::Event;
pub use extension::{ExtensionSetting, ExtensionType, HostedExtension, extension_plugin};
pub use info::{Info, License, Stat};
pub use log_line::{Level, Line};
pub use model::{JsonMap, Model};
pub use network_models::{Context, DhcpOption, Interface, Lease, Pool, Pref, Reservation, Subnet};
pub use plugin::{Action, AvailableAction, PLUGIN_VERSION, Plugin, PluginProvider};
pub use secret::Secret;
pub use secure_data::{SealedParts, SecureData, SecureDataError};
pub use small::{BlobInfo, Index, PluginProviderUploadInfo, UserPassword, UserToken};
pub use time::Time;
