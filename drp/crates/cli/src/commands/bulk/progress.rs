//! The bar on the terminal.

use super::Tally;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Drawings a second.
const HERTZ: u8 = 10;
const BAR: &str = "{bar:30} {pos} of {len}{msg}, {elapsed}";

/// A bar on standard error, when that is a terminal; nothing otherwise.
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn new(all: usize) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(HERTZ);
        let bar = ProgressBar::with_draw_target(Some(all as u64), target);
        let style = ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(bar.with_style(style.progress_chars("##-")))
    }

    pub(super) fn show(&self, tally: &Tally, under_way: usize) {
        if self.0.is_hidden() {
            return;
        }
        let failed = if tally.failed() > 0 { format!(", {} failed", tally.failed()) } else { String::new() };
        self.0.set_message(format!("{failed}, {under_way} under way"));
        self.0.set_position((tally.done() + tally.failed()) as u64);
    }

    /// Prints something while the bar is out of the way.
    pub(super) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }

    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}
