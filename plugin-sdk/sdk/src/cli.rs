//! The command line of a plugin (wire-protocol §1.1).

use crate::{Context, Definition, Plugin, SdkError, listen, log};
use drp_protocol::wire;
use std::{
    ffi::OsString,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Verb {
    Define,
    Unpack(PathBuf),
    Listen(PathBuf, PathBuf),
    /// `listen` with a wrong number of arguments.
    ListenWrong(usize),
    Version,
    Autocomplete(PathBuf),
    Help,
}

fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Verb, SdkError> {
    let mut words: Vec<OsString> = args.into_iter().collect();
    // `--debug` has no effect, as with plugins of the Go wrapper, but must not be an error anywhere.
    words.retain(|w| !["-d", "--debug", "--debug=true", "--debug=false"].iter().any(|flag| w == flag));
    let Some(verb) = words.first().and_then(|w| w.to_str()) else {
        return if words.is_empty() {
            Ok(Verb::Help)
        } else {
            Err(SdkError::Usage("unknown command".to_owned()))
        };
    };
    let one = |what: &str| match words.get(1) {
        Some(path) if words.len() == 2 => Ok(PathBuf::from(path)),
        _ => Err(SdkError::Usage(format!("{verb} takes one argument, {what}"))),
    };
    if words.iter().skip(1).any(|w| w == "-h" || w == "--help") {
        return Ok(Verb::Help);
    }
    match verb {
        "define" => Ok(Verb::Define),
        "unpack" => one("the directory to write to").map(Verb::Unpack),
        "listen" => Ok(match words.as_slice() {
            [_, to, from] => Verb::Listen(to.into(), from.into()),
            other => Verb::ListenWrong(other.len().saturating_sub(1)),
        }),
        "version" | "--version" => Ok(Verb::Version),
        "autocomplete" => one("the file to write").map(Verb::Autocomplete),
        "help" | "-h" | "--help" => Ok(Verb::Help),
        other => Err(SdkError::Usage(format!("unknown command `{other}`; try `help`"))),
    }
}

pub(crate) fn run<P: Plugin, E>(
    definition: Definition<P, E>,
    plugin: P,
    arguments: impl IntoIterator<Item = OsString>,
) -> ExitCode {
    match parse(arguments).and_then(|verb| obey(verb, definition, Arc::new(plugin))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "Error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn obey<P: Plugin, E>(verb: Verb, definition: Definition<P, E>, plugin: Arc<P>) -> Result<(), SdkError> {
    match verb {
        Verb::Define => define(&definition, &plugin),
        Verb::Unpack(dir) => unpack(&definition, &plugin, &dir),
        Verb::Listen(to, from) => {
            let outcome = definition.provider().and_then(|_| listen::listen(definition, plugin, &to, &from));
            if outcome.is_err() {
                let _ = print(wire::FAILED);
            }
            outcome
        }
        Verb::ListenWrong(given) => {
            print(wire::FAILED)?;
            // Status 1 and not 2: the word `Failed` was said (wire-protocol §1.1).
            Err(SdkError::ListenArguments(given))
        }
        Verb::Version => print(&format!("Version: {}", definition.provider.version)),
        Verb::Autocomplete(file) => {
            std::fs::write(&file, completion(&definition.provider.name)).map_err(SdkError::io("write", file))
        }
        Verb::Help => print(&usage(&definition.provider.name)),
    }
}

fn print(text: &str) -> Result<(), SdkError> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(|source| SdkError::System { what: "write to standard output", source })
}

pub(crate) fn small_runtime() -> Result<tokio::runtime::Runtime, SdkError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| SdkError::System { what: "start the runtime", source })
}

fn define<P: Plugin, E>(definition: &Definition<P, E>, plugin: &Arc<P>) -> Result<(), SdkError> {
    log::to_stderr(definition.level);
    let mut provider = definition.provider()?;
    if std::env::var_os(wire::ENV_TOKEN).is_none_or(|t| t != wire::TOKEN_CATALOG) {
        let context = Context::new(&provider.name, None);
        provider = small_runtime()?.block_on(plugin.validate(&context, provider))?;
    }
    let text = serde_json::to_string_pretty(&provider)
        .map_err(|e| SdkError::System { what: "write the definition as JSON", source: e.into() })?;
    print(&text)
}

fn unpack<P: Plugin, E>(definition: &Definition<P, E>, plugin: &Arc<P>, dir: &Path) -> Result<(), SdkError> {
    log::to_stderr(definition.level);
    let context = Context::new(&definition.provider.name, None);
    small_runtime()?.block_on(async {
        // The default hook says so as soon as it is called; one of the plugin's own runs when it is awaited.
        let hook = plugin.unpack(&context, dir);
        if context.has_no_unpack() {
            return Ok(());
        }
        std::fs::create_dir_all(dir).map_err(SdkError::io("create", dir))?;
        hook.await.map_err(SdkError::Plugin)
    })
}

fn usage(name: &str) -> String {
    format!(
        "{name} is a plugin of drp; the daemon runs it.

Usage: {name} <command>

  define              print what the plugin offers, as JSON
  unpack DIR          write the plugin's files into DIR
  listen TO FROM      serve the daemon on socket TO, call it on socket FROM
  version             print the version
  autocomplete FILE   write completions for bash to FILE
  help                print this

  -d, --debug         accepted for the daemon's sake, changes nothing"
    )
}

fn completion(name: &str) -> String {
    let function = name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    format!(
        "# bash completion for {name}
_{function}() {{
    if [ \"$COMP_CWORD\" -eq 1 ]; then
        COMPREPLY=($(compgen -W 'define unpack listen version autocomplete help' -- \"${{COMP_WORDS[1]}}\"))
    else
        COMPREPLY=($(compgen -f -- \"${{COMP_WORDS[COMP_CWORD]}}\"))
    fi
}}
complete -F _{function} '{name}'
"
    )
}

#[cfg(test)]
mod tests {
    use super::{Verb, parse};

    fn words(line: &str) -> Result<Verb, String> {
        parse(line.split_whitespace().map(Into::into)).map_err(|e| format!("{} {e}", e.exit_code()))
    }

    #[test]
    fn the_command_lines_of_the_protocol() {
        assert_eq!(words("define and more"), Ok(Verb::Define));
        assert_eq!(words("-d listen /a /b"), Ok(Verb::Listen("/a".into(), "/b".into())));
        assert_eq!(words("listen /a"), Ok(Verb::ListenWrong(1)));
        assert_eq!(words("unpack /a --debug"), Ok(Verb::Unpack("/a".into())));
        assert_eq!(words("unpack"), Err("2 unpack takes one argument, the directory to write to".to_owned()));
        assert_eq!(words(""), Ok(Verb::Help));
        assert_eq!(words("define -h"), Ok(Verb::Help));
        assert_eq!(words("dance"), Err("2 unknown command `dance`; try `help`".to_owned()));
    }
}
