//! The words of the command line. Arguments, settings and commands are apart: this file holds arguments only.

use crate::noun::Noun;
use crate::nouns::{self, NOUNS};
use crate::printer::{Format, Printer};
use crate::types::{self, TYPES, Type};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueHint};
use drp_protocol::Secret;
use std::ffi::OsString;
use std::path::PathBuf;

mod objects;
mod serve;

pub(crate) use objects::{
    ActionVerb, AssignArgs, CallArgs, ListArgs, ManyArgs, MetaArgs, MetaVerb, ObjectVerb, ParamVerb,
    PluginFlag, PollArgs, ReadArgs, ShowArgs,
};
pub use serve::Flags;
pub(crate) use serve::ServeArgs;

/// Host plugins, and manage machines, params, profiles and everything else a drp daemon keeps.
#[derive(Debug, Parser)]
#[command(
    name = "drp",
    version,
    propagate_version = false,
    subcommand_required = true,
    arg_required_else_help = true,
    allow_external_subcommands = true,
    after_help = "Programs beside drp: `drp sim` (simulated BMC), `drp bench` (figures of the promises).\n\nWords that are not listed run a program `drp-WORD` found beside drp or on PATH, or are taken as an \
                  object type that a plugin added."
)]
pub(crate) struct Cli {
    /// How to reach the daemon and how to print.
    #[command(flatten)]
    pub(crate) globals: Globals,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Top,
}

/// Arguments that every command takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// Base root of a local daemon; its socket is used when it is there
    #[arg(long, global = true, value_name = "DIR", env = "DRP_BASE_ROOT", hide_env_values = true, value_hint = ValueHint::DirPath)]
    pub(crate) base_root: Option<PathBuf>,
    /// Socket of a local daemon [default: <base-root>/drp.sock]
    #[arg(long, global = true, value_name = "PATH", env = "DRP_SOCKET", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub(crate) socket: Option<PathBuf>,
    /// URL of a daemon, for instance https://10.0.0.1:8092; also RS_ENDPOINT
    #[arg(short = 'E', long, global = true, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) endpoint: Option<String>,
    /// User to log in as; also RS_KEY=user:password
    #[arg(short = 'U', long = "username", global = true, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Password. Others on this host can see it while the command runs: prefer --password-file or RS_KEY
    #[arg(
        short = 'P',
        long,
        global = true,
        value_name = "TEXT",
        value_parser = secret,
        conflicts_with = "password_file"
    )]
    pub(crate) password: Option<Secret>,
    /// File with the password, - for standard input
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) password_file: Option<PathBuf>,
    /// Token. Others on this host can see it while the command runs: prefer RS_TOKEN or --token-file
    #[arg(short = 'T', long, global = true, value_name = "TEXT", value_parser = secret, conflicts_with = "token_file")]
    pub(crate) token: Option<Secret>,
    /// File with a token, - for standard input
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) token_file: Option<PathBuf>,
    /// Send the user and password with every request, instead of a token got with them
    #[arg(short = 'x', long, alias = "noToken", global = true)]
    pub(crate) no_token: bool,
    /// PEM file of the authorities that may sign the daemon's certificate
    #[arg(long, global = true, value_name = "FILE", env = "DRP_CACERT", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub(crate) cacert: Option<PathBuf>,
    /// PEM file of exactly the daemon's certificate
    #[arg(long, global = true, value_name = "FILE", env = "DRP_PIN", hide_env_values = true, conflicts_with = "cacert", value_hint = ValueHint::FilePath)]
    pub(crate) pin: Option<PathBuf>,
    /// Accept any certificate
    #[arg(long, global = true, conflicts_with_all = ["cacert", "pin"])]
    pub(crate) insecure: bool,
    /// Deadline of one request in seconds
    #[arg(long, global = true, value_name = "SECONDS", env = "DRP_TIMEOUT", hide_env_values = true, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: Option<u64>,
    /// Retry a connection that does not come about: 1, 1, 2, 3, 5 and 8 seconds later
    #[arg(long, global = true)]
    pub(crate) retry: bool,
    /// Have the daemon log these requests at this level: trace, debug, info, warn or error
    #[arg(short = 't', long, global = true, value_name = "LEVEL", value_parser = level)]
    pub(crate) trace: Option<drp_protocol::Level>,
    /// Text that ties the log lines of these requests together [default: drp-<process>]
    #[arg(short = 'Z', long, global = true, value_name = "TEXT", requires = "trace")]
    pub(crate) trace_token: Option<String>,
    /// Shape of the output [default: table on a terminal, json otherwise]
    #[arg(short = 'F', long, global = true, value_enum, env = "DRP_FORMAT", hide_env_values = true)]
    pub(crate) format: Option<Format>,
    /// Only these fields of objects, for instance Name,Address,Params.x
    #[arg(
        short = 'J',
        long,
        visible_alias = "columns",
        global = true,
        value_name = "FIELDS",
        value_delimiter = ','
    )]
    pub(crate) print_fields: Vec<String>,
    /// Tables and text without their header
    #[arg(short = 'H', long, global = true)]
    pub(crate) no_header: bool,
    /// Longest text in a table cell, 0 for any [default: 64 on a terminal]
    #[arg(short = 'j', long, global = true, value_name = "N")]
    pub(crate) truncate_length: Option<usize>,
    /// What an object must still be like for an update to happen: JSON or YAML, a file, - for standard input.
    /// With all of its fields it must be exactly that
    #[arg(short = 'r', long = "ref", global = true, value_name = "OBJECT")]
    pub(crate) reference: Option<String>,
    /// Allow changes that a type otherwise refuses
    #[arg(short = 'f', long, global = true)]
    pub(crate) force: bool,
    /// Check what can be checked, print what would be sent to the daemon, and change nothing
    #[arg(long, global = true)]
    pub(crate) dry_run: bool,
}

impl Globals {
    /// The printer these arguments ask for.
    pub(crate) fn printer(&self) -> Printer {
        let printer = Printer::new(self.format, self.no_header);
        printer.with_fields(&self.print_fields).with_cut(self.truncate_length)
    }

    /// What to say when a secret stood on the command line.
    pub(crate) fn exposed(&self) -> Option<&'static str> {
        match (&self.password, &self.token) {
            (Some(_), _) => Some(
                "others on this host could see the password on the command line: prefer --password-file or RS_KEY",
            ),
            (None, Some(_)) => Some(
                "others on this host could see the token on the command line: prefer --token-file or RS_TOKEN",
            ),
            (None, None) => None,
        }
    }
}

/// Taken into custody as soon as it is parsed, so that nothing derived can print it.
pub(crate) fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text.to_owned()))
}

fn level(text: &str) -> Result<drp_protocol::Level, String> {
    drp_protocol::Level::parse(text).ok_or_else(|| "not one of trace, debug, info, warn, error".to_owned())
}

/// The top-level commands; object types are added to them by [`command`].
#[derive(Debug, Subcommand)]
pub(crate) enum Top {
    /// Run the daemon
    Serve(Box<ServeArgs>),
    /// Stop the local daemon and wait until it is gone
    Stop(StopArgs),
    /// Is the daemon up, and how are its plugins
    Status,
    /// Copy the store of a local daemon to a file, while it runs
    Backup {
        /// File to write; it must not exist
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Put a backup back. The daemon must be stopped
    Restore {
        /// File that `backup` wrote
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Settings of the daemon it belongs to.
        #[command(flatten)]
        settings: Box<ServeArgs>,
    },
    /// Settings of the daemon
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Plugin executables, without a daemon
    #[command(subcommand)]
    Plugin(PluginVerb),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write man pages of all commands
    Man {
        /// Directory to write them to
        #[arg(value_hint = ValueHint::DirPath)]
        directory: PathBuf,
    },
    /// Objects of a type that a plugin added: the same as `drp TYPE VERB`
    #[command(disable_help_flag = true)]
    Extended {
        /// The type
        #[arg(short = 'l', long = "ldata", value_name = "TYPE")]
        kind: String,
        /// Verb and its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "VERB")]
        words: Vec<OsString>,
    },
    /// A program `drp-WORD`, or an object type that a plugin added
    #[command(external_subcommand)]
    Word(Vec<OsString>),
}

/// `drp stop`.
#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// How long to wait, in seconds
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) wait: u64,
}

/// `drp config …`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// What `drp serve` would run with, given the same flags
    Show {
        /// Say where each value comes from
        #[arg(long)]
        origin: bool,
        /// Flags of `drp serve`.
        #[command(flatten)]
        settings: Box<ServeArgs>,
    },
}

/// `drp plugin …`.
#[derive(Debug, Subcommand)]
pub(crate) enum PluginVerb {
    /// Start a plugin, run one action, print its result, and stop it
    Run(PluginRun),
}

/// `drp plugin run`.
#[derive(Debug, Args)]
pub(crate) struct PluginRun {
    /// The plugin's executable
    #[arg(value_hint = ValueHint::ExecutablePath)]
    pub(crate) binary: PathBuf,
    /// Action to run
    #[arg(long)]
    pub(crate) action: String,
    /// Param of the action, JSON or YAML; - reads the value from standard input
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub(crate) params: Vec<String>,
    /// Param of the plugin itself
    #[arg(long = "config", value_name = "NAME=VALUE")]
    pub(crate) config: Vec<String>,
    /// The machine it acts on, as JSON or YAML, - for standard input, @FILE for a file
    #[arg(long, value_name = "JSON")]
    pub(crate) machine: Option<String>,
    /// Show the plugin's log lines
    #[arg(long)]
    pub(crate) logs: bool,
}

/// The whole grammar: the fixed commands, one command per object type, and the other nouns.
#[must_use]
pub fn command() -> clap::Command {
    let grammar = TYPES.iter().fold(Cli::command(), |command, kind| command.subcommand(type_command(kind)));
    let others = NOUNS.iter().filter(|noun| types::find(noun.word).is_none());
    others.fold(grammar, |command, noun| {
        command.subcommand(bare(noun.word).about(noun.about).defer(|command| {
            let Some(noun) = nouns::find(command.get_name()) else { return command };
            (noun.augment)(command).about(noun.about)
        }))
    })
}

/// A word that wants a verb.
fn bare(word: &'static str) -> clap::Command {
    clap::Command::new(word)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
}

/// The command of one type. Its verbs are only built when they are needed, which keeps the start short.
fn type_command(kind: &Type) -> clap::Command {
    bare(kind.prefix).about(about(kind.prefix)).defer(|command| {
        let Some(kind) = types::find(command.get_name()) else { return command };
        let own = nouns::find(kind.prefix);
        // A verb of the noun's own stands in the place of the shared one.
        let shared = with_verbs(clap::Command::new("shared"), kind.params, kind.actions);
        let kept = shared.get_subcommands().filter(|verb| {
            !own.is_some_and(|noun| (noun.has)(verb.get_name())) && kind.shares(verb.get_name())
        });
        let command = kept.cloned().fold(command, clap::Command::subcommand);
        // Augmenting a command replaces what it says about itself.
        own.map_or(command.clone(), |noun| (noun.augment)(command)).about(about(kind.prefix))
    })
}

fn with_verbs(command: clap::Command, params: bool, actions: bool) -> clap::Command {
    let command = ObjectVerb::augment_subcommands(command);
    let command = if actions { ActionVerb::augment_subcommands(command) } else { command };
    if params { ParamVerb::augment_subcommands(command) } else { command }
}

fn about(prefix: &str) -> String {
    types::find(prefix).map_or(String::new(), |kind| format!("Objects of type {}", kind.one))
}

/// The verbs of a type that the grammar does not know by name.
pub(crate) fn raw_type_command(prefix: &str) -> clap::Command {
    let command = clap::Command::new(prefix.to_owned())
        .bin_name(format!("drp {prefix}"))
        .no_binary_name(true)
        .subcommand_required(true)
        .disable_help_subcommand(true);
    let command = Globals::augment_args(command);
    with_verbs(command, true, true)
}

/// A verb and its arguments.
#[derive(Debug)]
pub(crate) enum Verb {
    Object(ObjectVerb),
    Param(ParamVerb),
    Action(ActionVerb),
    /// A verb of the noun's own.
    Own(&'static Noun, Box<clap::ArgMatches>),
}

impl Verb {
    /// The verb of that word that was parsed.
    pub(crate) fn from(word: &str, matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        let verb = matches.subcommand_name().unwrap_or_default();
        if let Some(noun) = nouns::find(word)
            && ((noun.has)(verb) || types::find(word).is_none())
        {
            return Ok(Self::Own(noun, Box::new(matches.clone())));
        }
        if ParamVerb::has_subcommand(verb) {
            return ParamVerb::from_arg_matches(matches).map(Self::Param);
        }
        if ActionVerb::has_subcommand(verb) {
            return ActionVerb::from_arg_matches(matches).map(Self::Action);
        }
        ObjectVerb::from_arg_matches(matches).map(Self::Object)
    }
}

/// The global arguments that stood after a word outside the grammar, over those that stood before it.
pub(crate) fn merge(before: &Globals, matches: &clap::ArgMatches) -> Result<Globals, crate::Failure> {
    let mut globals = before.clone();
    let given = matches
        .ids()
        .any(|id| matches.value_source(id.as_str()) == Some(clap::parser::ValueSource::CommandLine));
    if given {
        globals.update_from_arg_matches(matches).map_err(|e| crate::Failure::usage(e.to_string()))?;
    }
    Ok(globals)
}

/// What a command line asks for.
pub(crate) enum Request {
    Top(Top),
    /// A noun or object type, and its verb.
    Noun(String, Verb),
}

/// Parses a command line whose first word is the program.
pub(crate) fn parse(words: Vec<OsString>) -> Result<(Globals, Request), clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(words)?;
    let fix = |e: clap::Error| e.format(&mut self::command());
    match matches.subcommand() {
        Some((word, inner)) if types::find(word).is_some() || nouns::find(word).is_some() => {
            let globals = Globals::from_arg_matches(&matches).map_err(fix)?;
            Ok((globals, Request::Noun(word.to_owned(), Verb::from(word, inner).map_err(fix)?)))
        }
        _ => {
            let cli = Cli::from_arg_matches(&matches).map_err(fix)?;
            Ok((cli.globals, Request::Top(cli.command)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Request, Verb, command, parse};

    #[test]
    fn the_grammar_is_consistent() {
        let mut command = command();
        command.build();
        command.debug_assert();
    }

    /// An argument of the name of a global one would be taken for it.
    #[test]
    fn no_argument_is_called_as_a_global_one() {
        fn look(command: &clap::Command, globals: &[String]) {
            for arg in command.get_arguments().filter(|arg| !arg.is_global_set()) {
                let id = arg.get_id().to_string();
                assert!(!globals.contains(&id), "{}: {id}", command.get_name());
            }
            command.get_subcommands().for_each(|inner| look(inner, globals));
        }
        let mut command = command();
        command.build();
        let globals: Vec<String> =
            command.get_arguments().filter(|a| a.is_global_set()).map(|a| a.get_id().to_string()).collect();
        assert!(globals.iter().any(|id| id == "password"), "{globals:?}");
        look(&command, &globals);
    }

    #[test]
    fn secrets_are_not_in_what_can_be_printed() {
        let words =
            ["drp", "-P", "hunter2", "-T", "canary", "machines", "show", "x"].map(Into::into).to_vec();
        let (globals, _) = parse(words).unwrap();
        let text = format!("{globals:?}");
        assert!(!text.contains("hunter2") && !text.contains("canary"), "{text}");
        assert!(globals.exposed().is_some_and(|text| text.contains("--password-file")));
    }

    #[test]
    fn all_types_take_the_same_verbs() {
        for kind in crate::types::TYPES {
            let words = ["drp", kind.prefix, "show", "x", "-F", "json"].map(Into::into).to_vec();
            let (globals, request) = parse(words).unwrap();
            assert_eq!(globals.format, Some(crate::printer::Format::Json));
            assert!(matches!(request, Request::Noun(t, Verb::Object(_)) if t == kind.prefix));
        }
    }

    #[test]
    fn globals_may_stand_before_and_after() {
        let words = ["drp", "--base-root", "/a", "machines", "list", "--endpoint", "https://x"];
        let (globals, _) = parse(words.map(Into::into).to_vec()).unwrap();
        assert_eq!(globals.base_root.unwrap().to_str(), Some("/a"));
        assert_eq!(globals.endpoint.as_deref(), Some("https://x"));
    }
}
