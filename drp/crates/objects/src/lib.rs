//! The object engine: kinds, validation, queries, patches, params, secure params, content layers, users and
//! claims, events and the log buffer, over a [`drp_store::Store`]. It knows neither HTTP nor processes.
//!
//! Everything that callers need hangs on [`Objects`], a cheap handle. Reads answer from memory and do not block;
//! writes are `async` and return when the change is durable, applied and published. Every error at this edge is a
//! [`drp_protocol::Error`] with the code, type and text that clients of the API know.

mod actions;
mod auth;
mod checks;
mod claims;
mod codec;
mod config;
mod events;
mod fault;
mod index;
mod kind;
mod kinds;
mod layers;
mod list;
mod locks;
mod logs;
mod lookup;
mod machine;
mod memory;
mod names;
mod objects;
mod open;
mod options;
mod params;
mod password;
mod patch;
mod pattern;
mod prefs;
mod query;
mod raw;
mod schema;
mod secure;
mod state;
mod token;
mod ttl;
mod write;

pub use actions::Candidate;
pub use auth::{Denied, TokenRequest};
pub use claims::{Claims, Principal, scopes};
pub use events::{Delivery, EventBus, Occurrence, Subscription};
pub use kind::{Fetched, Kind};
pub use layers::LayerKind;
pub use list::Listing;
pub use logs::LogBuffer;
pub use objects::Objects;
pub use options::{FirstUser, Options};
pub use params::ParamsQuery;
pub use patch::Patch;
pub use pattern::{Pattern, PatternSet};
pub use query::ListQuery;
pub use ttl::parse_ttl;

/// What every fallible call of this crate gives: its error is ready for the wire.
pub type Result<T, E = drp_protocol::Error> = std::result::Result<T, E>;
