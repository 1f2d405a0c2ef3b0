//! What is told of an event: one line, and a few fields. Everything is cleaned, escaped and cut here, so that what waits in
//! the queue is small and holds no secret.

use crate::mrkdwn;
use crate::redact::Secrets;
use crate::settings::Look;
use crate::template::{find, shown};
use drp_plugin_sdk::{Event, Value, json};
use std::collections::BTreeMap;
use std::time::Instant;

/// Most fields of a message, as Slack has it for a section.
const FIELDS: usize = 10;
/// Longest line, label and value, in characters. A label and a value stay below the 2,000 of a field.
const SUMMARY: usize = 1000;
const LABEL: usize = 60;
const VALUE: usize = 300;
const NAME: usize = 120;

/// An event as it is told.
#[derive(Debug, Clone)]
pub(crate) struct Note {
    /// `machines.create`.
    pub(crate) kind: String,
    /// What it happened to, escaped.
    pub(crate) subject: String,
    /// One line of markup.
    pub(crate) summary: String,
    /// Label and value, both markup.
    pub(crate) fields: Vec<(String, String)>,
    /// `11:40:02 UTC`.
    pub(crate) time: String,
    /// Who caused it, escaped.
    pub(crate) principal: String,
    /// When it was taken over.
    pub(crate) since: Instant,
}

/// Describes an event. `machine` is the name of the machine that a job belongs to, when it is known.
pub(crate) fn note(
    event: &Event,
    machine: Option<&str>,
    looks: &BTreeMap<String, Look>,
    secrets: &Secrets,
) -> Note {
    let (object, original) = (secrets.clean(&event.object), secrets.clean(&event.original));
    let kind = format!("{}.{}", event.r#type, event.action);
    let scrubbed = |text: &str| secrets.scrub(text);
    let subject = subject(event, &object, machine);
    let root = json!({
        "Type": scrubbed(&event.r#type), "Action": scrubbed(&event.action), "Key": scrubbed(&event.key),
        "Principal": scrubbed(&event.principal), "Time": event.time, "Object": object, "Original": original,
    });
    let look = looks.get(&kind).or_else(|| looks.get(&event.r#type)).or_else(|| looks.get("*"));
    let summary = match look {
        Some(look) => secrets.scrub(&look.summary.render(&root)),
        None => summary(event, &root, &subject),
    };
    let fields = match look.and_then(|look| look.fields.as_ref()) {
        Some(fields) => fields.iter().map(|(label, value)| (label.clone(), value.render(&root))).collect(),
        None => fields(event, &root, machine),
    };
    let fields = fields
        .into_iter()
        .take(FIELDS)
        .map(|(label, value)| (mrkdwn::line(&label, LABEL), mrkdwn::cut(&value, VALUE)));
    Note {
        subject,
        summary: mrkdwn::cut(&summary, SUMMARY),
        fields: fields.collect(),
        time: clock(&event.time),
        principal: mrkdwn::line(&scrubbed(&event.principal), NAME),
        kind: mrkdwn::line(&scrubbed(&kind), NAME),
        since: Instant::now(),
    }
}

/// The name of what it happened to.
fn subject(event: &Event, object: &Value, machine: Option<&str>) -> String {
    let word = |path: &str| find(object, path).and_then(Value::as_str).filter(|text| !text.is_empty());
    let name = match event.r#type.as_str() {
        "jobs" => machine.or_else(|| word("Machine")),
        "log" => word("Service"),
        // An action: its object is in `Model`.
        _ if word("Command").is_some() => word("Model.Name"),
        _ => word("Name"),
    };
    mrkdwn::line(&Secrets::default().scrub(name.unwrap_or(&event.key)), NAME)
}

fn summary(event: &Event, root: &Value, subject: &str) -> String {
    let field = |path: &str| mrkdwn::line(&shown(find(root, path)), VALUE);
    let one = singular(&event.r#type);
    match (event.r#type.as_str(), event.action.as_str()) {
        ("jobs", _) if find(root, "Object.State").is_some_and(|state| state == "failed") => {
            format!(":rotating_light: Task *{}* failed on machine *{subject}*", field("Object.Task"))
        }
        ("plugins", "save") if find(root, "Object.PluginErrors.0").is_some() => {
            format!(":rotating_light: Plugin *{subject}*: {}", field("Object.PluginErrors.0"))
        }
        ("log", level) => {
            format!(":memo: {}: *{subject}*: {}", mrkdwn::line(level, 20), field("Object.Message"))
        }
        (_, "create") => format!(":heavy_plus_sign: {one} *{subject}* was created"),
        (_, "delete") => format!(":heavy_minus_sign: {one} *{subject}* was deleted"),
        (_, "update" | "save") => format!(":pencil2: {one} *{subject}* was changed"),
        (_, action) => format!(":arrow_forward: {one} *{subject}*: {}", mrkdwn::line(action, NAME)),
    }
}

/// `machines` is `Machine`.
fn singular(kind: &str) -> String {
    let one = match kind {
        kind if kind.ends_with("ies") => format!("{}y", &kind[..kind.len() - 3]),
        kind => kind.strip_suffix('s').unwrap_or(kind).to_owned(),
    };
    let mut chars = one.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    mrkdwn::line(&format!("{first}{}", chars.as_str()), NAME)
}

fn fields(event: &Event, root: &Value, machine: Option<&str>) -> Vec<(String, String)> {
    let value = |path: &str| mrkdwn::escape(&shown(find(root, path)), VALUE);
    let some = |names: &[&str]| -> Vec<(String, String)> {
        let with = names.iter().map(|name| ((*name).to_owned(), value(&format!("Object.{name}"))));
        with.filter(|(_, value)| value != "–" && value != "false" && value != "{}").collect()
    };
    match (event.r#type.as_str(), event.action.as_str()) {
        ("jobs", _) => {
            let mut fields = some(&["Task", "Stage", "Workflow", "ExitState", "State", "Uuid"]);
            if machine.is_some() {
                fields.push(("Machine".to_owned(), value("Object.Machine")));
            }
            fields
        }
        ("plugins", "save") => some(&["Provider", "PluginErrors"]),
        ("log", _) => Vec::new(),
        ("machines", "create" | "delete") => {
            some(&["Address", "Stage", "Workflow", "BootEnv", "Profiles", "Description", "Uuid"])
        }
        (_, "update" | "save") => changes(root),
        (_, "create" | "delete") => some(&["Description"]),
        _ => Vec::new(),
    }
}

/// The fields that are different now.
fn changes(root: &Value) -> Vec<(String, String)> {
    let (Some(now), Some(before)) = (root["Object"].as_object(), root["Original"].as_object()) else {
        return Vec::new();
    };
    let mut names: Vec<&String> =
        now.keys().chain(before.keys().filter(|name| !now.contains_key(*name))).collect();
    names.retain(|name| now.get(*name) != before.get(*name));
    let side = |value: Option<&Value>| mrkdwn::escape(&shown(value), VALUE / 2 - 5);
    names
        .into_iter()
        .map(|name| (name.clone(), format!("{} → {}", side(before.get(name)), side(now.get(name)))))
        .collect()
}

/// `2026-11-21T11:40:02.123Z` is `11:40:02 UTC`.
fn clock(time: &str) -> String {
    match (time.get(..10), time.get(11..19)) {
        (Some(day), Some(clock)) if time.ends_with('Z') => {
            format!("{} {} UTC", mrkdwn::line(day, 10), mrkdwn::line(clock, 8))
        }
        _ => mrkdwn::line(time, 40),
    }
}

#[cfg(test)]
mod tests {
    use super::note;
    use crate::redact::Secrets;
    use crate::settings::Settings;
    use drp_plugin_sdk::{Event, Params, Value, json};

    fn told(event: &Event, template: Value) -> super::Note {
        let params = json!({"slack/bot-key": "xoxb-1", "slack/template": template});
        let looks = Settings::of(&Params::from(params.as_object().cloned().unwrap())).unwrap().looks;
        let secrets = Secrets { params: ["site/pin".to_owned()].into(), ..Secrets::default() };
        note(event, Some("m<1>"), &looks, &secrets)
    }

    #[test]
    fn events_are_told_in_words() {
        let object = json!({"Name": "n<!channel>", "Stage": "none", "Secret": "canary", "Uuid": "u", "Profiles": ["a"]});
        let event = Event::now("machines", "create", "u", object.clone());
        let made = told(&event, json!({}));
        assert_eq!(made.summary, ":heavy_plus_sign: Machine *n&lt;!channel&gt;* was created");
        assert!(made.fields.contains(&("Profiles".to_owned(), "a".to_owned())));
        assert!(!format!("{made:?}").contains("canary"));
        assert!(made.time.ends_with(" UTC"), "{}", made.time);

        let job = Event::now("jobs", "save", "j", json!({"State": "failed", "Task": "burn", "Machine": "u"}));
        assert_eq!(
            told(&job, json!({})).summary,
            ":rotating_light: Task *burn* failed on machine *m&lt;1&gt;*"
        );
        let plugin = Event::now("plugins", "save", "p", json!({"Name": "p", "PluginErrors": ["it crashed"]}));
        assert_eq!(told(&plugin, json!({})).summary, ":rotating_light: Plugin *p*: it crashed");
        let mut changed = object.clone();
        changed["Stage"] = json!("ready");
        changed["Secret"] = json!("canary-2");
        let update = Event { original: object, ..Event::now("machines", "update", "u", changed) };
        assert_eq!(told(&update, json!({})).fields, [("Stage".to_owned(), "none → ready".to_owned())]);
        let action = json!({"Command": "poweron", "Model": {"Name": "m7"}, "Params": {"site/pin": "canary"}});
        let action = told(&Event::now("machines", "poweron", "u", action), json!({}));
        assert_eq!(action.summary, ":arrow_forward: Machine *m7*: poweron");
    }

    #[test]
    fn odd_events_are_told_too() {
        let deep = (0..200).fold(json!(1), |inner, _| json!({"Name": [inner]}));
        for (time, object) in [
            ("", Value::Null),
            ("ääääääääääääääääZ", json!("text")),
            ("2026-11-21T11:40:02Z", json!([1, {"Name": 7}])),
            ("<>", json!({"Name": "\u{0}\u{202e}<", "State": "failed", "PluginErrors": "x", "Command": {}})),
            ("x", deep),
        ] {
            for (kind, action) in
                [("jobs", "save"), ("plugins", "save"), ("log", "error"), ("", ""), ("ies", "delete")]
            {
                let event = Event {
                    time: time.to_owned(),
                    original: json!({"Name": []}),
                    ..Event::now(kind, action, "<!channel>", object.clone())
                };
                let made = told(&event, json!({}));
                let text = format!("{made:?}");
                assert!(!made.summary.is_empty() && text.len() < 10_000 && !text.contains("<!"), "{text}");
            }
        }
    }

    #[test]
    fn templates_say_it_otherwise() {
        let object = json!({"Name": "m1", "Params": {"site/pin": "canary", "site/rack": "r7"}});
        let event = Event::now("machines", "create", "u", object);
        let look = json!({"machines.create": {"Summary": "<!here> {{ Object.Name }} {{ Object.Params.site/pin }}",
                                              "Fields": {"Rack": "{{ Object.Params.site/rack }}"}},
                          "machines": "never", "*": "never"});
        let made = told(&event, look);
        assert_eq!(made.summary, "<!here> m1 (secret)");
        assert_eq!(made.fields, [("Rack".to_owned(), "r7".to_owned())]);
        assert_eq!(told(&event, json!({"machines": "{{ Action }}"})).summary, "create");
        assert_eq!(told(&event, json!({"*": "{{ Key }}", "jobs": "x"})).summary, "u");
    }
}
