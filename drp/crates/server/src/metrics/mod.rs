//! Numbers about the daemon for Prometheus. The registry is a value that the daemon passes around; there is no global.

mod list;
mod page;
mod scrape;
mod times;

pub(crate) use scrape::page;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use times::Times;

/// What is counted where it happens. All else is looked up when somebody scrapes.
#[derive(Default)]
pub(crate) struct Metrics {
    /// By route template, method and class of status.
    requests: Mutex<BTreeMap<[&'static str; 3], u64>>,
    /// By route template.
    request_times: Mutex<BTreeMap<&'static str, Times>>,
    in_flight: AtomicI64,
    /// By provider and result.
    actions: Mutex<BTreeMap<(String, &'static str), u64>>,
    /// By provider.
    action_times: Mutex<BTreeMap<String, Times>>,
    /// By reason.
    refused: Mutex<BTreeMap<&'static str, u64>>,
}

/// Series of one provider name at most; names come from executables, so there are few.
const PROVIDERS: usize = 200;

impl Metrics {
    /// Counts a request as being served, until the guard goes.
    pub(crate) fn begin(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self)
    }

    /// A request was answered.
    pub(crate) fn request(&self, route: &'static str, method: &http::Method, status: u16, took: Duration) {
        *lock(&self.requests).entry([route, method_label(method), class(status)]).or_default() += 1;
        lock(&self.request_times).entry(route).or_default().took(took);
    }

    /// A plugin was asked for an action, and this is how it ended.
    pub(crate) fn action(&self, provider: &str, result: &'static str, began: Instant) {
        let mut actions = lock(&self.actions);
        let known = actions.keys().any(|(name, _)| name == provider);
        let provider = if known || actions.len() < PROVIDERS { provider } else { "other" };
        *actions.entry((provider.to_owned(), result)).or_default() += 1;
        drop(actions);
        lock(&self.action_times).entry(provider.to_owned()).or_default().took(began.elapsed());
    }

    /// Somebody was not let in.
    pub(crate) fn login_refused(&self, why: &'static str) {
        *lock(&self.refused).entry(why).or_default() += 1;
    }
}

/// One request being served.
pub(crate) struct InFlight<'a>(&'a Metrics);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The method, when it is one of the usual: clients choose it, and each value is a series for ever.
fn method_label(method: &http::Method) -> &'static str {
    let usual = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    usual.into_iter().find(|name| *name == method.as_str()).unwrap_or("other")
}

fn class(status: u16) -> &'static str {
    match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_cannot_make_series() {
        let metrics = Metrics::default();
        for name in ["BREW", "WHEN", "get"] {
            let method = http::Method::from_bytes(name.as_bytes()).unwrap();
            metrics.request("/livez", &method, 405, Duration::ZERO);
        }
        assert_eq!(lock(&metrics.requests).get(&["/livez", "other", "4xx"]), Some(&3));
        for number in 0..1_000 {
            metrics.action(&format!("p{number}"), "ok", Instant::now());
        }
        assert_eq!(lock(&metrics.actions).len(), PROVIDERS + 1);
    }
}
