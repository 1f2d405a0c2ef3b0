//! The words of the command line, one file each. To add one: a file with an enum of verbs, the function that runs
//! them and `pub(super) const NOUN: Noun = noun!(…)`, a line here, and its examples (`examples/WORD.txt`).

use crate::noun::Noun;

pub(crate) mod events;
mod info;
mod logs;
pub(crate) mod plugin_providers;
mod prefs;
mod system;
mod users;

/// All of them, in the order in which help lists them.
pub(crate) const NOUNS: &[Noun] =
    &[info::NOUN, logs::NOUN, events::NOUN, prefs::NOUN, system::NOUN, plugin_providers::NOUN, users::NOUN];

/// The noun of that word.
pub(crate) fn find(word: &str) -> Option<&'static Noun> {
    NOUNS.iter().find(|noun| noun.word == word)
}
