//! The ipmi plugin as a process, driven by a scripted daemon, against BMCs.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod at_most_once;
mod bounds;
mod bulk;
mod canary;
mod codes;
mod daemon;
mod errors;
mod local;
mod local_guest;
mod lpar;
mod peers;
mod racadm;
mod readings;
mod readings_peers;
mod readings_redfish;
mod redfish;
mod rig;
mod sessions;
mod through;
mod verbs;
