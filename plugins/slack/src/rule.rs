//! Which events are told: a selector pattern, and perhaps a condition.

use crate::template::{find, shown};
use drp_plugin_sdk::{Event, Value};

/// One line of `slack/events`: `<type>.<action>.<key>`, each `*` or a comma list, and perhaps
/// `where Field=value and Other!=value and Third`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    /// As it was written.
    pub(crate) text: String,
    /// The pattern that is registered with the daemon.
    pub(crate) pattern: String,
    parts: [Part; 3],
    conditions: Vec<Condition>,
}

/// Anything, or one of some values.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Any,
    OneOf(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    field: String,
    is: Is,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Is {
    Set,
    Equal(String),
    Unequal(String),
}

impl Rule {
    /// Parses a rule.
    ///
    /// # Errors
    /// What is wrong, in words; a rule for everything is wrong, too.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (pattern, conditions) = match text.split_once(" where ") {
            Some((pattern, conditions)) => (pattern.trim(), Some(conditions)),
            None => (text.trim(), None),
        };
        let mut split = pattern.splitn(3, '.').map(Part::parse);
        let (Some(kinds), Some(actions), Some(keys)) = (split.next(), split.next(), split.next()) else {
            return Err("it is not <type>.<action>.<key>".to_owned());
        };
        if pattern.split('.').take(2).any(|part| part.contains(char::is_whitespace))
            || pattern.to_ascii_lowercase().contains(" where")
        {
            return Err(
                "a blank is in its pattern; conditions follow after ` where `, in small letters".to_owned()
            );
        }
        let parts = [kinds?, actions?, keys?];
        if let Part::OneOf(kinds) = &parts[0]
            && let Some((odd, meant)) = kinds.iter().find_map(|kind| Some((kind, meant(kind)?)))
        {
            return Err(format!("there are no events of type `{odd}`; did you mean `{meant}`?"));
        }
        match &parts {
            [Part::Any, ..] => {
                return Err("it would tell Slack everything; name the types, for instance machines,jobs.*.*"
                    .to_owned());
            }
            [Part::OneOf(kinds), Part::Any, _] if kinds.iter().any(|kind| kind == "log") => {
                return Err("it would tell Slack every line of the log; name the levels, for instance \
                            log.error,fatal,panic.*"
                    .to_owned());
            }
            _ => {}
        }
        let conditions = match conditions {
            None => Vec::new(),
            Some(text) => text.split(" and ").map(Condition::parse).collect::<Result<_, _>>()?,
        };
        Ok(Self { text: text.trim().to_owned(), pattern: pattern.to_owned(), parts, conditions })
    }

    /// Whether the event is to be told. With conditions: all hold now, and a field they look at was another one before.
    pub(crate) fn matches(&self, event: &Event) -> bool {
        let [kinds, actions, keys] = &self.parts;
        if !(kinds.matches(&event.r#type) && actions.matches(&event.action) && keys.matches(&event.key)) {
            return false;
        }
        if self.conditions.is_empty() {
            return true;
        }
        let before = Some(&event.original).filter(|original| original.is_object());
        let news = before.is_none_or(|before| {
            self.conditions.iter().any(|c| find(before, &c.field) != find(&event.object, &c.field))
        });
        news && self.conditions.iter().all(|condition| condition.holds(&event.object))
    }
}

impl Part {
    fn parse(text: &str) -> Result<Self, String> {
        let values: Vec<&str> = text.split(',').collect();
        if values.iter().any(|value| value.is_empty()) {
            return Err("a part of it is empty".to_owned());
        }
        if values.contains(&"*") {
            return Ok(Self::Any);
        }
        let unescape = |value: &&str| value.replace("\\1", ".").replace("\\2", ",").replace("\\3", "*");
        Ok(Self::OneOf(values.iter().map(unescape).collect()))
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(values) => values.iter().any(|value| value == text),
        }
    }
}

impl Condition {
    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (field, is) = match text.split_once('=') {
            None => (text, Is::Set),
            Some((field, value)) => match field.strip_suffix('!') {
                Some(field) => (field, Is::Unequal(value.trim().to_owned())),
                None => (field, Is::Equal(value.trim().to_owned())),
            },
        };
        let field = field.trim();
        let odd = |c: char| "<>=!~".contains(c);
        let value = match &is {
            Is::Set => "",
            Is::Equal(value) | Is::Unequal(value) => value,
        };
        if field.contains(odd) || value.starts_with(['=', '~']) {
            let operator: String = text.chars().skip_while(|c| !odd(*c)).take_while(|c| odd(*c)).collect();
            return Err(format!(
                "`{text}`: there is no operator `{operator}`; write Field, Field=value or Field!=value"
            ));
        }
        if field.is_empty() || field.contains(char::is_whitespace) {
            return Err(format!("`{text}` is no condition; write Field, Field=value or Field!=value"));
        }
        Ok(Self { field: field.to_owned(), is })
    }

    fn holds(&self, object: &Value) -> bool {
        let value = find(object, &self.field);
        match &self.is {
            Is::Set => match value {
                None | Some(Value::Null) => false,
                Some(Value::Array(list)) => !list.is_empty(),
                Some(Value::Object(map)) => !map.is_empty(),
                Some(Value::String(text)) => !text.is_empty(),
                Some(Value::Bool(yes)) => *yes,
                Some(Value::Number(_)) => true,
            },
            Is::Equal(wanted) => said(value) == *wanted,
            Is::Unequal(wanted) => said(value) != *wanted,
        }
    }
}

/// Types of events that the daemon itself publishes. Plugins publish others.
const TYPES: [&str; 26] = [
    "bootenvs",
    "catalog_items",
    "contents",
    "contexts",
    "endpoints",
    "jobs",
    "leases",
    "log",
    "machines",
    "params",
    "plugin_providers",
    "plugins",
    "pools",
    "preferences",
    "profiles",
    "reservations",
    "roles",
    "stages",
    "subnets",
    "system",
    "tasks",
    "templates",
    "tenants",
    "users",
    "version_sets",
    "workflows",
];

/// The type of the daemon that was meant, when a word is but one slip away from it.
fn meant(kind: &str) -> Option<&'static str> {
    if TYPES.contains(&kind) {
        return None;
    }
    let word = kind.to_lowercase();
    TYPES.into_iter().find(|known| match known.len() {
        // Short words are near to many others.
        ..=3 => word == *known || word.strip_suffix('s') == Some(known),
        _ => one_slip(&word, known),
    })
}

/// Whether one character was left out, put in or replaced, or two were swapped, at most.
fn one_slip(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let begin = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[begin..], &b[begin..]);
    let end = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    match (&a[..a.len() - end], &b[..b.len() - end]) {
        ([] | [_], [] | [_]) => true,
        ([a1, a2], [b1, b2]) => a1 == b2 && a2 == b1,
        _ => false,
    }
}

fn said(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        other => shown(other),
    }
}

#[cfg(test)]
mod tests {
    use super::Rule;
    use drp_plugin_sdk::{Event, Value, json};

    fn event(kind: &str, action: &str, key: &str, object: Value, original: Value) -> Event {
        Event { original, ..Event::now(kind, action, key, object) }
    }

    fn matches(rule: &str, event: &Event) -> bool {
        Rule::parse(rule).unwrap().matches(event)
    }

    #[test]
    fn patterns_select() {
        let created = event("machines", "create", "a.b", json!({}), Value::Null);
        for yes in
            ["machines.create.*", "machines.*.a.b", "jobs,machines.create,delete.*", "machines.*.a\\1b"]
        {
            assert!(matches(yes, &created), "{yes}");
        }
        for no in ["machines.delete.*", "jobs.*.*", "machines.create.a"] {
            assert!(!matches(no, &created), "{no}");
        }
    }

    #[test]
    fn conditions_tell_what_became_so() {
        let job = |now: &str, before: Value| event("jobs", "update", "j", json!({"State": now}), before);
        let failed = "jobs.create,update,save.* where State=failed";
        assert!(matches(failed, &job("failed", json!({"State": "running"}))));
        assert!(matches(failed, &job("failed", Value::Null)));
        assert!(!matches(failed, &job("failed", json!({"State": "failed"}))), "told already");
        assert!(!matches(failed, &job("finished", json!({"State": "running"}))));
        let plugin = |now: Value, before: Value| {
            event("plugins", "save", "p", json!({"PluginErrors": now}), json!({"PluginErrors": before}))
        };
        let errors = "plugins.save.* where PluginErrors";
        assert!(matches(errors, &plugin(json!(["x"]), json!([]))));
        assert!(matches(errors, &plugin(json!(["y"]), json!(["x"]))));
        assert!(!matches(errors, &plugin(json!(["x"]), json!(["x"]))));
        assert!(!matches(errors, &plugin(json!([]), json!(["x"]))));
        let both = "machines.update,save.* where Runnable=false and Stage!=none";
        let machine = |r: bool, stage: &str| json!({"Runnable": r, "Stage": stage});
        assert!(matches(both, &event("machines", "save", "m", machine(false, "a"), machine(true, "a"))));
        assert!(!matches(both, &event("machines", "save", "m", machine(false, "none"), machine(true, "a"))));
    }

    #[test]
    fn events_of_plugins_are_taken() {
        for rule in ["packet.failed,undeleted.*", "lamp.*.*", "dog.barks.*", "machines.create.a b"] {
            assert!(Rule::parse(rule).is_ok(), "{rule}");
        }
    }

    #[test]
    fn mistakes_are_named_and_everything_is_one() {
        for (rule, why) in [
            ("machines", "<type>.<action>.<key>"),
            ("machines.create", "<type>.<action>.<key>"),
            ("machines..*", "empty"),
            ("*.*.*", "everything"),
            ("machines,*.create.*", "everything"),
            ("log.*.*", "name the levels"),
            ("jobs.update.* where ", "no condition"),
            ("jobs.update.* where a b", "no condition"),
            ("machine.create.*", "did you mean `machines`?"),
            ("jobs,Machines.create.*", "did you mean `machines`?"),
            ("mahcines.*.*", "did you mean `machines`?"),
            ("logs.error.*", "did you mean `log`?"),
            ("machines.update.* where Runnable==false", "no operator `==`"),
            ("machines.update.* where CurrentTask>=3", "no operator `>=`"),
            ("machines.update.* where CurrentTask>3", "no operator `>`"),
            ("machines.update.* where Stage=~ready", "no operator `=~`"),
            ("machines.update.* where !Runnable", "no operator `!`"),
            ("machines.update.* WHERE Runnable=false", "blank"),
            ("machines.update.* where", "blank"),
        ] {
            let error = Rule::parse(rule).unwrap_err();
            assert!(error.contains(why), "{rule}: {error}");
        }
    }
}
