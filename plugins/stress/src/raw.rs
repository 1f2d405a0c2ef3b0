//! Meddling with connections behind the SDK's back.

use nix::sys::socket::{Shutdown, UnixAddr, getpeername, getsockname, shutdown};
use std::{
    fs::File,
    io::{self, Read, Write},
    os::{fd::RawFd, unix::net::UnixStream},
    path::PathBuf,
};

/// The to-plugin socket and the from-plugin socket.
pub(crate) fn sockets() -> (PathBuf, PathBuf) {
    let mut arguments = std::env::args_os().skip(2).map(PathBuf::from);
    (arguments.next().unwrap_or_default(), arguments.next().unwrap_or_default())
}

/// Writes bytes to every connection that the daemon opened, and ends them.
pub(crate) fn break_connections(bytes: &[u8]) -> io::Result<usize> {
    let mut broken = 0;
    for fd in daemon_connections()? {
        // A new description of the same socket cannot be had from /proc, so write through the number.
        let _ = nix::sys::socket::send(fd, bytes, nix::sys::socket::MsgFlags::MSG_NOSIGNAL);
        shutdown(fd, Shutdown::Both)?;
        broken += 1;
    }
    Ok(broken)
}

/// Accepted connections: bound to the to-plugin socket, with a peer.
fn daemon_connections() -> io::Result<Vec<RawFd>> {
    let (to, _) = sockets();
    let numbers = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<RawFd>().ok());
    let ours = |fd: &RawFd| {
        getsockname::<UnixAddr>(*fd).is_ok_and(|addr| addr.path() == Some(to.as_path()))
            && getpeername::<UnixAddr>(*fd).is_ok()
    };
    Ok(numbers.filter(ours).collect())
}

/// Posts log lines as fast as the daemon takes them, without the SDK's bounded queue.
pub(crate) fn flood_log(count: u64) -> io::Result<()> {
    let mut writer = UnixStream::connect(sockets().1)?;
    let mut reader = writer.try_clone()?;
    std::thread::spawn(move || {
        let mut answers = [0; 1 << 16];
        while reader.read(&mut answers).is_ok_and(|n| n > 0) {}
    });
    for number in 0..count {
        let body = format!("{{\"Level\":\"info\",\"Service\":\"stress\",\"Message\":\"flood {number}\"}}");
        write!(
            writer,
            "POST /api-server-plugin/v4/log HTTP/1.1\r\nHost: unix\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
    Ok(())
}

/// Opens files until there are no more descriptors.
pub(crate) fn all_descriptors() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}
