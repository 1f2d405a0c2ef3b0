//! A stand-in for the Equinix Metal API (`/metal/v1`), since no real one is left: the service ended on 30 June 2026.
//!
//! Sources of its behaviour, all public:
//! * the API's OpenAPI description and the clients generated from it (github.com/equinix-labs/metal-python, `docs/`): paths,
//!   fields of `Device`, `Meta` of listings (`current_page`, `last_page`, `next`, `total`; at most 100 per page), the states
//!   of a device and what they mean (`DeviceState`), `type` of device actions, 201/202/204, the filters `tag` and `hostname`;
//! * errors as `{"errors": [..]}` and as `{"error": ".."}`, 422 among them: packngo issue 121 ("Facility can't be blank"),
//!   agnosticd pull request 4307 ("Cannot delete a device while it is provisioning");
//! * devices that fail are taken out of the account, and answer 404 (formerly 403): terraform-provider-equinix issues 173, 788.
//!
//! Rate limits (429, `Retry-After`, `X-RateLimit-*`) have the usual shape; the texts of 401 and 404 are from memory. It counts
//! every request, and does what a [`Fault`] says instead of, or after, what it was asked.

mod server;
mod world;

pub use server::{Entry, Fault, Kind, MetalApi, Scheme};
pub use world::{Plan, World};

/// The key that it takes. A canary: it must turn up nowhere.
pub const KEY: &str = "canary-metal-key-7f3a";
/// A key of another account, which sees one empty project.
pub const OTHER_KEY: &str = "canary-other-key-91bc";
/// A key that may only read.
pub const READ_KEY: &str = "canary-read-key-55de";
/// The project of [`KEY`].
pub const PROJECT: &str = "11111111-aaaa-4000-8000-000000000001";
/// The project of [`OTHER_KEY`].
pub const OTHER_PROJECT: &str = "22222222-bbbb-4000-8000-000000000002";
