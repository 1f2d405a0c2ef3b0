//! How long things took, in buckets.

use std::time::Duration;

/// Upper bounds in milliseconds.
pub(super) const BOUNDS: [u64; 14] =
    [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000, 60_000, 600_000];

/// A histogram of times.
#[derive(Debug, Clone, Default)]
pub(super) struct Times {
    /// How many took at most so long, and at the end how many took longer.
    pub(super) counts: [u64; BOUNDS.len() + 1],
    pub(super) sum: Duration,
}

impl Times {
    pub(super) fn took(&mut self, time: Duration) {
        let bucket = BOUNDS.iter().position(|bound| time <= Duration::from_millis(*bound));
        self.counts[bucket.unwrap_or(BOUNDS.len())] += 1;
        self.sum += time;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_belong_to_their_bucket() {
        let mut times = Times::default();
        for ms in [0, 1, 2, 3, 600_000, 600_001] {
            times.took(Duration::from_millis(ms));
        }
        assert_eq!((times.counts[0], times.counts[1], times.counts[2]), (2, 1, 1));
        assert_eq!((times.counts[13], times.counts[14]), (1, 1));
        assert_eq!(times.sum, Duration::from_millis(1_200_007));
    }
}
