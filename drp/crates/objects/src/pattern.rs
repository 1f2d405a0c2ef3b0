//! Registration patterns of event streams (wire-protocol §4.2).

use crate::{Occurrence, Result};
use drp_protocol::Error;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Most patterns of one connection.
const MAX_PATTERNS: usize = 1000;
/// Sets up to this size are matched by the publisher; it has no time for larger ones.
const QUICK: usize = 16;

/// One part of a pattern: anything, or one of some values.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Any,
    OneOf(Vec<String>),
}

impl Part {
    fn parse(text: &str) -> Self {
        if text == "*" {
            return Self::Any;
        }
        let values: Vec<&str> = text.split(',').collect();
        if values.contains(&"*") {
            return Self::Any;
        }
        Self::OneOf(values.into_iter().map(unescape).collect())
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(values) => values.iter().any(|v| v == text),
        }
    }
}

/// `\1` is a dot, `\2` a comma, `\3` a star; any other backslash stands for itself.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let meant = match (c, chars.peek()) {
            ('\\', Some('1')) => Some('.'),
            ('\\', Some('2')) => Some(','),
            ('\\', Some('3')) => Some('*'),
            _ => None,
        };
        if meant.is_some() {
            chars.next();
        }
        out.push(meant.unwrap_or(c));
    }
    out
}

/// A registration pattern `<type>.<action>.<key>`: each part is `*` or a comma list of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    parts: [Part; 3],
}

impl Pattern {
    /// Parses a pattern: split at the first two dots only, escapes `\1` `\2` `\3` inside values. None when there are
    /// fewer than two dots.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '.').map(Part::parse);
        Some(Self { parts: [parts.next()?, parts.next()?, parts.next()?] })
    }

    /// The pattern of one type, any action, and one key or any.
    #[must_use]
    pub fn of(kind: &str, key: Option<&str>) -> Self {
        let one = |text: &str| Part::OneOf(vec![text.to_owned()]);
        Self { parts: [one(kind), Part::Any, key.map_or(Part::Any, one)] }
    }

    /// Whether an event of that type, action and key is meant.
    #[must_use]
    pub fn matches(&self, kind: &str, action: &str, key: &str) -> bool {
        let [kinds, actions, keys] = &self.parts;
        kinds.matches(kind) && actions.matches(action) && keys.matches(key)
    }
}

/// The registrations of one connection: `register` and `deregister` by identical text.
#[derive(Debug, Clone, Default)]
pub struct PatternSet {
    patterns: Vec<(String, Option<Pattern>)>,
}

impl PatternSet {
    /// Adds a pattern; duplicates are one. Text that is no pattern is kept and matches nothing, because it is
    /// acknowledged and may be deregistered like any other.
    ///
    /// # Errors
    /// 400 when the set is full (1000 patterns).
    pub fn register(&mut self, text: &str) -> Result<()> {
        if self.patterns.iter().any(|(known, _)| known == text) {
            return Ok(());
        }
        if self.patterns.len() >= MAX_PATTERNS {
            let text = format!("more than {MAX_PATTERNS} patterns are registered on one connection");
            return Err(Error::new(400, "websocket", text));
        }
        self.patterns.push((text.to_owned(), Pattern::parse(text)));
        Ok(())
    }

    /// Adds a pattern of the daemon's own, which nobody can deregister.
    pub fn watch(&mut self, pattern: Pattern) {
        self.patterns.push((String::new(), Some(pattern)));
    }

    /// Removes the identical text.
    pub fn deregister(&mut self, text: &str) {
        self.patterns.retain(|(known, _)| known != text || known.is_empty());
    }

    fn kinds(&self) -> Kinds {
        let mut kinds = BTreeSet::new();
        for (_, pattern) in &self.patterns {
            match pattern.as_ref().map(|pattern| &pattern.parts[0]) {
                Some(Part::Any) => return Kinds::All,
                Some(Part::OneOf(values)) => kinds.extend(values.iter().cloned()),
                None => {}
            }
        }
        Kinds::Some(kinds)
    }

    /// Whether any pattern matches.
    #[must_use]
    pub fn matches(&self, occurrence: &Occurrence) -> bool {
        let (kind, action, key) = (occurrence.kind(), occurrence.action(), occurrence.key());
        self.patterns.iter().any(|(_, p)| p.as_ref().is_some_and(|p| p.matches(kind, action, key)))
    }
}

/// The types of events that a filter may let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kinds {
    All,
    Some(BTreeSet<String>),
}

/// What a follower of events wants.
#[derive(Debug, Clone, Default)]
pub enum Interest {
    /// All events.
    #[default]
    Everything,
    /// What one of the patterns matches. Of a large set the follower may be given more than that: it has to match
    /// again.
    Patterns(Arc<PatternSet>),
}

impl From<PatternSet> for Interest {
    fn from(patterns: PatternSet) -> Self {
        Self::Patterns(Arc::new(patterns))
    }
}

impl From<Pattern> for Interest {
    fn from(pattern: Pattern) -> Self {
        PatternSet { patterns: vec![(String::new(), Some(pattern))] }.into()
    }
}

impl Interest {
    pub(crate) fn kinds(&self) -> Kinds {
        match self {
            Self::Everything => Kinds::All,
            Self::Patterns(patterns) => patterns.kinds(),
        }
    }

    /// False when the event is certainly not wanted.
    pub(crate) fn may_want(&self, occurrence: &Occurrence) -> bool {
        match self {
            Self::Everything => true,
            Self::Patterns(set) => set.patterns.len() > QUICK || set.matches(occurrence),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Pattern, PatternSet};

    #[test]
    fn patterns() {
        for (text, kind, action, key, want) in [
            ("*.*.*", "machines", "update", "x", true),
            ("machines.update.*", "machines", "update", "a.b.c", true),
            ("machines.update.*", "machines", "save", "x", false),
            ("machines,jobs.update,save.*", "jobs", "save", "x", true),
            ("machines.update.a.b", "machines", "update", "a.b", true),
            (r"machines.update.a\1b", "machines", "update", "a.b", true),
            (r"machines.update.a\2b", "machines", "update", "a,b", true),
            (r"machines.update.\3", "machines", "update", "*", true),
            (r"machines.update.\3", "machines", "update", "x", false),
            (r"a\1b.c.d", "a.b", "c", "d", true),
            (r"a.b.c\4", "a", "b", r"c\4", true),
            ("..", "", "", "", true),
        ] {
            assert_eq!(Pattern::parse(text).unwrap().matches(kind, action, key), want, "{text}");
        }
        assert_eq!(Pattern::parse("machines.update"), None);
    }

    #[test]
    fn a_full_set_refuses_and_duplicates_are_one() {
        let mut set = PatternSet::default();
        for _ in 0..2 {
            for i in 0..1000 {
                set.register(&format!("a.b.{i}")).unwrap();
            }
        }
        assert_eq!(set.register("x.y.z").unwrap_err().code, 400);
        set.deregister("a.b.7");
        set.register("not a pattern").unwrap();
    }

    proptest::proptest! {
        #[test]
        fn an_escaped_value_matches_exactly_itself(key in ".{0,20}", other in ".{0,20}") {
            let escaped = key.replace(',', r"\2").replace('*', r"\3").replace('.', r"\1");
            // A backslash before a digit of the key itself cannot be written, as in the original.
            if !key.contains('\\') {
                let pattern = Pattern::parse(&format!("t.a.{escaped}")).unwrap();
                assert!(pattern.matches("t", "a", &key));
                assert_eq!(pattern.matches("t", "a", &other), key == other);
            }
        }

        #[test]
        fn no_text_is_too_odd_to_parse(text in ".{0,200}") {
            let _ = Pattern::parse(&text).map(|p| p.matches("a", "b", "c"));
        }
    }
}
