//! An event stream over plain HTTP, block by block.

use crate::daemon::Daemon;
use bytes::BytesMut;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use serde_json::Value;
use std::time::Duration;

/// How long a block may take.
const BLOCK_WITHIN: Duration = Duration::from_secs(30);

/// One block of a stream; a field that is absent is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// Its place in the stream.
    pub id: String,
    /// Its type, empty for an event.
    pub event: String,
    /// Its data.
    pub data: String,
    /// What the comments in it say.
    pub comment: String,
}

impl Block {
    /// The data as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The number in its id.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.id.rsplit_once('-').expect("an id").1.parse().expect("a number")
    }
}

/// A connected event stream.
pub struct EventStream {
    body: BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    buffer: BytesMut,
}

impl EventStream {
    /// Connects as the well-known user; `query` is what follows the question mark.
    pub async fn open(daemon: &Daemon, query: &str, last: Option<&str>) -> Self {
        let mut request = daemon.request("GET", &format!("/api/v3/events/stream?{query}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        Self::of(request).await
    }

    /// Connects with a request.
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        let answer = request.timeout(Duration::from_secs(600)).send().await.expect("answer");
        assert_eq!(answer.status(), 200, "{answer:?}");
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { body: answer.bytes_stream().boxed(), buffer: BytesMut::new() }
    }

    /// The next block, none at the end.
    pub async fn block(&mut self) -> Option<Block> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let text = String::from_utf8(self.buffer.split_to(end + 2).to_vec()).expect("UTF-8");
                let mut block = Block::default();
                for line in text.lines().filter(|line| !line.is_empty()) {
                    let (field, value) = line.split_once(": ").expect("a field");
                    match field {
                        "id" => value.clone_into(&mut block.id),
                        "event" => value.clone_into(&mut block.event),
                        "data" => value.clone_into(&mut block.data),
                        "" => value.clone_into(&mut block.comment),
                        "retry" => assert!(value.parse::<u32>().is_ok(), "{value}"),
                        other => panic!("{other:?} is no field"),
                    }
                }
                return Some(block);
            }
            match tokio::time::timeout(BLOCK_WITHIN, self.body.next()).await.expect("no block in time") {
                Some(piece) => self.buffer.extend_from_slice(&piece.expect("piece")),
                None => return None,
            }
        }
    }

    /// The next block with data: an event, or a mark.
    pub async fn next(&mut self) -> Block {
        loop {
            let block = self.block().await.expect("the stream ended");
            if !block.data.is_empty() {
                return block;
            }
        }
    }
}
