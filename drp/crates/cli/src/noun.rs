//! One word of the command line: its verbs and what they do. Each lives in a file of its own under `nouns/`.

use crate::commands::Context;
use crate::grammar::Globals;
use crate::{Failure, Hooks, Printer};
use clap::{ArgMatches, Command};
use std::future::Future;
use std::pin::Pin;

/// A command at work.
pub(crate) type Work<'a> = Pin<Box<dyn Future<Output = Result<(), Failure>> + 'a>>;

/// Runs a verb without a daemon, when it needs none.
pub(crate) type Alone = fn(&Globals, &Printer, &ArgMatches, &dyn Hooks) -> Option<Result<(), Failure>>;

/// A word and its verbs. For a word of [`TYPES`](crate::types::TYPES) they come on top of the verbs that all types
/// share, and in the place of those of the same name.
pub(crate) struct Noun {
    /// The word.
    pub(crate) word: &'static str,
    /// What the word is about; object types say it themselves.
    pub(crate) about: &'static str,
    /// Adds the verbs to the word's command.
    pub(crate) augment: fn(Command) -> Command,
    /// Whether a verb is one of them.
    pub(crate) has: fn(&str) -> bool,
    /// Runs the verb that was parsed; the second argument is the word.
    pub(crate) run: for<'a> fn(&'a Context<'a>, &'a str, &'a ArgMatches) -> Work<'a>,
    /// Runs a verb that needs no daemon; `None` for the others.
    pub(crate) alone: Alone,
}

/// Every verb needs the daemon.
pub(crate) fn never(_: &Globals, _: &Printer, _: &ArgMatches, _: &dyn Hooks) -> Option<Result<(), Failure>> {
    None
}

/// A noun from its word, its help, its verbs (an enum that derives `Subcommand`) and the function that runs them:
/// `async fn(&Context<'_>, &str, Verb) -> Result<(), Failure>`.
macro_rules! noun {
    ($word:literal, $about:literal, $verb:ty, $run:path) => {
        noun!($word, $about, $verb, $run, $crate::noun::never)
    };
    ($word:literal, $about:literal, $verb:ty, $run:path, $alone:path) => {
        $crate::noun::Noun {
            word: $word,
            about: $about,
            augment: <$verb as clap::Subcommand>::augment_subcommands,
            has: <$verb as clap::Subcommand>::has_subcommand,
            run: |cx, word, matches| {
                Box::pin(async move {
                    let verb = <$verb as clap::FromArgMatches>::from_arg_matches(matches)
                        .map_err(|e| $crate::Failure::usage(e.to_string()))?;
                    $run(cx, word, verb).await
                })
            },
            alone: $alone,
        }
    };
}
pub(crate) use noun;

impl std::fmt::Debug for Noun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word)
    }
}
