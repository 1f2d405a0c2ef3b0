//! The Redfish service of a simulated BMC: the same machine as over IPMI, through HTTP.
//!
//! Resource shapes, actions and status codes are those of the schemas and documents that the DMTF publishes: DSP0266
//! (protocol), DSP0268 (data model: ComputerSystem, Manager, Chassis, VirtualMedia, …) and the Base message registry
//! (DSP8011). What differs by vendor is data (`profiles/*.yaml`, see [`Profile`]).

mod accounts;
mod boot;
mod chassis;
mod gate;
mod http;
mod inventory;
mod logs;
mod manager;
mod media;
mod message;
mod op;
mod profile;
mod root;
mod sensors;
mod server;
mod service;
mod state;
mod strike;
mod system;
mod tasks;
mod tls;
mod tree;

pub(crate) use http::{Outcome, Request};
pub use op::Op;
pub use profile::Profile;
pub(crate) use server::{Shared, serve};
pub(crate) use state::State;
pub use tls::Identity;
