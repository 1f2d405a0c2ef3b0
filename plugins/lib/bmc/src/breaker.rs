//! Remembers refused credentials, so that they are not tried again and no account is locked out (promise P8).

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// So many different refused credentials are remembered per BMC.
const PER_BMC: usize = 16;
/// So many BMCs are remembered; beyond it the longest-known one is forgotten.
const BMCS: usize = 65_536;

#[derive(Default)]
pub(crate) struct Breaker(Mutex<State>);

#[derive(Default)]
struct State {
    refused: HashMap<String, VecDeque<u64>>,
    order: VecDeque<String>,
}

impl Breaker {
    /// These credentials were refused by this BMC.
    pub(crate) fn trip(&self, bmc: &str, fingerprint: u64) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.refused.contains_key(bmc) {
            if state.order.len() >= BMCS
                && let Some(oldest) = state.order.pop_front()
            {
                state.refused.remove(&oldest);
            }
            state.order.push_back(bmc.to_owned());
        }
        let known = state.refused.entry(bmc.to_owned()).or_default();
        if !known.contains(&fingerprint) {
            if known.len() >= PER_BMC {
                known.pop_front();
            }
            known.push_back(fingerprint);
        }
    }

    /// They must not be tried.
    pub(crate) fn is_open(&self, bmc: &str, fingerprint: u64) -> bool {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.refused.get(bmc).is_some_and(|known| known.contains(&fingerprint))
    }

    /// Forgets what this BMC refused. Answers whether there was anything.
    pub(crate) fn reset(&self, bmc: &str) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.order.retain(|b| b != bmc);
        state.refused.remove(bmc).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_credential_stays_out_until_reset() {
        let breaker = Breaker::default();
        breaker.trip("a", 1);
        breaker.trip("a", 2);
        assert!(breaker.is_open("a", 1) && breaker.is_open("a", 2));
        assert!(!breaker.is_open("a", 3) && !breaker.is_open("b", 1));
        assert!(breaker.reset("a"));
        assert!(!breaker.is_open("a", 1) && !breaker.reset("a"));
    }

    #[test]
    fn it_has_a_bound_per_bmc() {
        let breaker = Breaker::default();
        (0..100).for_each(|n| breaker.trip("a", n));
        assert!(!breaker.is_open("a", 0) && breaker.is_open("a", 99));
    }
}
