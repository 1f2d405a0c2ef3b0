//! What the commands do.

use crate::grammar::{Flags, Globals, ServeArgs, Top, Verb};
use crate::printer::Printer;
use crate::{Exit, Failure, connect};
use drp_client::Client;
use serde_json::{Value, json};

pub(crate) mod actions;
pub(crate) mod backup;
mod bulk;
pub(crate) mod change;
pub(crate) mod config;
pub(crate) mod edit;
mod meta;
pub(crate) mod objects;
pub(crate) mod params;
pub(crate) mod plugin_run;
pub(crate) mod status;
pub(crate) mod stop;
mod wait;
mod watch;

/// What every command works with.
pub(crate) struct Context<'a> {
    pub(crate) client: Client,
    pub(crate) printer: &'a Printer,
    pub(crate) globals: &'a Globals,
    /// The command ends by itself when it is interrupted.
    pub(crate) ends_itself: std::cell::Cell<bool>,
}

impl Context<'_> {
    /// With `--dry-run`: prints what would be sent and says so.
    pub(crate) fn dry(&self, method: &str, path: &str, body: &Value) -> Result<bool, Failure> {
        if self.globals.dry_run {
            self.printer
                .value(&json!({ "Method": method, "Path": format!("/api/v3/{path}"), "Body": body }))?;
        }
        Ok(self.globals.dry_run)
    }

    /// Sends a request for which the client has no method; the path is what follows `/api/v3/`.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let names: Vec<&str> = path.split('/').collect();
        let path = drp_client::path(&names, &drp_client::Query::new())?;
        Ok(self.client.raw(method, &path, body).await?)
    }
}

/// Runs a command that talks to a daemon, on a runtime of one thread. Ctrl-C ends it, unless it
/// says that it ends itself.
pub(crate) fn with_daemon<'a, F>(globals: &'a Globals, printer: &'a Printer, work: F) -> Result<(), Failure>
where
    F: AsyncFnOnce(&Context<'a>) -> Result<(), Failure>,
{
    let ends_itself = std::cell::Cell::new(false);
    let context = Context { client: connect::client(globals)?, printer, globals, ends_itself };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::io("the runtime cannot be set up", &e))?;
    runtime.block_on(async {
        let interrupted = async {
            loop {
                let _ = tokio::signal::ctrl_c().await;
                if !context.ends_itself.get() {
                    return Failure::silent(Exit::Interrupted);
                }
            }
        };
        tokio::select! {
            result = work(&context) => result,
            failure = interrupted => Err(failure),
        }
    })
}

/// Whether the daemon, when one answers, knows objects of this type.
pub(crate) fn type_exists(globals: &Globals, printer: &Printer, word: &str) -> bool {
    let mut found = false;
    let asked = with_daemon(globals, printer, async |cx: &Context<'_>| {
        found = cx.client.prefixes().await?.iter().any(|prefix| prefix == word);
        Ok(())
    });
    asked.is_ok() && found
}

/// A verb of an object type.
pub(crate) async fn verb(cx: &Context<'_>, prefix: &str, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Object(verb) => objects::run(cx, prefix, verb).await,
        Verb::Param(verb) => params::run(cx, prefix, verb).await,
        Verb::Action(verb) => actions::run(cx, prefix, verb).await,
        Verb::Own(noun, matches) => (noun.run)(cx, prefix, &matches).await,
    }
}

/// A top-level command that talks to the daemon.
pub(crate) async fn top(cx: &Context<'_>, top: Top) -> Result<(), Failure> {
    match top {
        Top::Status => status::run(cx).await,
        Top::Backup { file } => backup::run(cx, &file).await,
        // Those that need no daemon were dispatched before.
        Top::Serve(_)
        | Top::Stop(_)
        | Top::Config(_)
        | Top::Restore { .. }
        | Top::Plugin(_)
        | Top::Completions { .. }
        | Top::Man { .. }
        | Top::Extended { .. }
        | Top::Word(_) => Ok(()),
    }
}

/// The settings given on the command line. The base root and the socket are arguments of all commands; from the
/// environment they reach the settings by themselves, which then know where they came from.
pub(crate) fn flags(globals: &Globals, args: &ServeArgs) -> Flags {
    let mut flags = args.flags();
    let from = |variable: &str| std::env::var_os(variable).map(std::path::PathBuf::from);
    for (name, variable, value) in
        [("base-root", "DRP_BASE_ROOT", &globals.base_root), ("socket", "DRP_SOCKET", &globals.socket)]
    {
        if let Some(path) = value.as_ref().filter(|path| Some(*path) != from(variable).as_ref()) {
            flags.values.push((name, path.display().to_string()));
        }
    }
    flags
}

/// Completions for a shell.
pub(crate) fn completions(shell: clap_complete::Shell, printer: &Printer) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut crate::command(), "drp", &mut script);
    printer.text(String::from_utf8_lossy(&script).trim_end())
}

/// Man pages, one for each command, into a directory.
pub(crate) fn man(directory: &std::path::Path, printer: &Printer) -> Result<(), Failure> {
    let trouble = |e: std::io::Error| Failure::io(directory.display(), &e);
    std::fs::create_dir_all(directory).map_err(trouble)?;
    let mut command = crate::command();
    command.build();
    let mut count = 0;
    pages(&command, "drp", directory, &mut count).map_err(trouble)?;
    printer.remark(&format!("{count} pages"));
    Ok(())
}

fn pages(
    command: &clap::Command,
    name: &str,
    directory: &std::path::Path,
    count: &mut u64,
) -> std::io::Result<()> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).title(name).render(&mut page)?;
    std::fs::write(directory.join(format!("{name}.1")), page)?;
    *count += 1;
    for inner in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        pages(inner, &format!("{name}-{}", inner.get_name()), directory, count)?;
    }
    Ok(())
}
