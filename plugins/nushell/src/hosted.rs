//! The plugin that an extension is.

use crate::call::Call;
use crate::child::Run;
use crate::commands::{self, Command, Module};
use crate::definition::{LONGEST, TIMEOUT, definition, timeout_param};
use crate::document;
use crate::error::NushellError;
use crate::heard::{Hear, Heard, Level};
use crate::program::{self, Nu};
use crate::report::{Report, of_output};
use crate::scratch::Scratch;
use crate::scrub::Secrets;
use drp_plugin_sdk::protocol::{HostedExtension, wire};
use drp_plugin_sdk::{Action, Actor, Context, Error, Params, Plugin, Value, json, tracing};
use serde::Deserialize;
use serde_json::Map;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Commands of one extension that run at the same time; more wait.
const AT_ONCE: usize = 8;
/// Least time between two progress events of one command. What comes between is left out, but the last one.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);
/// Longest text of a log line or event, in bytes.
const TEXT: usize = 4 << 10;
/// Largest record file, in bytes.
const RECORD: u64 = 8 << 20;

/// `nushell --extension RECORD …`
pub(crate) fn run(record: &OsStr, words: Vec<OsString>) -> ExitCode {
    let verb = words.first().and_then(|word| word.to_str()).unwrap_or_default().to_owned();
    let outcome = read(Path::new(record)).and_then(|extension| {
        if verb == "test" {
            return crate::testing::run(&extension, &words[1..]);
        }
        if verb == "listen" {
            crate::scratch::sweep();
        }
        let (nu, module) = runtime()?.block_on(look(&extension))?;
        let definition = definition(&extension, &module);
        Ok(definition.run_with(Host::new(extension, nu, module), words))
    });
    outcome.unwrap_or_else(|error| {
        if verb == "listen" {
            let _ = writeln!(std::io::stdout(), "{}", wire::FAILED);
        }
        let _ = writeln!(std::io::stderr(), "Error: {error}");
        ExitCode::FAILURE
    })
}

/// One thread: children are tied to the thread that starts them.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, NushellError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(NushellError::system("start the runtime"))
}

/// Reads the record.
fn read(path: &Path) -> Result<HostedExtension, NushellError> {
    let wrong = |problem: String| NushellError::Record { path: path.to_owned(), problem };
    let size = path.metadata().map_err(|error| wrong(error.to_string()))?.len();
    if size > RECORD {
        return Err(wrong(format!("it has {size} bytes, and a record has {RECORD} at most")));
    }
    let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let mut extension: HostedExtension = serde_json::from_slice(&text)
        .map_err(|error| wrong(format!("it is no record of an extension: {error}")))?;
    // Nushell names files by their real paths.
    if let Ok(root) = extension.root.canonicalize() {
        extension.root = root;
    }
    Ok(extension)
}

/// Finds Nushell, and asks it what the extension offers.
pub(crate) async fn look(extension: &HostedExtension) -> Result<(Nu, Module), NushellError> {
    let nu = program::find(extension.nu.as_deref()).await?;
    nu.fits(&extension.name, extension.nushell.as_deref())?;
    let module = commands::ask(&nu, &extension.root).await?;
    Ok((nu, module))
}

/// Runs the commands of one extension.
pub(crate) struct Host {
    extension: HostedExtension,
    nu: Nu,
    commands: BTreeMap<String, Command>,
    configured: RwLock<Arc<Map<String, Value>>>,
    turns: Semaphore,
}

/// What our script writes.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    ok: Value,
    #[serde(default)]
    error: Option<Report>,
}

impl Host {
    fn new(extension: HostedExtension, nu: Nu, module: Module) -> Self {
        let commands = module.commands.into_iter().map(|command| (command.name.clone(), command)).collect();
        Self { extension, nu, commands, configured: RwLock::default(), turns: Semaphore::new(AT_ONCE) }
    }

    /// How long a command may run: what the caller says, else the plugin.
    fn timeout(&self, params: &Params, configured: &Map<String, Value>) -> Result<Duration, Error> {
        let name = timeout_param(&self.extension);
        let given = params.value(&name).or_else(|| configured.get(&name));
        let seconds = match given {
            None => TIMEOUT,
            Some(value) => {
                value.as_u64().filter(|seconds| (1..=LONGEST).contains(seconds)).ok_or_else(|| {
                    Error::new(400, "params", format!("Invalid Parameter: {name}: 1 to {LONGEST} seconds"))
                })?
            }
        };
        Ok(Duration::from_secs(seconds))
    }

    async fn call(&self, ctx: &Context, command: &Command, params: Params) -> Result<Value, Error> {
        let configured = self.configured.read().unwrap_or_else(PoisonError::into_inner).clone();
        let deadline = self.timeout(&params, &configured)?;
        let call = Call::new(command, params.as_map())?;
        let check = command.checks() && params.value("check") == Some(&Value::Bool(true));
        let settings = document::settings(&self.extension, &configured, check);
        let secure = || self.extension.settings.iter().filter(|setting| setting.secure);
        let secret: Vec<Value> = secure()
            .flat_map(|setting| {
                [configured.get(&self.extension.param(&setting.name)), setting.default.as_ref()]
            })
            .flatten()
            .cloned()
            .collect();
        let secrets = Secrets::of(secret.iter()).except_words_of(secure().map(|setting| &setting.schema));
        let plugin = ctx.name();
        let wire = |error: NushellError| {
            let mut error = error.on_the_wire(&plugin);
            error.messages = error.messages.iter().map(|text| secrets.scrub_and_cut(text, TEXT)).collect();
            error
        };
        let stopped = || wire(NushellError::Stopped(command.name.clone()));
        let _turn = tokio::select! {
            turn = self.turns.acquire() => turn.map_err(|_| stopped())?,
            () = ctx.cancelled().cancelled() => return Err(stopped()),
        };
        let request = ctx.api_request().map_or_else(|| ctx.request_id().to_string(), str::to_owned);
        let scratch = Scratch::new().map_err(wire)?;
        let module = commands::module_of(&self.extension.root).map_err(wire)?;
        let script =
            call.script(&module, &scratch).and_then(|text| scratch.write("run.nu", &text)).map_err(wire)?;
        let mut arguments = commands::arguments(&scratch);
        arguments.extend(["--stdin".into(), script.into()]);
        let drp = document::drp(&self.extension, settings, check, &request, &scratch);
        let folder = scratch.path().join("tmp");
        let run = Run {
            what: command.name.clone(),
            nu: &self.nu.program,
            arguments,
            scratch: &scratch,
            folder: &folder,
            input: call.document(drp, &scratch),
            deadline,
        };
        let mut teller = Teller {
            ctx,
            command: &command.name,
            request: &request,
            secrets: &secrets,
            last: None,
            waiting: None,
        };
        let finished = run.run(ctx.cancelled(), &mut teller).await;
        teller.flush().await;
        let finished = finished.map_err(wire)?;
        if finished.result.is_empty() {
            let said = of_output(&finished.said, &self.extension.root, scratch.path());
            return Err(wire(NushellError::Died { what: command.name.clone(), how: finished.how, said }));
        }
        let answer: Answer = serde_json::from_slice(&finished.result).map_err(|error| {
            wire(NushellError::NoResult { what: command.name.clone(), problem: error.to_string() })
        })?;
        let Some(report) = answer.error else { return Ok(answer.ok) };
        let problem = report.problem(&self.extension.root, scratch.path());
        let mut error =
            Error::new(problem.code.unwrap_or(500), "plugin", String::new()).on("plugin", plugin.clone());
        error.messages = problem.messages.iter().map(|text| secrets.scrub_and_cut(text, TEXT)).collect();
        Err(error)
    }
}

impl Plugin for Host {
    async fn config(&self, _: &Context, params: Params) -> Result<(), Error> {
        let configured = params.into_inner();
        let unset: Vec<String> = self
            .extension
            .settings
            .iter()
            .filter(|setting| setting.required && setting.default.is_none())
            .map(|setting| self.extension.param(&setting.name))
            .filter(|name| configured.get(name).is_none_or(Value::is_null))
            .collect();
        if !unset.is_empty() {
            tracing::warn!(
                "settings without a value: {}; commands that need them will fail",
                unset.join(", ")
            );
        }
        *self.configured.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(configured);
        Ok(())
    }
}

impl Actor for Host {
    async fn action(&self, ctx: &Context, action: Action) -> Result<Value, Error> {
        let Some(command) = self.commands.get(&action.command) else { return Err(action.unknown()) };
        self.call(ctx, command, action.params).await
    }
}

/// Tells what a command says while it runs.
struct Teller<'a> {
    ctx: &'a Context,
    command: &'a str,
    request: &'a str,
    secrets: &'a Secrets,
    last: Option<Instant>,
    waiting: Option<Value>,
}

impl Hear for Teller<'_> {
    async fn hear(&mut self, heard: Heard) {
        let clean = |text: &str| self.secrets.scrub_and_cut(text, TEXT);
        let command = self.command;
        match heard {
            Heard::Log(level, text) => log(level, command, &clean(&text)),
            Heard::Printed(text) | Heard::Complained(text) if text.trim().is_empty() => {}
            Heard::Printed(text) => tracing::info!(command, stream = "stdout", "{}", clean(&text)),
            Heard::Complained(text) => tracing::info!(command, stream = "stderr", "{}", clean(&text)),
            Heard::Progress(percent, text) => {
                self.waiting = Some(json!({
                    "plugin": self.ctx.name(), "command": command, "request": self.request,
                    "percent": percent.map(number), "text": clean(&text),
                }));
                if self.last.is_none_or(|last| last.elapsed() >= PROGRESS_EVERY) {
                    self.flush().await;
                }
            }
            Heard::Ended(_) => {}
        }
    }
}

impl Teller<'_> {
    /// Publishes the progress that waits.
    async fn flush(&mut self) {
        let Some(progress) = self.waiting.take() else { return };
        self.last = Some(Instant::now());
        if self.ctx.without_daemon() {
            return;
        }
        if let Err(error) = self.ctx.publish("extensions", "progress", self.ctx.name(), progress).await {
            tracing::debug!("progress of {}: {error}", self.command);
        }
    }
}

/// As a whole number when it is one.
fn number(percent: f64) -> Value {
    let rounded = (percent * 100.0).round() / 100.0;
    if rounded.fract() == 0.0 { json!(rounded as i64) } else { json!(rounded) }
}

fn log(level: Level, command: &str, text: &str) {
    match level {
        Level::Debug => tracing::debug!(command, "{text}"),
        Level::Info => tracing::info!(command, "{text}"),
        Level::Warning => tracing::warn!(command, "{text}"),
        Level::Error => tracing::error!(command, "{text}"),
    }
}
