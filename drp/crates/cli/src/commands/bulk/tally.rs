//! What all of them came to.

use super::Done;
use super::line::told;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Instant;

/// So many names are shown of each kind of failure.
const NAMES: usize = 3;
/// Longest text of a failure in the summary, in characters.
const TEXT: usize = 100;

/// Counts, by kind of failure.
pub(super) struct Tally {
    what: String,
    all: usize,
    done: usize,
    failed: BTreeMap<(u16, String), Kind>,
    began: Instant,
}

/// Failures of one code and type.
#[derive(Default)]
struct Kind {
    count: usize,
    names: Vec<String>,
    text: String,
}

impl Tally {
    pub(super) fn new(prefix: &str, command: &str, dry: bool, all: usize) -> Self {
        let what = format!("{prefix} {command}{}", if dry { ", dry run" } else { "" });
        Self { what, all, done: 0, failed: BTreeMap::new(), began: Instant::now() }
    }

    pub(super) fn add(&mut self, done: &Done) {
        let Err(error) = &done.result else {
            self.done += 1;
            return;
        };
        let error = told(error);
        let kind = self.failed.entry((error.code, error.r#type)).or_default();
        kind.count += 1;
        if kind.names.len() < NAMES {
            kind.names.push(done.target.name.clone());
        }
        if kind.text.is_empty() {
            kind.text = error.messages.into_iter().next().unwrap_or_default();
        }
    }

    /// How many succeeded.
    pub(super) fn done(&self) -> usize {
        self.done
    }

    /// How many failed.
    pub(super) fn failed(&self) -> usize {
        self.failed.values().map(|kind| kind.count).sum()
    }

    /// The summary: one line, and one for each kind of failure.
    pub(super) fn text(&self, not_begun: usize, left: usize) -> String {
        let mut text = format!("{}: {} of {} done", self.what, self.done, self.all);
        for (count, words) in
            [(self.failed(), "failed"), (not_begun, "not begun"), (left, "under way, left to the daemon")]
        {
            if count > 0 {
                let _ = write!(text, ", {count} {words}");
            }
        }
        let _ = writeln!(text, ", in {:.1} s", self.began.elapsed().as_secs_f64());
        let mut kinds: Vec<_> = self.failed.iter().collect();
        kinds.sort_by_key(|(_, kind)| std::cmp::Reverse(kind.count));
        for ((code, name), kind) in kinds {
            let more = match kind.count - kind.names.len() {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            let names = kind.names.join(", ");
            let _ = writeln!(text, "{:7}  {code} {name}: {names}{more}: {}", kind.count, line(&kind.text));
        }
        text
    }
}

/// One short line without control characters.
fn line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let clean = words.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    let mut short: String = clean.clone().take(TEXT).collect();
    if clean.count() > TEXT {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::super::Target;
    use super::*;
    use drp_client::ClientError;
    use drp_protocol::Error;
    use std::time::Duration;

    #[test]
    fn failures_are_counted_by_kind_the_most_frequent_first() {
        let mut tally = Tally::new("machines", "poweron", false, 9);
        let done = |name: &str, result| Done {
            target: Target { key: name.into(), name: name.into() },
            took: Duration::ZERO,
            result,
        };
        tally.add(&done("m0", Ok(1.into())));
        let refused = ClientError::Api(Error::new(401, "CREDENTIALS", "wrong\u{1b}[2J\n one"));
        tally.add(&done("m1", Err(refused)));
        for n in 2..7 {
            let silent = ClientError::Api(Error::new(504, "SILENT", "no answer"));
            tally.add(&done(&format!("m{n}"), Err(silent)));
        }
        let text = tally.text(1, 1);
        let lines: Vec<&str> = text.lines().collect();
        let head =
            "machines poweron: 1 of 9 done, 6 failed, 1 not begun, 1 under way, left to the daemon, in ";
        assert!(lines[0].starts_with(head), "{text}");
        assert_eq!(lines[1], "      5  504 SILENT: m2, m3, m4 and 2 more: no answer");
        assert_eq!(lines[2], "      1  401 CREDENTIALS: m1: wrong\u{fffd}[2J one");
    }
}
