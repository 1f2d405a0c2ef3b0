//! The local socket of the command line. Who calls is told by the kernel, not by a password.

use crate::ServeError;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixStream};

/// The process at the other end (`SO_PEERCRED`, unix(7)).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    /// Its user; `None` when the kernel did not tell.
    pub(crate) uid: Option<u32>,
}

impl Peer {
    /// Whether it may act as the operator: the daemon's own user, or root.
    pub(crate) fn is_operator(self) -> bool {
        self.uid.is_some_and(|uid| uid == 0 || uid == nix::unistd::geteuid().as_raw())
    }

    /// The user's name, or its number when it has none.
    pub(crate) fn name(self) -> String {
        let Some(uid) = self.uid else { return "unknown".to_owned() };
        nix::unistd::User::from_uid(uid.into())
            .ok()
            .flatten()
            .map_or_else(|| uid.to_string(), |user| user.name)
    }
}

impl Connected<IncomingStream<'_, LocalSocket>> for Peer {
    fn connect_info(stream: IncomingStream<'_, LocalSocket>) -> Self {
        Self { uid: stream.io().peer_cred().ok().map(|cred| cred.uid()) }
    }
}

/// The bound local socket; its file goes with it.
pub(crate) struct LocalSocket {
    listener: UnixListener,
    path: PathBuf,
}

/// Binds the socket, mode 0600. A stale file of an ended daemon is replaced, anything else is refused.
pub(crate) fn bind_local(path: &Path) -> Result<LocalSocket, ServeError> {
    let refuse = |error: io::Error, hint: &str| ServeError::Path {
        what: "local socket",
        path: path.to_owned(),
        error,
        hint: hint.to_owned(),
    };
    let hint = "set --socket to a short path in a directory this user may write";
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_socket() => {
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                let error = io::Error::from(io::ErrorKind::AddrInUse);
                return Err(refuse(error, "another daemon listens on it; stop it or set --socket"));
            }
            std::fs::remove_file(path).map_err(|e| refuse(e, hint))?;
        }
        Ok(_) => {
            let error = io::Error::from(io::ErrorKind::AlreadyExists);
            return Err(refuse(error, "it is not a socket; move it away or set --socket"));
        }
        Err(_) => {}
    }
    if path.as_os_str().len() > drp_protocol::wire::SOCKET_PATH_MAX {
        let error = io::Error::from(io::ErrorKind::InvalidFilename);
        return Err(refuse(error, "a socket path holds 107 bytes; set --socket to a shorter one"));
    }
    let listener = UnixListener::bind(path).map_err(|e| refuse(e, hint))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(|e| refuse(e, hint))?;
    Ok(LocalSocket { listener, path: path.to_owned() })
}

impl Listener for LocalSocket {
    type Io = UnixStream;
    type Addr = ();

    async fn accept(&mut self) -> (UnixStream, ()) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return (stream, ()),
                // Out of file descriptors, most likely: others will close.
                Err(error) => {
                    tracing::warn!(%error, "local socket cannot accept");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LocalSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_living_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let held = bind_local(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(bind_local(&path).err().unwrap().to_string().contains("another daemon"));
        drop(held);
        assert!(!path.exists());
        std::fs::write(&path, "").unwrap();
        assert!(bind_local(&path).err().unwrap().to_string().contains("not a socket"));
    }
}
