//! The reference pages that are made from the program itself, and so cannot be wrong.
//! A test compares them with `docs/reference/`; `DRP_BLESS=1` writes them.

use crate::Exit;
use clap::builder::StyledStr;
use std::fmt::Write;

/// Variables of the environment that the command line and the daemon read.
pub const ENVIRONMENT: &[(&str, &str)] = &[
    ("DRP_BASE_ROOT", "base root of the daemon; the command line uses its socket, as `--base-root`"),
    ("DRP_SOCKET", "local socket of the daemon, as `--socket`"),
    ("DRP_CACERT", "PEM file of authorities to trust, as `--cacert`"),
    ("DRP_PIN", "PEM file of exactly the daemon's certificate, as `--pin`"),
    ("DRP_TIMEOUT", "deadline of one request in seconds, as `--timeout`"),
    ("DRP_FORMAT", "`table`, `text`, `json` or `yaml`, as `--format`"),
    ("DRP_SETTINGS", "settings file of the daemon, as `drp serve --settings`"),
    ("DRP_<SETTING>", "any setting of the daemon, for instance `DRP_API_PORT`; wins over the settings file"),
    ("RS_<SETTING>", "the same under the prefix that operators of Digital Rebar know; `DRP_<SETTING>` wins"),
    (
        "RS_ENDPOINT",
        "URL of a daemon, as `--endpoint`; a base root or socket that is named wins when it is there",
    ),
    (
        "RS_ENDPOINTS",
        "several of them with spaces between: the first that takes a connection; `RS_ENDPOINT` wins",
    ),
    (
        "RS_KEY",
        "`user:password` to log in with; not used on a local socket, which knows the caller by its uid",
    ),
    ("RS_TOKEN", "token to use, as `--token`; not used on a local socket"),
    ("NO_COLOR", "no colour, when it is set and not empty (no-color.org)"),
    ("PATH", "where programs `drp-WORD` are looked for; relative parts are ignored"),
];

/// The table of environment variables.
#[must_use]
pub fn environment() -> String {
    let mut page = String::from(
        "# Environment\n\nMade by `drp` itself; a test holds it. Flags win over variables.\n\n| Variable | Meaning |\n|---|---|\n",
    );
    for (name, meaning) in ENVIRONMENT {
        let _ = writeln!(page, "| `{name}` | {meaning} |");
    }
    page.push_str(
        "\nPlugins do not inherit this environment: they get `RS_ENDPOINT`, `RS_TOKEN`, `RS_FILESERVER`, `RS_WEBROOT` and a \
         short list of harmless variables.\n",
    );
    page
}

/// The table of exit codes.
#[must_use]
pub fn exit_codes() -> String {
    let mut page = String::from(
        "# Exit codes\n\nMade by `drp` itself; a test holds it.\n\n| Code | Meaning |\n|---|---|\n",
    );
    for (exit, meaning) in Exit::ALL {
        let _ = writeln!(page, "| {} | {meaning} |", exit.code());
    }
    page.push_str(
        "\nA closed pipe (`drp machines list | head -1`) is no failure: the command ends quietly with 0. \
         `drp WORD` has the exit code of the program `drp-WORD`.\n",
    );
    page
}

/// The reference of all commands.
#[must_use]
pub fn cli() -> String {
    let mut command = crate::command();
    command.build();
    let mut page = String::from(
        "# Command line\n\nMade by `drp` itself; a test holds it. Global options stand once, at the top; every command takes them. \
         All object types take the same verbs; they are written out for `machines`, and only what is special for the others. A test runs all examples against a daemon.\n\n",
    );
    let _ = writeln!(page, "```text\n{}\n```\n", plain(&command.render_long_help()));
    let types: Vec<&str> = crate::types::TYPES.iter().map(|t| t.prefix).collect();
    for top in command.get_subcommands().filter(|c| c.get_name() != "help") {
        let name = top.get_name();
        let _ = writeln!(page, "## drp {name}\n\n{}\n", about(top));
        if types.contains(&name) && name != "machines" {
            let machines: Vec<&str> = command
                .find_subcommand("machines")
                .map(|m| m.get_subcommands().map(clap::Command::get_name).collect())
                .unwrap_or_default();
            let verbs: Vec<String> = top.get_subcommands().map(|c| format!("`{}`", c.get_name())).collect();
            let _ = writeln!(page, "Verbs: {}\n", verbs.join(" "));
            for verb in top.get_subcommands().filter(|c| {
                !machines.contains(&c.get_name())
                    || crate::nouns::find(name).is_some_and(|noun| (noun.has)(c.get_name()))
            }) {
                section(&mut page, &format!("drp {name}"), verb, &command);
            }
            continue;
        }
        arguments(&mut page, top);
        examples(&mut page, name, &command);
        for verb in top.get_subcommands().filter(|c| c.get_name() != "help") {
            section(&mut page, &format!("drp {name}"), verb, &command);
        }
    }
    page
}

fn section(page: &mut String, before: &str, command: &clap::Command, grammar: &clap::Command) {
    let name = format!("{before} {}", command.get_name());
    let _ = writeln!(page, "### {name}\n\n{}\n", about(command));
    arguments(page, command);
    examples(page, name.trim_start_matches("drp "), grammar);
    for inner in command.get_subcommands() {
        section(page, &name, inner, grammar);
    }
}

/// What is run against a daemon by a test, and so works.
fn examples(page: &mut String, command: &str, grammar: &clap::Command) {
    let lines = crate::examples::of(command, grammar);
    if !lines.is_empty() {
        let _ = writeln!(page, "```sh\n{}\n```\n", lines.join("\n"));
    }
}

fn about(command: &clap::Command) -> String {
    command.get_about().map(plain).unwrap_or_default()
}

fn arguments(page: &mut String, command: &clap::Command) {
    let own: Vec<&clap::Arg> = command
        .get_arguments()
        .filter(|a| {
            !a.is_global_set() && !a.is_hide_set() && !matches!(a.get_id().as_str(), "help" | "version")
        })
        .collect();
    if own.is_empty() {
        return;
    }
    page.push_str("| Argument | Meaning |\n|---|---|\n");
    for arg in own {
        let shown = arg.to_string().replace('|', "\\|");
        let help = arg.get_help().map(plain).unwrap_or_default().replace('|', "\\|").replace('\n', " ");
        let _ = writeln!(page, "| `{shown}` | {help} |");
    }
    page.push('\n');
}

fn plain(text: &StyledStr) -> String {
    text.to_string()
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect::<String>()
        .trim_end()
        .to_owned()
        + ""
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_pages_in_docs_are_current() {
        let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/reference");
        for (name, page) in [
            ("cli.md", super::cli()),
            ("environment.md", super::environment()),
            ("exit-codes.md", super::exit_codes()),
        ] {
            let path = docs.join(name);
            if std::env::var_os("DRP_BLESS").is_some() {
                std::fs::create_dir_all(&docs).unwrap();
                std::fs::write(&path, &page).unwrap();
            }
            let kept = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                kept == page,
                "docs/reference/{name} is not current; run the tests of drp-cli with DRP_BLESS=1"
            );
        }
    }
}
