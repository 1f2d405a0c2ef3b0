//! The event stream (wire-protocol §4): registrations with their acknowledgements, reconnection, and marks
//! where events may be missing.

use crate::transport::Client;
use crate::websocket::{Socket, connect};
use crate::{ClientError, Fault};
use drp_protocol::Event;
use futures_util::{SinkExt, StreamExt};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, frame::coding::CloseCode};

/// Events that wait for a slow consumer; what comes beyond is counted and marked.
const QUEUE: usize = 4096;
/// How long a registration may take, reconnections included.
const ACK_WAIT: Duration = Duration::from_secs(30);
/// A ping is sent this often.
const PING_EVERY: Duration = Duration::from_secs(20);
/// Without a sign of life for so long the connection counts as dead.
const SILENCE: Duration = Duration::from_secs(65);
/// How long closing may take.
const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// Waits between attempts to reconnect; the last one repeats.
const RECONNECT: [Duration; 6] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

/// What comes out of an [`EventStream`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Incoming {
    /// Something happened.
    Event(Box<Event>),
    /// The connection is lost; attempts to make it again have begun.
    Lost,
    /// The connection was made again, and the patterns are registered again. Events in between were
    /// missed: read the state afresh.
    Reconnected,
    /// The consumer was too slow and this many events were dropped here.
    Missed(u64),
}

enum Command {
    Register(String, oneshot::Sender<()>),
    Deregister(String, oneshot::Sender<()>),
    Close,
}

/// A stream of events. It reconnects by itself until it is closed or dropped.
#[derive(Debug)]
pub struct EventStream {
    commands: mpsc::Sender<Command>,
    incoming: mpsc::Receiver<Result<Incoming, ClientError>>,
    task: Option<JoinHandle<()>>,
    endpoint: String,
}

impl Client {
    /// Opens an event stream. Nothing comes before a pattern is registered. A proxy from the environment is
    /// not used for it.
    ///
    /// # Errors
    /// Every [`ClientError`]; the first connection is tried once.
    pub async fn events(&self) -> Result<EventStream, ClientError> {
        let socket = connect(self).await?;
        let (commands, orders) = mpsc::channel(64);
        let (out, incoming) = mpsc::channel(QUEUE);
        let pump = Pump {
            client: self.clone(),
            orders,
            out,
            patterns: Vec::new(),
            waiting: VecDeque::new(),
            missed: 0,
            gap: false,
        };
        let task = tokio::spawn(pump.run(socket));
        Ok(EventStream { commands, incoming, task: Some(task), endpoint: self.endpoint() })
    }
}

impl EventStream {
    /// Registers a pattern `type.action.key`, each part `*` or a comma list, and waits for the
    /// acknowledgement.
    ///
    /// # Errors
    /// [`ClientError::Timeout`] when it is not acknowledged within 30 s.
    pub async fn register(&self, pattern: &str) -> Result<(), ClientError> {
        let pattern = checked(pattern)?;
        self.order(|ack| Command::Register(pattern, ack), "a registration").await
    }

    /// Takes a pattern back and waits for the acknowledgement.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub async fn deregister(&self, pattern: &str) -> Result<(), ClientError> {
        let pattern = checked(pattern)?;
        self.order(|ack| Command::Deregister(pattern, ack), "a deregistration").await
    }

    async fn order(
        &self,
        command: impl FnOnce(oneshot::Sender<()>) -> Command,
        what: &str,
    ) -> Result<(), ClientError> {
        let (ack, acked) = oneshot::channel();
        let work = async {
            self.commands.send(command(ack)).await.ok()?;
            acked.await.ok()
        };
        match timeout(ACK_WAIT, work).await {
            Ok(Some(())) => Ok(()),
            Ok(None) => Err(ClientError::Broken {
                endpoint: self.endpoint.clone(),
                reason: "the event stream is closed".into(),
            }),
            Err(_) => Err(ClientError::Timeout { endpoint: self.endpoint.clone(), what: what.into() }),
        }
    }

    /// The next event or mark. `None` after the end, which comes after an error or after closing. Dropping the
    /// future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Incoming, ClientError>> {
        self.incoming.recv().await
    }

    /// Closes the stream with a close frame.
    pub async fn close(mut self) {
        let _ = self.commands.send(Command::Close).await;
        self.incoming.close();
        if let Some(mut task) = self.task.take()
            && timeout(CLOSE_WAIT, &mut task).await.is_err()
        {
            task.abort();
        }
    }
}

/// A pattern that the daemon can take: two dots at least, no control characters.
fn checked(pattern: &str) -> Result<String, ClientError> {
    if pattern.splitn(3, '.').filter(|part| !part.is_empty()).count() == 3
        && !pattern.contains(char::is_control)
    {
        Ok(pattern.to_owned())
    } else {
        Err(ClientError::Setting(format!(
            "{pattern:?} is not an event pattern: write TYPE.ACTION.KEY, for instance machines.*.*"
        )))
    }
}

/// Why serving one connection ended.
enum End {
    Closed,
    Lost,
}

/// The task behind a stream.
struct Pump {
    client: Client,
    orders: mpsc::Receiver<Command>,
    out: mpsc::Sender<Result<Incoming, ClientError>>,
    patterns: Vec<String>,
    /// One entry per frame sent and not yet acknowledged, in order: acknowledgements are counted, not matched.
    waiting: VecDeque<(String, Option<oneshot::Sender<()>>)>,
    missed: u64,
    gap: bool,
}

impl Pump {
    async fn run(mut self, mut socket: Socket) {
        loop {
            match self.serve(&mut socket).await {
                End::Closed => {
                    let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
                    let _ = timeout(CLOSE_WAIT, socket.close(Some(frame))).await;
                    return;
                }
                // Only a help for people: when the queue is full, the mark after the reconnection says enough.
                End::Lost => match self.lost().await {
                    Some(fresh) => socket = fresh,
                    None => return,
                },
            }
        }
    }

    /// Serves one connection until it or the stream ends.
    async fn serve(&mut self, socket: &mut Socket) -> End {
        let mut ping = tokio::time::interval_at(Instant::now() + PING_EVERY, PING_EVERY);
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                frame = socket.next() => {
                    heard = Instant::now();
                    match frame {
                        Some(Ok(Message::Text(text))) => self.take(text.as_str()),
                        Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Lost,
                        Some(Ok(_)) => {}
                    }
                }
                command = self.orders.recv() => match command {
                    Some(command) => {
                        if let Some(end) = self.obey(command, socket).await {
                            return end;
                        }
                    }
                    None => return End::Closed,
                },
                _ = ping.tick() => {
                    if heard.elapsed() > SILENCE || !send(socket, Message::Ping(Vec::new().into())).await {
                        return End::Lost;
                    }
                }
                () = self.out.closed() => return End::Closed,
            }
        }
    }

    async fn obey(&mut self, command: Command, socket: &mut Socket) -> Option<End> {
        let (verb, pattern, ack) = match command {
            Command::Close => return Some(End::Closed),
            Command::Register(pattern, ack) => {
                if !self.patterns.contains(&pattern) {
                    self.patterns.push(pattern.clone());
                }
                ("register", pattern, ack)
            }
            Command::Deregister(pattern, ack) => {
                self.patterns.retain(|p| *p != pattern);
                ("deregister", pattern, ack)
            }
        };
        let frame = format!("{verb} {pattern}");
        self.waiting.push_back((pattern, Some(ack)));
        if send(socket, Message::text(frame)).await { None } else { Some(End::Lost) }
    }

    /// Takes one text frame: an acknowledgement or an event.
    fn take(&mut self, text: &str) {
        let event: Event = match serde_json::from_str(text) {
            Ok(event) => event,
            Err(error) => {
                tracing::debug!(%error, "a frame that is not an event");
                return;
            }
        };
        if event.r#type == "websocket" && matches!(event.action.as_str(), "register" | "deregister") {
            if let Some((_, Some(ack))) = self.waiting.pop_front() {
                let _ = ack.send(());
            }
            return;
        }
        if self.flush_marks() && self.out.try_send(Ok(Incoming::Event(Box::new(event)))).is_ok() {
            return;
        }
        self.missed += 1;
    }

    /// Puts due marks before the next event; false when there is no room.
    fn flush_marks(&mut self) -> bool {
        if self.gap && self.out.try_send(Ok(Incoming::Reconnected)).is_ok() {
            self.gap = false;
        }
        if !self.gap && self.missed > 0 && self.out.try_send(Ok(Incoming::Missed(self.missed))).is_ok() {
            self.missed = 0;
        }
        !self.gap && self.missed == 0
    }

    async fn lost(&mut self) -> Option<Socket> {
        let _ = self.out.try_send(Ok(Incoming::Lost));
        self.reconnect().await
    }

    /// Connects again and registers all patterns. `None` when the stream was closed meanwhile or the daemon
    /// refuses the caller.
    async fn reconnect(&mut self) -> Option<Socket> {
        let mut waits = RECONNECT.iter().chain(std::iter::repeat(&RECONNECT[RECONNECT.len() - 1]));
        loop {
            let wait = *waits.next()?;
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.out.closed() => return None,
            }
            let attempt = tokio::select! {
                attempt = connect(&self.client) => attempt,
                () = self.out.closed() => return None,
            };
            match attempt {
                Ok(mut socket) => {
                    if self.restore(&mut socket).await {
                        self.gap = true;
                        self.flush_marks();
                        return Some(socket);
                    }
                }
                Err(error) if error.fault() == Fault::User => {
                    // Asking again with the same credentials cannot succeed.
                    let _ = self.out.send(Err(error)).await;
                    return None;
                }
                Err(error) => tracing::debug!(%error, "the event stream cannot reconnect yet"),
            }
        }
    }

    /// Registers all patterns on a new connection. Callers that still wait for an acknowledgement get it from
    /// the new registration; what was being taken back is gone with the old connection.
    async fn restore(&mut self, socket: &mut Socket) -> bool {
        let mut old = std::mem::take(&mut self.waiting);
        let mut frames = Vec::new();
        for pattern in self.patterns.clone() {
            frames.push(Message::text(format!("register {pattern}")));
            let at = old.iter().position(|(p, ack)| *p == pattern && ack.is_some());
            self.waiting.push_back((pattern, at.and_then(|at| old.remove(at)).and_then(|(_, ack)| ack)));
        }
        for (_, ack) in old {
            if let Some(ack) = ack {
                let _ = ack.send(());
            }
        }
        for frame in frames {
            if !send(socket, frame).await {
                return false;
            }
        }
        true
    }
}

async fn send(socket: &mut Socket, message: Message) -> bool {
    matches!(timeout(ACK_WAIT, socket.send(message)).await, Ok(Ok(())))
}

#[cfg(test)]
mod tests {
    use super::checked;

    #[test]
    fn patterns() {
        for good in ["*.*.*", "machines.update.a.b.c", "a,b.c.*"] {
            assert!(checked(good).is_ok(), "{good}");
        }
        for bad in ["", "machines", "machines.*", "a..b", "a.b.\n"] {
            assert!(checked(bad).is_err(), "{bad:?}");
        }
    }
}
