//! Templates of messages: text with `{{ Object.Name }}` in it.

use crate::mrkdwn;
use drp_plugin_sdk::Value;

/// Longest value that is put into a template, in characters.
const VALUE: usize = 500;
/// What a field can begin with.
const ROOTS: [&str; 7] = ["Type", "Action", "Key", "Principal", "Time", "Object", "Original"];

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(String),
}

impl Template {
    /// Parses `text`. A field is `Type`, `Action`, `Key`, `Principal`, `Time`, or a path that begins with `Object` or
    /// `Original`; a dot in front is allowed.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find("{{") {
            pieces.push(Piece::Text(rest[..at].to_owned()));
            let inside = &rest[at + 2..];
            let Some(end) = inside.find("}}") else { return Err("`{{` without `}}`".to_owned()) };
            let field = inside[..end].trim();
            let field = field.strip_prefix('.').unwrap_or(field);
            let root = field.split('.').next().unwrap_or_default();
            if !ROOTS.contains(&root) {
                return Err(format!("`{field}` is no field; it begins with one of {}", ROOTS.join(", ")));
            }
            pieces.push(Piece::Field(field.to_owned()));
            rest = &inside[end + 2..];
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self(pieces))
    }

    /// The text with the values of an event, which are escaped; the template's own text is markup and is not. What is absent is
    /// `–`.
    pub(crate) fn render(&self, event: &Value) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Field(path) => mrkdwn::escape(&shown(find(event, path)), VALUE),
        };
        self.0.iter().map(piece).collect()
    }
}

/// The value at a path of names with dots between them. Names may hold dots themselves, as those of params do.
pub(crate) fn find<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    if let Some(found) = value.get(path) {
        return Some(found);
    }
    if let (Value::Array(list), Ok(index)) =
        (value, path.split('.').next().unwrap_or_default().parse::<usize>())
    {
        let inner = list.get(index)?;
        return path.split_once('.').map_or(Some(inner), |(_, rest)| find(inner, rest));
    }
    path.match_indices('.').find_map(|(at, _)| find(value.get(&path[..at])?, &path[at + 1..]))
}

/// A value as text for people.
pub(crate) fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "–".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(list)) if list.iter().all(Value::is_string) => {
            let names: Vec<_> = list.iter().filter_map(Value::as_str).collect();
            if names.is_empty() { "–".to_owned() } else { names.join(", ") }
        }
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Template, find};
    use drp_plugin_sdk::json;

    #[test]
    fn fields_are_filled_and_escaped() {
        let event = json!({"Type": "machines", "Key": "k", "Object": {
            "Name": "<!here>", "Profiles": ["a", "b"], "Params": {"net/a.b": {"c": 7}}, "Tasks": [{"Name": "t"}]}});
        let render = |text: &str| Template::parse(text).unwrap().render(&event);
        assert_eq!(render("*{{ Object.Name }}* <@U1> {{.Type}}"), "*&lt;!here&gt;* <@U1> machines");
        assert_eq!(
            render("{{Object.Profiles}} {{Object.Params.net/a.b.c}} {{Object.Tasks.0.Name}}"),
            "a, b 7 t"
        );
        assert_eq!(render("{{Object.None}}{{Original.X}}"), "––");
        assert_eq!(find(&event, "Object.Params.net/a.b.c"), Some(&json!(7)));
    }

    #[test]
    fn mistakes_are_named() {
        assert!(Template::parse("{{ Object.Name").unwrap_err().contains("without"));
        assert!(Template::parse("{{ object.Name }}").unwrap_err().contains("`object.Name` is no field"));
        assert!(Template::parse("{{}}").is_err());
    }
}
