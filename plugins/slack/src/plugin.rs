//! The hooks.

use crate::api::{Api, Identity};
use crate::definition::{SLACKPOST, SLACKSTATUS};
use crate::describe::{self, Note};
use crate::message;
use crate::post::Turns;
use crate::problem::{self, Failure, Kind, kind, param};
use crate::redact::Secrets;
use crate::sender::Sender;
use crate::settings::{self, Settings, Way};
use crate::template::Template;
use drp_plugin_sdk::{
    Action, Actor, Context, Error, Event, Params, Plugin, Publisher, Selector, Value, json, tracing,
};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// What the plugin itself listens to: which params are secure may change.
const OWN_PATTERNS: [&str; 2] =
    ["params.create,update,save,delete.*", "contents,plugin_providers.create,update,delete.*"];
/// How long Slack may take to be reached at the start, when it has to be asked for the channels.
const FIRST_CONTACT: Duration = Duration::from_secs(30);
/// How long the name of a machine may take, and how long it counts.
const NAME_WAIT: Duration = Duration::from_secs(2);
const NAME_AGE: Duration = Duration::from_secs(60);
const NAMES: usize = 1000;

/// Tells Slack. One for all configs of the process.
#[derive(Default)]
pub(crate) struct SlackPlugin {
    running: RwLock<Option<Arc<Running>>>,
    turns: Arc<Turns>,
    /// Names of machines by key.
    machines: Mutex<HashMap<String, (String, Instant)>>,
}

/// What one config made.
struct Running {
    settings: Settings,
    sender: Sender,
    secrets: RwLock<Arc<Secrets>>,
    /// The params may have changed since the secrets were read.
    stale: AtomicBool,
}

impl Plugin for SlackPlugin {
    async fn config(&self, ctx: &Context, params: Params) -> Result<(), Error> {
        let settings = Settings::of(&params)?;
        let api = Api::new(&settings).map_err(|why| param(why, "correct it"))?;
        let channels = channels(&api, &settings).await?;
        let credential = match &settings.way {
            Way::Bot { key, .. } => key.clone(),
            Way::Webhook(url) => url.clone(),
        };
        let secrets = Secrets { own: vec![credential], ..Secrets::default() };
        let told: Vec<&str> = channels.iter().map(|c| c.as_deref().unwrap_or("the webhook's")).collect();
        tracing::info!("telling {} rules of events to {}", settings.rules.len(), told.join(", "));
        let sender = Sender::start(api, channels, &settings, &self.turns);
        let next = Running {
            settings,
            sender,
            secrets: RwLock::new(Arc::new(secrets)),
            stale: AtomicBool::new(!ctx.without_daemon()),
        };
        let old = self.running.write().map_err(ctx.failed(500))?.replace(Arc::new(next));
        if let Some(old) = old {
            old.sender.close().await;
        }
        Ok(())
    }

    async fn stop(&self, _: &Context) {
        if let Some(running) = self.running() {
            running.sender.close().await;
        }
    }
}

impl Publisher for SlackPlugin {
    async fn publish(&self, ctx: &Context, event: Event) -> Result<(), Error> {
        let Some(running) = self.running() else { return Ok(()) };
        match event.r#type.as_str() {
            "websocket" | "gap" => running.sender.gap(),
            "params" | "contents" | "plugin_providers" => running.stale.store(true, Ordering::Relaxed),
            // What it says about its own troubles must not make more of them.
            "log" if says(ctx, &event) => return Ok(()),
            _ => {}
        }
        if !running.settings.rules.iter().any(|rule| rule.matches(&event)) {
            return Ok(());
        }
        let secrets = running.secrets(ctx).await;
        let machine = self.machine(ctx, &event).await;
        let note = describe::note(&event, machine.as_deref(), &running.settings.looks, &secrets);
        running.sender.tell(&Arc::new(note));
        Ok(())
    }
}

impl Selector for SlackPlugin {
    async fn select_events(&self, _: &Context) -> Vec<String> {
        let Some(running) = self.running() else { return Vec::new() };
        let rules = running.settings.rules.iter().map(|rule| rule.pattern.clone());
        let mut patterns: Vec<String> = rules.chain(OWN_PATTERNS.map(str::to_owned)).collect();
        patterns.sort_unstable();
        patterns.dedup();
        patterns
    }
}

impl Actor for SlackPlugin {
    async fn action(&self, ctx: &Context, action: Action) -> Result<Value, Error> {
        let Some(running) = self.running() else {
            return Err(problem::error(
                409,
                "STATE",
                "the plugin is not configured",
                "the daemon's",
                "try again",
            ));
        };
        match action.command.as_str() {
            SLACKPOST => running.slackpost(ctx, &action).await,
            SLACKSTATUS => Ok(running.status().await),
            unknown => Err(problem::error(
                404,
                "UNKNOWN",
                format!("there is no action {unknown}"),
                "the request's",
                "see the plugin's actions, for instance with `drp system actions`",
            )),
        }
    }
}

impl SlackPlugin {
    fn running(&self) -> Option<Arc<Running>> {
        self.running.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The name of the machine that a job belongs to.
    async fn machine(&self, ctx: &Context, event: &Event) -> Option<String> {
        let key = event.object.get("Machine").and_then(Value::as_str).filter(|_| event.r#type == "jobs")?;
        let known = || self.machines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((name, since)) = known().get(key)
            && since.elapsed() < NAME_AGE
        {
            return Some(name.clone());
        }
        let ask = async { ctx.client().await.ok()?.get::<Value>("machines", key).await.ok() };
        let machine = tokio::time::timeout(NAME_WAIT, ask).await.ok()??;
        let name = machine.get("Name").and_then(Value::as_str)?.to_owned();
        let mut known = known();
        if known.len() >= NAMES {
            known.clear();
        }
        known.insert(key.to_owned(), (name.clone(), Instant::now()));
        Some(name)
    }
}

impl Running {
    /// What is secret, read afresh when params may have changed. When they cannot be read, the last ones count; sealed values
    /// and secret-looking names are hidden in any case.
    async fn secrets(&self, ctx: &Context) -> Arc<Secrets> {
        let now = self.secrets.read().unwrap_or_else(PoisonError::into_inner).clone();
        if !self.stale.swap(false, Ordering::Relaxed) {
            return now;
        }
        match ctx.list_objects::<Value>("params").await {
            Ok(params) => {
                let secure = |param: &Value| param.get("Secure").and_then(Value::as_bool) == Some(true);
                let name = |param: &Value| param.get("Name").and_then(Value::as_str).map(str::to_owned);
                let names = params.iter().filter(|param| secure(param)).filter_map(name).collect();
                let next = Arc::new(Secrets { params: names, own: now.own.clone() });
                *self.secrets.write().unwrap_or_else(PoisonError::into_inner) = next.clone();
                next
            }
            Err(error) => {
                self.stale.store(true, Ordering::Relaxed);
                tracing::warn!("the params cannot be read to see which are secure: {error}");
                now
            }
        }
    }

    async fn slackpost(&self, ctx: &Context, action: &Action) -> Result<Value, Error> {
        let (text, channel) = settings::request(&action.params)?;
        let webhook = self.sender.api().is_webhook();
        if webhook && channel.is_some() {
            return Err(problem::error(
                400,
                "PARAM",
                "slack/channel is set, but a webhook posts into the one channel that it was made for",
                "the request's",
                "leave it out, or use a bot token (slack/bot-key) instead of slack/webhook-url",
            ));
        }
        let on_machine = action.command_set == "machines" || action.model.get("Uuid").is_some();
        let secrets = if ctx.without_daemon() { self.known() } else { self.secrets(ctx).await };
        let message = match text {
            Some(text) => own_words(&text, action, on_machine, &secrets)?,
            None if on_machine => {
                message::about(&[Arc::new(card(action, &secrets))], &Default::default(), false)
            }
            None => {
                return Err(problem::error(
                    400,
                    "PARAM",
                    "slack/message is missing",
                    "the request's",
                    "say what to post in slack/message",
                ));
            }
        };
        let to: Vec<Option<String>> = match channel {
            Some(channel) => vec![Some(channel)],
            None => self.sender.channels().map(|channel| channel.map(str::to_owned)).collect(),
        };
        let mut posted = Vec::new();
        let mut failure = None;
        for channel in to {
            let name = channel.as_deref().unwrap_or("the webhook's channel").to_owned();
            match self.sender.say(channel.as_deref(), &message).await {
                Ok(ts) => posted.push(json!({"channel": channel, "ts": ts})),
                Err(failed) => {
                    tracing::warn!("slackpost to {name}: {failed}");
                    failure.get_or_insert((name, failed));
                }
            }
        }
        match failure {
            None => {
                let plural = if posted.len() == 1 { "" } else { "s" };
                let text = format!("posted into {} channel{plural}", posted.len());
                Ok(json!({"text": text, "posted": posted}))
            }
            Some((name, failed)) => {
                let mut error = failed.error(&format!("post into {name}"));
                if !posted.is_empty() {
                    error = error.and(format!("Posted all the same: {}", Value::from(posted)));
                }
                Err(error)
            }
        }
    }

    fn known(&self) -> Arc<Secrets> {
        self.secrets.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn status(&self) -> Value {
        let mut status = self.sender.status();
        let api = self.sender.api();
        status["way"] = if api.is_webhook() { "webhook" } else { "bot" }.into();
        status["check"] = match api.check().await {
            Ok(Identity { workspace, user, scopes }) => {
                json!({"ok": true, "workspace": workspace, "user": user, "scopes": scopes})
            }
            Err(failure) => json!({"ok": false, "error": failure.to_string(), "next": failure.advice()}),
        };
        status["events"] = self.settings.rules.iter().map(|rule| rule.text.as_str()).collect();
        status
    }
}

/// The channels to tell, after the credentials were checked. A refusal is an error of the config; a Slack that cannot be
/// reached now is none when the channels are known, since it may come back before the first event.
async fn channels(api: &Api, settings: &Settings) -> Result<Vec<Option<String>>, Error> {
    let known = api.is_webhook() || !settings.channels.is_empty();
    let end = Instant::now() + FIRST_CONTACT;
    let mut pause = Duration::from_secs(1);
    loop {
        let outcome = match api.check().await {
            Ok(identity) => {
                tracing::info!(
                    workspace = identity.workspace,
                    user = identity.user,
                    "Slack knows the credentials"
                );
                if known { Ok(Vec::new()) } else { api.channels().await }
            }
            Err(failure) => Err(failure),
        };
        let failure = match outcome {
            Ok(_) if api.is_webhook() => return Ok(vec![None]),
            Ok(_) if known => return Ok(settings.channels.iter().cloned().map(Some).collect()),
            Ok(found) => return joined(found),
            Err(failure) => failure,
        };
        if !passing(&failure) {
            return Err(failure.error("checking the credentials with Slack"));
        }
        if known {
            tracing::warn!(
                "the credentials could not be checked yet: {failure}. What to do: {}",
                failure.advice()
            );
            let named = settings.channels.iter().cloned().map(Some);
            return Ok(if api.is_webhook() { vec![None] } else { named.collect() });
        }
        if Instant::now() + pause > end {
            return Err(failure.error(
                "asking Slack for the bot's channels (with slack/channels set, Slack need not be there at the start)",
            ));
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}

fn joined(found: Vec<String>) -> Result<Vec<Option<String>>, Error> {
    match found.len() {
        0 => Err(param(
            "slack/channels is not set, and the bot is in no channel",
            "invite the bot: /invite @bot, or set slack/channels",
        )),
        51.. => Err(param(
            format!("slack/channels is not set, and the bot is in {} channels", found.len()),
            "set slack/channels to those that shall be told; at most 50 are possible",
        )),
        _ => Ok(found.into_iter().map(Some).collect()),
    }
}

/// Whether it may pass by itself.
fn passing(failure: &Failure) -> bool {
    match failure {
        Failure::Limited(_) | Failure::Unreachable(..) | Failure::Unclear(..) => true,
        Failure::Refused(error, _) => kind(error) == Kind::Busy,
        Failure::Untrusted(..) => false,
    }
}

/// Whether a line of the log is this plugin's own.
fn says(ctx: &Context, event: &Event) -> bool {
    let own = |text: &str| text == ctx.provider() || text == ctx.name();
    own(&event.key) || event.object.get("Service").and_then(Value::as_str).is_some_and(own)
}

/// The caller's message, with fields of the machine filled in.
fn own_words(text: &str, action: &Action, on_machine: bool, secrets: &Secrets) -> Result<Value, Error> {
    let wrong = |what: String| {
        problem::error(
            400,
            "PARAM",
            what,
            "the request's",
            "fields are written {{ Object.Name }}; see docs/plugins/slack.md",
        )
    };
    let text = if on_machine {
        let template = Template::parse(text).map_err(|why| wrong(format!("slack/message: {why}")))?;
        let key = action.model.get("Uuid").cloned().unwrap_or_default();
        template.render(&json!({"Type": "machines", "Action": SLACKPOST, "Key": key, "Object": secrets.clean(&action.model)}))
    } else {
        text.to_owned()
    };
    let length = text.chars().count();
    if length > message::TEXT {
        return Err(wrong(format!("slack/message has {length} characters; Slack takes {}", message::TEXT)));
    }
    Ok(message::plain(&secrets.scrub(&text)))
}

/// What is told of a machine when the caller says nothing.
fn card(action: &Action, secrets: &Secrets) -> Note {
    let key = action.model.get("Uuid").and_then(Value::as_str).unwrap_or_default();
    let event = Event::now("machines", "create", key, action.model.clone());
    let note = describe::note(&event, None, &BTreeMap::new(), secrets);
    Note {
        summary: format!(":information_source: Machine *{}*", note.subject),
        kind: SLACKPOST.to_owned(),
        ..note
    }
}
