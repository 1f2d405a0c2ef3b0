//! Times of single calls.

use std::future::Future;
use std::time::{Duration, Instant};

use super::Result;

/// Times of single calls.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    /// Calls one after the other.
    pub(crate) async fn take<F, T>(&mut self, times: usize, mut call: impl FnMut() -> F) -> Result<()>
    where
        F: Future<Output = Result<T>>,
    {
        self.0.reserve(times);
        for _ in 0..times {
            let begin = Instant::now();
            let answer = call().await?;
            self.0.push(begin.elapsed());
            drop(answer);
        }
        Ok(())
    }

    /// Calls that block, one after the other.
    pub(crate) fn block<T>(&mut self, times: usize, mut call: impl FnMut() -> Result<T>) -> Result<()> {
        self.0.reserve(times);
        for _ in 0..times {
            let begin = Instant::now();
            let answer = call()?;
            self.0.push(begin.elapsed());
            drop(answer);
        }
        Ok(())
    }

    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub(crate) fn extend(&mut self, other: Samples) {
        self.0.extend(other.0);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The time below which `part` of 1,000 calls stay.
    pub(crate) fn permille(&self, part: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * part / 1000).min(sorted.len().saturating_sub(1));
        sorted.get(at).copied().unwrap_or_default()
    }

    pub(crate) fn p50(&self) -> Duration {
        self.permille(500)
    }

    pub(crate) fn p99(&self) -> Duration {
        self.permille(990)
    }
}
