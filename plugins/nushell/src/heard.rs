//! What a running Nushell says: log lines, prints, progress.

use serde::Deserialize;

/// Longest line that is taken, in bytes; the rest of a longer one is left out.
pub(crate) const LINE: usize = 8 << 10;
/// Between a log line's level and its text, and around them, as `NU_LOG_FORMAT` has it.
const START: char = '\u{1}';
const MIDDLE: char = '\u{2}';
const END: char = '\u{3}';

/// The format that tells log lines of `std/log` from other lines, for `NU_LOG_FORMAT`.
pub(crate) const LOG_FORMAT: &str = "\u{1}%LEVEL%\u{2}%MSG%\u{3}";

/// How important a line is, in the words of `std/log`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// `log debug`
    Debug,
    /// `log info`, and what is printed
    Info,
    /// `log warning`
    #[serde(alias = "warn")]
    Warning,
    /// `log error` and `log critical`
    #[serde(alias = "critical")]
    Error,
}

/// One thing that it said.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    /// A log line.
    Log(Level, String),
    /// A line on standard output.
    Printed(String),
    /// A line on standard error.
    Complained(String),
    /// How far a command is, in percent, and what it does now.
    Progress(Option<f64>, String),
    /// How the process ended.
    Ended(String),
}

/// Who is told.
pub(crate) trait Hear: Send {
    /// Takes one thing that was said. Nushell waits meanwhile, when it says much.
    fn hear(&mut self, heard: Heard) -> impl Future<Output = ()> + Send;
}

/// Nobody.
impl Hear for () {
    async fn hear(&mut self, _: Heard) {}
}

/// A line of the control pipe.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Control {
    Progress {
        #[serde(default)]
        percent: Option<f64>,
        #[serde(default)]
        text: String,
    },
    Log {
        level: Level,
        #[serde(default)]
        text: String,
    },
    Ended {
        #[serde(default)]
        code: Option<i32>,
        #[serde(default)]
        signal: Option<String>,
    },
}

/// Reads a line of the control pipe; one that is none is told as what it is.
pub(crate) fn control(line: &str) -> Heard {
    match serde_json::from_str(line) {
        Ok(Control::Progress { percent, text }) => {
            Heard::Progress(percent.filter(|percent| percent.is_finite()).map(|p| p.clamp(0.0, 100.0)), text)
        }
        Ok(Control::Log { level, text }) => Heard::Log(level, text),
        Ok(Control::Ended { code, signal }) => Heard::Ended(match (code, signal) {
            (_, Some(signal)) => format!("it was ended by {signal}"),
            (Some(code), None) => format!("it ended with code {code}"),
            (None, None) => "nothing is known of its end".to_owned(),
        }),
        Err(_) => Heard::Complained(line.to_owned()),
    }
}

/// Puts log lines of `std/log` together, which may go over several lines.
#[derive(Default)]
pub(crate) struct LogLines {
    open: Option<(Level, String)>,
}

impl LogLines {
    /// Takes a line of standard error.
    pub(crate) fn line(&mut self, line: &str) -> Vec<Heard> {
        let mut heard = Vec::new();
        let mut rest = line;
        loop {
            if let Some((level, mut text)) = self.open.take() {
                let Some((last, after)) = rest.split_once(END) else {
                    // One that never ends is told in parts.
                    if text.len() + rest.len() > LINE {
                        heard.push(Heard::Log(level, std::mem::take(&mut text)));
                    }
                    text.push_str(rest);
                    text.push('\n');
                    self.open = Some((level, text));
                    return heard;
                };
                text.push_str(last);
                heard.push(Heard::Log(level, text));
                rest = after;
            }
            let Some((before, after)) = rest.split_once(START) else {
                if !rest.is_empty() {
                    heard.push(Heard::Complained(rest.to_owned()));
                }
                return heard;
            };
            if !before.is_empty() {
                heard.push(Heard::Complained(before.to_owned()));
            }
            let Some((level, text)) = after.split_once(MIDDLE) else {
                heard.push(Heard::Complained(after.to_owned()));
                return heard;
            };
            self.open = Some((level_of(level), String::new()));
            rest = text;
        }
    }

    /// Nothing more comes.
    pub(crate) fn end(&mut self) -> Option<Heard> {
        self.open.take().map(|(level, text)| Heard::Log(level, text.trim_end().to_owned()))
    }
}

/// The short and long names of `std/log`.
fn level_of(name: &str) -> Level {
    match name {
        "DBG" | "DEBUG" | "D" => Level::Debug,
        "WRN" | "WARNING" | "W" => Level::Warning,
        "ERR" | "ERROR" | "E" | "CRT" | "CRITICAL" | "C" => Level::Error,
        _ => Level::Info,
    }
}

#[cfg(test)]
mod tests {
    use super::{Heard, Level, LogLines, control};

    #[test]
    fn log_lines_are_told_from_others() {
        let mut lines = LogLines::default();
        assert_eq!(lines.line("\u{1}INF\u{2}hello\u{3}"), [Heard::Log(Level::Info, "hello".into())]);
        assert_eq!(lines.line("oops"), [Heard::Complained("oops".into())]);
        assert_eq!(lines.line("\u{1}WRN\u{2}one"), []);
        assert_eq!(
            lines.line("two\u{3}x\u{1}CRT\u{2}y\u{3}"),
            [
                Heard::Log(Level::Warning, "one\ntwo".into()),
                Heard::Complained("x".into()),
                Heard::Log(Level::Error, "y".into())
            ]
        );
        assert_eq!(lines.line("\u{1}broken"), [Heard::Complained("broken".into())]);
        assert_eq!(lines.line("\u{1}DBG\u{2}open"), []);
        assert_eq!(lines.end(), Some(Heard::Log(Level::Debug, "open".into())));
    }

    #[test]
    fn a_log_line_without_end_is_told_in_parts() {
        let mut lines = LogLines::default();
        lines.line("\u{1}INF\u{2}");
        let told: usize = (0..100).map(|_| lines.line(&"x".repeat(1000)).len()).sum();
        assert!(told > 5, "{told}");
    }

    #[test]
    fn the_control_pipe_is_read_with_care() {
        let progress = |text: &str| control(text);
        assert_eq!(
            progress(r#"{"type":"progress","percent":140,"text":"a"}"#),
            Heard::Progress(Some(100.0), "a".into())
        );
        assert_eq!(progress(r#"{"type":"progress","text":"b"}"#), Heard::Progress(None, "b".into()));
        assert_eq!(progress("{"), Heard::Complained("{".into()));
        assert_eq!(
            progress(r#"{"type":"log","level":"critical","text":"c"}"#),
            Heard::Log(Level::Error, "c".into())
        );
        assert_eq!(
            progress(r#"{"type":"ended","signal":"SIGABRT"}"#),
            Heard::Ended("it was ended by SIGABRT".into())
        );
    }
}
