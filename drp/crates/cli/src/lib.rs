//! The command line of drp: grammar, printer and commands. Everything it does to a daemon goes through
//! `drp-client`; what needs the daemon's own code comes in as [`Hooks`].

mod commands;
mod connect;
pub mod examples;
mod exit;
mod external;
mod failure;
mod fields;
mod grammar;
mod hints;
mod hooks;
mod indent;
mod input;
mod local;
mod noun;
mod nouns;
mod printer;
pub mod reference;
mod types;

pub use exit::Exit;
pub use failure::Failure;
pub use grammar::{Flags, command};
pub use hooks::{Hooks, OneAction, Setting};
pub use printer::{Format, Printer};

use commands::Context;
use grammar::{Globals, Request, Top};
use std::ffi::OsString;

/// Runs one command line, whose first word is the program, and gives the exit code.
pub fn run(words: impl IntoIterator<Item = OsString>, hooks: &dyn Hooks) -> Exit {
    let words: Vec<OsString> = words.into_iter().collect();
    let spoken = words.clone();
    let (globals, request) = match grammar::parse(words) {
        Ok(parsed) => parsed,
        Err(error) => return refuse(&error, &spoken),
    };
    let printer = globals.printer();
    if let Some(text) = globals.exposed() {
        printer.warn(text);
    }
    match dispatch(globals, request, &printer, hooks) {
        Ok(()) => Exit::Ok,
        Err(failure) => {
            printer.failure(&failure);
            failure.exit
        }
    }
}

/// Help and version are no mistakes. A mistake is told by the parser, in its own words.
fn refuse(error: &clap::Error, words: &[OsString]) -> Exit {
    // A closed pipe is no reason to complain.
    let _ = error.print();
    match error.kind() {
        clap::error::ErrorKind::DisplayHelp => {
            let lines = examples::for_words(words);
            if !lines.is_empty() {
                let text = format!("\nExamples:\n  {}", lines.join("\n  "));
                let _ = Printer::new(None, false).text(&text);
            }
            Exit::Ok
        }
        clap::error::ErrorKind::DisplayVersion => Exit::Ok,
        _ => Exit::Usage,
    }
}

fn dispatch(globals: Globals, request: Request, printer: &Printer, hooks: &dyn Hooks) -> Result<(), Failure> {
    let top = match request {
        Request::Noun(word, verb) => {
            if let grammar::Verb::Own(noun, matches) = &verb
                && let Some(done) = (noun.alone)(&globals, printer, matches, hooks)
            {
                return done;
            }
            return commands::with_daemon(&globals, printer, async |cx| {
                commands::verb(cx, &word, verb).await
            });
        }
        Request::Top(top) => top,
    };
    match top {
        Top::Serve(args) => hooks.serve(&commands::flags(&globals, &args)),
        Top::Config(verb) => commands::config::run(&globals, verb, printer, hooks),
        Top::Restore { file, settings } => {
            commands::backup::restore(&globals, &file, &settings, printer, hooks)
        }
        Top::Plugin(grammar::PluginVerb::Run(run)) => commands::plugin_run::run(run, printer, hooks),
        Top::Completions { shell } => commands::completions(shell, printer),
        Top::Man { directory } => commands::man(&directory, printer),
        Top::Extended { kind, words } => raw_type(&globals, &kind, words),
        Top::Word(words) => word(&globals, words, printer),
        Top::Stop(args) => commands::stop::run(&globals, &args, printer),
        other => commands::with_daemon(&globals, printer, async |cx| commands::top(cx, other).await),
    }
}

/// A word that is not in the grammar: a program, or a type that a plugin added.
fn word(globals: &Globals, words: Vec<OsString>, printer: &Printer) -> Result<(), Failure> {
    let mut words = words.into_iter();
    let word = words.next().unwrap_or_default().to_string_lossy().into_owned();
    let rest: Vec<OsString> = words.collect();
    if let Some(program) = external::find(&word) {
        return Err(external::become_program(&program, &rest, globals));
    }
    let raw = grammar::raw_type_command(&word);
    let verbs: Vec<String> = raw.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    let looks_like_a_type =
        rest.first().and_then(|v| v.to_str()).is_some_and(|v| verbs.iter().any(|w| w == v));
    let grammar = command();
    let known: Vec<String> = grammar.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    let programs = external::words();
    let suggestion = hints::did_you_mean(&word, known.iter().chain(&programs).map(String::as_str));
    // A misspelt word is most likely one; but a plugin may have added a type that looks like another.
    if !looks_like_a_type || (suggestion.is_some() && !commands::type_exists(globals, printer, &word)) {
        let failure =
            Failure::usage(format!("drp has no command `{word}`, and there is no program drp-{word}"));
        return Err(failure.hint(suggestion.unwrap_or_else(|| "`drp --help` lists the commands".into())));
    }
    raw_type(globals, &word, rest)
}

/// A verb of a type that the grammar does not know by name. Types that it knows have verbs of their own.
fn raw_type(globals: &Globals, word: &str, rest: Vec<OsString>) -> Result<(), Failure> {
    let mut raw = grammar::raw_type_command(word);
    let matches = match raw.try_get_matches_from_mut(rest) {
        Ok(matches) => matches,
        Err(error) => {
            let exit = refuse(&error, &[]);
            return Err(Failure::silent(exit));
        }
    };
    let verb = grammar::Verb::from(word, &matches).map_err(|e| Failure::usage(e.to_string()))?;
    let globals = grammar::merge(globals, &matches)?;
    let printer = &globals.printer();
    commands::with_daemon(&globals, printer, async |cx: &Context<'_>| commands::verb(cx, word, verb).await)
}
