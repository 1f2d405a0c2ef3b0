//! Redfish: the client against sushy-tools, and client and plugin against our own simulator and all its faults.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod at_most_once;
mod both;
mod daemon;
mod profiles;
mod program;
mod rig;
mod sessions;
mod sushy;
mod trouble;
