//! Everything the daemon listens on and the files that takes: directories, certificate, ports, local socket.

mod base_root;
mod certificate;
mod ports;
mod unix;
mod validity;

pub(crate) use base_root::{BaseRoot, private_dir, write_private};
pub(crate) use certificate::certificate;
pub(crate) use ports::{LocalAddr, WithLocalAddr, bind};
pub(crate) use unix::{LocalSocket, Peer, bind_local};
