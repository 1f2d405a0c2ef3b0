//! Client of the Equinix Metal API (`/metal/v1`), as far as this plugin needs it. Facts come from its published OpenAPI
//! description: devices, projects, device actions, events, pagination (`meta`), errors (`errors[]`).

mod calls;
mod error;
mod gate;
mod model;
mod tls;
mod transport;

pub(crate) use error::{Fault, MetalError};
pub(crate) use model::{Device, NewDevice, Power, is_id};
pub(crate) use transport::{Metal, Target};
