//! The params of the plugin object, checked.

use crate::mrkdwn;
use crate::problem::{self, param};
use crate::rule::Rule;
use crate::template::Template;
use drp_plugin_sdk::protocol::Secret;
use drp_plugin_sdk::{Error, Params, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// Names of the params.
pub(crate) mod name {
    pub(crate) const BOT_KEY: &str = "slack/bot-key";
    pub(crate) const WEBHOOK: &str = "slack/webhook-url";
    pub(crate) const API_URL: &str = "slack/api-url";
    pub(crate) const CHANNELS: &str = "slack/channels";
    pub(crate) const EVENTS: &str = "slack/events";
    pub(crate) const TEMPLATE: &str = "slack/template";
    pub(crate) const DIGEST_AFTER: &str = "slack/digest-after";
    pub(crate) const PACE: &str = "slack/pace";
    pub(crate) const TIMEOUT: &str = "slack/timeout";
    pub(crate) const TLS_CA: &str = "slack/tls-ca";
    pub(crate) const MESSAGE: &str = "slack/message";
    pub(crate) const CHANNEL: &str = "slack/channel";
}

/// Where Slack's Web API is.
pub(crate) const PUBLIC_API: &str = "https://slack.com/api";
/// What is told when `slack/events` is not set.
pub(crate) const DEFAULT_EVENTS: [&str; 3] = [
    "machines.create,delete.*",
    "jobs.create,update,save.* where State=failed",
    "plugins.save.* where PluginErrors",
];
/// Most channels, rules and templates.
const MOST_CHANNELS: usize = 50;
const MOST_RULES: usize = 50;
const MOST_TEMPLATES: usize = 100;
/// Longest template, in characters.
const TEMPLATE: usize = 3000;

/// How Slack is reached.
#[derive(Debug, Clone)]
pub(crate) enum Way {
    /// The Web API with a bot token.
    Bot { base: String, key: Secret },
    /// An incoming webhook, which belongs to one channel.
    Webhook(Secret),
}

/// What one type of event looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Look {
    /// The first line.
    pub(crate) summary: Template,
    /// Fields by label instead of the usual ones.
    pub(crate) fields: Option<Vec<(String, Template)>>,
}

/// All settings.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) way: Way,
    pub(crate) channels: Vec<String>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) looks: BTreeMap<String, Look>,
    /// So many events wait before they are folded into one message.
    pub(crate) digest_after: usize,
    /// Least time between two messages in one channel.
    pub(crate) pace: Duration,
    /// Deadline of a call.
    pub(crate) timeout: Duration,
    pub(crate) tls_ca: Option<String>,
}

impl Settings {
    /// Reads and checks them.
    ///
    /// # Errors
    /// 400 `PARAM` that names the param and never its value when that is a secret.
    pub(crate) fn of(params: &Params) -> Result<Self, Error> {
        let way = way(params)?;
        let channels = strings(params, name::CHANNELS, MOST_CHANNELS)?.unwrap_or_default();
        for channel in &channels {
            channel_name(channel, name::CHANNELS)?;
        }
        if matches!(way, Way::Webhook(_)) && !channels.is_empty() {
            return Err(param(
                "slack/channels is set, but a webhook posts into the one channel that it was made for",
                "remove slack/channels, or use a bot token (slack/bot-key) instead of slack/webhook-url",
            ));
        }
        let rules = match strings(params, name::EVENTS, MOST_RULES)? {
            Some(rules) => rules,
            None => DEFAULT_EVENTS.map(str::to_owned).to_vec(),
        };
        let rule = |text: String| {
            Rule::parse(&text).map_err(|why| {
                param(
                    format!("slack/events: `{}`: {why}", mrkdwn::cut(&text, 200)),
                    "write <type>.<action>.<key>, perhaps followed by `where Field=value`",
                )
            })
        };
        Ok(Self {
            way,
            channels,
            rules: rules.into_iter().map(rule).collect::<Result<_, _>>()?,
            looks: looks(params)?,
            digest_after: number(params, name::DIGEST_AFTER, 3.0, 1.0, 100.0)?.as_secs() as usize,
            pace: number(params, name::PACE, 1.0, 1.0, 3600.0)?,
            timeout: number(params, name::TIMEOUT, 15.0, 1.0, 60.0)?,
            tls_ca: text(params, name::TLS_CA)?,
        })
    }
}

fn way(params: &Params) -> Result<Way, Error> {
    let key = text(params, name::BOT_KEY)?.map(Secret::new);
    let webhook = text(params, name::WEBHOOK)?.map(Secret::new);
    match (key, webhook) {
        (None, None) => Err(param(
            "neither slack/bot-key nor slack/webhook-url is set",
            "set slack/bot-key to the bot token of a Slack app, or slack/webhook-url to an incoming webhook",
        )),
        (Some(_), Some(_)) => Err(param(
            "both slack/bot-key and slack/webhook-url are set",
            "set one of them; two plugin objects of provider slack can have one each",
        )),
        (Some(key), None) => {
            if !key.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(param(
                    "slack/bot-key holds characters that no token has",
                    "set it to the token alone, without quotes or blanks",
                ));
            }
            let base = text(params, name::API_URL)?.unwrap_or_else(|| PUBLIC_API.to_owned());
            let base = base.trim_end_matches('/').to_owned();
            url(name::API_URL, &base)?;
            Ok(Way::Bot { base, key })
        }
        (None, Some(webhook)) => {
            url(name::WEBHOOK, webhook.expose())?;
            Ok(Way::Webhook(webhook))
        }
    }
}

/// HTTPS, or HTTP to this host itself: a credential goes there.
fn url(name: &str, text: &str) -> Result<(), Error> {
    let parsed = reqwest::Url::parse(text)
        .map_err(|e| param(format!("{name} is no URL: {e}"), "write https://<host>/…"))?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(param(format!("{name} holds a user or password"), "take them out of it"));
    }
    let host = parsed.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let own = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match parsed.scheme() {
        "https" if !host.is_empty() => Ok(()),
        "http" if own => Ok(()),
        _ => Err(param(
            format!("{name} is neither https nor on this host, so the credential would travel in the clear"),
            "write https://<host>/…",
        )),
    }
}

/// Checks the name or id of a channel.
///
/// # Errors
/// 400 `PARAM` that names the param `of`.
pub(crate) fn channel_name(channel: &str, of: &str) -> Result<(), Error> {
    let fits = |c: char| c.is_alphanumeric() || "#@-_.".contains(c);
    if channel.is_empty() || channel.chars().count() > 100 || !channel.chars().all(fits) {
        let shown = mrkdwn::cut(channel, 100);
        return Err(param(
            format!("{of}: `{shown}` is no channel"),
            "write its id, for instance C0123456789, or its name, for instance #ops",
        ));
    }
    Ok(())
}

/// A text that is not empty.
pub(crate) fn text(params: &Params, name: &str) -> Result<Option<String>, Error> {
    match params.value(name) {
        None => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim().to_owned())),
        Some(_) => Err(param(format!("{name} is no text"), "write it in quotes")),
    }
}

fn strings(params: &Params, name: &str, most: usize) -> Result<Option<Vec<String>>, Error> {
    let Some(value) = params.value(name) else { return Ok(None) };
    let list: Option<Vec<String>> = value.as_array().and_then(|list| {
        list.iter().map(|entry| entry.as_str().map(|text| text.trim().to_owned())).collect()
    });
    match list {
        Some(list) if list.len() <= most => Ok(Some(list)),
        Some(list) => {
            Err(param(format!("{name} has {} entries", list.len()), &format!("at most {most} are possible")))
        }
        None => Err(param(format!("{name} is no list of texts"), "write a list, for instance [\"#ops\"]")),
    }
}

fn number(params: &Params, name: &str, default: f64, least: f64, most: f64) -> Result<Duration, Error> {
    let Some(value) = params.value(name) else { return Ok(Duration::from_secs_f64(default)) };
    match value.as_f64() {
        Some(number) if (least..=most).contains(&number) => Ok(Duration::from_secs_f64(number)),
        Some(number) => {
            Err(param(format!("{name} is {number}"), &format!("it lies between {least} and {most}")))
        }
        None => Err(param(format!("{name} is no number"), &format!("write a number from {least} to {most}"))),
    }
}

fn looks(params: &Params) -> Result<BTreeMap<String, Look>, Error> {
    let Some(value) = params.value(name::TEMPLATE) else { return Ok(BTreeMap::new()) };
    let Some(map) = value.as_object() else {
        return Err(param(
            "slack/template is no object",
            "write {\"machines.create\": \"{{ Object.Name }} is here\"}",
        ));
    };
    if map.len() > MOST_TEMPLATES {
        return Err(param(format!("slack/template has {} entries", map.len()), "at most 100 are possible"));
    }
    map.iter().map(|(kind, look)| Ok((kind.clone(), parse_look(kind, look)?))).collect()
}

fn parse_look(kind: &str, value: &Value) -> Result<Look, Error> {
    let wrong = |why: String| {
        param(
            format!("slack/template: {}: {why}", mrkdwn::cut(kind, 100)),
            "fields are written {{ Object.Name }}; see docs/plugins/slack.md",
        )
    };
    let template = |value: Option<&Value>| {
        let text = value.and_then(Value::as_str).ok_or_else(|| wrong("a template is a text".to_owned()))?;
        if text.chars().count() > TEMPLATE {
            return Err(wrong(format!("it is longer than {TEMPLATE} characters")));
        }
        Template::parse(text).map_err(wrong)
    };
    let Some(map) = value.as_object() else {
        return Ok(Look { summary: template(Some(value))?, fields: None });
    };
    if let Some(odd) = map.keys().find(|key| *key != "Summary" && *key != "Fields") {
        return Err(wrong(format!("`{}` is neither Summary nor Fields", mrkdwn::cut(odd, 100))));
    }
    let fields = match map.get("Fields") {
        None => None,
        Some(Value::Object(fields)) if fields.len() <= 10 => Some(
            fields
                .iter()
                .map(|(label, value)| Ok((label.clone(), template(Some(value))?)))
                .collect::<Result<_, Error>>()?,
        ),
        Some(_) => return Err(wrong("Fields is an object of at most 10 templates".to_owned())),
    };
    Ok(Look { summary: template(map.get("Summary"))?, fields })
}

/// The params of an action: message and channel.
pub(crate) fn request(params: &Params) -> Result<(Option<String>, Option<String>), Error> {
    let message = text(params, name::MESSAGE).map_err(blame_request)?;
    let channel = text(params, name::CHANNEL).map_err(blame_request)?;
    if let Some(channel) = &channel {
        channel_name(channel, name::CHANNEL).map_err(blame_request)?;
    }
    Ok((message, channel))
}

fn blame_request(error: Error) -> Error {
    let next = error.messages.last().cloned().unwrap_or_default();
    let what = error.messages.into_iter().next().unwrap_or_default();
    problem::error(400, "PARAM", what, "the request's", next.trim_start_matches("What to do: "))
}

#[cfg(test)]
mod tests {
    use super::{Settings, Way};
    use drp_plugin_sdk::{Params, Value, json};

    fn of(value: Value) -> Result<Settings, drp_plugin_sdk::Error> {
        Settings::of(&Params::from(value.as_object().cloned().unwrap()))
    }

    #[test]
    fn defaults_are_quiet_and_safe() {
        let settings = of(json!({"slack/bot-key": "xoxb-1", "Name": "s"})).unwrap();
        assert!(matches!(&settings.way, Way::Bot { base, .. } if base == "https://slack.com/api"));
        assert_eq!((settings.rules.len(), settings.channels.len(), settings.digest_after), (3, 0, 3));
        assert!(!format!("{settings:?}").contains("xoxb-1"));
        let hook = of(json!({"slack/webhook-url": "http://127.0.0.1:1/services/T/B/x"})).unwrap();
        assert!(matches!(hook.way, Way::Webhook(_)));
    }

    #[test]
    fn every_wrong_param_is_named_and_no_secret_shown() {
        let key = || json!({"slack/bot-key": "xoxb-canary"});
        for (change, named) in [
            (json!({"slack/bot-key": ""}), "neither slack/bot-key nor"),
            (json!({"slack/bot-key": ["xoxb-canary"]}), "slack/bot-key"),
            (json!({"slack/bot-key": "xoxb canary"}), "slack/bot-key"),
            (json!({"slack/webhook-url": "https://x/canary"}), "both"),
            (json!({"slack/bot-key": null, "slack/webhook-url": "canary"}), "slack/webhook-url"),
            (
                json!({"slack/bot-key": null, "slack/webhook-url": "https://u:canary@h/x"}),
                "slack/webhook-url",
            ),
            (
                json!({"slack/bot-key": null, "slack/webhook-url": "https://h/x", "slack/channels": ["#a"]}),
                "slack/channels",
            ),
            (json!({"slack/api-url": "http://slack.example/api"}), "slack/api-url"),
            (json!({"slack/api-url": "ftp://127.0.0.1/"}), "slack/api-url"),
            (json!({"slack/channels": "#ops"}), "slack/channels"),
            (json!({"slack/channels": ["a b"]}), "slack/channels"),
            (json!({"slack/channels": [7]}), "slack/channels"),
            (json!({"slack/channels": vec!["#a"; 51]}), "slack/channels"),
            (json!({"slack/events": ["*.*.*"]}), "everything"),
            (json!({"slack/events": {}}), "slack/events"),
            (json!({"slack/template": "x"}), "slack/template"),
            (json!({"slack/template": {"machines": "{{ Nope }}"}}), "slack/template: machines"),
            (json!({"slack/template": {"machines": {"Summary": "x", "Odd": 1}}}), "slack/template: machines"),
            (json!({"slack/template": {"machines": {"Fields": {}}}}), "slack/template: machines"),
            (json!({"slack/digest-after": 0}), "slack/digest-after"),
            (json!({"slack/pace": "fast"}), "slack/pace"),
            (json!({"slack/timeout": 1e9}), "slack/timeout"),
            (json!({"slack/tls-ca": 1}), "slack/tls-ca"),
        ] {
            let mut params = key();
            params.as_object_mut().unwrap().extend(change.as_object().cloned().unwrap());
            let error = of(params).unwrap_err();
            let text = error.to_string();
            assert_eq!((error.code, error.r#type.as_str()), (400, "PARAM"), "{change}");
            assert!(text.contains(named) && !text.contains("canary"), "{change}: {text}");
            assert!(text.contains("What to do: ") && text.contains("Whose fault: "), "{text}");
        }
    }
}
