//! Real BMC simulators and client tools, started and stopped by tests: `ipmi_sim`, pyghmi, a QEMU machine behind
//! `ipmi_sim`, sushy-tools, `ipmitool`, FreeIPMI; PyNaCl for sealed values; a stand-in of the Metal API. Settings and scripts are in `tests/peers/`; everything runs on loopback with fresh
//! state, is known by its pid, and is gone when the value is dropped.
//!
//! `let Some(bmc) = IpmiSim::start() else { return };` is how a test begins: it has said SKIPPED when `ipmi_sim` is absent.

mod guest;
mod guest_image;
mod hmc;
mod ipmi_sim;
pub mod metal;
mod mockcloud;
mod nu;
mod process;
mod pyghmi;
mod python;
mod racadm;
mod schemathesis;
pub mod slack;
mod sshd;
mod sushy;
mod tool;
mod vboxmanage;

pub use guest::{Ended, Guest};
pub use guest_image::GuestImage;
pub use hmc::{Hmc, HmcFault, HmcWorld, PARTITIONS};
pub use ipmi_sim::IpmiSim;
pub use mockcloud::{CLOUD_KEY, MockCloud};
pub use nu::nu;
pub use process::{find_program, free_tcp_port, free_udp_port, skipped, wait_until};
pub use pyghmi::PyghmiBmc;
pub use python::SecretsPeer;
pub use racadm::Racadm;
pub use schemathesis::Schemathesis;
pub use sshd::Sshd;
pub use sushy::{Access, SYSTEMS, Sushy};
pub use tool::{Answer, Ipmipower, Ipmitool};
pub use vboxmanage::VirtualBox;

/// User and password of the peers that are started here. The password is a canary: it must turn up in no log.
pub const USER: &str = "admin";
/// See [`USER`]. 16 bytes: `ipmi_sim` keeps no more of a password from its settings file.
pub const PASSWORD: &str = "s3cret-canary-16";
