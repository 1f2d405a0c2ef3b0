//! The socket to one BMC, and waiting for the one datagram that is meant.

use crate::codec::Invalid;
use crate::codec::handshake::Head;
use crate::codec::packet::{MAX_DATAGRAM, Packet, PayloadType, Plus};
use crate::{Error, Timeouts};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

/// What a session has seen, for tests and for judging a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams sent.
    pub sent: u64,
    /// Of these, repetitions.
    pub repeated: u64,
    /// Datagrams received and thrown away: late, foreign, duplicate, damaged.
    pub discarded: u64,
}

/// A UDP socket connected to one BMC, so that the kernel drops what others send.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) socket: UdpSocket,
    pub(super) peer: SocketAddr,
    sent: AtomicU64,
    repeated: AtomicU64,
    discarded: AtomicU64,
}

/// How one request is waited for.
pub(super) struct Wait {
    /// What is waited for, in words.
    pub(super) step: &'static str,
    /// The end.
    pub(super) deadline: Instant,
    /// First repetition after this time, doubled each time; `None` for what must not be repeated.
    pub(super) repeat: Option<Duration>,
}

impl Wire {
    /// A socket of the peer's own address family.
    pub(super) async fn open(peer: SocketAddr) -> Result<Self, Error> {
        let local: SocketAddr = match peer {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(local)
            .await
            .map_err(|source| Error::Local { what: format!("the network for the BMC at {peer}"), source })?;
        socket.connect(peer).await.map_err(|source| Error::Unreachable {
            peer,
            source,
            maybe_done: false,
        })?;
        Ok(Self { socket, peer, sent: 0.into(), repeated: 0.into(), discarded: 0.into() })
    }

    pub(super) fn counters(&self) -> Counters {
        Counters {
            sent: self.sent.load(Relaxed),
            repeated: self.repeated.load(Relaxed),
            discarded: self.discarded.load(Relaxed),
        }
    }

    fn unreachable(&self, source: io::Error, maybe_done: bool) -> Error {
        Error::Unreachable { peer: self.peer, source, maybe_done }
    }

    /// Sends a request and gives every datagram that comes to `judge` until that one breaks with an answer, or the
    /// deadline passes. `packet` makes the datagram afresh for every repetition. An `Err` from `judge` is a datagram
    /// to throw away, with the reason. Both get `state`.
    pub(super) async fn exchange<S, T>(
        &self,
        wait: Wait,
        state: &mut S,
        mut packet: impl FnMut(&mut S) -> Result<Vec<u8>, Error>,
        mut judge: impl FnMut(&mut S, &[u8]) -> Result<ControlFlow<T>, Invalid>,
    ) -> Result<T, Error> {
        let started = Instant::now();
        let mut interval = wait.repeat;
        let once = wait.repeat.is_none();
        let mut ours_but_invalid = None;
        let mut sends = 0u64;
        let mut buffer = [0u8; MAX_DATAGRAM + 1];
        loop {
            let datagram = packet(state)?;
            // An error of an earlier datagram may be reported here: then this one was not sent.
            self.socket.send(&datagram).await.map_err(|e| self.unreachable(e, once && sends > 0))?;
            self.sent.fetch_add(1, Relaxed);
            self.repeated.fetch_add(u64::from(sends > 0), Relaxed);
            sends += 1;
            let next = interval.map_or(wait.deadline, |i| (Instant::now() + i).min(wait.deadline));
            interval = interval.map(|i| i * 2);
            loop {
                match timeout_at(next, self.socket.recv(&mut buffer)).await {
                    Err(_) => break,
                    Ok(Err(e)) => return Err(self.unreachable(e, once)),
                    Ok(Ok(len)) => match judge(state, buffer.get(..len).unwrap_or_default()) {
                        Ok(ControlFlow::Break(answer)) => return Ok(answer),
                        Ok(ControlFlow::Continue(())) => self.discard(wait.step, "not the awaited answer"),
                        Err(Invalid(why)) => {
                            ours_but_invalid = Some(why);
                            self.discard(wait.step, why);
                        }
                    },
                }
            }
            if Instant::now() >= wait.deadline {
                let peer = self.peer;
                return Err(match ours_but_invalid {
                    Some(what) if !once => Error::Malformed { peer, step: wait.step, what },
                    _ => Error::Silent { peer, step: wait.step, waited: started.elapsed(), maybe_done: once },
                });
            }
        }
    }

    fn discard(&self, step: &'static str, why: &'static str) {
        self.discarded.fetch_add(1, Relaxed);
        tracing::debug!(peer = %self.peer, step, why, "datagram thrown away");
    }

    /// One step of the handshake: sends `payload` and waits for the message of type `kind` with this tag. `read` gets
    /// its head and its bytes.
    pub(super) async fn handshake<T>(
        &self,
        wait: Wait,
        (sent, payload): (PayloadType, &[u8]),
        (kind, tag, console_id): (PayloadType, u8, u32),
        mut read: impl FnMut(Head, &[u8]) -> Result<T, Invalid>,
    ) -> Result<T, Error> {
        let datagram = crate::codec::packet::encode_plain(sent, payload);
        self.exchange(
            wait,
            &mut (),
            |()| Ok(datagram.clone()),
            |(), bytes| {
                let Packet::V20(packet @ Plus { kind: got, .. }) = Packet::parse(bytes)? else {
                    return Ok(ControlFlow::Continue(()));
                };
                if got != kind {
                    return Ok(ControlFlow::Continue(()));
                }
                let message = packet.plain()?;
                let head = Head::decode(message)?;
                // A refusal may come without our id, or with 0 for it.
                let refusal_without_id =
                    head.status != crate::RakpStatus::OK && matches!(head.id, None | Some(0));
                if head.tag != tag || (head.id != Some(console_id) && !refusal_without_id) {
                    return Ok(ControlFlow::Continue(()));
                }
                read(head, message).map(ControlFlow::Break)
            },
        )
        .await
    }
}

/// Deadline and repetition for opening.
pub(super) fn opening(step: &'static str, deadline: Instant, timeouts: &Timeouts) -> Wait {
    Wait { step, deadline, repeat: Some(timeouts.retransmit) }
}

/// A number for which it matters that nobody can guess it.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut out = [0u8; N];
    getrandom::fill(&mut out).map_err(|e| Error::Local {
        what: "the system's random numbers".into(),
        source: io::Error::other(e.to_string()),
    })?;
    Ok(out)
}
