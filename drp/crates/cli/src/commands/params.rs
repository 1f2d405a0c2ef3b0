//! Params of objects.

use super::{Context, change, objects};
use crate::grammar::{AssignArgs, ParamVerb, ReadArgs};
use crate::{Exit, Failure, hints, input};
use drp_client::{ParamQuery, Poll};
use drp_protocol::{Param, Secret};
use serde_json::{Value, json};

/// What stands for a value that is not shown.
const HIDDEN: &str = "***";

pub(crate) async fn run(cx: &Context<'_>, prefix: &str, verb: ParamVerb) -> Result<(), Failure> {
    match verb {
        ParamVerb::Params { id, params: None, read } => {
            let params =
                objects::known(cx, prefix, &id, cx.client.params(prefix, &id, query(read)).await).await?;
            cx.printer.value(&Value::Object(params))
        }
        ParamVerb::Params { id, params: Some(params), .. } => {
            let params = input::map(&params)?;
            change::undefined(cx, params.keys().map(String::as_str)).await;
            let hidden = params.keys().map(|name| (name.clone(), HIDDEN.into())).collect();
            if cx.dry("POST", &format!("{prefix}/{id}/params"), &Value::Object(hidden))? {
                return Ok(());
            }
            let stored =
                objects::known(cx, prefix, &id, cx.client.set_params(prefix, &id, &params).await).await?;
            cx.printer.value(&Value::Object(stored))
        }
        ParamVerb::Get { id, name, read, .. } => get(cx, prefix, &id, &name, read).await,
        ParamVerb::Set(args) => set(cx, prefix, &args, false).await,
        ParamVerb::Add(args) => set(cx, prefix, &args, true).await,
        ParamVerb::Remove { id, name, .. } => {
            if cx.globals.dry_run {
                let now = cx.client.param(prefix, &id, &name, ParamQuery::default()).await;
                if objects::known(cx, prefix, &id, now).await?.is_null() {
                    return Err(absent(cx, prefix, &id, &name).await?);
                }
            }
            if cx.dry("DELETE", &format!("{prefix}/{id}/params/{name}"), &Value::Null)? {
                return Ok(());
            }
            match cx.client.delete_param(prefix, &id, &name).await {
                Ok(old) => cx.printer.value(&old),
                Err(error) if error.is_not_found() => Err(absent(cx, prefix, &id, &name).await?),
                Err(error) => Err(error.into()),
            }
        }
    }
}

fn query(read: ReadArgs) -> ParamQuery {
    ParamQuery { aggregate: read.aggregate, decode: read.decode, compose: read.compose }
}

async fn get(cx: &Context<'_>, prefix: &str, id: &str, name: &str, read: ReadArgs) -> Result<(), Failure> {
    let value = objects::known(cx, prefix, id, cx.client.param(prefix, id, name, query(read)).await).await?;
    if value.is_null() && std::io::IsTerminal::is_terminal(&std::io::stderr()) {
        cx.printer.remark(&format!("{name} has no value here; --aggregate looks further"));
    }
    cx.printer.value(&value)
}

/// The failure for a param that is not there, or for its object.
async fn absent(cx: &Context<'_>, prefix: &str, id: &str, name: &str) -> Result<Failure, Failure> {
    let params =
        objects::known(cx, prefix, id, cx.client.params(prefix, id, ParamQuery::default()).await).await?;
    let failure = Failure::new(Exit::NotFound, format!("{prefix}/{id} has no param {name} of its own"));
    Ok(match hints::did_you_mean(name, params.keys().map(String::as_str)) {
        Some(hint) => failure.hint(hint),
        None => failure,
    })
}

/// Sets one param. A secure one is sealed here, under the object's key, and never shown.
async fn set(cx: &Context<'_>, prefix: &str, args: &AssignArgs, only_new: bool) -> Result<(), Failure> {
    let AssignArgs { id, name, value, .. } = args;
    let definition: Option<Param> = match cx.client.get("params", name).await {
        Ok(definition) => Some(definition),
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(error.into()),
    };
    let secure = definition.as_ref().is_some_and(|d| d.secure);
    let text = Secret::new(if value == "-" { input::text("-")? } else { value.clone() });
    let value = typed(&text, definition.as_ref())?;
    let shown = if secure { json!(HIDDEN) } else { value.clone() };
    if cx.globals.dry_run {
        objects::known(cx, prefix, id, cx.client.tag(prefix, id, &Poll::default()).await).await?;
        if definition.is_none() {
            change::undefined(cx, std::iter::once(name.as_str())).await;
        }
    }
    if only_new {
        let now =
            objects::known(cx, prefix, id, cx.client.param(prefix, id, name, ParamQuery::default()).await)
                .await?;
        if !now.is_null() {
            return Err(Failure::new(Exit::Refused, format!("{prefix}/{id} has a value for {name} already"))
                .hint(format!("replace it with `drp {prefix} set {id} param {name} to VALUE`")));
        }
    }
    if cx.dry("POST", &format!("{prefix}/{id}/params/{name}"), &shown)? {
        return Ok(());
    }
    if secure && !drp_protocol::SecureData::is_sealed(&value) {
        if args.value != "-" {
            cx.printer.warn(
                "others on this host could see the secret on the command line: write `to -` and pipe it in",
            );
        }
        let json = Secret::new(value.to_string());
        objects::known(cx, prefix, id, cx.client.set_secure_param(prefix, id, name, &json).await).await?;
        cx.printer.remark(&format!("{name} is set and sealed"));
        return Ok(());
    }
    let stored = objects::known(cx, prefix, id, cx.client.set_param(prefix, id, name, &value).await).await?;
    if definition.is_none() {
        change::undefined(cx, std::iter::once(name.as_str())).await;
    }
    cx.printer.value(&stored)
}

/// The value: JSON or YAML; but where the schema wants a text, a plain word or number is that text.
fn typed(text: &Secret, definition: Option<&Param>) -> Result<Value, Failure> {
    let text = text.expose().strip_suffix('\n').unwrap_or(text.expose());
    let wants_text = definition.is_some_and(|d| d.schema.get("type").is_some_and(|t| t == "string"));
    if wants_text {
        return Ok(match serde_json::from_str::<String>(text) {
            Ok(quoted) => Value::String(quoted),
            // A sealed value is a map and stays one.
            Err(_) => match serde_json::from_str::<Value>(text) {
                Ok(value) if drp_protocol::SecureData::is_sealed(&value) => value,
                _ => Value::String(text.to_owned()),
            },
        });
    }
    input::parse(text, "the value")
}

#[cfg(test)]
mod tests {
    use super::typed;
    use drp_protocol::{Param, Secret};
    use serde_json::json;

    #[test]
    fn texts_need_no_quotes_where_the_schema_wants_them() {
        let text = Param { schema: json!({"type": "string"}), ..Param::default() };
        let value = |t: &str, d: Option<&Param>| typed(&Secret::new(t.to_owned()), d).unwrap();
        for (given, expected) in
            [("12345\n", json!("12345")), ("\"a b\"", json!("a b")), ("a: b", json!("a: b"))]
        {
            assert_eq!(value(given, Some(&text)), expected);
        }
        assert_eq!(value("12345", None), json!(12345));
        assert_eq!(value("[1]", None), json!([1]));
    }
}
