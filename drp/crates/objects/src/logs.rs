//! The log buffer (wire-protocol §1.9).

use crate::{Objects, events::Happening};
use drp_protocol::{Level, Line, Time};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

/// Longest message that is kept, in bytes: a log flood must not take the memory.
const MAX_MESSAGE: usize = 64 << 10;

/// All levels, in their order.
const LEVELS: [Level; 8] = [
    Level::Trace,
    Level::Debug,
    Level::Info,
    Level::Warn,
    Level::Error,
    Level::Fatal,
    Level::Panic,
    Level::Audit,
];

/// The last log lines of the daemon and its plugins.
#[derive(Debug)]
pub struct LogBuffer {
    lines: Mutex<VecDeque<Line>>,
    capacity: usize,
    seq: AtomicI64,
    group: AtomicI64,
    /// Lines ever taken, by level.
    taken: [AtomicU64; LEVELS.len()],
    events: Arc<crate::EventBus>,
}

impl LogBuffer {
    pub(crate) fn new(capacity: usize, events: Arc<crate::EventBus>) -> Self {
        Self {
            lines: Mutex::default(),
            capacity: capacity.max(1),
            seq: AtomicI64::new(0),
            group: AtomicI64::new(0),
            taken: Default::default(),
            events,
        }
    }

    /// Takes a line: stamps its time (and its sequence number and group when they are zero), keeps it, and publishes
    /// it as a `log` event unless it says `IgnorePublish`. Never fails, never waits.
    pub fn add(&self, mut line: Line) {
        self.taken[line.level as usize].fetch_add(1, Ordering::Relaxed);
        line.time = Time::now().to_string();
        if line.seq == 0 {
            line.seq = self.seq.fetch_add(1, Ordering::Relaxed) + 1;
        }
        if line.group == 0 {
            line.group = self.next_group();
        }
        if line.message.len() > MAX_MESSAGE {
            let end = (0..=MAX_MESSAGE).rev().find(|i| line.message.is_char_boundary(*i)).unwrap_or(0);
            line.message.truncate(end);
            line.message.push_str(" … (cut)\n");
        }
        let happening = (!line.ignore_publish).then(|| Happening {
            kind: "log".to_owned(),
            action: line.level.name(),
            key: line.service.clone(),
            principal: line.principal.clone(),
            object: serde_json::to_vec(&line).unwrap_or_default().into(),
            original: bytes::Bytes::new(),
        });
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= self.capacity {
            lines.pop_front();
        }
        lines.push_back(line);
        drop(lines);
        if let Some(happening) = happening {
            self.events.happened(happening);
        }
    }

    /// The kept lines, oldest first.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// How many lines were ever taken, by level.
    #[must_use]
    pub fn taken(&self) -> [(Level, u64); LEVELS.len()] {
        LEVELS.map(|level| (level, self.taken[level as usize].load(Ordering::Relaxed)))
    }

    /// A new group number, which ties the lines of one request together.
    #[must_use]
    pub fn next_group(&self) -> i64 {
        self.group.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Objects {
    /// The log buffer.
    #[must_use]
    pub fn logs(&self) -> &LogBuffer {
        &self.inner.logs
    }
}

#[cfg(test)]
mod tests {
    use super::LogBuffer;
    use crate::bus::Bounds;
    use crate::{Delivery, EventBus};
    use drp_protocol::{Level, Line};
    use std::sync::Arc;

    #[tokio::test]
    async fn the_ring_keeps_the_last_lines_and_publishes_them() {
        let bus = Arc::new(EventBus::new(Bounds { queue: 16, history: 0, history_bytes: 0 }));
        let logs = LogBuffer::new(3, Arc::clone(&bus));
        let mut reader = bus.subscribe();
        for i in 0..5 {
            logs.add(Line {
                message: i.to_string(),
                ignore_publish: i < 4,
                service: "s".into(),
                ..Line::default()
            });
        }
        let kept = logs.lines();
        assert_eq!(kept.iter().map(|l| l.message.as_str()).collect::<Vec<_>>(), ["2", "3", "4"]);
        assert_eq!(logs.taken()[Level::Info as usize], (Level::Info, 5));
        assert_eq!(kept[2].seq, 5);
        assert!(!kept[2].time.is_empty());
        let Some(Delivery::Event(event)) = reader.next().await else { panic!("no event") };
        assert_eq!((event.kind(), event.action(), event.key()), ("log", Level::Info.name(), "s"));
    }

    #[test]
    fn a_giant_line_is_cut() {
        let logs =
            LogBuffer::new(3, Arc::new(EventBus::new(Bounds { queue: 1, history: 0, history_bytes: 0 })));
        logs.add(Line { message: "ü".repeat(1 << 20), ..Line::default() });
        assert!(logs.lines()[0].message.len() < (64 << 10) + 20);
    }
}
