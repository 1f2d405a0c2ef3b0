//! Task services through a real daemon, on a machine behind OpenSSH's `sshd`: a temporary folder as root of all paths, and a
//! stand-in for `systemctl` (`tests/peers/systemctl.py`) that runs units as real processes.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod canary;
mod cluster;
mod containerd;
mod faults;
mod hostile;
mod machine;
mod rig;
mod shipped;
mod source;
