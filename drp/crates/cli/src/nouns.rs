//! The words of the command line, one file each. To add one: a file with an enum of verbs, the function that runs
//! them and `pub(super) const NOUN: Noun = noun!(…)`, a line here, and its examples (`examples/WORD.txt`).

use crate::noun::Noun;

mod audit;
mod bootenvs;
mod cluster;
mod contents;
pub(crate) mod events;
pub(crate) mod ext;
mod files;
mod info;
mod jobs;
mod logs;
mod machines;
mod objects;
mod pack;
pub(crate) mod plugin_providers;
mod pools;
mod prefs;
mod profiles;
mod providers;
mod server;
mod stages;
mod system;
mod taskserv;
mod templates;
mod typed;
mod users;

/// All of them, in the order in which help lists them.
pub(crate) const NOUNS: &[Noun] = &[
    info::NOUN,
    logs::NOUN,
    audit::NOUN,
    events::NOUN,
    prefs::NOUN,
    files::FILES,
    files::ISOS,
    objects::NOUN,
    ext::NOUN,
    system::NOUN,
    pack::NOUN,
    providers::NOUN,
    server::NOUN,
    taskserv::NOUN,
    cluster::NOUN,
    // Words of object types stand in the order of the types.
    bootenvs::NOUN,
    contents::NOUN,
    jobs::NOUN,
    machines::NOUN,
    plugin_providers::NOUN,
    pools::NOUN,
    profiles::NOUN,
    stages::NOUN,
    templates::NOUN,
    users::NOUN,
];

/// The noun of that word.
pub(crate) fn find(word: &str) -> Option<&'static Noun> {
    NOUNS.iter().find(|noun| noun.word == word)
}
