//! Events over plain HTTP (docs/events.md): every event has a place in the stream, and a stream that breaks is taken
//! up where it was.

use crate::path::escape_into;
use crate::transport::{API, Client};
use crate::{ClientError, Fault};
use bytes::BytesMut;
use drp_protocol::Event;
use reqwest::{Method, Response, header::ACCEPT};
use serde::Deserialize;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::timeout;

/// Without a sign of life for so long the connection counts as dead; the daemon gives one every 10 s.
const SILENCE: Duration = Duration::from_secs(40);
/// Largest block in bytes.
const BLOCK: usize = 64 << 20;
/// Waits between attempts to come back; the last one repeats.
const COME_BACK: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

/// What comes out of a [`ResumableEvents`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Resumable {
    /// Something happened. The id is its place: who begins after it misses nothing.
    Event {
        /// `<epoch>-<number>`.
        id: String,
        /// The event.
        event: Box<Event>,
    },
    /// Events of these numbers, both included, are lost: they are not kept any more, or this client was too slow.
    Gap {
        /// The place behind the gap.
        id: String,
        /// Names the life of the daemon that the numbers belong to.
        epoch: String,
        /// First lost number.
        from: u64,
        /// Last lost number; none when the daemon was started again and nobody knows.
        to: Option<u64>,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Mark {
    epoch: String,
    from: u64,
    to: Option<u64>,
}

/// A stream of events that comes back to its place by itself.
#[derive(Debug)]
pub struct ResumableEvents {
    client: Client,
    query: String,
    id: Option<String>,
    response: Option<Response>,
    buffer: BytesMut,
    /// So many bytes of it hold no end of a block.
    searched: usize,
    ready: VecDeque<Resumable>,
}

impl Client {
    /// Follows the events that match one of the patterns `type.action.key`, all events without any. `from` is the id
    /// after which to begin, or `0` for everything that the daemon still keeps; without it the stream begins now.
    ///
    /// # Errors
    /// 400 when a pattern or the id is none; every other [`ClientError`]. The first connection is tried as any call.
    pub async fn resumable_events(
        &self,
        patterns: &[&str],
        from: Option<&str>,
    ) -> Result<ResumableEvents, ClientError> {
        let mut query = String::new();
        for pattern in patterns {
            query.push_str(if query.is_empty() { "?pattern=" } else { "&pattern=" });
            escape_into(&mut query, pattern, false);
        }
        let mut events = ResumableEvents {
            client: self.clone(),
            query,
            id: from.map(str::to_owned),
            response: None,
            buffer: BytesMut::new(),
            searched: 0,
            ready: VecDeque::new(),
        };
        events.response = Some(events.connect().await?);
        Ok(events)
    }
}

impl ResumableEvents {
    /// The place of the last event or mark that was given, for the next life of this program.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The next event or mark. A connection that breaks is made again; an error is one that trying again does not
    /// mend, such as credentials that hold no longer. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Every [`ClientError`].
    pub async fn next(&mut self) -> Result<Resumable, ClientError> {
        let mut waits = COME_BACK.iter();
        let mut last = COME_BACK[0];
        loop {
            if let Some(next) = self.ready.pop_front() {
                let (Resumable::Event { id, .. } | Resumable::Gap { id, .. }) = &next;
                self.id = Some(id.clone());
                return Ok(next);
            }
            if self.response.is_none() {
                match self.connect().await {
                    Ok(response) => self.response = Some(response),
                    Err(error) if passes(&error) => {
                        last = waits.next().copied().unwrap_or(last);
                        tokio::time::sleep(last).await;
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            }
            let Some(response) = &mut self.response else { continue };
            match timeout(SILENCE, response.chunk()).await {
                Ok(Ok(Some(piece))) => {
                    waits = COME_BACK.iter();
                    self.buffer.extend_from_slice(&piece);
                    self.take_blocks()?;
                }
                Ok(Ok(None) | Err(_)) | Err(_) => {
                    self.buffer.clear();
                    self.searched = 0;
                    self.response = None;
                    last = waits.next().copied().unwrap_or(last);
                    tokio::time::sleep(last).await;
                }
            }
        }
    }

    async fn connect(&self) -> Result<Response, ClientError> {
        let path = format!("{API}/events/stream{}", self.query);
        let token = self.client.authorise().await?;
        let mut request = self.client.request(Method::GET, &path).header(ACCEPT, "text/event-stream");
        if let Some(id) = &self.id {
            request = request.header("last-event-id", id);
        }
        self.client.once(&Method::GET, &path, self.client.credit(request, token.as_ref())).await
    }

    fn take_blocks(&mut self) -> Result<(), ClientError> {
        while let Some(end) = self.buffer[self.searched..].windows(2).position(|pair| pair == b"\n\n") {
            let block = self.buffer.split_to(self.searched + end + 2);
            self.searched = 0;
            if let Some(next) = self.read(&String::from_utf8_lossy(&block))? {
                self.ready.push_back(next);
            }
        }
        self.searched = self.buffer.len().saturating_sub(1);
        if self.buffer.len() > BLOCK {
            return Err(wrong(format!("a block is longer than {BLOCK} bytes")));
        }
        Ok(())
    }

    fn read(&mut self, block: &str) -> Result<Option<Resumable>, ClientError> {
        let (mut id, mut kind, mut data) = ("", "", String::new());
        for line in block.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => id = value,
                "event" => kind = value,
                "data" if data.is_empty() => value.clone_into(&mut data),
                "data" => data = format!("{data}\n{value}"),
                _ => {}
            }
        }
        let id = id.to_owned();
        match kind {
            _ if data.is_empty() => {
                // Only a place. It holds once everything before it was given.
                if !id.is_empty() && self.ready.is_empty() {
                    self.id = Some(id);
                }
                Ok(None)
            }
            "" => {
                let event = serde_json::from_str(&data).map_err(|e| wrong(e.to_string()))?;
                Ok(Some(Resumable::Event { id, event: Box::new(event) }))
            }
            "gap" => {
                let Mark { epoch, from, to } =
                    serde_json::from_str(&data).map_err(|e| wrong(e.to_string()))?;
                Ok(Some(Resumable::Gap { id, epoch, from, to }))
            }
            // The end is followed by the end of the connection; what comes later may have types of its own.
            _ => Ok(None),
        }
    }
}

/// Whether trying again may help.
fn passes(error: &ClientError) -> bool {
    match error {
        ClientError::Api(error) => error.code == 503,
        other => other.fault() == Fault::Network,
    }
}

fn wrong(reason: String) -> ClientError {
    ClientError::Answer { what: format!("GET {API}/events/stream"), reason }
}
