//! `runaction` on many objects: so many at the same time, a line for each as it ends, a summary.

use super::{Context, actions, objects};
use crate::failure::closed_pipe;
use crate::grammar::{CallArgs, ManyArgs};
use crate::{Exit, Failure, fields, input, types};
use drp_client::{Client, ClientError, Query};
use drp_protocol::JsonMap;
use serde_json::{Value, json};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

mod line;
mod progress;
mod tally;

use line::Line;
use progress::Progress;
use tally::Tally;

/// How many objects at the same time: as many as the daemon hands to one plugin at once.
const PARALLEL: u16 = 256;
/// Objects asked for at a time.
const PAGE: u64 = 1000;
/// Waits before a request is made again that the daemon refused before anything was begun.
const WAITS: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// An object that the action is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// As the API takes it.
    pub(crate) key: String,
    /// What people call it.
    pub(crate) name: String,
}

/// What is asked for each of them.
struct Order {
    client: Client,
    prefix: String,
    command: String,
    plugin: Option<String>,
    params: JsonMap,
    dry: bool,
    /// Nothing more may be begun.
    stopping: AtomicBool,
}

/// What came of one.
pub(crate) struct Done {
    pub(crate) target: Target,
    pub(crate) took: Duration,
    pub(crate) result: Result<Value, ClientError>,
}

/// Why nothing more is begun.
enum Stop {
    /// Ctrl-C.
    Interrupted,
    /// Whoever read the results went away.
    Unread,
    /// What the next ones would fail with as well.
    Hopeless(Failure),
}

/// Runs the action and gives the failure that stands for all: [`Exit::Partial`] when any failed, [`Exit::NotFound`]
/// when there was no object, [`Exit::Interrupted`].
pub(crate) async fn run(
    cx: &Context<'_>,
    prefix: &str,
    command: &str,
    call: &CallArgs,
    many: &ManyArgs,
) -> Result<(), Failure> {
    if command.contains(':') {
        return Err(Failure::usage(format!("`{command}` is no action"))
            .hint("with --filter, --all or --ids no ID is given: the action is the first word"));
    }
    if many.ids.as_deref() == Some("-") && call.params.iter().any(|word| word == "-") {
        return Err(Failure::usage("standard input cannot be keys and a param at the same time"));
    }
    let params = actions::params(&call.params)?;
    let targets = targets(cx, prefix, many).await?;
    if targets.is_empty() {
        return Err(Failure::new(Exit::NotFound, format!("there are no such {prefix}"))
            .hint(format!("`drp {prefix} list` takes the same filters")));
    }
    let order = Order {
        client: cx.client.clone(),
        prefix: prefix.to_owned(),
        command: command.to_owned(),
        plugin: call.plugin.plugin.clone(),
        params,
        dry: cx.globals.dry_run,
        stopping: AtomicBool::new(false),
    };
    work(cx, Arc::new(order), targets, usize::from(many.parallel.unwrap_or(PARALLEL))).await
}

async fn work(
    cx: &Context<'_>,
    order: Arc<Order>,
    targets: VecDeque<Target>,
    most: usize,
) -> Result<(), Failure> {
    let mut interrupts =
        signal(SignalKind::interrupt()).map_err(|e| Failure::io("interrupts cannot be noticed", &e))?;
    cx.ends_itself.set(true);
    let mut tally = Tally::new(&order.prefix, &order.command, order.dry, targets.len());
    let progress = Progress::new(targets.len());
    let mut waiting = targets;
    let mut under_way = JoinSet::new();
    let mut stop = None;
    let mut unknown = None;
    loop {
        while stop.is_none() && under_way.len() < most {
            let Some(target) = waiting.pop_front() else { break };
            under_way.spawn(one(Arc::clone(&order), target));
        }
        progress.show(&tally, under_way.len());
        tokio::select! {
            ended = under_way.join_next() => {
                let Some(ended) = ended else { break };
                let done = ended.map_err(|e| Failure::new(Exit::General, e.to_string()))?;
                tally.add(&done);
                let shown = match stop {
                    Some(Stop::Unread) => Ok(()),
                    _ => progress.aside(|| Line::new(&order, &done).print(cx)),
                };
                match done.result {
                    Err(error) if hopeless(&error) => stop = stop.or(Some(Stop::Hopeless(error.into()))),
                    Err(error) if unknown.is_none() && actions::nobody_offers(&error) => {
                        unknown = Some((done.target.key, error));
                    }
                    _ => {}
                }
                if let Err(failure) = shown {
                    if failure.exit != closed_pipe().exit {
                        return Err(failure);
                    }
                    stop = stop.or(Some(Stop::Unread));
                }
            }
            _ = interrupts.recv() => {
                if matches!(stop, Some(Stop::Interrupted)) {
                    break;
                }
                stop = Some(Stop::Interrupted);
                let text = format!(
                    "interrupted: nothing more is begun, {} under way are waited for; again to leave them to the daemon",
                    under_way.len()
                );
                progress.aside(|| cx.printer.summary(&text));
            }
        }
        if stop.is_some() {
            order.stopping.store(true, Ordering::Release);
        }
    }
    cx.ends_itself.set(false);
    progress.end();
    cx.printer.summary(&tally.text(waiting.len(), under_way.len()));
    if let Some((key, error)) = unknown {
        let explained = actions::explain(cx, &order.prefix, &key, &order.command, error).await;
        explained.hints.iter().for_each(|hint| cx.printer.hint(hint));
    }
    match stop {
        Some(Stop::Interrupted) => Err(Failure::silent(Exit::Interrupted)),
        Some(Stop::Hopeless(failure)) if tally.done() == 0 => Err(failure),
        Some(Stop::Hopeless(failure)) => Err(Failure { exit: Exit::Partial, ..failure }),
        _ if tally.failed() + waiting.len() > 0 => Err(Failure::silent(Exit::Partial)),
        _ => Ok(()),
    }
}

/// Runs the action on one. What the daemon refuses before it begins is asked for again a few times.
async fn one(order: Arc<Order>, target: Target) -> Done {
    let began = Instant::now();
    let mut waits = WAITS.iter();
    let result = loop {
        let result = order.send(&target).await;
        match waits.next() {
            Some(wait) if result.as_ref().is_err_and(not_begun) && !order.stops() => {
                tokio::time::sleep(*wait).await;
            }
            _ => break result,
        }
    };
    Done { target, took: began.elapsed(), result }
}

impl Order {
    fn stops(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    async fn send(&self, target: &Target) -> Result<Value, ClientError> {
        let (prefix, key, plugin) = (&self.prefix, &target.key, self.plugin.as_deref());
        if !self.dry {
            return self.client.run_action(prefix, key, &self.command, plugin, &self.params).await;
        }
        match self.client.action(prefix, key, &self.command, plugin).await {
            Err(error) if !actions::provided(&error, &self.params) => Err(error),
            _ => Ok(json!({ "Method": "POST", "Path": self.path(key), "Body": self.params })),
        }
    }

    fn path(&self, key: &str) -> String {
        format!("/api/v3/{}/{key}/actions/{}", self.prefix, self.command)
    }
}

/// The daemon was too busy, or its plugin is starting: nothing was done (the host's bounds and those of logins).
fn not_begun(error: &ClientError) -> bool {
    let ClientError::Api(api) = error else { return false };
    match (api.code, api.r#type.as_str()) {
        (429, "AUTH") | (503, "START") => true,
        (503, "INVOKE") => api.model == "plugins",
        _ => false,
    }
}

/// The way to the daemon or into it is shut, for all.
fn hopeless(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::Unreachable { .. }
            | ClientError::Untrusted { .. }
            | ClientError::Setting(_)
            | ClientError::Status { status: 401 | 403, .. }
    )
}

/// The objects that were named, each once.
async fn targets(cx: &Context<'_>, prefix: &str, many: &ManyArgs) -> Result<VecDeque<Target>, Failure> {
    let mut known = BTreeSet::new();
    let mut targets = VecDeque::new();
    if let Some(file) = &many.ids {
        let name = if file == "-" || file.starts_with('@') { file.clone() } else { format!("@{file}") };
        let text = input::text(&name)?;
        for key in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if known.insert(key.to_owned()) {
                targets.push_back(Target { key: key.to_owned(), name: key.to_owned() });
            }
        }
        return Ok(targets);
    }
    let query = objects::filters(&many.filters)?.slim("Meta,Params").limit(PAGE);
    let field = types::name_field(prefix);
    let mut offset = 0;
    loop {
        let page = page(cx, prefix, query.clone().offset(offset)).await?;
        offset += page.len() as u64;
        let last = (page.len() as u64) < PAGE;
        for object in page {
            let Some(key) = fields::key(prefix, &object) else { continue };
            // What is made or deleted meanwhile moves the pages.
            if known.insert(key.to_owned()) {
                let name = object.get(field).and_then(Value::as_str).unwrap_or(key);
                targets.push_back(Target { key: key.to_owned(), name: name.to_owned() });
            }
        }
        if last {
            return Ok(targets);
        }
    }
}

async fn page(cx: &Context<'_>, prefix: &str, query: Query) -> Result<Vec<Value>, Failure> {
    let found = cx.client.list::<Value>(prefix, &query).await;
    Ok(found.map_err(|e| objects::filter_hint(prefix, e))?.items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use drp_protocol::Error;

    #[test]
    fn only_what_was_surely_not_begun_is_asked_again() {
        let api = |code, kind: &str, model: &str| {
            ClientError::Api(Error::new(code, kind, "no").on(model.to_owned(), "x"))
        };
        assert!(not_begun(&api(503, "INVOKE", "plugins")));
        assert!(not_begun(&api(503, "START", "")) && not_begun(&api(429, "AUTH", "users")));
        // The plugin's own words, the daemon that stops in the middle, a time that ran out.
        for error in [
            api(503, "RATE", "plugin"),
            api(503, "INVOKE", ""),
            api(409, "INVOKE", "plugins"),
            ClientError::Timeout { endpoint: "x".into(), what: "y".into() },
        ] {
            assert!(!not_begun(&error), "{error}");
        }
    }
}
