//! What follows a crash: a pause, and after too many of them quarantine.

use super::Controller;
use crate::InstanceState;
use drp_protocol::Level;
use std::time::{Duration, Instant};

/// How a process came to its end, or did not come up.
pub(super) enum Death {
    /// It ended, in words.
    Crashed(String),
    /// It did not get to `READY!`: the `PluginErrors` that say so.
    NotStarted(Vec<String>),
}

impl Controller {
    /// Pauses before the next start, or gives up. A start that failed counts like a crash: what hindered it, for
    /// instance a loaded machine, may pass.
    pub(super) async fn after_crash(&mut self, death: Death) {
        let word = match &death {
            Death::Crashed(how) => format!("crashed: {how}"),
            Death::NotStarted(errors) => errors.join(": "),
        };
        self.reporter.host(Level::Error, word);
        let now = Instant::now();
        let (window, budget) = (self.core.limits.crash_window, self.core.limits.crash_budget);
        self.crashes.retain(|at| now.duration_since(*at) < window);
        self.crashes.push_back(now);
        let count = self.crashes.len();
        if count >= budget.max(1) {
            let mut errors = match death {
                Death::Crashed(how) => {
                    let text = format!(
                        "Plugin is quarantined: it crashed {count} times within {window:?}; the last time: {how}"
                    );
                    let last = self.instance.output.stderr.all().pop();
                    [text].into_iter().chain(last.map(|last| format!("The last it said: {last}"))).collect()
                }
                Death::NotStarted(mut errors) => {
                    errors.push(format!(
                        "Plugin is quarantined: it failed to start or crashed {count} times within {window:?}"
                    ));
                    errors
                }
            };
            errors.push("It is started again when the plugin or its provider changes".to_owned());
            self.crashes.clear();
            self.change(InstanceState::Quarantined, Some(errors)).await;
            return;
        }
        let pause = backoff(count, self.core.limits.backoff_first, self.core.limits.backoff_most);
        let errors = match death {
            Death::Crashed(how) => vec![format!("Plugin crashed: {how}; it is started again in {pause:.1?}")],
            Death::NotStarted(mut errors) => {
                errors.push(format!("It is started again in {pause:.1?}"));
                errors
            }
        };
        self.change(InstanceState::Restarting, Some(errors)).await;
        tokio::select! {
            () = tokio::time::sleep(pause) => {
                self.dirty = true;
                self.instance.view(|v| v.restarts += 1);
            }
            () = self.interruption() => {}
        }
    }
}

/// Doubles with every crash up to a bound; between half and the whole of it, so that plugins that died
/// together do not come back together.
fn backoff(crashes: usize, first: Duration, most: Duration) -> Duration {
    let doubled = first.saturating_mul(1 << (crashes.saturating_sub(1)).min(16)).min(most);
    let mut byte = [0; 1];
    let _ = getrandom::fill(&mut byte);
    doubled / 2 + doubled / 2 * u32::from(byte[0]) / 255
}

#[cfg(test)]
mod tests {
    use super::backoff;
    use std::time::Duration;

    #[test]
    fn pauses_grow_within_bounds() {
        let (first, most) = (Duration::from_millis(100), Duration::from_secs(2));
        for (crashes, low, high) in [(1, 50, 100), (2, 100, 200), (5, 800, 1600), (50, 1000, 2000)] {
            let pause = backoff(crashes, first, most).as_millis();
            assert!((low..=high).contains(&pause), "{crashes}: {pause}");
        }
    }
}
