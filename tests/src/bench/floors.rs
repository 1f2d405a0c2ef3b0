//! What the machine can do at best: the floors.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bytes::Bytes;
use http::Method;

use super::http::{Kept, Pooled, trust};
use super::peer::{MESSAGE, Peer};
use super::samples::Samples;
use super::{Bench, Result};

/// A JSON body of the size of a message.
pub(crate) fn message() -> Bytes {
    let body = format!("\"{}\"", "x".repeat(MESSAGE - 2));
    Bytes::from(body)
}

/// Raw ping-pong over a UNIX socket between two processes, without any parsing.
pub(crate) struct PingPong {
    stream: UnixStream,
    _peer: Peer,
}

impl PingPong {
    pub(crate) fn start(bench: &Bench) -> Result<PingPong> {
        let (_peer, path) = listening(bench, "pingpong")?;
        Ok(PingPong { stream: UnixStream::connect(path)?, _peer })
    }

    pub(crate) fn take(&mut self, samples: &mut Samples, times: usize) -> Result<()> {
        let mut message = [0; MESSAGE];
        samples.block(times, || {
            self.stream.write_all(&message)?;
            Ok(self.stream.read_exact(&mut message)?)
        })
    }
}

/// HTTP over a UNIX socket to an axum echo in another process, one kept connection.
pub(crate) struct HttpEcho {
    client: Pooled,
    _peer: Peer,
}

impl HttpEcho {
    pub(crate) fn start(bench: &Bench) -> Result<HttpEcho> {
        let (_peer, path) = listening(bench, "http")?;
        Ok(HttpEcho { client: Pooled::new(&path, "/echo"), _peer })
    }

    pub(crate) async fn take(&self, samples: &mut Samples, times: usize, body: &Bytes) -> Result<()> {
        samples.take(times, || self.client.post(body.clone())).await
    }
}

/// HTTPS to an axum echo in another process, one kept connection.
pub(crate) struct HttpsEcho {
    kept: Kept,
    _peer: Peer,
}

impl HttpsEcho {
    pub(crate) async fn start(bench: &Bench) -> Result<HttpsEcho> {
        let certificate = bench.directory.path().join("echo.crt");
        let peer = Peer::start(&["https", &certificate.to_string_lossy()])?;
        let tls = trust(&std::fs::read(&certificate)?)?;
        Ok(HttpsEcho { kept: Kept::tls(&peer.said, &tls).await?, _peer: peer })
    }

    pub(crate) async fn take(&mut self, samples: &mut Samples, times: usize, body: &Bytes) -> Result<()> {
        for _ in 0..times {
            let begin = Instant::now();
            self.kept.call(Method::POST, "/echo", body.clone()).await?;
            samples.add(begin.elapsed());
        }
        Ok(())
    }
}

fn listening(bench: &Bench, kind: &str) -> Result<(Peer, PathBuf)> {
    // Several promises need the same floor; each has a socket of its own.
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let path = bench.sockets.path().join(format!("{kind}{}", COUNT.fetch_add(1, Ordering::Relaxed)));
    Ok((Peer::start(&[kind, &path.to_string_lossy()])?, path))
}

/// Spawning the smallest process that says one line, until the line is there.
pub(crate) fn bare_spawn(samples: &mut Samples, times: usize) -> Result<()> {
    let program = std::env::current_exe()?;
    for _ in 0..times {
        let begin = Instant::now();
        let mut child = Command::new(&program)
            .args(["--peer", "reply"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = [0; 1];
        if let Some(out) = &mut child.stdout {
            out.read_exact(&mut line)?;
        }
        samples.add(begin.elapsed());
        child.wait()?;
    }
    Ok(())
}

/// Appending to a file and flushing it, each time.
pub(crate) struct Append {
    file: File,
}

impl Append {
    pub(crate) fn start(bench: &Bench) -> Result<Append> {
        Ok(Append { file: File::create(bench.directory.path().join("append"))? })
    }

    pub(crate) fn take(&mut self, samples: &mut Samples, times: usize, bytes: &[u8]) -> Result<()> {
        samples.block(times, || {
            self.file.write_all(bytes)?;
            Ok(self.file.sync_data()?)
        })
    }
}
