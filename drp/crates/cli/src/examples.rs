//! The examples of the reference. They are run against a real daemon by `tests/tests/examples`, so none of them lies.
//!
//! A session is a text file in `examples/`: `$ ` begins a command line as it is typed into a shell, `% ` one that
//! prepares something and is not printed; behind it stand `[CODE]`, the exit code unless it is 0, and texts that its
//! output must hold, one a line. Lines with `#` are remarks.

use std::fmt::Write;

/// Sessions by the word whose file they are in.
const SESSIONS: &[(&str, &str)] = &[
    ("audit", include_str!("../examples/audit.txt")),
    ("bootenvs", include_str!("../examples/bootenvs.txt")),
    ("bulk", include_str!("../examples/bulk.txt")),
    ("cluster", include_str!("../examples/cluster.txt")),
    ("contents", include_str!("../examples/contents.txt")),
    ("daemon", include_str!("../examples/daemon.txt")),
    ("events", include_str!("../examples/events.txt")),
    ("ext", include_str!("../examples/ext.txt")),
    ("files", include_str!("../examples/files.txt")),
    ("info", include_str!("../examples/info.txt")),
    ("interfaces", include_str!("../examples/interfaces.txt")),
    ("jobs", include_str!("../examples/jobs.txt")),
    ("machines", include_str!("../examples/machines.txt")),
    ("pack", include_str!("../examples/pack.txt")),
    ("plugin_providers", include_str!("../examples/plugin_providers.txt")),
    ("pools", include_str!("../examples/pools.txt")),
    ("prefs", include_str!("../examples/prefs.txt")),
    ("profiles", include_str!("../examples/profiles.txt")),
    ("providers", include_str!("../examples/providers.txt")),
    ("server", include_str!("../examples/server.txt")),
    ("stages", include_str!("../examples/stages.txt")),
    ("system", include_str!("../examples/system.txt")),
    ("taskserv", include_str!("../examples/taskserv.txt")),
    ("templates", include_str!("../examples/templates.txt")),
    ("users", include_str!("../examples/users.txt")),
];

/// The session that all types share, with `{TYPE}`, `{ID}` and so on in it.
const SHARED: &str = include_str!("../examples/shared.txt");
/// The same for the verbs of types that have params.
const PARAMS: &str = include_str!("../examples/params.txt");
/// The same for the verbs of types that have actions.
const ACTIONS: &str = include_str!("../examples/actions.txt");
/// What stands for these words, a line for each type.
const TYPES: &str = include_str!("../examples/types.txt");

/// One line of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The line of shell.
    pub line: String,
    /// It is part of the reference; otherwise it prepares something for those that are.
    pub shown: bool,
    /// The exit code.
    pub code: i32,
    /// What the output holds.
    pub holds: Vec<String>,
}

/// Examples that are run one after the other against one daemon.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its name.
    pub name: String,
    /// Its lines.
    pub examples: Vec<Example>,
}

/// All sessions.
#[must_use]
pub fn sessions() -> Vec<Session> {
    let written = SESSIONS.iter().map(|(name, text)| Session { name: (*name).into(), examples: parse(text) });
    let of_types =
        TYPES.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()).map(of_type);
    written.chain(of_types).collect()
}

/// The shared sessions for one type, made of its line.
fn of_type(line: &str) -> Session {
    let row: Vec<&str> = line.split('|').map(str::trim).collect();
    let word = |n: usize| row.get(n).copied().unwrap_or_default();
    let has_params = crate::types::find(word(0)).is_none_or(|kind| kind.params);
    let mut text = String::new();
    if !word(6).is_empty() {
        let _ = writeln!(text, "% {}", word(6));
    }
    let has_actions = crate::types::find(word(0)).is_none_or(|kind| kind.actions);
    text.push_str(
        &SHARED
            .replace("{AFTER}", &if word(7).is_empty() { String::new() } else { format!("% {}", word(7)) })
            .replace("{PARAMS}", if has_params { PARAMS } else { "" })
            .replace("{ACTIONS}", if has_actions { ACTIONS } else { "" })
            .replace("{CODE}", if word(0) == "machines" { "" } else { "[3]" }),
    );
    let names = ["{TYPE}", "{ID}", "{CREATE}", "{CHANGE}", "{FIELD}", "{VALUE}"];
    for (n, name) in names.into_iter().enumerate() {
        text = text.replace(name, word(n));
    }
    Session { name: format!("all types: {}", word(0)), examples: parse(&text) }
}

fn parse(text: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some((mark @ ("$" | "%"), line)) = line.split_once(' ') {
            examples.push(Example { line: line.to_owned(), shown: mark == "$", code: 0, holds: Vec::new() });
        } else if let Some(last) = examples.last_mut() {
            match line.strip_prefix('[').and_then(|code| code.strip_suffix(']')?.parse().ok()) {
                Some(code) => last.code = code,
                None => last.holds.push(line.to_owned()),
            }
        }
    }
    examples
}

/// The words of the grammar that a line of shell begins with, from behind `drp` on.
fn path(line: &str, grammar: &clap::Command) -> Option<String> {
    let mut words = line.split_whitespace().skip_while(|word| *word != "drp").skip(1);
    let mut command = grammar.find_subcommand(words.next()?)?;
    let mut path = command.get_name().to_owned();
    for word in words {
        let Some(inner) = command.find_subcommand(word) else { break };
        command = inner;
        path.push(' ');
        path.push_str(inner.get_name());
    }
    Some(path)
}

/// The examples of one command, given as its words (`machines list`). The grammar must be built.
#[must_use]
pub fn of(command: &str, grammar: &clap::Command) -> Vec<String> {
    let mut found: Vec<String> = sessions()
        .into_iter()
        .flat_map(|session| session.examples)
        .filter(|example| example.shown && path(&example.line, grammar).as_deref() == Some(command))
        .map(|example| example.line)
        .collect();
    found.dedup();
    found
}

/// The examples of the command that a command line names.
pub(crate) fn for_words(words: &[std::ffi::OsString]) -> Vec<String> {
    let words = words.iter().skip(1).filter_map(|word| word.to_str()).filter(|word| !word.starts_with('-'));
    let line = words.fold("drp".to_owned(), |line, word| line + " " + word);
    let mut grammar = crate::command();
    grammar.build();
    path(&line, &grammar).map(|command| of(&command, &grammar)).unwrap_or_default()
}

/// All commands that have no commands below them, as their words.
#[must_use]
pub fn leaves(grammar: &clap::Command) -> Vec<String> {
    fn below(command: &clap::Command, name: &str, leaves: &mut Vec<String>) {
        let inner = command.get_subcommands().filter(|c| c.get_name() != "help" && !c.is_hide_set());
        let mut any = false;
        for inner in inner {
            any = true;
            below(inner, &format!("{name} {}", inner.get_name()), leaves);
        }
        if !any || !command.is_subcommand_required_set() {
            leaves.push(name.trim_start().to_owned());
        }
    }
    let mut leaves = Vec::new();
    for command in grammar.get_subcommands().filter(|c| c.get_name() != "help") {
        below(command, command.get_name(), &mut leaves);
    }
    leaves
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn every_command_has_an_example() {
        let mut grammar = crate::command();
        grammar.build();
        let shown: BTreeSet<String> = super::sessions()
            .iter()
            .flat_map(|session| &session.examples)
            .filter(|example| example.shown)
            .map(|example| super::path(&example.line, &grammar).unwrap_or_else(|| panic!("{example:?}")))
            .collect();
        let missing: Vec<String> =
            super::leaves(&grammar).into_iter().filter(|leaf| !shown.contains(leaf)).collect();
        assert!(missing.is_empty(), "without an example in drp/crates/cli/examples: {missing:#?}");
    }

    #[test]
    fn lines_codes_and_texts() {
        let examples = super::parse("# x\n% a\n$ drp info\n[3]\nb c\n\n$ drp d\n");
        assert_eq!(examples.len(), 3);
        assert_eq!((examples[1].code, examples[1].holds.as_slice()), (3, ["b c".to_owned()].as_slice()));
        assert!(!examples[0].shown && examples[2].shown);
    }
}
