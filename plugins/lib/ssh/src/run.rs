//! One command.

use crate::quote;
use std::time::Duration;

/// Deadline of a command that names none.
const DEADLINE: Duration = Duration::from_secs(30);

/// A command to run: its words, what it reads, how long it may take.
#[derive(Debug, Clone)]
pub struct Run {
    pub(crate) line: String,
    pub(crate) words: String,
    pub(crate) deadline: Duration,
    pub(crate) input: Option<Vec<u8>>,
    pub(crate) nul: bool,
}

impl Run {
    /// A program and its arguments, each of which arrives as it is.
    #[must_use]
    pub fn argv<'a>(argv: impl IntoIterator<Item = &'a str>) -> Self {
        let argv: Vec<&str> = argv.into_iter().collect();
        Self {
            words: argv.first().map_or_else(String::new, |program| (*program).to_owned()),
            nul: argv.iter().any(|word| word.contains('\0')),
            line: quote::line(argv.iter().copied()),
            deadline: DEADLINE,
            input: None,
        }
    }

    /// A script of the POSIX shell with values as its `$1`, `$2`, …; nothing is ever put into its text. `prefix` are words before
    /// the shell, for instance `sudo -n`.
    #[must_use]
    pub fn script<'a>(
        prefix: &'a [String],
        text: &'static str,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let shell = ["/bin/sh", "-c", text, "sh"];
        let words = prefix.iter().map(String::as_str).chain(shell).chain(arguments);
        Self::argv(words)
    }

    /// How texts call the command.
    #[must_use]
    pub fn called(mut self, words: impl Into<String>) -> Self {
        self.words = words.into();
        self
    }

    /// How long it may take; 30 s unless said.
    #[must_use]
    pub fn within(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// What it reads from its standard input.
    #[must_use]
    pub fn input(mut self, bytes: Vec<u8>) -> Self {
        self.input = Some(bytes);
        self
    }
}
