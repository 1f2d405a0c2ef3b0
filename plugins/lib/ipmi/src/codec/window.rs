//! Which session sequence numbers were already seen (IPMI 2.0 §6.12.13).

/// How far behind the newest packet an older one may still come in.
pub const BEHIND: u32 = 16;

/// A sliding window over received sequence numbers. Packets with an integrity code may run ahead by any number (a loss
/// of many answers is no reason to lock the session); duplicates and packets too far behind are not accepted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Window {
    /// Newest number, when there was one.
    newest: Option<u32>,
    /// Bit n: `newest - n` was seen.
    seen: u32,
}

impl Window {
    /// Takes a number in. `false` means: discard the packet. Ask only for packets whose integrity was checked.
    pub fn accept(&mut self, sequence: u32) -> bool {
        // Zero is for packets outside a session; a counter that wraps skips it.
        if sequence == 0 {
            return false;
        }
        let Some(newest) = self.newest else {
            (self.newest, self.seen) = (Some(sequence), 1);
            return true;
        };
        let ahead = sequence.wrapping_sub(newest);
        if ahead != 0 && ahead < u32::MAX / 2 {
            self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
            self.newest = Some(sequence);
            return true;
        }
        let behind = newest.wrapping_sub(sequence);
        if behind > BEHIND || self.seen & (1 << behind) != 0 {
            return false;
        }
        self.seen |= 1 << behind;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Window;

    #[test]
    fn a_number_counts_once() {
        let mut w = Window::default();
        assert!(w.accept(5));
        assert!(!w.accept(5));
        assert!(w.accept(7));
        assert!(w.accept(6));
        assert!(!w.accept(6));
        assert!(!w.accept(0));
    }

    #[test]
    fn far_behind_is_too_late_and_far_ahead_is_not() {
        let mut w = Window::default();
        assert!(w.accept(100));
        assert!(w.accept(84));
        assert!(!w.accept(83));
        assert!(w.accept(10_000));
        assert!(!w.accept(100));
        assert!(w.accept(9_999));
    }

    #[test]
    fn the_counter_may_wrap() {
        let mut w = Window::default();
        assert!(w.accept(u32::MAX));
        assert!(w.accept(1));
        assert!(!w.accept(u32::MAX));
        assert!(w.accept(u32::MAX - 1));
    }
}
