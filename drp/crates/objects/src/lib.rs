//! The object engine: kinds, validation, queries, patches, params, secure params, content layers, users and
//! claims, events and the log buffer, over a [`drp_store::Store`]. It knows neither HTTP nor processes.
//!
//! Everything that callers need hangs on [`Objects`], a cheap handle. Reads answer from memory and do not block;
//! writes are `async` and return when the change is durable, applied and published. Every error at this edge is a
//! [`drp_protocol::Error`] with the code, type and text that clients of the API know.
//!
//! ```
//! use drp_objects::{Delivery, ListQuery, Objects, Options, Principal};
//! use serde_json::json;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = drp_store::open("memory:///", drp_store::Options::default())?;
//! let objects = Objects::open(store, Options::default()).await?;
//! let mut events = objects.events().subscribe();
//!
//! let me = Principal::full("user:me");
//! objects.create(&me, "machines", json!({"Name": "rack1-node1", "Params": {"rack": 1}})).await?;
//!
//! let query = ListQuery::parse([("Name", "Re(^rack1-)"), ("slim", "Meta,Params")])?;
//! assert_eq!(objects.list(&me, "machines", &query)?.filtered, 1);
//! let Some(Delivery::Event(event)) = events.next().await else { return Err("no event".into()) };
//! assert_eq!((event.kind(), event.action()), ("machines", "create"));
//! # Ok(())
//! # }
//! ```

mod actions;
mod auth;
mod bus;
mod checks;
mod claims;
mod codec;
mod compose;
mod config;
mod events;
mod fault;
mod fields;
mod filter;
mod follower;
mod index;
mod jobs;
mod judge;
mod kept;
mod kind;
mod kinds;
mod layers;
mod lifecycle;
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
mod order;
mod ordered;
mod params;
mod password;
mod patch;
mod pattern;
mod pools;
mod powers;
mod prefs;
mod query;
mod raw;
mod render;
mod said;
mod schema;
mod schema_refs;
mod secure;
mod state;
mod tenants;
mod token;
mod ttl;
mod whoami;
mod write;

pub use actions::Candidate;
pub use auth::{Denied, TokenRequest};
pub use bus::{EventBus, EventCounts};
pub use claims::{Claims, Principal, scopes};
pub use events::Occurrence;
pub use follower::{Delivery, Subscription};
pub use jobs::{Next, Outcome};
pub use kind::{Fetched, Kind};
pub use layers::LayerKind;
pub use list::Listing;
pub use logs::LogBuffer;
pub use objects::Objects;
pub use options::{FirstUser, Options};
pub use params::ParamsQuery;
pub use patch::Patch;
pub use pattern::{Interest, Pattern, PatternSet};
pub use pools::{PoolResult, PoolStep};
pub use query::ListQuery;
pub use render::RenderPlace;
pub use said::json_error;
pub use ttl::parse_ttl;

/// What every fallible call of this crate gives: its error is ready for the wire.
pub type Result<T, E = drp_protocol::Error> = std::result::Result<T, E>;
