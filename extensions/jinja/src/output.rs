//! Where a render writes: with an end of room and of time.

use std::io;
use std::time::Instant;

/// Why it stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Full,
    Late,
}

pub(crate) struct Output {
    bytes: Vec<u8>,
    most: usize,
    until: Instant,
    pub(crate) stopped: Option<Stop>,
}

impl Output {
    pub(crate) fn new(most: usize, until: Instant) -> Self {
        Self { bytes: Vec::new(), most, until, stopped: None }
    }

    /// What was written.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len().saturating_add(bytes.len()) > self.most {
            self.stopped = Some(Stop::Full);
        } else if Instant::now() > self.until {
            self.stopped = Some(Stop::Late);
        }
        if self.stopped.is_some() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
