//! Lines of output: bounded in length, kept for diagnosis, limited in rate.

use drp_protocol::Secret;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt};

/// What stands at the end of a line that was longer than the bound.
pub(crate) const CUT: &str = " … (cut)";

/// Reads lines until the stream ends and hands each to `take`. A line longer than `most` bytes is cut,
/// so that memory stays bounded whatever the plugin writes.
pub(crate) async fn read_lines(
    mut stream: impl AsyncRead + Unpin,
    most: usize,
    mut take: impl FnMut(String),
) {
    let mut buffer = vec![0; 8192];
    let mut line = Vec::new();
    let mut cut = false;
    let mut finish = |line: &mut Vec<u8>, cut: &mut bool| {
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        let mut text = String::from_utf8_lossy(line).into_owned();
        if std::mem::take(cut) {
            text.push_str(CUT);
        }
        line.clear();
        take(text);
    };
    loop {
        let got = match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(got) => got,
        };
        let mut rest = &buffer[..got];
        while !rest.is_empty() {
            let end = rest.iter().position(|b| *b == b'\n');
            let part = &rest[..end.unwrap_or(rest.len())];
            let room = most - line.len().min(most);
            cut |= part.len() > room;
            line.extend_from_slice(&part[..part.len().min(room)]);
            match end {
                Some(end) => {
                    finish(&mut line, &mut cut);
                    rest = &rest[end + 1..];
                }
                None => break,
            }
        }
    }
    if !line.is_empty() || cut {
        finish(&mut line, &mut cut);
    }
}

/// The last lines of a stream.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    lines: Mutex<VecDeque<String>>,
}

impl Kept {
    pub(crate) fn push(&self, line: String, most: usize) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        while lines.len() >= most.max(1) {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// Replaces a token in a line, should the plugin print it.
pub(crate) fn scrub(line: String, token: &Secret) -> String {
    let token = token.expose();
    if token.len() >= 8 && line.contains(token.as_str()) { line.replace(token.as_str(), "***") } else { line }
}

/// Lets so many lines a second pass and counts the others.
#[derive(Debug)]
pub(crate) struct Gate {
    rate: f64,
    state: Mutex<(f64, Instant)>,
    unreported: AtomicU64,
    dropped: AtomicU64,
}

/// What to do with a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Take it; so many before it were left out and not reported yet.
    Yes(u64),
    /// Leave it out.
    No,
}

impl Gate {
    /// A gate that lets through `rate` lines a second, and as many at once.
    pub(crate) fn new(rate: u32) -> Self {
        let rate = f64::from(rate.max(1));
        Self {
            rate,
            state: Mutex::new((rate, Instant::now())),
            unreported: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    pub(crate) fn pass(&self) -> Pass {
        self.pass_at(Instant::now())
    }

    fn pass_at(&self, now: Instant) -> Pass {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (tokens, last) = &mut *state;
        let gained =
            now.saturating_duration_since(*last).min(Duration::from_secs(1)).as_secs_f64() * self.rate;
        *tokens = (*tokens + gained).min(self.rate);
        *last = now;
        if *tokens < 1.0 {
            drop(state);
            self.unreported.fetch_add(1, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return Pass::No;
        }
        *tokens -= 1.0;
        Pass::Yes(self.unreported.swap(0, Ordering::Relaxed))
    }

    /// Lines left out in all.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::{CUT, Gate, Kept, Pass, read_lines, scrub};
    use drp_protocol::Secret;
    use std::time::{Duration, Instant};

    async fn lines(input: &[u8], most: usize) -> Vec<String> {
        let mut out = Vec::new();
        read_lines(input, most, |l| out.push(l)).await;
        out
    }

    #[tokio::test]
    async fn lines_are_split_cut_and_made_text() {
        assert_eq!(lines(b"a\r\n\nb", 10).await, ["a", "", "b"]);
        let long = [b"x".repeat(50_000), b"\nREADY!\n".to_vec()].concat();
        assert_eq!(lines(&long, 4).await, [format!("xxxx{CUT}"), format!("READ{CUT}")]);
        assert_eq!(lines(&long, 6).await[1], "READY!");
        assert_eq!(lines(b"\xff!", 10).await, ["\u{fffd}!"]);
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let kept = Kept::default();
        (0..10).for_each(|n| kept.push(n.to_string(), 3));
        assert_eq!(kept.all(), ["7", "8", "9"]);
    }

    #[test]
    fn a_flood_is_counted() {
        let gate = Gate::new(10);
        let start = Instant::now();
        let passed = (0..1000).filter(|_| gate.pass_at(start) != Pass::No).count();
        assert!(passed <= 11, "{passed}");
        assert_eq!(gate.pass_at(start + Duration::from_secs(1)), Pass::Yes(gate.dropped()));
    }

    #[test]
    fn a_printed_token_is_hidden() {
        let token = Secret::new("eyJ.secret-token".to_owned());
        assert_eq!(scrub("env RS_TOKEN=eyJ.secret-token!".into(), &token), "env RS_TOKEN=***!");
    }
}
