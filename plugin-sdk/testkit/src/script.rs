//! A plugin that does what a test tells it: the description.

use crate::TestkitError;
use drp_protocol::{Error, Event, Line, PLUGIN_VERSION, PluginProvider};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// What a scripted plugin does. [`Script::install`] puts it into a plugin directory as an executable, which runs
/// the test binary itself again; the test crate needs one more test for that:
///
/// ```text
/// #[test]
/// fn scripted_plugin() {
///     drp_plugin_testkit::run_if_scripted();
/// }
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Script {
    pub(crate) definition: PluginProvider,
    pub(crate) define_text: Option<String>,
    pub(crate) define_code: i32,
    pub(crate) unpack: Vec<Step>,
    pub(crate) before: Vec<Step>,
    pub(crate) start: Start,
    pub(crate) config: Vec<Step>,
    pub(crate) actions: BTreeMap<String, Vec<Step>>,
    pub(crate) publish: Vec<Step>,
    pub(crate) stop: Vec<Step>,
    pub(crate) other: Vec<Step>,
}

/// How `listen` begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// Listens and says `READY!`.
    #[default]
    Ready,
    /// Says `Failed` and ends with status 1.
    Failed,
    /// Ends without a word, with this status.
    End(i32),
    /// Listens and never says anything.
    Silent,
}

/// One thing a scripted plugin does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Step {
    /// Prints a line on standard output.
    Print(String),
    /// Prints a line on standard error.
    Complain(String),
    /// Posts a log line and waits for the answer.
    Log(Box<Line>),
    /// Publishes an event and waits for the answer.
    Publish(Box<Event>),
    /// Leaves.
    Leave(Error),
    /// GETs a path on the from-plugin socket, for instance `/api-server-plugin/v4/objects/machines`.
    Get(String),
    /// Waits, in milliseconds.
    Sleep(u64),
    /// Ends the process.
    Exit(i32),
    /// Sends itself a signal.
    Signal(i32),
    /// Ignores SIGTERM from now on.
    IgnoreTerm,
    /// Writes a file below the `unpack` directory or the working directory.
    Write(String, String),
    /// Answers; what follows happens after the answer.
    Reply(Reply),
}

/// What a scripted plugin answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Reply {
    /// A status and a JSON value.
    Json(u16, Value),
    /// Exactly these bytes, then the end of the connection. Empty: the connection just ends.
    Raw(String),
    /// A 200 whose body is this many bytes of text.
    Huge(u64),
}

impl Script {
    /// A plugin that gets ready, accepts every config and event, answers 404 to every action and stops.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let ok = || vec![Step::reply(200, json!({"Code": 200}))];
        let definition = PluginProvider {
            name: name.to_owned(),
            version: "v1.0.0".to_owned(),
            plugin_version: PLUGIN_VERSION,
            ..PluginProvider::default()
        };
        Self {
            definition,
            define_text: None,
            define_code: 0,
            unpack: Vec::new(),
            before: Vec::new(),
            start: Start::Ready,
            config: ok(),
            actions: BTreeMap::new(),
            publish: ok(),
            stop: vec![Step::reply(200, json!({"Code": 200})), Step::Exit(0)],
            other: vec![Step::reply(404, json!({"Code": 404}))],
        }
    }

    /// Changes what `define` prints.
    #[must_use]
    pub fn definition(mut self, change: impl FnOnce(&mut PluginProvider)) -> Self {
        change(&mut self.definition);
        self
    }

    /// Makes `define` print this text and end with this status.
    #[must_use]
    pub fn define_output(mut self, text: &str, code: i32) -> Self {
        self.define_text = Some(text.to_owned());
        self.define_code = code;
        self
    }

    /// What `unpack` does. [`Step::Exit`] sets its status.
    #[must_use]
    pub fn on_unpack(mut self, steps: impl Into<Vec<Step>>) -> Self {
        self.unpack = steps.into();
        self
    }

    /// What `listen` does first.
    #[must_use]
    pub fn before_start(mut self, steps: impl Into<Vec<Step>>) -> Self {
        self.before = steps.into();
        self
    }

    /// How `listen` begins.
    #[must_use]
    pub fn start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// What config does.
    #[must_use]
    pub fn on_config(mut self, steps: impl Into<Vec<Step>>) -> Self {
        self.config = steps.into();
        self
    }

    /// What a command does.
    #[must_use]
    pub fn on_action(mut self, command: &str, steps: impl Into<Vec<Step>>) -> Self {
        self.actions.insert(command.to_owned(), steps.into());
        self
    }

    /// What an event does.
    #[must_use]
    pub fn on_publish(mut self, steps: impl Into<Vec<Step>>) -> Self {
        self.publish = steps.into();
        self
    }

    /// What stop does.
    #[must_use]
    pub fn on_stop(mut self, steps: impl Into<Vec<Step>>) -> Self {
        self.stop = steps.into();
        self
    }

    /// What any other request does.
    #[must_use]
    pub fn on_other(mut self, steps: impl Into<Vec<Step>>) -> Self {
        self.other = steps.into();
        self
    }

    /// Writes the executable `dir/<name>` and its script beside it, in a hidden file. `entry` is the full name of
    /// the test that calls [`run_if_scripted`](crate::run_if_scripted), for instance `scripted_plugin`.
    ///
    /// # Errors
    /// [`TestkitError::Io`].
    pub fn install(&self, dir: &Path, entry: &str) -> Result<Installed, TestkitError> {
        let name = &self.definition.name;
        let script = dir.join(format!(".{name}.script"));
        let calls = dir.join(format!(".{name}.calls"));
        let text = serde_json::to_string(self).unwrap_or_default();
        fs::write(&script, text).map_err(TestkitError::io("write", &script))?;
        let environment =
            [("DRP_SCRIPT", script.display().to_string()), ("DRP_SCRIPT_CALLS", calls.display().to_string())];
        let binary = crate::this_binary::install(dir, name, entry, &environment)?;
        Ok(Installed { binary, calls })
    }
}

impl Step {
    /// Answers with a status and a JSON value.
    #[must_use]
    pub fn reply(status: u16, value: Value) -> Self {
        Self::Reply(Reply::Json(status, value))
    }

    /// Posts a log line.
    #[must_use]
    pub fn log(message: &str) -> Self {
        Self::Log(Box::new(Line { message: message.to_owned(), ..Line::default() }))
    }
}

/// A scripted plugin on disk.
#[derive(Debug, Clone)]
pub struct Installed {
    /// The executable.
    pub binary: PathBuf,
    calls: PathBuf,
}

impl Installed {
    /// What it was asked so far, in order: verbs of the command line as `define`, requests as
    /// `POST /api-plugin/v4/config <body>`.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        fs::read_to_string(&self.calls).unwrap_or_default().lines().map(str::to_owned).collect()
    }
}
