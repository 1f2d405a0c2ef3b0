//! How often a password may be wrong.
//!
//! Failures are counted where they come from, for whom they are, and for both together, each in a bucket that refills
//! evenly within a minute. A source that is out of tries waits, whatever it sends. A user who is guessed at from many
//! places is not locked out: each place that has not failed for this user yet still has one try, so whoever knows the
//! password gets in, and a guesser needs an address for each guess. What is remembered as right is not counted at all.

use drp_protocol::Error;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time in which an empty bucket is full again.
pub(crate) const WINDOW: Duration = Duration::from_secs(60);
/// Buckets that are kept. Full ones say nothing and go first.
const MOST: usize = 50_000;
/// Longest part of a user's name that counts.
const NAME: usize = 128;

/// How many failures a minute are let pass; 0 does not count them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginLimits {
    /// Of all users from one address. Addresses of IPv6 count by their first 64 bits, which is what one customer has.
    pub source: u32,
    /// Of one user from all addresses.
    pub user: u32,
    /// Of one user from one address.
    pub pair: u32,
}

impl Default for LoginLimits {
    fn default() -> Self {
        Self { source: 30, user: 100, pair: 10 }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Source(IpAddr),
    User(String),
    Pair(String, IpAddr),
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// Failures that are left.
    left: f64,
    seen: Instant,
}

/// What is left for whoever failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    /// Failures a minute.
    pub(crate) limit: u32,
    /// Failures that are left now.
    pub(crate) remaining: u32,
    /// Until a try is there again, 0 when there is one, else rounded up to whole seconds.
    pub(crate) reset: u64,
}

/// Counts failures.
pub(crate) struct Limiter {
    limits: LoginLimits,
    buckets: Mutex<HashMap<Key, Bucket>>,
}

fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !(u128::MAX >> 64)).into(),
        v4 => v4,
    }
}

impl Limiter {
    pub(crate) fn new(limits: LoginLimits) -> Self {
        Self { limits, buckets: Mutex::default() }
    }

    /// Takes a try before the password is looked at, so that many at once are as many as one after the other.
    /// [`Limiter::right`] gives it back.
    ///
    /// # Errors
    /// What is left when there is none.
    pub(crate) fn take(&self, user: &str, from: IpAddr, now: Instant) -> Result<Left, Left> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST {
            trim(&mut buckets, &self.limits, now);
        }
        let (source, user_key, pair) = keys(user, from);
        let besieged = self.limits.user != 0 && level(&buckets, &user_key, self.limits.user, now) < 1.0;
        let in_pair = level(&buckets, &pair, self.limits.pair, now);
        // Under siege whoever has not failed here has one try.
        let pair_left = if besieged { in_pair - f64::from(self.limits.pair) + 1.0 } else { in_pair };
        let of_source = level(&buckets, &source, self.limits.source, now);
        for (limit, left) in [(self.limits.source, of_source), (self.limits.pair, pair_left)] {
            if limit != 0 && left < 1.0 {
                return Err(said(limit, left));
            }
        }
        for (key, limit) in
            [(source, self.limits.source), (user_key, self.limits.user), (pair, self.limits.pair)]
        {
            if limit != 0 {
                let left = (level(&buckets, &key, limit, now) - 1.0).max(0.0);
                buckets.insert(key, Bucket { left, seen: now });
            }
        }
        let tighter = [(self.limits.source, of_source), (self.limits.pair, pair_left)];
        let tighter = tighter.into_iter().filter(|(limit, _)| *limit != 0).min_by(|a, b| a.1.total_cmp(&b.1));
        Ok(tighter.map_or(Left { limit: 0, remaining: 0, reset: 0 }, |(limit, left)| said(limit, left - 1.0)))
    }

    /// The password was right: the try was none, and what this user got wrong from here is forgiven.
    pub(crate) fn right(&self, user: &str, from: IpAddr) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let (source, user, pair) = keys(user, from);
        buckets.remove(&pair);
        for (key, limit) in [(source, self.limits.source), (user, self.limits.user)] {
            if let Some(bucket) = buckets.get_mut(&key) {
                bucket.left = (bucket.left + 1.0).min(f64::from(limit));
            }
        }
    }
}

/// What is told to whoever has to wait.
pub(crate) fn too_many(user: &str, from: IpAddr, left: Left) -> Error {
    let text = format!("Too many failed logins from {from}; try again in {} s", left.reset.max(1));
    Error::new(429, "AUTH", text).on("users", user)
}

fn keys(user: &str, from: IpAddr) -> (Key, Key, Key) {
    let (user, from): (String, _) = (user.chars().take(NAME).collect(), network(from));
    (Key::Source(from), Key::User(user.clone()), Key::Pair(user, from))
}

/// Failures that a bucket has left.
fn level(buckets: &HashMap<Key, Bucket>, key: &Key, limit: u32, now: Instant) -> f64 {
    let full = f64::from(limit);
    buckets.get(key).map_or(full, |bucket| {
        let refilled = now.saturating_duration_since(bucket.seen).as_secs_f64() / WINDOW.as_secs_f64() * full;
        (bucket.left + refilled).min(full)
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers, not negative")]
fn said(limit: u32, left: f64) -> Left {
    let wait = (1.0 - left).max(0.0) / f64::from(limit) * WINDOW.as_secs_f64();
    Left { limit, remaining: left.max(0.0) as u32, reset: wait.ceil() as u64 }
}

/// Makes room: buckets that are full again say nothing; of the rest the oldest half goes.
fn trim(buckets: &mut HashMap<Key, Bucket>, limits: &LoginLimits, now: Instant) {
    let full = |key: &Key, bucket: &Bucket| {
        let limit = match key {
            Key::Source(_) => limits.source,
            Key::User(_) => limits.user,
            Key::Pair(..) => limits.pair,
        };
        let refilled = now.saturating_duration_since(bucket.seen).as_secs_f64() / WINDOW.as_secs_f64();
        bucket.left + refilled * f64::from(limit) >= f64::from(limit)
    };
    buckets.retain(|key, bucket| !full(key, bucket));
    if buckets.len() >= MOST {
        let mut ages: Vec<Instant> = buckets.values().map(|bucket| bucket.seen).collect();
        ages.sort_unstable();
        let middle = ages.get(ages.len() / 2).copied().unwrap_or(now);
        buckets.retain(|_, bucket| bucket.seen > middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    const LIMITS: LoginLimits = LoginLimits { source: 6, user: 8, pair: 3 };

    #[test]
    fn one_user_from_one_place_has_its_tries_and_gets_new_ones() {
        let (limiter, now) = (Limiter::new(LIMITS), Instant::now());
        let from = ip("192.0.2.1");
        for remaining in [2, 1, 0] {
            assert_eq!(limiter.take("ann", from, now).unwrap().remaining, remaining);
        }
        let left = limiter.take("ann", from, now).unwrap_err();
        assert_eq!(left, Left { limit: 3, remaining: 0, reset: 20 });
        // A refusal does not count.
        assert_eq!(limiter.take("ann", from, now).unwrap_err().reset, 20);
        assert!(limiter.take("ann", from, now + Duration::from_secs(19)).is_err());
        assert!(limiter.take("ann", from, now + Duration::from_secs(20)).is_ok());
        // Somebody else from there, and ann from elsewhere.
        assert!(limiter.take("bob", from, now).is_ok());
        assert!(limiter.take("ann", ip("192.0.2.2"), now).is_ok());
    }

    #[test]
    fn one_place_has_its_tries_whatever_names_it_knows() {
        let (limiter, now) = (Limiter::new(LIMITS), Instant::now());
        for name in 0..6 {
            limiter.take(&name.to_string(), ip("2001:db8::1"), now).unwrap();
        }
        // Another address of the same customer.
        assert_eq!(limiter.take("x", ip("2001:db8::ffff"), now).unwrap_err().limit, 6);
        assert!(limiter.take("x", ip("2001:db8:0:1::1"), now).is_ok());
        assert!(limiter.take("x", ip("::ffff:192.0.2.1"), now).is_ok());
        assert_eq!(network(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
    }

    #[test]
    fn who_is_guessed_at_from_everywhere_still_gets_in() {
        let (limiter, now) = (Limiter::new(LIMITS), Instant::now());
        for host in 1..=200 {
            // Each address has one try; a second one has to wait.
            let from = ip(&format!("192.0.2.{host}"));
            assert!(limiter.take("ann", from, now).is_ok(), "{host}");
            assert_eq!(limiter.take("ann", from, now).is_ok(), host <= 4, "{host}");
        }
        let home = ip("198.51.100.7");
        limiter.take("ann", home, now).unwrap();
        limiter.right("ann", home);
        limiter.take("ann", home, now).unwrap();
    }

    #[test]
    fn what_was_right_is_not_counted() {
        let (limiter, now) = (Limiter::new(LIMITS), Instant::now());
        let from = ip("192.0.2.1");
        for _ in 0..100 {
            limiter.take("ann", from, now).unwrap();
            limiter.right("ann", from);
        }
        limiter.take("ann", from, now).unwrap();
        limiter.take("ann", from, now).unwrap();
        limiter.right("ann", from);
        // Of the source the wrong one stays counted.
        assert_eq!(limiter.take("bob", from, now).unwrap().remaining, 2);
        assert_eq!(limiter.take("ann", from, now).unwrap().remaining, 2);
    }

    #[test]
    fn nothing_is_counted_at_zero_and_memory_is_bounded() {
        let off = Limiter::new(LoginLimits { source: 0, user: 0, pair: 0 });
        let now = Instant::now();
        for _ in 0..1000 {
            off.take("ann", ip("192.0.2.1"), now).unwrap();
        }
        assert!(off.buckets.lock().unwrap().is_empty());
        let limiter = Limiter::new(LIMITS);
        for n in 0..60_000u32 {
            let _ = limiter.take(
                &n.to_string(),
                IpAddr::from(n.to_be_bytes()),
                now + Duration::from_micros(n.into()),
            );
        }
        assert!(limiter.buckets.lock().unwrap().len() < MOST + 3);
    }
}
