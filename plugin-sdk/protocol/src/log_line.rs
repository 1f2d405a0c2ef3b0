//! Log lines as plugins post them and `/logs` lists them (wire-protocol §1.9).

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::fmt;

/// How much a log line matters, least first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Level {
    /// Every step.
    Trace,
    /// For developers.
    Debug,
    /// For operators.
    #[default]
    Info,
    /// Something to look at.
    Warn,
    /// Something failed.
    Error,
    /// The writer gave up. Demoted to error when it comes from a plugin.
    Fatal,
    /// The writer panicked. Demoted to error when it comes from a plugin.
    Panic,
    /// Who did what.
    Audit,
}

const NAMES: [(Level, &str); 8] = [
    (Level::Trace, "trace"),
    (Level::Debug, "debug"),
    (Level::Info, "info"),
    (Level::Warn, "warn"),
    (Level::Error, "error"),
    (Level::Fatal, "fatal"),
    (Level::Panic, "panic"),
    (Level::Audit, "audit"),
];

impl Level {
    /// The level of that name in any case, with blanks around it; `err` is short for `error`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("err") {
            return Some(Self::Error);
        }
        NAMES.iter().find(|(_, name)| text.eq_ignore_ascii_case(name)).map(|(level, _)| *level)
    }

    /// The wire name.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES[self as usize].1
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Level {
    /// Accepts names and the numbers 0 to 7; anything else is taken as `info`, because a log line must
    /// never be refused.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::String(text) => Self::parse(&text).unwrap_or_default(),
            Value::Number(n) => n
                .as_u64()
                .and_then(|n| NAMES.get(usize::try_from(n).ok()?))
                .map_or(Self::Info, |(level, _)| *level),
            _ => Self::default(),
        })
    }
}

model! {
    /// One log line.
    pub struct Line [] {
        /// Ties the lines of one request together.
        group: i64 = "Group",
        /// Globally increasing per process.
        seq: i64 = "Seq",
        /// RFC 3339 with nanoseconds; stamped again when a buffer takes the line.
        time: String = "Time",
        /// The program or part that wrote it.
        service: String = "Service",
        /// Who caused it.
        principal: String = "Principal",
        /// How much it matters.
        level: Level = "Level",
        /// Source file.
        file: String = "File",
        /// Source line.
        line: i64 = "Line",
        /// The text, perhaps with a newline at its end.
        message: String = "Message",
        /// Further values, or null.
        data: Value = "Data",
        /// Do not publish this line as an event.
        ignore_publish: bool = "IgnorePublish",
    }
}

/// `[group:seq]principal:service [level]: file:line`, then the message on a line of its own.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line { group, seq, principal, service, level, file, line, message, .. } = self;
        write!(
            f,
            "[{group}:{seq}]{principal}:{service} [{level:>5}]: {file}:{line}\n[{group}:{seq}]{message}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Level, Line};

    #[test]
    fn levels_come_in_any_shape() {
        for (json, level) in [
            ("\" WARN \"", Level::Warn),
            ("\"err\"", Level::Error),
            ("7", Level::Audit),
            ("null", Level::Info),
        ] {
            assert_eq!(serde_json::from_str::<Level>(json).unwrap(), level, "{json}");
        }
        assert_eq!(serde_json::to_string(&Level::Panic).unwrap(), "\"panic\"");
    }

    #[test]
    fn a_line_with_odd_fields_still_decodes() {
        let line: Line =
            serde_json::from_str(r#"{"level":99,"MESSAGE":"x","Data":null,"Extra":{}}"#).unwrap();
        assert_eq!((line.level, line.message.as_str()), (Level::Info, "x"));
    }
}
